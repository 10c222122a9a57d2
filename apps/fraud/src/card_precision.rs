//! Card Precision@k: of the `k` cards that investigators can look at in a day, how many were compromised?
//!
//! The measure of Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible machine learning for credit card fraud
//! detection: practical handbook", 2022, chapter 4.2. For each day, in order:
//! 1. cards that were detected on an earlier day are left out (they are blocked by now);
//! 2. each card gets the greatest score of its transactions of the day, and is compromised if any of them is fraud;
//! 3. the `k` cards with the greatest scores are looked at;
//! 4. the precision of the day is the number of compromised ones among them over `k`; those are now detected.
//!
//! The figure is the mean over the days that have transactions. In the published data a customer has one card, so the
//! card is the customer.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use foretell_fraud::card_precision::{Columns, Detected, card_precision};
//!
//! let columns = Columns {
//!     days: &[1, 1, 1, 2, 2],
//!     customers: &["ann", "bea", "cid", "ann", "cid"],
//!     scores: &[0.9, 0.8, 0.1, 0.9, 0.2],
//!     frauds: &[true, false, true, true, true],
//! };
//! let two = NonZeroUsize::new(2).expect("not 0");
//! let found = card_precision(&columns, two, Detected::Removed)?;
//! assert_eq!(found.days[0].precision, 0.5); // ann, but not bea
//! assert_eq!(found.days[1].precision, 0.5); // cid; ann was detected the day before
//! # Ok::<(), foretell_fraud::card_precision::CardPrecisionError>(())
//! ```
//!
//! # Ties
//! Cards with equal scores are looked at in **ascending order of the customer** (the order of the column's type:
//! numbers by value, text by its bytes). The published figures broke ties by an unstable sort, whose order depends on
//! the processor; for a tree with four leaves, where nearly all cards are tied, single days differ from ours by .01
//! for that reason alone. [`DayPrecision::precision_low`] and [`DayPrecision::precision_high`] bound what any order of
//! the tied cards could give on that day, and are equal when the cut goes through no tie.
//!
//! # Pitfalls
//! - It is divided by `k` even when there are fewer compromised cards, so a perfect model is far below 1: about .40 to
//!   .45 on the published weeks. Score the labels themselves to learn the ceiling.
//! - It needs rows of whole days: a card that was filtered out of a day cannot be found.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use serde::Serialize;

/// Cards that are looked at in a day, in the published figures.
pub const CARDS: NonZeroUsize = NonZeroUsize::new(100).expect("100 is not 0");

/// One row per transaction; row `i` of every column is the same transaction. Rows may come in any order.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, C> {
    /// The day, any number that grows with time, such as [`day_of`](crate::split::day_of).
    pub days: &'a [i64],
    /// Whose card it is.
    pub customers: &'a [C],
    /// The model's score, greater is more suspicious; not NaN.
    pub scores: &'a [f64],
    /// Whether it is fraud.
    pub frauds: &'a [bool],
}

/// What happens to a card after a day on which it was looked at and found to be compromised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    /// It is left out on later days: the published measure.
    Removed,
    /// It stays, and can be found again: a measure of the scores of single days.
    Kept,
}

/// The measure and its days.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CardPrecision {
    /// How many cards are looked at in a day.
    pub k: usize,
    /// Whether detected cards were left out later.
    pub detected: Detected,
    /// The mean of [`DayPrecision::precision`] over the days.
    pub mean: f64,
    /// The days that have transactions, ascending.
    pub days: Vec<DayPrecision>,
}

/// One day of the measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DayPrecision {
    /// The day, as in the columns.
    pub day: i64,
    /// How many cards were used, without those that were left out.
    pub cards: usize,
    /// How many of these cards are compromised: what could be found at best.
    pub compromised: usize,
    /// How many compromised cards were found.
    pub found: usize,
    /// `found / k`.
    pub precision: f64,
    /// The least that another order of tied cards would give on this day.
    pub precision_low: f64,
    /// The most that another order of tied cards would give on this day.
    pub precision_high: f64,
}

/// Why the measure cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardPrecisionError {
    /// There are no rows.
    #[error("there are no transactions to measure; select at least one scored and labelled day")]
    Empty,
    /// The columns do not describe the same rows.
    #[error(
        "expected columns of one length, found {days} days, {customers} customers, {scores} scores and {frauds} labels"
    )]
    Lengths {
        /// Rows of the day column.
        days: usize,
        /// Rows of the customer column.
        customers: usize,
        /// Rows of the score column.
        scores: usize,
        /// Rows of the label column.
        frauds: usize,
    },
    /// A NaN has no place in an order.
    #[error("the score of row {row} is not a number; leave out transactions that were not scored")]
    NotANumber {
        /// The first such row, counted from 0.
        row: usize,
    },
}

