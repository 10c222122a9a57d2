//! Points in time and lengths of time, as the store keeps them: whole microseconds.
//!
//! A time is an `i64` of microseconds since 1970-01-01 00:00 UTC ([`Micros`]); a duration is an `i64` of microseconds
//! too. Text comes in as RFC 3339 and as short durations, and goes out the same way:
//!
//! ```
//! use foretell_store::time::{format_duration, format_time, parse_duration, parse_time};
//!
//! let t = parse_time("2018-07-25T09:15:00.25Z")?;
//! assert_eq!(t, 1_532_510_100_250_000);
//! assert_eq!(format_time(t), "2018-07-25T09:15:00.250Z");
//!
//! let week = parse_duration("7d")?;
//! assert_eq!(week, 7 * 86_400 * 1_000_000);
//! assert_eq!(format_duration(week), "7d");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Pitfall:** a time without a zone is read as UTC. There is no local time anywhere in the store.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// Microseconds: a time since 1970-01-01 00:00 UTC, or a length of time.
pub type Micros = i64;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One minute.
pub const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub const HOUR: Micros = 60 * MINUTE;
/// One day of 24 hours.
pub const DAY: Micros = 24 * HOUR;

/// The earliest time that the store keeps: the first microsecond of the year 1.
pub const TIME_MIN: Micros = -62_135_596_800 * SECOND;
/// The latest time that the store keeps: the last microsecond of the year 9999, the end of RFC 3339.
pub const TIME_MAX: Micros = 253_402_300_800 * SECOND - 1;

/// The units of a duration, largest first.
const UNITS: [(&str, Micros); 6] =
    [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1_000), ("us", 1)];

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a time between the years 1 and 9999: expected RFC 3339 such as `2018-07-25T09:15:00Z`, or a date such as `2018-07-25`"
)]
pub struct TimeError {
    text: String,
}

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a duration: expected a whole number and a unit (`d`, `h`, `m`, `s`, `ms` or `us`), such as `7d` or `250ms`"
)]
pub struct DurationError {
    text: String,
}

/// The time now, by the clock of the operating system.
pub fn now() -> Micros {
    Utc::now().timestamp_micros()
}

/// Reads a time.
///
/// Understood are RFC 3339 (`2018-07-25T09:15:00.5+02:00`, also with a space for the `T`), the same without a zone
/// (UTC), and a date alone (midnight, UTC). Digits beyond the microsecond are cut off.
pub fn parse_time(text: &str) -> Result<Micros, TimeError> {
    let zoned = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros());
    let naive = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| time.and_utc().timestamp_micros())
    };
    let date = || {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
    };
    zoned()
        .or_else(naive)
        .or_else(date)
        .filter(|time| (TIME_MIN..=TIME_MAX).contains(time))
        .ok_or_else(|| TimeError { text: text.to_owned() })
}

/// Writes a time as RFC 3339 in UTC, with as many digits of the second as it needs (0, 3 or 6).
///
/// A number outside [`TIME_MIN`]..=[`TIME_MAX`] is no time; it is written as it is, with its unit: `9223372036854775807us`.
pub fn format_time(time: Micros) -> String {
    match DateTime::from_timestamp_micros(time) {
        Some(date) if (TIME_MIN..=TIME_MAX).contains(&time) => {
            let digits = match time {
                _ if time % SECOND == 0 => SecondsFormat::Secs,
                _ if time % 1_000 == 0 => SecondsFormat::Millis,
                _ => SecondsFormat::Micros,
            };
            date.to_rfc3339_opts(digits, true)
        }
        _ => format!("{time}us"),
    }
}

/// Reads a duration: a whole number and a unit, `d`, `h`, `m` (minutes), `s`, `ms` or `us`.
///
/// ```
/// use foretell_store::time::{parse_duration, HOUR};
///
/// assert_eq!(parse_duration("12h"), Ok(12 * HOUR));
/// assert!(parse_duration("12").is_err());
/// assert!(parse_duration("-12h").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Micros, DurationError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, size)| number.parse::<Micros>().ok()?.checked_mul(*size))
        .ok_or_else(|| DurationError { text: text.to_owned() })
}

/// Writes a duration with the largest unit that divides it: `7d`, `36h`, `250ms`, `0s`.
pub fn format_duration(duration: Micros) -> String {
    if duration == 0 {
        return "0s".to_owned();
    }
    let whole = UNITS.iter().find(|(_, size)| duration % size == 0);
    let (unit, size) = whole.expect("the last unit is 1 and divides every number");
    format!("{}{unit}", duration / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_in_every_form() {
        let cases = [
            ("1970-01-01", 0),
            ("1970-01-01 00:00:01", SECOND),
            ("1970-01-01T00:00:01.5", 1_500_000),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1970-01-01 02:00:00+02:00", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("0001-01-01T00:00:00Z", TIME_MIN),
            ("9999-12-31T23:59:59.999999Z", TIME_MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text), Ok(expected), "{text}");
        }
        for text in
            ["", "yesterday", "2018-13-01", "2018-07-25T25:00:00Z", "1532510100", "10000-01-01T00:00:00Z"]
        {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_refused() {
        let cases = [("0s", 0), ("7d", 7 * DAY), ("90m", 90 * MINUTE), ("250ms", 250_000), ("3us", 3)];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "7", "7 d", "-1d", "1.5h", "7D", "7days", "99999999999999d", "٣d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_that_is_no_time_is_still_shown() {
        assert_eq!(format_time(i64::MAX), format!("{}us", i64::MAX));
        assert_eq!(format_time(TIME_MIN - 1), format!("{}us", TIME_MIN - 1));
    }

    proptest! {
        #[test]
        fn a_time_written_is_read_back(time in TIME_MIN..=TIME_MAX) {
            prop_assert_eq!(parse_time(&format_time(time)), Ok(time));
        }

        #[test]
        fn a_duration_written_is_read_back(duration in 0..=i64::MAX) {
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
