//! A plugin for tests that does what the record tells it to.
//!
//! | mood | what it does |
//! |---|---|
//! | `calm` | answers the record's amount, between 0 and 1 |
//! | `sulky` | fails the batch with an error |
//! | `furious` | panics |
//! | `lost` | answers NaN |
//! | `slow` | sleeps for 10 ms, then is calm |
//! | `stuck` | hangs for ever |
//! | `deadly` | aborts the process |
//! | `leaving` | ends the process as if all were well |
//! | `chatty` | prints bytes that are no text, and no end of line, then is calm |
//!
//! With the lists `frame`, `x`, `label` and `kept` in its manifest, a calm answer is another one: the greatest `x` of a car that is
//! kept and in an even frame, 0 where there is none, and 1 where there are no lists.

use std::io::Write;
use std::time::Duration;

use foretell_sdk::{Column, Error, List, Open, Plugin, Records, Scores};

struct Moody {
    mood: Column<str>,
    amount: Column<f64>,
    found: Option<Found>,
}

/// What was found in a film.
struct Found {
    frame: List<i64>,
    x: List<f64>,
    label: List<str>,
    kept: List<bool>,
}

impl Found {
    fn open(request: &Open<'_>) -> Result<Option<Self>, Error> {
        if !request.fields().iter().any(|field| field.name == "frame") {
            return Ok(None);
        }
        Ok(Some(Self {
            frame: request.list("frame")?,
            x: request.list("x")?,
            label: request.list("label")?,
            kept: request.list("kept")?,
        }))
    }

    /// The greatest `x` of a car that is kept and in an even frame.
    fn greatest(&self, records: &Records<'_>, row: usize) -> Option<f64> {
        let (frames, x) = (records.list(self.frame).get(row)?, records.list(self.x).get(row)?);
        let (labels, kept) = (records.list(self.label), records.list(self.kept));
        let counted = frames.iter().zip(x).zip(labels.get(row)?).zip(kept.get(row)?);
        let counted =
            counted.filter(|(((frame, _), label), kept)| *frame % 2 == 0 && *label == "car" && *kept);
        Some(counted.map(|(((_, x), _), _)| *x).fold(0.0, f64::max))
    }
}

impl Plugin for Moody {
    type Predictions = Scores;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        if request.config().contains("\"panic\":true") {
            panic!("asked to panic while opening");
        }
        let found = Found::open(request)?;
        Ok(Self { mood: request.column("mood")?, amount: request.column("amount")?, found })
    }

    fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
        let (moods, amounts) = (records.column(self.mood), records.column(self.amount).values());
        for (row, &amount) in amounts.iter().enumerate() {
            match moods.get(row) {
                Some("calm") => {
                    let greatest = self.found.as_ref().map(|found| found.greatest(records, row));
                    scores.push(greatest.map_or(amount, |greatest| greatest.unwrap_or(1.0)) as f32);
                }
                Some("sulky") => {
                    return Err(Error::invalid(format!("`mood` is `sulky` in row {row}; expected `calm`")));
                }
                Some("furious") => panic!("furious in row {row}"),
                Some("lost") => scores.push(f32::NAN),
                Some("leaving") => std::process::exit(0),
                Some("chatty") => {
                    let printed = std::io::stdout()
                        .write_all(b"\xff\xfe and so on")
                        .and_then(|()| std::io::stdout().flush());
                    printed.map_err(|error| Error::invalid(format!("nobody listens: {error}")))?;
                    scores.push(amount as f32);
                }
                Some("slow") => {
                    std::thread::sleep(Duration::from_millis(10));
                    scores.push(amount as f32);
                }
                Some("stuck") => loop {
                    std::thread::park();
                },
                Some("deadly") => std::process::abort(),
                _ => return Err(Error::invalid("`mood` is missing or unknown")),
            }
        }
        Ok(())
    }
}

foretell_sdk::export!(Moody, "moody", "1.0.0");
