//! The records of a call, as columns in place.

use std::marker::PhantomData;
use std::ops::Range;

use foretell_abi::ArrowArray;

use crate::{Image, Images, Kind, Sample};

/// A type that a column can have, and how such a column looks.
pub trait Value {
    /// The column type that the host must send.
    const KIND: Kind;
    /// How a column of this type is read.
    type View<'a>;
    /// Looks at `length` rows of `array` from `start`.
    ///
    /// # Safety
    /// `array` must be a valid Arrow array of [`Self::KIND`] with at least `start + length` rows beyond its offset.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    unsafe fn view<'a>(array: &'a ArrowArray, start: usize, length: usize) -> Self::View<'a>;
}

/// Marks a column of times: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug)]
pub enum Time {}

/// Numbers of a column, and which of them are there.
#[derive(Clone, Copy)]
pub struct Numbers<'a, T> {
    values: &'a [T],
    validity: Validity<'a>,
}

impl<'a, T> Numbers<'a, T> {
    /// Every row's number. Where a row is null the number has no meaning.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Whether the row is there.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.get(row)
    }

    /// The row's number, or `None` where it is null.
    pub fn get(&self, row: usize) -> Option<T>
    where
        T: Copy,
    {
        self.is_valid(row).then(|| self.values[row])
    }
}

/// True and false of a column, a bit each, and which of them are there.
#[derive(Clone, Copy)]
pub struct Bits<'a> {
    bits: Validity<'a>,
    validity: Validity<'a>,
    length: usize,
}

impl Bits<'_> {
    /// The row's value, or `None` where it is null.
    pub fn get(&self, row: usize) -> Option<bool> {
        assert!(row < self.length, "row {row} of {}", self.length);
        self.validity.get(row).then(|| self.bits.get(row))
    }

    /// Whether the row is there and true.
    pub fn is_true(&self, row: usize) -> bool {
        self.get(row) == Some(true)
    }

    /// How many of `rows` are there and true, counted eight at a time.
    pub fn count_true(&self, rows: Range<usize>) -> usize {
        assert!(rows.start <= rows.end && rows.end <= self.length, "rows to {} of {}", rows.end, self.length);
        let mut count = 0;
        let mut row = rows.start;
        while row < rows.end {
            let many = (rows.end - row).min(8);
            let wanted = 0xff >> (8 - many);
            count += (self.bits.eight(row) & self.validity.eight(row) & wanted).count_ones() as usize;
            row += many;
        }
        count
    }
}

/// Texts of a column, and which of them are there.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    offsets: &'a [i32],
    bytes: *const u8,
    validity: Validity<'a>,
}

impl<'a> Texts<'a> {
    /// The row's text, or `None` where it is null.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        if !self.validity.get(row) {
            return None;
        }
        let (start, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        if start == end {
            return Some("");
        }
        // SAFETY: Arrow promises that offsets rise within the value buffer, and that its bytes are UTF-8.
        unsafe {
            Some(std::str::from_utf8_unchecked(std::slice::from_raw_parts(
                self.bytes.add(start),
                end - start,
            )))
        }
    }
}

/// A bitmap that may be absent, which means all ones.
#[derive(Clone, Copy)]
pub(crate) struct Validity<'a> {
    bytes: Option<&'a [u8]>,
    start: usize,
}

impl Validity<'_> {
    /// The bits of eight rows from `row` on, the first one lowest; beyond the end, zeros, and without a bitmap, ones.
    fn eight(&self, row: usize) -> u8 {
        let Some(bytes) = self.bytes else { return 0xff };
        let bit = self.start + row;
        let byte = |index: usize| u16::from(bytes.get(index).copied().unwrap_or(0));
        ((byte(bit / 8) | byte(bit / 8 + 1) << 8) >> (bit % 8)) as u8
    }

    pub(crate) fn get(&self, row: usize) -> bool {
        self.bytes.is_none_or(|bytes| {
            let bit = self.start + row;
            bytes[bit / 8] >> (bit % 8) & 1 == 1
        })
    }
}

