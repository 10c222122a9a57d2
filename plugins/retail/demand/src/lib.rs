//! How many pieces of an item will be sold in each of the next periods, from its own past purchases.
//!
//! ```text
//! past purchases of the item --> totals of days, weeks or months --> mean and quantiles of the next ones
//! ```
//!
//! [`demand`] has the method, [`calendar`] the periods, and `MODEL_CARD.md` what it is worth. Nothing is learned: the answer
//! is a function of the record and of the item's past alone.
//!
//! The question is a record with the `item` and a `quantity` of 0: being a record of the item it has the item's past, and
//! 0 pieces add nothing to it. A purchase can be asked about too, and counts itself. The forecast begins with the period after
//! that of the record, or with the record's own where the setting `complete` is false, since purchases may still come. It
//! is the same for each of the periods: there is neither trend nor season in it. An item that was never bought has no
//! forecast, and neither has a record without an item: an empty list.
//!
//! Where it is known since when an item could be bought, a record of that time with the quantity 0 says so, and makes the
//! forecast of a young item better.
//!
//! Pitfalls:
//! - A forecast of always zero has the least absolute error for most items that sell now and then, and no stock can be
//!   planned with it. Judge by RMSE and by the loss at the quantiles, never by MAE or MASE alone.
//! - `low` and `high` are quantiles of one period. Those of a quarter are not the sum of those of its months.
//! - What was not in stock could not be bought: the past holds sales, and the forecast is one of sales.

pub mod calendar;
pub mod demand;

use std::cell::RefCell;

use foretell_sdk::{Column, Error, Forecasts, History, Open, Past, Plugin, Records, Step, Time};
use serde::Deserialize;

use calendar::Period;
use demand::Series;

/// Steps of a forecast, at most; the manifest says so too.
const STEPS_MAX: u32 = 1000;

/// Longest half-life: a hundred years, in which nothing fades that is remembered.
const HALF_LIFE_DAYS_MAX: f64 = 36_500.0;

/// The plugin's settings, as `[config]` of `plugin.toml` lists them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How time is divided.
    period: Period,
    /// Periods of a forecast when the record does not say.
    steps: u32,
    /// Level of the low quantile, between 0 and 1.
    low: f64,
    /// Level of the high quantile, above the low one and below 1.
    high: f64,
    /// After how many days a purchase weighs half.
    half_life_days: f64,
    /// Whether the record's own period is over.
    complete: bool,
}

impl Settings {
    fn read(json: &str) -> Result<Self, Error> {
        let settings: Self = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("the settings can't be read: {error}")))?;
        let Self { steps, low, high, half_life_days, .. } = settings;
        let rules = [
            ("steps", f64::from(steps), (1..=STEPS_MAX).contains(&steps), "1 to 1000"),
            ("low", low, low > 0.0 && low < high, "more than 0 and less than `high`"),
            ("high", high, high < 1.0, "less than 1"),
            (
                "half_life_days",
                half_life_days,
                half_life_days > 0.0 && half_life_days <= HALF_LIFE_DAYS_MAX,
                "more than 0 and at most 36500",
            ),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, found, _, expected)) => {
                Err(Error::invalid(format!("the setting `{name}` is {found}; expected {expected}")))
            }
            None => Ok(settings),
        }
    }

    /// The half-life in periods.
    fn half_life(&self) -> f64 {
        self.half_life_days / self.period.days()
    }
}

/// The plugin: handles of the columns it reads, and its settings.
struct Demand {
    time: Column<Time>,
    item: Column<str>,
    quantity: Column<f64>,
    steps: Column<i64>,
    bought: History,
    times: Past<Time>,
    quantities: Past<f64>,
    settings: Settings,
}

thread_local! {
    /// The series at hand: memory that is kept between calls.
    static SERIES: RefCell<Series> = RefCell::default();
}

