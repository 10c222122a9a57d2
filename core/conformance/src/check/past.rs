//! Whether what happens later changes what was said before.

use super::Found;
use crate::answer::{in_words, is_near};
use crate::records::{Kind, Value, time_place};
use crate::subject::{Refusal, Subject};
use crate::verdict::{Finding, fault, passed};

/// How much later than the record the events are: a microsecond, a day, a month.
const LATER: [i64; 3] = [1, 86_400_000_000, 30 * 86_400_000_000];

/// The host gives a plugin the past alone. Events that are later can only come from a mistake, and a plugin that counts them looks
/// better in every trial than it will ever be.
pub(super) fn history_only_from_the_past(subject: &Subject) -> Found {
    let histories = (0..subject.columns.len())
        .filter(|place| matches!(subject.columns[*place].kind, Kind::Past(_)))
        .collect::<Vec<_>>();
    if histories.is_empty() {
        return Err(Finding::NotApplicable("there is no history".to_owned()));
    }
    let Some(time) = time_place(subject.manifest()) else {
        return Err(Finding::NotApplicable(
            "`event_time` is not among the inputs, so the plugin can't tell what is later; the host gives it the past alone"
                .to_owned(),
        ));
    };
    let (rows, _) = subject.ordinary("past", subject.batch_records())?;
    let expected = subject.must_predict(&rows, "ordinary records")?;
    let mut generator = subject.generator("future");
    for place in &histories {
        let mut rows = rows.clone();
        for row in &mut rows {
            let Value::Time(now) = row[time] else { continue };
            let later = LATER.map(|later| generator.event(*place, now + later));
            if let Value::Past(events) = &mut row[*place] {
                events.extend(later);
            }
        }
        let name = &subject.columns[*place].name;
        let found = match subject.predict(&rows)? {
            Ok(found) => found,
            Err(Refusal::Clean(words)) if subject.names_a_field(&words) => continue,
            Err(refusal) => return Err(refusal.fault(&format!("history `{name}` with later events"))),
        };
        for (row, (expected, found)) in expected.iter().zip(&found).enumerate() {
            if !is_near(subject.manifest(), expected, found) {
                return Err(fault(format!(
                    "history `{name}`: with events that are later than record {}, its answer is {} instead of {}; pass over what is later than `event_time`",
                    row + 1,
                    in_words(found),
                    in_words(expected)
                )));
            }
        }
    }
    passed(format!("{} records, {} histories", rows.len(), histories.len()))
}
