//! Predictions back. They change hands, and are taken over by `arrow-rs` after [`take`] has looked at everything that can be
//! looked at: a plugin may lie.

use arrow_array::cast::AsArray;
use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::{ArrayRef, StructArray, make_array};
use arrow_schema::DataType;
use foretell_abi::ArrowArray;
use thiserror::Error;

/// Rows that any column of an answer may have, and that it may skip; more is a wild length.
const PREDICTION_ROWS_MAX: usize = 1 << 30;

/// What is wrong with a prediction array.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BadAnswer {
    /// Released, or never filled.
    #[error("it returned no predictions, though it said it had succeeded")]
    Nothing,
    /// Not one row for each record.
    #[error("it returned {found} predictions for {expected} records; expected one for each")]
    Rows {
        /// Number of records.
        expected: usize,
        /// Number of predictions.
        found: i64,
    },
    /// Not the type stated at open.
    #[error("its predictions do not have the type that it stated: {0}")]
    Shape(String),
    /// Contents that Arrow does not allow, such as offsets that fall.
    #[error("its predictions are not valid Arrow data: {0}")]
    Contents(String),
}

/// Takes over a prediction array of type `expected` with `rows` rows. The array is released in any case.
pub(crate) fn take(answer: ArrowArray, expected: &DataType, rows: usize) -> Result<StructArray, BadAnswer> {
    if answer.release.is_none() {
        return Err(BadAnswer::Nothing);
    }
    let mut moved = answer;
    #[expect(unsafe_code, reason = "reads what a plugin made")]
    // SAFETY: both structs are the C Data Interface's `ArrowArray`, layout for layout. `from_raw` takes the original over and
    // leaves a released one behind; the copy is only looked at, while `owned` keeps what it points at alive.
    let (owned, answer) = unsafe {
        let copy = std::ptr::read(&raw const moved);
        (FFI_ArrowArray::from_raw((&raw mut moved).cast()), copy)
    };
    if answer.length < 0 || answer.length as usize != rows {
        return Err(BadAnswer::Rows { expected: rows, found: answer.length });
    }
    #[expect(unsafe_code, reason = "reads what a plugin made")]
    // SAFETY: pointers are looked at before they are followed.
    unsafe {
        inspect(&answer, expected, "predictions")?;
    }
    #[expect(unsafe_code, reason = "reads what a plugin made")]
    // SAFETY: the tree has the children and buffers of `expected`. That the buffers are as long as the length says can't
    // be checked from here; it is the part of the contract that only isolation can enforce.
    let data = unsafe { arrow_array::ffi::from_ffi_and_data_type(owned, expected.clone()) }
        .map_err(|error| BadAnswer::Contents(error.to_string()))?;
    data.validate_full().map_err(|error| BadAnswer::Contents(error.to_string()))?;
    // In a row that is null, columns may be null that no reader expects to be.
    if data.null_count() > 0 {
        return Err(BadAnswer::Contents(format!("{} of its predictions are null", data.null_count())));
    }
    let array: ArrayRef = make_array(data);
    Ok(array.as_struct().clone())
}