impl Plugin for Demand {
    type Predictions = Forecasts;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let bought = request.history("bought")?;
        Ok(Self {
            time: request.column("event_time")?,
            item: request.column("item")?,
            quantity: request.column("quantity")?,
            steps: request.column("steps")?,
            bought,
            times: request.past_times(bought)?,
            quantities: request.past(bought, "quantity")?,
            settings: Settings::read(request.config())?,
        })
    }

    fn predict(&self, records: &Records<'_>, forecasts: &mut Forecasts) -> Result<(), Error> {
        let items = records.column(self.item);
        let (own_times, own_quantities) = (records.column(self.time).values(), records.column(self.quantity));
        let (times, quantities) = (records.past(self.times).values(), records.past(self.quantities));
        let (rows, wanted) = (records.history(self.bought), records.column(self.steps));
        SERIES.with_borrow_mut(|series| {
            for (row, &time) in own_times.iter().enumerate() {
                if items.get(row).is_some() {
                    let past = rows.range(row).map(|event| (times[event], quantities.get(event)));
                    let purchases = past.chain([(time, own_quantities.get(row))]);
                    let steps = wanted.get(row).and_then(|steps| u32::try_from(steps).ok());
                    self.forecast(series, time, purchases, steps.unwrap_or(self.settings.steps), forecasts)?;
                }
                forecasts.end_record();
            }
            Ok(())
        })
    }
}

impl Demand {
    /// Adds the steps of one record, whose item was bought at these times in these quantities, 1 where there is none.
    fn forecast(
        &self,
        series: &mut Series,
        time: i64,
        purchases: impl Iterator<Item = (i64, Option<f64>)>,
        steps: u32,
        forecasts: &mut Forecasts,
    ) -> Result<(), Error> {
        let Settings { period, low, high, complete, .. } = self.settings;
        let invalid = |error: calendar::OutOfCalendar| Error::invalid(error.to_string());
        series.clear();
        for (time, quantity) in purchases {
            series.add(period.of(time).map_err(invalid)?, quantity.unwrap_or(1.0));
        }
        let first = period.of(time).map_err(invalid)? + i64::from(complete);
        if let Some(found) = series.forecast(first, self.settings.half_life(), [low, high]) {
            for step in 0..i64::from(steps) {
                forecasts.push(Step {
                    event_time: period.start(first + step).map_err(invalid)?,
                    value: found.mean as f32,
                    low: Some(found.low as f32),
                    high: Some(found.high as f32),
                });
            }
        }
        Ok(())
    }
}

foretell_sdk::export!(Demand, "retail-demand", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of the manifest, as the JSON that the host makes of them.
    fn shipped() -> String {
        let manifest = include_str!("../plugin.toml");
        let config = manifest.split_once("\n[config]\n").unwrap().1.split_once("\n[limits]").unwrap().0;
        let lines = config.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(" = "));
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", pairs.join(","))
    }

    #[test]
    fn the_settings_of_the_manifest_are_read() {
        let settings = Settings::read(&shipped()).unwrap();
        assert_eq!((settings.period, settings.steps, settings.complete), (Period::Month, 12, true));
        assert_eq!((settings.low, settings.high), (0.1, 0.9));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (shipped_words, words, message) in [
            ("\"steps\":12", "\"steps\":0", "`steps` is 0; expected 1 to 1000"),
            ("\"low\":0.1", "\"low\":0.9", "`low` is 0.9; expected more than 0 and less than `high`"),
            ("\"high\":0.9", "\"high\":1", "`high` is 1; expected less than 1"),
            (
                "\"half_life_days\":150.0",
                "\"half_life_days\":0",
                "`half_life_days` is 0; expected more than 0 and",
            ),
            ("\"month\"", "\"quarter\"", "unknown variant `quarter`, expected one of `day`, `week`, `month`"),
            ("\"steps\"", "\"stops\"", "unknown field `stops`"),
        ] {
            let changed = shipped().replace(shipped_words, words);
            let error = Settings::read(&changed).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
