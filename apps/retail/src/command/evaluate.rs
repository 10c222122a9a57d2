//! `foretell-retail evaluate`

use std::collections::HashSet;
use std::path::Path;

use foretell_store::open::Store;
use foretell_store::time::{DAY, Micros, format_time};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use super::answers::{self, numbers};
use super::measure::{Measure, Measured, all, asked};
use super::model::{Model, read_failure};
use crate::arguments::Evaluate;
use crate::ledger::Ledger;
use crate::protocol::{Group, Period, pairs};

/// Without a period, the targets of so many days at the end are looked at.
const LATEST_DAYS: i64 = 28;
/// Bytes of a list of customers.
const CUSTOMERS_BYTES_MAX: u64 = 256 << 20;

#[derive(Serialize)]
struct Report {
    plugin: Option<String>,
    run: Option<i64>,
    group: &'static str,
    /// The last purchase that the plugin has learned, where it learns.
    learned_until: Option<String>,
    #[serde(flatten)]
    measured: Measured,
    notes: Vec<String>,
}

/// Who answers.
enum Answerer {
    Nobody,
    Run(i64, String),
    Model(Box<Model>),
}

pub(super) async fn run(place: &Place, output: Output, command: &Evaluate) -> Result<u8, Failure> {
    let store = place.open_patiently().await?;
    let answerer = answerer(place, output, &store, command).await?;
    let ledger =
        Ledger::read(&store, None).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let learned_until = match &answerer {
        Answerer::Model(model) => learned_until(&store, &ledger, &model.plugin().name()).await?,
        Answerer::Run(_, plugin) => learned_until(&store, &ledger, plugin).await?,
        Answerer::Nobody => None,
    };
    let mut notes = Vec::new();
    let from = from(&ledger, command, learned_until);
    if learned_until.is_some_and(|until| from.is_none_or(|from| until >= from)) {
        notes.push(format!(
            "it has learned purchases up to {}, targets among them, so these figures flatter it; \
             learn less with `foretell-retail fit --to TIME --no-deploy`",
            learned_until.map(format_time).unwrap_or_default()
        ));
    }
    let group = if command.baskets { Group::Baskets } else { Group::Customers };
    let only = command.customers.as_deref().map(names).transpose()?;
    let mut pairs = pairs(&ledger, group, &Period { from, to: command.to, only });
    if pairs.is_empty() {
        return Err(nothing(&ledger, group));
    }
    let mut items = ledger.items.clone();
    let mut answers = None;
    if let Answerer::Run(run, plugin) = &answerer {
        // What it was not asked about says nothing about it.
        let found = answers::of_run(&store, *run, &asked(&ledger, &pairs), numbers(&mut items)).await?;
        pairs.retain(|pair| found.contains_key(&ledger.lines[pair.question].record));
        if pairs.is_empty() {
            return Err(Failure::words(format!("run {run} of {plugin} answers no question of this period"))
                .hint(Some(
                    "choose another `--from` and `--to`, or leave `--run` out and have it answer them",
                )));
        }
        answers = Some(found);
    }
    if let Answerer::Model(model) = &answerer {
        let (app, cut) = (super::batch(place, output), from.unwrap_or(Micros::MIN));
        let asked = asked(&ledger, &pairs);
        let read = numbers(&mut items);
        answers = Some(answers::of_model(&app, &store, model, &asked, cut, command.workers, read).await?);
    }
    let first = pairs.iter().map(|pair| ledger.lines[pair.target].time).min();
    let learned_all = learned_until.map(|until| until + 1);
    // Popularity may know what the model knows: what it has learned, or what was bought before the period.
    let known_before = from.or(first).map_or(0, |from| learned_all.map_or(from, |learned| learned.min(from)));
    let measure = Measure {
        ledger: &ledger,
        group,
        pairs: &pairs,
        known_before,
        top: &command.top,
        resamples: command.resamples,
        seed: command.seed,
    };
    let (plugin, run) = match answerer {
        Answerer::Nobody => (None, None),
        Answerer::Run(run, plugin) => (Some(plugin), Some(run)),
        Answerer::Model(model) => (Some(model.plugin().name()), None),
    };
    let measured = measure.measure(&store, answers.as_ref(), &items).await?;
    let group = if command.baskets { "baskets" } else { "customers" };
    let learned_until = learned_until.map(format_time);
    let report = Report { plugin, run, group, learned_until, measured, notes };
    output.show(&report, |output| draw(output, &report));
    Ok(exit::DONE)
}