/// The bitmap in buffer `index`, rows from `start`; absent where the buffer is null.
///
/// # Safety
/// `array` must be a valid Arrow array whose buffer `index` is null or a bitmap of `start + length` rows.
#[expect(unsafe_code, reason = "reads the buffers that the host lends")]
unsafe fn bitmap<'a>(array: &'a ArrowArray, index: usize, start: usize, length: usize) -> Validity<'a> {
    // SAFETY: the caller vouches for the buffer.
    let pointer = unsafe { *array.buffers.add(index) }.cast::<u8>();
    let bytes = (!pointer.is_null() && length > 0).then(|| {
        // SAFETY: a bitmap of `start + length` rows has this many bytes.
        unsafe { std::slice::from_raw_parts(pointer, (start + length).div_ceil(8)) }
    });
    Validity { bytes, start }
}

/// The values in buffer `index`, rows from `start`.
///
/// # Safety
/// `array` must be a valid Arrow array whose buffer `index` holds `start + length` values of type `T`, or nothing is asked.
#[expect(unsafe_code, reason = "reads the buffers that the host lends")]
unsafe fn values<T>(array: &ArrowArray, index: usize, start: usize, length: usize) -> &[T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for the buffer, which Arrow aligns for its type.
    unsafe { std::slice::from_raw_parts((*array.buffers.add(index)).cast::<T>().add(start), length) }
}

macro_rules! number {
    ($value:ty, $number:ty, $kind:expr) => {
        impl Value for $value {
            const KIND: Kind = $kind;
            type View<'a> = Numbers<'a, $number>;
            #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
            unsafe fn view<'a>(array: &'a ArrowArray, start: usize, length: usize) -> Self::View<'a> {
                let start = start + array.offset as usize;
                // SAFETY: the caller vouches for the type and the number of rows.
                unsafe {
                    Numbers {
                        values: values(array, 1, start, length),
                        validity: bitmap(array, 0, start, length),
                    }
                }
            }
        }
    };
}
number!(u8, u8, Kind::UInt8);
number!(u16, u16, Kind::UInt16);
number!(i32, i32, Kind::Int32);
number!(f64, f64, Kind::Float64);
number!(f32, f32, Kind::Float32);
number!(i64, i64, Kind::Int64);
number!(Time, i64, Kind::Timestamp);

impl Value for bool {
    const KIND: Kind = Kind::Bool;
    type View<'a> = Bits<'a>;
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    unsafe fn view<'a>(array: &'a ArrowArray, start: usize, length: usize) -> Self::View<'a> {
        let start = start + array.offset as usize;
        // SAFETY: the caller vouches for the type and the number of rows.
        unsafe {
            Bits { bits: bitmap(array, 1, start, length), validity: bitmap(array, 0, start, length), length }
        }
    }
}

impl Value for str {
    const KIND: Kind = Kind::Utf8;
    type View<'a> = Texts<'a>;
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    unsafe fn view<'a>(array: &'a ArrowArray, start: usize, length: usize) -> Self::View<'a> {
        let start = start + array.offset as usize;
        // SAFETY: the caller vouches for the type and the number of rows; a text column has one more offset than rows.
        unsafe {
            Texts {
                offsets: values(array, 1, start, if length == 0 { 0 } else { length + 1 }),
                bytes: (*array.buffers.add(2)).cast(),
                validity: bitmap(array, 0, start, length),
            }
        }
    }
}

