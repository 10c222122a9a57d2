//! Write a foretell plugin in Rust: a struct, a trait impl and one macro.
//!
//! ```
//! use foretell_sdk::{Column, Error, Open, Plugin, Records, Scores};
//!
//! /// Finds an amount suspicious when it is far above the mean of the customer's past ones.
//! struct Outlier {
//!     amount: Column<f64>,
//!     past: foretell_sdk::History,
//!     past_amount: foretell_sdk::Past<f64>,
//! }
//!
//! impl Plugin for Outlier {
//!     type Predictions = Scores;
//!
//!     fn open(request: &Open<'_>) -> Result<Self, Error> {
//!         let past = request.history("customer")?;
//!         Ok(Self { amount: request.column("amount")?, past, past_amount: request.past(past, "amount")? })
//!     }
//!
//!     fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
//!         let amounts = records.column(self.amount);
//!         let rows = records.history(self.past);
//!         let past = records.past(self.past_amount);
//!         for row in 0..records.len() {
//!             let known = &past.values()[rows.range(row)];
//!             let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
//!             scores.push(if amounts.values()[row] > 5.0 * mean { 1.0 } else { 0.0 });
//!         }
//!         Ok(())
//!     }
//! }
//!
//! foretell_sdk::export!(Outlier, "outlier", "0.1.0");
//! # fn main() {}
//! ```
//!
//! The crate is built as a `cdylib`, and a `plugin.toml` beside it says what the host must know without running it:
//! inputs, history, model files, task. At `open` a plugin asks for the columns it wants by name and type, and keeps the
//! small handles it gets; at `predict` a handle gives the column as a slice, in place, without a copy.
//!
//! - **Invariant:** a plugin is a pure function of the record and its past. It keeps no state between calls: the host
//!   calls `predict` from several threads, on any records, in any order.
//! - **Invariant:** a plugin sees this crate and its own code. Networks are run by the host ([`Model`]), so a plugin links
//!   neither ONNX Runtime nor a database.
//!
//! A plugin's own tests try it without a host: see [`testing`].
//!
//! Pitfall: a panic is caught at the boundary and becomes an error of that call, but only when the library is built
//! with `panic = "unwind"`, which is Cargo's default.

mod attention;
mod boundary;
mod error;
mod fit;
mod host;
mod image;
mod network;
mod owned;
mod predictions;
mod records;
mod schema;
mod settings;
mod tensor;
pub mod testing;

pub use attention::Attend;
pub use boundary::{Plugin, table, table_with_attention, table_with_fit};
pub use error::Error;
pub use fit::{Fit, Output, Start};
pub use foretell_abi as abi;
pub use host::{Data, Host, Level, Model};
pub use image::{Image, Images, Picture, Sample, Shape};
pub use network::ImageNetwork;
pub use predictions::{
    Answers, Classes, Detected, Detections, Forecasts, Form, Maps, Masks, Predictions, Rankings, Scores,
    Step, Tracked, Tracks, Values, WithNovelty,
};
pub use records::{Bits, Column, History, List, Lists, Numbers, Past, PastRows, Records, Texts, Time, Value};
pub use schema::{Field, Kind, Open};
pub use settings::SettingsError;
pub use tensor::{Element, Tensor, TensorMut};
