//! The 15 features of a card transaction, as the Fraud Detection Handbook defines them (Le Borgne, Siblini, Lebichot,
//! Bontempi: *Reproducible Machine Learning for Credit Card Fraud Detection*, 2022, chapter 3.4).
//!
//! | index | feature | unit |
//! |---|---|---|
//! | 0 | amount | currency |
//! | 1 | Saturday or Sunday | 0 or 1 |
//! | 2 | before 07:00 | 0 or 1 |
//! | 3, 5, 7 | the customer's transactions in the last 1, 7, 30 days, this one included | count |
//! | 4, 6, 8 | their mean amount | currency |
//! | 9, 11, 13 | the terminal's transactions in 1, 7, 30 days that ended 7 days ago | count |
//! | 10, 12, 14 | the share of them known to be fraud | 0 to 1 |
//!
//! A window of `w` days is `(t - w, t]`. The terminal's windows end at `t - 7 d`, because a fraud is known a week later.

use std::ops::Range;

/// Number of features of a transaction.
pub const FEATURES: usize = 15;

/// Places of the mean amounts.
pub const MEANS: [usize; 3] = [4, 6, 8];

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Lengths of the windows in days.
const WINDOWS_DAYS: [i64; 3] = [1, 7, 30];
/// How long it takes until a fraud is known.
const DELAY: i64 = 7 * DAY;
/// Night ends at this hour.
const NIGHT_END: i64 = 7 * DAY / 24;

/// Earlier transactions of the same customer, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Customer<'a> {
    /// When, in microseconds since 1970.
    pub times: &'a [i64],
    /// How much, in currency units.
    pub amounts: &'a [f64],
}

/// Earlier transactions at the same terminal, oldest first, all at least 7 days old.
#[derive(Clone, Copy, Debug)]
pub struct Terminal<'a, F> {
    /// When, in microseconds since 1970.
    pub times: &'a [i64],
    /// How many of a range of them are known to be fraud.
    pub frauds: F,
}

/// Computes the features of a transaction of `amount` at `time` (microseconds since 1970, the shop's own clock).
///
/// ```
/// use std::ops::Range;
/// use foretell_plugin_fraud::features::{Customer, Terminal, features};
/// let day = 86_400_000_000;
/// let customer = Customer { times: &[9 * day], amounts: &[30.0] };
/// let terminal = Terminal { times: &[day, 2 * day], frauds: |range: Range<usize>| usize::from(range.contains(&1)) };
/// let found = features(10 * day - 1, 10.0, customer, terminal);
/// assert_eq!(found[3..5], [2.0, 20.0], "two transactions within a day, 20 on average");
/// assert_eq!(found[9..11], [1.0, 1.0], "one in the day that ended a week ago, and it was fraud");
/// ```
pub fn features(
    time: i64,
    amount: f64,
    customer: Customer<'_>,
    terminal: Terminal<'_, impl Fn(Range<usize>) -> usize>,
) -> [f64; FEATURES] {
    let mut found = [0.0; FEATURES];
    found[0] = amount;
    // 1970-01-01 was a Thursday: days 2 and 3 of its week are the weekend.
    found[1] = f64::from(u8::from(matches!(time.div_euclid(DAY).rem_euclid(7), 2 | 3)));
    found[2] = f64::from(u8::from(time.rem_euclid(DAY) < NIGHT_END));

    let (mut next, mut sum) = (customer.times.len(), amount);
    for (slot, days) in WINDOWS_DAYS.into_iter().enumerate() {
        while next > 0 && customer.times[next - 1] > time - days * DAY {
            next -= 1;
            sum += customer.amounts[next];
        }
        let count = (customer.times.len() - next + 1) as f64;
        found[3 + 2 * slot] = count;
        found[4 + 2 * slot] = sum / count;
    }

    let (mut next, mut frauds) = (terminal.times.len(), 0);
    for (slot, days) in WINDOWS_DAYS.into_iter().enumerate() {
        let end = next;
        while next > 0 && terminal.times[next - 1] > time - DELAY - days * DAY {
            next -= 1;
        }
        frauds += (terminal.frauds)(next..end);
        let count = (terminal.times.len() - next) as f64;
        found[9 + 2 * slot] = count;
        found[10 + 2 * slot] = if count > 0.0 { frauds as f64 / count } else { 0.0 };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2018-04-01 00:00:00 UTC, a Sunday.
    const SUNDAY: i64 = 1_522_540_800_000_000;
    const HOUR: i64 = DAY / 24;

    fn alone(time: i64) -> [f64; FEATURES] {
        let nobody = Terminal { times: &[], frauds: |range: Range<usize>| range.len() };
        features(time, 5.0, Customer { times: &[], amounts: &[] }, nobody)
    }

    #[test]
    fn first_transaction_has_itself_and_no_risk() {
        let expected = [5.0, 1.0, 1.0, 1.0, 5.0, 1.0, 5.0, 1.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(alone(SUNDAY), expected);
    }

    #[test]
    fn calendar() {
        let cases = [
            (0, 1.0, 1.0),
            (7 * HOUR - 1, 1.0, 1.0),
            (7 * HOUR, 1.0, 0.0),
            (DAY, 0.0, 1.0),
            (5 * DAY + 12 * HOUR, 0.0, 0.0),
            (6 * DAY + 12 * HOUR, 1.0, 0.0),
        ];
        for (after, weekend, night) in cases {
            let found = alone(SUNDAY + after);
            assert_eq!((found[1], found[2]), (weekend, night), "{after} us after Sunday 00:00");
        }
        assert_eq!(alone(-1)[1], 0.0, "1969-12-31 was a Wednesday");
    }

    #[test]
    fn windows_are_open_at_their_start_and_closed_at_their_end() {
        let now = SUNDAY;
        let customer = Customer {
            times: &[now - 30 * DAY, now - 30 * DAY + 1, now - 7 * DAY, now - DAY, now - DAY + 1, now],
            amounts: &[1e6, 2.0, 4.0, 8.0, 16.0, 32.0],
        };
        let end = now - DELAY;
        let terminal_times = [end - 30 * DAY, end - 30 * DAY + 1, end - 7 * DAY, end - DAY, end];
        let terminal = Terminal {
            times: &terminal_times,
            frauds: |range: Range<usize>| range.filter(|index| *index == 1 || *index == 4).count(),
        };
        let found = features(now, 1.0, customer, terminal);
        assert_eq!(found[3..9], [3.0, 49.0 / 3.0, 4.0, 57.0 / 4.0, 6.0, 63.0 / 6.0]);
        assert_eq!(found[9..], [1.0, 1.0, 2.0, 0.5, 4.0, 0.5]);
    }
}