macro_rules! handle {
    ($(#[$docs:meta])* $name:ident { $($part:ident),+ }) => {
        $(#[$docs])*
        pub struct $name<T: ?Sized> {
            $($part: usize,)+
            value: PhantomData<fn() -> *const T>,
        }
        impl<T: ?Sized> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T: ?Sized> Copy for $name<T> {}
        impl<T: ?Sized> $name<T> {
            pub(crate) fn new($($part: usize),+) -> Self {
                Self { $($part,)+ value: PhantomData }
            }
        }
    };
}
handle!(
    /// Handle of a column of type `T`, got at open.
    Column { index }
);
handle!(
    /// Handle of a field of type `T` of the past events of a history, got at open.
    Past { history, index }
);
handle!(
    /// Handle of a column of lists of `T`, got at open.
    List { index }
);

/// Handle of a history column, got at open.
#[derive(Clone, Copy, Debug)]
pub struct History {
    index: usize,
    /// The column with the record's own time, and the field with an event's, where both are there.
    times: Option<(usize, usize)>,
}

impl History {
    pub(crate) fn new(index: usize, times: Option<(usize, usize)>) -> Self {
        Self { index, times }
    }

    pub(crate) fn index(self) -> usize {
        self.index
    }
}

/// Which past events belong to which record: rows of a [`Past`] column.
///
/// **Invariant:** where the records have their `event_time`, an event that is later than its record is in no range. The host gives
/// none; should one come by mistake, a plugin that counted it would seem to know the future.
#[derive(Clone, Copy)]
pub struct PastRows<'a> {
    offsets: &'a [i32],
    /// When the records happened, and when all events did.
    times: Option<(Numbers<'a, i64>, &'a [i64])>,
}

impl PastRows<'_> {
    /// Past events of the record in `row`, oldest first.
    pub fn range(&self, row: usize) -> Range<usize> {
        let (start, mut end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        if let Some((records, events)) = self.times
            && let Some(now) = records.get(row)
        {
            // The oldest come first, so what is later stands at the end.
            while end > start && events[end - 1] > now {
                end -= 1;
            }
        }
        start..end
    }
}

/// A column of lists: the items of all records one after the other, and which of them belong to which record. Items are never null.
///
/// A column of [`List<f64>`](List) gives each record's numbers as a slice in place, and one of [`List<str>`](List) its texts:
///
/// ```
/// use foretell_sdk::{Error, List, Open, Records};
///
/// /// What was found in each record: where, and what it is.
/// struct Found {
///     x: List<f64>,
///     label: List<str>,
/// }
///
/// impl Found {
///     fn open(request: &Open<'_>) -> Result<Self, Error> {
///         Ok(Self { x: request.list("x")?, label: request.list("label")? })
///     }
///
///     /// The leftmost bus of each record.
///     fn buses(&self, records: &Records<'_>) -> Vec<Option<f64>> {
///         let (x, labels) = (records.list(self.x), records.list(self.label));
///         let leftmost = |row: usize| {
///             let labelled = x.get(row)?.iter().zip(labels.get(row)?);
///             labelled.filter(|(_, label)| *label == "bus").map(|(x, _)| *x).min_by(f64::total_cmp)
///         };
///         (0..records.len()).map(leftmost).collect()
///     }
/// }
/// ```
pub struct Lists<'a, T: Value + ?Sized> {
    offsets: &'a [i32],
    validity: Validity<'a>,
    items: T::View<'a>,
}

impl<'a, T: Value + ?Sized> Lists<'a, T> {
    /// Rows of [`Self::items`] that belong to the record in `row`, in their order; none where its list is null or empty.
    pub fn range(&self, row: usize) -> Range<usize> {
        if !self.is_valid(row) {
            return 0..0;
        }
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// Whether the record has a list, be it empty.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.get(row)
    }

    /// The items of all records.
    pub fn items(&self) -> &T::View<'a> {
        &self.items
    }
}

impl<'a, N: 'a, T: Value<View<'a> = Numbers<'a, N>> + ?Sized> Lists<'a, T> {
    /// The numbers or times of the record in `row`, or `None` where it has no list.
    pub fn get(&self, row: usize) -> Option<&'a [N]> {
        self.is_valid(row).then(|| &self.items.values()[self.range(row)])
    }
}

impl<'a> Lists<'a, str> {
    /// The texts of the record in `row`, or `None` where it has no list.
    pub fn get(&self, row: usize) -> Option<impl ExactSizeIterator<Item = &'a str> + use<'a>> {
        let texts = self.items;
        self.is_valid(row).then(|| self.range(row).map(move |item| texts.get(item).unwrap_or_default()))
    }
}

impl Lists<'_, bool> {
    /// True and false of the record in `row`, or `None` where it has no list.
    pub fn get(&self, row: usize) -> Option<impl ExactSizeIterator<Item = bool> + '_> {
        self.is_valid(row).then(|| self.range(row).map(|item| self.items.is_true(item)))
    }
}

/// The records of one call.
pub struct Records<'a> {
    array: &'a ArrowArray,
}

impl<'a> Records<'a> {
    /// # Safety
    /// `array` must be a valid struct array of the type given at open, alive for `'a`.
    #[expect(unsafe_code, reason = "the other methods rely on what the host lends")]
    pub(crate) unsafe fn new(array: &'a ArrowArray) -> Self {
        Self { array }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.array.length as usize
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column of a handle.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn column<T: Value + ?Sized>(&self, column: Column<T>) -> T::View<'a> {
        // SAFETY: `open` checked that child `index` has the type `T`; a struct's children have its rows beyond its offset.
        unsafe { T::view(child(self.array, column.index), self.array.offset as usize, self.len()) }
    }

