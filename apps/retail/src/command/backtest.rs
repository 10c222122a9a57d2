//! How good forecasts would have been: the last periods are held out, forecast, and compared with what was sold.

use std::collections::HashMap;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::forecast::{Columns, ForecastReport, Level, Quantile, Settings};
use foretell_insight::lists::Lists;
use foretell_insight::report::Estimate;
use foretell_store::open::Store;
use foretell_store::time::{Micros, format_time};
use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::forecast::Forecaster;
use crate::arguments::Forecast;
use crate::demand::totals;
use crate::ledger::Ledger;
use crate::question::Step;

/// What is held out.
pub(super) struct Backtest<'b> {
    pub(super) ledger: &'b Ledger,
    /// Items, by number.
    pub(super) items: &'b [u32],
    /// When the last period ends.
    pub(super) end: Micros,
    /// How many periods.
    pub(super) periods: u32,
}

#[derive(Serialize)]
struct Report {
    plugin: String,
    every: &'static str,
    /// When the first period begins that was held out.
    from: String,
    /// When the last one ends.
    to: String,
    periods: u32,
    /// Items that were not sold before, and have no forecast.
    left_out: usize,
    rounded: bool,
    forecast: ForecastReport,
    /// The same, had nothing been forecast for every item: with items that are sold now and then, the least absolute
    /// error.
    zero: ForecastReport,
}

/// Series after each other.
#[derive(Default)]
struct Series {
    values: Vec<f64>,
    offsets: Vec<usize>,
}

impl Series {
    fn push(&mut self, values: Vec<f64>) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.values.extend(values);
        self.offsets.push(self.values.len());
    }

    fn lists(&self) -> Result<Lists<'_, f64>, Failure> {
        Lists::new(&self.values, &self.offsets).map_err(|error| Failure::new(&error))
    }
}

impl Backtest<'_> {
    pub(super) async fn run(
        &self,
        place: &Place,
        output: Output,
        store: &Store,
        forecaster: &Forecaster,
        command: &Forecast,
    ) -> Result<u8, Failure> {
        let every = forecaster.every;
        let from = every.shift(self.end, -(self.periods as i32));
        let sales = self.ledger.sales();
        let is_known = |item: &u32| sales[*item as usize].first().is_some_and(|(time, _)| *time < from);
        let known: Vec<u32> = self.items.iter().copied().filter(is_known).collect();
        if known.is_empty() {
            return Err(Failure::words(format!("nothing was sold before {}", format_time(from)))
                .hint(Some("hold out fewer periods, or shorter ones")));
        }
        let names: Vec<&str> = known.iter().map(|&item| self.ledger.items.name(item)).collect();
        // The last moment before: everything is known that was sold by then.
        let answers = forecaster.ask(place, output, store, &names, from - 1, self.periods).await?;
        let (mut actual, mut past) = (Series::default(), Series::default());
        let mut steps: Vec<Step> = Vec::new();
        let mut left_out = self.items.len() - known.len();
        for (item, forecast) in known.iter().zip(answers) {
            if forecast.len() != self.periods as usize {
                left_out += 1;
                continue;
            }
            let sales = &sales[*item as usize];
            let first = every.start(sales[0].0);
            actual.push(totals(sales.iter().copied(), every, from, self.end));
            past.push(totals(sales.iter().copied(), every, first, from));
            steps.extend(forecast);
        }
        if steps.is_empty() {
            return Err(Failure::words(format!(
                "{} gives no forecast for any item",
                forecaster.model.plugin().name()
            )));
        }
        let mean: Vec<f64> =
            steps.iter().map(|step| if command.round { step.value.round() } else { step.value }).collect();
        let (low, high) = (quantile(&steps, |step| step.low), quantile(&steps, |step| step.high));
        let quantiles = match (forecaster.levels, &low, &high) {
            (Some(levels), Some(low), Some(high)) => {
                vec![(levels[0], low.clone()), (levels[1], high.clone())]
            }
            _ => Vec::new(),
        };
        let settings = Settings {
            period: every.season().try_into().expect("a season has periods"),
            bootstrap: (command.resamples > 0).then(|| Bootstrap {
                replicates: command.resamples,
                seed: command.seed,
                ..Bootstrap::default()
            }),
        };
        let report =
            |mean: &[f64], quantiles: &[(f64, Vec<f64>)]| measure(&actual, &past, mean, quantiles, &settings);
        let nothing = vec![0.0; steps.len()];
        let report = Report {
            plugin: forecaster.model.plugin().name(),
            every: every.as_str(),
            from: format_time(from),
            to: format_time(self.end),
            periods: self.periods,
            left_out,
            rounded: command.round,
            forecast: report(&mean, &quantiles)?,
            zero: report(&nothing, &[])?,
        };
        output.show(&report, |output| draw(output, &report));
        Ok(exit::DONE)
    }
}