/// A card on one day.
struct Card<'a, C> {
    customer: &'a C,
    score: f64,
    compromised: bool,
}

/// Computes Card Precision@k; see the [module](self) for its meaning.
///
/// # Errors
/// [`CardPrecisionError`]: no rows, columns of different length, a NaN score.
pub fn card_precision<C: Ord>(
    columns: &Columns<'_, C>,
    k: NonZeroUsize,
    detected: Detected,
) -> Result<CardPrecision, CardPrecisionError> {
    columns.check()?;
    let mut rows: Vec<usize> = (0..columns.days.len()).collect();
    rows.sort_unstable_by_key(|&row| (columns.days[row], &columns.customers[row]));
    let mut blocked = BTreeSet::new();
    let mut days = Vec::new();
    for rows in rows.chunk_by(|&a, &b| columns.days[a] == columns.days[b]) {
        let mut cards = columns.cards(rows);
        cards.retain(|card| !blocked.contains(card.customer));
        // Stable, and the cards come in ascending order of the customer: that is the rule for ties.
        cards.sort_by(|a, b| b.score.total_cmp(&a.score));
        days.push(measure(columns.days[rows[0]], &cards, k.get()));
        if detected == Detected::Removed {
            blocked
                .extend(cards.iter().take(k.get()).filter(|card| card.compromised).map(|card| card.customer));
        }
    }
    let mean = days.iter().map(|day| day.precision).sum::<f64>() / days.len() as f64;
    Ok(CardPrecision { k: k.get(), detected, mean, days })
}

impl<C: Ord> Columns<'_, C> {
    fn check(&self) -> Result<(), CardPrecisionError> {
        let (days, customers) = (self.days.len(), self.customers.len());
        let (scores, frauds) = (self.scores.len(), self.frauds.len());
        if [customers, scores, frauds] != [days; 3] {
            return Err(CardPrecisionError::Lengths { days, customers, scores, frauds });
        }
        if days == 0 {
            return Err(CardPrecisionError::Empty);
        }
        match self.scores.iter().position(|score| score.is_nan()) {
            Some(row) => Err(CardPrecisionError::NotANumber { row }),
            None => Ok(()),
        }
    }

    /// The cards of one day, whose rows are in order of the customer.
    fn cards(&self, rows: &[usize]) -> Vec<Card<'_, C>> {
        let same = |a: &usize, b: &usize| self.customers[*a] == self.customers[*b];
        rows.chunk_by(same)
            .map(|rows| Card {
                customer: &self.customers[rows[0]],
                // Adding 0 makes the two zeros one, so that they are tied.
                score: rows.iter().map(|&row| self.scores[row]).fold(f64::NEG_INFINITY, f64::max) + 0.0,
                compromised: rows.iter().any(|&row| self.frauds[row]),
            })
            .collect()
    }
}

