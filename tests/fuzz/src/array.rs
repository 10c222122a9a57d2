//! An array of the Arrow C Data Interface, and the type that it states, as a plugin hands them over: true, or with lies in it.
//!
//! What a host must be able to read, it can: each buffer that is not null is as long as the lengths and offsets beside it say.

use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_schema::{DataType, Field};
use foretell_abi::{ArrowArray, ArrowSchema};

use crate::choice::Choices;

/// Rows of an array, and where it begins, at most: the memory for them is really there.
const ROWS_MAX: usize = 48;
/// Bytes of the texts of a column.
const TEXT_BYTES_MAX: usize = 512;
/// Pointers that are there behind `buffers` and `children`.
const POINTERS: usize = 16;
/// Lengths and offsets that no memory holds: a host has to refuse them before it reads anything.
const WILD: [i64; 6] = [-1, i64::MIN, i64::MAX, (1 << 30) + 1, i64::MAX - 1, 1 << 40];

/// Makes a tree, and counts how often it is released. What the tree points at is freed with the first release, so that whoever still
/// looks at it afterwards is found out.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    kept: Kept,
    /// Whether anything in it is not what it should be.
    pub(crate) lies: bool,
}

#[derive(Default)]
struct Shared {
    released: AtomicUsize,
    kept: Mutex<Kept>,
}

