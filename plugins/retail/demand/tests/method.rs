//! The method: against an independent computation with NumPy and SciPy (`golden/forecasts.py`), and what must hold of any past.

use foretell_plugin_demand::demand::{Forecast, Series};
use proptest::prelude::*;
use serde::Deserialize;

/// A case of the golden file.
#[derive(Deserialize)]
struct Case {
    records: Vec<(i64, f64)>,
    end: i64,
    half_life: f64,
    levels: [f64; 2],
    expected: Option<[f64; 3]>,
}

fn forecast(records: &[(i64, f64)], end: i64) -> Option<Forecast> {
    forecast_at(records, end, 5.0, [0.1, 0.9])
}

fn forecast_at(records: &[(i64, f64)], end: i64, half_life: f64, levels: [f64; 2]) -> Option<Forecast> {
    let mut series = Series::default();
    for &(period, quantity) in records {
        series.add(period, quantity);
    }
    series.forecast(end, half_life, levels)
}

#[test]
fn as_computed_with_scipy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/forecasts.json")).unwrap();
    assert_eq!(cases.len(), 120);
    for Case { records, end, half_life, levels, expected } in cases {
        let found = forecast_at(&records, end, half_life, levels);
        let Some([mean, low, high]) = expected else {
            assert_eq!(found, None, "{records:?}");
            continue;
        };
        let found = found.unwrap();
        assert!((found.mean - mean).abs() <= 1e-9 * mean, "{} {mean} {records:?}", found.mean);
        assert_eq!([found.low, found.high], [low, high], "{records:?}");
    }
}

#[test]
fn an_item_that_was_never_bought_has_no_forecast() {
    assert_eq!(forecast(&[], 3), None);
    assert_eq!(forecast(&[(1, 0.0), (2, 0.0)], 3), None, "it was only asked for");
    assert_eq!(forecast(&[(1, 2.0), (1, -2.0)], 3), None, "all of it came back");
    assert_eq!(forecast(&[(3, 2.0)], 3), None, "nothing before the period that is asked for");
}

#[test]
fn an_item_that_always_sells_goes_on() {
    let records: Vec<_> = (0..400).map(|period| (period, 20.0)).collect();
    let found = forecast(&records, 400).unwrap();
    assert!((found.mean - 20.0).abs() < 1e-6, "{found:?}");
    // Quantiles of a Poisson distribution of mean 20.
    assert_eq!((found.low, found.high), (14.0, 26.0));
}

#[test]
fn one_purchase_of_a_young_item_is_little_evidence() {
    let young = forecast(&[(0, 1.0)], 1).unwrap();
    assert!(young.mean < 0.2, "{young:?}");
    let since_when = forecast(&[(-1, 0.0), (0, 1.0)], 1).unwrap();
    assert!((0.5..0.6).contains(&since_when.mean), "one of two months, the last one: {since_when:?}");
}

#[test]
fn pieces_by_weight_have_quantiles_of_the_past_itself() {
    let records: Vec<_> = (0..100).map(|period| (period, if period % 2 == 0 { 0.5 } else { 1.25 })).collect();
    let found = forecast_at(&records, 100, 1000.0, [0.1, 0.9]).unwrap();
    assert_eq!((found.low, found.high), (0.5, 1.25));
    let rare = forecast(&[(0, 0.0), (9, 0.5)], 20).unwrap();
    assert_eq!((rare.low, rare.high), (0.0, 0.0));
}

#[test]
fn any_numbers_are_answered() {
    for quantity in [f64::MAX, f64::INFINITY, f64::MIN_POSITIVE, f64::NAN, -f64::MAX, 1e300] {
        for end in [1, 2, i64::MAX / 86_400_000_000] {
            if let Some(found) = forecast(&[(0, quantity), (0, quantity), (0, 1.0)], end) {
                assert!(
                    found.mean.is_finite() && found.low <= found.high && found.high.is_finite(),
                    "{found:?}"
                );
            }
        }
    }
}

/// Records of up to 40 periods, in the order of time, whole quantities, some of them 0 or returns.
fn records() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((0..40i64, -2..30i32), 1..60).prop_map(|mut records| {
        records.sort_by_key(|record| record.0);
        records.into_iter().map(|(period, quantity)| (period, f64::from(quantity))).collect()
    })
}

proptest! {
    #[test]
    fn quantiles_are_in_order_and_the_mean_is_within_the_past(records in records(), end in 40..60i64) {
        if let Some(found) = forecast(&records, end) {
            let most: f64 = records.iter().map(|record| record.1.max(0.0)).sum();
            prop_assert!(0.0 <= found.low && found.low <= found.high, "{:?}", found);
            prop_assert!(0.0 < found.mean && found.mean <= most, "{:?}", found);
        }
    }

    #[test]
    fn a_forecast_does_not_depend_on_the_items_before(items in prop::collection::vec(records(), 1..5)) {
        let mut series = Series::default();
        for records in &items {
            series.clear();
            for &(period, quantity) in records {
                series.add(period, quantity);
            }
            prop_assert_eq!(series.forecast(41, 5.0, [0.1, 0.9]), forecast(records, 41));
        }
    }

    #[test]
    fn when_it_was_does_not_matter_but_how_long_ago(records in records(), shift in -1_000_000..1_000_000i64) {
        let shifted: Vec<_> = records.iter().map(|&(period, quantity)| (period + shift, quantity)).collect();
        prop_assert_eq!(forecast(&records, 45), forecast(&shifted, 45 + shift));
    }

    #[test]
    fn nothing_bought_adds_nothing(records in records(), place in any::<prop::sample::Index>()) {
        let mut more = records.clone();
        let place = place.index(records.len());
        more.insert(place + 1, (records[place].0, 0.0));
        prop_assert_eq!(forecast(&records, 45), forecast(&more, 45));
    }

    #[test]
    fn what_comes_later_is_not_seen(records in records(), end in 1..40i64) {
        let earlier: Vec<_> = records.iter().copied().filter(|record| record.0 < end).collect();
        prop_assert_eq!(forecast(&records, end), forecast(&earlier, end));
    }

    #[test]
    fn purchases_of_one_period_add_up(records in records()) {
        let mut sums: Vec<(i64, f64)> = Vec::new();
        for &(period, quantity) in &records {
            match sums.last_mut() {
                Some(sum) if sum.0 == period => sum.1 += quantity,
                _ => sums.push((period, quantity)),
            }
        }
        // Whether the first record is a purchase is a question about the record, and not about its period.
        prop_assume!((records[0].1 > 0.0) == (sums[0].1 > 0.0));
        prop_assert_eq!(forecast(&records, 45), forecast(&sums, 45));
    }
}
