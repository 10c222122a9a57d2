//! What a plugin says of records and settings that it was not made for.

use foretell_runtime::manifest::ModelFormat;
use foretell_runtime::plugin::LoadOptions;
use tempfile::TempDir;

use super::Found;
use super::variants::{Variant, missing_columns, settings, wrong_types};
use crate::answer::{Cell, in_words};
use crate::records::{Column, Row, Value, batch};
use crate::subject::{Refusal, Subject, names, open, predict, words};
use crate::verdict::{Finding, fault, passed};

/// Records that the columns of another kind are filled for.
const RECORDS: usize = 8;
/// Content of a file that no plugin wrote.
const NO_CONTENT: [&[u8]; 3] = [b"", b"\x00", b"this is no file that a plugin wrote"];

/// What a plugin says of records with one column changed.
enum Said {
    /// It refused them, in these words.
    Refused(String),
    /// It answered.
    Answered(Vec<Cell>),
}

/// Asks with other columns. A crash that was caught, or an answer that is none, is a fault.
fn say(subject: &Subject, columns: &[Column], rows: &[Row], what: &str) -> Result<Said, Finding> {
    let said = subject.open(&subject.options_with(columns)).and_then(|plugin| {
        let batch = batch(columns, rows)
            .map_err(|error| Refusal::Broken(format!("no batch could be made: {error}")))?;
        predict(&plugin, &batch)
    });
    match said {
        Ok(answers) => Ok(Said::Answered(answers)),
        Err(Refusal::Clean(words)) => Ok(Said::Refused(words)),
        Err(refusal) => Err(refusal.fault(what)),
    }
}

/// What a plugin answers to records in which a column is empty, if it may be.
fn without_values(subject: &Subject, rows: &[Row], place: usize) -> Option<Vec<Cell>> {
    if !subject.columns[place].nullable {
        return None;
    }
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| row[place] = Value::Null);
    subject.predict(&rows).ok()?.ok()
}

fn refuses_or_ignores(subject: &Subject, rows: &[Row], variants: Vec<Variant>, may_be_empty: bool) -> Found {
    let batch = subject.batch(rows)?;
    // An instance as those that are compared with it, with one session.
    let same = subject.open(&subject.options()).map_err(|refusal| refusal.fault("another instance"))?;
    let expected = predict(&same, &batch).map_err(|refusal| refusal.fault("ordinary records"))?;
    let (mut refused, mut ignored) = (0, 0);
    for Variant { what, place, columns, rows: changed } in variants {
        match say(subject, &columns, &changed, &what)? {
            Said::Refused(_) => refused += 1,
            Said::Answered(found) if found == expected => ignored += 1,
            Said::Answered(found)
                if may_be_empty
                    && without_values(subject, rows, place).is_some_and(|empty| empty == found) =>
            {
                ignored += 1;
            }
            Said::Answered(found) => {
                let row = expected.iter().zip(&found).position(|(expected, found)| expected != found);
                let row = row.unwrap_or_default();
                return Err(fault(format!(
                    "{what}: it answered {} instead of {}, so it reads the column and does not look what it is",
                    found.get(row).map(in_words).unwrap_or_default(),
                    in_words(&expected[row])
                )));
            }
        }
    }
    passed(format!("{refused} refused, {ignored} not read"))
}

pub(super) fn wrong_type_refused(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("types", RECORDS.min(subject.batch_records()))?;
    refuses_or_ignores(subject, &rows, wrong_types(subject, &rows), false)
}

pub(super) fn missing_column_refused(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("columns", RECORDS.min(subject.batch_records()))?;
    let variants = missing_columns(subject, &rows);
    if variants.is_empty() {
        return Err(Finding::NotApplicable("there is a single column".to_owned()));
    }
    refuses_or_ignores(subject, &rows, variants, true)
}

pub(super) fn error_messages_name_the_field(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("names", RECORDS.min(subject.batch_records()))?;
    let mut variants = wrong_types(subject, &rows);
    variants.extend(missing_columns(subject, &rows));
    let mut refused = 0;
    for Variant { what, place, columns, rows } in variants {
        let Said::Refused(message) = say(subject, &columns, &rows, &what)? else { continue };
        refused += 1;
        if !names(&words(&message), &subject.columns[place]) {
            return Err(fault(format!("{what}: expected an error that names it, found `{message}`")));
        }
    }
    match refused {
        0 => Err(Finding::NotApplicable("it refuses no column, so there is no message".to_owned())),
        refused => passed(format!("{refused} errors")),
    }
}

/// A panic that was caught is contained. Whatever is not takes the process with it, which the one that started it notices.
pub(super) fn panic_contained(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("panic", RECORDS.min(subject.batch_records()))?;
    let batch = subject.batch(&rows)?;
    let (mut forced, mut refused, mut panicked) = (0, 0, 0);
    let mut met = |said: Result<Vec<Cell>, Refusal>| {
        forced += 1;
        match said {
            Ok(_) => (),
            Err(Refusal::Panicked(_)) => panicked += 1,
            Err(_) => refused += 1,
        }
    };
    for config in settings(&subject.manifest().config_json()) {
        let options = LoadOptions { config, ..subject.options() };
        met(subject.open(&options).and_then(|plugin| predict(&plugin, &batch)));
    }
    let place = TempDir::new().map_err(|error| fault(format!("no temporary directory: {error}")))?;
    for model in subject.verified.models().iter().filter(|model| model.format == ModelFormat::Data) {
        let whole = std::fs::read(&model.path)
            .map_err(|error| fault(format!("`{}`: {error}", model.path.display())))?;
        let halved = &whole[..whole.len() / 2];
        let flipped: Vec<u8> = whole.iter().map(|byte| !byte).collect();
        for (index, content) in NO_CONTENT.into_iter().chain([halved, &flipped]).enumerate() {
            let path = place.path().join(format!("{}-{index}", model.name));
            std::fs::write(&path, content)
                .map_err(|error| fault(format!("`{}`: {error}", path.display())))?;
            let verified = subject.verified.clone().with_model(&model.name, &path, None);
            let verified = verified.map_err(|error| fault(error.to_string()))?;
            let said = open(&subject.runtime, verified, &subject.options());
            met(said.and_then(|plugin| predict(&plugin, &batch)));
        }
    }
    subject.plugin.set_cancelled(true);
    met(predict(&subject.plugin, &batch));
    subject.plugin.set_cancelled(false);
    subject.must_predict(&rows, "ordinary records, after work was cancelled")?;
    passed(format!("{forced} forced errors: {refused} refused, {panicked} panics contained"))
}
