//! Numbers at future times.

use super::Predictions;
use super::grow::{Ends, Floats};
use crate::Error;
use crate::owned::{Type, Values};

/// What is expected of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When the period begins: microseconds since 1970-01-01 UTC.
    pub event_time: i64,
    /// Expected value.
    pub value: f32,
    /// Lower end of the interval that it is in with the probability that the plugin states.
    pub low: Option<f32>,
    /// Upper end of the same.
    pub high: Option<f32>,
}

/// Forecast: for each record a list of steps, the earliest first.
///
/// ```
/// use foretell_sdk::{Forecasts, Predictions, Step};
///
/// const HOUR: i64 = 3_600_000_000;
/// let mut forecasts = Forecasts::with_capacity(1);
/// for step in 1..=24 {
///     forecasts.push(Step { event_time: step * HOUR, value: 3.5, low: Some(1.0), high: None });
/// }
/// forecasts.end_record();
/// assert_eq!(forecasts.len(), 1);
/// ```
#[derive(Debug)]
pub struct Forecasts {
    ends: Ends,
    times: Vec<i64>,
    values: Vec<f32>,
    lows: Floats,
    highs: Floats,
}

impl Forecasts {
    /// Adds the next step of the record at hand.
    pub fn push(&mut self, step: Step) {
        if self.ends.accept(self.times.len(), true) {
            self.times.push(step.event_time);
            self.values.push(step.value);
            self.lows.push(step.low);
            self.highs.push(step.high);
        }
    }

    /// Ends the list of the record at hand, which may be empty.
    pub fn end_record(&mut self) {
        self.ends.push(self.times.len());
    }
}

impl Predictions for Forecasts {
    fn with_capacity(rows: usize) -> Self {
        Self {
            ends: Ends::with_capacity(rows),
            times: Vec::new(),
            values: Vec::new(),
            lows: Floats::default(),
            highs: Floats::default(),
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn types() -> Vec<Type> {
        let fields = vec![
            Type::leaf(c"event_time", c"tsu:"),
            Type::leaf(c"value", c"f"),
            Type::leaf(c"low", c"f").nullable(),
            Type::leaf(c"high", c"f").nullable(),
        ];
        vec![Type::list(c"steps", Type::structure(c"item", fields))]
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        let length = self.times.len();
        let fields = vec![
            Values::longs(self.times),
            Values::floats(self.values),
            self.lows.into_values(),
            self.highs.into_values(),
        ];
        Ok(vec![self.ends.into_values(Values::structure(length, fields))?])
    }
}
