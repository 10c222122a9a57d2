//! Made-up card transactions with a past of the usual length, as plain slices and as the plugin takes them.
//!
//! Both look at the same memory, so that none of the two finds it in the processor's caches more often. Only the labels
//! differ: a byte each in plain slices, a bit each in Arrow.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Schema};
use foretell_plugin_fraud::features::{Customer, FEATURES, Terminal, features};

const HOUR: i64 = 3_600_000_000;
/// Monday, 1 October 2018, 09:30.
const NOW: i64 = 1_538_386_200_000_000;

/// Transactions, row by row.
#[derive(Debug)]
pub(super) struct Transactions {
    times: ScalarBuffer<i64>,
    amounts: ScalarBuffer<f64>,
    customers: Past<ScalarBuffer<f64>>,
    terminals: Past<Vec<bool>>,
}

/// Past events of all transactions, one after the other.
#[derive(Debug)]
struct Past<V> {
    /// Events of transaction `i` are `ends[i - 1]..ends[i]`.
    ends: Vec<usize>,
    times: ScalarBuffer<i64>,
    values: V,
}

impl<V> Past<V> {
    /// `length(row)` events for each row, `step` apart, the last one at `NOW - delay`, with a value for each.
    fn new<T>(
        rows: usize,
        length: impl Fn(usize) -> usize,
        step: i64,
        delay: i64,
        value: impl Fn(usize) -> T,
    ) -> Self
    where
        Vec<T>: Into<V>,
    {
        let (mut ends, mut times) = (Vec::new(), Vec::new());
        for row in 0..rows {
            times.extend((0..length(row)).rev().map(|age| NOW - delay - age as i64 * step));
            ends.push(times.len());
        }
        let values: Vec<T> = (0..times.len()).map(value).collect();
        Self { ends, times: times.into(), values: values.into() }
    }

    fn range(&self, row: usize) -> Range<usize> {
        row.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[row]
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        (0..self.ends.len()).map(|row| self.range(row).len())
    }
}

impl Transactions {
    /// `rows` transactions with 60 earlier ones of the customer in 30 days and 30 at the terminal, on average; as many
    /// as in the handbook's data. A single one has just these numbers.
    pub(super) fn new(rows: usize) -> Self {
        let around =
            |mean: usize, row: usize| if rows == 1 { mean } else { mean / 2 + row * 37 % (mean + 1) };
        let (customer, terminal) = (|row| around(60, row), |row| around(30, row));
        Self {
            times: (0..rows).map(|row| NOW + row as i64).collect::<Vec<_>>().into(),
            amounts: (0..rows).map(|row| 5.0 + (row % 90) as f64).collect::<Vec<_>>().into(),
            customers: Past::new(rows, customer, 8 * HOUR, HOUR, |event| 5.0 + (event % 83) as f64),
            terminals: Past::new(rows, terminal, 16 * HOUR, 7 * 24 * HOUR, |event| event % 41 == 0),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.times.len()
    }

    /// The features of all transactions, row by row: in plain Rust, from plain slices, with the plugin's own function.
    /// This is what somebody without foretell would write.
    pub(super) fn write_features(&self, into: &mut [f32]) {
        for (row, slots) in into.chunks_exact_mut(FEATURES).enumerate() {
            let past = self.customers.range(row);
            let customer = Customer {
                times: &self.customers.times[past.clone()],
                amounts: &self.customers.values[past],
            };
            let past = self.terminals.range(row);
            let known = &self.terminals.values[past.clone()];
            let terminal = Terminal {
                times: &self.terminals.times[past],
                frauds: |range: Range<usize>| range.filter(|&event| known[event]).count(),
            };
            let found = features(self.times[row], self.amounts[row], customer, terminal);
            for (slot, value) in slots.iter_mut().zip(found) {
                *slot = value as f32;
            }
        }
    }

    /// The same as Arrow columns of the plugin's schema.
    pub(super) fn to_batch(&self, schema: &Arc<Schema>) -> Result<RecordBatch, ArrowError> {
        let names = |prefix: &str| {
            StringArray::from_iter_values((0..self.rows()).map(|row| format!("{prefix}{row}")))
        };
        let columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| -> Result<ArrayRef, ArrowError> {
                Ok(match field.name().as_str() {
                    "event_time" => Arc::new(TimestampMicrosecondArray::new(self.times.clone(), None)),
                    "amount" => Arc::new(Float64Array::new(self.amounts.clone(), None)),
                    "customer_id" => Arc::new(names("c")),
                    "terminal_id" => Arc::new(names("t")),
                    "customer" => {
                        let amounts = Float64Array::new(self.customers.values.clone(), None);
                        list(&self.customers, field.data_type(), Arc::new(amounts))?
                    }
                    "terminal" => {
                        let frauds = BooleanArray::from(self.terminals.values.clone());
                        list(&self.terminals, field.data_type(), Arc::new(frauds))?
                    }
                    other => {
                        return Err(ArrowError::SchemaError(format!(
                            "the benchmark has no column `{other}`"
                        )));
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        RecordBatch::try_new(schema.clone(), columns)
    }
}

/// Past events as a list column of type `list`, whose items are the time and one more field.
fn list<T>(past: &Past<T>, list: &DataType, values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let (DataType::List(item), times) = (list, TimestampMicrosecondArray::new(past.times.clone(), None))
    else {
        return Err(ArrowError::SchemaError(format!("expected a list, found {list}")));
    };
    let DataType::Struct(fields) = item.data_type() else {
        return Err(ArrowError::SchemaError(format!("expected a list of structs, found {list}")));
    };
    let events = StructArray::try_new(fields.clone(), vec![Arc::new(times), values], None)?;
    let offsets = OffsetBuffer::from_lengths(past.lengths());
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, Arc::new(events), None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasts_have_the_usual_length() {
        let one = Transactions::new(1);
        assert_eq!((one.customers.times.len(), one.terminals.times.len()), (60, 30));
        let many = Transactions::new(1024);
        let mean = |past: usize| past as f64 / 1024.0;
        assert!((mean(many.customers.times.len()) - 60.0).abs() < 1.0);
        assert!((mean(many.terminals.times.len()) - 30.0).abs() < 1.0);
    }

    #[test]
    fn windows_hold_what_is_in_them() {
        let one = Transactions::new(1);
        let mut found = [0.0; FEATURES];
        one.write_features(&mut found);
        let counts = [3, 5, 7, 9, 11, 13].map(|index| found[index]);
        assert_eq!(counts, [4.0, 22.0, 61.0, 2.0, 11.0, 30.0], "customer with this one, terminal");
    }
}
