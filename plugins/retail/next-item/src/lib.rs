//! What a customer buys next, from what was bought before: a causal Transformer over the last purchases, run by the
//! host.
//!
//! A record's sequence is, oldest first, the items of the customer's past purchases, the record's own item, and its
//! list `items`. The newest [`sequence::LENGTH_MAX`] known ones go into the network, which scores the whole
//! catalogue; the best that are not in the sequence are the answer. `plugin.toml` says so to the host, `training/` is
//! the recipe that makes the two model files from any shop's purchases, and `model/MODEL_CARD.md` says what the
//! shipped ones are worth.
//!
//! Each item of an answer has a reason: `bought X` names the item of the sequence that is nearest to it; `brand X`
//! and `category X` say the same of an item that nobody bought in training; `popular` stands where no item of the
//! sequence is known, and the score is then the item's share of all purchases.
//!
//! - **Invariant:** an answer does not depend on the other records of the call: a group shares nothing but the run of
//!   the network, in which padding has no weight.

pub mod items;
pub mod sequence;
pub mod top;

use std::cell::RefCell;
use std::fmt::Write as _;

use foretell_sdk::{
    Column, Error, History, Host, List, Model, Open, Past, Plugin, Rankings, Records, Tensor, TensorMut,
};
use serde::Deserialize;

use items::{Items, Kinship, Lent};
use sequence::{Groups, Sequences, lay_out};
use top::Top;

/// Scores that are in memory at a time, 4 MB: a group has as many records as this allows.
const SCORES_MAX: usize = 1 << 20;
/// ... but at least these, where there are so many. The network reads the vectors of all items once for a group, so
/// with a million items a record alone would cost several times as much; their scores are then an eighth of the
/// vectors' memory.
const ROWS_MIN: usize = 8;
/// Most items of all answers of a call, which are in memory at once: 128 MB before their texts.
const ANSWERS_MAX: usize = 1 << 24;
/// Most items of an answer, as the manifest says it of the column `count`.
const COUNT_MAX: usize = 1_000_000;

/// The manifest's `[config]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Items of an answer when the record does not say.
    count: usize,
    /// Whether items of the sequence may be in the answer.
    repeat: bool,
}

/// The plugin: handles of the columns it reads, its items, and its network.
struct NextItem {
    item: Column<str>,
    items: List<str>,
    count: Column<i64>,
    bought: History,
    bought_item: Past<str>,
    config: Config,
    known: Items<Lent>,
    network: Model,
    host: Host,
}

/// Memory of a call, kept for the next one of the same thread.
#[derive(Default)]
struct Memory {
    sequences: Sequences,
    input: Vec<i64>,
    scores: Vec<f32>,
    top: Top,
    reason: String,
    /// The answers of the call, in the order in which the groups gave them.
    answers: Vec<(f32, u32)>,
    /// Where a record's answers stand among them.
    places: Vec<(usize, usize)>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

impl NextItem {
    /// The sequences of all records.
    fn read_sequences(&self, records: &Records<'_>, sequences: &mut Sequences) {
        let rows = records.history(self.bought);
        let bought = records.past(self.bought_item);
        let own = records.column(self.item);
        let lists = records.list(self.items);
        sequences.clear();
        for row in 0..records.len() {
            let past = rows.range(row).filter_map(|event| bought.get(event));
            let listed = lists.range(row).filter_map(|place| lists.items().get(place));
            sequences.push(past.chain(own.get(row)).chain(listed).filter_map(|name| self.known.number(name)));
        }
    }

    /// How many items the record in `row` wants.
    fn wanted(&self, records: &Records<'_>, row: usize) -> usize {
        let asked = records.column(self.count).get(row).and_then(|count| usize::try_from(count).ok());
        asked.unwrap_or(self.config.count).min(self.known.len())
    }

    /// Answers of all records with a known item, group by group.
    fn rank(&self, records: &Records<'_>, memory: &mut Memory) -> Result<(), Error> {
        let Memory { sequences, input, scores, top, answers, places, .. } = memory;
        answers.clear();
        places.clear();
        places.resize(records.len(), (0, 0));
        let catalogue = self.known.len();
        fit_into_memory((0..records.len()).map(|row| self.wanted(records, row)))?;
        let groups = Groups::new(sequences, (SCORES_MAX / catalogue).max(ROWS_MIN));
        for group in groups.iter() {
            if self.host.is_cancelled() {
                return Err(Error::cancelled());
            }
            let length = lay_out(sequences, group, input);
            scores.resize(group.len() * catalogue, 0.0);
            let rows = group.len() as i64;
            let (asked, answered) = ([rows, length as i64], [rows, catalogue as i64]);
            let input = Tensor::new(input.as_slice(), &asked)?;
            self.network.run(&[input], &mut [TensorMut::new(scores.as_mut_slice(), &answered)?])?;
            for (&record, scores) in group.iter().zip(scores.chunks_mut(catalogue)) {
                let record = record as usize;
                if !self.config.repeat {
                    sequences.all(record).iter().for_each(|&item| scores[item as usize] = f32::NEG_INFINITY);
                }
                let start = answers.len();
                answers.extend_from_slice(top.of(scores, self.wanted(records, record)));
                places[record] = (start, answers.len());
            }
        }
        Ok(())
    }

