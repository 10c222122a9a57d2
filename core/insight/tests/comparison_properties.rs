//! What holds for any two models.

use foretell_insight::comparison::{Columns, Comparison, Decisions, most_moved};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Pair {
    old: Vec<f64>,
    new: Vec<f64>,
    old_classes: Vec<Option<u16>>,
    new_classes: Vec<Option<u16>>,
    labels: Vec<Option<bool>>,
}

fn any_pair() -> impl Strategy<Value = Pair> {
    // Steps of a 16th are exact, and make ties.
    let score = || prop_oneof![(0u8..=16).prop_map(|step| f64::from(step) / 16.0), 0.0..=1.0];
    let class = || prop::option::weighted(0.9, 0u16..3);
    let row = (score(), score(), class(), class(), prop::option::of(any::<bool>()));
    prop::collection::vec(row, 1..60).prop_map(Pair::of)
}

type Row = (f64, f64, Option<u16>, Option<u16>, Option<bool>);

impl Pair {
    fn of(rows: Vec<Row>) -> Pair {
        Pair {
            old: rows.iter().map(|row| row.0).collect(),
            new: rows.iter().map(|row| row.1).collect(),
            old_classes: rows.iter().map(|row| row.2).collect(),
            new_classes: rows.iter().map(|row| row.3).collect(),
            labels: rows.iter().map(|row| row.4).collect(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        (0..self.old.len()).map(|row| {
            (self.old[row], self.new[row], self.old_classes[row], self.new_classes[row], self.labels[row])
        })
    }

    fn compare(&self) -> Comparison {
        let classes = ["a", "b", "c"].map(str::to_owned);
        let decisions = Decisions {
            classes: &classes,
            old: &self.old_classes,
            new: &self.new_classes,
            positive: Some(2),
        };
        let columns = Columns {
            old: &self.old,
            new: &self.new,
            decisions: Some(decisions),
            labels: Some(&self.labels),
        };
        Comparison::new(&columns, None).expect("good columns")
    }
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12
}

fn both_close(found: Option<f64>, expected: Option<f64>) -> bool {
    found.is_some() == expected.is_some() && close(found.unwrap_or(0.0), expected.unwrap_or(0.0))
}

proptest! {
    #[test]
    fn a_model_agrees_with_itself(pair in any_pair()) {
        let itself = Pair { new: pair.old.clone(), new_classes: pair.old_classes.clone(), ..pair.clone() };
        let found = itself.compare();
        let spread = pair.old.iter().any(|score| *score != pair.old[0]);
        let perfect = spread.then_some(1.0);
        prop_assert_eq!(found.correlation.pearson, perfect);
        prop_assert_eq!(found.correlation.spearman, perfect);
        prop_assert_eq!(found.correlation.kendall, perfect);
        prop_assert_eq!(
            [found.shift.mean, found.shift.mean_absolute, found.shift.root_mean_square],
            [0.0; 3]
        );
        prop_assert!(found.shift.quantiles.iter().all(|quantile| quantile.difference == 0.0));
        prop_assert_eq!(found.shift.kolmogorov_smirnov, 0.0);
        let decisions = found.decisions.expect("there are decisions");
        prop_assert!(decisions.flips.is_empty() && decisions.agreement.unwrap_or(1.0) == 1.0);
        if let Some(labelled) = found.labelled {
            prop_assert!(labelled.brier_score.difference.is_some_and(|difference| difference.value == 0.0));
        }
    }

    #[test]
    fn swapped_models_turn_differences_round(pair in any_pair()) {
        let swapped = Pair {
            old: pair.new.clone(),
            new: pair.old.clone(),
            old_classes: pair.new_classes.clone(),
            new_classes: pair.old_classes.clone(),
            labels: pair.labels.clone(),
        };
        let (found, other) = (pair.compare(), swapped.compare());
        prop_assert_eq!(found.correlation, other.correlation);
        prop_assert_eq!(found.shift.mean, -other.shift.mean);
        prop_assert_eq!(found.shift.mean_absolute, other.shift.mean_absolute);
        prop_assert_eq!(found.shift.root_mean_square, other.shift.root_mean_square);
        prop_assert_eq!(found.shift.kolmogorov_smirnov, other.shift.kolmogorov_smirnov);
        for (one, two) in found.shift.quantiles.iter().zip(other.shift.quantiles.iter().rev()) {
            prop_assert!(close(one.difference, -two.difference));
        }
        let (one, two) = (found.decisions.expect("decisions"), other.decisions.expect("decisions"));
        prop_assert_eq!((one.decided, one.flipped), (two.decided, two.flipped));
        for flip in &one.flips {
            let turned = two.flips.iter().find(|other| other.from == flip.to && other.to == flip.from);
            prop_assert_eq!(turned.map(|other| other.records), Some(flip.records));
        }
        let (one, two) = (one.positive.expect("a class"), two.positive.expect("a class"));
        prop_assert_eq!((one.became_positive, one.right), (two.became_negative, two.wrong));
        prop_assert_eq!((one.became_negative, one.wrong), (two.became_positive, two.right));
        if let (Some(one), Some(two)) = (found.labelled, other.labelled) {
            prop_assert_eq!((one.roc_auc.old, one.brier_score.old), (two.roc_auc.new, two.brier_score.new));
            let value = |change: foretell_insight::comparison::Change| change.difference.map(|d| d.value);
            prop_assert_eq!(value(one.roc_auc), value(two.roc_auc).map(|value| -value));
            prop_assert_eq!(value(one.log_loss), value(two.log_loss).map(|value| -value));
        }
    }

    #[test]
    fn ranks_see_order_alone(pair in any_pair(), factor in 0.5f64..4.0) {
        // A 16th and more apart, so that no two scores meet on the way.
        let step = |score: &f64| (score * 16.0).round();
        let plain = Pair {
            old: pair.old.iter().map(step).collect(),
            new: pair.new.iter().map(step).collect(),
            ..pair.clone()
        };
        let bent = Pair {
            old: plain.old.iter().map(|step| (factor * step).exp() - 7.0).collect(),
            new: plain.new.iter().map(|step| step.powi(3) / factor).collect(),
            ..pair
        };
        let (one, two) = (plain.compare().correlation, bent.compare().correlation);
        prop_assert_eq!((one.spearman, one.kendall), (two.spearman, two.kendall));
        let turned = Pair { new: plain.new.iter().map(|step| -step).collect(), ..plain };
        let turned = turned.compare().correlation;
        prop_assert_eq!(turned.spearman, one.spearman.map(|rho| -rho));
        prop_assert_eq!(turned.kendall, one.kendall.map(|tau| -tau));
        prop_assert!(both_close(turned.pearson, one.pearson.map(|r| -r)));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(pair in any_pair(), seed in any::<u64>()) {
        let mut rows: Vec<Row> = pair.rows().collect();
        let mut state = seed;
        for end in (1..rows.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            rows.swap(end, (state >> 33) as usize % (end + 1));
        }
        let (one, two) = (pair.compare(), Pair::of(rows).compare());
        prop_assert_eq!(one.correlation.spearman, two.correlation.spearman);
        prop_assert_eq!(one.correlation.kendall, two.correlation.kendall);
        prop_assert!(both_close(one.correlation.pearson, two.correlation.pearson));
        prop_assert_eq!(&one.shift.quantiles, &two.shift.quantiles);
        prop_assert_eq!(one.shift.kolmogorov_smirnov, two.shift.kolmogorov_smirnov);
        prop_assert!(close(one.shift.mean, two.shift.mean));
        prop_assert!(close(one.shift.root_mean_square, two.shift.root_mean_square));
        prop_assert_eq!(&one.decisions, &two.decisions);
        let auc = |found: &Comparison| found.labelled.as_ref().map(|labelled| labelled.roc_auc);
        prop_assert_eq!(auc(&one), auc(&two));
    }

    #[test]
    fn correlations_are_those_of_their_definitions(pair in any_pair()) {
        let (found, rows) = (pair.compare(), pair.old.len());
        let (mut alike, mut by_old, mut by_new) = (0.0, 0.0, 0.0);
        let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
        for (one, two) in (0..rows).flat_map(|one| (0..one).map(move |two| (one, two))) {
            let (old, new) = (sign(pair.old[one], pair.old[two]), sign(pair.new[one], pair.new[two]));
            alike += old * new;
            by_old += old.abs();
            by_new += new.abs();
        }
        let tau = (by_old > 0.0 && by_new > 0.0).then(|| alike / (by_old * by_new).sqrt());
        prop_assert!(both_close(found.correlation.kendall, tau), "{:?} {tau:?}", found.correlation);
        let share = |scores: &[f64], threshold: f64| {
            scores.iter().filter(|score| **score >= threshold).count() as f64 / rows as f64
        };
        let distance = pair
            .old
            .iter()
            .chain(&pair.new)
            .map(|&threshold| (share(&pair.old, threshold) - share(&pair.new, threshold)).abs())
            .fold(0.0, f64::max);
        prop_assert!(close(found.shift.kolmogorov_smirnov, distance));
    }

    #[test]
    fn most_moved_is_the_front_of_all_rows_in_order(pair in any_pair(), count in 0usize..70) {
        let distance = |row: usize| (pair.new[row] - pair.old[row]).abs();
        let mut rows: Vec<usize> = (0..pair.old.len()).collect();
        rows.sort_by(|&a, &b| distance(b).total_cmp(&distance(a)));
        rows.truncate(count);
        prop_assert_eq!(most_moved(&pair.old, &pair.new, count), rows);
    }
}
