//! What people ask of forecasts, in one value that serialises to JSON.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Columns, ForecastError, Level, Quantile, Series};
use crate::bootstrap::{Bootstrap, BootstrapError, Rows};
use crate::report::{Estimate, UndefinedMetric};

/// The version of the JSON form.
pub const FORECAST_REPORT_VERSION: u32 = 1;

/// What a report shall contain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// After how many steps a season repeats, for [`Series::mase`]: 7 for days, 12 for months, 1 without seasons.
    pub period: NonZeroUsize,
    /// How to make intervals; None leaves them out.
    pub bootstrap: Option<Bootstrap>,
}

impl Default for Settings {
    /// No seasons, no intervals.
    fn default() -> Settings {
        Settings { period: NonZeroUsize::MIN, bootstrap: None }
    }
}

/// How good forecasts are: every figure is the mean over series of the series' own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastReport {
    /// [`FORECAST_REPORT_VERSION`].
    pub version: u32,
    /// How many series were evaluated.
    pub series: usize,
    /// How many steps they have together.
    pub steps: usize,
    /// [`Settings::period`].
    pub period: usize,
    /// See [`Series::mae`].
    pub mae: Estimate,
    /// See [`Series::rmse`]; the mean of the series' roots, and not the root over all steps.
    pub rmse: Estimate,
    /// See [`Series::bias`].
    pub bias: Estimate,
    /// See [`Series::mase`].
    pub mase: Option<Estimate>,
    /// See [`Series::rmsse`].
    pub rmsse: Option<Estimate>,
    /// The mean of [`QuantileReport::scaled_pinball_loss`] over the levels, as in the M5 competition.
    pub scaled_pinball_loss: Option<Estimate>,
    /// One for each of [`Columns::quantiles`].
    pub quantiles: Vec<QuantileReport>,
    /// From the lowest level to the highest; null unless there are two levels.
    pub interval: Option<IntervalReport>,
    /// The series that a mean is made without.
    pub left_out: LeftOut,
    /// What does not exist for these series, and why.
    pub undefined: Vec<UndefinedMetric>,
}

/// How good the forecasts of one quantile are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileReport {
    /// Which quantile.
    pub level: Level,
    /// See [`Series::pinball_loss`].
    pub pinball_loss: Estimate,
    /// See [`Series::scaled_pinball_loss`].
    pub scaled_pinball_loss: Option<Estimate>,
    /// See [`Series::share_below`].
    pub share_below: Estimate,
}

/// How good the interval between two quantiles is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalReport {
    /// The level of its lower end.
    pub low: Level,
    /// The level of its upper end.
    pub high: Level,
    /// The share of the steps that came out between the ends, ends included. Of a good interval it is `high - low`;
    /// where values are whole numbers, ends that are hit make it more.
    pub coverage: Estimate,
    /// The mean distance between the ends: of two intervals with the same coverage, the narrower one is better.
    pub width: Estimate,
    /// Steps at which the lower end is above the upper one: they cover nothing, and have a negative width.
    pub crossed: u64,
}

/// Series without a scale, see [`Series::mase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// From [`ForecastReport::mase`].
    pub mase: usize,
    /// From [`ForecastReport::rmsse`].
    pub rmsse: usize,
    /// From every scaled pinball loss.
    pub scaled_pinball_loss: usize,
}

/// A figure of each series, None where it does not exist.
type Figures = Vec<Option<f64>>;

impl ForecastReport {
    /// Evaluates forecasts against what came.
    ///
    /// # Errors
    /// [`ForecastError`]: columns that do not fit together, or settings outside their range.
    pub fn new(columns: &Columns<'_>, settings: &Settings) -> Result<ForecastReport, ForecastError> {
        columns.check()?;
        let ends = ends(columns);
        let figures = figures(columns, settings.period, ends);
        let estimates = estimates(&figures, settings.bootstrap.as_ref())?;
        let (&[mae, rmse, bias, mase, rmsse, scaled_pinball_loss], rest) =
            estimates.split_first_chunk().expect("`figures` begins with these");
        let (of_quantiles, of_interval) = rest.split_at(3 * columns.quantiles.len());

        let quantiles = columns.quantiles.iter().zip(of_quantiles.chunks_exact(3));
        let quantile = |(quantile, of_it): (&Quantile<'_>, &[Option<Estimate>])| QuantileReport {
            level: quantile.level,
            pinball_loss: always(of_it[0]),
            scaled_pinball_loss: of_it[1],
            share_below: always(of_it[2]),
        };
        let interval = |(low, high): (&Quantile<'_>, &Quantile<'_>)| IntervalReport {
            low: low.level,
            high: high.level,
            coverage: always(of_interval[0]),
            width: always(of_interval[1]),
            crossed: low.forecast.iter().zip(high.forecast).filter(|(low, high)| low > high).count() as u64,
        };
        let lacking = |n: usize| figures[n].iter().filter(|figure| figure.is_none()).count();
        let left_out = LeftOut {
            mase: lacking(3),
            rmsse: lacking(4),
            scaled_pinball_loss: if columns.quantiles.is_empty() { 0 } else { lacking(5) },
        };
        Ok(ForecastReport {
            version: FORECAST_REPORT_VERSION,
            series: columns.actual.len(),
            steps: columns.actual.values().len(),
            period: settings.period.get(),
            mae: always(mae),
            rmse: always(rmse),
            bias: always(bias),
            mase,
            rmsse,
            scaled_pinball_loss,
            quantiles: quantiles.map(quantile).collect(),
            interval: ends.map(interval),
            undefined: left_out.undefined(columns.actual.len()),
            left_out,
        })
    }
}

