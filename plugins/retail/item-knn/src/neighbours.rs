//! What was learned, in the form that ranking reads: the neighbours of each item, and the popular items.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::counts::{Item, Learned, PAST_MAX, Pair, UNIT};
use crate::settings::Settings;

/// Days have so many microseconds.
const DAY: f64 = 86_400e6;
/// An item of the sequence that weighs less than this beside the last one is passed over.
const WEIGHT_MIN: f64 = 1e-6;

/// A neighbour of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Which item.
    pub item: u32,
    /// How similar it is, above 0.
    pub similarity: f32,
}

/// The neighbours of each item under some settings. Items are numbers, in the order of [`Learned::items`].
///
/// An item's neighbours are found when they are first asked for: one question asks for a few items, and a command that answers one
/// should not pay for the catalogue.
#[derive(Debug)]
pub struct Neighbours {
    settings: Settings,
    items: Vec<Item>,
    positions: HashMap<Arc<str>, u32>,
    /// Neighbours of an item, by item.
    rows: Vec<OnceLock<Box<[Neighbour]>>>,
    /// By earlier item, then by later.
    pairs: Vec<Pair>,
    /// Where the pairs are whose later item is the one asked for: ranges, by item, of `by_later`.
    before: Vec<Range<usize>>,
    /// Places in `pairs`, by earlier item within each range.
    by_later: Vec<u32>,
    /// What its popularity takes from an item of the history, and from a candidate, by item.
    of_history: Vec<f64>,
    of_candidate: Vec<f64>,
    popular: Vec<u32>,
    /// Weight of an item in the sequence by its age; the older ones weigh nothing.
    weights: Vec<f32>,
}

impl Neighbours {
    /// Similarities as [`Settings`] says.
    pub fn new(learned: Learned, settings: Settings) -> Self {
        let Learned { items, pairs } = learned;
        let (before, by_later) = transpose(&pairs, items.len());
        let rows = std::iter::repeat_with(OnceLock::new).take(items.len()).collect();
        let factors = |exponent: f64| -> Vec<f64> {
            items.iter().map(|item| (item.purchases.max(1) as f64).powf(-exponent)).collect()
        };
        let (of_history, of_candidate) =
            (factors(settings.history_exponent), factors(settings.candidate_exponent));
        let mut popular: Vec<u32> = (0..items.len() as u32).collect();
        popular.sort_by_key(|&item| {
            let item = &items[item as usize];
            (std::cmp::Reverse(item.purchases), std::cmp::Reverse(item.last))
        });
        let ages = (0..PAST_MAX as i32).map(|age| settings.decay.powi(age));
        let weights = ages.take_while(|&weight| weight >= WEIGHT_MIN).map(|weight| weight as f32).collect();
        let positions = items.iter().zip(0..).map(|(item, position)| (item.id.clone(), position)).collect();
        Self {
            settings,
            items,
            positions,
            rows,
            pairs,
            before,
            by_later,
            of_history,
            of_candidate,
            popular,
            weights,
        }
    }

    /// Number of items that are known.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The settings that they were made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The item of that name, if it is known.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.positions.get(id).copied()
    }

    /// The item itself.
    pub fn item(&self, item: u32) -> &Item {
        &self.items[item as usize]
    }

    /// The neighbours of an item, by item.
    pub fn of(&self, item: u32) -> &[Neighbour] {
        self.rows[item as usize].get_or_init(|| self.find_neighbours(item).into())
    }

    /// How similar `candidate` is to `item`; 0 if it is no neighbour.
    pub fn similarity(&self, item: u32, candidate: u32) -> f32 {
        let row = self.of(item);
        let found = row.binary_search_by_key(&candidate, |neighbour| neighbour.item);
        found.map_or(0.0, |place| row[place].similarity)
    }

    /// All items, the one with the most purchases first; among equals the one that was bought last.
    pub fn popular(&self) -> &[u32] {
        &self.popular
    }

    /// What an item of the sequence weighs: `age` steps back, bought `ago` microseconds before the question.
    pub fn weight(&self, age: usize, ago: i64) -> f32 {
        let weight = self.weights.get(age).copied().unwrap_or(0.0);
        let half_life = self.settings.half_life_days * DAY;
        if half_life > 0.0 { weight * (-(ago as f64) / half_life).exp2() as f32 } else { weight }
    }
}

impl Neighbours {
    /// The neighbours of an item, by item: a walk through the pairs in which it is the earlier and those in which it is the later item.
    fn find_neighbours(&self, item: u32) -> Vec<Neighbour> {
        let Self { settings, pairs, .. } = self;
        let (forth, back) = (1.0 + settings.directed, 1.0 - settings.directed);
        let start = pairs.partition_point(|pair| pair.earlier < item);
        let end = start + pairs[start..].partition_point(|pair| pair.earlier == item);
        let mut after = &pairs[start..end];
        let mut before = &self.by_later[self.before[item as usize].clone()];
        let mut neighbours = Vec::with_capacity(after.len() + before.len());
        loop {
            let (next_after, next_before) =
                (after.first(), before.first().map(|&place| &pairs[place as usize]));
            let Some(other) = next_after
                .map(|pair| pair.later)
                .into_iter()
                .chain(next_before.map(|pair| pair.earlier))
                .min()
            else {
                break;
            };
            let (mut together, mut nearness) = (0.0, 0.0);
            if let Some(pair) = next_after.filter(|pair| pair.later == other) {
                together += pair.together as f64;
                nearness += forth * pair.nearness as f64;
                after = &after[1..];
            }
            if let Some(pair) = next_before.filter(|pair| pair.earlier == other) {
                together += pair.together as f64;
                nearness += back * pair.nearness as f64;
                before = &before[1..];
            }
            let shrunk = together / (together + settings.shrink);
            let close = nearness / UNIT as f64 + settings.together * together;
            let similarity =
                shrunk * close * self.of_history[item as usize] * self.of_candidate[other as usize];
            let similarity = similarity as f32;
            if similarity > 0.0 {
                neighbours.push(Neighbour { item: other, similarity });
            }
        }
        keep_best(&mut neighbours, settings.neighbours);
        neighbours
    }
}

/// Where the pairs are whose later item is the one asked for: ranges, by item, of places in `pairs`, by earlier item.
fn transpose(pairs: &[Pair], items: usize) -> (Vec<Range<usize>>, Vec<u32>) {
    let mut ends = vec![0; items + 1];
    for pair in pairs {
        ends[pair.later as usize + 1] += 1;
    }
    for item in 0..items {
        ends[item + 1] += ends[item];
    }
    // From here on `ends[item]` is where the next pair of the item goes, and in the end where its range ends.
    let starts = ends[..items].to_vec();
    let mut places = vec![0; pairs.len()];
    for (place, pair) in (0..).zip(pairs) {
        let end = &mut ends[pair.later as usize];
        places[*end] = place;
        *end += 1;
    }
    (starts.into_iter().zip(ends).map(|(start, end)| start..end).collect(), places)
}

/// Leaves the `count` most similar of the neighbours, by item.
fn keep_best(neighbours: &mut Vec<Neighbour>, count: usize) {
    if count == 0 || neighbours.len() <= count {
        return;
    }
    neighbours.select_nth_unstable_by(count - 1, |a, b| {
        b.similarity.total_cmp(&a.similarity).then(a.item.cmp(&b.item))
    });
    neighbours.truncate(count);
    neighbours.sort_unstable_by_key(|neighbour| neighbour.item);
}
