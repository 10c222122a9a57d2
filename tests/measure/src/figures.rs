//! Figures by name: what `--json` prints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Figures by name, such as `fraud.single.auc_roc`. Rates and metrics are fractions of 1; the last word of a name that
/// has a unit is the unit.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Figures(BTreeMap<String, Value>);

impl Figures {
    /// Notes a figure. One that could not be measured on this machine is left out.
    pub(crate) fn set(&mut self, name: impl Into<String>, figure: impl Into<Option<f64>>) {
        if let Some(figure) = figure.into() {
            self.0.insert(name.into(), number(figure));
        }
    }
}

/// Counts are whole numbers in JSON, too.
fn number(figure: f64) -> Value {
    const WHOLE_MAX: f64 = (1u64 << 53) as f64;
    if figure.fract() == 0.0 && figure.abs() < WHOLE_MAX {
        Value::from(figure as i64)
    } else {
        Value::from(figure)
    }
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
    Some(f64::midpoint(sorted[low], sorted[high]))
}

/// Mean and population standard deviation; not a number for no values.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_what_is_not_known_is_left_out() {
        let mut figures = Figures::default();
        figures.set("b.rows", 3.0);
        figures.set("a.share", 0.25);
        figures.set("c.unknown", None);
        assert_eq!(serde_json::to_string(&figures).unwrap(), r#"{"a.share":0.25,"b.rows":3}"#);
    }

    #[test]
    fn medians() {
        for (values, expected) in
            [(&[][..], None), (&[3.0], Some(3.0)), (&[9.0, 1.0], Some(5.0)), (&[9.0, 1.0, 2.0], Some(2.0))]
        {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn deviation_is_that_of_the_population() {
        assert_eq!(mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), (5.0, 2.0));
    }
}
