//! One list column of a batch in the making.
//!
//! The events of a window stand side by side in their [`Past`], so a list is appended with one copy for each field.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, ListArray, PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::past::Past;
use super::plan::{Key, List};
use super::series::{Bits, Series, Values};
use super::{FieldKind, HISTORY_ITEMS_MAX, HISTORY_TEXT_BYTES_MAX, list_item};
use crate::time::Micros;

/// How much a list column may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) items_max: usize,
    pub(super) text_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { items_max: HISTORY_ITEMS_MAX, text_bytes_max: HISTORY_TEXT_BYTES_MAX }
    }
}

/// Whether there is room for one more list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// It can be appended.
    Enough,
    /// It fits in an empty column, but not in this one.
    Full,
    /// It does not even fit in an empty column.
    Never,
}

/// The lists of some records, one for each.
pub(super) struct ListColumn {
    limits: Limits,
    offsets: Vec<i32>,
    times: Vec<Micros>,
    fields: Vec<FieldColumn>,
}

/// One field of the items.
struct FieldColumn {
    kind: FieldKind,
    values: ValueColumn,
    valid: BooleanBufferBuilder,
}

enum ValueColumn {
    Words(Vec<u64>),
    Bits(BooleanBufferBuilder),
    Texts { offsets: Vec<i32>, bytes: Vec<u8> },
}

impl ListColumn {
    /// An empty column, with room for so many lists and items before it must grow.
    pub(super) fn new(key: &Key, list: &List, limits: Limits, lists: usize, items: usize) -> Self {
        let mut offsets = Vec::with_capacity(lists + 1);
        offsets.push(0);
        let fields =
            list.fields.iter().map(|&field| FieldColumn::new(key.fields[field].kind, items)).collect();
        Self { limits, offsets, times: Vec::with_capacity(items), fields }
    }

    /// Items of all lists so far.
    pub(super) fn items(&self) -> usize {
        self.times.len()
    }

    /// Whether the events of `past` in `range` can be appended.
    pub(super) fn room(&self, list: &List, past: &Past, range: &Range<usize>) -> Room {
        let mut most = room(self.limits.items_max, self.times.len(), range.len());
        for (column, &field) in self.fields.iter().zip(&list.fields) {
            if let (ValueColumn::Texts { bytes, .. }, Values::Texts(texts)) =
                (&column.values, &past.series(field).values)
            {
                let more = texts.bytes_in(range.clone());
                most = most.max(room(self.limits.text_bytes_max, bytes.len(), more));
            }
        }
        most
    }

    /// Appends a list of the events of `past` in `range`. There must be [room](Self::room).
    pub(super) fn append(&mut self, list: &List, past: &Past, range: Range<usize>) {
        self.times.extend_from_slice(&past.times()[range.clone()]);
        for (column, &field) in self.fields.iter_mut().zip(&list.fields) {
            column.append(past.series(field), range.clone());
        }
        self.append_empty();
    }

    /// Ends a list, which is empty unless [`append`](Self::append) put something in it.
    pub(super) fn append_empty(&mut self) {
        self.offsets.push(offset(self.times.len()));
    }

    /// The column as an array.
    pub(super) fn finish(self, list: &List) -> ListArray {
        let times = PrimitiveArray::<TimestampMicrosecondType>::from(self.times);
        let columns = std::iter::once(Arc::new(times) as ArrayRef);
        let columns = columns.chain(self.fields.into_iter().map(FieldColumn::finish)).collect();
        let items = StructArray::new(list.item.clone(), columns, None);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        ListArray::new(list_item(list.item.clone()), offsets, Arc::new(items), None)
    }
}

impl FieldColumn {
    fn new(kind: FieldKind, items: usize) -> Self {
        let values = match kind {
            FieldKind::Int64 | FieldKind::Float64 | FieldKind::Timestamp => {
                ValueColumn::Words(Vec::with_capacity(items))
            }
            FieldKind::Bool => ValueColumn::Bits(BooleanBufferBuilder::new(items)),
            FieldKind::Utf8 => ValueColumn::Texts { offsets: vec![0], bytes: Vec::new() },
        };
        Self { kind, values, valid: BooleanBufferBuilder::new(items) }
    }

    fn append(&mut self, series: &Series, range: Range<usize>) {
        match series.valid() {
            Some(valid) => append_bits(&mut self.valid, valid, range.clone()),
            None => self.valid.append_n(range.len(), true),
        }
        match (&mut self.values, &series.values) {
            (ValueColumn::Words(words), Values::Words(values)) => words.extend_from_slice(&values[range]),
            (ValueColumn::Bits(bits), Values::Bits(values)) => append_bits(bits, values, range),
            (ValueColumn::Texts { offsets, bytes }, Values::Texts(texts)) => {
                for text in texts.iter(range) {
                    bytes.extend_from_slice(text);
                    offsets.push(offset(bytes.len()));
                }
            }
            _ => unreachable!("a column and the series it is filled from have the same kind"),
        }
    }

    fn finish(mut self) -> ArrayRef {
        let nulls = Some(NullBuffer::new(self.valid.finish())).filter(|nulls| nulls.null_count() > 0);
        match self.values {
            ValueColumn::Words(words) => match self.kind {
                FieldKind::Float64 => primitive::<Float64Type>(words, nulls),
                FieldKind::Timestamp => primitive::<TimestampMicrosecondType>(words, nulls),
                _ => primitive::<Int64Type>(words, nulls),
            },
            ValueColumn::Bits(mut bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            ValueColumn::Texts { offsets, bytes } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), nulls))
            }
        }
    }
}

fn append_bits(builder: &mut BooleanBufferBuilder, bits: &Bits, range: Range<usize>) {
    for (word, count) in bits.words(range) {
        builder.append_word(word, count);
    }
}

fn room(max: usize, used: usize, more: usize) -> Room {
    match more {
        _ if more > max => Room::Never,
        _ if used + more > max => Room::Full,
        _ => Room::Enough,
    }
}

fn offset(len: usize) -> i32 {
    i32::try_from(len).expect("the limits of a column are far below 2^31")
}

/// An array of numbers of eight bytes, from their bits.
fn primitive<T: ArrowPrimitiveType>(words: Vec<u64>, nulls: Option<NullBuffer>) -> ArrayRef {
    let len = words.len();
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(Buffer::from_vec(words), 0, len), nulls))
}
