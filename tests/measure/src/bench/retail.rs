//! `bench retail`: what next items cost, from the command to the end of its process, and in this process.
//!
//! | part | what is measured |
//! |---|---|
//! | fit | `foretell-retail fit` over all purchases of Beauty: from stored purchases to a model that answers |
//! | all | the next ten items for every customer of Beauty, read, answered and stored, beside torch with the same weights |
//! | one | one customer's answer by the loaded plugin, at Beauty's 12,101 items and at a million made-up ones |
//!
//! **Invariant:** speed is compared only after both sides were seen to say the same.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow_json::ReaderBuilder;
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_terminal::{Failure, Output, format_count};
use serde::Deserialize;

use super::rounds::{MEMORY, PROCESSOR, SECONDS, Turn, Turns, order};
use super::verdict;
use crate::figures::{Figures, median};
use crate::product::Product;
use crate::program::{self, say, words};
use crate::shop::{self, APP, ITEM_KNN, NEXT_ITEM};
use crate::{machine, python};

/// The set.
const SET: &str = "beauty";
/// Rounds of what takes seconds.
const ROUNDS: usize = 5;
/// Rounds of what takes milliseconds.
const CALLS: usize = 200;
/// Items of the large catalogue.
const LARGE: usize = 1_000_000;
/// How many times as fast as the script it is to be.
const RATIO_MIN: f64 = 3.0;
/// Milliseconds that one customer may take.
const ONE_MS_MAX: f64 = 10.0;
/// Seconds that learning may take.
const FIT_S_MAX: f64 = 5.0;
/// Relative difference of the sums of best scores that counts as equal.
const TOLERANCE: f64 = 1e-4;

/// What was found.
pub(super) struct Findings {
    fit: Turns,
    foretell: Turns,
    padded: Turns,
    grouped: Turns,
    customers: u64,
    one_ms: Option<f64>,
    one_large_ms: Option<f64>,
}

/// What the scripts print.
#[derive(Deserialize)]
struct Script {
    customers: u64,
    seconds: f64,
    sum: f64,
}

/// What `foretell-retail recommend --all --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Recommended {
    run: i64,
    scored: u64,
    seconds: f64,
}

pub(super) async fn measure(runtime: &Arc<Runtime>, data: &Path) -> Result<Findings, Failure> {
    let set = shop::directory(data, SET)?;
    let model = shop::model(&set, SET, false)?;
    let product = Product::fresh(&machine::scratch()?.join("bench-retail"))?;
    product.install(ITEM_KNN)?;
    let plugin = shop::install_next_item(&product, &model, SET)?;
    shop::import(&product, &set)?;

    let mut fit = Turns::default();
    for _ in 0..ROUNDS {
        let words = ["fit", "--plugin", ITEM_KNN, "--hold-out", "0", "--json"];
        let finished = product.run(APP, words)?.succeeded()?;
        fit.add(Turn::of(&finished, finished.seconds));
    }
    let mut findings = Findings {
        fit,
        foretell: Turns::default(),
        padded: Turns::default(),
        grouped: Turns::default(),
        customers: 0,
        one_ms: None,
        one_large_ms: None,
    };
    let python = shop::python()?;
    findings.all(&product, &python, &plugin, &model).await?;

    findings.one_ms = Some(one(runtime, &model, 7)?);
    let large = machine::scratch()?.join("retail-models").join("large");
    if !large.join("items.bin").exists() {
        let script = machine::workspace().join("tests/bench/large_catalogue.py");
        let mut command = Command::new(&python);
        command.arg(script).arg("--items").arg(LARGE.to_string()).arg("--output").arg(&large);
        python::run(&mut command)?;
    }
    findings.one_large_ms = Some(one(runtime, &large, 7)?);
    Ok(findings)
}

impl Findings {
    /// Lets the product and both scripts take turns.
    async fn all(
        &mut self,
        product: &Product,
        python: &Path,
        plugin: &str,
        model: &Path,
    ) -> Result<(), Failure> {
        let database = product.database().with_file_name("turn.db");
        for round in 0..ROUNDS {
            let mut sums = [None; 3];
            for way in order(round, sums.len()) {
                let product = product.with_copy(product.database(), &database)?;
                let (turn, customers, sum) = match way {
                    0 => own(&product, plugin).await?,
                    way => script(python, product.database(), model, way == 2)?,
                };
                let turns = [&mut self.foretell, &mut self.padded, &mut self.grouped];
                turns.into_iter().nth(way).expect("there are three ways").add(turn);
                sums[way] = Some(sum);
                self.customers = customers;
            }
            agree(sums)?;
        }
        Ok(())
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        figures.set("retail.fit_item_knn_s", self.fit.middle(SECONDS));
        figures.set("retail.top10_all_users.ratio_to_python", self.foretell.ratio_of(&self.padded, SECONDS));
        figures.set(
            "retail.top10_all_users.ratio_to_python_grouped",
            self.foretell.ratio_of(&self.grouped, SECONDS),
        );
        for (name, turns) in
            [("foretell", &self.foretell), ("python", &self.padded), ("python_grouped", &self.grouped)]
        {
            figures.set(format!("retail.top10_all_users.{name}_s"), turns.middle(SECONDS));
            figures.set(format!("retail.top10_all_users.{name}_cpu_s"), turns.middle(PROCESSOR));
            figures.set(format!("retail.top10_all_users.{name}_peak_rss_mb"), turns.middle(MEMORY));
        }
        figures.set("retail.one_user_ms", self.one_ms);
        figures.set("retail.one_user_1m_items_ms", self.one_large_ms);
    }

