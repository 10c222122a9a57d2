//! A plugin for tests that learns how often each item occurs, and ranks items by that.
//!
//! Its file says of each item how often it occurred, in the order in which items were first seen. Its first line tells every fit
//! apart from every other: the seed, and a number that depends on each record that was learned, on the order of the records, and on
//! the past that each came with.
//!
//! The answer for a record is the most frequent items that are not in its past, in itself, or in its list `items`; `count` of them,
//! 3 if it does not say. The reason is `frequent`, and missing for an item that occurred once.
//!
//! | mood | what it does while it learns |
//! |---|---|
//! | `slow` | sleeps for 10 ms |
//! | `sulky` | fails with an error |
//! | `deadly` | aborts the process |

use std::collections::HashMap;
use std::time::Duration;

use foretell_sdk::{
    Column, Data, Error, Fit, History, Host, List, Open, Output, Past, Plugin, Rankings, Records, Start,
};

/// Name of the file in the manifest.
const COUNTS: &str = "counts";
/// Items of an answer, unless the record says.
const COUNT: usize = 3;

/// Handles of what is read of a record.
struct Columns {
    item: Column<str>,
    items: List<str>,
    count: Column<i64>,
    mood: Column<str>,
    past: History,
    past_item: Past<str>,
}

impl Columns {
    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let past = request.history("past")?;
        Ok(Self {
            item: request.column("item")?,
            items: request.list("items")?,
            count: request.column("count")?,
            mood: request.column("mood")?,
            past,
            past_item: request.past(past, "item")?,
        })
    }
}

/// How often items occurred, in the order in which they were first seen.
#[derive(Default)]
struct Counts {
    trace: u64,
    items: Vec<(String, u64)>,
    places: HashMap<String, usize>,
}

impl Counts {
    fn add(&mut self, item: &str, count: u64) {
        match self.places.get(item) {
            Some(place) => self.items[*place].1 += count,
            None => {
                self.places.insert(item.to_owned(), self.items.len());
                self.items.push((item.to_owned(), count));
            }
        }
    }

    /// Leaves a trace of a text that depends on everything before it (FNV-1a).
    fn leave(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn read(data: Data) -> Result<Self, Error> {
        let mut counts = Self::default();
        let text = std::str::from_utf8(data.bytes()).map_err(|_| Error::failed("the counts are no text"))?;
        for (number, line) in text.lines().enumerate() {
            let (name, value) = line.split_once('\t').ok_or_else(|| Error::failed("a line has no tab"))?;
            let value = value.parse().map_err(|_| Error::failed("a line has no number"))?;
            match number {
                0 => counts.trace = value,
                _ => counts.add(name, value),
            }
        }
        Ok(counts)
    }
}

struct Tally {
    columns: Columns,
    /// The most frequent items first.
    ranked: Vec<(String, u64)>,
    total: u64,
}

impl Plugin for Tally {
    type Predictions = Rankings;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let mut ranked = Counts::read(request.data(COUNTS)?)?.items;
        let total = ranked.iter().map(|(_, count)| count).sum();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(Self { columns: Columns::open(request)?, ranked, total })
    }

    fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
        let Columns { item, items, count, past, past_item, .. } = self.columns;
        let (own, lists, counts) = (records.column(item), records.list(items), records.column(count));
        let (rows, past_items) = (records.history(past), records.past(past_item));
        for row in 0..records.len() {
            let known: Vec<&str> = (rows.range(row).filter_map(|event| past_items.get(event)))
                .chain(own.get(row))
                .chain(lists.range(row).filter_map(|place| lists.items().get(place)))
                .collect();
            let wanted = counts.get(row).map_or(COUNT, |count| count as usize);
            let unknown = self.ranked.iter().filter(|(item, _)| !known.contains(&item.as_str()));
            for (item, count) in unknown.take(wanted) {
                let score = *count as f32 / self.total as f32;
                rankings.push(item, score, (*count > 1).then_some("frequent"));
            }
            rankings.end_record();
        }
        Ok(())
    }
}

struct Learning {
    columns: Columns,
    host: Host,
    counts: Counts,
}

impl Fit for Learning {
    fn begin(request: &Open<'_>, start: Start) -> Result<Self, Error> {
        let mut counts = Counts::default();
        if start.update {
            counts = Counts::read(request.data(COUNTS)?)?;
        } else {
            counts.leave(&start.seed.to_string());
        }
        Ok(Self { columns: Columns::open(request)?, host: request.host(), counts })
    }

    fn learn(&mut self, records: &Records<'_>) -> Result<(), Error> {
        let Columns { item, mood, past, past_item, .. } = self.columns;
        let (items, moods) = (records.column(item), records.column(mood));
        let (rows, past_items) = (records.history(past), records.past(past_item));
        for row in 0..records.len() {
            if self.host.is_cancelled() {
                return Err(Error::cancelled());
            }
            match moods.get(row) {
                Some("slow") => std::thread::sleep(Duration::from_millis(10)),
                Some("sulky") => return Err(Error::invalid(format!("`mood` is `sulky` in row {row}"))),
                Some("deadly") => std::process::abort(),
                _ => (),
            }
            let Some(item) = items.get(row) else { continue };
            self.counts.add(item, 1);
            self.counts.leave(item);
            for event in rows.range(row) {
                self.counts.leave(past_items.get(event).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn finish(self, output: &mut Output<'_>) -> Result<(), Error> {
        output.write(COUNTS, format!("trace\t{}\n", self.counts.trace).as_bytes())?;
        for (item, count) in &self.counts.items {
            output.write(COUNTS, format!("{item}\t{count}\n").as_bytes())?;
        }
        Ok(())
    }
}

foretell_sdk::export!(Tally, "tally", "1.0.0", fit = Learning);
