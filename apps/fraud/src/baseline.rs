//! The published baseline: a decision tree of depth 2, as four lines of code.
//!
//! A model of three comparisons is worth having: whoever adds a network can see what it gains over a rule that fits on
//! a card, and the protocol ([`split`](crate::split), [`card_precision`](crate::card_precision)) can be checked against
//! the figures that the handbook printed for this very tree: on the [single split](crate::split::SINGLE) AUC .763,
//! average precision .496, Card Precision@100 .241.
//!
//! # Where the numbers come from
//! `tests/golden/make.py` fits scikit-learn's `DecisionTreeClassifier(max_depth=2, random_state=0)` to the 67,240
//! transactions of the training week, 25 to 31 July 2018, and prints these thresholds and leaves. The handbook
//! standardises its inputs first, which moves the thresholds of a tree and none of its decisions.
//!
//! With four distinct scores nearly every card is tied. Card Precision@100 of this tree therefore depends on the rule
//! for ties: ours gives .240 where the published order gave .241 (.2857 in both when detected cards are kept).

/// The three inputs that the tree looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    /// The amount of the transaction, in currency units.
    pub amount: f64,
    /// The share of fraud among the terminal's transactions of 7 days, as known 7 days ago: those in the interval
    /// `(t - 14 d, t - 7 d]`; 0 when there are none.
    pub terminal_risk_7_days: f64,
    /// The same for 30 days: transactions in `(t - 37 d, t - 7 d]`.
    pub terminal_risk_30_days: f64,
}

const RISK_7_DAYS: f64 = 0.550_505_071_878_433_2;
const RISK_30_DAYS: f64 = 0.661_904_782_056_808_5;
const AMOUNT: f64 = 218.669_998_168_945_3;

/// The probability of fraud: the share of fraud in the training week among the transactions of the same leaf.
///
/// ```
/// use foretell_fraud::baseline::{Inputs, score};
///
/// let usual = Inputs { amount: 57.16, terminal_risk_7_days: 0.0, terminal_risk_30_days: 0.0 };
/// assert!(score(&usual) < 0.01);
/// assert!(score(&Inputs { amount: 400.0, ..usual }) > 0.98);
/// assert!(score(&Inputs { terminal_risk_7_days: 0.8, ..usual }) > 0.95);
/// ```
pub fn score(inputs: &Inputs) -> f64 {
    // scikit-learn compares 32-bit inputs with 64-bit thresholds; a row at the edge goes where it sends it.
    let above = |value: f64, threshold: f64| f64::from(value as f32) > threshold;
    if above(inputs.terminal_risk_7_days, RISK_7_DAYS) {
        let long_known = above(inputs.terminal_risk_30_days, RISK_30_DAYS);
        if long_known { 13.0 / 144.0 } else { 222.0 / 233.0 }
    } else {
        let large = above(inputs.amount, AMOUNT);
        if large { 127.0 / 129.0 } else { 236.0 / 66_734.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_has_its_share() {
        for (amount, terminal_risk_7_days, terminal_risk_30_days, expected) in [
            (218.66, 0.55, 1.0, 236.0 / 66_734.0),
            (218.68, 0.55, 1.0, 127.0 / 129.0),
            (500.0, 0.56, 0.66, 222.0 / 233.0),
            (500.0, 0.56, 0.67, 13.0 / 144.0),
        ] {
            let inputs = Inputs { amount, terminal_risk_7_days, terminal_risk_30_days };
            assert_eq!(score(&inputs), expected, "{inputs:?}");
        }
    }

    /// 218.67 as a 32-bit number is the threshold itself, and belongs below it.
    #[test]
    fn inputs_are_compared_with_32_bits() {
        let inputs = Inputs { amount: 218.67, terminal_risk_7_days: 0.0, terminal_risk_30_days: 0.0 };
        assert_eq!(score(&inputs), 236.0 / 66_734.0);
    }
}
