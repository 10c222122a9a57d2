//! Intervals: the same from the same seed, and as wide as theory says.

use foretell_insight::bootstrap::{Bootstrap, BootstrapError, Rows};
use foretell_insight::classification::Ranking;
use proptest::prelude::*;

fn mean_of_row_numbers(counts: &[u32]) -> [Option<f64>; 1] {
    let sum: f64 = counts.iter().enumerate().map(|(row, &count)| row as f64 * f64::from(count)).sum();
    [Some(sum / counts.len() as f64)]
}

#[test]
fn the_same_seed_gives_the_same_interval() {
    let rows = Rows::all(500);
    let of = |seed| {
        let bootstrap = Bootstrap { replicates: 100, seed, ..Bootstrap::default() };
        bootstrap.intervals(&rows, mean_of_row_numbers).expect("good settings")
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

/// The stream of a replicate is its number, so fewer replicates are the first of more.
#[test]
fn replicates_do_not_depend_on_their_number_or_on_threads() {
    let rows = Rows::all(50);
    let seen = |replicates| {
        let seen = std::sync::Mutex::new(Vec::new());
        let bootstrap = Bootstrap { replicates, ..Bootstrap::default() };
        let note = |counts: &[u32]| {
            seen.lock().expect("no thread panicked").push(counts.to_vec());
            [Some(0.0)]
        };
        bootstrap.intervals(&rows, note).expect("good settings");
        seen.into_inner().expect("no thread panicked")
    };
    let (few, many) = (seen(7), seen(20));
    assert!(few.iter().all(|draw| many.contains(draw)));
    assert_eq!(many.len(), 20);
}

/// The mean of n numbers has the standard error `sd / sqrt(n)`, and 95 % of a normal lies within 1.96 of it.
#[test]
fn the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() {
    let n = 400;
    let bootstrap = Bootstrap { replicates: 2_000, ..Bootstrap::default() };
    let [interval] = bootstrap.intervals(&Rows::all(n), mean_of_row_numbers).expect("good settings");
    let interval = interval.expect("a mean");
    let n = n as f64;
    let error = ((n * n - 1.0) / 12.0).sqrt() / n.sqrt();
    let centre = (n - 1.0) / 2.0;
    assert!((interval.low - (centre - 1.96 * error)).abs() < 0.15 * error, "{interval:?}");
    assert!((interval.high - (centre + 1.96 * error)).abs() < 0.15 * error, "{interval:?}");
    assert_eq!((interval.replicates, interval.undefined, interval.confidence), (2_000, 0, 0.95));
}

#[test]
fn a_rare_class_vanishes_from_plain_draws_and_not_from_strata() {
    let scores: Vec<f64> = (0..40).map(f64::from).collect();
    let labels: Vec<bool> = (0..40).map(|row| row == 30).collect();
    let ranking = Ranking::new(&scores, &labels).expect("good columns");
    let bootstrap = Bootstrap { replicates: 300, ..Bootstrap::default() };
    let of = |rows: &Rows| {
        let [interval] = bootstrap.intervals(rows, |c| [ranking.roc_auc_of_draw(c)]).expect("good settings");
        interval.expect("some draws have the row")
    };
    let plain = of(&Rows::all(40));
    assert!(plain.undefined > 50 && plain.undefined + plain.replicates == 300, "{plain:?}");
    assert_eq!(of(&Rows::strata(ranking.labels())).undefined, 0);
}

#[test]
fn a_statistic_that_never_exists_has_no_interval() {
    let answer = Bootstrap::default().intervals(&Rows::all(3), |_| [None, Some(2.0)]).expect("good settings");
    assert_eq!(answer[0], None);
    assert_eq!(answer[1].map(|interval| (interval.low, interval.high)), Some((2.0, 2.0)));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |bootstrap: Bootstrap, rows| {
        bootstrap.intervals(&Rows::all(rows), mean_of_row_numbers).expect_err("a bad setting")
    };
    let good = Bootstrap::default();
    assert_eq!(refused(Bootstrap { replicates: 0, ..good }, 5), BootstrapError::Replicates { found: 0 });
    for confidence in [0.0, 1.0, -1.0, f64::NAN] {
        let error = refused(Bootstrap { confidence, ..good }, 5);
        assert!(matches!(error, BootstrapError::Confidence { .. }), "{confidence}");
    }
    assert_eq!(refused(good, 0), BootstrapError::Rows { found: 0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_draw_has_as_many_rows_of_each_stratum_as_there_are(strata in prop::collection::vec(0u8..5, 1..60)) {
        let bootstrap = Bootstrap { replicates: 20, ..Bootstrap::default() };
        let drawn = |counts: &[u32], wanted: u8| -> u32 {
            counts.iter().zip(&strata).filter(|(_, stratum)| **stratum == wanted).map(|(count, _)| *count).sum()
        };
        let kept = |counts: &[u32]| {
            let kept = (0..5).all(|s| drawn(counts, s) as usize == strata.iter().filter(|x| **x == s).count());
            [Some(f64::from(u8::from(kept)))]
        };
        let [interval] = bootstrap.intervals(&Rows::strata(&strata), kept).expect("good settings");
        prop_assert_eq!(interval.expect("always there").low, 1.0);
    }
}
