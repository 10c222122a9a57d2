//! `reproduce fraud`: the shipped models on the published protocol, through the programs that people run.
//!
//! In a fresh directory below the target directory: install the plugin, import the 1,754,155 transactions, score all of
//! them, then the test week of the single split and of the four folds, each with the model of its own training week, and
//! evaluate. Then everything that must hold exactly is checked: published features, splits and Card Precisions against
//! the product's code on that database, stored predictions against themselves, and a changed model file.
//!
//! **Invariant:** figures of quality come from the programs' own JSON; nothing is computed here a second time.

mod features;
mod golden;
mod handbook;
mod protocol;
mod stored;
mod train;
mod tree;
mod trust;

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use foretell_fraud::PLUGIN;
use foretell_fraud::split::{SINGLE, TEST_FOLDS};
use foretell_insight::report::Estimate;
use foretell_runtime::manifest::Manifest;
use foretell_store::open::Store;
use foretell_terminal::{Failure, Output, format_count};

use self::handbook::{Handbook, Published};
use self::protocol::Metrics;
use crate::figures::{Figures, mean_and_deviation};
use crate::machine;
use crate::product::Product;
use crate::program::{Finished, say};
use crate::reproduce::check::Check;
use crate::reproduce::{draw_checks, verdict};

/// Names of the three metrics in figures, in the order of [`Metrics::figures`].
const METRICS: [&str; 3] = ["auc_roc", "average_precision", "card_precision_at_100"];

/// What is shown of one step over all transactions.
struct Step {
    name: &'static str,
    rows: u64,
    /// As the program itself says.
    seconds: f64,
    peak_rss_mb: Option<f64>,
    remark: String,
}

/// Everything that was found.
struct Findings {
    figures: Figures,
    steps: Vec<Step>,
    single: Metrics,
    folds: Vec<(NaiveDate, Metrics)>,
    checks: Vec<Check>,
}

/// Reproduces the figures of the fraud models. The exit code says whether all checks held.
pub(crate) async fn fraud(output: Output, data: &Path, train: bool) -> Result<u8, Failure> {
    let handbook = Handbook::find(data)?;
    let models = if train { train::folds(&handbook)? } else { train::shipped() };
    // What was trained anew is judged in place of what ships.
    let single_model = train.then(|| model_of(&models, SINGLE));
    let product = Product::fresh(&machine::scratch()?.join("fraud"))?;
    let findings = find(&product, &handbook, &models, single_model.as_deref()).await?;
    output.show(&findings.figures, |output| draw(output, &findings));
    Ok(verdict(&findings.checks))
}

fn model_of(models: &Path, start: NaiveDate) -> PathBuf {
    models.join(format!("{start}.onnx"))
}

