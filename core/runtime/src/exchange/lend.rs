//! Records to the plugin.
//!
//! `arrow-rs` exports a batch in 11 to 18 microseconds whatever its size, because each column becomes an owned object.
//! A call lends its records, so nothing needs to be owned: [`Lent`] points into the columns where they are, at a few
//! hundred nanoseconds for a batch.

use std::ffi::c_void;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};
use foretell_abi::ArrowArray;
use thiserror::Error;

/// A column type that this version does not send to plugins.
#[derive(Debug, Error)]
#[error(
    "column `{column}` is {found}, which does not cross to plugins; expected uint8, uint16, int32, int64, float32, float64, bool, utf8, timestamp in microseconds, or a list or struct of these"
)]
pub struct UnsupportedColumn {
    /// Name of the column.
    pub column: String,
    /// Its type.
    pub found: DataType,
}

/// How many arrays and buffers a type takes, all levels counted.
fn size_of_type(column: &str, data_type: &DataType) -> Result<(usize, usize), UnsupportedColumn> {
    match data_type {
        DataType::Boolean
        | DataType::UInt8
        | DataType::UInt16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Timestamp(TimeUnit::Microsecond, None) => Ok((1, 2)),
        DataType::Utf8 => Ok((1, 3)),
        DataType::List(item) => {
            let (arrays, buffers) = size_of_type(column, item.data_type())?;
            Ok((arrays + 1, buffers + 2))
        }
        DataType::FixedSizeList(item, _) => {
            let (arrays, buffers) = size_of_type(column, item.data_type())?;
            Ok((arrays + 1, buffers + 1))
        }
        DataType::Struct(fields) => fields.iter().try_fold((1, 1), |(arrays, buffers), field| {
            let (more_arrays, more_buffers) = size_of_type(column, field.data_type())?;
            Ok((arrays + more_arrays, buffers + more_buffers))
        }),
        _ => Err(UnsupportedColumn { column: column.to_owned(), found: data_type.clone() }),
    }
}

/// How much room [`Lent`] needs for batches of one schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    arrays: usize,
    buffers: usize,
}

impl Room {
    /// Measures a schema; an error names the column that can't cross.
    pub(crate) fn of(schema: &arrow_schema::Schema) -> Result<Self, UnsupportedColumn> {
        schema.fields().iter().try_fold(Self { arrays: 1, buffers: 1 }, |room, field| {
            let (arrays, buffers) = size_of_type(field.name(), field.data_type())?;
            Ok(Self { arrays: room.arrays + arrays, buffers: room.buffers + buffers })
        })
    }
}

/// A batch as C structs that point into its columns.
///
/// **Invariant:** the vectors never grow beyond the room they were made with, so what points into them stays valid.
pub(crate) struct Lent<'a> {
    arrays: Vec<ArrowArray>,
    children: Vec<*mut ArrowArray>,
    buffers: Vec<*const c_void>,
    /// Bitmaps that had to be shifted to a byte boundary.
    shifted: Vec<Buffer>,
    batch: std::marker::PhantomData<&'a RecordBatch>,
}

impl<'a> Lent<'a> {
    /// Lends `batch`, whose schema `room` was measured from.
    pub(crate) fn new(batch: &'a RecordBatch, room: Room) -> Self {
        let mut lent = Self {
            arrays: Vec::with_capacity(room.arrays),
            children: Vec::with_capacity(room.arrays),
            buffers: Vec::with_capacity(room.buffers),
            shifted: Vec::new(),
            batch: std::marker::PhantomData,
        };
        let root = lent.reserve(batch.num_rows(), 0, batch.num_columns());
        lent.push_buffer(std::ptr::null());
        lent.seal_buffers(root, 1);
        for (index, column) in batch.columns().iter().enumerate() {
            let child = lent.lend(column.as_ref());
            lent.set_child(root, index, child);
        }
        lent
    }

    /// The batch as a struct array, valid as long as this and the batch live.
    pub(crate) fn as_ptr(&self) -> *const ArrowArray {
        self.arrays.as_ptr()
    }