impl LeftOut {
    /// The metrics that every series is left out of.
    fn undefined(&self, series: usize) -> Vec<UndefinedMetric> {
        let metrics =
            [("mase", self.mase), ("rmsse", self.rmsse), ("scaled_pinball_loss", self.scaled_pinball_loss)];
        let undefined = |(metric, _): (&str, usize)| UndefinedMetric {
            metric: metric.to_owned(),
            reason: format!("the past of none of {series} series changes; give each a longer past"),
        };
        metrics.into_iter().filter(|&(_, left_out)| left_out == series).map(undefined).collect()
    }
}

/// The quantiles with the lowest and the highest level, where these are two.
fn ends<'a>(columns: &Columns<'a>) -> Option<(&'a Quantile<'a>, &'a Quantile<'a>)> {
    match columns.quantiles {
        [low, .., high] => Some((low, high)),
        _ => None,
    }
}

/// What is averaged, in the order of [`ForecastReport`]: six figures of the mean forecast and of all levels, three of
/// each quantile, and two of the interval where there is one.
fn figures(
    columns: &Columns<'_>,
    period: NonZeroUsize,
    ends: Option<(&Quantile<'_>, &Quantile<'_>)>,
) -> Vec<Figures> {
    let of_quantile = |quantile: &Quantile<'_>| {
        let level = quantile.level;
        [
            each(columns, quantile.forecast, |series| Some(series.pinball_loss(level))),
            each(columns, quantile.forecast, |series| series.scaled_pinball_loss(level)),
            each(columns, quantile.forecast, |series| Some(series.share_below())),
        ]
    };
    let of_quantiles: Vec<Figures> = columns.quantiles.iter().flat_map(of_quantile).collect();
    let mut figures = vec![
        each(columns, columns.mean, |series| Some(series.mae())),
        each(columns, columns.mean, |series| Some(series.rmse())),
        each(columns, columns.mean, |series| Some(series.bias())),
        each(columns, columns.mean, |series| series.mase(period)),
        each(columns, columns.mean, |series| series.rmsse()),
        mean_of_levels(&of_quantiles, columns.actual.len()),
    ];
    figures.extend(of_quantiles);
    if let Some((low, high)) = ends {
        let mean = |row: usize, figure: fn(f64, f64, f64) -> f64| {
            let range = columns.actual.range(row);
            let steps = range.len() as f64;
            let of_step =
                |step: usize| figure(low.forecast[step], columns.actual.values()[step], high.forecast[step]);
            Some(range.map(of_step).sum::<f64>() / steps)
        };
        let rows = 0..columns.actual.len();
        let covered = |low, actual, high| f64::from(u8::from(low <= actual && actual <= high));
        figures.push(rows.clone().map(|row| mean(row, covered)).collect());
        figures.push(rows.map(|row| mean(row, |low, _, high| high - low)).collect());
    }
    figures
}

/// A figure of each series with these forecasts.
fn each(columns: &Columns<'_>, forecast: &[f64], figure: impl Fn(&Series<'_>) -> Option<f64>) -> Figures {
    let series = |row: usize| Series {
        actual: columns.actual.row(row),
        forecast: &forecast[columns.actual.range(row)],
        past: columns.past.row(row),
    };
    (0..columns.actual.len()).map(|row| figure(&series(row))).collect()
}

/// The mean scaled pinball loss over the levels of each series. The scale is the same for all, so it has all or none.
fn mean_of_levels(of_quantiles: &[Figures], series: usize) -> Figures {
    let levels = of_quantiles.len() / 3;
    let of_series = |row: usize| {
        let losses = of_quantiles.iter().skip(1).step_by(3).map(|figures| figures[row]);
        let sum: f64 = losses.sum::<Option<f64>>()?;
        (levels > 0).then(|| sum / levels as f64)
    };
    (0..series).map(of_series).collect()
}

/// The means over the series, with intervals that all come from the same draws.
fn estimates(
    figures: &[Figures],
    bootstrap: Option<&Bootstrap>,
) -> Result<Vec<Option<Estimate>>, BootstrapError> {
    let series = figures[0].len();
    let of_draw = |counts: &[u32]| figures.iter().map(|figures| mean(figures, counts)).collect::<Vec<_>>();
    let values = of_draw(&vec![1; series]);
    let intervals = match bootstrap {
        Some(bootstrap) => bootstrap.intervals_of_many(&Rows::all(series), of_draw)?,
        None => vec![None; figures.len()],
    };
    let estimate = |(value, interval): (Option<f64>, _)| value.map(|value| Estimate { value, interval });
    Ok(values.into_iter().zip(intervals).map(estimate).collect())
}

/// The mean of the figures that exist, each as often as its series was drawn.
fn mean(figures: &Figures, counts: &[u32]) -> Option<f64> {
    let (mut sum, mut drawn) = (0.0, 0);
    for (&figure, &count) in figures.iter().zip(counts) {
        if let Some(figure) = figure {
            sum += f64::from(count) * figure;
            drawn += u64::from(count);
        }
    }
    (drawn > 0).then(|| sum / drawn as f64)
}

/// A figure that needs no past.
fn always(estimate: Option<Estimate>) -> Estimate {
    estimate.expect("every series has a step, and so this figure")
}
