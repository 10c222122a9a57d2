//! One record on standard input: from the start of the program to the printed prediction.
//!
//! Both sides store the record, look its past up, run the network once, store what it said and print it.

use foretell_terminal::{Failure, Output};
use serde::Deserialize;

use super::databases::{Databases, Town};
use super::{Scripts, times};
use crate::bench::rounds::{PROCESSOR, SECONDS, Turn, Turns, order};
use crate::figures::Figures;
use crate::product::Product;
use crate::program::{self, Finished, say, words};

/// 104 days of a small town: about 100,000 records.
pub(super) const TOWN: Town = Town { name: "100k", customers: 500, days: 104 };

/// Rounds that are measured.
const ROUNDS: usize = 15;
/// How many times as fast as the script the program is to start.
const RATIO_MIN: f64 = 5.0;
/// Largest difference of two scores that counts as equal.
const TOLERANCE: f64 = 1e-6;

/// What was found.
pub(super) struct Findings {
    foretell: Turns,
    python: Turns,
}

/// What both sides print.
#[derive(Deserialize)]
struct Answer {
    score: f64,
}

pub(super) async fn measure(databases: &Databases, scripts: &Scripts) -> Result<Findings, Failure> {
    let town = databases.of(&TOWN).await?;
    let (product, other) = (databases.copy(&town, "cold")?, databases.copy(&town, "cold-python")?);
    let mut found = Findings { foretell: Turns::default(), python: Turns::default() };
    // The first round finds programs and libraries where nobody has read them yet, and does not count.
    for round in 0..=ROUNDS {
        let record = record(round);
        let mut turns = [None, None];
        for way in order(round, turns.len()) {
            let (answer, finished) = match way {
                0 => product.ask_on("foretell-fraud", ["score", "-", "--json"], &record)?,
                _ => ask_script(scripts, &other, &record)?,
            };
            turns[way] = Some((answer, finished));
        }
        let [Some((own, foretell)), Some((theirs, python))] = turns else { continue };
        compare(&own, &theirs)?;
        if round > 0 {
            found.foretell.add(Turn::of(&foretell, foretell.seconds));
            found.python.add(Turn::of(&python, python.seconds));
        }
    }
    databases.remove(&product)?;
    databases.remove(&other)?;
    Ok(found)
}

fn ask_script(scripts: &Scripts, product: &Product, record: &str) -> Result<(Answer, Finished), Failure> {
    let mut command = scripts.command("cold_start.py", product.database());
    let line = words(&command);
    say(&format!("$ {line}"));
    program::run(&mut command, line, Some(record))?.answer()
}

/// A transaction on the day after the last one of the town.
fn record(round: usize) -> String {
    format!(
        r#"{{"transaction_id":"round-{round}","event_time":"2018-07-14T09:{round:02}:00Z","customer_id":"7","terminal_id":"42","amount":57.16}}"#
    )
}

fn compare(own: &Answer, theirs: &Answer) -> Result<(), Failure> {
    if (own.score - theirs.score).abs() <= TOLERANCE {
        return Ok(());
    }
    let (own, theirs) = (own.score, theirs.score);
    Err(Failure::words(format!("the program and the script disagree on one record: {own} and {theirs}")))
}

impl Findings {
    pub(super) fn note(&self, figures: &mut Figures) {
        for (name, turns) in [("foretell", &self.foretell), ("python", &self.python)] {
            let milliseconds = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
            figures.set(format!("cli.cold_start.{name}_ms"), milliseconds(turns.middle(SECONDS)));
            figures.set(format!("cli.cold_start.{name}_cpu_ms"), milliseconds(turns.mean(PROCESSOR)));
        }
        figures.set("cli.cold_start.ratio_to_python", self.foretell.ratio_of(&self.python, SECONDS));
    }

    pub(super) fn draw(&self, output: Output) {
        output.line("\nCold start: one record on standard input, stored, scored, stored and printed");
        let milliseconds =
            |seconds: Option<f64>| seconds.map(|seconds| format!("{:.0}", seconds * 1e3)).unwrap_or_default();
        let row = |name: &str, turns: &Turns| {
            let cells = [turns.middle(SECONDS), turns.mean(PROCESSOR)].map(milliseconds);
            let [wall, processor] = cells;
            vec![name.to_owned(), wall, format!("({processor})")]
        };
        output.table(
            &["", "ms#", "(cpu, mean)#"],
            [
                row("foretell-fraud score -", &self.foretell),
                row("script: onnxruntime, numpy, sqlite3", &self.python),
            ],
        );
        let ratio = self.foretell.ratio_of(&self.python, SECONDS);
        let met = super::super::verdict(ratio.is_some_and(|ratio| ratio >= RATIO_MIN));
        output.line(&format!("ratio: {}; target: at least {RATIO_MIN}: {met}", times(ratio)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_a_record_of_its_own() {
        let records: Vec<serde_json::Value> =
            [0, ROUNDS].map(|round| serde_json::from_str(&record(round)).unwrap()).into();
        assert_ne!(records[0]["transaction_id"], records[1]["transaction_id"]);
        assert!(records.iter().all(|record| record["amount"].is_number()));
    }
}
