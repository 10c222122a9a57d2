//! Which items go together, learned from stored purchases: item-based nearest neighbours over co-occurrence.
//!
//! ```text
//! foretell.fit/1:  purchases --> counts --> the data file `neighbours`
//! open:            `neighbours` + settings --> similarities of the items
//! predict:         a sequence of items --> the neighbours of each, weighted by age, added up --> the best `count`
//! ```
//!
//! [`counts`] says what is learned, [`mod@file`] how it is kept, [`settings`] how similarity and score are made of it, and
//! [`rank`] how an answer is found. `MODEL_CARD.md` says what it is worth.
//!
//! The sequence of a record, newest first: its `items` from the last one on, each a step older; its own `item` with those of
//! its basket, which are of one age; what its customer bought before. A record of nobody, with `items = [X]`, asks what is
//! similar to X. A customer of whom no item is known gets popular items, with the reason `popular`; the plugin as it ships
//! has learned nothing, and answers with empty lists.
//!
//! - **Invariant:** to learn more is to add. Learning some records and then the later ones gives the same file, to the byte,
//!   as learning all of them.
//! - **Invariant:** what is learned does not depend on the settings, so that trying others needs no new fit.
//!
//! Pitfalls:
//! - Where the order of purchases is an artefact, a *directed* similarity learns the artefact. In the Amazon reviews that
//!   are the field's benchmark, those of one day stand in the order of article numbers. Similarity is symmetric by default;
//!   the setting `directed` changes that.
//! - Recency acts when a question is answered: by position (`decay`), and by days (`half_life_days`). What was learned
//!   does not fade, because sums that fade depend on when they were made. To forget, learn anew from newer records.
//! - A record whose `quantity` is 0 or less is a question about demand or a return; it is not learned.

pub mod counts;
pub mod file;
pub mod neighbours;
pub mod rank;
pub mod settings;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::Range;

use foretell_sdk::{
    Column, Error, Fit, History, Host, List, Numbers, Open, Output, Past, PastRows, Plugin, Rankings,
    Records, Start, Texts, Time,
};

use counts::{Counts, Event, Learned};
use neighbours::Neighbours;
use rank::{Ranker, Reason};
use settings::Settings;

/// Name of the data file, in `plugin.toml`.
const DATA: &str = "neighbours";
/// Records that are learned between two looks at whether the work is still wanted.
const RECORDS_BETWEEN_LOOKS: usize = 1024;

/// Handles of what both learning and predicting read of a record: its purchase and its past.
struct Purchases {
    time: Column<Time>,
    item: Column<str>,
    quantity: Column<f64>,
    bought: Events,
    together: Events,
}

/// Handles of a history and of its events.
#[derive(Clone, Copy)]
struct Events {
    rows: History,
    times: Past<Time>,
    items: Past<str>,
}

impl Events {
    fn open(request: &Open<'_>, name: &str) -> Result<Self, Error> {
        let rows = request.history(name)?;
        Ok(Self { rows, times: request.past_times(rows)?, items: request.past(rows, "item")? })
    }

    fn of<'a>(self, records: &Records<'a>) -> EventsOf<'a> {
        let (times, items) = (records.past(self.times), records.past(self.items));
        EventsOf { rows: records.history(self.rows), times, items }
    }
}

/// The events of a history of some records.
struct EventsOf<'a> {
    rows: PastRows<'a>,
    times: Numbers<'a, i64>,
    items: Texts<'a>,
}

impl<'a> EventsOf<'a> {
    /// The past purchases of a record, latest first. A past record without an item was a question.
    fn latest_first(&self, row: usize) -> impl Iterator<Item = Event<'a>> {
        let (times, items) = (self.times.values(), self.items);
        let events = self.rows.range(row).rev();
        events.filter_map(move |event| Some(Event { time: times[event], item: items.get(event)? }))
    }
}

impl Purchases {
    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self {
            time: request.column("event_time")?,
            item: request.column("item")?,
            quantity: request.column("quantity")?,
            bought: Events::open(request, "bought")?,
            together: Events::open(request, "together")?,
        })
    }
}

