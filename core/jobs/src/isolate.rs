//! Predictions for a batch in which some records may be poison.

use std::ops::Range;

use arrow_array::RecordBatch;
use foretell_runtime::check::{Refusal, check};
use foretell_runtime::isolation::Ended;
use foretell_runtime::plugin::{Plugin, PredictError, PredictErrorKind};

use crate::outcome::{self, Predicted};
use crate::picture::Size;
use crate::score::ScoreError;
use crate::supervise::LOST_MAX;

/// What came out for one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The prediction.
    Predicted(Predicted),
    /// Why there is none.
    Refused {
        /// Input field at fault, where one is.
        field: Option<String>,
        /// What was expected, and what was found.
        reason: String,
    },
}

/// The rows that were not refused, as far as they stand together, in pieces of at most `rows_max`.
///
/// `refusals` are those of [`check`]: in the order of rows, one for each row at most.
pub(crate) fn allowed(
    refusals: &[Refusal],
    rows: usize,
    rows_max: usize,
) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(0).chain(refusals.iter().map(|refusal| refusal.row + 1));
    let ends = refusals.iter().map(|refusal| refusal.row).chain(std::iter::once(rows));
    starts.zip(ends).flat_map(move |(start, end)| {
        (start..end).step_by(rows_max).map(move |first| first..end.min(first + rows_max))
    })
}

/// Records that ended the process of an isolated plugin, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    in_a_row: u32,
}

impl Lost {
    /// Notes that a record ended it; an error when it does not seem to be the records.
    fn add(&mut self, ended: &Ended) -> Result<(), ScoreError> {
        self.in_a_row += 1;
        match self.in_a_row < LOST_MAX {
            true => Ok(()),
            false => Err(ScoreError::Lost { reason: ended.to_string() }),
        }
    }
}

/// One answer for each record, in order.
///
/// Records that the manifest does not allow are refused before the plugin sees them. When the plugin fails, the batch is
/// halved until the records that make it fail stand alone. When the process of an isolated plugin ends, the batch goes record by
/// record, and the one that is at hand at the second end is set aside: two ends find it, where halving would need one for each
/// half. An error means that no record can be predicted: the batch has other columns than the plugin asks for, the work was
/// cancelled, or too many records in a row were `lost`.
///
/// `originals` are the sizes of the records' images before they were resized, or none.
pub(crate) fn predict(
    plugin: &Plugin,
    records: &RecordBatch,
    originals: &[Size],
    lost: &mut Lost,
) -> Result<Vec<Answer>, ScoreError> {
    let mut answers = vec![None; records.num_rows()];
    let refusals = check(plugin.manifest(), records);
    for rows in allowed(&refusals, records.num_rows(), plugin.manifest().limits.rows_max) {
        let part = records.slice(rows.start, rows.len());
        let originals = originals.get(rows.clone()).unwrap_or_default();
        halve(plugin, &part, originals, &mut answers[rows], lost)?;
    }
    for Refusal { row, field, reason } in refusals {
        answers[row] = Some(Answer::Refused { field: Some(field), reason });
    }
    Ok(answers.into_iter().map(|answer| answer.expect("each row is refused or predicted")).collect())
}

fn halve(
    plugin: &Plugin,
    records: &RecordBatch,
    originals: &[Size],
    answers: &mut [Option<Answer>],
    lost: &mut Lost,
) -> Result<(), ScoreError> {
    let error = match attempt(plugin, records, originals, answers) {
        Ok(()) => {
            lost.in_a_row = 0;
            return Ok(());
        }
        Err(error) => error,
    };
    match error.kind {
        PredictErrorKind::Cancelled | PredictErrorKind::Misfit(_) | PredictErrorKind::Restart(_) => {
            Err(error.into())
        }
        PredictErrorKind::Ended(_) => singly(plugin, records, originals, answers, lost),
        PredictErrorKind::Call(_) | PredictErrorKind::Answer(_) if answers.len() == 1 => {
            answers[0] = Some(Answer::Refused { field: None, reason: error.kind.to_string() });
            Ok(())
        }
        PredictErrorKind::Call(_) | PredictErrorKind::Answer(_) => {
            let middle = answers.len() / 2;
            let (first, second) = answers.split_at_mut(middle);
            let (before, behind) = originals.split_at(middle.min(originals.len()));
            halve(plugin, &records.slice(0, middle), before, first, lost)?;
            halve(plugin, &records.slice(middle, second.len()), behind, second, lost)
        }
    }
}

/// Predicts records one by one, after they ended a process together.
fn singly(
    plugin: &Plugin,
    records: &RecordBatch,
    originals: &[Size],
    answers: &mut [Option<Answer>],
    lost: &mut Lost,
) -> Result<(), ScoreError> {
    for (row, answer) in answers.chunks_mut(1).enumerate() {
        let original = originals.get(row..=row).unwrap_or_default();
        match attempt(plugin, &records.slice(row, 1), original, answer) {
            Ok(()) => lost.in_a_row = 0,
            Err(PredictError { kind: PredictErrorKind::Ended(ended), .. }) => {
                answer[0] = Some(Answer::Refused { field: None, reason: ended.to_string() });
                lost.add(&ended)?;
            }
            Err(PredictError {
                kind: kind @ (PredictErrorKind::Call(_) | PredictErrorKind::Answer(_)),
                ..
            }) => {
                lost.in_a_row = 0;
                answer[0] = Some(Answer::Refused { field: None, reason: kind.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn attempt(
    plugin: &Plugin,
    records: &RecordBatch,
    originals: &[Size],
    answers: &mut [Option<Answer>],
) -> Result<(), PredictError> {
    let predictions = plugin.predict(records)?;
    outcome::read(plugin.manifest(), predictions.columns(), originals, answers);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_refused_is_done_in_pieces() {
        let pieces = |refused: &[usize], rows, rows_max| {
            let refusal = |row: &usize| Refusal { row: *row, field: String::new(), reason: String::new() };
            let refusals: Vec<_> = refused.iter().map(refusal).collect();
            allowed(&refusals, rows, rows_max).collect::<Vec<_>>()
        };
        assert_eq!(pieces(&[], 0, 4), []);
        assert_eq!(pieces(&[], 9, 4), [0..4, 4..8, 8..9]);
        assert_eq!(pieces(&[0, 3, 4, 9], 10, 4), [1..3, 5..9]);
        assert_eq!(pieces(&[2], 9, 5), [0..2, 3..8, 8..9]);
        assert_eq!(pieces(&[0], 1, 5), []);
    }
}