    /// The lists of a handle.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn list<T: Value + ?Sized>(&self, list: List<T>) -> Lists<'a, T> {
        // SAFETY: `open` checked that child `index` is a list of `T`, which has one more offset than rows.
        unsafe {
            let list = child(self.array, list.index);
            let start = (self.array.offset + list.offset) as usize;
            let items = child(list, 0);
            Lists {
                offsets: values::<i32>(list, 1, start, if self.is_empty() { 0 } else { self.len() + 1 }),
                validity: bitmap(list, 0, start, self.len()),
                items: T::view(items, 0, items.length as usize),
            }
        }
    }

    /// The images of a handle.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn images<T: Sample>(&self, image: Image<T>) -> Images<'a, T> {
        // SAFETY: `open` checked that child `index` is a struct of a list of `T` and of lists of three 32-bit integers, which
        // have the rows of the struct beyond its offset.
        unsafe {
            let images = child(self.array, image.index());
            let first = (self.array.offset + images.offset) as usize;
            let (data, shape) = (child(images, 0), child(images, 1));
            let start = first + data.offset as usize;
            let sides = (first + shape.offset as usize) * Images::<T>::SIDES;
            let samples = child(data, 0);
            Images {
                offsets: values(data, 1, start, if self.is_empty() { 0 } else { self.len() + 1 }),
                sides: i32::view(child(shape, 0), sides, self.len() * Images::<T>::SIDES).values,
                samples: values(samples, 1, samples.offset as usize, samples.length as usize),
                validity: bitmap(images, 0, first, self.len()),
            }
        }
    }

    /// Which past events of `history` belong to which record.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn history(&self, history: History) -> PastRows<'a> {
        // SAFETY: `open` checked that child `index` is a list, which has one more offset than rows.
        let offsets = unsafe {
            let list = child(self.array, history.index);
            let start = (self.array.offset + list.offset) as usize;
            values::<i32>(list, 1, start, if self.is_empty() { 0 } else { self.len() + 1 })
        };
        let times = history.times.map(|(now, time)| {
            let events = self.past(Past::<Time>::new(history.index, time));
            (self.column(Column::<Time>::new(now)), events.values())
        });
        PastRows { offsets, times }
    }

    /// A field of all past events of a history; [`Self::history`] says which rows belong to which record.
    #[expect(unsafe_code, reason = "reads the buffers that the host lends")]
    pub fn past<T: Value + ?Sized>(&self, past: Past<T>) -> T::View<'a> {
        // SAFETY: `open` checked that the history is a list of structs whose child `index` has the type `T`.
        unsafe {
            let events = child(child(self.array, past.history), 0);
            T::view(child(events, past.index), events.offset as usize, events.length as usize)
        }
    }
}

/// # Safety
/// `array` must be a valid Arrow array with more than `index` children.
#[expect(unsafe_code, reason = "reads the structs that the host lends")]
unsafe fn child(array: &ArrowArray, index: usize) -> &ArrowArray {
    // SAFETY: the caller vouches for the child.
    unsafe { &**array.children.add(index) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_later_than_its_record_is_in_no_range() {
        let (now, events) = ([5, 2], [1, 5, 9, 2, 3]);
        let now = Numbers { values: &now[..], validity: Validity { bytes: None, start: 0 } };
        let rows = PastRows { offsets: &[0, 3, 5], times: Some((now, &events)) };
        assert_eq!([rows.range(0), rows.range(1)], [0..2, 3..4]);
        let rows = PastRows { times: None, ..rows };
        assert_eq!([rows.range(0), rows.range(1)], [0..3, 3..5]);
    }

    #[test]
    fn counting_eight_at_a_time_is_counting_one_by_one() {
        let bits: Vec<u8> = (0..12u8).map(|byte| byte.wrapping_mul(73) ^ 0x5a).collect();
        let valid: Vec<u8> = (0..12u8).map(|byte| byte.wrapping_mul(151) ^ 0xc3).collect();
        for start in 0..9 {
            for validity in [Some(valid.as_slice()), None] {
                let column = Bits {
                    bits: Validity { bytes: Some(&bits), start },
                    validity: Validity { bytes: validity, start },
                    length: 80,
                };
                for from in 0..=80 {
                    for to in from..=80 {
                        let one_by_one = (from..to).filter(|&row| column.is_true(row)).count();
                        assert_eq!(column.count_true(from..to), one_by_one, "{from}..{to} from bit {start}");
                    }
                }
            }
        }
    }
}
