//! Records, labels, predictions and their lineage, in one SQLite file.
//!
//! ```
//! use foretell_store::label::NewLabel;
//! use foretell_store::lineage::{NewRun, PluginVersion};
//! use foretell_store::open::Store;
//! use foretell_store::prediction::{NewPrediction, RunSelection, ScoredFilter};
//! use foretell_store::record::{Appender, LabelValue, NewRecord, SourceInfo, SourceKind};
//! use foretell_store::time::{DAY, now};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//!
//! // A record goes in. `customer` is a key: it ties the record to the past of customer 596.
//! let source = SourceInfo { kind: SourceKind::Live, name: "till 3".into(), hash: None, mapping: None };
//! let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await?;
//! let order = NewRecord {
//!     external_id: Some("A-17".into()),
//!     event_time: now(),
//!     payload: r#"{"customer":"596","amount":57.16}"#.into(),
//!     keys: vec![Some("596".into())],
//!     labels: vec![],
//!     media: vec![],
//! };
//! let record_id = appender.append(vec![order]).await?[0].record_id();
//! appender.finish().await?;
//!
//! // A run says what scored it.
//! let plugin = PluginVersion {
//!     name: "returns".into(),
//!     version: "1.0.0".into(),
//!     domain: "shop".into(),
//!     task: "binary-classification".into(),
//!     library_hash: "5d41".into(),
//!     manifest_hash: "7d79".into(),
//!     manifest: "name = \"returns\"".into(),
//! };
//! let run = NewRun {
//!     plugin_version_id: store.plugin_version(&plugin).await?,
//!     model_ids: vec![],
//!     config: "{}".into(),
//!     onnxruntime: "1.32.0".into(),
//!     threads: 1,
//!     program: "till 0.1.0".into(),
//!     author: "clerk".into(),
//!     selection: "{}".into(),
//!     shadow: false,
//! };
//! let run_id = store.begin_run(&run).await?;
//! let prediction = NewPrediction { record_id, score: Some(0.8), label: Some("check".into()), output: None };
//! store.write_predictions(run_id, &[prediction], &[]).await?;
//! store.finish_run(run_id).await?;
//!
//! // A week later the truth is known.
//! let label = NewLabel {
//!     record_id,
//!     name: "returned".into(),
//!     value: LabelValue::Bool(true),
//!     known_at: now() + 7 * DAY,
//!     source: "review".into(),
//! };
//! store.add_labels(&[label]).await?;
//!
//! let scored = store.scored(&ScoredFilter::new("shop", RunSelection::Run(run_id), "returned")).await?;
//! assert_eq!((scored.scores[0], scored.labels[0]), (0.8, Some(1.0)));
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! - A [`record`] is one input of a *domain*, exactly as it came. It never changes.
//! - An *entity* is what records share: a customer, a device. Its past is what [`history`] gives to a plugin.
//! - A [`label`] is what turned out to be true, with the time from which that was known.
//! - A *run* is what produced predictions; [`lineage`] keeps everything it takes to produce them again.
//! - A [`prediction`] is what a run said about a record.
//! - [`import`] and [`export`] move records in and out as files, [`blob`] keeps media, [`maintenance`] looks after the
//!   file, and [`open`] opens it.
//!
//! Ids are positive and grow in the order of storing. Times and durations are microseconds: see [`mod@time`].
//!
//! # What can be relied on
//!
//! - **An acknowledged record or label is on the disk.** Predictions may be lost in a power cut, in whole batches, since
//!   they can be made again; what is there is always consistent.
//! - **Every write is one transaction.** An error, a dropped future or a killed process leaves nothing half done.
//! - **Repeating is safe.** Appending the same named records, adding the same labels, or storing the same plugin
//!   version again changes nothing.
//! - **Errors say what to do.** Each operation has one error type with its context and a kind, and each kind may have a
//!   `hint()`. What went wrong underneath is a [`fault`].
//!
//! # Pitfalls
//!
//! - One connection writes at a time, in all processes together. Batches make the difference: a batch of one record
//!   waits for the disk as long as a batch of thousands.
//! - Payloads may hold what identifies a person. Errors never repeat them; only the reject report does.

pub mod blob;
pub mod deployment;
pub mod export;
pub mod fault;
pub mod history;
pub mod import;
pub mod job;
pub mod label;
pub mod labelled;
pub mod lineage;
pub mod maintenance;
pub mod members;
pub mod open;
pub mod prediction;
pub mod record;
mod rows;
pub mod selection;
pub mod time;