/// The figures of a day, whose cards are in the order in which they are looked at.
fn measure<C>(day: i64, cards: &[Card<'_, C>], k: usize) -> DayPrecision {
    let compromised = |cards: &[Card<'_, C>]| cards.iter().filter(|card| card.compromised).count();
    let looked_at = &cards[..k.min(cards.len())];
    let found = compromised(looked_at);
    let (mut low, mut high) = (found, found);
    if let Some(last) = looked_at.last() {
        let above = cards.partition_point(|card| card.score > last.score);
        let tied = &cards[above..cards.partition_point(|card| card.score >= last.score)];
        let (sure, places) = (compromised(&cards[..above]), looked_at.len() - above);
        low = sure + places.saturating_sub(tied.len() - compromised(tied));
        high = sure + places.min(compromised(tied));
    }
    let precision = |found: usize| found as f64 / k as f64;
    DayPrecision {
        day,
        cards: cards.len(),
        compromised: compromised(cards),
        found,
        precision: precision(found),
        precision_low: precision(low),
        precision_high: precision(high),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = (i64, u32, f64, bool);

    fn measured(rows: &[Row], k: usize, detected: Detected) -> CardPrecision {
        let days: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let customers: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let frauds: Vec<bool> = rows.iter().map(|row| row.3).collect();
        let columns = Columns { days: &days, customers: &customers, scores: &scores, frauds: &frauds };
        card_precision(&columns, NonZeroUsize::new(k).expect("not 0"), detected).expect("good columns")
    }

    fn figures(found: &CardPrecision) -> Vec<(i64, usize, usize, usize)> {
        found.days.iter().map(|day| (day.day, day.cards, day.compromised, day.found)).collect()
    }

    /// Day 1: cards 1 (.9, bad), 2 (.8), 3 (.7, bad), of which two are looked at. Day 3: 1 is blocked, 3 is on top.
    const THREE_CARDS: [Row; 8] = [
        (3, 1, 0.95, true),
        (1, 1, 0.2, false),
        (1, 1, 0.9, true),
        (1, 2, 0.8, false),
        (1, 3, 0.7, true),
        (3, 2, 0.1, false),
        (3, 3, 0.6, false),
        (3, 3, 0.5, true),
    ];

    #[test]
    fn detected_cards_are_left_out_later() {
        let found = measured(&THREE_CARDS, 2, Detected::Removed);
        assert_eq!(figures(&found), [(1, 3, 2, 1), (3, 2, 1, 1)]);
        assert_eq!((found.days[0].precision, found.days[1].precision, found.mean), (0.5, 0.5, 0.5));
    }

    #[test]
    fn kept_cards_are_found_again() {
        let found = measured(&THREE_CARDS, 2, Detected::Kept);
        assert_eq!(figures(&found), [(1, 3, 2, 1), (3, 3, 2, 2)]);
        assert_eq!(found.mean, 0.75);
    }

    #[test]
    fn k_divides_even_when_there_are_fewer_cards() {
        let found = measured(&THREE_CARDS, 10, Detected::Removed);
        assert_eq!(figures(&found), [(1, 3, 2, 2), (3, 1, 0, 0)]);
        assert_eq!(found.mean, 0.1);
    }

    /// Four tied cards, two places: the customers in ascending order; other orders find 0 to 2.
    #[test]
    fn ties_go_to_the_smaller_customer_and_are_bounded() {
        let rows = [(1, 40, 0.5, true), (1, 30, 0.5, false), (1, 20, 0.5, true), (1, 10, 0.5, false)];
        let day = measured(&rows, 2, Detected::Removed).days[0];
        assert_eq!((day.found, day.precision_low, day.precision_high), (1, 0.0, 1.0));
        let all = measured(&rows, 4, Detected::Removed).days[0];
        assert_eq!((all.precision_low, all.precision, all.precision_high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn both_zeros_are_tied() {
        let rows = [(1, 2, 0.0, true), (1, 1, -0.0, false)];
        assert_eq!(measured(&rows, 1, Detected::Removed).days[0].found, 0);
    }

    #[test]
    fn bad_columns_are_refused() {
        let refused = |days: &[i64], scores: &[f64]| {
            let customers = vec![1; days.len()];
            let frauds = vec![true; days.len()];
            let columns = Columns { days, customers: &customers, scores, frauds: &frauds };
            card_precision(&columns, CARDS, Detected::Removed).expect_err("a bad column")
        };
        assert_eq!(refused(&[], &[]), CardPrecisionError::Empty);
        assert_eq!(refused(&[1, 1], &[0.5, f64::NAN]), CardPrecisionError::NotANumber { row: 1 });
        assert!(refused(&[1], &[]).to_string().contains("found 1 days, 1 customers, 0 scores and 1 labels"));
    }

    /// The definition, card against card: a card is looked at when fewer than `k` cards come before it.
    fn by_definition(rows: &[Row], k: usize, detected: Detected) -> Vec<usize> {
        let mut blocked: Vec<u32> = Vec::new();
        let mut found = Vec::new();
        for today in -1..=6 {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.0 == today).collect();
            if rows.is_empty() {
                continue;
            }
            let open = |customer: u32| !blocked.contains(&customer);
            let best = |customer: u32| {
                rows.iter().filter(|row| row.1 == customer).map(|row| row.2).max_by(f64::total_cmp)
            };
            let before = |a: u32, b: u32| best(a) > best(b) || best(a) == best(b) && a < b;
            let cards: Vec<u32> = (0..30).filter(|&c| open(c) && best(c).is_some()).collect();
            let hits: Vec<u32> = cards
                .iter()
                .copied()
                .filter(|&card| cards.iter().filter(|&&other| before(other, card)).count() < k)
                .filter(|&card| rows.iter().any(|row| row.1 == card && row.3))
                .collect();
            found.push(hits.len());
            if detected == Detected::Removed {
                blocked.extend(hits);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            rows in prop::collection::vec(
                (-1i64..=6, 0u32..30, (0u8..6).prop_map(f64::from), prop::bool::weighted(0.3)),
                1..150,
            ),
            k in 1usize..12,
            removed in any::<bool>(),
        ) {
            let detected = if removed { Detected::Removed } else { Detected::Kept };
            let measured = measured(&rows, k, detected);
            let found: Vec<usize> = measured.days.iter().map(|day| day.found).collect();
            prop_assert_eq!(found, by_definition(&rows, k, detected));
            for day in &measured.days {
                prop_assert!(day.precision_low <= day.precision && day.precision <= day.precision_high);
                prop_assert!(day.found <= day.compromised.min(k));
            }
        }
    }
}
