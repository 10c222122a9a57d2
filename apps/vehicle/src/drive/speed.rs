//! How fast the car was: one number, or a table by frame.

use std::path::{Path, PathBuf};

/// Fastest speed that is taken, in metres per second.
pub const SPEED_MAX: f64 = 200.0;
/// Largest table that is read.
const SPEED_FILE_BYTES_MAX: u64 = 64 << 20;
/// First line of a table.
const HEAD: &str = "frame,speed_m_per_s";

/// The car's own speed, in metres per second.
#[derive(Clone, Debug, PartialEq)]
pub enum Speed {
    /// All the time.
    Constant(f64),
    /// From which frame on it is which, frames ascending. Before the first one it is that of the first.
    Table(Vec<(usize, f64)>),
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read speeds from `{}`: {kind}", path.display())]
pub struct SpeedError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub kind: SpeedErrorKind,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SpeedErrorKind {
    /// It is not there, or no text.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// Too large.
    #[error("it has {0} bytes; at most {SPEED_FILE_BYTES_MAX} are read")]
    Bytes(u64),
    /// Another first line.
    #[error("expected a first line `{HEAD}`, found `{0}`")]
    Head(String),
    /// A line that is none.
    #[error("line {line}: expected a frame from 0 and a speed from 0 to {SPEED_MAX} m/s, found `{found}`")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What it says.
        found: String,
    },
    /// A frame at or before the one of the line before.
    #[error("line {line}: frames must ascend, and {frame} follows {before}")]
    Order {
        /// Which line, from 1.
        line: usize,
        /// Its frame.
        frame: usize,
        /// That of the line before.
        before: usize,
    },
    /// Nothing below the first line.
    #[error("it has no line below the first one")]
    Empty,
}

impl Speed {
    /// Reads a table: `frame,speed_m_per_s`, a line for each frame from which on the speed is another, frames from 0.
    ///
    /// # Errors
    /// [`SpeedError`].
    pub fn read(path: &Path) -> Result<Speed, SpeedError> {
        let read = || {
            let bytes = std::fs::metadata(path)?.len();
            if bytes > SPEED_FILE_BYTES_MAX {
                return Err(SpeedErrorKind::Bytes(bytes));
            }
            Speed::parse(&std::fs::read_to_string(path)?)
        };
        read().map_err(|kind| SpeedError { path: path.to_owned(), kind })
    }

    fn parse(text: &str) -> Result<Speed, SpeedErrorKind> {
        /// Letters of a line that an error shows.
        const SHOWN_LETTERS: usize = 60;
        let shown = |line: &str| line.chars().take(SHOWN_LETTERS).collect::<String>();
        // Spreadsheets begin a text with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or("", |(_, head)| head.trim());
        if head.split(',').map(str::trim).ne(HEAD.split(',')) {
            return Err(SpeedErrorKind::Head(shown(head)));
        }
        let mut table: Vec<(usize, f64)> = Vec::new();
        for (place, text) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let line = place + 1;
            let parsed = text.split_once(',').and_then(|(frame, speed)| {
                let speed = speed.trim().parse().ok().filter(|speed| (0.0..=SPEED_MAX).contains(speed));
                Some((frame.trim().parse().ok()?, speed?))
            });
            let (frame, speed) = parsed.ok_or_else(|| SpeedErrorKind::Line { line, found: shown(text) })?;
            if let Some(&(before, _)) = table.last()
                && frame <= before
            {
                return Err(SpeedErrorKind::Order { line, frame, before });
            }
            table.push((frame, speed));
        }
        if table.is_empty() {
            return Err(SpeedErrorKind::Empty);
        }
        Ok(Speed::Table(table))
    }

    /// The speeds of `count` frames from `first` on; one number where it is the same all the time.
    pub fn of(&self, first: usize, count: usize) -> Vec<f64> {
        let table = match self {
            Speed::Constant(speed) => return vec![*speed],
            Speed::Table(table) => table,
        };
        let at = |frame: usize| {
            let after = table.partition_point(|(from, _)| *from <= frame);
            table.get(after.saturating_sub(1)).map(|(_, speed)| *speed)
        };
        (first..first + count).filter_map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_holds_until_the_next_one() {
        let speed = Speed::parse("\u{feff}frame, speed_m_per_s\r\n2,10\r\n\r\n4, 12.5\r\n").unwrap();
        assert_eq!(speed.of(0, 6), [10.0, 10.0, 10.0, 10.0, 12.5, 12.5]);
        assert_eq!(speed.of(4, 1), [12.5]);
        assert!(speed.of(0, 0).is_empty());
        assert_eq!(Speed::Constant(8.0).of(100, 50), [8.0]);
    }

    #[test]
    fn what_is_no_table_says_where() {
        for (text, message) in [
            ("", "expected a first line"),
            ("frame,speed\n", "`frame,speed`"),
            ("frame,speed_m_per_s\n", "no line below"),
            ("frame,speed_m_per_s\n0,10\n1;11\n", "line 3"),
            ("frame,speed_m_per_s\n0,-1\n", "line 2"),
            ("frame,speed_m_per_s\n0,201\n", "0 to 200 m/s"),
            ("frame,speed_m_per_s\n0,NaN\n", "`0,NaN`"),
            ("frame,speed_m_per_s\n1.5,10\n", "`1.5,10`"),
            ("frame,speed_m_per_s\n3,10\n3,11\n", "3 follows 3"),
        ] {
            let error = Speed::parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
        let error = Speed::read(Path::new("nowhere/speed.csv")).unwrap_err().to_string();
        assert!(error.contains("nowhere/speed.csv"), "{error}");
    }
}
