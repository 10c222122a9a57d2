//! Records as they come out of the database: many in one row of one statement.
//!
//! A row costs far more than the text in it, so a statement returns a single row whose columns are the ids, the event
//! times and the payloads of many records, joined. The payloads are then newline-delimited JSON as they stand. That the
//! columns belong together is checked on reading: equally many, and in the order that was asked for.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
};
use arrow_select::filter::filter_record_batch;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::HistoryErrorKind;
use super::decode::{Decoded, Decoder, expected};
use super::label::Labels;
use super::past::Feed;
use super::plan::{Column, From, Key, Plan};
use crate::fault::ReadContext;
use crate::record::Reject;
use crate::time::Micros;

/// Digits of a whole number that cannot exceed 64 bits.
const DIGITS_MAX: usize = 18;

/// Records whose payloads are still text.
#[derive(Debug)]
pub(super) struct RawChunk {
    pub(super) ids: Vec<i64>,
    pub(super) times: Vec<Micros>,
    /// One JSON object on each line; nothing if payloads were not asked for.
    pub(super) payloads: String,
    pub(super) labels: Vec<Labels>,
}

impl RawChunk {
    /// Takes ids, event times and payloads, in the order of (event time, id), from the first three columns of a row;
    /// `None` if there are no records.
    pub(super) fn from_row(row: &SqliteRow) -> Result<Option<Self>, HistoryErrorKind> {
        let text = |column| row.try_get::<Option<&str>, _>(column).while_reading(|| "records".to_owned());
        let (Some(ids), Some(times)) = (text(0)?, text(1)?) else { return Ok(None) };
        let (ids, times) = (integers(ids)?, integers(times)?);
        let chunk =
            Self { ids, times, payloads: text(2)?.unwrap_or_default().to_owned(), labels: Vec::new() };
        let order = || chunk.times.iter().zip(&chunk.ids);
        if chunk.times.len() != chunk.ids.len() || !order().is_sorted_by(|a, b| a < b) {
            return Err(inconsistent(&chunk.ids, "they are not in the order of event time and id"));
        }
        Ok(Some(chunk))
    }

    pub(super) fn decode(self, decoder: &mut Decoder) -> Result<Chunk, HistoryErrorKind> {
        let decoded = decoder.decode(&self.payloads, &self.ids)?;
        Ok(Chunk { ids: self.ids, times: self.times, decoded, labels: self.labels })
    }

    /// For events of which no more than time and labels is wanted.
    pub(super) fn without_payload(self) -> Chunk {
        let decoded = Decoded::without_columns(self.ids.len());
        Chunk { ids: self.ids, times: self.times, decoded, labels: self.labels }
    }
}

/// Records in columns. The same index in each is the same record.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) ids: Vec<i64>,
    pub(super) times: Vec<Micros>,
    pub(super) decoded: Decoded,
    /// One for each of [`Plan::labels`].
    pub(super) labels: Vec<Labels>,
}

impl Chunk {
    /// What a past keeps of these records, one for each of [`Key::fields`].
    pub(super) fn feeds(&self, key: &Key) -> Vec<Feed<'_>> {
        key.fields
            .iter()
            .map(|source| match source.from {
                From::Payload(column) => Feed::new(self.decoded.columns.column(column)),
                From::Label(label) => Feed::Labels(&self.labels[label]),
            })
            .collect()
    }

    /// The value of a key, if the record has one.
    pub(super) fn key(&self, key: &Key, row: usize) -> Option<&str> {
        let values = self.decoded.columns.column(key.column).as_string::<i32>();
        values.is_valid(row).then(|| values.value(row))
    }

    /// Why the record at `row` cannot go to a model: a value that does not fit its field, or none where one is required.
    pub(super) fn misfit(&self, plan: &Plan, row: usize) -> Option<Reject> {
        let inputs = || plan.inputs.fields().iter().zip(&plan.columns);
        let payload = |column: &Column| match column {
            Column::EventTime => None,
            Column::Payload(column) => Some(*column),
        };
        let fault = self.decoded.faults_of(row).find(|fault| {
            fault.column.is_none_or(|column| inputs().any(|(_, input)| payload(input) == Some(column)))
        });
        let (field, reason) = match fault {
            Some(fault) => {
                let field = fault.column.map(|column| plan.payload.field(column).name().clone());
                (field, fault.reason.clone())
            }
            None => {
                let missing = |column: usize| self.decoded.columns.column(column).is_null(row);
                let (field, _) = inputs()
                    .find(|(field, input)| !field.is_nullable() && payload(input).is_some_and(missing))?;
                (
                    Some(field.name().clone()),
                    format!("expected {}, found nothing", expected(field.data_type())),
                )
            }
        };
        Some(Reject { record_id: Some(self.ids[row]), field, reason, ..Reject::default() })
    }

    /// The input fields of the records marked in `kept`.
    pub(super) fn records(&self, plan: &Plan, kept: Vec<bool>) -> RecordBatch {
        let columns: Vec<ArrayRef> = plan
            .columns
            .iter()
            .map(|column| match column {
                Column::EventTime => Arc::new(TimestampMicrosecondArray::from(self.times.clone())),
                Column::Payload(column) => Arc::clone(self.decoded.columns.column(*column)),
            })
            .collect();
        // Required fields may still have nulls, in records that are not kept.
        let nullable = plan.inputs.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let nullable = Arc::new(arrow_schema::Schema::new(nullable.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.ids.len()));
        let all = RecordBatch::try_new_with_options(nullable, columns, &options)
            .expect("the columns were decoded with the types of the input fields");
        let all_kept = kept.iter().all(|kept| *kept);
        let kept = match all_kept {
            true => all,
            false => {
                filter_record_batch(&all, &BooleanArray::from(kept)).expect("there is a mark for each record")
            }
        };
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&plan.inputs), kept.columns().to_vec(), &options)
            .expect("records that miss a required field are not kept")
    }
}

/// Whole numbers, joined with blanks.
pub(super) fn integers(text: &str) -> Result<Vec<i64>, HistoryErrorKind> {
    text.as_bytes()
        .split(|byte| *byte == b' ')
        .map(integer)
        .collect::<Option<_>>()
        .ok_or_else(|| inconsistent(&[], "expected whole numbers, joined with blanks"))
}

/// As `str::parse`, at half the price for the numbers that there are most of.
fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let number = digits.iter().fold(0, |number, digit| 10 * number + i64::from(digit - b'0'));
    Some(if digits.len() < text.len() { -number } else { number })
}

pub(super) fn inconsistent(ids: &[i64], reason: impl Into<String>) -> HistoryErrorKind {
    HistoryErrorKind::Inconsistent {
        record_id: ids.first().copied().unwrap_or_default(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_like_any_others() {
        for number in [0, 7, -7, 999_999_999_999_999_999, -1_000_000_000_000_000_000, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for text in ["", "-", "+", "1.5", "9223372036854775808", "1 "] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(integers("1 -2 3").unwrap(), [1, -2, 3]);
        assert!(integers("1  2").is_err());
    }
}
