//! Programs that a command runs, and lines that it prints.
//!
//! **Invariant:** no program that runs here can wait for an answer: standard input is closed, or is the text
//! that was given.

use std::{
    error::Error,
    ffi::OsStr,
    fmt::Write as _,
    io::{self, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

/// Why a program that was run counts as failed.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` {kind}")]
pub(crate) struct ProcessError {
    command: String,
    kind: ProcessErrorKind,
}

#[derive(Debug, thiserror::Error)]
enum ProcessErrorKind {
    #[error("could not be started: {0}")]
    NotStarted(io::Error),
    #[error("could not be given its input: {0}")]
    Input(io::Error),
    #[error("failed: {0}")]
    Failed(ExitStatus),
}

impl ProcessError {
    /// The program's own exit code; 1 if it had none.
    pub(crate) fn exit_code(&self) -> u8 {
        match &self.kind {
            ProcessErrorKind::Failed(status) => {
                status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)
            }
            ProcessErrorKind::NotStarted(_) | ProcessErrorKind::Input(_) => 1,
        }
    }
}

/// Prints the command line, then runs it with the terminal's output and no input.
pub(crate) fn run(command: &mut Command) -> Result<(), ProcessError> {
    run_with_input(command, None)
}

/// As [`run`], with `input` on the program's standard input.
pub(crate) fn run_with_input(command: &mut Command, input: Option<&str>) -> Result<(), ProcessError> {
    let line = command_line(command);
    say(&match input {
        Some(input) => format!("\n$ echo {} | {line}", quoted(input.as_ref())),
        None => format!("\n$ {line}"),
    });
    let failed = |kind| ProcessError { command: line.clone(), kind };

    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child =
        command.stdin(stdin).spawn().map_err(|error| failed(ProcessErrorKind::NotStarted(error)))?;
    let given = match (child.stdin.take(), input) {
        (Some(mut stdin), Some(input)) => {
            stdin.write_all(input.as_bytes()).and_then(|()| stdin.write_all(b"\n"))
        }
        _ => Ok(()),
    };
    let status = child.wait().map_err(|error| failed(ProcessErrorKind::NotStarted(error)))?;
    // A program that failed early has closed its input: its exit code says more than the broken pipe.
    if !status.success() {
        return Err(failed(ProcessErrorKind::Failed(status)));
    }
    given.map_err(|error| failed(ProcessErrorKind::Input(error)))
}

/// The command as one would type it in a shell, without what it adds to the environment: see [`export`].
fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    // Cargo gives its own full path; what one types is `cargo`.
    let is_cargo = program.file_stem() == Some("cargo".as_ref());
    let mut line = quoted(if is_cargo { "cargo".as_ref() } else { program.as_os_str() });
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}

/// The line with which one would set an environment variable for the commands that follow.
pub(crate) fn export(name: &str, value: &Path) -> String {
    format!("$ export {name}={}", quoted(value.as_os_str()))
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether standard output is for the results of programs alone.
static RESULTS_ALONE: AtomicBool = AtomicBool::new(false);

/// Keeps standard output for the results of the programs that run here, such as JSON: from now on [`say`] prints to
/// standard error.
pub(crate) fn leave_output_to_results() {
    RESULTS_ALONE.store(true, Ordering::Relaxed);
}

/// Prints a line to standard output. A reader that has gone away is no reason to stop.
pub(crate) fn say(line: &str) {
    let mut output: Box<dyn Write> =
        if RESULTS_ALONE.load(Ordering::Relaxed) { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Prints an error and its causes to standard error.
pub(crate) fn complain(error: &dyn Error) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, "\n  caused by: {cause}");
        source = cause.source();
    }
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn command_lines_can_be_pasted() {
        let mut command = Command::new("target/release/foretell");
        command.args(["record", "--like", "it's", "", "{\"amount\":1}"]);
        assert_eq!(
            command_line(&command),
            r#"target/release/foretell record --like 'it'\''s' '' '{"amount":1}'"#
        );
        assert_eq!(export("FORETELL_HOME", Path::new("/a b")), "$ export FORETELL_HOME='/a b'");
        assert_eq!(command_line(Command::new("/opt/rust/bin/cargo").arg("build")), "cargo build");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_with_code_1() {
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(error.to_string().starts_with("`no-such-program-anywhere` could not be started"), "{error}");
        assert_eq!(error.exit_code(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn input_arrives_and_the_exit_code_comes_back() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; test \"$line\" = hello && exit 7"]);
        assert_eq!(run_with_input(&mut shell, Some("hello")).unwrap_err().exit_code(), 7);

        let mut closed = Command::new("sh");
        closed.args(["-c", "read line && exit 3 || exit 0"]);
        run(&mut closed).unwrap();
    }
}
