//! CSV files, read strictly enough to say which row is wrong and to go on after it.
//!
//! The format is RFC 4180: columns between delimiters, quotes around values that hold a delimiter, a quote (written
//! twice) or a line end. Line ends may be LF or CRLF; empty lines are skipped. A quote within a value that does not
//! begin with one is an ordinary character.
//!
//! Why not a library: parsers of CSV are made never to fail, so a stray quote swallows the rows after it without a
//! word. Here such a row is refused alone, with its line number, and reading goes on at the next line.

use std::fs::File;
use std::sync::Arc;

use super::batch::{Batcher, Cancelled, shorten};
use super::cell::{Cell, Reason};
use super::plan::{Refusal, Row};
use super::text::{ROW_BYTES_MAX, TextFile, without_line_end};
use super::{ImportErrorKind, columns};

/// Columns that a CSV file may have.
pub const CSV_COLUMNS_MAX: usize = 16_384;

/// Takes rows apart.
struct Splitter {
    delimiter: u8,
    spans: Vec<Span>,
    /// The values that had quotes in them, without the doubling.
    unescaped: Vec<u8>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// In the unescaped values, not in the row itself.
    unescaped: bool,
}

/// What begins at the start of the window.
enum Scan {
    /// A row of so many bytes, its line end included.
    Row(usize),
    /// A row that reaches beyond the window.
    Partial,
    /// Something that is no row.
    Malformed(Reason),
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, spans: Vec::new(), unescaped: Vec::new() }
    }

    /// Takes one row apart. `ended` says that nothing follows the bytes.
    fn scan(&mut self, bytes: &[u8], ended: bool) -> Scan {
        self.spans.clear();
        self.unescaped.clear();
        let mut at = 0;
        loop {
            let quoted = bytes.get(at) == Some(&b'"');
            let value = if quoted { self.quoted(bytes, at + 1, ended) } else { self.plain(bytes, at, ended) };
            let (span, end) = match value {
                Ok(value) => value,
                Err(scan) => return scan,
            };
            self.spans.push(span);
            match bytes.get(end) {
                Some(byte) if *byte == self.delimiter => at = end + 1,
                Some(b'\n') => return Scan::Row(end + 1),
                Some(b'\r') => match bytes.get(end + 1) {
                    Some(b'\n') => return Scan::Row(end + 2),
                    None if ended => return Scan::Row(end + 1),
                    None => return Scan::Partial,
                    Some(_) => return Scan::Malformed(Reason::TextAfterQuote),
                },
                Some(_) => return Scan::Malformed(Reason::TextAfterQuote),
                None if ended => return Scan::Row(end),
                None => return Scan::Partial,
            }
        }
    }

    /// A value without quotes around it, and where it ends.
    fn plain(&self, bytes: &[u8], start: usize, ended: bool) -> Result<(Span, usize), Scan> {
        let rest = &bytes[start..];
        let end = match rest.iter().position(|byte| *byte == self.delimiter || *byte == b'\n') {
            Some(length) => start + length,
            None if ended => bytes.len(),
            None => return Err(Scan::Partial),
        };
        let last = bytes.get(end) != Some(&self.delimiter);
        let end = if last && bytes[start..end].ends_with(b"\r") { end - 1 } else { end };
        Ok((Span { start, end, unescaped: false }, end))
    }

    /// A value with quotes around it, whose content begins at `start`, and where the closing quote ends.
    fn quoted(&mut self, bytes: &[u8], start: usize, ended: bool) -> Result<(Span, usize), Scan> {
        let open = || if ended { Scan::Malformed(Reason::OpenQuote) } else { Scan::Partial };
        let unescaped_start = self.unescaped.len();
        // Where the part begins that is not yet copied.
        let mut part = start;
        loop {
            let Some(length) = bytes[part..].iter().position(|byte| *byte == b'"') else {
                return Err(open());
            };
            let quote = part + length;
            match bytes.get(quote + 1) {
                Some(b'"') => {
                    self.unescaped.extend_from_slice(&bytes[part..=quote]);
                    part = quote + 2;
                }
                None if !ended => return Err(Scan::Partial),
                _ if part == start => return Ok((Span { start, end: quote, unescaped: false }, quote + 1)),
                _ => {
                    self.unescaped.extend_from_slice(&bytes[part..quote]);
                    let end = self.unescaped.len();
                    return Ok((Span { start: unescaped_start, end, unescaped: true }, quote + 1));
                }
            }
        }
    }

    fn value<'a>(&'a self, row: &'a [u8], index: usize) -> &'a [u8] {
        let Span { start, end, unescaped } = self.spans[index];
        if unescaped { &self.unescaped[start..end] } else { &row[start..end] }
    }
}

/// A row, and where in it the columns of the plan stand.
struct CsvRow<'a> {
    splitter: &'a Splitter,
    bytes: &'a [u8],
    positions: &'a [usize],
}

