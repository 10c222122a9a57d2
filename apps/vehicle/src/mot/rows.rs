//! Lines of MOTChallenge text, read one by one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use foretell_terminal::Failure;
use serde::Serialize;

use crate::found::Found;

/// The most bytes of a file: some ten million lines.
pub const TEXT_BYTES_MAX: u64 = 1 << 30;
/// The greatest number of a frame: a day and a half at 30 a second.
pub const FRAME_MAX: i64 = 1 << 22;
/// The greatest coordinate, far beyond any image.
const COORDINATE_MAX: f64 = 1e9;
/// What a score is divided by where a file counts them in hundredths.
const PERCENT: f64 = 100.0;

/// The fields, in their order. What follows is not read.
const FIELDS: [&str; 7] = ["frame", "id", "x", "y", "width", "height", "score"];
/// How many of them there must be: results are written without a score, too.
const FIELDS_MIN: usize = 6;

/// A box of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The line, counted from 1.
    pub line: u64,
    /// The frame, counted from 1.
    pub frame: i64,
    /// Which thing it is; -1 of a detection.
    pub id: i64,
    /// Left edge in pixels.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width, above 0.
    pub width: f64,
    /// Height, above 0.
    pub height: f64,
    /// The seventh number, if the line has one: how sure a detector is, or whether a truth counts.
    pub score: Option<f64>,
}

