//! `foretell plugin validate`: whether a plugin keeps the contract.

use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_conformance::{
    Case, Check, Options, Outcome, Report, Row, Task, ValidateError, checks, reproduce, serve, validate,
};
use foretell_runtime::onnx::locate;
use foretell_runtime::policy::Policy;
use foretell_runtime::registry::Registry;
use foretell_runtime::trust::Verified;
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count, this_program};
use serde::Serialize;

use super::inspect::found;
use super::quoted;
use crate::arguments::Validate;

/// What `--list` prints.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    sentence: &'static str,
}

pub(super) fn run(
    place: &Place,
    registry: &Registry,
    output: Output,
    command: &Validate,
) -> Result<u8, Failure> {
    let Some(plugin) = command.plugin.as_ref().filter(|_| !command.list) else { return list(output) };
    let directory = directory(registry, plugin)?;
    admit(registry, &directory)?;
    // Else each check would tell it.
    locate(&place.places()).library().map_err(|error| Failure::new(&error))?;
    let child = |task: &Task| child(place, task);
    if let Some(seed) = command.reproduce {
        let case = reproduce(&directory, seed, command.timeout, child).map_err(|error| failure(&error))?;
        output.show(&case, |output| draw_case(output, &case));
        return Ok(code(case.holds));
    }
    let options = Options {
        checks: command.checks.clone(),
        seed: command.seed,
        timeout: command.timeout,
        fuzz: command.fuzz,
    };
    let bar = Bar::new("validating", "checks", None, output.is_json());
    let report = validate(&directory, &options, child, |done, all| {
        bar.set_total(all);
        bar.set(done);
    });
    bar.finish();
    let report = report.map_err(|error| failure(&error))?;
    output.show(&report, |output| draw(output, &report));
    Ok(code(report.holds))
}

/// What `foretell plugin conform` does, which `validate` starts.
pub(super) fn conform(place: &Place, task: &str) -> Result<u8, Failure> {
    let task = Task::from_argument(task).map_err(Failure::words)?;
    admit(&place.registry()?, &task.directory)?;
    serve(&task, &place.places());
    Ok(exit::DONE)
}

fn failure(error: &ValidateError) -> Failure {
    Failure::new(error).hint(error.hint())
}

fn code(holds: bool) -> u8 {
    if holds { exit::DONE } else { exit::NOT_EQUAL }
}

/// The directory of an installed plugin, or the one that the user names.
pub(super) fn directory(registry: &Registry, plugin: &Path) -> Result<PathBuf, Failure> {
    match plugin.to_str().map(|plugin| found(registry, plugin)).transpose()? {
        Some(Some(installed)) => Ok(installed.directory),
        _ => Ok(plugin.to_owned()),
    }
}

/// Asks the policy before the code of a directory is run. Whether it is a plugin at all is not asked here.
pub(super) fn admit(registry: &Registry, directory: &Path) -> Result<(), Failure> {
    let policy = Policy::of(registry.home()).map_err(|error| Failure::new(&error))?;
    if policy.publishers.is_some() {
        let admitted = Verified::trusting(directory).and_then(|verified| verified.admitted(&policy));
        admitted.map_err(|error| Failure::new(&error))?;
    }
    Ok(())
}

/// This program again, with the same places, for one task.
pub(super) fn child(place: &Place, task: &Task) -> Command {
    let mut command = Command::new(this_program("foretell"));
    if let Some(library) = &place.onnxruntime {
        command.arg("--onnxruntime").arg(library);
    }
    command.args(["plugin", "conform", &task.to_argument()]);
    command
}

fn list(output: Output) -> Result<u8, Failure> {
    let all: Vec<Listed> = checks().map(|Check { name, sentence, .. }| Listed { name, sentence }).collect();
    output.show(&all, |output| {
        let row = |check: &Listed| vec![check.name.to_owned(), check.sentence.to_owned()];
        output.table(&["check", "what it establishes"], all.iter().map(row));
    });
    Ok(exit::DONE)
}

fn draw(output: Output, report: &Report) {
    let row = |row: &Row| {
        let result = row.result.words().to_owned();
        vec![row.name.to_owned(), result, format!("{:.1}", row.seconds), row.reason.clone()]
    };
    output.table(&["check", "result", "seconds#", "reason"], report.checks.iter().map(row));
    let count = |outcome| report.checks.iter().filter(|row| row.result == outcome).count();
    let outcomes = [Outcome::Passed, Outcome::Failed, Outcome::NotApplicable, Outcome::NotRun];
    let counts = outcomes.map(|outcome| (count(outcome), outcome.words()));
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let plugin = report.plugin.as_ref().unwrap_or(&report.directory);
    output.line("");
    output.line(&format!("{plugin}: {}", counts.join(", ")));
    if let Some(fuzz) = &report.fuzz {
        let cases = format_count(fuzz.cases);
        match fuzz.faults.len() {
            0 => output
                .line(&format!("{cases} batches at random: each met with a clean answer or a clean error")),
            faults => output.line(&format!("{cases} batches at random: {faults} FAILED")),
        }
        for Case { seed, reason, .. } in &fuzz.faults {
            output.line(&format!("  seed {seed}: {reason}"));
            let directory = quoted(&report.directory);
            output.line(&format!("    `foretell plugin validate {directory} --reproduce {seed}`"));
        }
    }
}

fn draw_case(output: Output, case: &Case) {
    if let Some(detail) = &case.detail {
        output.line(&format!("seed {}: {detail}", case.seed));
    }
    output.line("");
    let result = if case.holds { Outcome::Passed } else { Outcome::Failed };
    output.line(&format!("{}: {}", result.words(), case.reason));
}