    fn lend(&mut self, array: &dyn Array) -> usize {
        let rows = array.len();
        let nulls = array.null_count();
        match array.data_type() {
            DataType::Float64 => {
                self.leaf(array, array.as_primitive::<Float64Type>().values().as_ptr().cast())
            }
            DataType::Float32 => {
                self.leaf(array, array.as_primitive::<Float32Type>().values().as_ptr().cast())
            }
            DataType::Int64 => self.leaf(array, array.as_primitive::<Int64Type>().values().as_ptr().cast()),
            DataType::Int32 => self.leaf(array, array.as_primitive::<Int32Type>().values().as_ptr().cast()),
            DataType::UInt8 => self.leaf(array, array.as_primitive::<UInt8Type>().values().as_ptr().cast()),
            DataType::UInt16 => self.leaf(array, array.as_primitive::<UInt16Type>().values().as_ptr().cast()),
            DataType::Timestamp(..) => {
                self.leaf(array, array.as_primitive::<TimestampMicrosecondType>().values().as_ptr().cast())
            }
            DataType::Boolean => {
                let bits = self.bitmap(array.as_boolean().values());
                self.leaf(array, bits)
            }
            DataType::Utf8 => {
                let text = array.as_string::<i32>();
                let place = self.reserve(rows, nulls, 0);
                self.push_validity(array.nulls());
                self.push_buffer(text.offsets().as_ptr().cast());
                self.push_buffer(text.values().as_ptr().cast());
                self.seal_buffers(place, 3);
                place
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let place = self.reserve(rows, nulls, 1);
                self.push_validity(array.nulls());
                self.push_buffer(list.offsets().as_ptr().cast());
                self.seal_buffers(place, 2);
                let child = self.lend(list.values().as_ref());
                self.set_child(place, 0, child);
                place
            }
            DataType::FixedSizeList(_, length) => {
                let list = array.as_fixed_size_list();
                let place = self.reserve(rows, nulls, 1);
                self.push_validity(array.nulls());
                self.seal_buffers(place, 1);
                // A slice has the items of its rows alone.
                debug_assert_eq!(list.values().len(), rows * *length as usize);
                let child = self.lend(list.values().as_ref());
                self.set_child(place, 0, child);
                place
            }
            DataType::Struct(_) => {
                let columns = array.as_struct().columns();
                let place = self.reserve(rows, nulls, columns.len());
                self.push_validity(array.nulls());
                self.seal_buffers(place, 1);
                for (index, column) in columns.iter().enumerate() {
                    let child = self.lend(column.as_ref());
                    self.set_child(place, index, child);
                }
                place
            }
            other => unreachable!("`Room::of` refuses {other}"),
        }
    }

    fn leaf(&mut self, array: &dyn Array, values: *const c_void) -> usize {
        let place = self.reserve(array.len(), array.null_count(), 0);
        self.push_validity(array.nulls());
        self.push_buffer(values);
        self.seal_buffers(place, 2);
        place
    }

    /// Adds an array with room for its children, and returns its place.
    fn reserve(&mut self, rows: usize, nulls: usize, children: usize) -> usize {
        assert!(
            self.arrays.len() < self.arrays.capacity(),
            "the batch has the schema that the room was measured from"
        );
        let first = self.children.len();
        self.children.resize(first + children, std::ptr::null_mut());
        self.arrays.push(ArrowArray {
            length: rows as i64,
            null_count: nulls as i64,
            n_children: children as i64,
            children: self.children.as_mut_ptr().wrapping_add(first),
            release: Some(keep),
            ..ArrowArray::empty()
        });
        self.arrays.len() - 1
    }

    fn set_child(&mut self, parent: usize, index: usize, child: usize) {
        let child: *mut ArrowArray = self.arrays.as_mut_ptr().wrapping_add(child);
        let first = (self.arrays[parent].children as usize - self.children.as_ptr() as usize)
            / size_of::<*mut ArrowArray>();
        self.children[first + index] = child;
    }

    fn push_buffer(&mut self, pointer: *const c_void) {
        assert!(
            self.buffers.len() < self.buffers.capacity(),
            "the batch has the schema that the room was measured from"
        );
        self.buffers.push(pointer);
    }

    fn push_validity(&mut self, nulls: Option<&NullBuffer>) {
        let pointer = match nulls {
            Some(nulls) if nulls.null_count() > 0 => self.bitmap(nulls.inner()),
            _ => std::ptr::null(),
        };
        self.push_buffer(pointer);
    }

    /// Says that the last `count` buffers are those of the array at `place`.
    fn seal_buffers(&mut self, place: usize, count: usize) {
        let first = self.buffers.len() - count;
        self.arrays[place].n_buffers = count as i64;
        self.arrays[place].buffers = self.buffers.as_mut_ptr().wrapping_add(first);
    }

