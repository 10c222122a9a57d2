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

use std::io::Write;
use std::time::Duration;

use foretell_sdk::{Column, Error, Open, Plugin, Records, Scores};

struct Moody {
    mood: Column<str>,
    amount: Column<f64>,
}

impl Plugin for Moody {
    type Predictions = Scores;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        if request.config().contains("\"panic\":true") {
            panic!("asked to panic while opening");
        }
        Ok(Self { mood: request.column("mood")?, amount: request.column("amount")? })
    }

    fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
        let (moods, amounts) = (records.column(self.mood), records.column(self.amount).values());
        for (row, &amount) in amounts.iter().enumerate() {
            match moods.get(row) {
                Some("calm") => scores.push(amount as f32),
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
