//! `foretell plugin new`: a plugin to begin with, that builds, passes its own tests, installs and predicts.
//!
//! What it writes are the [templates](files), with a few names and numbers put into them, and a network that is made here, a
//! linear model with [invented numbers](example). A plugin in Rust brings the [SDK's sources](sdk), a plugin in C the header, so
//! nothing is fetched. For a network that somebody has, [no code](standard) is written at all.
//!
//! The directory is filled beside its place and moved there whole.

mod example;
mod files;
mod graph;
mod sdk;
mod standard;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use foretell_runtime::manifest::{NAME_BYTES_MAX, is_name};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use super::quoted;
use crate::arguments::{Language, New};
use example::Example;
use files::{Contents, Values};

/// Names that Cargo takes for its own libraries, and those of the SDK.
const NAMES_TAKEN: [&str; 7] = ["alloc", "core", "foretell-abi", "foretell-sdk", "proc-macro", "std", "test"];

/// What was written.
#[derive(Serialize)]
struct Report {
    name: String,
    directory: String,
    files: Vec<String>,
    /// Commands that lead from here to predictions.
    next: Vec<String>,
    /// What nobody has said and nothing has proved, where there is such a thing.
    guess: Option<String>,
}

/// What is to be written.
struct Made {
    contents: Contents,
    /// Commands that lead on from the directory.
    next: Vec<String>,
    /// What nobody has said and nothing has proved.
    guess: Option<String>,
}

pub(super) fn run(place: &Place, output: Output, command: &New) -> Result<u8, Failure> {
    let domain = command.domain.as_deref().unwrap_or(&command.name);
    check_name("name", &command.name)?;
    check_name("domain", domain)?;
    let directory = command.directory.clone().unwrap_or_else(|| PathBuf::from(&command.name));
    if fs::symlink_metadata(&directory).is_ok() {
        return Err(Failure::words(format!("`{}` is there already", directory.display()))
            .hint(Some("name another directory with `--directory`, or remove it")));
    }
    let Made { contents, next, guess } = match &command.model {
        Some(file) => standard::make(place, command, domain, file)?,
        None => native(command, domain)?,
    };
    contents.write(&directory).map_err(|error| cannot_write(&directory, &error))?;
    let report = Report {
        name: command.name.clone(),
        directory: directory.display().to_string(),
        files: contents.names(),
        next: std::iter::once(format!("cd {}", quoted(&directory.display().to_string())))
            .chain(next)
            .collect(),
        guess,
    };
    output.show(&report, |output| {
        output.line(&format!("wrote plugin `{}` into `{}`:", report.name, report.directory));
        for file in report.files.iter().filter(|file| !file.starts_with(sdk::VENDOR)) {
            output.line(&format!("  {file}"));
        }
        if let Some(guess) = &report.guess {
            output.line(&format!("\n{guess}"));
        }
        output.line("\nfrom here to predictions:");
        for command in &report.next {
            output.line(&format!("  {command}"));
        }
    });
    Ok(exit::DONE)
}

/// A plugin in Rust or C around the example's network.
fn native(command: &New, domain: &str) -> Result<Made, Failure> {
    let example = Example::of(command.task);
    let library = command.name.replace('-', "_");
    let library_file = format!("{}{library}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut values = Values::default();
    values
        .set("name", &command.name)
        .set("domain", domain)
        .set("library", &library)
        .set("library_file", &library_file);
    example.describe(&mut values);
    let mut contents = Contents::default();
    let network = example.network();
    values.set("blake3", &foretell_runtime::hash::Hash::of(&network).to_string());
    let build = match command.lang {
        Language::Rust => {
            let source = sdk::Source::find(command.sdk.as_deref())?;
            source.describe(&mut values);
            source.add(&mut contents);
            files::rust(command.task, &mut contents, &values);
            // What comes over a network is fetched once.
            let fetch = source.is_remote().then_some("cargo fetch");
            let build = ["cargo test --offline", "cargo build --release --offline"];
            let copy = format!("cp target/release/{library_file} .");
            fetch.into_iter().chain(build).map(str::to_owned).chain([copy]).collect::<Vec<_>>()
        }
        Language::C => {
            if command.sdk.is_some() {
                return Err(Failure::words(
                    "expected `--sdk` with `--lang rust` alone, found it with `--lang c`",
                )
                .hint(Some("a plugin in C needs the header only, which is written beside it")));
            }
            files::c(command.task, &mut contents, &values);
            vec!["make test".to_owned(), "make".to_owned()]
        }
    };
    files::both(&mut contents, &values);
    contents.add("model/network.onnx", network);
    let name = &command.name;
    let use_it = [
        "foretell plugin validate .".to_owned(),
        "foretell plugin install .".to_owned(),
        format!(
            "foretell record import records/example.csv --domain {domain} --mapping records/mapping.toml"
        ),
        format!("foretell job create --plugin {name} --run"),
    ];
    Ok(Made { contents, next: build.into_iter().chain(use_it).collect(), guess: None })
}

/// A name that a plugin or domain can have.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(Failure::words(format!(
            "{what} `{name}`: expected lower-case words and digits joined by hyphens, such as `late-return`, {NAME_BYTES_MAX} \
             letters at most"
        )));
    }
    if what == "name" && NAMES_TAKEN.contains(&name) {
        return Err(Failure::words(format!(
            "name `{name}`: expected another one, since libraries that Rust needs have it"
        )));
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::words(format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_plugins_and_libraries_can_have() {
        for name in ["rain", "late-return", "a1-2b"] {
            check_name("name", name).unwrap();
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "Rain", "1rain", "late_return", "late--return", "-a", "a-", "a/b", "..", "ä", &long]
        {
            assert!(check_name("name", name).is_err(), "{name}");
        }
        for name in NAMES_TAKEN {
            assert!(check_name("name", name).is_err(), "{name}");
            check_name("domain", name).unwrap();
        }
    }
}