    /// A bitmap that begins at a byte, copied only where it does not.
    fn bitmap(&mut self, bits: &BooleanBuffer) -> *const c_void {
        if bits.offset().is_multiple_of(8) {
            return bits.inner().as_ptr().wrapping_add(bits.offset() / 8).cast();
        }
        let mut bytes = MutableBuffer::new_null(bits.len());
        for index in bits.set_indices() {
            bytes.as_slice_mut()[index / 8] |= 1 << (index % 8);
        }
        self.shifted.push(bytes.into());
        self.shifted.last().expect("just pushed").as_ptr().cast()
    }
}

/// Release of a lent array: the host keeps what it lent.
#[expect(unsafe_code, reason = "the C interface fixes the signature")]
unsafe extern "C" fn keep(_array: *mut ArrowArray) {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder};
    use arrow_array::ffi::FFI_ArrowArray;
    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StructArray, make_array};
    use arrow_schema::{Field, Schema};

    use super::*;

    /// Lends a batch, and reads it back through `arrow-rs`, which must see what was lent.
    #[expect(unsafe_code, reason = "reads the lent structs as a plugin would")]
    fn round_trip(batch: &RecordBatch) -> RecordBatch {
        let room = Room::of(&batch.schema()).unwrap();
        let lent = Lent::new(batch, room);
        let mut copy = ArrowArray { release: Some(keep), ..ArrowArray::empty() };
        // SAFETY: a bitwise copy of a lent array, whose release does nothing.
        let data = unsafe {
            std::ptr::copy_nonoverlapping(lent.as_ptr(), &raw mut copy, 1);
            let owned = FFI_ArrowArray::from_raw((&raw mut copy).cast());
            arrow_array::ffi::from_ffi_and_data_type(owned, DataType::Struct(batch.schema().fields().clone()))
                .unwrap()
        };
        let copied = StructArray::from(data);
        let columns = copied.columns().iter().map(|column| make_array(column.to_data())).collect();
        let seen = RecordBatch::try_new(batch.schema(), columns).unwrap();
        assert_eq!(&seen, batch);
        seen
    }

    fn batch() -> RecordBatch {
        let mut list = ListBuilder::new(Float64Builder::new());
        let mut text = StringBuilder::new();
        let mut texts = ListBuilder::new(StringBuilder::new());
        let mut integers = ListBuilder::new(Int64Builder::new());
        let mut flags = ListBuilder::new(BooleanBuilder::new());
        for row in 0..20 {
            integers.append_option((row != 3).then(|| (0..row as i64 % 5).map(Some)));
            flags.append_option((row != 11).then(|| (0..row).map(|item| Some(item % 3 == 1))));
            for item in 0..row % 3 {
                texts.values().append_value("y".repeat(item * row));
            }
            texts.append(row % 7 != 5);
            if row % 5 == 4 {
                text.append_null();
            } else {
                text.append_value("x".repeat(row));
            }
            for item in 0..row % 4 {
                list.values().append_value(item as f64);
            }
            list.append(row != 7);
        }
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("integer", Arc::new(Int64Array::from_iter((0..20).map(|row| (row % 3 != 0).then_some(row))))),
            ("float", Arc::new(Float64Array::from_iter_values((0..20).map(f64::from)))),
            (
                "flag",
                Arc::new(BooleanArray::from_iter((0..20).map(|row| (row % 6 != 0).then_some(row % 2 == 0)))),
            ),
            ("text", Arc::new(text.finish())),
            ("list", Arc::new(list.finish())),
            ("texts", Arc::new(texts.finish())),
            ("integers", Arc::new(integers.finish())),
            ("flags", Arc::new(flags.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    #[test]
    fn every_slice_arrives_as_it_was() {
        let batch = batch();
        for offset in 0..batch.num_rows() {
            for length in 0..=batch.num_rows() - offset {
                round_trip(&batch.slice(offset, length));
            }
        }
    }

    #[test]
    fn unknown_type_is_named() {
        let schema = Schema::new(vec![Field::new("picture", DataType::LargeBinary, false)]);
        assert!(Room::of(&schema).unwrap_err().to_string().starts_with("column `picture` is LargeBinary"));
    }

    #[test]
    fn lists_of_texts_without_an_item_arrive() {
        for is_there in [true, false] {
            let mut texts = ListBuilder::new(StringBuilder::new());
            texts.extend((0..3).map(|_| is_there.then(Vec::<Option<&str>>::new)));
            let column: ArrayRef = Arc::new(texts.finish());
            round_trip(&RecordBatch::try_from_iter_with_nullable([("texts", column, true)]).unwrap());
        }
    }
}
