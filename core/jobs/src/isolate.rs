//! Predictions for a batch in which some records may be poison.

use arrow_array::RecordBatch;
use foretell_runtime::check::check;
use foretell_runtime::plugin::{Plugin, PredictError, PredictErrorKind};

/// What came out for one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The score of a classification, or the value of a regression.
    Number(f32),
    /// Why there is none.
    Refused {
        /// Input field at fault, where one is.
        field: Option<String>,
        /// What was expected, and what was found.
        reason: String,
    },
}

impl Answer {
    fn refused(reason: String) -> Self {
        Self::Refused { field: None, reason }
    }
}

/// One answer for each record, in order.
///
/// Records that the manifest does not allow are refused before the plugin sees them. When the plugin fails, the batch is
/// halved until the records that make it fail stand alone. An error means that no record can be predicted: the batch has
/// other columns than the plugin asks for, or the work was cancelled.
pub(crate) fn predict(plugin: &Plugin, records: &RecordBatch) -> Result<Vec<Answer>, PredictError> {
    let mut answers = vec![None; records.num_rows()];
    for refusal in check(plugin.manifest(), records) {
        answers[refusal.row] = Some(Answer::Refused { field: Some(refusal.field), reason: refusal.reason });
    }
    let mut start = 0;
    while start < answers.len() {
        if answers[start].is_some() {
            start += 1;
            continue;
        }
        let allowed = answers[start..].iter().take(plugin.manifest().limits.rows_max);
        let rows = allowed.take_while(|answer| answer.is_none()).count();
        halve(plugin, &records.slice(start, rows), &mut answers[start..start + rows])?;
        start += rows;
    }
    Ok(answers.into_iter().map(|answer| answer.expect("each row is refused or predicted")).collect())
}

fn halve(plugin: &Plugin, records: &RecordBatch, answers: &mut [Option<Answer>]) -> Result<(), PredictError> {
    match plugin.predict(records) {
        Ok(predictions) => {
            let numbers = predictions.numbers().unwrap_or_default();
            for (answer, &number) in answers.iter_mut().zip(numbers) {
                *answer = Some(if number.is_finite() {
                    Answer::Number(number)
                } else {
                    Answer::refused(format!("the plugin answered {number}; expected a finite number"))
                });
            }
            Ok(())
        }
        Err(error) => match error.kind {
            PredictErrorKind::Cancelled | PredictErrorKind::Schema { .. } | PredictErrorKind::Rows { .. } => {
                Err(error)
            }
            PredictErrorKind::Call(_) | PredictErrorKind::Answer(_) if answers.len() == 1 => {
                answers[0] = Some(Answer::refused(error.kind.to_string()));
                Ok(())
            }
            PredictErrorKind::Call(_) | PredictErrorKind::Answer(_) => {
                let middle = answers.len() / 2;
                let (first, second) = answers.split_at_mut(middle);
                halve(plugin, &records.slice(0, middle), first)?;
                halve(plugin, &records.slice(middle, second.len()), second)
            }
        },
    }
}
