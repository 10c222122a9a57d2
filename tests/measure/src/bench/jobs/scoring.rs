//! A million stored records: the job beside scripts, and beside its own stages alone.
//!
//! | way | what it does |
//! |---|---|
//! | foretell | `foretell-fraud score`: read, history, features, predict, store; with every process that it starts |
//! | pandas | `score.py`: the same with pandas, NumPy, onnxruntime and sqlite3 |
//! | rolling | `score_rolling.py`: the same with pandas' own rolling windows |
//! | polars | `score_polars.py`: the same with polars |
//! | read, predict, write | [`Alone`] |

mod alone;

use std::path::Path;

use foretell_store::open::Store;
use foretell_store::prediction::{NewPrediction, PredictionFilter};
use foretell_terminal::{Failure, Output, format_count};
use serde::Deserialize;

use self::alone::{Alone, Stage};
use super::databases::{Databases, Town};
use super::{Scripts, megabytes, seconds, times};
use crate::bench::rounds::{Look, MEMORY, PROCESSOR, SECONDS, Turn, Turns, WORK, order};
use crate::bench::{Fraud, verdict};
use crate::figures::Figures;
use crate::product::{Product, Scored};
use crate::program::{self, say, words};

/// Half a year, as in the handbook's data: about a million records.
const TOWN: Town = Town { name: "fraud-1m", customers: 2_853, days: 183 };

/// Rounds that are measured.
const ROUNDS: usize = 5;
/// Predictions that are read at once.
const PAGE: u32 = 65_536;
/// Largest relative difference of two sums of scores that counts as equal: polars takes ties in another order.
const TOLERANCE: f64 = 1e-4;

/// How many times as fast as the script the job is to be.
const RATIO_TO_PYTHON_MIN: f64 = 20.0;
/// What the job may take of its slowest stage alone.
const RATIO_TO_STAGE_MAX: f64 = 1.3;

/// One way of scoring, or a part of it.
#[derive(Debug, Clone, Copy)]
enum Way {
    Foretell,
    Script(&'static Script),
    Alone(Stage),
}

/// A script and what it is called in figures.
#[derive(Debug)]
struct Script {
    name: &'static str,
    file: &'static str,
    title: &'static str,
}

const SCRIPTS: [Script; 3] = [
    Script { name: "python", file: "score.py", title: "pandas and NumPy, onnxruntime, sqlite3" },
    Script { name: "python_rolling", file: "score_rolling.py", title: "the same, pandas' rolling windows" },
    Script { name: "polars", file: "score_polars.py", title: "polars, onnxruntime, sqlite3" },
];

/// All ways, in the order of even rounds.
const WAYS: [Way; 7] = [
    Way::Foretell,
    Way::Script(&SCRIPTS[0]),
    Way::Script(&SCRIPTS[1]),
    Way::Script(&SCRIPTS[2]),
    Way::Alone(Stage::Read),
    Way::Alone(Stage::Predict),
    Way::Alone(Stage::Write),
];

/// What was found.
pub(super) struct Findings {
    records: u64,
    /// In the order of [`WAYS`].
    turns: [Turns; WAYS.len()],
}

/// What a script prints.
#[derive(Deserialize)]
struct Note {
    rows: u64,
    seconds: f64,
    score_sum: f64,
}

/// What the job came to when nobody was measured.
struct Reference {
    records: u64,
    score_sum: f64,
}

pub(super) async fn measure(
    fraud: &Fraud,
    databases: &Databases,
    scripts: &Scripts,
) -> Result<Findings, Failure> {
    let town = databases.of(&TOWN).await?;
    let scored = databases.copy(&town, "scored")?;
    let (reference, alone) = prepare(fraud, &scored, &town).await?;
    databases.remove(&scored)?;
    let mut turns: [Turns; WAYS.len()] = Default::default();
    for round in 0..ROUNDS {
        for place in order(round, WAYS.len()) {
            let product = databases.copy(&town, "turn")?;
            turns[place].add(match WAYS[place] {
                Way::Foretell => score(&product, &reference)?,
                Way::Script(script) => run_script(scripts, script, &product, &reference)?,
                Way::Alone(stage) => alone.run(stage, product.database()).await?,
            });
            databases.remove(&product)?;
        }
    }
    Ok(Findings { records: reference.records, turns })
}

/// Scores once without measuring: the programs are in memory then, and it is known what has to come out.
async fn prepare(fraud: &Fraud, product: &Product, town: &Path) -> Result<(Reference, Alone), Failure> {
    let (scored, _) = product.ask::<Scored, _>("foretell-fraud", ["score", "--json"])?;
    let store = Store::open(product.database()).await;
    let store = store.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let predictions = predictions(&store, scored.run).await?;
    let run = store.run(scored.run).await.map_err(|error| Failure::new(&error))?;
    let run = run.ok_or_else(|| Failure::words("the job has no run"))?;
    store.close().await;
    let score_sum = predictions.iter().filter_map(|prediction| prediction.score).sum();
    let reference = Reference { records: scored.scored, score_sum };
    Ok((reference, Alone::new(fraud.load()?, run, predictions, town).await?))
}

/// The predictions of a run, as they were before they were stored.
async fn predictions(store: &Store, run_id: i64) -> Result<Vec<NewPrediction>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let filter = PredictionFilter::Run { run_id, after };
        let page = store.predictions(filter, PAGE).await.map_err(|error| Failure::new(&error))?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.record_id);
        all.extend(page.into_iter().map(|stored| NewPrediction {
            record_id: stored.record_id,
            score: stored.score,
            label: stored.label,
            output: stored.output,
        }));
    }
}

