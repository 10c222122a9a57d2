//! What must hold for any forecasts.

use std::num::NonZeroUsize;

use foretell_insight::forecast::{Columns, ForecastReport, Level, Quantile, Series, Settings};
use foretell_insight::lists::Lists;
use foretell_insight::report::Estimate;
use proptest::prelude::*;

const TOLERANCE: f64 = 1e-9;

/// One series: its steps as actual, mean, low and high; and its past.
#[derive(Debug, Clone)]
struct One {
    steps: Vec<[f64; 4]>,
    past: Vec<f64>,
}

impl One {
    fn column(&self, n: usize) -> Vec<f64> {
        self.steps.iter().map(|step| step[n]).collect()
    }
}

/// Many ties and zeros, as where things are counted.
fn count() -> impl Strategy<Value = f64> {
    (-3i32..8).prop_map(|value| f64::from(value.max(0)))
}

fn one() -> impl Strategy<Value = One> {
    let step = (count(), count(), count(), count())
        .prop_map(|(actual, mean, low, width)| [actual, mean, low, low + width]);
    (prop::collection::vec(step, 1..8), prop::collection::vec(count(), 0..12))
        .prop_map(|(steps, past)| One { steps, past })
}

fn report(series: &[One], period: usize) -> ForecastReport {
    let columns = [0, 1, 2, 3].map(|n| series.iter().flat_map(|one| one.column(n)).collect::<Vec<f64>>());
    let past: Vec<f64> = series.iter().flat_map(|one| one.past.clone()).collect();
    let offsets = |length: fn(&One) -> usize| {
        let ends = series.iter().scan(0, |end, one| {
            *end += length(one);
            Some(*end)
        });
        std::iter::once(0).chain(ends).collect::<Vec<usize>>()
    };
    let (steps, pasts) = (offsets(|one| one.steps.len()), offsets(|one| one.past.len()));
    let quantiles = [(0.1, &columns[2]), (0.9, &columns[3])]
        .map(|(level, forecast)| Quantile { level: Level::new(level).expect("a share"), forecast });
    let columns = Columns {
        actual: Lists::new(&columns[0], &steps).expect("good offsets"),
        mean: &columns[1],
        quantiles: &quantiles,
        past: Lists::new(&past, &pasts).expect("good offsets"),
    };
    let period = NonZeroUsize::new(period).expect("from 1 on");
    ForecastReport::new(&columns, &Settings { period, bootstrap: None }).expect("good columns")
}

/// Figures with the unit of the values, then those without.
fn figures(report: &ForecastReport) -> ([f64; 5], [Option<f64>; 5]) {
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    let interval = report.interval.as_ref().expect("two levels");
    let quantile = &report.quantiles[1];
    (
        [report.mae, report.rmse, report.bias, quantile.pinball_loss, interval.width]
            .map(|estimate| estimate.value),
        [
            value(report.mase),
            value(report.rmsse),
            value(report.scaled_pinball_loss),
            Some(interval.coverage.value),
            Some(quantile.share_below.value),
        ],
    )
}

fn close(one: Option<f64>, two: Option<f64>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() <= TOLERANCE * one.abs().max(1.0),
        (one, two) => one.is_none() && two.is_none(),
    }
}

