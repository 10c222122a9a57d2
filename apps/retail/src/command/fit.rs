//! `foretell-retail fit`

use std::num::NonZeroUsize;
use std::time::Instant;

use foretell_jobs::{FitOptions, Fitted, deploy};
use foretell_store::deployment::Role;
use foretell_store::open::Store;
use foretell_store::selection::Selection;
use foretell_store::time::{DAY, Micros, format_time};
use foretell_terminal::job::{App, FittedDocument};
use foretell_terminal::{Failure, Output, Place, exit, format_count, job};
use serde::Serialize;

use super::answers::{numbers, of_model};
use super::measure::{Measure, Measured, accuracy, asked};
use super::model::Model;
use super::purchases::last_time;
use crate::arguments::Fit;
use crate::ledger::Ledger;
use crate::protocol::{Group, Period, pairs};

/// Days at the end that are held out, unless the user says or an update is asked for.
const HOLD_OUT_DAYS: u32 = 7;
/// Lengths of the lists by which a model is tried on the tail.
const TOP: [usize; 2] = [5, 10];
/// Resamples of the intervals.
const RESAMPLES: u32 = 200;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    fitted: FittedDocument,
    /// Different items among the purchases that the model knows.
    items: usize,
    /// What the model of the time before the tail made of the tail.
    tried: Option<Tried>,
    /// Why it was not tried, if it was wanted.
    not_tried: Option<String>,
    /// Whether it answers from now on.
    champion: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct Tried {
    /// The version that knew nothing of the tail.
    plugin: String,
    group: &'static str,
    /// The tail begins here.
    tail_from: String,
    #[serde(flatten)]
    measured: Measured,
}

pub(super) async fn run(place: &Place, output: Output, command: &Fit) -> Result<u8, Failure> {
    let started = Instant::now();
    let app = super::batch(place, output);
    let store = place.open_patiently().await?;
    let last = last_time(&store, command.to).await?.ok_or_else(|| {
        let when = command.to.map(|to| format!(" before {}", format_time(to))).unwrap_or_default();
        Failure::words(format!("there is nothing to learn: no purchase is stored{when}"))
            .hint(Some("`foretell-retail import purchases FILE` reads purchases"))
    })?;
    let ledger = Ledger::read(&store, command.to)
        .await
        .map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    // An update goes on from what was learned last, which a trial on less would not be.
    let hold_out = command.hold_out.unwrap_or(if command.update { 0 } else { HOLD_OUT_DAYS });
    let tail_from = (hold_out > 0).then(|| last - i64::from(hold_out) * DAY);
    let (mut tried, mut not_tried) = (None, None);
    if let Some(tail_from) = tail_from {
        match try_on_tail(&app, &store, &ledger, command, tail_from).await? {
            Ok(found) => tried = Some(found),
            Err(reason) => not_tried = Some(reason),
        }
    }
    let fitted = learn(&app, &store, command, command.to).await?;
    if !command.no_deploy {
        let model = Model::load(&app, &store, Some(&fitted.plugin)).await?;
        deploy(&store, model.plugin(), &model.models.program, Role::Champion)
            .await
            .map_err(|error| Failure::new(&error).hint(error.hint()))?;
    }
    let report = Report {
        items: ledger.sold_before(Micros::MAX).iter().filter(|sold| **sold > 0).count(),
        tried,
        not_tried,
        champion: !command.no_deploy,
        seconds: started.elapsed().as_secs_f64(),
        fitted: FittedDocument::from(&fitted),
    };
    output.show(&report, |output| draw(output, app.unit, &report));
    Ok(if fitted.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE })
}

/// Learns purchases before a time.
async fn learn(app: &App<'_>, store: &Store, command: &Fit, to: Option<Micros>) -> Result<Fitted, Failure> {
    let options = FitOptions {
        seed: command.seed,
        update: command.update,
        ..FitOptions::new(Selection { to, ..Selection::default() })
    };
    job::fit(&App { output: Output::silent(), ..*app }, store, &command.plugin, &options).await
}

/// Learns what was bought before the tail, and holds its answers against the tail; or says why that cannot be done.
async fn try_on_tail(
    app: &App<'_>,
    store: &Store,
    ledger: &Ledger,
    command: &Fit,
    tail_from: Micros,
) -> Result<Result<Tried, String>, Failure> {
    if ledger.lines.first().is_none_or(|line| line.time >= tail_from) {
        return Ok(Err(
            "all purchases are of the days that would be held out; hold out fewer with `--hold-out`"
                .to_owned(),
        ));
    }
    let period = Period { from: Some(tail_from), ..Period::default() };
    let mut group = (Group::Customers, "customers");
    let mut pairs_of_tail = pairs(ledger, Group::Customers, &period);
    if pairs_of_tail.is_empty() {
        group = (Group::Baskets, "baskets");
        pairs_of_tail = pairs(ledger, Group::Baskets, &period);
    }
    if pairs_of_tail.is_empty() {
        return Ok(Err(
            "in the days at the end no customer has bought again, and no basket has two items".to_owned()
        ));
    }
    let fitted = learn(app, store, command, Some(tail_from)).await?;
    let model = Model::load(app, store, Some(&fitted.plugin)).await?;
    let mut items = ledger.items.clone();
    let asked = asked(ledger, &pairs_of_tail);
    let answers = of_model(app, store, &model, &asked, tail_from, 1, numbers(&mut items)).await?;
    let top = TOP.map(|top| NonZeroUsize::new(top).expect("the constants are not 0"));
    let measure = Measure {
        ledger,
        group: group.0,
        pairs: &pairs_of_tail,
        known_before: tail_from,
        top: &top,
        resamples: RESAMPLES,
        seed: command.seed,
    };
    let measured = measure.measure(store, Some(&answers), &items).await?;
    let tail_from = format_time(tail_from);
    Ok(Ok(Tried { plugin: fitted.plugin, group: group.1, tail_from, measured }))
}

fn draw(output: Output, unit: &str, report: &Report) {
    match (&report.tried, &report.not_tried) {
        (Some(tried), _) => {
            output.line(&format!(
                "tried on what was bought from {} on, which it had not learned:",
                tried.tail_from
            ));
            tried.measured.draw(output, &format!("purchases of {} to guess", tried.group), accuracy);
            output.line("\nthen learned that, too:");
        }
        (None, Some(reason)) => output.line(&format!("not tried before it was learned: {reason}\n")),
        (None, None) => (),
    }
    let mut facts = report.fitted.facts(unit);
    facts.push(("items", format_count(report.items as u64)));
    facts.push(("time", format!("{:.1} s", report.seconds)));
    output.facts(&facts);
    output.line(&match report.champion {
        true => {
            "it answers from now on: `foretell-retail recommend --help` says what it can be asked".to_owned()
        }
        false => format!("`foretell model promote {}` lets it answer", report.fitted.plugin()),
    });
}