    /// Writes a record's answer with its reasons.
    fn push(&self, rankings: &mut Rankings, answer: &[(f32, u32)], past: &[u32], reason: &mut String) {
        for &(score, item) in answer {
            let (kinship, other) = self.known.nearest(item, past);
            let word = match kinship {
                Kinship::Bought => "bought",
                Kinship::Brand => "brand",
                Kinship::Category => "category",
            };
            reason.clear();
            // Writing to a `String` can't fail.
            let _ = write!(reason, "{word} {}", self.known.name(other));
            rankings.push(self.known.name(item), score, Some(reason));
        }
    }
}

/// Refuses records that want more items altogether than [`ANSWERS_MAX`].
fn fit_into_memory(wanted: impl ExactSizeIterator<Item = usize>) -> Result<(), Error> {
    let (records, items) = (wanted.len(), wanted.sum::<usize>());
    if items > ANSWERS_MAX {
        return Err(Error::invalid(format!(
            "the {records} records of a call want {items} items; at most {ANSWERS_MAX} fit: ask for fewer items or \
             fewer records"
        )));
    }
    Ok(())
}

/// Scores one item, to refuse a network that was trained for another catalogue before it answers nonsense.
fn belong_together(network: Model, items: &Items<Lent>) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    let (mut scores, shape) = (vec![0.0f32; items.len()], [1, items.len() as i64]);
    let (input, output) = (Tensor::new(&[1i64], &[1, 1])?, TensorMut::new(scores.as_mut_slice(), &shape)?);
    network.run(&[input], &mut [output]).map_err(|error| {
        Error::failed(format!(
            "the network does not score the {} items of `items.bin`: {error}; take both files from the same run of the \
             recipe",
            items.len()
        ))
    })
}

impl Plugin for NextItem {
    type Predictions = Rankings;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let config: Config = serde_json::from_str(request.config())
            .map_err(|error| Error::invalid(format!("the settings can't be read: {error}")))?;
        if !(1..=COUNT_MAX).contains(&config.count) {
            return Err(Error::invalid(format!(
                "setting `count` is {}; expected 1 to {COUNT_MAX}",
                config.count
            )));
        }
        let known = Items::open(request.data("items")?)?;
        let network = request.model("network")?;
        belong_together(network, &known)?;
        let bought = request.history("bought")?;
        Ok(Self {
            item: request.column("item")?,
            items: request.list("items")?,
            count: request.column("count")?,
            bought,
            bought_item: request.past(bought, "item")?,
            config,
            known,
            network,
            host: request.host(),
        })
    }

    fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
        if self.known.is_empty() {
            (0..records.len()).for_each(|_| rankings.end_record());
            return Ok(());
        }
        MEMORY.with_borrow_mut(|memory| {
            self.read_sequences(records, &mut memory.sequences);
            self.rank(records, memory)?;
            let Memory { sequences, answers, places, reason, .. } = memory;
            for (row, &(start, end)) in places.iter().enumerate() {
                let past = sequences.newest(row);
                if past.is_empty() {
                    let popular = self.known.popular().take(self.wanted(records, row));
                    popular.for_each(|(item, share)| {
                        rankings.push(self.known.name(item), share, Some("popular"));
                    });
                } else {
                    self.push(rankings, &answers[start..end], past, reason);
                }
                rankings.end_record();
            }
            Ok(())
        })
    }
}

foretell_sdk::export!(NextItem, "retail-next-item", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_items_than_fit_into_memory_are_refused() {
        assert!(fit_into_memory([ANSWERS_MAX / 2; 2].into_iter()).is_ok());
        let error = fit_into_memory([ANSWERS_MAX / 2 + 1; 2].into_iter()).unwrap_err().to_string();
        assert!(error.contains("2 records") && error.contains("fewer"), "{error}");
    }
}