proptest! {
    #[test]
    fn figures_are_in_their_range(series in prop::collection::vec(one(), 1..12), period in 1usize..6) {
        let report = report(&series, period);
        let ([mae, rmse, bias, pinball_loss, width], [mase, rmsse, scaled_pinball_loss, coverage, below]) =
            figures(&report);
        prop_assert!(0.0 <= mae && mae <= rmse + TOLERANCE, "{} and {}", mae, rmse);
        prop_assert!(bias.abs() <= mae + TOLERANCE);
        prop_assert!(pinball_loss >= 0.0 && width >= 0.0);
        for scaled in [mase, rmsse, scaled_pinball_loss] {
            prop_assert!(scaled.is_none_or(|scaled| scaled >= 0.0 && scaled.is_finite()));
        }
        for share in [coverage, below] {
            prop_assert!(share.is_some_and(|share| (0.0..=1.0).contains(&share)));
        }
        prop_assert_eq!(report.interval.map(|interval| interval.crossed), Some(0));
        prop_assert_eq!(mase.is_none(), report.left_out.mase == series.len());
    }

    #[test]
    fn the_order_of_series_does_not_matter(series in prop::collection::vec(one(), 1..12), turn in 0usize..12) {
        let mut moved = series.clone();
        moved.rotate_left(turn % series.len());
        let (one, two) = (report(&series, 3), report(&moved, 3));
        prop_assert_eq!(one.left_out, two.left_out);
        let (one, two) = (figures(&one), figures(&two));
        prop_assert!(one.0.into_iter().zip(two.0).all(|(one, two)| close(Some(one), Some(two))));
        prop_assert!(one.1.into_iter().zip(two.1).all(|(one, two)| close(one, two)));
    }

    #[test]
    fn what_has_no_unit_does_not_change_with_it(series in prop::collection::vec(one(), 1..12), factor in 1e-3f64..1e3) {
        let scaled: Vec<One> = series
            .iter()
            .map(|one| One {
                steps: one.steps.iter().map(|step| step.map(|value| value * factor)).collect(),
                past: one.past.iter().map(|value| value * factor).collect(),
            })
            .collect();
        let (one, two) = (figures(&report(&series, 2)), figures(&report(&scaled, 2)));
        prop_assert!(one.0.into_iter().zip(two.0).all(|(one, two)| close(Some(one * factor), Some(two))));
        prop_assert!(one.1.into_iter().zip(two.1).all(|(one, two)| close(one, two)), "{:?} and {:?}", one.1, two.1);
    }

    #[test]
    fn the_truth_is_perfect(series in prop::collection::vec(one(), 1..12)) {
        let known: Vec<One> = series
            .iter()
            .map(|one| One { steps: one.steps.iter().map(|&[actual, ..]| [actual; 4]).collect(), ..one.clone() })
            .collect();
        let ([mae, rmse, bias, pinball_loss, width], [mase, rmsse, scaled_pinball_loss, coverage, below]) =
            figures(&report(&known, 2));
        prop_assert_eq!([mae, rmse, bias, pinball_loss, width], [0.0; 5]);
        prop_assert_eq!([coverage, below], [Some(1.0); 2]);
        prop_assert!([mase, rmsse, scaled_pinball_loss].into_iter().flatten().all(|scaled| scaled == 0.0));
    }

    #[test]
    fn no_constant_has_a_lower_pinball_loss_than_the_quantile(
        mut actual in prop::collection::vec(count(), 1..40),
        share in 0.01f64..0.99,
        other in -5.0f64..12.0,
    ) {
        let level = Level::new(share).expect("a share");
        actual.sort_unstable_by(f64::total_cmp);
        let quantile = actual[((share * actual.len() as f64).ceil() as usize).clamp(1, actual.len()) - 1];
        let loss = |forecast: f64| {
            Series::new(&actual, &vec![forecast; actual.len()], &[]).expect("good columns").pinball_loss(level)
        };
        prop_assert!(loss(quantile) <= loss(other) + TOLERANCE);
    }

    /// What the scales are made of: naive forecasts of the past itself.
    #[test]
    fn the_naive_forecast_of_the_past_has_a_scaled_error_of_1(
        past in prop::collection::vec(count(), 2..30),
        period in 1usize..5,
    ) {
        prop_assume!(past.len() > period && past[0] != 0.0);
        let seasonal = Series::new(&past[period..], &past[..past.len() - period], &past).expect("good columns");
        let mase = seasonal.mase(NonZeroUsize::new(period).expect("from 1 on"));
        prop_assert!(mase.is_none_or(|mase| (mase - 1.0).abs() < TOLERANCE));
        prop_assert_eq!(mase.is_none(), past[period..] == past[..past.len() - period]);
        let naive = Series::new(&past[1..], &past[..past.len() - 1], &past).expect("good columns");
        prop_assert!(naive.rmsse().is_none_or(|rmsse| (rmsse - 1.0).abs() < TOLERANCE));
        let half = Level::new(0.5).expect("a share");
        prop_assert!(naive.scaled_pinball_loss(half).is_none_or(|loss| (loss - 0.5).abs() < TOLERANCE));
    }

    #[test]
    fn leading_zeros_change_no_scale_of_m5(one in one(), zeros in 0usize..9) {
        let (actual, forecast) = (one.column(0), one.column(1));
        let late: Vec<f64> = std::iter::repeat_n(0.0, zeros).chain(one.past.iter().copied()).collect();
        let of = |past: &[f64]| {
            let series = Series::new(&actual, &forecast, past).expect("good columns");
            (series.rmsse(), series.scaled_pinball_loss(Level::new(0.9).expect("a share")))
        };
        prop_assert_eq!(of(&one.past), of(&late));
    }
}
