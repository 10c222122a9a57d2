//! Which transactions train a model and which judge it: the published time split.
//!
//! A week to learn from, a week that is left out because its frauds are not known yet, a week to be judged on:
//!
//! ```text
//!  day  s ......... s+7 ........ s+14 ....... s+21
//!       |  training  |   delay    |    test    |
//! ```
//!
//! A card whose fraud is known is blocked, so its later transactions say nothing about a model: rows of *known
//! compromised cards* are taken out of the test window. A fraud is known once it is older than the delay; on
//! test day `t` these are the frauds of days `s ..= t - delay - 1`, so the set of known cards grows during the test.
//!
//! ```
//! use foretell_fraud::split::{DAY_US, SINGLE, Windows, split};
//!
//! let windows = Windows::published(SINGLE);
//! let at = |day: i64| windows.train().start + day * DAY_US;
//! // Ann is defrauded on day 3 of training, Bea on the last day of the delay.
//! let times = [at(3), at(5), at(13), at(14), at(14)];
//! let customers = ["ann", "bea", "bea", "ann", "bea"];
//! let frauds = [true, false, true, false, true];
//! let split = split(&times, &customers, &frauds, &windows)?;
//! assert_eq!(split.train, [0, 1]);
//! assert_eq!(split.test, [4]);
//! assert_eq!(split.removed, [3]);
//! # Ok::<(), foretell_fraud::split::SplitError>(())
//! ```
//!
//! **Invariant:** every training row is older than every test row by more than the delay.
//!
//! # Pitfalls
//! - Splitting at random leaks: a compromised terminal gives fraud for 28 days, on both sides of a random cut.
//! - Keeping the known cards in the test window flatters every model.
//! - Days are UTC days; the published data has no time zone and is read as UTC.
//!
//! The protocol is that of Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible machine learning for credit
//! card fraud detection: practical handbook", 2022, chapters 3 and 5.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use chrono::{Days, NaiveDate};

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;
/// Days of the published training window.
pub const TRAIN_DAYS: u32 = 7;
/// Days after which a fraud is known, in the published protocol.
pub const DELAY_DAYS: u32 = 7;
/// Days of the published test window.
pub const TEST_DAYS: u32 = 7;

/// First training day of the single split of chapter 3: trained on 25 to 31 July 2018, tested on 8 to 14 August.
pub const SINGLE: NaiveDate = date(2018, 7, 25);
/// First training days of the four published test folds. A score is the mean over them, with the population
/// standard deviation.
pub const TEST_FOLDS: [NaiveDate; 4] = [date(2018, 8, 15), date(2018, 8, 8), date(2018, 8, 1), SINGLE];
/// First training days of the four published validation folds, on which parameters are chosen.
pub const VALIDATION_FOLDS: [NaiveDate; 4] =
    [date(2018, 7, 11), date(2018, 7, 4), date(2018, 6, 27), date(2018, 6, 20)];

const fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date of the calendar")
}

/// The day of a time, in days since 1970-01-01 UTC.
pub fn day_of(time_us: i64) -> i64 {
    time_us.div_euclid(DAY_US)
}

/// Three windows that follow each other, in whole UTC days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The first training day.
    pub start: NaiveDate,
    /// Days of the training window, at least 1.
    pub train_days: u32,
    /// Days until a fraud is known: the days left out between training and test.
    pub delay_days: u32,
    /// Days of the test window, at least 1.
    pub test_days: u32,
}

/// Row numbers of each part, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Rows to be judged on.
    pub test: Vec<usize>,
    /// Rows of the test window that were taken out, because their card was known to be compromised.
    pub removed: Vec<usize>,
}

/// Why rows cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The columns do not describe the same rows.
    #[error("expected columns of one length, found {times} times, {customers} customers and {frauds} labels")]
    Lengths {
        /// Rows of the time column.
        times: usize,
        /// Rows of the customer column.
        customers: usize,
        /// Rows of the label column.
        frauds: usize,
    },
    /// A window has no days.
    #[error("expected at least 1 {window} day, found 0")]
    NoDays {
        /// Which window: `training` or `test`.
        window: &'static str,
    },
    /// A window has no rows.
    #[error(
        "no transactions in the {window} window of {days} days from {first}; import those days or choose another start"
    )]
    NoRows {
        /// Which window: `training` or `test`.
        window: &'static str,
        /// Its length in days.
        days: u32,
        /// Its first day.
        first: NaiveDate,
    },
}