async fn find(
    product: &Product,
    handbook: &Handbook,
    models: &Path,
    single_model: Option<&Path>,
) -> Result<Findings, Failure> {
    let (mut figures, mut checks, mut steps) = (Figures::default(), Vec::new(), Vec::new());
    product.install(PLUGIN)?;
    let directory = machine::plugin_directory(PLUGIN)?;
    let manifest = Manifest::load(&directory).map_err(|error| Failure::new(&error))?;

    let (imported, finished) = protocol::import(product, &handbook.transactions())?;
    let expected = handbook.checks()?;
    checks.push(Check::equal("imported rows", expected.rows, imported.stored));
    checks.push(Check::equal("rejected rows", 0, imported.rejected));
    let step = Step::new("import", imported.rows, imported.seconds, &finished, String::new());
    step.note(&mut figures);
    steps.push(step);

    let (scored, finished) = protocol::score(product, None, None)?;
    checks.push(Check::equal("scored rows", expected.rows, scored.scored));
    checks.push(Check::equal("rows set aside", 0, scored.rejected));
    let remark = format!(
        "waited for records {:.1} s, predicted {:.1} s, wrote {:.1} s",
        scored.read_seconds, scored.predict_seconds, scored.write_seconds
    );
    let step = Step::new("score", scored.scored, scored.seconds, &finished, remark);
    step.note(&mut figures);
    for (name, seconds) in [
        ("read_seconds", scored.read_seconds),
        ("predict_seconds", scored.predict_seconds),
        ("write_seconds", scored.write_seconds),
    ] {
        figures.set(format!("fraud.score.{name}"), seconds);
    }
    steps.push(step);
    let bytes = std::fs::metadata(product.database()).map(|file| file.len() as f64).ok();
    figures.set("fraud.database_mb", bytes.map(|bytes| bytes / 1e6));

    let single = protocol::test_week(product, SINGLE, single_model)?;
    note_single(&single, &mut figures);
    if single_model.is_none() {
        // The same week out of the run over everything: what is scored together makes no difference.
        let among_all = protocol::evaluate(product, scored.run, SINGLE)?;
        let words = |metrics: &Metrics| metrics.figures().map(|figure| format!("{figure:.9}")).join(" ");
        checks.push(Check::equal("test week scored alone, and among all", words(&among_all), words(&single)));
    }
    let folds = TEST_FOLDS
        .into_iter()
        .map(|start| Ok((start, protocol::test_week(product, start, Some(&model_of(models, start)))?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    note_folds(&folds, &mut figures);

    say("checking features, splits and Card Precisions");
    let store = Store::open_read_only(product.database())
        .await
        .map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    checks.push(frauds(product, scored.run, expected.frauds)?);
    checks.extend(golden::check(&store, &manifest, handbook, scored.run, &mut figures).await?);
    store.close().await;
    checks.push(trust::repeat(product, scored.run, &mut figures)?);
    checks.extend(trust::change_model(product, &manifest, scored.run)?);
    figures.set("fraud.checks.made", checks.len() as f64);
    figures.set("fraud.checks.held", checks.iter().filter(|check| check.held()).count() as f64);
    Ok(Findings { figures, steps, single, folds, checks })
}

/// How many of all transactions are fraud, as the evaluation of the run over everything counts them.
fn frauds(product: &Product, run: i64, expected: u64) -> Result<Check, Failure> {
    #[derive(serde::Deserialize)]
    struct Counted {
        positives: u64,
    }
    let arguments = ["evaluate", "--run", &run.to_string(), "--resamples", "0", "--json"];
    let (counted, _) = product.ask::<Counted, _>("foretell-fraud", arguments)?;
    Ok(Check::equal("frauds among all", expected, counted.positives))
}

impl Step {
    fn new(name: &'static str, rows: u64, seconds: f64, finished: &Finished, remark: String) -> Self {
        Self { name, rows, seconds, peak_rss_mb: finished.peak_rss_mb, remark }
    }

    fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    fn note(&self, figures: &mut Figures) {
        let name = |figure: &str| format!("fraud.{}.{figure}", self.name);
        figures.set(name("rows"), self.rows as f64);
        figures.set(name("seconds"), self.seconds);
        figures.set(name("rows_per_s"), self.rate());
        figures.set(name("peak_rss_mb"), self.peak_rss_mb);
    }
}

fn note_single(metrics: &Metrics, figures: &mut Figures) {
    for (name, figure) in METRICS.into_iter().zip(metrics.figures()) {
        figures.set(format!("fraud.single.{name}"), figure);
    }
    for (name, estimate) in [(METRICS[0], &metrics.auc_roc), (METRICS[1], &metrics.average_precision)] {
        let interval = |end: fn(&Estimate) -> Option<f64>| end(estimate);
        figures.set(format!("fraud.single.{name}_low"), interval(|it| Some(it.interval?.low)));
        figures.set(format!("fraud.single.{name}_high"), interval(|it| Some(it.interval?.high)));
    }
}

/// The shipped default is the feed-forward network, so its figures have both names.
fn note_folds(folds: &[(NaiveDate, Metrics)], figures: &mut Figures) {
    for (name, (mean, deviation)) in METRICS.into_iter().zip(summary(folds)) {
        for prefix in ["fraud.prequential", "fraud.prequential.feed_forward"] {
            figures.set(format!("{prefix}.{name}"), mean);
            figures.set(format!("{prefix}.{name}_std"), deviation);
        }
    }
}

/// Mean and population standard deviation of each metric.
fn summary(folds: &[(NaiveDate, Metrics)]) -> [(f64, f64); 3] {
    std::array::from_fn(|metric| {
        let values: Vec<f64> = folds.iter().map(|(_, metrics)| metrics.figures()[metric]).collect();
        mean_and_deviation(&values)
    })
}

fn draw(output: Output, findings: &Findings) {
    output.line(&machine::describe());
    output.line("\nAll transactions");
    output.table(
        &["step", "rows#", "seconds#", "rows/s#", "peak MB#", ""],
        findings.steps.iter().map(|step| {
            let peak = step.peak_rss_mb.map(|peak| format!("{peak:.0}")).unwrap_or_default();
            let (rows, rate) = (format_count(step.rows), format_count(step.rate() as u64));
            vec![step.name.to_owned(), rows, format!("{:.1}", step.seconds), rate, peak, step.remark.clone()]
        }),
    );
    let head = ["model", "AUC ROC#", "average precision#", "CP@100#"];
    let single = &findings.single;
    output.line(&format!(
        "\nSingle split, test week {} ({} transactions, {} frauds; published: handbook ch. 3.4 and 7.2)",
        protocol::test_days(SINGLE)[0],
        format_count(single.rows),
        single.frauds
    ));
    let own = row("foretell", single.figures(), None);
    output.table(&head, [own].into_iter().chain(handbook::SINGLE.iter().map(published)));
    output.line(
        "\nPrequential, four test weeks (published: handbook ch. 5.3, 6, 7, best parameters for each metric)",
    );
    let summary = summary(&findings.folds);
    let own = row("foretell", summary.map(|(mean, _)| mean), Some(summary.map(|(_, deviation)| deviation)));
    let folds = findings
        .folds
        .iter()
        .map(|(start, fold)| row(&format!("  training week {start}"), fold.figures(), None));
    output.table(&head, [own].into_iter().chain(folds).chain(handbook::PREQUENTIAL.iter().map(published)));
    draw_checks(output, &findings.checks);
}

fn published(published: &Published) -> Vec<String> {
    row(published.model, published.figures, published.deviations)
}

fn row(model: &str, figures: [f64; 3], deviations: Option<[f64; 3]>) -> Vec<String> {
    let cell = |metric: usize| {
        let deviation =
            deviations.map(|deviations| format!(" +- {:.3}", deviations[metric])).unwrap_or_default();
        format!("{:.3}{deviation}", figures[metric])
    };
    vec![model.to_owned(), cell(0), cell(1), cell(2)]
}
