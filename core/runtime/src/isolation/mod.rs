//! Plugins in processes of their own: what one does there costs the record that it was asked about, and nothing else.
//!
//! A [`Runtime`](crate::onnx::Runtime) that [isolates](crate::onnx::Runtime::isolating) loads plugins so that none of their code
//! runs in this process. Nothing else changes: [`Plugin`](crate::plugin::Plugin) and [`Fitting`](crate::fit::Fitting) are used as
//! ever, and answer the same, to the bit.
//!
//! ```no_run
//! use std::sync::Arc;
//! use foretell_runtime::isolation::{Isolation, Limits};
//! use foretell_runtime::onnx::{Places, Runtime};
//!
//! let runtime = Runtime::start(&Places::of_process(None))?;
//! let isolation = Isolation::new("/proc/self/exe".into(), Limits::default());
//! let isolating: Arc<Runtime> = runtime.isolating(isolation);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The process is a program that calls [`serve`] when its first argument is [`ARGUMENT`], before it has done anything else: the
//! very program that asks, as a rule. It verifies the plugin's files again, against the hashes that the asking process verified;
//! takes its own rights away (see [`support`]); starts ONNX Runtime; and only then loads the library. Records and answers go
//! through two pipes as frames around Arrow's IPC format. The pipe for answers is moved away from standard output, so a plugin may
//! print what it likes.
//!
//! | what a plugin does | what becomes of it |
//! |---|---|
//! | crashes, ends its process | [`Ended::Signal`], [`Ended::Exit`] |
//! | does not return | [`Ended::Late`] after [`Limits::call_time_max`] |
//! | takes more memory than [`Limits::memory_bytes_max`] | [`Ended::Memory`], or an error of its own |
//! | answers what is no answer | [`Ended::Breach`], or the error that it would be without isolation |
//! | opens a connection, writes a file, starts a process | refused, where the system can: see [`support`] |
//!
//! After each of these the process is gone, and the next call starts another.
//!
//! - **Invariant:** with isolation, no code of a plugin runs in the process that was asked: predictions, attention and learning all
//!   happen in the other one.
//! - **Invariant:** whatever comes out of the process of a plugin is checked as an answer is that was made here, after its length was
//!   compared with a named limit and its form was validated.
//! - **Invariant:** the process ends when the one that started it does, however that ends.
//!
//! Pitfall: calls of one plugin take turns, since it has one process. A crash is then the doing of one call and no other.

mod apart;
mod batch;
mod confine;
mod frame;
mod keeper;
mod opening;
mod serve;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::exit::signal_name;

pub(crate) use self::apart::{Apart, ApartFitting};
pub use self::confine::{Support, support};
pub use self::serve::{ServeError, serve};

/// The first argument of a program that is to serve a plugin to the one that started it.
pub const ARGUMENT: &str = "isolated-plugin";
/// Most memory of an isolated plugin, in bytes, unless something else is asked for.
pub const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Longest time of a call of an isolated plugin, unless something else is asked for.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(60);

/// What an isolated plugin may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most memory of its process, in bytes.
    pub memory_bytes_max: u64,
    /// Longest time of one call.
    pub call_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes_max: MEMORY_BYTES_MAX, call_time_max: CALL_TIME_MAX }
    }
}

/// How plugins are isolated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    pub(crate) program: PathBuf,
    pub(crate) limits: Limits,
}

impl Isolation {
    /// Plugins run in processes of `program`, which serves them: see [`ARGUMENT`].
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits }
    }

    /// What a plugin may take.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The same with no call longer than `time`.
    #[must_use]
    pub(crate) fn within(&self, time: Duration) -> Self {
        let call_time_max = self.limits.call_time_max.min(time);
        Self { program: self.program.clone(), limits: Limits { call_time_max, ..self.limits } }
    }
}

/// How the process of an isolated plugin came to an early end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Ended {
    /// A signal ended it.
    #[error("the process of the plugin was ended by signal {number}{}", signal_name(*number))]
    Signal {
        /// Its number.
        number: i32,
    },
    /// It ended by itself, with this exit code.
    #[error("the process of the plugin ended with code {0}")]
    Exit(i32),
    /// It was ended, since a call took longer than this.
    #[error("the plugin did not answer within {0:?}")]
    Late(Duration),
    /// It wanted more memory than it may have.
    #[error("the process of the plugin wanted more memory than the {} that it may have", mebibytes(*bytes_max))]
    Memory {
        /// How many bytes it may have.
        bytes_max: u64,
    },
    /// It was ended, since it answered what is no answer.
    #[error("the process of the plugin answered {0}, and was ended")]
    Breach(String),
    /// Nobody knows.
    #[error("the process of the plugin ended")]
    Unknown,
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
