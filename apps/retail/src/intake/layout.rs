//! Files of which a line holds several purchases: baskets, sequences of customers, demand by month.

use chrono::NaiveDate;
use foretell_store::import::JsonReader;
use foretell_store::record::{NewRecord, Reject};
use foretell_store::time::{DAY, MINUTE, Micros, format_time};
use serde::Serialize;

use super::lines::cells;
use crate::mapping;

/// When a customer's last purchase was, in a file without times. The one before it was the day before.
const LAST_TIME: &str = "2000-01-03";

/// What a line says.
pub(super) type Found = Vec<Result<NewRecord, Reject>>;

/// One purchase, as our own mapping reads it.
#[derive(Serialize)]
struct Row<'r> {
    purchase: String,
    event_time: String,
    customer: Option<&'r str>,
    item: &'r str,
    basket: Option<&'r str>,
    /// As it stands in the file, or as it was counted.
    quantity: Option<&'r str>,
}

/// How the lines of a file become purchases.
pub(super) enum Layout {
    /// Items of one basket between commas; of the file with this name, and from this time on.
    Baskets { name: String, start: Micros },
    /// A customer and their items, oldest first.
    Sequences,
    /// An item and how much of it was sold in each month; the months, once they are known.
    Demand { months: Vec<(String, Micros)> },
}

impl Layout {
    /// Reads a line that is a header; whether it was one.
    pub(super) fn header(&mut self, line: &str) -> Result<bool, String> {
        let Self::Demand { months } = self else { return Ok(false) };
        let names = cells(line, ',', true).map_err(str::to_owned)?;
        let Some((_, names)) = names.split_first().filter(|(_, names)| !names.is_empty()) else {
            return Err(
                "its first line has no months; expected `series,2025-01,2025-02` and so on".to_owned()
            );
        };
        for name in names {
            let date = NaiveDate::parse_from_str(&format!("{name}-01"), "%Y-%m-%d");
            let time =
                date.ok().and_then(|date| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros()));
            let time = time.ok_or_else(|| format!("column `{name}` is not a month such as `2025-03`"))?;
            if months.iter().any(|(known, _)| known == name) {
                return Err(format!("column `{name}` is there twice"));
            }
            months.push((name.clone(), time));
        }
        Ok(true)
    }

    /// The purchases in a line, and what of it is none.
    pub(super) fn read(&self, reader: &JsonReader, number: i64, line: &str) -> Found {
        match self {
            Self::Baskets { name, start } => basket(reader, name, *start, number, line),
            Self::Sequences => sequence(reader, line),
            Self::Demand { months } => demand(reader, months, line),
        }
    }
}

fn refuse(field: &str, reason: impl Into<String>) -> Result<NewRecord, Reject> {
    Err(Reject { field: Some(field.to_owned()), reason: reason.into(), ..Reject::default() })
}

fn record(reader: &JsonReader, row: &Row<'_>) -> Result<NewRecord, Reject> {
    let json = serde_json::to_vec(row).expect("a row is texts");
    // What is wrong is told with the line of the file; the row was made here, and would mean nothing to its reader.
    reader.record(&json).map_err(|reject| Reject { content: None, ..reject })
}

/// Items of one basket. An item that stands there twice was bought twice.
fn basket(reader: &JsonReader, name: &str, start: Micros, number: i64, line: &str) -> Found {
    let items = match cells(line.trim_end_matches(','), ',', true) {
        Ok(items) => items,
        Err(reason) => return vec![refuse("item", reason)],
    };
    let basket = format!("{name}-{number}");
    let event_time = format_time(start.saturating_add((number - 1).saturating_mul(MINUTE)));
    let mut counted: Vec<(&str, u32)> = Vec::new();
    for item in &items {
        match counted.iter_mut().find(|(known, _)| known == item) {
            Some((_, count)) => *count += 1,
            None => counted.push((item, 1)),
        }
    }
    let purchase = |(place, (item, count)): (usize, (&str, u32))| {
        let row = Row {
            purchase: format!("{basket}-{place}"),
            event_time: event_time.clone(),
            customer: None,
            item,
            basket: Some(&basket),
            quantity: Some(&count.to_string()),
        };
        record(reader, &row)
    };
    (1..).zip(counted).map(purchase).collect()
}

/// A customer and their items: the last two a day apart, all others a minute apart before them.
fn sequence(reader: &JsonReader, line: &str) -> Found {
    let mut words = line.split_whitespace();
    let customer = words.next().unwrap_or_default();
    let items: Vec<&str> = words.collect();
    if items.is_empty() {
        return vec![refuse("item", "is missing: expected a customer and at least one item")];
    }
    let last = NaiveDate::parse_from_str(LAST_TIME, "%Y-%m-%d").expect("the constant is a date");
    let last = last.and_hms_opt(0, 0, 0).expect("every day has a midnight").and_utc().timestamp_micros();
    let purchase = |(place, item): (usize, &&str)| {
        let event_time = match (items.len() - 1 - place) as i64 {
            0 => last,
            1 => last - DAY,
            before => last - 2 * DAY - (before - 1) * MINUTE,
        };
        let row = Row {
            purchase: format!("{customer}-{}", place + 1),
            event_time: format_time(event_time),
            customer: Some(customer),
            item,
            basket: None,
            quantity: None,
        };
        record(reader, &row)
    };
    items.iter().enumerate().map(purchase).collect()
}

