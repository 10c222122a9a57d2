//! The operator's app: [what the user types](arguments), the [commands](command), and the [documents](document) that
//! they print with `--json`.
//!
//! It looks after what the apps of the domains share: installed plugins, stored records and predictions, the database,
//! ONNX Runtime.
//!
//! - **Invariant:** `plugin install`, `plugin remove`, `record import`, `model fetch`, `db migrate` and `db vacuum` change
//!   something, and jobs do, and nothing else. Only `model fetch` fetches, and only without an archive. The other commands
//!   open the database for reading, and write no file that they were not asked for; `doctor` also opens it for writing, to
//!   see whether that can be done.
//! - **Invariant:** a plugin's code runs in jobs, in `verify` and in `plugin validate` alone. What the other commands say of
//!   it comes from its manifest and from the hashes of its files.

pub mod arguments;
pub mod command;
pub mod document;
