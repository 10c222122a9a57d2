//! `foretell-retail forecast`

use foretell_store::open::Store;
use foretell_store::time::{Micros, format_time};
use foretell_terminal::job::App;
use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::answers::{Asked, of_model};
use super::ask::named;
use super::backtest;
use super::model::{Model, Notebook};
use super::purchases::last_time;
use crate::arguments::{Every, Forecast};
use crate::catalogue::Catalogue;
use crate::demand::{bars, totals};
use crate::ledger::Ledger;
use crate::question::{DemandQuestion, Step, answer};
use crate::{DEMAND, DEMAND_TASK};

/// Past periods that are drawn.
const PAST_SHOWN_MAX: usize = 36;
/// Items that are listed on a terminal.
const ITEMS_SHOWN_MAX: usize = 20;

/// What is asked of a forecaster.
pub(super) struct Forecaster {
    pub(super) model: Model,
    pub(super) every: Every,
    /// Levels of the low and the high quantile.
    pub(super) levels: Option<[f64; 2]>,
}

/// An item that is asked about, with its answer.
#[derive(Serialize)]
struct Item {
    item: String,
    title: Option<String>,
    past: Vec<Sold>,
    forecast: Vec<Step>,
}

#[derive(Serialize)]
struct Sold {
    event_time: String,
    value: f64,
}

#[derive(Serialize)]
struct Report {
    plugin: String,
    every: &'static str,
    asked_at: String,
    /// Levels of the low and the high quantile.
    levels: Option<[f64; 2]>,
    /// Whether the period at hand is not over, and forecast, too.
    begins_with_present: bool,
    items: Vec<Item>,
}

pub(super) async fn run(place: &Place, output: Output, command: &Forecast) -> Result<u8, Failure> {
    let store = place.open_patiently().await?;
    let ledger = Ledger::read(&store, command.at)
        .await
        .map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let last = last_time(&store, command.at).await?.ok_or_else(|| {
        Failure::words("there is nothing to forecast from: no purchase is stored")
            .hint(Some("`foretell-retail import purchases FILE` or `import demand FILE` reads some"))
    })?;
    let items = match &command.item {
        Some(item) => vec![ledger.items.find(item).ok_or_else(|| never_sold(item))?],
        None => (0..ledger.items.len() as u32).collect(),
    };
    // Whoever says when it is asks about the period at hand, too. Else it is over, if the last purchase is at its end.
    let is_over = command.at.is_none() && command.every.is_over(last);
    if let Some(periods) = command.evaluate {
        let forecaster = Forecaster::load(place, output, &store, command, true).await?;
        let present = command.every.start(last);
        let end = if is_over { command.every.shift(present, 1) } else { present };
        let backtest = backtest::Backtest { ledger: &ledger, items: &items, end, periods };
        return backtest.run(place, output, &store, &forecaster, command).await;
    }
    let forecaster = Forecaster::load(place, output, &store, command, is_over).await?;
    let at = command.at.unwrap_or(last);
    let names: Vec<&str> = items.iter().map(|&item| ledger.items.name(item)).collect();
    let answers = forecaster.ask(place, output, &store, &names, at, command.steps).await?;
    let mut catalogue = Catalogue::default();
    match names.as_slice() {
        [item] => catalogue.look_up(&store, [*item]).await,
        _ => Catalogue::read(&store).await.map(|read| catalogue = read),
    }
    .map_err(super::model::read_failure)?;
    let every = command.every;
    let end = if is_over { every.shift(every.start(last), 1) } else { every.start(at) };
    let sales = ledger.sales();
    let mut told: Vec<Item> = items
        .iter()
        .zip(answers)
        .map(|(&number, forecast)| {
            let item = ledger.items.name(number).to_owned();
            let title = catalogue.get(&item).and_then(|entry| entry.title.clone());
            Item { item, title, past: past(&sales[number as usize], every, end), forecast }
        })
        .collect();
    // What will be sold most comes first.
    told.sort_by(|a, b| expected(&b.forecast).total_cmp(&expected(&a.forecast)));
    let report = Report {
        plugin: forecaster.model.plugin().name(),
        every: every.as_str(),
        asked_at: format_time(at),
        levels: forecaster.levels,
        begins_with_present: !is_over,
        items: told,
    };
    match command.item {
        Some(_) => output.show(&report, |output| draw_one(output, &catalogue, &report, &report.items[0])),
        None => output.show(&report, |output| draw_all(output, &report, command.steps)),
    }
    Ok(exit::DONE)
}

impl Forecaster {
    async fn load(
        place: &Place,
        output: Output,
        store: &Store,
        command: &Forecast,
        is_over: bool,
    ) -> Result<Self, Failure> {
        let app = App { plugin: Some(DEMAND), task: Some(DEMAND_TASK), ..super::batch(place, output) };
        let model = Model::load(&app, store, command.plugin.as_deref()).await?;
        let every = command.every;
        let mut changes = command.settings.set.clone();
        changes.push(("period".to_owned(), every.as_str().into()));
        changes.push(("complete".to_owned(), is_over.into()));
        let model = model.with(place, changes)?;
        let level = |name: &str| model.models.settings().get(name)?.as_f64();
        let levels = level("low").zip(level("high")).map(|(low, high)| [low, high]);
        Ok(Self { model, every, levels })
    }

