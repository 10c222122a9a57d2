//! A text file, read through a window of bounded size.
//!
//! What a reader of lines or rows needs: to look at the bytes from here on, to ask for more of them, and to go on. The
//! window is all the memory that any file gets, however long its lines are.

use std::fs::File;
use std::io::{self, Read};

/// The longest row of a text file: one line, or several if quotes hold them together.
pub const ROW_BYTES_MAX: usize = 1 << 20;
/// The window: the longest row, its line end, and enough room to read well.
const WINDOW_BYTES: usize = ROW_BYTES_MAX + (256 << 10);
/// What some programs write at the start of a file to say that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A text file and the part of it that is in view.
pub(super) struct TextFile {
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Nothing comes after the window.
    ended: bool,
    line: i64,
    taken: u64,
}

impl TextFile {
    /// Looks at the start of a file, past a byte order mark.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let buffer = vec![0; WINDOW_BYTES];
        let mut text = Self { file, buffer, start: 0, end: 0, ended: false, line: 1, taken: 0 };
        while !text.ended && text.window().len() < BYTE_ORDER_MARK.len() {
            text.read_on()?;
        }
        if text.window().starts_with(BYTE_ORDER_MARK) {
            text.take(BYTE_ORDER_MARK.len());
        }
        Ok(text)
    }

    /// The bytes from here on, as far as they are in view.
    pub(super) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether the window reaches the end of the file.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The number of the line that begins the window, from 1.
    pub(super) fn line(&self) -> i64 {
        self.line
    }

    /// How many bytes of the file lie before the window.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Brings more bytes into view. False if the window is as large as it gets, or the file has ended.
    pub(super) fn read_on(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            return Ok(false);
        }
        let count = loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.end += count;
        self.ended = count == 0;
        Ok(count > 0)
    }

    /// Goes on by so many bytes of the window.
    pub(super) fn take(&mut self, bytes: usize) {
        let taken = &self.buffer[self.start..self.start + bytes];
        self.line += i64::try_from(taken.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(i64::MAX);
        self.start += bytes;
        self.taken += bytes as u64;
    }

    /// Goes on to the next line, however far that is.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        loop {
            match self.window().iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.take(end + 1);
                    return Ok(());
                }
                None => self.take(self.window().len()),
            }
            if !self.read_on()? {
                return Ok(());
            }
        }
    }
}

/// A line without its line end.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
