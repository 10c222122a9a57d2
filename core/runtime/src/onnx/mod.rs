//! ONNX Runtime: finding its library, starting it, and running networks at the price of the network.
//!
//! The library is not linked and not shipped inside the program: it is a file (35 MB on Linux) that is looked for at
//! known places when the first network is opened.
//!
//! ```no_run
//! use foretell_runtime::onnx::{Model, Places, Runtime, TensorView, TensorViewMut};
//!
//! let runtime = Runtime::start(&Places::of_process(None))?;
//! let model = Model::from_bytes(&runtime, std::fs::read("affine.onnx")?, 1, 4)?;
//!
//! let features = [1.0f32, 2.0, 3.0];
//! let mut score = [0.0f32];
//! model.run(
//!     &[TensorView::of(&[1, 3], &features)],
//!     &mut [TensorViewMut::of(&[1], &mut score)],
//! )?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a run costs beside the network itself: a lock, the checks of the shapes, and one small object of ONNX Runtime
//! for each tensor. Inputs are read where they are, and outputs are written where the caller wants them.
//!
//! - **Invariant:** one ONNX Runtime for each process. It is started once and stays.
//! - **Invariant:** a session is made from bytes in memory whose hash was taken, so what runs is what was pinned. Weights
//!   in a second file are refused.
//! - **Invariant:** telemetry is off, and networks run on the CPU, whatever accelerators a build of the library has: the
//!   same network gives the same answer everywhere.
//!
//! [`inspect`] looks at a network of which nothing is known yet. [`record()`] notes what networks are run with, so that they can be
//! run with the same again.
//!
//! Pitfalls:
//! - Outputs must have the exact shapes that the network gives. A network whose output's size depends on the values (such
//!   as a detector with its own suppression of overlaps) can't be run this way.
//! - ONNX Runtime does not promise that one session may run in two threads. A [`Model`] has several, and takes turns.

mod environment;
mod inspect;
mod locate;
mod model;
mod record;
mod session;
mod tensor;

pub use environment::{Runtime, StartError, refuse_telemetry};
pub use inspect::{Answered, Inspection, Samples, inspect};
pub use locate::{
    API_VERSION, Finding, LIBRARY_VARIABLE, Library, NotFound, Origin, Place, Places, Search, locate,
};
pub(crate) use model::read;
pub use model::{MODEL_BYTES_MAX, Model, ModelError, ModelErrorKind};
pub use record::{RecordedRun, record};
pub use session::RunError;
pub use tensor::{Dimension, Element, Native, TensorSpec, TensorView, TensorViewMut};
