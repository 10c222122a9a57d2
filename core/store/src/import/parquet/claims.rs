//! What a Parquet file claims about itself, checked before it is believed.
//!
//! A Parquet file says how long its footer is, how many columns it has, how large each page becomes when it is
//! unpacked. Libraries reserve memory by such words, so a file of a hundred bytes can ask for gigabytes, and a schema
//! nested deeply enough overflows the stack. Here every claim is read first and held against the file and against named
//! limits; only then the library gets to see it.
//!
//! Footer and page headers are written in Thrift's compact protocol. [`Cursor`] reads as much of it as is needed to step
//! over what does not matter.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::ParquetProblem;

/// The longest footer that is read.
pub const FOOTER_BYTES_MAX: u64 = 16 << 20;
/// Columns, row groups, or anything else that the footer lists.
pub const FOOTER_ENTRIES_MAX: usize = 65_536;
/// How deeply columns may be nested.
pub const SCHEMA_DEPTH_MAX: usize = 64;
/// The largest page, packed or unpacked.
pub const PAGE_BYTES_MAX: u64 = 256 << 20;
/// All pages that are unpacked for one batch.
pub const BATCH_PAGES_BYTES_MAX: u64 = 1 << 30;
/// Rows that one byte of a file may stand for. Real files reach some hundreds, where all rows are nearly equal.
pub const ROWS_PER_BYTE_MAX: u64 = 10_000;

/// What begins and ends a Parquet file.
const MAGIC: &[u8] = b"PAR1";
/// What ends one whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// The length of the footer, and the magic bytes.
const TAIL_BYTES: u64 = 8;
/// Structures within structures that the cursor steps over.
const NESTING_MAX: usize = 32;

// The fields of the Thrift structures that are looked at, by their number in the format's definition.
const FILE_SCHEMA: i16 = 2;
const ELEMENT_CHILDREN: i16 = 5;
const PAGE_UNPACKED: i16 = 2;
const PAGE_PACKED: i16 = 3;
const PAGE_DICTIONARY: i16 = 7;
const DICTIONARY_VALUES: i16 = 1;

// The types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Reads the footer of a file, once what it claims has been checked.
pub(super) fn read_footer(file: &mut File, file_bytes: u64) -> Result<Vec<u8>, ParquetProblem> {
    let mut tail = [0; TAIL_BYTES as usize];
    if file_bytes < TAIL_BYTES + MAGIC.len() as u64 {
        return Err(ParquetProblem::NoEnd);
    }
    file.seek(SeekFrom::Start(file_bytes - TAIL_BYTES))?;
    file.read_exact(&mut tail)?;
    let (length, magic) = tail.split_at(4);
    match magic {
        MAGIC => {}
        MAGIC_ENCRYPTED => return Err(ParquetProblem::Encrypted),
        _ => return Err(ParquetProblem::NoEnd),
    }
    let claimed =
        u64::from(u32::from_le_bytes(length.try_into().expect("the tail is split after four bytes")));
    let available = file_bytes - TAIL_BYTES - MAGIC.len() as u64;
    if claimed > available {
        return Err(ParquetProblem::FooterBeyondFile { claimed, available });
    }
    if claimed > FOOTER_BYTES_MAX {
        return Err(ParquetProblem::FooterTooLong { bytes: claimed });
    }
    file.seek(SeekFrom::Start(file_bytes - TAIL_BYTES - claimed))?;
    let mut footer = vec![0; claimed as usize];
    file.read_exact(&mut footer)?;
    check_footer(&footer)?;
    Ok(footer)
}

/// Checks what the footer lists, and how deeply its columns are nested.
fn check_footer(footer: &[u8]) -> Result<(), ParquetProblem> {
    let mut cursor = Cursor(footer);
    let damaged = || ParquetProblem::Footer("it ends in the middle of a value".to_owned());
    let mut last = 0;
    while let Some((field, kind)) = cursor.field(&mut last).ok_or_else(damaged)? {
        if kind != LIST {
            cursor.skip(kind, NESTING_MAX).ok_or_else(damaged)?;
            continue;
        }
        let (kind, count) = cursor.list().ok_or_else(damaged)?;
        if count > FOOTER_ENTRIES_MAX {
            return Err(ParquetProblem::FooterEntries { found: count });
        }
        if field == FILE_SCHEMA && kind == STRUCT {
            check_schema(&mut cursor, count)?;
        } else {
            (0..count).try_for_each(|_| cursor.skip(kind, NESTING_MAX)).ok_or_else(damaged)?;
        }
    }
    Ok(())
}

