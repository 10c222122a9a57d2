//! The labels of some records, each with the time at which it became known.

use std::fmt::Write;

use sqlx::{Row, SqliteConnection};

use super::chunk::{inconsistent, integers};
use super::series::Cell;
use super::{FieldKind, HistoryErrorKind};
use crate::fault::ReadContext;
use crate::time::Micros;

/// Ids that may lie between two records that are read in one sweep of the index: passing over the labels of a few
/// others is cheaper than seeking anew.
const ID_GAP_MAX: i64 = 8;

/// The labels of records whose ids lie in any of the ranges in ?1 (an object of first id to last id), in the order of
/// (record id, known at, label id). That is the order of the ranges and of the index that is named, so there is no
/// `ORDER BY`, for which SQLite would sort them once more; what can be seen of the order is checked on reading.
///
/// Numbers are written with 17 digits, which gives a double back exactly where SQLite does the arithmetic exactly: sizes
/// of 1e-60 to 1e60. Beyond, the last bit may differ, alike for everybody. Texts are JSON, so that each is on one line.
const LABELS: &str = "
SELECT group_concat(record_id, ' '), group_concat(known_at, ' '), group_concat(value, char(10))
FROM (
    SELECT l.record_id, l.known_at,
        CASE typeof(l.value)
            WHEN 'integer' THEN l.value
            WHEN 'real' THEN printf('%!.17g', l.value)
            ELSE json_quote(CAST(l.value AS TEXT))
        END AS value
    FROM json_each(?1) AS range
    CROSS JOIN label AS l INDEXED BY label_record
        ON l.record_id BETWEEN CAST(range.key AS INTEGER) AND range.value AND l.name = ?2
    WHERE l.id <= ?3
)";

/// The value of a label as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Real(f64),
    Text(Box<str>),
}

impl Value {
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            return serde_json::from_str(text).ok().map(Self::Text);
        }
        text.parse().map(Self::Integer).or_else(|_| text.parse().map(Self::Real)).ok()
    }

    /// The value as a field of this kind; null if it is of another.
    pub(super) fn cell(&self, kind: FieldKind) -> Cell<'_> {
        match (kind, self) {
            (FieldKind::Bool, Self::Integer(value @ (0 | 1))) => Cell::Bit(*value == 1),
            (FieldKind::Int64 | FieldKind::Timestamp, Self::Integer(value)) => {
                Cell::Word(value.cast_unsigned())
            }
            (FieldKind::Float64, Self::Integer(value)) => Cell::Word((*value as f64).to_bits()),
            (FieldKind::Float64, Self::Real(value)) => Cell::Word(value.to_bits()),
            (FieldKind::Utf8, Self::Text(text)) => Cell::Text(text),
            _ => Cell::Null,
        }
    }
}

/// The labels of one name of the records of a chunk.
#[derive(Debug)]
pub(super) struct Labels {
    /// For each record, where its labels begin and end.
    spans: Vec<(usize, usize)>,
    known_at: Vec<Micros>,
    values: Vec<Value>,
}

impl Labels {
    /// The labels of the record at `row`, in the order in which they overrule each other.
    pub(super) fn of(&self, row: usize) -> impl Iterator<Item = (Micros, &Value)> {
        let (start, end) = self.spans[row];
        self.known_at[start..end].iter().copied().zip(&self.values[start..end])
    }

    /// No labels for so many records.
    pub(super) fn none(rows: usize) -> Self {
        Self { spans: vec![(0, 0); rows], known_at: Vec::new(), values: Vec::new() }
    }

