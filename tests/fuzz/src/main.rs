//! `foretell-fuzz`: gives the host as many inputs of a seed as are asked for, and says which ones it did not survive.
//!
//! Inputs are given in lots, each in a process of its own, since not everything that goes wrong can be caught. A lot that ends badly is
//! halved until one input is left.

use std::fmt::Write as _;
use std::io::{Write as _, stderr, stdout};
use std::ops::Range;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use foretell_fuzz::{TARGETS, Target, seeded};

/// Inputs that a process is given.
const LOT: u64 = 20_000;
/// Longest time that a lot may take, since a host that hangs is as bad as one that crashes.
const LOT_TIME_MAX: Duration = Duration::from_secs(300);
/// Longest time that one input may take.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);
/// How often a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const USAGE: &str =
    "usage: foretell-fuzz --executions N [--seed S] [--from NUMBER] [--target manifest|answer]";

/// What is asked for.
struct Arguments {
    executions: u64,
    seed: u64,
    from: u64,
    target: Option<Target>,
    /// In this process, and not in processes of their own.
    here: bool,
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        let _ = writeln!(stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let targets: Vec<_> = TARGETS
        .into_iter()
        .filter(|target| arguments.target.is_none_or(|only| only.name == target.name))
        .collect();
    if arguments.here {
        let numbers = arguments.from..arguments.from + arguments.executions;
        targets.iter().for_each(|target| seeded::run(*target, arguments.seed, numbers.clone()));
        return ExitCode::SUCCESS;
    }
    let mut crashes = 0;
    for target in targets {
        // The executions are shared between the targets that are run.
        let count = match arguments.target {
            Some(_) => arguments.executions,
            None => arguments.executions / TARGETS.len() as u64,
        };
        crashes += run(target, &arguments, arguments.from..arguments.from + count);
    }
    ExitCode::from(u8::from(crashes > 0))
}

/// Runs a target, says how it went, and counts the inputs that it did not survive.
fn run(target: Target, arguments: &Arguments, numbers: Range<u64>) -> usize {
    let start = Instant::now();
    let mut bad = Vec::new();
    for first in numbers.clone().step_by(LOT as usize) {
        find_bad(target, arguments.seed, first..numbers.end.min(first + LOT), LOT_TIME_MAX, &mut bad);
    }
    let executions = numbers.end - numbers.start;
    let mut report = format!(
        "{}: {executions} executions of seed {}, from number {}, in {:.1} s; {} crashes\n",
        target.name,
        arguments.seed,
        numbers.start,
        start.elapsed().as_secs_f64(),
        bad.len()
    );
    for number in &bad {
        let _ = writeln!(
            report,
            "  again: --target {} --seed {} --from {number} --executions 1",
            target.name, arguments.seed
        );
    }
    let _ = stdout().write_all(report.as_bytes());
    bad.len()
}

/// The numbers of a lot that are not survived alone.
fn find_bad(target: Target, seed: u64, numbers: Range<u64>, time_max: Duration, bad: &mut Vec<u64>) {
    if numbers.is_empty() || survives(target, seed, &numbers, time_max) {
        return;
    }
    if numbers.end - numbers.start == 1 {
        bad.push(numbers.start);
        return;
    }
    let middle = numbers.start + (numbers.end - numbers.start) / 2;
    let time_max = (time_max / 2).max(INPUT_TIME_MAX);
    find_bad(target, seed, numbers.start..middle, time_max, bad);
    find_bad(target, seed, middle..numbers.end, time_max, bad);
}

/// Whether a process of its own gets through these inputs in time. What it says of a crash is shown.
fn survives(target: Target, seed: u64, numbers: &Range<u64>, time_max: Duration) -> bool {
    let program = std::env::current_exe().expect("a program knows where it is");
    let mut command = Command::new(program);
    command.args(["--here", "--target", target.name, "--seed", &seed.to_string()]);
    command.args(["--from", &numbers.start.to_string()]);
    command.args(["--executions", &(numbers.end - numbers.start).to_string()]);
    let mut child = command.stdin(Stdio::null()).spawn().expect("a program can start itself");
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if start.elapsed() < time_max => std::thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { executions: 0, seed: 1, from: 0, target: None, here: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--executions" => arguments.executions = words.next()?.parse().ok()?,
            "--seed" => arguments.seed = words.next()?.parse().ok()?,
            "--from" => arguments.from = words.next()?.parse().ok()?,
            "--target" => {
                let name = words.next()?;
                arguments.target = Some(TARGETS.into_iter().find(|target| target.name == name)?);
            }
            "--here" => arguments.here = true,
            _ => return None,
        }
    }
    (arguments.executions > 0).then_some(arguments)
}