fn score(product: &Product, reference: &Reference) -> Result<Turn, Failure> {
    let (scored, finished) = product.ask::<Scored, _>("foretell-fraud", ["score", "--json"])?;
    if scored.scored != reference.records || scored.rejected > 0 {
        let (scored, rejected) = (scored.scored, scored.rejected);
        let words =
            format!("expected {} scored records, found {scored}, {rejected} rejected", reference.records);
        return Err(Failure::words(words));
    }
    Ok(Turn::of(&finished, scored.seconds))
}

fn run_script(
    scripts: &Scripts,
    script: &Script,
    product: &Product,
    reference: &Reference,
) -> Result<Turn, Failure> {
    let mut command = scripts.command(script.file, product.database());
    let line = words(&command);
    say(&format!("$ {line}"));
    let (note, finished) = program::run(&mut command, line, None)?.answer::<Note>()?;
    let difference = (note.score_sum - reference.score_sum).abs() / reference.score_sum.abs();
    let same = note.rows == reference.records && difference <= TOLERANCE;
    if !same {
        return Err(Failure::words(format!(
            "`{}` disagrees: {} rows with scores of {} together, foretell {} with {}",
            script.file, note.rows, note.score_sum, reference.records, reference.score_sum
        )));
    }
    Ok(Turn::of(&finished, note.seconds))
}

impl Findings {
    fn foretell(&self) -> &Turns {
        &self.turns[0]
    }

    fn scripts(&self) -> impl Iterator<Item = (&'static Script, &Turns)> {
        WAYS.iter().zip(&self.turns).filter_map(|(way, turns)| match way {
            Way::Script(script) => Some((*script, turns)),
            _ => None,
        })
    }

    fn stages(&self) -> impl Iterator<Item = (Stage, &Turns)> {
        WAYS.iter().zip(&self.turns).filter_map(|(way, turns)| match way {
            Way::Alone(stage) => Some((*stage, turns)),
            _ => None,
        })
    }

    /// How many times as long a script takes, or as much processor time.
    fn ratio_to(&self, turns: &Turns, look: Look) -> Option<f64> {
        self.foretell().ratio_of(turns, look)
    }

    /// What the job takes of the slowest stage alone.
    fn ratio_to_slowest_stage(&self) -> Option<f64> {
        let stages: Vec<&Turns> = self.stages().map(|(_, turns)| turns).collect();
        self.foretell().ratio_to_most(&stages, WORK)
    }

    fn rate(&self, turns: &Turns) -> Option<f64> {
        Some(self.records as f64 / turns.middle(SECONDS)?)
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        let mut set = |name: &str, figure: Option<f64>| figures.set(format!("jobs.fraud_1m.{name}"), figure);
        set("records", Some(self.records as f64));
        set("records_per_s", self.rate(self.foretell()));
        set("job_seconds", self.foretell().middle(WORK));
        let ways = self.scripts().map(|(script, turns)| (format!("{}.", script.name), turns));
        for (name, turns) in [(String::new(), self.foretell())].into_iter().chain(ways) {
            set(&format!("{name}seconds"), turns.middle(SECONDS));
            set(&format!("{name}cpu_seconds"), turns.middle(PROCESSOR));
            set(&format!("{name}peak_rss_mb"), turns.middle(MEMORY));
        }
        for (script, turns) in self.scripts() {
            set(&format!("ratio_to_{}", script.name), self.ratio_to(turns, SECONDS));
            set(&format!("ratio_to_{}_cpu", script.name), self.ratio_to(turns, PROCESSOR));
        }
        for (stage, turns) in self.stages() {
            set(&format!("alone.{}_seconds", stage.name()), turns.middle(SECONDS));
            set(&format!("alone.{}_cpu_seconds", stage.name()), turns.middle(PROCESSOR));
        }
        set("ratio_to_slowest_stage", self.ratio_to_slowest_stage());
    }

    pub(super) fn draw(&self, output: Output) {
        output.line(&format!(
            "\n{} stored records, end to end; medians over {ROUNDS} rounds, ratios within a round",
            format_count(self.records)
        ));
        let row = |title: &str, turns: &Turns| {
            vec![
                title.to_owned(),
                seconds(turns.middle(SECONDS)),
                format!("({})", seconds(turns.middle(PROCESSOR))),
                format_count(self.rate(turns).unwrap_or_default() as u64),
                megabytes(turns.middle(MEMORY)),
                times(self.ratio_to(turns, SECONDS)),
                format!("({})", times(self.ratio_to(turns, PROCESSOR))),
            ]
        };
        output.table(
            &["way", "seconds#", "(cpu)#", "records/s#", "peak MB#", "foretell is faster by#", "(cpu)#"],
            [row("foretell-fraud score", self.foretell())]
                .into_iter()
                .chain(self.scripts().map(|(script, turns)| row(script.title, turns)))
                .chain(self.stages().map(|(stage, turns)| row(&format!("{} alone", stage.name()), turns))),
        );
        let python = self.scripts().next().and_then(|(_, turns)| self.ratio_to(turns, SECONDS));
        let met = verdict(python.is_some_and(|ratio| ratio >= RATIO_TO_PYTHON_MIN));
        output.line(&format!(
            "ratio to python: {}; target: at least {RATIO_TO_PYTHON_MIN}: {met}",
            times(python)
        ));
        let stage = self.ratio_to_slowest_stage();
        let met = verdict(stage.is_some_and(|ratio| ratio <= RATIO_TO_STAGE_MAX));
        output.line(&format!(
            "job ({} s without its start) to its slowest stage alone: {}; target: at most {RATIO_TO_STAGE_MAX}: {met}",
            seconds(self.foretell().middle(WORK)),
            times(stage)
        ));
    }
}