/// What a tree points at.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "pointers lead to what is boxed, which stays where it is while the lists grow"
)]
struct Kept {
    /// Pieces of memory, in words of eight bytes, so that they are aligned unless a lie says otherwise.
    memory: Vec<Box<[u64]>>,
    arrays: Vec<Box<ArrowArray>>,
    schemas: Vec<Box<ArrowSchema>>,
    texts: Vec<CString>,
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), kept: Kept::default(), lies: false }
    }

    /// How often the tree was released.
    pub(crate) fn releases(&self) -> usize {
        self.shared.released.load(Ordering::Relaxed)
    }

    /// Gives what the tree points at to its release; what the release finds by it.
    fn hand_over(&mut self) -> *mut c_void {
        *self.shared.kept.lock().expect("nobody panics with it") = std::mem::take(&mut self.kept);
        Arc::as_ptr(&self.shared).cast_mut().cast()
    }

    fn keep(&mut self, bytes: &[u8]) -> *mut u8 {
        let mut words = vec![0u64; bytes.len() / 8 + 2].into_boxed_slice();
        let start = words.as_mut_ptr().cast::<u8>();
        // SAFETY: there are more bytes in the words, and nobody else has them.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
        self.kept.memory.push(words);
        start
    }

    /// A lie, once in so many times; never where the tree shall be true.
    fn lies_once_in(&mut self, times: usize, choices: &mut Choices<'_>) -> bool {
        let lies = choices.once_in(times);
        self.lies |= lies;
        lies
    }

    /// A buffer of these bytes, or null, or the same one byte later.
    fn buffer(&mut self, bytes: &[u8], odds: usize, choices: &mut Choices<'_>) -> *const c_void {
        if self.lies_once_in(odds, choices) {
            if choices.once_in(2) {
                return std::ptr::null();
            }
            let moved: Vec<u8> = std::iter::once(0).chain(bytes.iter().copied()).collect();
            // SAFETY: there is one byte more.
            return unsafe { self.keep(&moved).add(1) }.cast();
        }
        self.keep(bytes).cast()
    }

    /// An array of type `kind` with `rows` rows. The odds of each lie are one in `odds`.
    pub(crate) fn array(
        &mut self,
        kind: &DataType,
        rows: usize,
        odds: usize,
        choices: &mut Choices<'_>,
    ) -> ArrowArray {
        let mut array = self.column(kind, rows, false, odds, choices);
        array.private_data = self.hand_over();
        array.release = Some(release_array);
        if self.lies_once_in(odds.saturating_mul(8), choices) {
            array.release = None;
        }
        array
    }

    fn column(
        &mut self,
        kind: &DataType,
        rows: usize,
        nullable: bool,
        odds: usize,
        choices: &mut Choices<'_>,
    ) -> ArrowArray {
        let mut array = ArrowArray::empty();
        let offset = if choices.once_in(4) { choices.below(8) } else { 0 };
        let mut length = rows;
        if self.lies_once_in(odds, choices) {
            length = choices.below(ROWS_MAX);
        }
        (array.length, array.offset) = (length as i64, offset as i64);
        let whole = length + offset;
        let nulls = (nullable && choices.once_in(3)) || self.lies_once_in(odds, choices);
        let bitmap: Vec<u8> =
            (0..whole.div_ceil(8)).map(|_| if nulls { choices.byte() } else { 255 }).collect();
        let valid = |row: usize| bitmap[row / 8] >> (row % 8) & 1 == 1;
        array.null_count = (offset..whole).filter(|row| !valid(*row)).count() as i64;
        let mut buffers = vec![if nulls { self.keep(&bitmap).cast() } else { std::ptr::null() }];
        let mut children = Vec::new();
        match kind {
            DataType::Struct(fields) => {
                for field in fields {
                    children.push(self.column(field.data_type(), whole, field.is_nullable(), odds, choices));
                }
            }
            DataType::FixedSizeList(item, size) => {
                let items = whole * usize::try_from(*size).unwrap_or_default();
                children.push(self.column(item.data_type(), items, item.is_nullable(), odds, choices));
            }
            DataType::List(item) => {
                let (offsets, items) = self.offsets(whole, ROWS_MAX, odds, choices);
                buffers.push(self.buffer(&offsets, odds, choices));
                children.push(self.column(item.data_type(), items, item.is_nullable(), odds, choices));
            }
            DataType::Utf8 => {
                let (offsets, bytes) = self.offsets(whole, TEXT_BYTES_MAX, odds, choices);
                buffers.push(self.buffer(&offsets, odds, choices));
                let wild = self.lies_once_in(odds, choices);
                let letter = |choices: &mut Choices<'_>| match wild {
                    true => choices.byte(),
                    false => choices.of(b"aZ 0\"\\\n\x01\x7f<"),
                };
                let text: Vec<u8> = (0..bytes.max(1)).map(|_| letter(choices)).collect();
                buffers.push(self.buffer(&text, odds, choices));
            }
            DataType::UInt8 => {
                let bytes: Vec<u8> = (0..whole.max(1)).map(|_| choices.byte()).collect();
                buffers.push(self.buffer(&bytes, odds, choices));
            }
            other => {
                let bytes: Vec<u8> = (0..whole.max(1)).flat_map(|_| number(other, choices)).collect();
                buffers.push(self.buffer(&bytes, odds, choices));
            }
        }
        self.tie(&mut array, buffers, children);
        self.lie_about(&mut array, odds, choices);
        array
    }

    /// Offsets of `rows` rows into at most `most` things, and how many things there are.
    fn offsets(
        &mut self,
        rows: usize,
        most: usize,
        odds: usize,
        choices: &mut Choices<'_>,
    ) -> (Vec<u8>, usize) {
        let mut offsets = vec![0i32];
        for _ in 0..rows {
            let last = offsets[offsets.len() - 1];
            offsets.push((last + choices.below(5) as i32).min(most as i32));
        }
        let things = offsets[rows] as usize;
        if self.lies_once_in(odds, choices) {
            let at = choices.below(offsets.len());
            let lie = choices.of(&[-1, i32::MIN, 0, most as i32, i32::MAX, things as i32 + 1]);
            // The last offset of texts says how much memory there is, so it may only say less.
            offsets[at] = if at == rows { lie.min(things as i32) } else { lie };
        }
        (offsets.into_iter().flat_map(i32::to_ne_bytes).collect(), things)
    }

    /// Hangs buffers and children on an array. There are more pointers than the counts say.
    fn tie(&mut self, array: &mut ArrowArray, buffers: Vec<*const c_void>, children: Vec<ArrowArray>) {
        (array.n_buffers, array.n_children) = (buffers.len() as i64, children.len() as i64);
        let mut pointers = vec![0u64; POINTERS].into_boxed_slice();
        let start = pointers.as_mut_ptr().cast::<*const c_void>();
        for (place, buffer) in buffers.into_iter().enumerate() {
            // SAFETY: there are more pointers than a type has buffers.
            unsafe { start.add(place).write(buffer) };
        }
        array.buffers = start;
        self.kept.memory.push(pointers);
        let mut pointers = vec![0u64; POINTERS].into_boxed_slice();
        let start = pointers.as_mut_ptr().cast::<*mut ArrowArray>();
        for (place, child) in children.into_iter().enumerate() {
            let mut child = Box::new(child);
            // SAFETY: as above.
            unsafe { start.add(place).write(&raw mut *child) };
            self.kept.arrays.push(child);
        }
        array.children = start;
        self.kept.memory.push(pointers);
    }

    /// Lies that the host can see in the array itself.
    fn lie_about(&mut self, array: &mut ArrowArray, odds: usize, choices: &mut Choices<'_>) {
        if !self.lies_once_in(odds, choices) {
            return;
        }
        match choices.below(12) {
            0 => array.length = choices.of(&WILD),
            1 => array.offset = choices.of(&WILD),
            2 => (array.length, array.offset) = (choices.of(&WILD), choices.of(&WILD)),
            3 => array.null_count = choices.of(&[-1, i64::MIN, i64::MAX, 1, array.length, array.length + 1]),
            4 => array.n_buffers = choices.of(&[0, 1, 2, 3, 4, -1, i64::MAX]),
            5 => array.n_children = choices.of(&[0, 1, 2, 9, -1, i64::MAX]),
            6 => array.buffers = std::ptr::null_mut(),
            7 => array.children = std::ptr::null_mut(),
            8 => array.buffers = array.buffers.wrapping_byte_add(1),
            9 => array.children = array.children.wrapping_byte_add(1),
            10 => {
                let child = choices.below(array.n_children.max(1) as usize);
                let pointer = choices.of(&[std::ptr::null_mut(), std::ptr::without_provenance_mut(9)]);
                // SAFETY: there are more pointers than the counts say.
                unsafe { array.children.add(child).write(pointer) };
            }
            _ => {
                let mut dictionary = Box::new(ArrowArray::empty());
                array.dictionary = &raw mut *dictionary;
                self.kept.arrays.push(dictionary);
            }
        }
    }

    /// The statement of a type, as a plugin makes it when it opens.
    pub(crate) fn schema(&mut self, kind: &DataType, odds: usize, choices: &mut Choices<'_>) -> ArrowSchema {
        let field = Field::new("", kind.clone(), false);
        let mut schema = self.statement(&field, odds, choices);
        schema.private_data = self.hand_over();
        schema.release = Some(release_schema);
        schema
    }

    fn statement(&mut self, field: &Field, odds: usize, choices: &mut Choices<'_>) -> ArrowSchema {
        let (format, children): (String, Vec<&Field>) = match field.data_type() {
            DataType::Struct(fields) => ("+s".to_owned(), fields.iter().map(|field| &**field).collect()),
            DataType::List(item) => ("+l".to_owned(), vec![item]),
            DataType::FixedSizeList(item, size) => (format!("+w:{size}"), vec![item]),
            DataType::Utf8 => ("u".to_owned(), Vec::new()),
            DataType::UInt8 => ("C".to_owned(), Vec::new()),
            DataType::Int32 => ("i".to_owned(), Vec::new()),
            DataType::Int64 => ("l".to_owned(), Vec::new()),
            DataType::Float32 => ("f".to_owned(), Vec::new()),
            _ => ("tsu:".to_owned(), Vec::new()),
        };
        let children: Vec<_> =
            children.into_iter().map(|child| self.statement(child, odds, choices)).collect();
        let mut schema = ArrowSchema::empty();
        schema.format = self.text(format.as_bytes(), odds, choices);
        schema.name = self.text(field.name().as_bytes(), odds, choices);
        schema.flags = if field.is_nullable() { 2 } else { 0 };
        schema.n_children = children.len() as i64;
        let mut pointers = vec![0u64; POINTERS].into_boxed_slice();
        let start = pointers.as_mut_ptr().cast::<*mut ArrowSchema>();
        for (place, child) in children.into_iter().enumerate() {
            let mut child = Box::new(child);
            // SAFETY: there are more pointers than a type has children.
            unsafe { start.add(place).write(&raw mut *child) };
            self.kept.schemas.push(child);
        }
        schema.children = start;
        self.kept.memory.push(pointers);
        if self.lies_once_in(odds, choices) {
            match choices.below(6) {
                0 => schema.n_children = choices.of(&[0, 1, 2, 9, -1, i64::MIN, i64::MAX]),
                1 => schema.children = std::ptr::null_mut(),
                2 => schema.children = schema.children.wrapping_byte_add(1),
                3 => schema.flags = choices.of(&[0, 2, -1, i64::MIN]),
                4 => {
                    // The tree bites its own tail, where there is one.
                    let tail =
                        self.kept.schemas.last_mut().map_or(std::ptr::null_mut(), |last| &raw mut **last);
                    // SAFETY: there are more pointers than the counts say.
                    unsafe { schema.children.write(tail) };
                    if let Some(last) = self.kept.schemas.last_mut() {
                        (last.children, last.n_children) = (schema.children, choices.of(&[1, 2]));
                        last.format = schema.format;
                    }
                }
                _ => {
                    let pointer = choices.of(&[std::ptr::null_mut(), std::ptr::without_provenance_mut(9)]);
                    // SAFETY: as above.
                    unsafe { schema.children.add(choices.below(3)).write(pointer) };
                }
            }
        }
        schema
    }

    /// A text that ends with zero; or none, another format, or any bytes.
    fn text(&mut self, bytes: &[u8], odds: usize, choices: &mut Choices<'_>) -> *const std::ffi::c_char {
        let mut bytes = bytes.to_vec();
        if self.lies_once_in(odds, choices) {
            let formats: [&[u8]; 12] = [
                b"",
                b"+w:-1",
                b"+w:99999999999",
                b"+ud:0,1",
                b"+m",
                b"+r",
                b"+vl",
                b"vu",
                b"d:300,2",
                b"w:-4",
                b"tss:x",
                b"+",
            ];
            match choices.below(4) {
                0 => return std::ptr::null(),
                1 => bytes = choices.of(&formats).to_vec(),
                2 => bytes = choices.bytes(40).to_vec(),
                _ => bytes = vec![b'x'; choices.of(&[255, 256, 257, 70_000])],
            }
        }
        bytes.retain(|byte| *byte != 0);
        let text = CString::new(bytes).unwrap_or_default();
        let start = text.as_ptr();
        self.kept.texts.push(text);
        start
    }
}

