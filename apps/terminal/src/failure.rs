//! How a command ends: exit codes, and errors with a hint.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use foretell_runtime::isolation;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::output::visible;

/// Exit codes of every app.
pub mod exit {
    /// Done, and nothing was left out.
    pub const DONE: u8 = 0;
    /// Not done; the error says why.
    pub const FAILED: u8 = 1;
    /// The command line was not understood.
    pub const USAGE: u8 = 2;
    /// Done, but some records were set aside; the report lists them.
    pub const SOME_REJECTED: u8 = 3;
    /// A check was made, and did not hold.
    pub const NOT_EQUAL: u8 = 4;
}

/// Why a command failed, in the words for its user.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Failure {
    message: String,
    #[help]
    hint: Option<String>,
}

impl Failure {
    /// A failure in the words of `error` and of what caused it, where that says more.
    pub fn new(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !message.contains(&words) {
                message = format!("{message}: {words}");
            }
            cause = error.source();
        }
        Self::words(message)
    }

    /// A failure in words of the app's own.
    pub fn words(message: impl Into<String>) -> Self {
        Self { message: visible(&message.into()).into_owned(), hint: None }
    }

    /// What to do next, if there is something.
    pub fn hint_text(&self) -> Option<String> {
        self.hint.clone()
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(|hint| visible(&hint.into()).into_owned());
        self
    }
}

/// Columns that a failure takes on a terminal.
const TERMINAL_COLUMNS: usize = 110;

/// Runs a command to its exit code, and tells its failure on standard error. `command` reads the command line.
///
/// A program that was started to hold an isolated plugin has no command line, and serves the plugin.
pub fn run<C: Future<Output = Result<u8, Failure>>>(command: impl FnOnce() -> C) -> ExitCode {
    // Now, since there is no other thread yet.
    foretell_runtime::onnx::refuse_telemetry();
    let is_isolated = std::env::args_os().nth(1).is_some_and(|first| first == isolation::ARGUMENT);
    let filter = tracing_subscriber::EnvFilter::try_from_env("FORETELL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    if is_isolated {
        return match isolation::serve() {
            Ok(()) => ExitCode::from(exit::DONE),
            Err(error) => tell(&Failure::new(&error)),
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&Failure::new(&error)),
    };
    let code = match runtime.block_on(command()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => tell(&failure),
    };
    runtime.block_on(crate::place::close_all());
    // A plugin that does not return is left behind.
    runtime.shutdown_background();
    code
}

#[expect(clippy::print_stderr, reason = "the one place where an app tells its failure")]
fn tell(failure: &Failure) -> ExitCode {
    use std::io::IsTerminal;
    let mut text = String::new();
    let handler = if std::io::stderr().is_terminal() {
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_width(TERMINAL_COLUMNS)
    } else {
        // A log is searched, and a path that is broken over two lines is not found.
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_wrap_lines(false)
    };
    if handler.render_report(&mut text, failure).is_err() {
        text.clone_from(&failure.message);
    }
    eprintln!("{}", text.trim_end());
    ExitCode::from(exit::FAILED)
}