/// A quantile of every step, if all have it.
fn quantile(steps: &[Step], of: fn(&Step) -> Option<f64>) -> Option<Vec<f64>> {
    steps.iter().map(of).collect()
}

fn measure(
    actual: &Series,
    past: &Series,
    mean: &[f64],
    quantiles: &[(f64, Vec<f64>)],
    settings: &Settings,
) -> Result<ForecastReport, Failure> {
    let mut columns = Vec::new();
    for (level, forecast) in quantiles {
        let level = Level::new(*level).map_err(|error| Failure::new(&error))?;
        columns.push(Quantile { level, forecast });
    }
    let columns = Columns { actual: actual.lists()?, mean, quantiles: &columns, past: past.lists()? };
    ForecastReport::new(&columns, settings).map_err(|error| Failure::new(&error))
}

fn draw(output: Output, report: &Report) {
    output.line(&format!(
        "{} items, {} {}s from {} on, forecast from what was sold before, by {}",
        format_count(report.forecast.series as u64),
        report.periods,
        report.every,
        report.from,
        report.plugin
    ));
    if report.left_out > 0 {
        output.line(&format!(
            "{} left out: not sold before, so there is no forecast",
            format_count(report.left_out as u64)
        ));
    }
    output.line("");
    let rows = |report: &ForecastReport| {
        let mut rows = vec![
            ("MAE".to_owned(), Some(report.mae)),
            ("RMSE".to_owned(), Some(report.rmse)),
            ("bias".to_owned(), Some(report.bias)),
            (format!("MASE, season {}", report.period), report.mase),
            ("RMSSE".to_owned(), report.rmsse),
            ("scaled pinball loss".to_owned(), report.scaled_pinball_loss),
        ];
        rows.extend(report.interval.as_ref().map(|interval| {
            let (low, high) = (100.0 * interval.low.get(), 100.0 * interval.high.get());
            (format!("share between {low:.0} % and {high:.0} %"), Some(interval.coverage))
        }));
        rows
    };
    let zero: HashMap<String, Option<Estimate>> = rows(&report.zero).into_iter().collect();
    let value = |estimate: Option<Estimate>| {
        estimate.map(|estimate| format!("{:.4}", estimate.value)).unwrap_or_default()
    };
    output.table(
        &["metric", "forecast#", "95 % interval", "always zero#"],
        rows(&report.forecast).into_iter().map(|(name, estimate)| {
            let interval = estimate.and_then(|estimate| estimate.interval);
            let interval = interval.map(|interval| format!("{:.4} to {:.4}", interval.low, interval.high));
            let zero = value(zero.get(&name).copied().flatten());
            vec![name, value(estimate), interval.unwrap_or_default(), zero]
        }),
    );
    for undefined in &report.forecast.undefined {
        output.line(&format!("{}: {}", undefined.metric, undefined.reason));
    }
    if report.zero.mae.value < report.forecast.mae.value {
        output.line("most items are sold rarely, so that zero has the least absolute error");
        output.line("judge by RMSE and by the pinball loss");
    }
}