/// A number of a type, of the kind that hurts every now and then.
fn number(kind: &DataType, choices: &mut Choices<'_>) -> Vec<u8> {
    match kind {
        DataType::Float32 => match choices.below(4) {
            0 => choices.word().to_vec(),
            1 => {
                let numbers = [f32::NAN, f32::INFINITY, f32::MIN, f32::MAX, f32::MIN_POSITIVE, -0.0, 1e-45];
                choices.of(&numbers).to_ne_bytes().to_vec()
            }
            _ => (f32::from(choices.byte()) / 255.0).to_ne_bytes().to_vec(),
        },
        DataType::Int32 => {
            let numbers = [0, 1, 2, 3, 4, -1, i32::MAX, i32::MIN];
            choices.of(&numbers).to_ne_bytes().to_vec()
        }
        _ => {
            let numbers = [0, 1, -1, i64::MAX, i64::MIN, 1_700_000_000_000_000, 253_402_300_800_000_000];
            choices.of(&numbers).to_ne_bytes().to_vec()
        }
    }
}

/// Counts the release of a tree, frees what it points at, and marks it as released.
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the host gives the array that it was handed.
    let array = unsafe { &mut *array };
    // SAFETY: the private data are those of `hand_over`.
    unsafe { released(array.private_data) };
    array.release = None;
}

/// The same for a statement.
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the host gives the statement that it was handed.
    let schema = unsafe { &mut *schema };
    // SAFETY: the private data are those of `hand_over`.
    unsafe { released(schema.private_data) };
    schema.release = None;
}

/// # Safety
/// `private` must be what `hand_over` gave, and its owner alive.
unsafe fn released(private: *mut c_void) {
    // SAFETY: the caller's.
    let shared = unsafe { &*private.cast::<Shared>() };
    shared.released.fetch_add(1, Ordering::Relaxed);
    *shared.kept.lock().expect("nobody panics with it") = Kept::default();
}
