//! Forecasts against the answers of utilsforecast and scikit-learn (`golden/make_forecast.py` made the file), the
//! report and its errors.

use std::num::NonZeroUsize;

use foretell_insight::bootstrap::{Bootstrap, BootstrapError};
use foretell_insight::forecast::{
    Column, Columns, FORECAST_REPORT_VERSION, ForecastError, ForecastReport, LeftOut, Level, Quantile,
    Series, Settings, VALUE_MAX,
};
use foretell_insight::lists::Lists;
use foretell_insight::report::Estimate;
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct File {
    levels: Vec<Level>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    period: NonZeroUsize,
    actual: Vec<f64>,
    offsets: Vec<usize>,
    past: Vec<f64>,
    past_offsets: Vec<usize>,
    mean: Vec<f64>,
    quantiles: Vec<Vec<f64>>,
    expected: Value,
}

fn level(level: f64) -> Level {
    Level::new(level).expect("a share")
}

fn value(estimate: Option<Estimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.value)
}

fn check(what: &str, expected: &Value, found: Option<f64>) {
    let agrees = match (expected.as_f64(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE * expected.abs().max(1.0),
        (_, found) => expected.is_null() && found.is_none(),
    };
    assert!(agrees, "{what}: expected {expected}, found {found:?}");
}

#[test]
fn figures_are_those_of_the_golden_file() {
    let file: File = serde_json::from_str(include_str!("golden/forecast.json")).expect("valid JSON");
    assert!(file.cases.len() > 12);
    for case in &file.cases {
        let quantiles: Vec<Quantile<'_>> = file
            .levels
            .iter()
            .zip(&case.quantiles)
            .map(|(&level, forecast)| Quantile { level, forecast })
            .collect();
        let columns = Columns {
            actual: Lists::new(&case.actual, &case.offsets).expect("offsets of the golden file"),
            mean: &case.mean,
            quantiles: &quantiles,
            past: Lists::new(&case.past, &case.past_offsets).expect("offsets of the golden file"),
        };
        let settings = Settings { period: case.period, bootstrap: None };
        let report = ForecastReport::new(&columns, &settings).expect("good columns");
        let name = |metric: &str| format!("{}: {metric}", case.name);
        let expected = &case.expected;
        let interval = report.interval.as_ref().expect("three levels");
        for (metric, found) in [
            ("mae", Some(report.mae.value)),
            ("rmse", Some(report.rmse.value)),
            ("bias", Some(report.bias.value)),
            ("mase", value(report.mase)),
            ("rmsse", value(report.rmsse)),
            ("scaled_pinball_loss", value(report.scaled_pinball_loss)),
            ("coverage", Some(interval.coverage.value)),
            ("width", Some(interval.width.value)),
        ] {
            check(&name(metric), &expected[metric], found);
        }
        for (n, found) in report.quantiles.iter().enumerate() {
            let expected = &expected["quantiles"][n];
            assert_eq!(expected["level"].as_f64(), Some(found.level.get()));
            check(&name("pinball_loss"), &expected["pinball_loss"], Some(found.pinball_loss.value));
            check(
                &name("scaled_pinball_loss"),
                &expected["scaled_pinball_loss"],
                value(found.scaled_pinball_loss),
            );
            check(&name("share_below"), &expected["share_below"], Some(found.share_below.value));
        }
        assert_eq!(serde_json::json!(report.left_out), expected["left_out"], "{}", name("left_out"));
        assert_eq!(expected["crossed"], interval.crossed, "{}", name("crossed"));
    }
}

const ACTUAL: (&[f64], &[usize]) = (&[2.0, 4.0, 3.0, 10.0, 14.0, 1.0], &[0, 3, 5, 6]);
const PAST: (&[f64], &[usize]) = (&[1.0, 3.0, 2.0, 8.0, 12.0, 5.0], &[0, 3, 5, 6]);
const MEAN: &[f64] = &[3.0, 3.0, 3.0, 12.0, 12.0, 1.0];

fn columns() -> Columns<'static> {
    Columns {
        actual: Lists::new(ACTUAL.0, ACTUAL.1).expect("good offsets"),
        mean: MEAN,
        quantiles: &[],
        past: Lists::new(PAST.0, PAST.1).expect("good offsets"),
    }
}