impl Windows {
    /// The published lengths, 7 days each.
    pub const fn published(start: NaiveDate) -> Windows {
        Windows { start, train_days: TRAIN_DAYS, delay_days: DELAY_DAYS, test_days: TEST_DAYS }
    }

    /// Times of the training window, UTC microseconds.
    pub fn train(&self) -> Range<i64> {
        let start = self.start.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros();
        start..start + i64::from(self.train_days) * DAY_US
    }

    /// Times of the test window, UTC microseconds.
    pub fn test(&self) -> Range<i64> {
        let start = self.train().end + i64::from(self.delay_days) * DAY_US;
        start..start + i64::from(self.test_days) * DAY_US
    }

    /// All times that the split looks at, from the first training day to the last test day.
    pub fn all(&self) -> Range<i64> {
        self.train().start..self.test().end
    }

    fn check(&self) -> Result<(), SplitError> {
        match (self.train_days, self.test_days) {
            (0, _) => Err(SplitError::NoDays { window: "training" }),
            (_, 0) => Err(SplitError::NoDays { window: "test" }),
            _ => Ok(()),
        }
    }

    fn no_rows(&self, window: &'static str, days: u32, after: u32) -> SplitError {
        SplitError::NoRows { window, days, first: self.start + Days::new(u64::from(after)) }
    }
}

/// Splits rows into training and test, without the test rows of cards that were known to be compromised.
///
/// Row `i` is `times[i]` (UTC microseconds), `customers[i]` and `frauds[i]`, in any order; rows outside the windows are
/// ignored, but those of the delay must be there, for their frauds.
///
/// # Errors
/// [`SplitError`]: columns of different length, a window without days or rows.
pub fn split<C: Eq + Hash>(
    times: &[i64],
    customers: &[C],
    frauds: &[bool],
    windows: &Windows,
) -> Result<Split, SplitError> {
    windows.check()?;
    if times.len() != customers.len() || times.len() != frauds.len() {
        let (times, customers, frauds) = (times.len(), customers.len(), frauds.len());
        return Err(SplitError::Lengths { times, customers, frauds });
    }
    let known = first_fraud_days(times, customers, frauds, windows);
    let (train, test) = (windows.train(), windows.test());
    let mut split = Split { train: Vec::new(), test: Vec::new(), removed: Vec::new() };
    for (row, (time, customer)) in times.iter().zip(customers).enumerate() {
        if train.contains(time) {
            split.train.push(row);
        } else if test.contains(time) {
            let known_until = day_of(*time) - i64::from(windows.delay_days) - 1;
            let is_known = known.get(customer).is_some_and(|&first| first <= known_until);
            if is_known { split.removed.push(row) } else { split.test.push(row) }
        }
    }
    if split.train.is_empty() {
        return Err(windows.no_rows("training", windows.train_days, 0));
    }
    if split.test.is_empty() && split.removed.is_empty() {
        return Err(windows.no_rows("test", windows.test_days, windows.train_days + windows.delay_days));
    }
    Ok(split)
}

