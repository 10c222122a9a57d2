//! A plugin of this SDK, called as a host calls it: through its C table, with records that `arrow-rs` lends, and answers that
//! `arrow-rs` takes over.

#![expect(unsafe_code, reason = "calls a plugin through the C interface")]

mod answer;
mod host;
mod learn;
mod read;

use foretell_sdk::abi::{self, Bytes};
use foretell_sdk::{
    Column, Data, Error, Fit, History, List, Open, Output, Past, Plugin, Rankings, Records, Start,
};
use host::{Failure, Host, call};

/// Where the texts of a record stand.
struct Places {
    note: Column<str>,
    items: List<str>,
    sizes: List<i64>,
    weights: List<f64>,
    flags: List<bool>,
    past: History,
    past_item: Past<str>,
}

impl Places {
    fn find(request: &Open<'_>) -> Result<Self, Error> {
        let past = request.history("bought")?;
        Ok(Self {
            note: request.column("note")?,
            items: request.list("items")?,
            sizes: request.list("sizes")?,
            weights: request.list("weights")?,
            flags: request.list("flags")?,
            past,
            past_item: request.past(past, "item")?,
        })
    }

    /// Every text of the record in `row`, or `None` where it is null: its past, its note, its list.
    fn texts<'a>(&self, records: &Records<'a>, row: usize) -> Vec<Option<&'a str>> {
        let past = records.past(self.past_item);
        let lists = records.list(self.items);
        let mut texts: Vec<_> = records.history(self.past).range(row).map(|event| past.get(event)).collect();
        texts.push(records.column(self.note).get(row));
        texts.extend(lists.get(row).into_iter().flatten().map(Some));
        texts
    }

    /// The sum of the record's sizes, of its weights, and how many of its flags are set; no list is another thing than an empty one.
    fn score(&self, records: &Records<'_>, row: usize) -> f32 {
        let (sizes, weights) = (records.list(self.sizes), records.list(self.weights));
        let sizes = sizes.get(row).map_or(-1000.0, |sizes| sizes.iter().sum::<i64>() as f64);
        let weights = weights.get(row).map_or(-0.5, |weights| weights.iter().sum());
        let flags = records.list(self.flags);
        let set = flags.get(row).map_or(-100, |flags| flags.filter(|flag| *flag).count() as i64);
        assert_eq!(set.max(0) as usize, flags.items().count_true(flags.range(row)));
        (sizes + weights + 10_000.0 * set as f64) as f32
    }
}

/// Answers every text of a record, and whether it is there, with the record's [score](Places::score) as the score of each.
struct Echo {
    places: Places,
    words: Data,
}

impl Plugin for Echo {
    type Predictions = Rankings;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self { places: Places::find(request)?, words: request.data("words")? })
    }

    fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
        for row in 0..records.len() {
            let score = self.places.score(records, row);
            for text in self.places.texts(records, row) {
                rankings.push(text.unwrap_or(""), score, text);
            }
            rankings.end_record();
        }
        if self.words.bytes() == b"forgetful" {
            rankings.push("one", 1.0, None);
        }
        Ok(())
    }
}

/// Learns every text, one on a line, after the seed; with an update, after what was known before.
struct Learning {
    places: Places,
    known: Vec<u8>,
}

impl Fit for Learning {
    fn begin(request: &Open<'_>, start: Start) -> Result<Self, Error> {
        if request.config().contains("refuse") {
            return Err(Error::invalid("`refuse` is set; expected no such setting"));
        }
        let words = request.data("words")?;
        let known =
            if start.update { words.bytes().to_vec() } else { format!("{}\n", start.seed).into_bytes() };
        Ok(Self { places: Places::find(request)?, known })
    }

    fn learn(&mut self, records: &Records<'_>) -> Result<(), Error> {
        for row in 0..records.len() {
            for text in self.places.texts(records, row).into_iter().flatten() {
                assert_ne!(text, "furious", "in row {row}");
                self.known.extend_from_slice(text.as_bytes());
                self.known.push(b'\n');
            }
        }
        Ok(())
    }

    fn finish(self, output: &mut Output<'_>) -> Result<(), Error> {
        let (first, second) = self.known.split_at(self.known.len() / 2);
        output.write("words", first)?;
        output.write("words", second)
    }
}

foretell_sdk::export!(Echo, "echo", "0.1.0", fit = Learning);

fn table() -> &'static abi::Plugin {
    // SAFETY: the table is a static of this crate.
    unsafe { &*foretell_plugin() }
}

/// An open instance of the plugin.
struct Instance<'h> {
    raw: *mut abi::Instance,
    _host: &'h Host,
}

impl<'h> Instance<'h> {
    fn open(host: &'h Host, schema: *const abi::ArrowSchema) -> Result<(Self, abi::ArrowSchema), Failure> {
        let (mut raw, mut predictions) = (std::ptr::null_mut(), abi::ArrowSchema::empty());
        let request = abi::OpenRequest {
            size: size_of::<abi::OpenRequest>(),
            records: schema,
            config: Bytes::new(b"{}"),
            predictions: &raw mut predictions,
        };
        // SAFETY: everything lent lives for the call, and the host as long as the instance.
        call(|error| unsafe {
            table().open.unwrap()(host.table(), &raw const request, &raw mut raw, error)
        })?;
        Ok((Self { raw, _host: host }, predictions))
    }

    fn predict(&self, records: *const abi::ArrowArray) -> Result<abi::ArrowArray, Failure> {
        let mut predictions = abi::ArrowArray::empty();
        // SAFETY: the instance is open, and the records are lent for the call.
        call(|error| unsafe { table().predict.unwrap()(self.raw, records, &raw mut predictions, error) })?;
        Ok(predictions)
    }
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        // SAFETY: the instance is open, and closed once.
        unsafe { table().close.unwrap()(self.raw) };
    }
}
