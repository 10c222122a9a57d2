//! A text file, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest line of a text file, in bytes.
pub const LINE_BYTES_MAX: u64 = 4 << 20;
/// What some programs write at the start of a file to say that it is UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A line, or why there is no telling what it says.
pub(super) type Line = Result<String, String>;

/// The lines of a file that are not empty, each with its number, from 1.
pub(super) struct Lines {
    reader: BufReader<File>,
    number: i64,
    /// Bytes that were read.
    pub(super) done: u64,
    /// Bytes of the file.
    pub(super) total: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Before opening: opening a pipe would wait for somebody to write.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let file = File::open(path)?;
        let total = file.metadata()?.len();
        match total {
            0 => Err(io::Error::other("it is empty")),
            _ => Ok(Self { reader: BufReader::new(file), number: 0, done: 0, total }),
        }
    }

    /// The next line that is not empty; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(i64, Line)>> {
        loop {
            let mut bytes = Vec::new();
            let read = self.reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes)? as u64;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.done += read;
            if read > LINE_BYTES_MAX && !bytes.ends_with(b"\n") {
                self.done += skip_line(&mut self.reader)?;
                return Ok(Some((self.number, Err(format!("is longer than {LINE_BYTES_MAX} bytes")))));
            }
            let line = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned());
            let line = line.map(|line| match self.number {
                1 => line.trim_start_matches(BYTE_ORDER_MARK).trim_end_matches(['\n', '\r']).to_owned(),
                _ => line.trim_end_matches(['\n', '\r']).to_owned(),
            });
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            return Ok(Some((self.number, line)));
        }
    }
}

/// Goes on to the next line, however far that is; how many bytes it was.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let bytes = reader.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        reader.consume(count);
        skipped += count as u64;
        if end.is_some() || count == 0 {
            return Ok(skipped);
        }
    }
}

/// The cells of a line. With `quotes`, a cell may stand between quotes, in which the delimiter is a character like
/// any other and a quote is written twice (RFC 4180, without line breaks in cells). A quote within a cell that does
/// not begin with one is a character like any other, too.
pub(super) fn cells(line: &str, delimiter: char, quotes: bool) -> Result<Vec<String>, &'static str> {
    if !quotes {
        return Ok(line.split(delimiter).map(|cell| cell.trim().to_owned()).collect());
    }
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted)?,
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        cells.push(cell);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(cells),
            None => return Err("has text after a closing quote"),
        }
    }
}

/// A cell whose opening quote was taken, and what follows its closing one.
fn quoted_cell(text: &str) -> Result<(String, &str), &'static str> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or("has a quote that is never closed")?;
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => return Ok((cell, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_taken_apart() {
        let quoted = |line| cells(line, ',', true);
        assert_eq!(quoted(r#"1,"Pan, 12"" wide",x"#).unwrap(), ["1", "Pan, 12\" wide", "x"]);
        assert_eq!(quoted(r#"a 12" pan, b ,"#).unwrap(), ["a 12\" pan", "b", ""]);
        assert_eq!(quoted(r#"1,"open"#), Err("has a quote that is never closed"));
        assert_eq!(quoted(r#""a"b,1"#), Err("has text after a closing quote"));
        assert_eq!(cells("\"Pan\" 12\"\ta,b", '\t', false).unwrap(), ["\"Pan\" 12\"", "a,b"]);
    }

    #[test]
    fn lines_are_counted_and_bad_ones_do_not_stop_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines.txt");
        let mut bytes = "\u{feff}a\r\n\n".as_bytes().to_vec();
        bytes.extend(b"\xff\n");
        bytes.extend(vec![b'x'; LINE_BYTES_MAX as usize + 5]);
        bytes.extend(b"\nlast");
        std::fs::write(&path, &bytes).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(line);
        }
        assert_eq!(found[0], (1, Ok("a".to_owned())));
        assert_eq!(found[1], (3, Err("is not UTF-8".to_owned())));
        assert_eq!(found[2], (4, Err(format!("is longer than {LINE_BYTES_MAX} bytes"))));
        assert_eq!(found[3], (5, Ok("last".to_owned())));
        assert_eq!((found.len(), lines.done), (4, bytes.len() as u64));
    }
}