/// The day of each customer's first fraud since the training began.
fn first_fraud_days<'a, C: Eq + Hash>(
    times: &[i64],
    customers: &'a [C],
    frauds: &[bool],
    windows: &Windows,
) -> HashMap<&'a C, i64> {
    let all = windows.all();
    let mut first = HashMap::new();
    for ((time, customer), _) in times.iter().zip(customers).zip(frauds).filter(|(_, fraud)| **fraud) {
        if all.contains(time) {
            let day = day_of(*time);
            first.entry(customer).and_modify(|known: &mut i64| *known = day.min(*known)).or_insert(day);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const WINDOWS: Windows = Windows::published(SINGLE);

    fn at(day: i64) -> i64 {
        WINDOWS.train().start + day * DAY_US
    }

    #[test]
    fn windows_follow_each_other() {
        assert_eq!(day_of(at(0)), i64::from(SINGLE.to_epoch_days()));
        assert_eq!(WINDOWS.train(), at(0)..at(7));
        assert_eq!(WINDOWS.test(), at(14)..at(21));
        assert_eq!(WINDOWS.all(), at(0)..at(21));
    }

    #[test]
    fn edges_belong_to_the_later_window() {
        let times = [at(0) - 1, at(0), at(7) - 1, at(7), at(14) - 1, at(14), at(21) - 1, at(21)];
        let customers: Vec<usize> = (0..times.len()).collect();
        let split = split(&times, &customers, &[false; 8], &WINDOWS).expect("both windows have rows");
        assert_eq!((split.train, split.test, split.removed), (vec![1, 2], vec![5, 6], vec![]));
    }

    /// A fraud of day 7 is known from test day 15 on: it is then 8 days old, one more than the delay.
    #[test]
    fn cards_are_removed_once_their_fraud_is_known() {
        let times = [at(0), at(7), at(14), at(15), at(20)];
        let customers = ["other", "card", "card", "card", "card"];
        let split = split(&times, &customers, &[false, true, false, true, false], &WINDOWS).expect("rows");
        assert_eq!((split.test, split.removed), (vec![2], vec![3, 4]));
    }

    /// Frauds before the training window are not held against a card.
    #[test]
    fn frauds_before_training_do_not_count() {
        let times = [at(-1), at(0), at(14)];
        let split = split(&times, &["card"; 3], &[true, false, false], &WINDOWS).expect("rows");
        assert_eq!(split.test, [2]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |times: &[i64], windows: &Windows| {
            let frauds = vec![false; times.len()];
            split(times, &frauds, &frauds, windows).expect_err("something is missing").to_string()
        };
        assert_eq!(
            refused(&[at(0)], &WINDOWS),
            "no transactions in the test window of 7 days from 2018-08-08; import those days or choose another start"
        );
        assert!(refused(&[at(14)], &WINDOWS).contains("training window of 7 days from 2018-07-25"));
        assert!(refused(&[at(0)], &Windows { train_days: 0, ..WINDOWS }).contains("training"));
        assert!(refused(&[at(0)], &Windows { test_days: 0, ..WINDOWS }).contains("test"));
        let error = split(&[at(0)], &[1, 2], &[false], &WINDOWS).expect_err("lengths differ");
        assert_eq!(error, SplitError::Lengths { times: 1, customers: 2, frauds: 1 });
    }

    fn rows() -> impl Strategy<Value = Vec<(i64, u8, bool)>> {
        prop::collection::vec((-2i64..24 * 4, 0u8..12, prop::bool::weighted(0.2)), 1..200)
    }

    proptest! {
        /// The protocol as the book tells it: a set of known cards that grows day by day.
        #[test]
        fn agrees_with_a_set_that_grows_daily(rows in rows(), train in 1u32..8, delay in 0u32..8, test in 1u32..8) {
            let windows = Windows { start: SINGLE, train_days: train, delay_days: delay, test_days: test };
            let times: Vec<i64> = rows.iter().map(|(quarter, ..)| at(0) + quarter * DAY_US / 4).collect();
            let customers: Vec<u8> = rows.iter().map(|row| row.1).collect();
            let frauds: Vec<bool> = rows.iter().map(|row| row.2).collect();
            let days: Vec<i64> = times.iter().map(|&time| day_of(time) - day_of(at(0))).collect();
            let defrauded = |day: i64| -> Vec<u8> {
                (0..rows.len()).filter(|&r| days[r] == day && frauds[r]).map(|r| customers[r]).collect()
            };

            let (train, delay, test) = (i64::from(train), i64::from(delay), i64::from(test));
            let mut known: HashSet<u8> = (0..train).flat_map(&defrauded).collect();
            let mut expected = Vec::new();
            for j in 0..test {
                known.extend(defrauded(train + j - 1));
                let today = (0..rows.len()).filter(|&r| days[r] == train + delay + j && !known.contains(&customers[r]));
                expected.extend(today);
            }
            expected.sort_unstable();
            if let Ok(found) = split(&times, &customers, &frauds, &windows) {
                prop_assert_eq!(found.test, expected);
            }
        }

        #[test]
        fn parts_do_not_meet(rows in rows()) {
            let times: Vec<i64> = rows.iter().map(|(quarter, ..)| at(0) + quarter * DAY_US / 4).collect();
            let customers: Vec<u8> = rows.iter().map(|row| row.1).collect();
            let frauds: Vec<bool> = rows.iter().map(|row| row.2).collect();
            if let Ok(split) = split(&times, &customers, &frauds, &WINDOWS) {
                let last = split.train.iter().map(|&row| times[row]).max().expect("training rows");
                for &row in split.test.iter().chain(&split.removed) {
                    prop_assert!(times[row] > last + 7 * DAY_US);
                }
                let judged: HashSet<usize> = split.test.iter().chain(&split.removed).copied().collect();
                prop_assert_eq!(judged.len(), split.test.len() + split.removed.len());
            }
        }
    }
}
