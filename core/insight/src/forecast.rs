//! Metrics of forecasts: how far off were they, compared with what is easy, and do the quantiles say what they promise?
//!
//! ```
//! use foretell_insight::forecast::{Columns, ForecastReport, Level, Quantile, Settings};
//! use foretell_insight::lists::Lists;
//!
//! // Two series: one of three steps, one of two; each with what was known before its first step.
//! let columns = Columns {
//!     actual: Lists::new(&[2.0, 4.0, 3.0, 10.0, 14.0], &[0, 3, 5])?,
//!     mean: &[3.0, 3.0, 3.0, 12.0, 12.0],
//!     quantiles: &[
//!         Quantile { level: Level::new(0.1)?, forecast: &[1.0, 1.0, 1.0, 11.0, 11.0] },
//!         Quantile { level: Level::new(0.9)?, forecast: &[5.0, 5.0, 5.0, 15.0, 15.0] },
//!     ],
//!     past: Lists::new(&[1.0, 3.0, 2.0, 8.0, 12.0], &[0, 3, 5])?,
//! };
//! let report = ForecastReport::new(&columns, &Settings::default())?;
//!
//! // The mean of 2/3 and 2: each series counts once, however many steps it has.
//! assert_eq!(report.mae.value, (2.0 / 3.0 + 2.0) / 2.0);
//! // The steps of the past differ by 1.5 in the first series, and by 4 in the second.
//! assert_eq!(report.mase.map(|mase| mase.value), Some((2.0 / 3.0 / 1.5 + 2.0 / 4.0) / 2.0));
//! let interval = report.interval.expect("there are two quantiles");
//! assert_eq!((interval.coverage.value, interval.width.value), ((1.0 + 0.5) / 2.0, 4.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//! - A **series** is what one thing does step by step. Its *past* ends before its first step.
//! - A **step** is one period that was forecast; [`Columns`] hold the steps of all series behind each other.
//! - An **error** is forecast minus actual.
//! - A **quantile** at level 0.9 is what 90 % of the steps shall not exceed. Two of them make an interval.
//! - A **scaled** metric is divided by what forecasting the value before would have missed by in the past of the same
//!   series. It has no unit, so series of different size can be averaged.
//!
//! # Contract
//! Every figure is a mean over series of the series' own figure, each series alike, and intervals draw series: steps of
//! one series depend on each other. This is the protocol of the Monash archive (Godahewa et al., "Monash time series
//! forecasting archive", NeurIPS 2021).
//!
//! A series whose past has fewer than two values, or never changes, has no scale. It is left out of scaled metrics, and
//! [`ForecastReport::left_out`] says how many there are. Time is linear in the values of all columns; memory is 16
//! bytes for each series and figure.
//!
//! **Invariant:** no figure depends on the order of the series, but for the last bits of a sum and the ends of an
//! interval.
//!
//! **Invariant:** scaled metrics do not change when a series is multiplied by a number above 0, past and all.
//!
//! **Invariant:** [`FORECAST_REPORT_VERSION`] changes when a field is removed or changes its meaning.
//!
//! # Pitfalls
//! - Of a series that is mostly 0, the forecast 0 has the best mean absolute error and the best MASE: it is the median.
//!   Read RMSE, or the pinball loss of a high quantile.
//! - A period that is too long for the past falls back to steps that follow each other, so a few short series among
//!   long ones are measured differently.
//! - Coverage alone is no merit: an interval from nothing to everything covers all.

mod report;
mod series;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bootstrap::BootstrapError;
use crate::classification::ROWS_MAX;
use crate::lists::Lists;

pub use report::{
    FORECAST_REPORT_VERSION, ForecastReport, IntervalReport, LeftOut, QuantileReport, Settings,
};
pub use series::Series;

/// The greatest size of a value: the square of an error, and the sum of all squares, are then finite numbers.
pub const VALUE_MAX: f64 = 1e100;

/// The level of a quantile: a share between 0 and 1, neither of them.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level(f64);