impl Row for CsvRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        Cell::of_bytes(self.splitter.value(self.bytes, self.positions[column]))
    }
}

/// A file whose header has been read.
pub(super) struct CsvFile {
    text: TextFile,
    splitter: Splitter,
    /// How many columns the header has.
    width: usize,
    /// Where each column of the plan stands in a row.
    positions: Vec<usize>,
}

impl CsvFile {
    /// Reads the header, and finds the wanted columns in it.
    pub(super) fn open(file: File, delimiter: u8, wanted: &[Arc<str>]) -> Result<Self, ImportErrorKind> {
        let mut text = TextFile::new(file)?;
        let mut splitter = Splitter::new(delimiter);
        let header = read_header(&mut text, &mut splitter)?;
        let positions = columns::positions(wanted, &header, columns::delimiter_hint(&header))?;
        Ok(Self { text, splitter, width: header.len(), positions })
    }

    /// Reads the file to its end, or until nobody wants more.
    pub(super) fn read(mut self, mut batcher: Batcher) -> Result<(), ImportErrorKind> {
        while let Some(scan) = next_row(&mut self.text, &mut self.splitter)? {
            self.convert(scan, &mut batcher)?;
            if let Err(Cancelled) = batcher.send_full(self.text.taken()) {
                return Ok(());
            }
        }
        // A receiver that is gone needs no last batch either.
        batcher.send(self.text.taken()).or(Ok(()))
    }

    /// Converts the row at the start of the window, or refuses it, and goes on to the next.
    fn convert(&mut self, scan: Scan, batcher: &mut Batcher) -> Result<(), ImportErrorKind> {
        let (line, window) = (self.text.line(), self.text.window());
        let mut refuse = |reason: Reason, row| {
            batcher.refuse(line, &Refusal::from(reason), shorten(without_line_end(row)));
        };
        let bytes = match scan {
            Scan::Row(bytes) => bytes,
            Scan::Partial | Scan::Malformed(_) => {
                let row = first_line(window);
                refuse(
                    match scan {
                        Scan::Malformed(reason) => reason,
                        _ if row.len() < window.len() => Reason::OpenQuote,
                        _ => Reason::LongRow(ROW_BYTES_MAX),
                    },
                    row,
                );
                return Ok(self.text.skip_line()?);
            }
        };
        let row = &window[..bytes];
        let found = self.splitter.spans.len();
        if without_line_end(row).is_empty() {
            // An empty line, which separates nothing from nothing.
        } else if bytes > ROW_BYTES_MAX {
            refuse(Reason::LongRow(ROW_BYTES_MAX), row);
        } else if found != self.width {
            refuse(Reason::ColumnCount { found, expected: self.width }, row);
        } else {
            let cells = CsvRow { splitter: &self.splitter, bytes: row, positions: &self.positions };
            batcher.text_row(line, &cells, without_line_end(row));
        }
        self.text.take(bytes);
        Ok(())
    }
}

/// Takes the next row apart, with as much of the file in view as that needs. Nothing at the end of the file.
///
/// A row that is still [`Scan::Partial`] is longer than the window.
fn next_row(text: &mut TextFile, splitter: &mut Splitter) -> Result<Option<Scan>, ImportErrorKind> {
    loop {
        if text.has_ended() && text.window().is_empty() {
            return Ok(None);
        }
        match splitter.scan(text.window(), text.has_ended()) {
            Scan::Partial if text.read_on()? || text.has_ended() => {}
            scan => return Ok(Some(scan)),
        }
    }
}

fn first_line(window: &[u8]) -> &[u8] {
    let end = window.iter().position(|byte| *byte == b'\n').map_or(window.len(), |end| end + 1);
    &window[..end]
}

fn read_header(text: &mut TextFile, splitter: &mut Splitter) -> Result<Vec<Arc<str>>, ImportErrorKind> {
    let header = |reason: Reason| ImportErrorKind::Header(reason.to_string());
    loop {
        let bytes = match next_row(text, splitter)? {
            None => return Err(ImportErrorKind::Empty),
            Some(Scan::Malformed(reason)) => return Err(header(reason)),
            Some(Scan::Partial) => return Err(header(Reason::LongRow(ROW_BYTES_MAX))),
            Some(Scan::Row(bytes)) => bytes,
        };
        let row = &text.window()[..bytes];
        if without_line_end(row).is_empty() {
            text.take(bytes);
            continue;
        }
        if splitter.spans.len() > CSV_COLUMNS_MAX {
            return Err(ImportErrorKind::TooManyColumns {
                found: splitter.spans.len(),
                limit: CSV_COLUMNS_MAX,
            });
        }
        let names = (0..splitter.spans.len())
            .map(|index| match std::str::from_utf8(splitter.value(row, index)) {
                Ok(name) => Ok(name.trim().into()),
                Err(_) => Err(header(Reason::NotUtf8)),
            })
            .collect();
        text.take(bytes);
        return names;
    }
}