/// The schema is a tree, written from the root down: each element says how many of the next ones are its children.
fn check_schema(cursor: &mut Cursor<'_>, count: usize) -> Result<(), ParquetProblem> {
    let damaged = || ParquetProblem::Footer("its schema is not a tree of columns".to_owned());
    // How many children are still to come at each level.
    let mut open: Vec<usize> = vec![1];
    for index in 0..count {
        let children = usize::try_from(cursor.number_in_struct(ELEMENT_CHILDREN).ok_or_else(damaged)?)
            .ok()
            .filter(|children| *children < count - index)
            .ok_or_else(damaged)?;
        let level = open.last_mut().ok_or_else(damaged)?;
        *level -= 1;
        if children > 0 {
            open.push(children);
        }
        if open.len() > SCHEMA_DEPTH_MAX {
            return Err(ParquetProblem::SchemaDepth);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    if open.is_empty() { Ok(()) } else { Err(damaged()) }
}

/// Checks what the footer says of rows and columns against the file, for the columns (leaves) that will be read.
pub(super) fn check_row_groups(
    metadata: &ParquetMetaData,
    leaves: &[usize],
    file_bytes: u64,
) -> Result<(), ParquetProblem> {
    let rows = metadata.file_metadata().num_rows();
    if rows < 0 || rows as u64 > file_bytes.saturating_mul(ROWS_PER_BYTE_MAX) {
        return Err(ParquetProblem::Rows { rows, bytes: file_bytes });
    }
    let mut sum = 0_i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let wrong = |claim| ParquetProblem::RowGroup { index: index + 1, claim };
        sum = match sum.checked_add(group.num_rows()) {
            Some(sum) if group.num_rows() >= 0 && sum <= rows => sum,
            _ => return Err(wrong(format!("{} rows, with {rows} in the whole file", group.num_rows()))),
        };
        for leaf in leaves {
            let column = group.column(*leaf);
            let name = column.column_path().string();
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = |at: i64| u64::try_from(at).is_ok_and(|at| at <= file_bytes);
            let sound = column.compressed_size() >= 0 && inside(start) && end.is_some_and(inside);
            if !sound || !inside(column.data_page_offset()) {
                let bytes = column.compressed_size();
                return Err(wrong(format!(
                    "{bytes} bytes from byte {start} on for column `{name}`, in a file of {file_bytes} bytes"
                )));
            }
            if column.num_values() != group.num_rows() {
                let (values, rows) = (column.num_values(), group.num_rows());
                return Err(wrong(format!("{values} values of column `{name}` in {rows} rows")));
            }
        }
    }
    if sum == rows { Ok(()) } else { Err(ParquetProblem::RowSum { rows, sum }) }
}

/// A file that is read page by page, with an eye on how large the pages claim to be.
#[derive(Clone)]
pub(super) struct Guard {
    file: Arc<File>,
    bytes: u64,
    state: Arc<Mutex<GuardState>>,
}

#[derive(Default)]
struct GuardState {
    /// Bytes unpacked since the last batch.
    unpacked: u64,
    problem: Option<ParquetProblem>,
}

impl Guard {
    pub(super) fn new(file: File, bytes: u64) -> Self {
        Self { file: Arc::new(file), bytes, state: Arc::default() }
    }

    /// A batch is complete: the next one may use as much memory again.
    pub(super) fn next_batch(&self) {
        self.state().unpacked = 0;
    }

    /// What the guard refused, if that is why reading failed. The library would only tell it as text.
    pub(super) fn problem(&self) -> Option<ParquetProblem> {
        self.state().problem.take()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GuardState> {
        // Nothing can panic while the lock is held, and numbers cannot be half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the header of the page that begins with `start`.
    fn admit(&self, start: &[u8]) -> Result<(), ParquetError> {
        let mut state = self.state();
        let problem = match page_claims(start) {
            None => ParquetProblem::Damaged("a page does not begin with a page header".to_owned()),
            Some(page) if page.packed.max(page.unpacked) > PAGE_BYTES_MAX => {
                ParquetProblem::Page { bytes: page.packed.max(page.unpacked) }
            }
            Some(page) if page.dictionary_values.is_some_and(|values| values > page.unpacked) => {
                ParquetProblem::Damaged("a dictionary claims more values than bytes".to_owned())
            }
            Some(page) => {
                state.unpacked += page.unpacked;
                if state.unpacked <= BATCH_PAGES_BYTES_MAX {
                    return Ok(());
                }
                ParquetProblem::BatchPages
            }
        };
        let error = ParquetError::General(problem.to_string());
        state.problem = Some(problem);
        Err(error)
    }
}

impl Length for Guard {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Guard {
    type T = BufReader<File>;

    // Pages are read one after the other, from their header on, and headers are all that is read this way.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut reader = self.file.get_read(start)?;
        self.admit(reader.fill_buf()?)?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes, ParquetError> {
        self.file.get_bytes(start, length)
    }
}

struct PageClaims {
    packed: u64,
    unpacked: u64,
    dictionary_values: Option<u64>,
}

/// What a page header says about sizes. Its start is enough: fields stand in the order of their numbers, and what may be
/// long, such as statistics, comes behind the sizes.
fn page_claims(start: &[u8]) -> Option<PageClaims> {
    let mut cursor = Cursor(start);
    let (mut packed, mut unpacked, mut dictionary_values) = (None, None, None);
    let mut last = 0;
    while let Some((field, kind)) = cursor.field(&mut last)? {
        match (field, kind) {
            (PAGE_UNPACKED, _) => unpacked = Some(cursor.size()?),
            (PAGE_PACKED, _) => packed = Some(cursor.size()?),
            (PAGE_DICTIONARY, STRUCT) => {
                dictionary_values = Some(u64::try_from(cursor.number_in_struct(DICTIONARY_VALUES)?).ok()?);
            }
            // The headers of data pages say nothing about memory, and their statistics may reach beyond the view.
            (_, STRUCT) => break,
            (_, kind) => cursor.skip(kind, NESTING_MAX)?,
        }
    }
    Some(PageClaims { packed: packed?, unpacked: unpacked?, dictionary_values })
}

/// A place in bytes of Thrift's compact protocol. Every answer is `None` where the bytes end too early.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn advance(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    /// A number of variable length, seven bits a byte.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number whose sign is in its last bit.
    fn signed(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number that is a size.
    fn size(&mut self) -> Option<u64> {
        u64::try_from(self.signed()?).ok()
    }

    /// The number and type of the next field of a structure; `Some(None)` at its end.
    fn field(&mut self, last: &mut i16) -> Option<Option<(i16, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let step = i16::from(byte >> 4);
        *last = if step == 0 { i16::try_from(self.signed()?).ok()? } else { last.checked_add(step)? };
        Some(Some((*last, byte & 0x0f)))
    }

    /// The type and number of the elements of a list. There cannot be more than bytes.
    fn list(&mut self) -> Option<(u8, usize)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            short => usize::from(short),
        };
        (count <= self.0.len()).then_some((byte & 0x0f, count))
    }

    /// Reads a structure to its end, and gives the number in one of its fields; 0 if it has no such field.
    fn number_in_struct(&mut self, wanted: i16) -> Option<i64> {
        let (mut number, mut last) = (0, 0);
        while let Some((field, kind)) = self.field(&mut last)? {
            if field == wanted && (I16..=I64).contains(&kind) {
                number = self.signed()?;
            } else {
                self.skip(kind, NESTING_MAX)?;
            }
        }
        Some(number)
    }

    /// Steps over a value of which nothing is wanted.
    fn skip(&mut self, kind: u8, nesting: usize) -> Option<()> {
        let inner = nesting.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.advance(1),
            I16..=I64 => self.varint().map(|_| ()),
            DOUBLE => self.advance(8),
            BINARY => self.varint().and_then(|length| self.advance(length)),
            LIST | SET => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, inner))
            }
            MAP => {
                let count = self.varint()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, inner)?;
                    self.skip_element(kinds & 0x0f, inner)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, inner)?;
                }
                Some(())
            }
            UUID => self.advance(16),
            _ => None,
        }
    }

    /// Steps over an element of a list or map, where truth takes a byte of its own.
    fn skip_element(&mut self, kind: u8, nesting: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => self.advance(1),
            kind => self.skip(kind, nesting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The start of a page header: a data page of so many bytes, unpacked. Below 2^34, to fit a number of five bytes.
    fn page(unpacked: u64) -> Vec<u8> {
        let number = (0..5)
            .map(|index| (unpacked << 1 >> (7 * index)) as u8 & 0x7f | if index < 4 { 0x80 } else { 0 });
        [0x15, 0, 0x15].into_iter().chain(number).chain([0x15, 0, 0]).collect()
    }

    #[test]
    fn a_batch_has_a_budget() {
        let guard = Guard::new(tempfile::tempfile().unwrap(), 0);
        let pages = BATCH_PAGES_BYTES_MAX / PAGE_BYTES_MAX;
        for _ in 0..pages {
            guard.admit(&page(PAGE_BYTES_MAX)).unwrap();
        }
        guard.admit(&page(1)).unwrap_err();
        assert!(matches!(guard.problem(), Some(ParquetProblem::BatchPages)));
        guard.next_batch();
        guard.admit(&page(PAGE_BYTES_MAX)).unwrap();
        guard.admit(&page(PAGE_BYTES_MAX + 1)).unwrap_err();
        assert!(matches!(guard.problem(), Some(ParquetProblem::Page { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = check_footer(&bytes);
            let _ = page_claims(&bytes);
        }
    }
}