/// Checks that `array` has the children and buffers of `expected`.
///
/// # Safety
/// `array` and what it points at must be readable where not null, as the C Data Interface says.
#[expect(unsafe_code, reason = "reads what a plugin made")]
unsafe fn inspect(array: &ArrowArray, expected: &DataType, name: &str) -> Result<(), BadAnswer> {
    let wrong = |words: String| Err(BadAnswer::Shape(format!("`{name}` {words}")));
    let (buffers, children): (usize, Vec<(&str, &DataType)>) = match expected {
        DataType::Struct(fields) => {
            (1, fields.iter().map(|field| (field.name().as_str(), field.data_type())).collect())
        }
        DataType::List(item) => (2, vec![("item", item.data_type())]),
        DataType::FixedSizeList(item, _) => (1, vec![("item", item.data_type())]),
        DataType::Utf8 => (3, Vec::new()),
        _ => (2, Vec::new()),
    };
    // Below zero is above everything as `usize`.
    if [array.offset, array.length].into_iter().any(|rows| rows as usize > PREDICTION_ROWS_MAX) {
        return wrong(format!("has length {} and offset {}", array.length, array.offset));
    }
    if array.n_buffers != buffers as i64 || array.buffers.is_null() || !array.buffers.is_aligned() {
        return wrong(format!("has {} buffers; expected {buffers}", array.n_buffers));
    }
    let no_children = array.children.is_null() || !array.children.is_aligned();
    if array.n_children != children.len() as i64 || (no_children && !children.is_empty()) {
        return wrong(format!("has {} children; expected {}", array.n_children, children.len()));
    }
    let has_offsets = matches!(expected, DataType::Utf8 | DataType::List(_));
    for index in 1..buffers {
        // SAFETY: there are `n_buffers` pointers at `buffers`.
        if unsafe { *array.buffers.add(index) }.is_null() {
            if array.length > 0 {
                return wrong(format!("has {} rows and no buffer {index}", array.length));
            }
            if has_offsets && index == 1 {
                return wrong("has no offsets in buffer 1; without rows it has one, zero".to_owned());
            }
        }
    }
    if *expected == DataType::Utf8 {
        // SAFETY: there are three pointers, and this one is not null.
        let offsets = unsafe { *array.buffers.add(1) }.cast::<i32>();
        if !offsets.is_aligned() {
            return wrong("has offsets in buffer 1 that are not aligned to 4 bytes".to_owned());
        }
        // SAFETY: of so many rows there is one offset more. `arrow-rs` takes it for the length of the texts, whatever its sign.
        let end = unsafe { *offsets.add((array.length + array.offset) as usize) };
        if end < 0 {
            return wrong(format!("has texts that end at {end}"));
        }
    }
    for (index, (child_name, child_type)) in children.into_iter().enumerate() {
        // SAFETY: there are `n_children` pointers at `children`.
        let child = unsafe { *array.children.add(index) };
        if !child.is_aligned() {
            return wrong(format!("has no child `{child_name}`"));
        }
        // SAFETY: a child that is not null is a valid array, by the C Data Interface.
        let Some(child) = (unsafe { child.as_ref() }) else {
            return wrong(format!("has no child `{child_name}`"));
        };
        if matches!(expected, DataType::Struct(_)) && child.length < array.length + array.offset {
            return wrong(format!(
                "has {} rows, and its child `{child_name}` {}",
                array.length, child.length
            ));
        }
        // SAFETY: as for the parent.
        unsafe { inspect(child, child_type, child_name) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Array;
    use arrow_array::builder::{
        ArrayBuilder, Float32Builder, ListBuilder, StringBuilder, StructBuilder, TimestampMicrosecondBuilder,
    };
    use arrow_schema::{Field, Fields};
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::Task;

    /// Items and reasons of each record, with the scores 0, 1, 2 and so on.
    type Ranking = Vec<Vec<(String, Option<String>)>>;

    fn answer_of(task: Task, column: ArrayRef) -> StructArray {
        StructArray::new(task.prediction_fields(0), vec![column], None)
    }

    fn item_of(task: Task) -> Arc<Field> {
        match task.prediction_fields(0)[0].data_type() {
            DataType::List(item) => item.clone(),
            other => unreachable!("{task} answers {other}"),
        }
    }

    fn lists_of(task: Task, builders: Vec<Box<dyn ArrayBuilder>>) -> ListBuilder<StructBuilder> {
        let item = item_of(task);
        let DataType::Struct(fields) = item.data_type().clone() else { unreachable!("lists of structs") };
        ListBuilder::new(StructBuilder::new(fields, builders)).with_field(item)
    }

    fn ranking(records: &Ranking) -> StructArray {
        let builders: Vec<Box<dyn ArrayBuilder>> = vec![
            Box::new(StringBuilder::new()),
            Box::new(Float32Builder::new()),
            Box::new(StringBuilder::new()),
        ];
        let mut lists = lists_of(Task::Ranking, builders);
        for items in records {
            for (rank, (item, reason)) in items.iter().enumerate() {
                let values = lists.values();
                values.field_builder::<StringBuilder>(0).unwrap().append_value(item);
                values.field_builder::<Float32Builder>(1).unwrap().append_value(rank as f32);
                values.field_builder::<StringBuilder>(2).unwrap().append_option(reason.as_ref());
                values.append(true);
            }
            lists.append(true);
        }
        answer_of(Task::Ranking, Arc::new(lists.finish()))
    }

    fn forecast(records: &[Vec<(i64, Option<f32>)>]) -> StructArray {
        let builders: Vec<Box<dyn ArrayBuilder>> = vec![
            Box::new(TimestampMicrosecondBuilder::new()),
            Box::new(Float32Builder::new()),
            Box::new(Float32Builder::new()),
            Box::new(Float32Builder::new()),
        ];
        let mut lists = lists_of(Task::Forecast, builders);
        for steps in records {
            for &(time, low) in steps {
                let values = lists.values();
                values.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_value(time);
                values.field_builder::<Float32Builder>(1).unwrap().append_value(time as f32);
                values.field_builder::<Float32Builder>(2).unwrap().append_option(low);
                values.field_builder::<Float32Builder>(3).unwrap().append_option(low.map(|low| low + 1.0));
                values.append(true);
            }
            lists.append(true);
        }
        answer_of(Task::Forecast, Arc::new(lists.finish()))
    }

    /// The array as a plugin hands it over.
    #[expect(unsafe_code, reason = "the two structs are the same, layout for layout")]
    fn handed_over(array: &StructArray) -> ArrowArray {
        // SAFETY: both are the C Data Interface's `ArrowArray`; the copy is the only one that is used from here on.
        unsafe { std::mem::transmute::<FFI_ArrowArray, ArrowArray>(FFI_ArrowArray::new(&array.to_data())) }
    }

    fn taken(array: &StructArray) -> Result<StructArray, BadAnswer> {
        take(handed_over(array), array.data_type(), array.len())
    }

    proptest! {
        #[test]
        fn any_ranking_is_taken_as_it_was(
            records in proptest::collection::vec(
                proptest::collection::vec((".{0,6}", proptest::option::of(".{0,6}")), 0..5),
                0..8,
            ),
        ) {
            let array = ranking(&records);
            prop_assert_eq!(&taken(&array).unwrap(), &array);
            // A part of a longer array, as a plugin that slices would hand it over.
            let part = array.slice(array.len() / 3, array.len() / 2);
            prop_assert_eq!(&taken(&part).unwrap(), &part);
        }

        #[test]
        fn any_forecast_is_taken_as_it_was(
            records in proptest::collection::vec(
                proptest::collection::vec((any::<i64>(), proptest::option::of(-1e3..1e3f32)), 0..5),
                0..8,
            ),
        ) {
            let array = forecast(&records);
            prop_assert_eq!(&taken(&array).unwrap(), &array);
        }
    }

    /// Values and texts without a row need no memory, and in C they often have none. Offsets always have one more than rows.
    #[test]
    #[expect(unsafe_code, reason = "takes away what a plugin in C would not have made")]
    fn a_list_column_without_an_item_is_taken() {
        for array in [ranking(&vec![Vec::new(); 4]), forecast(&vec![Vec::new(); 4])] {
            assert_eq!(taken(&array).unwrap(), array);
            for first in [2, 1] {
                let handed = handed_over(&array);
                let mut has_texts = false;
                // SAFETY: predictions -> lists -> items -> columns, whose buffers nobody reads, as they have no row.
                unsafe {
                    let items = &**(**handed.children).children;
                    assert_eq!(items.length, 0);
                    for index in 0..items.n_children as usize {
                        let column = &**items.children.add(index);
                        has_texts |= column.n_buffers == 3;
                        let keep = if column.n_buffers == 3 { first } else { 1 };
                        for buffer in keep..column.n_buffers as usize {
                            *column.buffers.add(buffer) = std::ptr::null();
                        }
                    }
                }
                let answer = take(handed, array.data_type(), 4);
                if has_texts && first == 1 {
                    let words = "`item` has no offsets in buffer 1; without rows it has one, zero";
                    assert_eq!(answer.unwrap_err(), BadAnswer::Shape(words.to_owned()));
                } else {
                    assert_eq!(answer.unwrap(), array);
                }
            }
        }
    }

    /// What Arrow does not allow, made by changing a good answer in its buffers.
    #[test]
    #[expect(unsafe_code, reason = "lies as a plugin would")]
    fn lists_that_lie_are_refused() {
        let array = ranking(&vec![vec![("tea".to_owned(), None), ("milk".to_owned(), None)]; 3]);
        let offsets: [(&[i32], &str); 4] = [
            (&[0, 2, 4, 7], "beyond the items"),
            (&[0, 4, 2, 6], "falling"),
            (&[-2, 2, 4, 6], "below zero"),
            (&[0, i32::MAX, i32::MAX, i32::MAX], "wild"),
        ];
        for (offsets, what) in offsets {
            let handed = handed_over(&array);
            // SAFETY: the first child is the list, and its second buffer the offsets, which `offsets` outlives.
            unsafe { *(**handed.children).buffers.add(1) = offsets.as_ptr().cast() };
            let refused = take(handed, array.data_type(), 3);
            assert!(matches!(refused, Err(BadAnswer::Contents(_))), "{what}: {refused:?}");
        }
        let handed = handed_over(&array);
        // SAFETY: as above; a null item is told by a bitmap in the first buffer of the first column of the items.
        unsafe {
            let items = &**(**handed.children).children;
            *(**items.children).buffers = [0u8].as_ptr().cast();
            (**items.children).null_count = 6;
        }
        let refused = take(handed, array.data_type(), 3);
        assert!(matches!(refused, Err(BadAnswer::Contents(_))), "an item that is null: {refused:?}");
    }

    /// `arrow-rs` would take the last offset for the length of the texts, whatever its sign, and read it wherever it lies.
    #[test]
    #[expect(unsafe_code, reason = "lies as a plugin would")]
    fn texts_that_lie_are_refused() {
        let array = ranking(&vec![vec![("tea".to_owned(), None)]; 2]);
        let moved = [[0u8; 4], [0; 4], [3, 0, 0, 0], [6, 0, 0, 0]].concat();
        let ends: [(*const u8, &str); 2] = [
            ([0i32, 3, -6].as_ptr().cast(), "`item` has texts that end at -6"),
            (moved[1..].as_ptr(), "`item` has offsets in buffer 1 that are not aligned to 4 bytes"),
        ];
        for (offsets, words) in ends {
            let handed = handed_over(&array);
            // SAFETY: predictions -> lists -> items -> the first column, whose second buffer are the offsets.
            unsafe { *(**(**(**handed.children).children).children).buffers.add(1) = offsets.cast() };
            let refused = take(handed, array.data_type(), 2).unwrap_err();
            assert_eq!(refused, BadAnswer::Shape(words.to_owned()));
        }
    }

    /// A prediction that is null, whose columns are null as well, would be read as whatever stands there.
    #[test]
    fn predictions_that_are_null_are_refused() {
        let column: ArrayRef = Arc::new(arrow_array::Float32Array::from(vec![Some(1.0), None]));
        let nulls = arrow_buffer::NullBuffer::from(vec![true, false]);
        let array = StructArray::new(Task::Regression.prediction_fields(0), vec![column], Some(nulls));
        let refused = take(handed_over(&array), array.data_type(), 2).unwrap_err();
        assert_eq!(refused, BadAnswer::Contents("1 of its predictions are null".to_owned()));
    }

    /// Pointers that no pointer can be. The fuzzing targets look at all of them; what is not aligned is not followed.
    #[test]
    fn pointers_that_are_not_aligned_are_refused() {
        let array = ranking(&vec![vec![("tea".to_owned(), None)]; 2]);
        let lies: [fn(&mut ArrowArray); 2] = [
            |array| array.buffers = array.buffers.wrapping_byte_add(1),
            |array| array.children = array.children.wrapping_byte_add(1),
        ];
        for lie in lies {
            let mut handed = handed_over(&array);
            lie(&mut handed);
            let refused = take(handed, array.data_type(), 2);
            assert!(matches!(refused, Err(BadAnswer::Shape(_))), "{refused:?}");
        }
    }

    /// Lengths and offsets that no memory holds, and whose sum no number holds.
    #[test]
    #[expect(unsafe_code, reason = "lies as a plugin would")]
    fn wild_offsets_are_refused() {
        let array = ranking(&vec![Vec::new(); 2]);
        for offset in [i64::MAX, i64::MAX - 1, PREDICTION_ROWS_MAX as i64 + 1, -1, i64::MIN] {
            let words = |name: &str| format!("`{name}` has length 2 and offset {offset}");
            let mut handed = handed_over(&array);
            handed.offset = offset;
            let refused = take(handed, array.data_type(), 2).unwrap_err();
            assert_eq!(refused, BadAnswer::Shape(words("predictions")));

            let handed = handed_over(&array);
            // SAFETY: the first child is the list.
            unsafe { (**handed.children).offset = offset };
            let refused = take(handed, array.data_type(), 2).unwrap_err();
            assert_eq!(refused, BadAnswer::Shape(words(array.fields()[0].name())));
        }
        let mut handed = handed_over(&array);
        handed.offset = PREDICTION_ROWS_MAX as i64;
        let refused = take(handed, array.data_type(), 2).unwrap_err();
        let words = format!("`predictions` has 2 rows, and its child `{}` 2", array.fields()[0].name());
        assert_eq!(refused, BadAnswer::Shape(words));
    }

    #[test]
    fn an_answer_that_was_never_filled_is_refused() {
        let expected = DataType::Struct(Fields::empty());
        assert_eq!(take(ArrowArray::empty(), &expected, 1).unwrap_err(), BadAnswer::Nothing);
    }
}