    pub(super) fn draw(&self, output: Output) {
        let cell = |value: Option<f64>, digits: usize| {
            value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
        };
        output.line(&format!(
            "\nNext ten items for {} customers: read, answered, stored; medians of {ROUNDS} alternating rounds",
            format_count(self.customers)
        ));
        let row = |name: &str, turns: &Turns| {
            vec![
                name.to_owned(),
                cell(turns.middle(SECONDS), 2),
                cell(turns.middle(PROCESSOR), 2),
                cell(turns.middle(MEMORY), 0),
                cell(self.foretell.ratio_of(turns, SECONDS), 2),
            ]
        };
        output.table(
            &["way", "seconds#", "processor seconds#", "peak MB#", "foretell is faster by#"],
            [
                row("foretell-retail recommend --all", &self.foretell),
                row("torch, sequences padded to 50", &self.padded),
                row("torch, sequences of one length together", &self.grouped),
            ],
        );
        let ratio = self.foretell.ratio_of(&self.padded, SECONDS);
        let met = verdict(ratio.is_some_and(|ratio| ratio >= RATIO_MIN));
        output.line(&format!("target: at least {RATIO_MIN} times as fast as the padded one: {met}"));
        let fit = self.fit.middle(SECONDS);
        let met = verdict(fit.is_some_and(|seconds| seconds <= FIT_S_MAX));
        output.line(&format!(
            "\nfit of item-kNN, from stored purchases to a registered model: {} s; target: {FIT_S_MAX}: {met}",
            cell(fit, 2)
        ));
        let met = verdict(self.one_ms.is_some_and(|one| one <= ONE_MS_MAX));
        output.line(&format!(
            "one customer, in process: {} ms; target: {ONE_MS_MAX}: {met}; with {} items: {} ms",
            cell(self.one_ms, 2),
            format_count(LARGE as u64),
            cell(self.one_large_ms, 1)
        ));
    }
}

async fn own(product: &Product, plugin: &str) -> Result<(Turn, u64, f64), Failure> {
    let words = ["recommend", "--all", "--plugin", plugin, "--json"];
    let (answer, finished) = product.ask::<Recommended, _>(APP, words)?;
    let sum = shop::sum_of_scores(product, answer.run).await?;
    Ok((Turn::of(&finished, answer.seconds), answer.scored, sum))
}

fn script(python: &Path, database: &Path, model: &Path, grouped: bool) -> Result<(Turn, u64, f64), Failure> {
    let mut command = Command::new(python);
    command.arg(machine::workspace().join("tests/bench/recommend.py"));
    command.arg("--db").arg(database).arg("--network").arg(model);
    if grouped {
        command.arg("--grouped");
    }
    let line = words(&command);
    say(&format!("$ {line}"));
    let (answer, finished) = program::run(&mut command, line, None)?.answer::<Script>()?;
    Ok((Turn::of(&finished, answer.seconds), answer.customers, answer.sum))
}

/// Whether all ways found best items of the same scores.
fn agree(sums: [Option<f64>; 3]) -> Result<(), Failure> {
    let sums: Vec<f64> = sums.into_iter().flatten().collect();
    let apart = |sum: &f64| (sum - sums[0]).abs() > TOLERANCE * sums[0].abs();
    match sums.iter().any(apart) {
        true => Err(Failure::words(format!("the sums of best scores differ: {sums:?}"))),
        false => Ok(()),
    }
}

/// Milliseconds of one answer to a customer with `length` purchases, by the plugin with this model; the median of many.
fn one(runtime: &Arc<Runtime>, model: &Path, length: usize) -> Result<f64, Failure> {
    let fail = |error: &dyn std::error::Error| Failure::words(error.to_string());
    let directory = machine::plugin_directory(NEXT_ITEM)?;
    let mut verified = Verified::trusting(&directory).map_err(|error| Failure::new(&error))?;
    for (slot, file) in shop::FILES {
        verified =
            verified.with_model(slot, &model.join(file), None).map_err(|error| Failure::new(&error))?;
    }
    let plugin =
        Plugin::load(runtime, verified, &LoadOptions::default()).map_err(|error| Failure::new(&error))?;
    let items: Vec<String> = (1..=length).map(|item| (item * 7).to_string()).collect();
    let record = serde_json::json!({ "event_time": 0, "items": items, "bought": [] });
    let mut decoder =
        ReaderBuilder::new(plugin.schema().clone()).build_decoder().map_err(|error| fail(&error))?;
    decoder.decode(record.to_string().as_bytes()).map_err(|error| fail(&error))?;
    let records = decoder.flush().map_err(|error| fail(&error))?;
    let records = records.ok_or_else(|| Failure::words("the record became no row"))?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        let answers = plugin.predict(&records).map_err(|error| Failure::new(&error))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if answers.len() != 1 {
            return Err(Failure::words("one record got no answer"));
        }
    }
    median(&times).ok_or_else(|| Failure::words("nothing was measured"))
}
