//! What a worker process tells the one that started it: one JSON object on each line of its standard output.

use serde::{Deserialize, Serialize};

/// Something that happened in a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker is entered in the database.
    Entered {
        /// Its id there.
        worker: i64,
    },
    /// The plugin is called. Until [`Event::Returned`], what happens to the process is the doing of these records.
    Called {
        /// The number of the chunk.
        chunk: i64,
        /// The record, if it is a single one.
        record: Option<i64>,
    },
    /// The plugin has returned.
    Returned,
    /// A chunk is in the database.
    Done {
        /// Its predictions.
        predicted: u64,
        /// Its rejects.
        rejected: u64,
        /// Seconds of reading.
        read: f64,
        /// Seconds of predicting.
        predict: f64,
        /// Seconds of writing.
        write: f64,
    },
    /// The worker has come to its end in good order: whatever ends a process without it is a death.
    Ended {
        /// Whether it was taken for dead meanwhile, so that another one has to go on in its place.
        lost: bool,
    },
    /// The worker cannot go on, and neither could another one.
    Failed {
        /// What went wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}