    /// Reads the labels `name` with ids up to `watermark` of the records `ids`, which may be in any order.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        name: &str,
        ids: &[i64],
        watermark: i64,
    ) -> Result<Self, HistoryErrorKind> {
        let mut rows: Vec<usize> = (0..ids.len()).collect();
        rows.sort_unstable_by_key(|&row| ids[row]); // one comparison each when sorted already
        let found = sqlx::query(LABELS)
            .bind(ranges(rows.iter().map(|&row| ids[row])))
            .bind(name)
            .bind(watermark)
            .fetch_one(connection)
            .await
            .while_reading(|| format!("labels `{name}`"))?;
        let text =
            |column| found.try_get::<Option<&str>, _>(column).while_reading(|| format!("labels `{name}`"));
        match (text(0)?, text(1)?, text(2)?) {
            (Some(record_ids), Some(known_at), Some(values)) => {
                Self::place(ids, &rows, &integers(record_ids)?, &integers(known_at)?, values)
            }
            _ => Ok(Self::none(ids.len())),
        }
    }

    /// Gives each label to its record. `rows` are the rows in the order of their ids, which is that of the labels.
    fn place(
        ids: &[i64],
        rows: &[usize],
        record_ids: &[i64],
        known_at: &[Micros],
        values: &str,
    ) -> Result<Self, HistoryErrorKind> {
        let order = || record_ids.iter().zip(known_at);
        if record_ids.len() != known_at.len() || !order().is_sorted() {
            return Err(inconsistent(ids, "labels are not in the order of record and time"));
        }
        let mut labels = Self::none(ids.len());
        labels.known_at.reserve(known_at.len());
        labels.values.reserve(known_at.len());
        let mut rows = rows.iter().copied().peekable();
        let mut lines = values.split('\n');
        for (&record_id, &known_at) in record_ids.iter().zip(known_at) {
            let value = lines.next().and_then(Value::parse);
            let value = value.ok_or_else(|| inconsistent(ids, "the value of a label cannot be read"))?;
            while rows.next_if(|&row| ids[row] < record_id).is_some() {}
            // Otherwise the label belongs to another record, in a gap.
            if let Some(&row) = rows.peek().filter(|&&row| ids[row] == record_id) {
                if labels.spans[row] == (0, 0) {
                    labels.spans[row].0 = labels.values.len();
                }
                labels.known_at.push(known_at);
                labels.values.push(value);
                labels.spans[row].1 = labels.values.len();
            }
        }
        match lines.next() {
            None => Ok(labels),
            Some(_) => Err(inconsistent(ids, "there are more values than labels")),
        }
    }
}

/// Ascending ids as an object of first id to last id: `{"1":4096}` for the usual case that there is no gap.
fn ranges(ids: impl Iterator<Item = i64>) -> String {
    let mut ids = ids.peekable();
    let mut json = String::from("{");
    while let Some(first) = ids.next() {
        let mut last = first;
        while let Some(next) = ids.next_if(|&next| next - last <= ID_GAP_MAX) {
            last = next;
        }
        let comma = if json.len() > 1 { "," } else { "" };
        write!(json, "{comma}\"{first}\":{last}").expect("writing to a string cannot fail");
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_close_together_make_one_range() {
        let cases: [(&[i64], &str); 4] = [
            (&[], "{}"),
            (&[7], r#"{"7":7}"#),
            (&[1, 2, 3, 11], r#"{"1":11}"#),
            (&[1, 10, 20, 21], r#"{"1":1,"10":10,"20":21}"#),
        ];
        for (ids, expected) in cases {
            assert_eq!(ranges(ids.iter().copied()), expected);
        }
    }

    #[test]
    fn labels_find_their_records_in_any_order() {
        let ids = [30, 10, 20];
        let labels =
            Labels::place(&ids, &[1, 2, 0], &[10, 15, 30, 30], &[5, 6, 7, 8], "1\n1\n\"a\\nb\"\n0.5")
                .unwrap();
        let of = |row| labels.of(row).map(|(known_at, value)| (known_at, value.clone())).collect::<Vec<_>>();
        assert_eq!(of(0), [(7, Value::Text("a\nb".into())), (8, Value::Real(0.5))]);
        assert_eq!(of(1), [(5, Value::Integer(1))]);
        assert_eq!(of(2), []);
    }

    #[test]
    fn a_value_of_another_kind_is_null() {
        let cases = [
            (FieldKind::Bool, Value::Integer(2)),
            (FieldKind::Bool, Value::Real(1.0)),
            (FieldKind::Int64, Value::Real(1.0)),
            (FieldKind::Float64, Value::Text("1".into())),
            (FieldKind::Utf8, Value::Integer(1)),
        ];
        for (kind, value) in cases {
            assert_eq!(value.cell(kind), Cell::Null, "{kind:?} {value:?}");
        }
    }
}
