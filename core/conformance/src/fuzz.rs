//! Records at random, with and without faults. Whatever comes, a plugin gives a clean answer or a clean error.

use foretell_runtime::check::check;
use foretell_runtime::plugin::LoadOptions;
use serde_json::{Map, Value as Json};

use crate::answer::{Cell, fault as meaningless};
use crate::check::variants::{Variant, missing_columns, settings, wrong_types};
use crate::records::{Column, Dice, Generator, Row, Value, batch, extremes, with_extreme};
use crate::subject::{Refusal, Subject, predict};
use crate::verdict::Finding;

/// Records of a case of tables at most.
const RECORDS_MAX: usize = 48;
/// Records of a case with images at most.
const IMAGES_MAX: usize = 3;
/// Share of values that are not ordinary, in a case that has such.
const ODD_PERCENT: usize = 15;
/// Characters of a random text at most.
const CHARACTERS_MAX: usize = 40;
/// Characters of a value that are told.
const TOLD_CHARACTERS_MAX: usize = 100;
/// Records that are told.
const TOLD_RECORDS_MAX: usize = 50;

/// A case before it is put to the plugin.
pub(crate) struct Planned {
    what: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Settings to open another instance with.
    config: Option<Map<String, Json>>,
    /// Whether the columns are those of the manifest, so that the host would look at the records first.
    is_usual: bool,
}

/// How a plugin met a case.
pub(crate) struct Asked {
    /// What it said in a few words, or what is wrong with that.
    pub(crate) said: Result<String, String>,
}

/// Puts the case of a seed to the plugin.
pub(crate) fn case(subject: &Subject, seed: u64) -> Asked {
    match plan(subject, seed) {
        Ok(planned) => planned.ask(subject),
        Err(Finding::Fault(reason) | Finding::NotApplicable(reason) | Finding::NotRun(reason)) => {
            Asked { said: Err(reason) }
        }
    }
}

/// What the case of a seed is.
pub(crate) fn plan(subject: &Subject, seed: u64) -> Result<Planned, Finding> {
    let mut dice = Dice::new(seed, "case");
    let mut generator = Generator::new(subject.manifest(), seed, "fuzz");
    let most = if subject.has_images() { IMAGES_MAX } else { RECORDS_MAX };
    let count = dice.below(most.min(subject.manifest().limits.rows_max) + 1);
    let mut rows = generator.rows(count);
    let usual = |what: String, rows| Planned {
        what,
        columns: subject.columns.clone(),
        rows,
        config: None,
        is_usual: true,
    };
    let one_of = |dice: &mut Dice, mut variants: Vec<Variant>| {
        let place = dice.below(variants.len());
        variants.swap_remove(place)
    };
    let unusual =
        |Variant { what, columns, rows, .. }| Planned { what, columns, rows, config: None, is_usual: false };
    Ok(match dice.below(20) {
        0 => unusual(one_of(&mut dice, wrong_types(subject, &rows))),
        1 if subject.columns.len() > 1 => unusual(one_of(&mut dice, missing_columns(subject, &rows))),
        2 => {
            let all = settings(&subject.manifest().config_json());
            let config = dice.choose(&all).clone();
            let what = format!("{count} ordinary records, with the setting {}", Json::Object(config.clone()));
            Planned { config: Some(config), ..usual(what, rows) }
        }
        3..=7 => usual(format!("{count} ordinary records"), rows),
        _ => {
            for row in &mut rows {
                odd(subject, &mut dice, &mut generator, row);
            }
            usual(format!("{count} records with odd values"), rows)
        }
    })
}

/// Puts odd values into a record.
fn odd(subject: &Subject, dice: &mut Dice, generator: &mut Generator<'_>, row: &mut Row) {
    for (place, column) in subject.columns.iter().enumerate() {
        if !dice.chance(ODD_PERCENT) {
            continue;
        }
        match dice.below(4) {
            0 if column.nullable => row[place] = Value::Null,
            0 | 1 => {
                let found = extremes(subject.manifest(), generator, place);
                if !found.is_empty() {
                    let (_, value) = dice.choose(&found);
                    *row = with_extreme(subject.manifest(), generator, row, place, value);
                }
            }
            _ => disturb(dice, &mut row[place]),
        }
    }
}