#[test]
fn each_series_counts_once_and_those_without_a_scale_are_left_out() {
    let report = ForecastReport::new(&columns(), &Settings::default()).expect("good columns");
    assert_eq!(report.version, FORECAST_REPORT_VERSION);
    assert_eq!((report.series, report.steps, report.period), (3, 6, 1));
    assert_eq!(report.mae.value, (2.0 / 3.0 + 2.0 + 0.0) / 3.0);
    // The last series has one value of past: it is perfect, and in no scaled figure.
    assert_eq!(value(report.mase), Some((2.0 / 3.0 / 1.5 + 2.0 / 4.0) / 2.0));
    assert_eq!(report.left_out, LeftOut { mase: 1, rmsse: 1, scaled_pinball_loss: 0 });
    assert_eq!((report.scaled_pinball_loss, report.interval), (None, None));
    assert!(report.quantiles.is_empty() && report.undefined.is_empty());
}

#[test]
fn one_level_makes_no_interval() {
    let quantiles = [Quantile { level: level(0.5), forecast: MEAN }];
    let columns = Columns { quantiles: &quantiles, ..columns() };
    let report = ForecastReport::new(&columns, &Settings::default()).expect("good columns");
    assert_eq!(report.interval, None);
    assert_eq!(report.quantiles[0].pinball_loss.value, report.mae.value / 2.0);
    assert_eq!(report.scaled_pinball_loss, report.quantiles[0].scaled_pinball_loss);
    assert_eq!(report.left_out.scaled_pinball_loss, 1);
}

#[test]
fn what_does_not_exist_is_null_and_named() {
    let past = Lists::new(&[], &[0, 0, 0, 0]).expect("good offsets");
    let quantiles = [Quantile { level: level(0.5), forecast: MEAN }];
    let columns = Columns { past, quantiles: &quantiles, ..columns() };
    let report = ForecastReport::new(&columns, &Settings::default()).expect("good columns");
    assert_eq!((report.mase, report.rmsse, report.scaled_pinball_loss), (None, None, None));
    let named: Vec<&str> = report.undefined.iter().map(|missing| missing.metric.as_str()).collect();
    assert_eq!(named, ["mase", "rmsse", "scaled_pinball_loss"]);
    let reason = "the past of none of 3 series changes; give each a longer past";
    assert_eq!(report.undefined[0].reason, reason);
}

/// The series with a scale that was never drawn leave draws without a MASE, and the interval says so.
#[test]
fn intervals_hold_the_figure_and_depend_on_the_seed_alone() {
    let report = |seed| {
        let bootstrap = Some(Bootstrap { seed, replicates: 500, ..Bootstrap::default() });
        ForecastReport::new(&columns(), &Settings { bootstrap, ..Settings::default() })
            .expect("good settings")
    };
    let interval = |estimate: Estimate| estimate.interval.expect("asked for");
    let mae = interval(report(1).mae);
    // The least and the greatest of three series, drawn three times, with a chance of 1 in 27 each.
    assert_eq!((mae.low, mae.high, mae.undefined), (0.0, 2.0, 0));
    let mase = interval(report(1).mase.expect("two series have a scale"));
    assert_eq!((mase.low, mase.high), (2.0 / 3.0 / 1.5, 0.5));
    assert!(mase.undefined > 0 && mase.replicates + mase.undefined == 500, "{mase:?}");
    assert_eq!(report(1), report(1));
    assert_ne!(report(1).mase, report(2).mase);
}

#[test]
fn json_reads_back_as_the_same_report() {
    let quantiles = [
        Quantile { level: level(0.1), forecast: MEAN },
        Quantile { level: level(0.9), forecast: &[9.0, 9.0, 9.0, 9.0, 9.0, 9.0] },
    ];
    let settings = Settings {
        bootstrap: Some(Bootstrap { replicates: 50, ..Bootstrap::default() }),
        ..Settings::default()
    };
    let columns = Columns { quantiles: &quantiles, ..columns() };
    let report = ForecastReport::new(&columns, &settings).expect("good columns");
    let json = serde_json::to_string(&report).expect("plain data");
    assert_eq!(serde_json::from_str::<ForecastReport>(&json).expect("its own form"), report);
    let bad = json.replace("\"level\":0.1", "\"level\":1.5");
    let error = serde_json::from_str::<ForecastReport>(&bad).expect_err("a level above 1");
    assert!(error.to_string().contains("expected a level between 0 and 1"), "{error}");
}

