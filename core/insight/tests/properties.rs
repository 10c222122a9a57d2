//! What must hold for any scores and labels.

use std::num::NonZeroUsize;

use foretell_insight::classification::{Costs, Ranking, RankingError, Undefined};
use proptest::prelude::*;

/// Columns with many ties and both classes.
fn columns() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((0u8..20, any::<bool>()), 2..80)
        .prop_map(|rows| rows.into_iter().map(|(score, label)| (f64::from(score) / 20.0, label)).unzip())
        .prop_filter("both classes", |(_, labels): &(Vec<f64>, Vec<bool>)| {
            labels.contains(&true) && labels.contains(&false)
        })
}

fn ranking(scores: &[f64], labels: &[bool]) -> Ranking {
    Ranking::new(scores, labels).expect("columns without NaN")
}

fn roc_auc(scores: &[f64], labels: &[bool]) -> f64 {
    ranking(scores, labels).roc_auc().expect("both classes")
}

/// The definition: every pair of a positive and a negative row.
fn roc_auc_by_pairs(scores: &[f64], labels: &[bool]) -> f64 {
    let of = |wanted: bool| scores.iter().zip(labels).filter(move |(_, l)| **l == wanted).map(|(s, _)| *s);
    let pairs: Vec<f64> = of(true)
        .flat_map(|p| of(false).map(move |n| f64::from(u8::from(p > n)) + f64::from(u8::from(p == n)) / 2.0))
        .collect();
    pairs.iter().sum::<f64>() / pairs.len() as f64
}