    /// Asks about items at a time; their answers, in the same order.
    pub(super) async fn ask(
        &self,
        place: &Place,
        output: Output,
        store: &Store,
        items: &[&str],
        at: Micros,
        steps: u32,
    ) -> Result<Vec<Vec<Step>>, Failure> {
        let mut notebook = Notebook::open(store, "forecast").await?;
        let questions = items.iter().map(|item| DemandQuestion::new(item, steps).record(at)).collect();
        let ids = notebook.add(questions).await?;
        notebook.close().await?;
        let asked: Vec<Asked> = ids.iter().map(|&record| Asked { record, time: at }).collect();
        // A few are answered here, many in a job.
        let cut = if items.len() == 1 { Micros::MAX } else { Micros::MIN };
        let app = super::batch(place, output);
        let mut answers = of_model(&app, store, &self.model, &asked, cut, 1, answer).await?;
        ids.iter()
            .map(|id| {
                answers.remove(id).ok_or_else(|| {
                    Failure::words(format!(
                        "{} gives no forecast for record {id}",
                        self.model.plugin().name()
                    ))
                    .hint(Some("`foretell record rejects` says why"))
                })
            })
            .collect()
    }
}

/// What was sold of an item in each period, from its first sale on.
fn past(sales: &[(Micros, f64)], every: Every, end: Micros) -> Vec<Sold> {
    let Some((first, _)) = sales.first() else { return Vec::new() };
    let mut start = every.start(*first);
    let totals = totals(sales.iter().copied(), every, start, end);
    let sold = |value| {
        let event_time = format_time(start);
        start = every.shift(start, 1);
        Sold { event_time, value }
    };
    totals.into_iter().map(sold).collect()
}

fn expected(forecast: &[Step]) -> f64 {
    forecast.iter().map(|step| step.value).sum()
}

fn never_sold(item: &str) -> Failure {
    Failure::words(format!("item `{item}` was never bought, so there is nothing to forecast from"))
        .hint(Some("an import of purchases or of demand says what was sold"))
}

/// A period by its first day.
fn day(time: &str) -> String {
    time.split('T').next().unwrap_or(time).to_owned()
}

/// The heads of the columns of an interval.
fn heads(report: &Report) -> [String; 2] {
    match report.levels {
        Some([low, high]) => [low, high].map(|level| format!("{} %#", (100.0 * level).round())),
        None => ["low#".to_owned(), "high#".to_owned()],
    }
}

fn draw_one(output: Output, catalogue: &Catalogue, report: &Report, item: &Item) {
    let shown = &item.past[item.past.len().saturating_sub(PAST_SHOWN_MAX)..];
    let sold: Vec<f64> = shown.iter().map(|sold| sold.value).collect();
    let values: Vec<f64> = item.forecast.iter().map(|step| step.value).collect();
    // Bars of less than one piece are low, however little is sold.
    let highest = sold.iter().chain(&values).copied().fold(1.0, f64::max);
    output.line(&format!(
        "{}, sold each {}, by {} at {}:",
        named(catalogue, &item.item),
        report.every,
        report.plugin,
        report.asked_at
    ));
    if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
        output.line(&format!(
            "\n{} {} {} | {}  (highest: {highest:.1})",
            day(&first.event_time),
            bars(&sold, highest),
            day(&last.event_time),
            bars(&values, highest)
        ));
    }
    output.line("");
    if item.forecast.is_empty() {
        return output.line("there is no forecast: the item was not bought before this time");
    }
    let [low, high] = heads(report);
    output.table(
        &["from", "mean#", &low, &high],
        item.forecast.iter().map(|step| {
            let number =
                |number: Option<f64>| number.map(|number| format!("{number:.1}")).unwrap_or_default();
            vec![day(&step.event_time), number(Some(step.value)), number(step.low), number(step.high)]
        }),
    );
    if report.begins_with_present {
        output.line(&format!(
            "the first {} is not over at that time: what was sold in it is left out, and all of it forecast",
            report.every
        ));
    }
    if let Some([low, high]) = report.levels {
        let share = (100.0 * (high - low)).round();
        output.line(&format!("{share} % of {}s are expected to lie between the two", report.every));
    }
}

fn draw_all(output: Output, report: &Report, steps: u32) {
    output.line(&format!(
        "{} items, the next {steps} {}s, by {} at {}:",
        format_count(report.items.len() as u64),
        report.every,
        report.plugin,
        report.asked_at
    ));
    output.line("");
    let [low, high] = heads(report);
    output.table(
        &["title", "id", "past", "all#", &format!("each {}#", report.every), &low, &high],
        report.items.iter().take(ITEMS_SHOWN_MAX).map(|item| {
            let past: Vec<f64> = item.past.iter().map(|sold| sold.value).collect();
            let past = &past[past.len().saturating_sub(PAST_SHOWN_MAX / 3)..];
            let first = item.forecast.first();
            let number =
                |number: Option<f64>| number.map(|number| format!("{number:.1}")).unwrap_or_default();
            vec![
                item.title.clone().unwrap_or_else(|| item.item.clone()),
                item.item.clone(),
                bars(past, past.iter().copied().fold(1.0, f64::max)),
                number(Some(expected(&item.forecast))),
                number(first.map(|step| step.value)),
                number(first.and_then(|step| step.low)),
                number(first.and_then(|step| step.high)),
            ]
        }),
    );
    if report.items.len() > ITEMS_SHOWN_MAX {
        let more = format_count((report.items.len() - ITEMS_SHOWN_MAX) as u64);
        output.line(&format!("... and {more} more; `--json` gives all"));
    }
}