/// Puts anything in the place of a value, of its own type.
fn disturb(dice: &mut Dice, value: &mut Value) {
    match value {
        Value::Null | Value::Picture(_) => (),
        Value::Bool(flag) => *flag = !*flag,
        Value::Whole(number) => *number = dice.bits().cast_signed() >> dice.below(64),
        Value::Number(number) => *number = f64::from_bits(dice.bits()),
        Value::Time(time) => *time = dice.between(-62_135_596_800_000_000, 253_402_300_799_999_999),
        Value::Text(text) => {
            let count = dice.below(CHARACTERS_MAX);
            *text = (0..count).map(|_| char::from_u32(dice.below(0x11_0000) as u32).unwrap_or('?')).collect();
        }
        Value::List(items) => {
            if dice.chance(30) {
                items.truncate(dice.below(items.len() + 1));
            }
            for item in items {
                if dice.chance(30) {
                    disturb(dice, item);
                }
            }
        }
        Value::Past(events) => {
            if dice.chance(30) {
                events.reverse();
            }
            for event in events {
                if dice.chance(20) {
                    event.time = dice.between(-62_135_596_800_000_000, 253_402_300_799_999_999);
                }
                for field in &mut event.fields {
                    match dice.below(10) {
                        0 => *field = Value::Null,
                        1 => disturb(dice, field),
                        _ => (),
                    }
                }
            }
        }
    }
}

impl Planned {
    /// Puts the case to the plugin.
    pub(crate) fn ask(&self, subject: &Subject) -> Asked {
        let said = self.answers(subject);
        Asked { said: said.and_then(|said| judge(subject, self.is_usual, said)) }
    }

    fn answers(&self, subject: &Subject) -> Result<Result<Vec<Cell>, Refusal>, String> {
        let whole =
            batch(&self.columns, &self.rows).map_err(|error| format!("no batch could be made: {error}"))?;
        if !self.is_usual {
            return Ok(subject
                .open(&subject.options_with(&self.columns))
                .and_then(|plugin| predict(&plugin, &whole)));
        }
        let refused: Vec<usize> =
            check(subject.manifest(), &whole).into_iter().map(|refusal| refusal.row).collect();
        let rows = self.rows.iter().enumerate().filter(|(row, _)| !refused.contains(row));
        let rows: Vec<Row> = rows.map(|(_, row)| row.clone()).collect();
        let left = batch(&self.columns, &rows).map_err(|error| format!("no batch could be made: {error}"))?;
        Ok(match &self.config {
            None => predict(&subject.plugin, &left),
            Some(config) => {
                let options = LoadOptions { config: config.clone(), ..subject.options() };
                subject.open(&options).and_then(|plugin| predict(&plugin, &left))
            }
        })
    }

    /// The case in words: what was done, and each record.
    pub(crate) fn in_words(&self, subject: &Subject) -> String {
        let mut text = self.what.clone();
        let refusals = match batch(&self.columns, &self.rows) {
            Ok(whole) if self.is_usual => check(subject.manifest(), &whole),
            _ => Vec::new(),
        };
        for (number, row) in self.rows.iter().enumerate().take(TOLD_RECORDS_MAX) {
            text.push_str(&format!("\nrecord {}", number + 1));
            if let Some(refusal) = refusals.iter().find(|refusal| refusal.row == number) {
                text.push_str(&format!(", which the host refuses: `{}` {}", refusal.field, refusal.reason));
            }
            for (column, value) in self.columns.iter().zip(row) {
                let value: String = format!("{value:?}").chars().take(TOLD_CHARACTERS_MAX).collect();
                text.push_str(&format!("\n  {}: {value}", column.name));
            }
        }
        if self.rows.len() > TOLD_RECORDS_MAX {
            text.push_str(&format!("\nand {} more", self.rows.len() - TOLD_RECORDS_MAX));
        }
        text
    }
}

/// Whether what a plugin said is a clean answer or a clean error.
fn judge(subject: &Subject, is_usual: bool, said: Result<Vec<Cell>, Refusal>) -> Result<String, String> {
    match said {
        // What it makes of columns that it should not have been opened with is the matter of a check.
        Ok(answers) if !is_usual => Ok(format!("{} answers", answers.len())),
        Ok(answers) => {
            for (row, answer) in answers.iter().enumerate() {
                if let Some(words) = meaningless(subject.manifest(), answer) {
                    return Err(format!(
                        "for record {} of those that the host lets pass it {words}",
                        row + 1
                    ));
                }
            }
            Ok(format!("{} answers", answers.len()))
        }
        Err(Refusal::Clean(words)) => Ok(format!("refused: {words}")),
        Err(refusal) => match refusal.fault("a clean answer or a clean error was expected") {
            Finding::Fault(reason) | Finding::NotApplicable(reason) | Finding::NotRun(reason) => Err(reason),
        },
    }
}