impl Level {
    /// A share such as 0.9, for the value that 90 % of the steps shall not exceed.
    ///
    /// # Errors
    /// [`ForecastError::Level`] when it is not between 0 and 1.
    pub fn new(level: f64) -> Result<Level, ForecastError> {
        if level > 0.0 && level < 1.0 { Ok(Level(level)) } else { Err(ForecastError::Level { found: level }) }
    }

    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Level {
    type Error = ForecastError;

    fn try_from(level: f64) -> Result<Level, ForecastError> {
        Level::new(level)
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> f64 {
        level.0
    }
}

/// The forecasts of one quantile.
#[derive(Debug, Clone, Copy)]
pub struct Quantile<'a> {
    /// Which quantile.
    pub level: Level,
    /// By step, as [`Columns::mean`].
    pub forecast: &'a [f64],
}

/// What is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// What came, for each series its steps, at least one.
    pub actual: Lists<'a, f64>,
    /// The expected value of each step, in the order of `actual`.
    pub mean: &'a [f64],
    /// Quantiles by ascending level; may be empty.
    pub quantiles: &'a [Quantile<'a>],
    /// What was known of each series before its first step, oldest first; may be empty for a series.
    pub past: Lists<'a, f64>,
}

/// A column of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Column {
    /// What came.
    Actual,
    /// What was known before.
    Past,
    /// What was forecast.
    Forecast,
    /// What was forecast for a quantile.
    Quantile(Level),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Actual => f.write_str("actual value"),
            Column::Past => f.write_str("past value"),
            Column::Forecast => f.write_str("forecast"),
            Column::Quantile(level) => write!(f, "forecast of level {}", level.get()),
        }
    }
}

/// Why forecasts cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// There are no series, or too many.
    #[error("expected 1 to {ROWS_MAX} series, found {found}; select at least one that has come true")]
    Series {
        /// How many series there are.
        found: usize,
    },
    /// The columns do not describe the same series.
    #[error("expected one past for each series, found {series} series and {pasts} pasts")]
    Pasts {
        /// Series of the actual values.
        series: usize,
        /// Series of the past.
        pasts: usize,
    },
    /// A series was forecast for no step.
    #[error("series {series} has no step; leave it out, or wait until its first step has come true")]
    NoSteps {
        /// The first such series, counted from 0.
        series: usize,
    },
    /// The columns do not describe the same steps.
    #[error("expected a {column} for each of {expected} steps, found {found}")]
    Lengths {
        /// Which column is longer or shorter.
        column: Column,
        /// How many steps there are.
        expected: usize,
        /// Steps of this column.
        found: usize,
    },
    /// A value is NaN, infinite or beyond [`VALUE_MAX`].
    #[error(
        "the {column} at place {place} is {value}; expected a number from -{VALUE_MAX:e} to {VALUE_MAX:e}"
    )]
    Value {
        /// Which column.
        column: Column,
        /// The first such place in the column, counted from 0 over all series.
        place: usize,
        /// The value.
        value: f64,
    },
    /// The level of a quantile is no share.
    #[error("expected a level between 0 and 1 such as 0.9, found {found}")]
    Level {
        /// What was given.
        found: f64,
    },
    /// Quantiles are not in the order of their levels, or one level has two of them.
    #[error("level {level} follows level {before}; give each level once, from low to high")]
    Levels {
        /// The level before.
        before: f64,
        /// The level that is not higher.
        level: f64,
    },
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

impl Columns<'_> {
    fn check(&self) -> Result<(), ForecastError> {
        let series = self.actual.len();
        if !(1..=ROWS_MAX).contains(&series) {
            return Err(ForecastError::Series { found: series });
        }
        if self.past.len() != series {
            return Err(ForecastError::Pasts { series, pasts: self.past.len() });
        }
        if let Some(series) = self.actual.iter().position(<[f64]>::is_empty) {
            return Err(ForecastError::NoSteps { series });
        }
        for pair in self.quantiles.windows(2) {
            let (before, level) = (pair[0].level.get(), pair[1].level.get());
            if before >= level {
                return Err(ForecastError::Levels { before, level });
            }
        }
        let steps = self.actual.values().len();
        check_values(Column::Actual, self.actual.values(), steps)?;
        check_values(Column::Past, self.past.values(), self.past.values().len())?;
        check_values(Column::Forecast, self.mean, steps)?;
        let check = |quantile: &Quantile<'_>| {
            check_values(Column::Quantile(quantile.level), quantile.forecast, steps)
        };
        self.quantiles.iter().try_for_each(check)
    }
}

/// Each column is as long as expected, and its values are numbers that can be squared.
fn check_values(column: Column, values: &[f64], expected: usize) -> Result<(), ForecastError> {
    if values.len() != expected {
        return Err(ForecastError::Lengths { column, expected, found: values.len() });
    }
    // A NaN is not in the range either.
    match values.iter().position(|value| !(-VALUE_MAX..=VALUE_MAX).contains(value)) {
        Some(place) => Err(ForecastError::Value { column, place, value: values[place] }),
        None => Ok(()),
    }
}
