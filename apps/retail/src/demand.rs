//! How much was sold in each period, and what a row of numbers looks like.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime};
use foretell_store::time::{DAY, Micros};

use crate::arguments::Every;

/// What a value looks like, from nothing to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Every {
    /// The word for it in the settings of the plugin.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Periods after which everything is as before: what a seasonal naive forecast looks back.
    pub fn season(self) -> usize {
        match self {
            Self::Day => 7,
            Self::Week => 52,
            Self::Month => 12,
        }
    }

    /// When the period begins that a time is in.
    ///
    /// ```
    /// use foretell_retail::arguments::Every;
    /// use foretell_store::time::{format_time, parse_time};
    ///
    /// let time = parse_time("2025-03-15T09:30:00Z")?; // a Saturday
    /// let starts = [Every::Day, Every::Week, Every::Month].map(|every| format_time(every.start(time)));
    /// assert_eq!(starts, ["2025-03-15T00:00:00Z", "2025-03-10T00:00:00Z", "2025-03-01T00:00:00Z"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(self, time: Micros) -> Micros {
        let date = date(time);
        let back = match self {
            Self::Day => 0,
            Self::Week => date.weekday().num_days_from_monday(),
            Self::Month => date.day0(),
        };
        micros(date.checked_sub_days(Days::new(u64::from(back))).unwrap_or(date))
    }

    /// When the period begins that is so many periods later, or earlier, than the one beginning at `start`.
    pub fn shift(self, start: Micros, periods: i32) -> Micros {
        let date = date(start);
        let (far, is_later) = (periods.unsigned_abs(), periods > 0);
        let days = |days: u32| Days::new(u64::from(far) * u64::from(days));
        let shifted = match (self, is_later) {
            (Self::Day, true) => date.checked_add_days(days(1)),
            (Self::Day, false) => date.checked_sub_days(days(1)),
            (Self::Week, true) => date.checked_add_days(days(7)),
            (Self::Week, false) => date.checked_sub_days(days(7)),
            (Self::Month, true) => date.checked_add_months(Months::new(far)),
            (Self::Month, false) => date.checked_sub_months(Months::new(far)),
        };
        // The calendar of the library reaches further than any time of the store.
        micros(shifted.unwrap_or(date))
    }

    /// Whether a period is over at a time that is the last one that anything is known of: on its last day, or where
    /// that is the very moment at which it begins, as totals of periods are stored.
    pub fn is_over(self, last: Micros) -> bool {
        let start = self.start(last);
        last == start || last >= self.shift(start, 1) - DAY
    }
}

fn date(time: Micros) -> NaiveDate {
    DateTime::from_timestamp_micros(time).unwrap_or_default().date_naive()
}

fn micros(date: NaiveDate) -> Micros {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

/// What was sold in each period from the one beginning at `from` to the one before `to`. Sales of other times are
/// left out.
pub fn totals(
    sales: impl IntoIterator<Item = (Micros, f64)>,
    every: Every,
    from: Micros,
    to: Micros,
) -> Vec<f64> {
    let mut starts = Vec::new();
    let mut start = from;
    while start < to {
        starts.push(start);
        start = every.shift(start, 1);
    }
    let mut totals = vec![0.0; starts.len()];
    for (time, quantity) in sales {
        if (from..to).contains(&time) {
            totals[starts.partition_point(|start| *start <= time) - 1] += quantity;
        }
    }
    totals
}

/// A row of bars, each as high as its value beside the highest.
///
/// ```
/// assert_eq!(foretell_retail::demand::bars(&[0.0, 4.0, 7.0], 7.0), "▁▅█");
/// ```
pub fn bars(values: &[f64], highest: f64) -> String {
    let steps = (BARS.len() - 1) as f64;
    let bar = |value: &f64| {
        let height = if highest > 0.0 { (value / highest).clamp(0.0, 1.0) * steps } else { 0.0 };
        BARS[height.round() as usize]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use foretell_store::time::{format_time, parse_time};

    use super::*;

    fn time(text: &str) -> Micros {
        parse_time(text).unwrap()
    }

    #[test]
    fn periods_follow_each_other_over_the_end_of_a_year() {
        for (every, start, expected) in [
            (Every::Day, "2024-12-31", ["2024-12-29", "2024-12-31", "2025-01-02"]),
            (Every::Week, "2024-12-30", ["2024-12-16", "2024-12-30", "2025-01-13"]),
            (Every::Month, "2024-12-01", ["2024-10-01", "2024-12-01", "2025-02-01"]),
        ] {
            let found = [-2, 0, 2].map(|periods| format_time(every.shift(time(start), periods)));
            assert_eq!(found, expected.map(|date| format!("{date}T00:00:00Z")), "{every:?}");
        }
    }

    #[test]
    fn a_period_is_over_on_its_last_day_or_where_it_is_a_total() {
        let over = |text| [Every::Day, Every::Week, Every::Month].map(|every| every.is_over(time(text)));
        assert_eq!(over("2025-03-31T08:00:00Z"), [true, false, true]);
        assert_eq!(over("2025-03-30T08:00:00Z"), [true, true, false]);
        assert_eq!(over("2025-03-01"), [true, false, true]);
    }

    #[test]
    fn sales_are_added_up_in_their_periods() {
        let sales =
            [("2025-01-31T23:59:59Z", 1.0), ("2025-02-01", 2.0), ("2025-02-28", 3.0), ("2025-04-01", 9.0)];
        let sales = sales.map(|(text, quantity)| (time(text), quantity));
        let found = totals(sales, Every::Month, time("2025-01-01"), time("2025-04-01"));
        assert_eq!(found, [1.0, 5.0, 0.0]);
        assert!(totals(sales, Every::Day, time("2025-01-01"), time("2025-01-01")).is_empty());
    }

    #[test]
    fn bars_of_nothing_are_flat() {
        assert_eq!(bars(&[0.0, 0.0], 0.0), "▁▁");
        assert_eq!(bars(&[], 1.0), "");
    }
}