/// An item, and how much of it was sold in each month.
fn demand(reader: &JsonReader, months: &[(String, Micros)], line: &str) -> Found {
    let values = match cells(line, ',', true) {
        Ok(values) if values.len() == months.len() + 1 => values,
        Ok(values) => {
            let (found, expected) = (values.len(), months.len() + 1);
            return vec![refuse("line", format!("has {found} columns, and the header has {expected}"))];
        }
        Err(reason) => return vec![refuse("line", reason)],
    };
    let (item, values) = (&values[0], &values[1..]);
    let cells = months.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let purchase = |((month, time), value): (&(String, Micros), &String)| {
        let row = Row {
            purchase: format!("{item}-{month}"),
            event_time: format_time(*time),
            customer: None,
            item,
            basket: None,
            quantity: Some(value),
        };
        record(reader, &row).map_err(|reject| match reject.field.as_deref() {
            Some("quantity") => Reject { field: Some(month.clone()), ..reject },
            _ => reject,
        })
    };
    cells.map(purchase).collect()
}

/// The reader of all layouts.
pub(super) fn reader() -> JsonReader {
    JsonReader::new(&mapping::named_purchase()).expect("our own mapping is valid")
}

#[cfg(test)]
mod tests {
    use foretell_store::time::parse_time;

    use super::*;
    use crate::purchase::Purchase;

    fn purchases(found: Found) -> Vec<(String, String, Purchase)> {
        let tell = |record: NewRecord| {
            let purchase = serde_json::from_str(&record.payload).unwrap();
            (record.external_id.unwrap(), format_time(record.event_time), purchase)
        };
        found.into_iter().map(|record| tell(record.unwrap())).collect()
    }

    #[test]
    fn a_sequence_leaves_its_last_two_purchases_out_of_the_past() {
        let found = purchases(Layout::Sequences.read(&reader(), 1, "7 a b c d"));
        let expected = [
            ("7-1", "1999-12-31T23:58:00Z", "a"),
            ("7-2", "1999-12-31T23:59:00Z", "b"),
            ("7-3", "2000-01-02T00:00:00Z", "c"),
            ("7-4", "2000-01-03T00:00:00Z", "d"),
        ];
        for ((name, time, purchase), expected) in found.iter().zip(expected) {
            assert_eq!((name.as_str(), time.as_str(), purchase.item.as_str()), expected);
            assert_eq!((purchase.customer.as_deref(), &purchase.basket), (Some("7"), &None));
        }
        assert_eq!(found.len(), 4);
        let one = purchases(Layout::Sequences.read(&reader(), 1, "7 a"));
        assert_eq!(one[0].1, "2000-01-03T00:00:00Z");
    }

    #[test]
    fn a_basket_has_a_minute_of_its_own_and_counts_what_is_in_it() {
        let layout = Layout::Baskets { name: "shop".to_owned(), start: parse_time("2001-01-01").unwrap() };
        let found = purchases(layout.read(&reader(), 3, "whole milk,\"bread, dark\",whole milk,,"));
        assert_eq!(found.len(), 2);
        let (name, time, milk) = &found[0];
        assert_eq!((name.as_str(), time.as_str()), ("shop-3-1", "2001-01-01T00:02:00Z"));
        assert_eq!(
            (milk.item.as_str(), milk.quantity, milk.basket.as_deref()),
            ("whole milk", Some(2.0), Some("shop-3"))
        );
        assert_eq!(found[1].2.item, "bread, dark");
        let refused = layout.read(&reader(), 4, "a,,b");
        assert_eq!(refused[1].as_ref().unwrap_err().field.as_deref(), Some("item"));
        assert!(refused[0].is_ok() && refused[2].is_ok());
    }

    #[test]
    fn demand_keeps_zeros_and_leaves_blanks_out() {
        let mut layout = Layout::Demand { months: Vec::new() };
        assert_eq!(layout.header("series,2002-02,2002-03,2002-04,2002-05"), Ok(true));
        let found = layout.read(&reader(), 2, "T1,0,,2.5,many");
        assert_eq!(found.len(), 3);
        assert_eq!(found[2].as_ref().unwrap_err().field.as_deref(), Some("2002-05"));
        let found = purchases(found.into_iter().take(2).collect());
        assert_eq!(
            (found[0].0.as_str(), found[0].1.as_str(), found[0].2.quantity),
            ("T1-2002-02", "2002-02-01T00:00:00Z", Some(0.0))
        );
        assert_eq!((found[1].0.as_str(), found[1].2.quantity), ("T1-2002-04", Some(2.5)));
        let narrow = layout.read(&reader(), 3, "T2,1");
        assert!(narrow[0].as_ref().unwrap_err().reason.contains("has 2 columns, and the header has 5"));
        for (header, expected) in
            [("series", "no months"), ("series,May", "`May`"), ("s,2002-01,2002-01", "twice")]
        {
            let error = Layout::Demand { months: Vec::new() }.header(header).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