proptest! {
    #[test]
    fn roc_auc_counts_pairs((scores, labels) in columns()) {
        prop_assert!((roc_auc(&scores, &labels) - roc_auc_by_pairs(&scores, &labels)).abs() < 1e-12);
    }

    #[test]
    fn rising_transforms_change_no_ranking_metric((scores, labels) in columns()) {
        let other: Vec<f64> = scores.iter().map(|s| (3.0 * s).exp() - 100.0).collect();
        let (one, two) = (ranking(&scores, &labels), ranking(&other, &labels));
        prop_assert_eq!(one.roc_auc(), two.roc_auc());
        prop_assert_eq!(one.average_precision(), two.average_precision());
        prop_assert_eq!(one.order(), two.order());
    }

    #[test]
    fn turned_over_scores_give_the_rest_of_the_area((scores, labels) in columns()) {
        let other: Vec<f64> = scores.iter().map(|s| 1.0 - s).collect();
        prop_assert!((roc_auc(&scores, &labels) + roc_auc(&other, &labels) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn input_order_does_not_matter((scores, labels) in columns(), turn in 0usize..80) {
        let turn = turn % scores.len();
        let (mut moved_scores, mut moved_labels) = (scores.clone(), labels.clone());
        moved_scores.rotate_left(turn);
        moved_labels.rotate_left(turn);
        let (one, two) = (ranking(&scores, &labels), ranking(&moved_scores, &moved_labels));
        prop_assert_eq!(one.roc_auc(), two.roc_auc());
        prop_assert_eq!(one.average_precision(), two.average_precision());
        for k in 1..=scores.len() {
            let k = NonZeroUsize::new(k).expect("from 1 on");
            prop_assert_eq!(one.top(k), two.top(k));
        }
    }

    #[test]
    fn average_precision_lies_between_worst_and_best((scores, labels) in columns()) {
        let found = ranking(&scores, &labels).average_precision().expect("a positive row");
        let positives = labels.iter().filter(|&&l| l).count();
        let negatives = labels.len() - positives;
        let worst = (1..=positives).map(|i| i as f64 / (negatives + i) as f64).sum::<f64>() / positives as f64;
        prop_assert!(worst - 1e-12 <= found && found <= 1.0, "{worst} {found}");
    }

    #[test]
    fn a_draw_of_every_row_once_is_the_column((scores, labels) in columns()) {
        let ranking = ranking(&scores, &labels);
        let once = vec![1; scores.len()];
        prop_assert_eq!(ranking.roc_auc_of_draw(&once), ranking.roc_auc().ok());
        prop_assert_eq!(ranking.average_precision_of_draw(&once), ranking.average_precision().ok());
    }

    #[test]
    fn a_draw_is_the_column_with_rows_repeated(
        (scores, labels) in columns(),
        counts in prop::collection::vec(0u32..4, 80),
    ) {
        let one = ranking(&scores, &labels);
        let counts = &counts[..scores.len()];
        let repeated: (Vec<f64>, Vec<bool>) = (0..scores.len())
            .flat_map(|p| std::iter::repeat_n((one.scores()[p], one.labels()[p]), counts[p] as usize))
            .unzip();
        let other = Ranking::new(&repeated.0, &repeated.1);
        prop_assert_eq!(one.roc_auc_of_draw(counts), other.as_ref().ok().and_then(|r| r.roc_auc().ok()));
        let found = one.average_precision_of_draw(counts);
        prop_assert_eq!(found, other.ok().and_then(|r| r.average_precision().ok()));
    }

    #[test]
    fn decisions_are_those_of_each_row((scores, labels) in columns(), threshold in -0.1f64..1.1) {
        let found = ranking(&scores, &labels).confusion(threshold);
        let count = |flag: bool, label: bool| {
            scores.iter().zip(&labels).filter(|(s, l)| (**s >= threshold) == flag && **l == label).count() as u64
        };
        prop_assert_eq!(found.true_positives, count(true, true));
        prop_assert_eq!(found.false_positives, count(true, false));
        prop_assert_eq!(found.true_negatives, count(false, false));
        prop_assert_eq!(found.false_negatives, count(false, true));
    }

    #[test]
    fn top_is_the_mean_over_orders_of_ties((scores, labels) in columns(), k in 1usize..80) {
        let k = k.min(scores.len());
        let found = ranking(&scores, &labels).top(NonZeroUsize::new(k).expect("from 1 on"));
        // Expected hits row by row: certain above the cut, the group's share of places at the cut.
        let mut hits = 0.0;
        for (&score, _) in scores.iter().zip(&labels).filter(|(_, l)| **l) {
            let above = scores.iter().filter(|&&s| s > score).count();
            let tied = scores.iter().filter(|&&s| s == score).count();
            hits += (k.saturating_sub(above) as f64 / tied as f64).min(1.0);
        }
        prop_assert!((found.precision - hits / k as f64).abs() < 1e-12);
        prop_assert!(found.precision_low <= found.precision + 1e-12);
        prop_assert!(found.precision <= found.precision_high + 1e-12);
    }

    #[test]
    fn a_false_positive_rate_is_kept_and_used_up((scores, labels) in columns(), rate in 0.0f64..=1.0) {
        let ranking = ranking(&scores, &labels);
        let point = ranking.at_false_positive_rate(rate).expect("negative rows");
        prop_assert!(point.false_positive_rate.expect("negative rows") <= rate);
        let next = scores.iter().copied().filter(|&s| point.threshold.is_none_or(|t| s < t)).max_by(f64::total_cmp);
        if let Some(next) = next {
            prop_assert!(ranking.confusion(next).false_positive_rate().expect("negative rows") > rate);
        }
    }

    #[test]
    fn no_threshold_is_cheaper_than_the_cheapest(
        (scores, labels) in columns(),
        false_positive in 0.0f64..10.0,
        false_negative in 0.0f64..100.0,
    ) {
        let ranking = ranking(&scores, &labels);
        let costs = Costs { false_positive, false_negative, ..Costs::default() };
        let best = costs.total(&ranking.cheapest(&costs).expect("finite costs").confusion);
        for threshold in scores.iter().copied().chain([f64::INFINITY]) {
            prop_assert!(best <= ranking.cost(threshold, &costs) + 1e-9);
        }
    }

    #[test]
    fn curves_rise_from_corner_to_corner((scores, labels) in columns(), points_max in 3usize..30) {
        let ranking = ranking(&scores, &labels);
        let roc = ranking.roc_curve(points_max).expect("both classes");
        prop_assert!(roc.len() <= points_max);
        let place = |p: &foretell_insight::classification::RocPoint| (p.false_positive_rate, p.true_positive_rate);
        prop_assert_eq!(place(&roc[0]), (0.0, 0.0));
        prop_assert_eq!(place(&roc[roc.len() - 1]), (1.0, 1.0));
        for pair in roc.windows(2) {
            prop_assert!(pair[0].false_positive_rate <= pair[1].false_positive_rate);
            prop_assert!(pair[0].true_positive_rate <= pair[1].true_positive_rate);
        }
        let pr = ranking.precision_recall_curve(points_max).expect("a positive row");
        prop_assert!(pr.len() <= points_max);
        prop_assert_eq!((pr[0].precision, pr[0].recall, pr[pr.len() - 1].recall), (1.0, 0.0, 1.0));
    }

    #[test]
    fn calibration_bins_hold_every_row_once((scores, labels) in columns(), bins in 1usize..40) {
        let bins = NonZeroUsize::new(bins).expect("from 1 on");
        let found = ranking(&scores, &labels).calibration(bins).expect("probabilities");
        prop_assert_eq!(found.curve.iter().map(|bin| bin.rows).sum::<u64>(), scores.len() as u64);
        for bin in &found.curve {
            let inside = |s: &&f64| **s > bin.low && **s <= bin.high || bin.low == 0.0 && **s == 0.0;
            prop_assert_eq!(scores.iter().filter(inside).count() as u64, bin.rows);
        }
        prop_assert!(found.expected_error <= found.greatest_error + 1e-12);
    }
}

#[test]
fn bad_columns_are_refused_with_the_row() {
    let refused = |scores: &[f64], labels: &[bool]| Ranking::new(scores, labels).expect_err("a bad column");
    assert_eq!(refused(&[], &[]), RankingError::Empty);
    assert_eq!(refused(&[0.5], &[]), RankingError::Lengths { scores: 1, labels: 0 });
    let error = refused(&[0.5, f64::NAN, f64::NAN], &[true, false, true]);
    assert_eq!(error.to_string(), "the score of row 1 is not a number; leave out rows that were not scored");
}

#[test]
fn one_class_and_no_probability_are_named() {
    let negative = ranking(&[0.1, 0.7], &[false, false]);
    let message = negative.roc_auc().expect_err("one class").to_string();
    assert_eq!(message, "cannot compute `roc_auc`: all 2 rows are negative; select rows of both classes");
    assert!(negative.average_precision().is_err());
    assert!(negative.at_false_positive_rate(0.1).is_ok());
    assert!(negative.log_loss().is_ok());

    let positive = ranking(&[0.1, 0.7], &[true, true]);
    assert!(positive.at_false_positive_rate(0.1).is_err());
    assert_eq!(positive.average_precision(), Ok(1.0));

    let wide = ranking(&[0.2, 1.5, -3.0], &[true, false, true]);
    let cause = wide.brier_score().expect_err("not probabilities").cause;
    assert_eq!(cause, Undefined::NotAProbability { row: 1, score: 1.5 });
}

#[test]
fn settings_out_of_range_are_refused() {
    let ranking = ranking(&[0.1, 0.7], &[true, false]);
    for rate in [-0.1, 1.1, f64::NAN] {
        assert!(ranking.at_false_positive_rate(rate).is_err(), "{rate}");
    }
    let costs = Costs { false_negative: f64::INFINITY, ..Costs::default() };
    assert_eq!(ranking.cheapest(&costs).expect_err("an infinite cost").cause, Undefined::Cost);
}

#[test]
fn nothing_is_flagged_when_the_top_is_too_often_wrong() {
    let ranking = ranking(&[0.9, 0.9, 0.1], &[false, true, true]);
    let point = ranking.at_false_positive_rate(0.5).expect("a negative row");
    assert_eq!(point.threshold, None);
    assert_eq!(point.confusion.flagged(), 0);
}
