//! The published tree of depth 2: features by the plugin, scores by the app's baseline, Card Precision by the app.

use foretell_fraud::baseline::{self, Inputs};
use foretell_fraud::card_precision::{CardPrecision, Detected};
use foretell_insight::classification::Ranking;
use foretell_terminal::Failure;

use super::features::Computed;
use super::handbook::{Days, Golden};
use super::stored::Stored;
use crate::figures::Figures;
use crate::reproduce::check::Check;

/// Positions of the tree's inputs among the plugin's features.
const AMOUNT: usize = 0;
const TERMINAL_RISK_7_DAYS: usize = 12;
const TERMINAL_RISK_30_DAYS: usize = 14;

/// How far Card Precision may be from the published one on a day, and on average: the tree has four distinct scores, so
/// nearly all cards are tied, and the published order of tied cards is that of an unstable sort.
const DAY_MAX: f64 = 0.01;
const MEAN_MAX: f64 = 0.004;

/// Published figures of the tree on the single split (chapter 3.4).
const AUC_ROC: f64 = 0.763;
const AVERAGE_PRECISION: f64 = 0.496;

/// Scores the `test` rows with the tree, and compares.
pub(super) fn check(
    stored: &Stored,
    test: &[usize],
    computed: &Computed,
    golden: &Golden,
    figures: &mut Figures,
) -> Result<Vec<Check>, Failure> {
    let score = |row: usize| {
        let features = &computed.features[row];
        baseline::score(&Inputs {
            amount: features[AMOUNT],
            terminal_risk_7_days: features[TERMINAL_RISK_7_DAYS],
            terminal_risk_30_days: features[TERMINAL_RISK_30_DAYS],
        })
    };
    let removed = stored.card_precision(test, score, Detected::Removed)?;
    let kept = stored.card_precision(test, score, Detected::Kept)?;
    let scores: Vec<f64> = test.iter().map(|&row| score(row)).collect();
    let ranking = Ranking::new(&scores, &stored.frauds_of(test)).map_err(|error| Failure::new(&error))?;
    let auc_roc = ranking.roc_auc().map_err(|error| Failure::new(&error))?;
    let average_precision = ranking.average_precision().map_err(|error| Failure::new(&error))?;
    for (name, figure) in [
        ("auc_roc", auc_roc),
        ("average_precision", average_precision),
        ("card_precision_at_100", removed.mean),
        ("card_precision_at_100_kept", kept.mean),
    ] {
        figures.set(format!("fraud.golden.tree.{name}"), figure);
    }
    let mut checks = vec![
        Check::rounded("tree of depth 2: AUC ROC", AUC_ROC, auc_roc, 3),
        Check::rounded("tree of depth 2: average precision", AVERAGE_PRECISION, average_precision, 3),
    ];
    // A card that is found a day earlier or later is one more or one less on the days between.
    checks.extend(check_days("detected removed", &removed, &golden.removed(), 1));
    checks.extend(check_days("detected kept", &kept, &golden.kept(), 0));
    Ok(checks)
}

fn check_days(name: &str, found: &CardPrecision, published: &Days<'_>, left_max: usize) -> [Check; 3] {
    let own: Vec<f64> = found.days.iter().map(|day| day.precision).collect();
    let left: Vec<usize> = found.days.iter().map(|day| day.compromised).collect();
    let near = |own: f64, published: f64, most: f64| (own - published).abs() <= most + 1e-9;
    let all_near = own.len() == published.precision.len()
        && own.iter().zip(published.precision).all(|(&own, &day)| near(own, day, DAY_MAX));
    let all_left = left.len() == published.left.len()
        && left.iter().zip(published.left).all(|(own, day)| own.abs_diff(*day) <= left_max);
    let decimals =
        |values: &[f64]| values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(" ");
    let whole = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    [
        Check::new(
            format!("tree: CP@100 per day, {name} (+-{DAY_MAX})"),
            decimals(published.precision),
            decimals(&own),
            all_near,
        ),
        Check::new(
            format!("tree: compromised cards left, {name} (+-{left_max})"),
            whole(published.left),
            whole(&left),
            all_left,
        ),
        Check::new(
            format!("tree: CP@100, {name} (+-{MEAN_MAX})"),
            format!("{:.4}", published.mean),
            format!("{:.4}", found.mean),
            near(found.mean, published.mean, MEAN_MAX),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use foretell_fraud::card_precision::DayPrecision;

    use super::*;

    #[test]
    fn a_day_may_differ_by_a_card_and_not_by_two() {
        let day = |day: i64, precision: f64| DayPrecision {
            day,
            cards: 200,
            compromised: 50,
            found: (precision * 100.0) as usize,
            precision,
            precision_low: 0.0,
            precision_high: 1.0,
        };
        let found = CardPrecision {
            k: 100,
            detected: Detected::Removed,
            mean: 0.245,
            days: vec![day(1, 0.24), day(2, 0.25)],
        };
        let held = |precision: &[f64], left: &[usize], mean: f64, left_max: usize| {
            check_days("a", &found, &Days { precision, left, mean }, left_max).map(|check| check.held())
        };
        assert_eq!(held(&[0.24, 0.26], &[50, 51], 0.2486, 1), [true, true, true]);
        assert_eq!(held(&[0.24, 0.27], &[50, 51], 0.25, 0), [false, false, false]);
        assert_eq!(held(&[0.24], &[50, 50, 50], 0.245, 1), [false, false, true], "other numbers of days");
    }
}
