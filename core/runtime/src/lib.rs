//! Finding, checking and running plugin models: the part of foretell that every app shares.
//!
//! A plugin is a directory: a manifest ([`manifest`]) that can be read without running code, a native library behind a
//! small C interface (`foretell-abi`), and its ONNX models. From a directory on disk to a prediction there are four
//! steps, and each one's result is what the next one asks for:
//!
//! | step | module | gives |
//! |---|---|---|
//! | copy it into the home, from its directory or an archive ([`package`]), and pin its hashes | [`registry`] | `Installed` |
//! | compare the files with the pins, and with what the [`policy`] demands ([`signature`]) | [`trust`] | `Verified` |
//! | start ONNX Runtime, open the models from the bytes that were hashed | [`onnx`] | `Runtime`, `Model` |
//! | load the library and call it | [`plugin`] | `Plugin`, `Predictions` |
//!
//! A plugin that learns goes from stored records to a new version of itself: [`fit`]. One that reads images may say which places
//! speak for its prediction: [`attention`].
//!
//! - **Invariant:** nothing here executes a plugin's code before its files were verified: only a `Verified` loads.
//! - **Invariant:** nothing here knows a database, an app or a domain.
//! - **Invariant:** error messages are complete in themselves: they name the file or place, what was expected, what was
//!   found and what to do. Their `source` is not needed to understand them.

pub mod attention;
pub mod check;
mod exchange;
pub mod exit;
pub mod files;
pub mod fit;
pub mod hash;
pub mod home;
mod host;
mod instance;
pub mod isolation;
mod load;
pub mod manifest;
pub mod onnx;
pub mod package;
pub mod plugin;
pub mod policy;
pub mod registry;
pub mod schema;
pub mod signature;
pub mod trust;
