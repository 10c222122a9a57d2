//! Values that a manifest does not allow, found before a plugin sees them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ListArray, RecordBatch};
use arrow_schema::DataType;

use crate::manifest::{Input, Manifest};

/// A record that must not be predicted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Row of the batch.
    pub row: usize,
    /// Input field at fault, or empty when the record as a whole is.
    pub field: String,
    /// What was expected, and what was found.
    pub reason: String,
}

/// Every record of a batch that breaks the manifest's ranges, allowed values or required fields, in row order, each with its
/// first fault.
///
/// The batch has the columns of [`Manifest::records_schema`]. Columns without faults cost one pass over their values.
pub fn check(manifest: &Manifest, records: &RecordBatch) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for (input, column) in manifest.inputs.iter().zip(records.columns()) {
        let refuse = |row, reason| Refusal { row, field: input.name.clone(), reason };
        if input.required && column.null_count() > 0 {
            let missing = (0..column.len()).filter(|&row| column.is_null(row));
            refusals.extend(missing.map(|row| refuse(row, "is required, and there is none".to_owned())));
        }
        refusals.extend(faults(input, column.as_ref()).into_iter().map(|(row, reason)| refuse(row, reason)));
    }
    refusals.sort_by_key(|refusal| refusal.row);
    refusals.dedup_by_key(|refusal| refusal.row);
    refusals
}

/// Rows of a column with a value out of bounds, and why.
fn faults(input: &Input, column: &dyn Array) -> Vec<(usize, String)> {
    match column.as_list_opt::<i32>() {
        Some(lists) => faults_of_items(input, lists),
        None => faults_of_values(input, column),
    }
}

/// As [`faults`], of a column of lists: the first item of each list that is out of bounds.
fn faults_of_items(input: &Input, lists: &ListArray) -> Vec<(usize, String)> {
    let offsets = lists.offsets();
    let mut faults: Vec<(usize, String)> = Vec::new();
    for (place, reason) in faults_of_values(input, lists.values().as_ref()) {
        // The row whose list begins last, at this item or before it. An item before the first list or behind the last one is of a row
        // that is not in this batch.
        let begun = offsets.partition_point(|&start| start as usize <= place);
        let Some(row) = begun.checked_sub(1).filter(|row| *row < lists.len() && lists.is_valid(*row)) else {
            continue;
        };
        if faults.last().is_none_or(|(last, _)| *last != row) {
            faults.push((row, format!("item {} {reason}", place - offsets[row] as usize + 1)));
        }
    }
    faults
}

/// As [`faults`], of a column of numbers or texts.
fn faults_of_values(input: &Input, column: &dyn Array) -> Vec<(usize, String)> {
    let (minimum, maximum) =
        (input.minimum.unwrap_or(f64::NEG_INFINITY), input.maximum.unwrap_or(f64::INFINITY));
    let number = |row: usize, value: f64| {
        if !value.is_finite() {
            Some((row, format!("is {value}; expected a finite number")))
        } else if value < minimum || value > maximum {
            Some((row, format!("is {value}; expected {minimum} to {maximum}")))
        } else {
            None
        }
    };
    let present = |row: &usize| column.is_valid(*row);
    match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            if column.null_count() == 0
                && values.iter().all(|value| *value >= minimum && *value <= maximum && value.is_finite())
            {
                return Vec::new();
            }
            (0..values.len()).filter(present).filter_map(|row| number(row, values[row])).collect()
        }
        DataType::Int64 if input.minimum.is_some() || input.maximum.is_some() => {
            let values = column.as_primitive::<Int64Type>().values();
            (0..values.len()).filter(present).filter_map(|row| number(row, values[row] as f64)).collect()
        }
        DataType::Utf8 if !input.allowed.is_empty() => {
            let values = column.as_string::<i32>();
            let allowed = &input.allowed;
            let known = |row: &usize| allowed.iter().any(|allowed| allowed == values.value(*row));
            let expected = allowed.join(", ");
            (0..values.len())
                .filter(present)
                .filter(|row| !known(row))
                .map(|row| {
                    (
                        row,
                        format!(
                            "is not one of the values that the plugin knows; expected one of: {expected}"
                        ),
                    )
                })
                .collect()
        }
        _ => Vec::new(),
    }
}
