//! Periods: days, weeks from Monday on, and calendar months, all in UTC.

use chrono::{DateTime, Datelike as _, NaiveDate};
use serde::Deserialize;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Day 0 is 1970-01-01, a Thursday: the week of that day began this many days before.
const THURSDAY: i64 = 3;
/// Days of a mean month of the Gregorian calendar.
const MONTH_DAYS: f64 = 365.2425 / 12.0;

/// How time is divided. Periods are numbered; neighbours have numbers that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first of a month to its last.
    Month,
}

/// A time is out of the calendar, which spans some 260,000 years before and after 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the calendar does not reach a time of the records or of the forecast: expected years -262,143 to 262,142"
)]
pub struct OutOfCalendar;

impl Period {
    /// The number of the period that a time, in microseconds since 1970, lies in.
    pub fn of(self, time: i64) -> Result<i64, OutOfCalendar> {
        let day = time.div_euclid(DAY);
        match self {
            Self::Day => Ok(day),
            Self::Week => Ok((day + THURSDAY).div_euclid(7)),
            Self::Month => {
                let date = DateTime::from_timestamp_micros(time).ok_or(OutOfCalendar)?;
                Ok(i64::from(date.year()) * 12 + i64::from(date.month0()))
            }
        }
    }

    /// When a period begins, in microseconds since 1970.
    ///
    /// ```
    /// use foretell_plugin_demand::calendar::Period;
    /// let leap_day = 951_782_400_000_000; // 2000-02-29
    /// let march = Period::Month.start(Period::Month.of(leap_day)? + 1)?;
    /// assert_eq!(march, leap_day + 86_400_000_000);
    /// # Ok::<(), foretell_plugin_demand::calendar::OutOfCalendar>(())
    /// ```
    pub fn start(self, period: i64) -> Result<i64, OutOfCalendar> {
        let start = match self {
            Self::Day => period.checked_mul(DAY),
            Self::Week => period.checked_mul(7).and_then(|day| (day - THURSDAY).checked_mul(DAY)),
            Self::Month => {
                let year = i32::try_from(period.div_euclid(12)).map_err(|_| OutOfCalendar)?;
                let date = NaiveDate::from_ymd_opt(year, period.rem_euclid(12) as u32 + 1, 1);
                date.map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
            }
        };
        start.ok_or(OutOfCalendar)
    }

    /// Its mean length in days.
    pub fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => MONTH_DAYS,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Microseconds since 1970 of a day at midnight, or a moment before it.
    fn at(year: i32, month: u32, day: u32) -> i64 {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        for (period, start, end) in [
            (Period::Day, at(2024, 2, 29), at(2024, 3, 1)),
            (Period::Week, at(1969, 12, 29), at(1970, 1, 5)),
            (Period::Week, at(2026, 11, 23), at(2026, 11, 30)),
            (Period::Month, at(2024, 2, 1), at(2024, 3, 1)),
            (Period::Month, at(1969, 12, 1), at(1970, 1, 1)),
        ] {
            let number = period.of(start).unwrap();
            assert_eq!(period.of(end - 1), Ok(number), "{period:?}");
            assert_eq!(period.of(end), Ok(number + 1), "{period:?}");
            assert_eq!(period.start(number), Ok(start), "{period:?}");
            assert_eq!(period.start(number + 1), Ok(end), "{period:?}");
        }
    }

    #[test]
    fn what_the_calendar_does_not_reach_is_refused() {
        assert_eq!(Period::Month.of(i64::MAX), Err(OutOfCalendar));
        for period in [Period::Day, Period::Week, Period::Month] {
            assert_eq!(period.start(i64::MAX), Err(OutOfCalendar), "{period:?}");
            assert_eq!(period.start(i64::MIN), Err(OutOfCalendar), "{period:?}");
        }
    }

    proptest! {
        #[test]
        fn a_time_lies_between_the_start_of_its_period_and_the_next(time in -6e16 as i64..6e16 as i64) {
            for period in [Period::Day, Period::Week, Period::Month] {
                let number = period.of(time).unwrap();
                prop_assert!(period.start(number).unwrap() <= time);
                prop_assert!(time < period.start(number + 1).unwrap());
            }
        }
    }
}