/// A line that is no box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The field at fault.
    pub field: &'static str,
    /// What was expected, and what was found.
    pub reason: String,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`, line {}, `{}`: {}", self.file, self.line, self.field, self.reason)
    }
}

/// The text of a file.
///
/// # Errors
/// It can't be read, or has more than [`TEXT_BYTES_MAX`] bytes.
pub fn text_of(path: &Path) -> Result<String, Failure> {
    let failure = |reason: String| Failure::words(format!("cannot read `{}`: {reason}", path.display()));
    let length = fs::metadata(path).map_err(|error| failure(error.to_string()))?.len();
    if length > TEXT_BYTES_MAX {
        return Err(failure(format!("it has {length} bytes; expected at most {TEXT_BYTES_MAX}")));
    }
    let bytes = fs::read(path).map_err(|error| failure(error.to_string()))?;
    // A line in another encoding is set aside like any other that holds no numbers.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The boxes of a text, and the lines that are none. Numbers stand between commas, or between spaces; empty lines are nothing.
pub fn rows(file: &Path, text: &str) -> (Vec<Row>, Vec<BadLine>) {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (line, text) in (1u64..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if text.trim().is_empty() {
            continue;
        }
        match row(line, text) {
            Ok(row) => rows.push(row),
            Err((field, reason)) => {
                bad.push(BadLine { file: file.display().to_string(), line, field, reason });
            }
        }
    }
    (rows, bad)
}

fn row(line: u64, text: &str) -> Result<Row, (&'static str, String)> {
    let fields: Vec<&str> = if text.contains(',') {
        text.split(',').map(str::trim).collect()
    } else {
        text.split_whitespace().collect()
    };
    let number = |at: usize| {
        let (name, field) = (FIELDS[at], fields.get(at).copied().unwrap_or_default());
        let parsed: Option<f64> = field.parse().ok();
        let usable = parsed.filter(|number| number.abs() <= COORDINATE_MAX);
        usable.ok_or_else(|| (name, format!("expected a number, found {}", shown(field))))
    };
    let whole = |at: usize, least: i64, most: i64| {
        let found = number(at)?;
        let inside = found.fract() == 0.0 && (least as f64..=most as f64).contains(&found);
        let expected =
            || (FIELDS[at], format!("expected a whole number from {least} to {most}, found {found}"));
        inside.then_some(found as i64).ok_or_else(expected)
    };
    let side = |at: usize| {
        let found = number(at)?;
        let expected = || (FIELDS[at], format!("expected a number above 0, found {found}"));
        (found > 0.0).then_some(found).ok_or_else(expected)
    };
    Ok(Row {
        line,
        frame: whole(0, 1, FRAME_MAX)?,
        id: whole(1, -1, COORDINATE_MAX as i64)?,
        x: number(2)?,
        y: number(3)?,
        width: side(4)?,
        height: side(5)?,
        score: if fields.len() > FIELDS_MIN { Some(number(FIELDS_MIN)?) } else { None },
    })
}

/// A field, as a message repeats it.
fn shown(field: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    match field {
        "" => "nothing".to_owned(),
        field => format!("`{}`", field.chars().take(CHARACTERS_MAX).collect::<String>()),
    }
}

/// The detections of a text, frame by frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detections {
    /// Boxes of each frame, up to the last that has one.
    pub frames: Vec<Vec<Found>>,
    /// Whether scores were counted in hundredths: one of them was above 1.
    pub are_percent: bool,
    /// Lines that are no detection.
    pub bad: Vec<BadLine>,
}

/// Reads rows as detections of `label`. A line without a score is sure. If a score is above 1, all of them count in hundredths.
pub fn detections(file: &Path, text: &str, label: &str) -> Detections {
    let (rows, mut bad) = rows(file, text);
    let are_percent = rows.iter().any(|row| row.score.is_some_and(|score| score > 1.0));
    let most = if are_percent { PERCENT } else { 1.0 };
    let mut frames: BTreeMap<i64, Vec<Found>> = BTreeMap::new();
    for row in rows {
        let score = row.score.unwrap_or(most);
        if !(0.0..=most).contains(&score) {
            let reason = format!("expected a number from 0 to {most}, found {score}");
            let (file, field) = (file.display().to_string(), FIELDS[FIELDS_MIN]);
            bad.push(BadLine { file, line: row.line, field, reason });
            continue;
        }
        frames.entry(row.frame).or_default().push(Found {
            x: row.x as f32,
            y: row.y as f32,
            width: row.width as f32,
            height: row.height as f32,
            label: label.to_owned(),
            score: (score / most) as f32,
        });
    }
    bad.sort_by_key(|bad| bad.line);
    let last = frames.keys().next_back().copied().unwrap_or(0);
    let frames = (1..=last).map(|frame| frames.remove(&frame).unwrap_or_default()).collect();
    Detections { frames, are_percent, bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Detections {
        detections(Path::new("det.txt"), text, "person")
    }

    #[test]
    fn detections_are_read_however_they_are_written() {
        // (text, boxes of each frame, score of the first)
        for (text, boxes, score) in [
            ("1,-1,10,20,30,40,0.5,-1,-1,-1\n", vec![1], 0.5),
            ("1,-1,10,20,30,40,0.5\r\n\r\n3,-1,10,20,30,40,1\r\n", vec![1, 0, 1], 0.5),
            ("1.000,7.000,10,20,30,40", vec![1], 1.0),
            ("1 -1 10 20 30 40 0.25\n1 -1 10 20 30 40 0.5", vec![2], 0.25),
            ("1,-1,10,20,30,40,50,-1,-1,-1\n1,-1,10,20,30,40,0.5", vec![2], 0.5),
            ("\u{feff}1,-1,10,20,30,40,0", vec![1], 0.0),
            ("", vec![], 0.0),
        ] {
            let found = read(text);
            assert_eq!(found.frames.iter().map(Vec::len).collect::<Vec<_>>(), boxes, "{text}");
            assert_eq!(found.bad, [], "{text}");
            let first = found.frames.iter().flatten().next();
            assert_eq!(first.map_or(0.0, |first| first.score), score, "{text}");
        }
    }

    #[test]
    fn a_bad_line_is_told_by_its_field_and_the_others_stay() {
        for (line, field, words) in [
            ("0,-1,10,20,30,40,0.5", "frame", "from 1 to"),
            ("1.5,-1,10,20,30,40,0.5", "frame", "whole number"),
            ("99999999,-1,10,20,30,40,0.5", "frame", "found 99999999"),
            ("1,x,10,20,30,40,0.5", "id", "`x`"),
            ("1,-1,inf,20,30,40,0.5", "x", "`inf`"),
            ("1,-1,10,NaN,30,40,0.5", "y", "`NaN`"),
            ("1,-1,10,20,0,40,0.5", "width", "above 0"),
            ("1,-1,10,20,30,-4,0.5", "height", "above 0"),
            ("1,-1,10,20,30", "height", "nothing"),
            ("1,-1,10,20,30,40,", "score", "nothing"),
            ("1,-1,10,20,30,40,-1", "score", "from 0 to 1"),
        ] {
            let found = read(&format!("1,-1,1,2,3,4,0.5\n{line}\n2,-1,1,2,3,4,0.5"));
            assert_eq!(found.frames.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1], "{line}");
            let [bad] = &found.bad[..] else { panic!("{line}: {:?}", found.bad) };
            assert_eq!((bad.line, bad.field), (2, field), "{line}");
            assert!(bad.reason.contains(words), "{line}: {}", bad.reason);
        }
    }
}
