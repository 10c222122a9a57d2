//! The commands of `foretell`, one module each.

mod bench;
mod db;
mod doctor;
mod fetch;
mod inspect;
pub(crate) mod key;
mod model;
mod new;
mod package;
mod payload;
mod plugin;
mod policy;
mod prediction;
mod record;
mod sign;
mod trust;
mod validate;
mod verify;

use clap::CommandFactory;
use foretell_store::fault::ReadError;
use foretell_terminal::{Failure, Output, Place, exit, job};
use serde::Serialize;

use crate::arguments::{Arguments, Command};

/// Runs what the user typed, to its exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (place, output) = (&arguments.place, Output::new(arguments.json));
    match &arguments.command {
        Command::Plugin(command) => plugin::run(place, output, command),
        Command::Record(command) => record::run(place, output, command).await,
        Command::Prediction(command) => prediction::run(place, output, command).await,
        Command::Job(command) => job::run(&jobs(place, output), command).await,
        Command::Model(command) => model::run(place, output, command).await,
        Command::Verify(command) => verify::run(place, output, command).await,
        Command::Db(command) => db::run(place, output, command).await,
        Command::Doctor => doctor::run(place, output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "foretell", &mut script);
            output.line(String::from_utf8_lossy(&script).trim_end());
            Ok(exit::DONE)
        }
    }
}

/// This app, as batch work sees it.
fn jobs(place: &Place, output: Output) -> job::App<'_> {
    job::App {
        place,
        output,
        program: "foretell",
        version: env!("CARGO_PKG_VERSION"),
        command: "job",
        unit: "records",
        plugin: None,
        domain: None,
        task: None,
    }
}

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, Serialize)]
struct Problem {
    /// What it is about: `onnxruntime`, `plugin NAME@VERSION`, `database`.
    place: String,
    /// What is wrong.
    problem: String,
    /// What to do.
    fix: String,
}

impl Problem {
    fn draw(&self, output: Output) {
        output.line(&format!("{}: {}", self.place, self.problem));
        output.line(&format!("  fix: {}", self.fix));
    }
}

fn unread(error: ReadError) -> Failure {
    Failure::new(&error).hint(error.hint())
}

fn unknown_record(id: i64) -> Failure {
    Failure::words(format!("there is no record {id}"))
        .hint(Some("`foretell record list --domain DOMAIN` lists some"))
}

fn unknown_run(id: i64) -> Failure {
    Failure::words(format!("there is no run {id}")).hint(Some("`foretell prediction runs` lists them"))
}

/// A number that may be missing, as a cell of a table.
fn number(number: Option<i64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// A score as a cell of a table.
fn score(score: Option<f64>) -> String {
    score.map_or_else(String::new, |score| format!("{score:.6}"))
}

/// At most `characters_max` characters of a text, the last one an ellipsis if there are more.
fn shorten(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters_max - 1).chain(['…']).collect(),
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:".contains(letter);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters() {
        for (text, expected) in [("", ""), ("äöü", "äöü"), ("äöüß", "äö…")] {
            assert_eq!(shorten(text, 3), expected);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_argument_says_what_it_is() {
        let mut waiting = vec![Arguments::command()];
        while let Some(command) = waiting.pop() {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
            }
            waiting.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        for (path, expected) in [
            ("a/b-1", "a/b-1"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$a", "'$a'"),
            ("~a", "'~a'"),
            (r"a\b", r"'a\b'"),
        ] {
            assert_eq!(quoted(path), expected);
        }
    }
}
