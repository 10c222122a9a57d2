//! Lists whose items are all there, made of lists whose items may be missing.
//!
//! Whoever reads payloads and goes on after what does not fit, as [`decode`](super::decode) does, needs a place for an item that does
//! not fit: a null. A model must not see a list with a hole in it, so such a list becomes null as a whole.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::filter::filter;

/// The same fields, but the items of lists may be null.
pub(super) fn with_holes(schema: &Schema) -> SchemaRef {
    let open = |field: &FieldRef| match field.data_type() {
        DataType::List(item) => {
            let item = Arc::new(item.as_ref().clone().with_nullable(true));
            Arc::new(field.as_ref().clone().with_data_type(DataType::List(item)))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(open).collect::<Vec<_>>()))
}

/// The columns of `schema`, made of those of [`with_holes`]: a list with a null in it is null.
pub(super) fn without_holes(columns: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let closed =
        columns.columns().iter().zip(schema.fields()).map(|(column, field)| match field.data_type() {
            DataType::List(item) => close(column.as_list(), item),
            _ => Ok(Arc::clone(column)),
        });
    let options = RecordBatchOptions::new().with_row_count(Some(columns.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), closed.collect::<Result<_, _>>()?, &options)
}

/// The place, in the list of a row, of its first item that is null; nothing for what is no list.
pub(super) fn first_hole(column: &ArrayRef, row: usize) -> Option<usize> {
    let lists = column.as_list_opt::<i32>().filter(|lists| lists.is_valid(row))?;
    let items = lists.value(row);
    (0..items.len()).find(|place| items.is_null(*place))
}

fn close(lists: &ListArray, item: &Arc<Field>) -> Result<ArrayRef, ArrowError> {
    let values = lists.values();
    let ranges = || lists.offsets().windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
    let is_whole = |row: usize, range: std::ops::Range<usize>| {
        lists.is_valid(row) && range.into_iter().all(|place| values.is_valid(place))
    };
    let whole: Vec<bool> = ranges().enumerate().map(|(row, range)| is_whole(row, range)).collect();
    let mut kept = vec![false; values.len()];
    for (range, whole) in ranges().zip(&whole) {
        kept[range].fill(*whole);
    }
    let lengths = ranges().zip(&whole).map(|(range, whole)| if *whole { range.len() } else { 0 });
    let offsets = OffsetBuffer::from_lengths(lengths);
    let values = filter(values, &BooleanArray::from(kept))?;
    let nulls = NullBuffer::new(BooleanBuffer::from(whole));
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, Some(nulls))?))
}
