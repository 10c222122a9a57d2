//! The metrics of one series and one column of forecasts.

use std::num::NonZeroUsize;

use super::{Column, ForecastError, Level, check_values};

/// What happened in one series, what was forecast, and what was known before.
///
/// An *error* is forecast minus actual: above 0 when too much was forecast. Every metric is a mean over the steps; 0 is
/// perfect.
///
/// ```
/// use foretell_insight::forecast::{Level, Series};
/// use std::num::NonZeroUsize;
///
/// let series = Series::new(&[4.0, 2.0], &[3.0, 3.0], &[1.0, 3.0, 2.0, 4.0])?;
/// assert_eq!((series.mae(), series.rmse(), series.bias()), (1.0, 1.0, 0.0));
/// // Read as the 90 % quantile: the step that came out higher costs 0.9, the other one 0.1.
/// assert_eq!(series.pinball_loss(Level::new(0.9)?), (0.9 + (1.0 - 0.9)) / 2.0);
/// // Two steps ago as the forecast was wrong by 1 in the past, and so is this forecast.
/// assert_eq!(series.mase(NonZeroUsize::new(2).expect("2 is not 0")), Some(1.0));
/// # Ok::<(), foretell_insight::forecast::ForecastError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series<'a> {
    /// At least one step, every value finite.
    pub(super) actual: &'a [f64],
    /// As long as `actual`.
    pub(super) forecast: &'a [f64],
    /// Oldest first; may be empty.
    pub(super) past: &'a [f64],
}

impl<'a> Series<'a> {
    /// `actual[i]` and `forecast[i]` belong to step `i`; `past` is what came before the first step, oldest first, and
    /// may be empty.
    ///
    /// # Errors
    /// [`ForecastError`]: no step, columns of different length, a value that is no number or too great.
    pub fn new(actual: &'a [f64], forecast: &'a [f64], past: &'a [f64]) -> Result<Series<'a>, ForecastError> {
        if actual.is_empty() {
            return Err(ForecastError::NoSteps { series: 0 });
        }
        check_values(Column::Actual, actual, actual.len())?;
        check_values(Column::Forecast, forecast, actual.len())?;
        check_values(Column::Past, past, past.len())?;
        Ok(Series { actual, forecast, past })
    }

    /// The mean absolute error: `mean of |forecast - actual|`. The forecast that makes it least is the median, which is
    /// 0 for a series that is mostly 0.
    pub fn mae(&self) -> f64 {
        self.mean(f64::abs)
    }

    /// The root of the mean squared error. The forecast that makes it least is the mean.
    pub fn rmse(&self) -> f64 {
        self.mean(|error| error * error).sqrt()
    }

    /// The mean error, `mean of forecast - actual`: above 0 when too much was forecast.
    pub fn bias(&self) -> f64 {
        self.mean(|error| error)
    }

    /// The pinball loss of the forecast as the quantile at `level`: `mean of max(level (y - q), (level - 1) (y - q))`.
    ///
    /// The forecast that makes it least is that quantile (Koenker and Bassett, "Regression quantiles", Econometrica
    /// 46(1), 1978). At level 0.5 it is half the mean absolute error.
    pub fn pinball_loss(&self, level: Level) -> f64 {
        self.mean(|error| (-level.get() * error).max((1.0 - level.get()) * error))
    }

    /// The mean absolute scaled error: the mean absolute error over that of the seasonal naive forecast in the past.
    ///
    /// The scale is `mean of |past[t] - past[t - period]|`, as in the Monash archive (Godahewa et al., "Monash time
    /// series forecasting archive", NeurIPS 2021): of steps that follow each other where the past is not longer than
    /// the period. Below 1, the forecast is better than last season's value was. Hyndman and Koehler, "Another look at
    /// measures of forecast accuracy", International Journal of Forecasting 22(4), 2006.
    ///
    /// None where there is no scale: the past has fewer than two values, or never changed. That does not depend on the
    /// forecast, so two forecasts are compared on the same series.
    pub fn mase(&self, period: NonZeroUsize) -> Option<f64> {
        let lag = if self.past.len() > period.get() { period.get() } else { 1 };
        scaled(self.mae(), naive_error(self.past, lag, f64::abs))
    }

    /// The root mean squared scaled error of the M5 competition: the root of the mean squared error over that of the
    /// naive forecast, `mean of (past[t] - past[t - 1])^2`.
    ///
    /// As in M5, the past counts from its first value that is not 0: before, there was nothing to forecast (Makridakis,
    /// Spiliotis and Assimakopoulos, "M5 accuracy competition", International Journal of Forecasting 38(4), 2022). None
    /// where that past has fewer than two values, or never changed.
    pub fn rmsse(&self) -> Option<f64> {
        let squared = |error: f64| error * error;
        scaled(self.mean(squared), naive_error(self.active_past(), 1, squared)).map(f64::sqrt)
    }

    /// The scaled pinball loss of the M5 competition: the [pinball loss](Series::pinball_loss) over
    /// `mean of |past[t] - past[t - 1]|`.
    ///
    /// The past counts from its first value that is not 0, as for [`Series::rmsse`] (Makridakis et al., "The M5
    /// uncertainty competition", International Journal of Forecasting 38(4), 2022). None where that past has fewer than
    /// two values, or never changed.
    pub fn scaled_pinball_loss(&self, level: Level) -> Option<f64> {
        scaled(self.pinball_loss(level), naive_error(self.active_past(), 1, f64::abs))
    }

    /// The share of the steps that came out at the forecast or below it. Of a good quantile forecast it is the level.
    pub fn share_below(&self) -> f64 {
        self.mean(|error| f64::from(u8::from(error >= 0.0)))
    }

    /// The mean of a loss over the steps.
    fn mean(&self, loss: impl Fn(f64) -> f64) -> f64 {
        let errors = self.forecast.iter().zip(self.actual).map(|(forecast, actual)| forecast - actual);
        errors.map(loss).sum::<f64>() / self.actual.len() as f64
    }

    /// The past from its first value that is not 0.
    fn active_past(&self) -> &'a [f64] {
        let first = self.past.iter().position(|&value| value != 0.0);
        first.map_or(&[], |first| &self.past[first..])
    }
}

/// The mean loss of forecasting the value of `lag` steps ago; None where no value has one.
fn naive_error(past: &[f64], lag: usize, loss: impl Fn(f64) -> f64) -> Option<f64> {
    let pairs = past.len().checked_sub(lag).filter(|&pairs| pairs > 0)?;
    let losses = past.iter().zip(&past[lag..]).map(|(before, value)| loss(value - before));
    Some(losses.sum::<f64>() / pairs as f64)
}

/// None without a scale, and where the quotient is no number since the scale is 0 or next to it.
fn scaled(loss: f64, scale: Option<f64>) -> Option<f64> {
    Some(loss / scale?).filter(|scaled| scaled.is_finite())
}