#[test]
fn bad_columns_are_refused_with_the_place() {
    let refused =
        |columns: &Columns<'_>| ForecastReport::new(columns, &Settings::default()).expect_err("a bad column");
    let list = |values: &'static [f64], offsets: &'static [usize]| {
        Lists::new(values, offsets).expect("good offsets")
    };
    let good = columns();
    let none = Columns { actual: list(&[], &[0]), past: list(&[], &[0]), mean: &[], ..good };
    assert_eq!(refused(&none), ForecastError::Series { found: 0 });
    let pasts = ForecastError::Pasts { series: 3, pasts: 1 };
    assert_eq!(refused(&Columns { past: list(&[], &[0, 0]), ..good }), pasts);
    let no_steps = Columns { actual: list(&[1.0, 2.0], &[0, 1, 1, 2]), mean: &[1.0, 2.0], ..good };
    assert_eq!(refused(&no_steps), ForecastError::NoSteps { series: 1 });
    let short = ForecastError::Lengths { column: Column::Forecast, expected: 6, found: 5 };
    assert_eq!(refused(&Columns { mean: &MEAN[1..], ..good }), short);
    let quantiles = [Quantile { level: level(0.5), forecast: &MEAN[2..] }];
    let error = refused(&Columns { quantiles: &quantiles, ..good });
    assert_eq!(error.to_string(), "expected a forecast of level 0.5 for each of 6 steps, found 4");
    let falling = [level(0.9), level(0.9)].map(|level| Quantile { level, forecast: MEAN });
    let levels = ForecastError::Levels { before: 0.9, level: 0.9 };
    assert_eq!(refused(&Columns { quantiles: &falling, ..good }), levels);
    let past = list(&[1.0, f64::INFINITY], &[0, 0, 1, 2]);
    let error = refused(&Columns { past, ..good });
    assert_eq!(error.to_string(), "the past value at place 1 is inf; expected a number from -1e100 to 1e100");
}

#[test]
fn bad_series_levels_and_settings_are_refused() {
    fn refused(actual: &[f64], forecast: &[f64], past: &[f64]) -> ForecastError {
        Series::new(actual, forecast, past).expect_err("a bad column")
    }
    assert_eq!(refused(&[], &[], &[]), ForecastError::NoSteps { series: 0 });
    let lengths = ForecastError::Lengths { column: Column::Forecast, expected: 1, found: 2 };
    assert_eq!(refused(&[1.0], &[1.0, 2.0], &[]), lengths);
    for bad in [f64::NAN, f64::NEG_INFINITY, 1.1 * VALUE_MAX] {
        let error = refused(&[1.0, 2.0], &[1.0, bad], &[]);
        assert!(matches!(error, ForecastError::Value { column: Column::Forecast, place: 1, .. }), "{error}");
    }
    for bad in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
        assert!(matches!(Level::new(bad), Err(ForecastError::Level { .. })), "{bad}");
    }
    let bootstrap = Some(Bootstrap { replicates: 0, ..Bootstrap::default() });
    let error = ForecastReport::new(&columns(), &Settings { bootstrap, ..Settings::default() });
    assert_eq!(error, Err(ForecastError::Bootstrap(BootstrapError::Replicates { found: 0 })));
}

#[test]
fn the_greatest_values_give_finite_figures() {
    let series = Series::new(&[VALUE_MAX], &[-VALUE_MAX], &[VALUE_MAX, -VALUE_MAX]).expect("allowed values");
    assert_eq!((series.mae(), series.rmse(), series.bias()), (2e100, 2e100, -2e100));
    assert_eq!((series.mase(NonZeroUsize::MIN), series.rmsse()), (Some(1.0), Some(1.0)));
    // Next to no change is no scale either: the quotient would be infinite.
    let still = Series::new(&[VALUE_MAX], &[-VALUE_MAX], &[1e-320, 2e-320]).expect("allowed values");
    assert_eq!((still.mase(NonZeroUsize::MIN), still.rmsse()), (None, None));
}
