//! Values that are missing, that are no numbers, and that are as large or small as the manifest allows.

use foretell_runtime::manifest::FieldType;

use super::Found;
use crate::answer::fault as meaningless;
use crate::records::{Kind, Row, Value, extremes, in_words, with_extreme, with_past};
use crate::subject::{Refusal, Subject};
use crate::verdict::{Finding, fault, passed};

/// Ordinary records that values are put into.
const RECORDS: usize = 4;
/// Numbers that are none.
const NOT_FINITE: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// What became of a record.
#[derive(PartialEq)]
enum Met {
    Answered,
    /// With an error that names a field.
    Refused,
    /// By the host, before the plugin saw it.
    ByHost,
}

/// Asks about one record, which must get an answer that means something, or an error that names a field.
fn ask(subject: &Subject, row: &Row, what: &str) -> Result<Met, Finding> {
    if subject.host_refuses(row)?.is_some() {
        return Ok(Met::ByHost);
    }
    match subject.predict(std::slice::from_ref(row))? {
        Ok(answers) => match answers.iter().find_map(|answer| meaningless(subject.manifest(), answer)) {
            Some(words) => Err(fault(format!("for {what} it {words}"))),
            None => Ok(Met::Answered),
        },
        Err(Refusal::Clean(words)) if subject.names_a_field(&words) => Ok(Met::Refused),
        Err(Refusal::Clean(words)) => {
            Err(fault(format!("for {what} its error names no field: {}", shown(&words))))
        }
        Err(refusal) => Err(refusal.fault(&format!("for {what}"))),
    }
}

fn shown(words: &str) -> String {
    if words.is_empty() { "no words".to_owned() } else { format!("`{words}`") }
}

pub(super) fn null_and_nan(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("null", RECORDS.min(subject.batch_records()))?;
    let mut generator = subject.generator("null past");
    let mut asked = 0;
    let optional: Vec<usize> =
        (0..subject.columns.len()).filter(|place| subject.columns[*place].nullable).collect();
    for row in &rows {
        for place in &optional {
            let what = format!("a record without `{}`, which is optional", subject.columns[*place].name);
            ask(subject, &with(row, *place, Value::Null), &what)?;
            asked += 1;
        }
        if !optional.is_empty() {
            let bare = optional.iter().fold(row.clone(), |row, place| with(&row, *place, Value::Null));
            if ask(subject, &bare, "a record without any optional value")? == Met::Refused {
                return Err(fault(
                    "it refused a record without its optional values; state as `required` what it needs",
                ));
            }
            asked += 1;
        }
        for (place, index, name, kind) in past_fields(subject) {
            let missing = std::iter::once(Value::Null);
            let numbers = NOT_FINITE.into_iter().filter(|_| kind == FieldType::Float64).map(Value::Number);
            for value in missing.chain(numbers) {
                let what = format!("a past whose `{name}` is {}", in_words(&value));
                let row = with_past(subject.manifest(), &mut generator, row, place, index, &value);
                ask(subject, &row, &what)?;
                asked += 1;
            }
        }
    }
    match asked {
        0 => Err(Finding::NotApplicable(
            "no input is optional and there is no history; the host refuses other values that are missing or not finite".to_owned(),
        )),
        asked => passed(format!("{asked} records")),
    }
}

fn with(row: &Row, place: usize, value: Value) -> Row {
    let mut row = row.clone();
    row[place] = value;
    row
}

/// Each field of each history: the column, the place of the field, its name and type.
fn past_fields(subject: &Subject) -> Vec<(usize, usize, String, FieldType)> {
    let columns = subject.columns.iter().enumerate();
    columns
        .flat_map(|(place, column)| {
            match &column.kind {
                Kind::Past(fields) => fields.clone(),
                _ => Vec::new(),
            }
            .into_iter()
            .enumerate()
            .map(move |(index, (name, kind))| (place, index, name, kind))
        })
        .collect()
}

pub(super) fn extreme_values(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("extreme", 1)?;
    let mut generator = subject.generator("extremes");
    let (mut answered, mut refused, mut by_host) = (0, 0, 0);
    for (place, column) in subject.columns.iter().enumerate() {
        for (words, value) in extremes(subject.manifest(), &mut generator, place) {
            let row = with_extreme(subject.manifest(), &mut generator, &rows[0], place, &value);
            match ask(subject, &row, &format!("`{}` {words}", column.name))? {
                Met::Answered => answered += 1,
                Met::Refused => refused += 1,
                Met::ByHost => by_host += 1,
            }
        }
    }
    passed(format!("{answered} answered, {refused} refused with the name of a field, {by_host} by the host"))
}