async fn answerer(
    place: &Place,
    output: Output,
    store: &Store,
    command: &Evaluate,
) -> Result<Answerer, Failure> {
    if command.popularity {
        return Ok(Answerer::Nobody);
    }
    if let Some(run) = command.run {
        let found = store.run(run).await.map_err(read_failure)?.ok_or_else(|| {
            Failure::words(format!("there is no run {run}"))
                .hint(Some("`foretell prediction runs` lists them"))
        })?;
        return Ok(Answerer::Run(run, format!("{}@{}", found.plugin.name, found.plugin.version)));
    }
    let app = super::batch(place, output);
    let model = Model::load(&app, store, command.plugin.as_deref()).await?;
    model.check_learned()?;
    // A list must be as long as what is looked at.
    let longest = command.top.iter().map(|top| top.get() as u64).max().unwrap_or(1);
    let usual = model.models.settings().get("count").and_then(serde_json::Value::as_u64);
    let mut changes = command.settings.set.clone();
    if usual.is_some_and(|usual| usual < longest) && changes.iter().all(|(name, _)| name != "count") {
        changes.push(("count".to_owned(), longest.into()));
    }
    let model = model.with(place, changes)?;
    Ok(Answerer::Model(Box::new(model)))
}

/// The last purchase that this version of a plugin has learned; nothing if it does not learn.
async fn learned_until(store: &Store, ledger: &Ledger, plugin: &str) -> Result<Option<Micros>, Failure> {
    let Some((name, version)) = plugin.split_once('@') else { return Ok(None) };
    let Some(fitted) = store.fit_of(name, Some(version)).await.map_err(read_failure)? else {
        return Ok(None);
    };
    // Questions are among what a fit goes through, and later than any purchase.
    let until = fitted.last_time.unwrap_or(Micros::MIN);
    let lines = ledger.lines.iter().rev();
    Ok(lines
        .skip_while(|line| line.time > until)
        .find(|line| line.record <= fitted.record_watermark)
        .map(|line| line.time))
}

/// Where the period begins: where the user says; else behind what was learned; else with the last weeks.
fn from(ledger: &Ledger, command: &Evaluate, learned_until: Option<Micros>) -> Option<Micros> {
    let last = ledger.lines.last()?.time;
    let unlearned = learned_until.map(|until| until + 1).filter(|from| *from <= last);
    command.from.or_else(|| match command.to {
        Some(_) => None,
        None => unlearned.or(Some(last - LATEST_DAYS * DAY)),
    })
}

fn names(file: &Path) -> Result<HashSet<String>, Failure> {
    let fail = |reason: String| Failure::words(format!("can't read `{}`: {reason}", file.display()));
    let bytes = std::fs::metadata(file).map_err(|error| fail(error.to_string()))?.len();
    if bytes > CUSTOMERS_BYTES_MAX {
        return Err(fail(format!("it has {bytes} bytes, and at most {CUSTOMERS_BYTES_MAX} are read")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

fn nothing(ledger: &Ledger, group: Group) -> Failure {
    if ledger.lines.is_empty() {
        return Failure::words("there is nothing to evaluate: no purchase is stored")
            .hint(Some("`foretell-retail import purchases FILE` reads purchases"));
    }
    match group {
        Group::Customers => {
            Failure::words("there is nothing to evaluate: no customer bought in this period and before it")
                .hint(Some(
                    "choose another `--from` and `--to`; where no customers are known, ask for `--baskets`",
                ))
        }
        Group::Baskets => {
            Failure::words("there is nothing to evaluate: no basket of this period has two items or more")
                .hint(Some("choose another `--from` and `--to`"))
        }
    }
}

fn draw(output: Output, report: &Report) {
    if let Some(plugin) = &report.plugin {
        output.line(&format!("{plugin}, held against what was bought next"));
    }
    let unit = if report.group == "baskets" { "last items of baskets" } else { "next purchases" };
    report.measured.draw(output, unit, all);
    for note in &report.notes {
        output.line(&format!("note: {note}"));
    }
}