fn invalid(error: impl std::error::Error) -> Error {
    Error::invalid(error.to_string())
}

/// The plugin: handles of the columns it reads, and what was learned.
struct ItemKnn {
    purchases: Purchases,
    items: List<str>,
    count: Column<i64>,
    neighbours: Neighbours,
}

thread_local! {
    /// What ranking needs, and the words of a reason: memory that is kept between calls.
    static MEMORY: RefCell<(Ranker, String)> = RefCell::default();
}

impl Plugin for ItemKnn {
    type Predictions = Rankings;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let settings = Settings::read(request.config())?;
        let learned = Learned::read(request.data(DATA)?.bytes()).map_err(invalid)?;
        Ok(Self {
            purchases: Purchases::open(request)?,
            items: request.list("items")?,
            count: request.column("count")?,
            neighbours: Neighbours::new(learned, settings),
        })
    }

    fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
        let times = records.column(self.purchases.time).values();
        let own = records.column(self.purchases.item);
        let (bought, together) = (self.purchases.bought.of(records), self.purchases.together.of(records));
        let lists = records.list(self.items);
        let counts = records.column(self.count);
        let neighbours = &self.neighbours;
        MEMORY.with_borrow_mut(|(ranker, words)| {
            for (row, &time) in times.iter().enumerate() {
                let now = |item| Event { time, item };
                let mut sequence = ranker.begin(neighbours, time);
                let items: Range<usize> = lists.range(row);
                sequence.in_turn(items.rev().filter_map(|place| lists.items().get(place)).map(now));
                sequence.at_once(own.get(row).map(now).into_iter().chain(together.latest_first(row)));
                sequence.in_turn(bought.latest_first(row));
                let count = counts.get(row).and_then(|count| usize::try_from(count).ok());
                for ranked in sequence.rank(count.unwrap_or(neighbours.settings().count)) {
                    words.clear();
                    match ranked.reason {
                        Reason::Bought(item) => write!(words, "bought {}", neighbours.item(item).id),
                        Reason::Popular => words.write_str("popular"),
                    }
                    .map_err(|error| Error::failed(error.to_string()))?;
                    rankings.push(&neighbours.item(ranked.item).id, ranked.score, Some(words));
                }
                rankings.end_record();
            }
            Ok(())
        })
    }
}

/// Learns the data file from stored purchases.
struct Learning {
    purchases: Purchases,
    counts: Counts,
    host: Host,
}

impl Fit for Learning {
    fn begin(request: &Open<'_>, start: Start) -> Result<Self, Error> {
        let counts = if start.update {
            Counts::from(Learned::read(request.data(DATA)?.bytes()).map_err(invalid)?)
        } else {
            Counts::default()
        };
        Ok(Self { purchases: Purchases::open(request)?, counts, host: request.host() })
    }

    fn learn(&mut self, records: &Records<'_>) -> Result<(), Error> {
        let times = records.column(self.purchases.time).values();
        let items = records.column(self.purchases.item);
        let quantities = records.column(self.purchases.quantity);
        let (bought, together) = (self.purchases.bought.of(records), self.purchases.together.of(records));
        for (row, &time) in times.iter().enumerate() {
            if row % RECORDS_BETWEEN_LOOKS == 0 && self.host.is_cancelled() {
                return Err(Error::cancelled());
            }
            if quantities.get(row).is_some_and(|quantity| quantity <= 0.0) {
                continue;
            }
            if let Some(item) = items.get(row) {
                let purchase = Event { time, item };
                let learned =
                    self.counts.learn(purchase, bought.latest_first(row), together.latest_first(row));
                learned.map_err(invalid)?;
            }
        }
        Ok(())
    }

    fn finish(self, output: &mut Output<'_>) -> Result<(), Error> {
        output.write(DATA, &self.counts.finish().write())
    }
}

foretell_sdk::export!(ItemKnn, "retail-item-knn", env!("CARGO_PKG_VERSION"), fit = Learning);
