//! The assortment of a simulated shop: a function of the seed and the number of items.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::goods::{BRANDS, BRANDS_OF_DEPARTMENT, DEPARTMENTS, KINDS, Kind, LEVELS, line_name};
use super::{Purpose, Streams};
use crate::catalogue::{CATEGORY_SEPARATOR, Entry};

/// Items of one line: the same brand and name, in so many variants.
const VARIANTS: usize = 3;
/// A variant is dearer than the one before by this share.
const VARIANT_STEP: f64 = 0.1;
/// One in so many items is out of stock.
const OUT_OF_STOCK_ONE_IN: u32 = 20;
/// Items of a kind sell like `1 / (rank + ZIPF_OFFSET)`.
const ZIPF_OFFSET: f64 = 3.0;
/// How long the fashion for an item takes to come and go, in days.
const FASHION_DAYS: std::ops::Range<u32> = 200..700;
/// What fashion does to sales: between these factors, and back.
const FASHION: (f64, f64) = (0.3, 1.7);

/// One item of the assortment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Price in cents.
    pub price_cents: u32,
    /// Whether it can be had.
    pub in_stock: bool,
    /// Place in the kinds of goods.
    pub(super) kind: usize,
    /// Place in the brands.
    pub(super) brand: usize,
    line: usize,
    variant: usize,
    /// How well it sells among its kind.
    popularity: f64,
    fashion_days: u32,
    fashion_begun: u32,
    /// What goes with it best, and what else does.
    pub(super) companions: Option<[u32; 2]>,
}

impl Item {
    /// The kind of goods that it is.
    pub(super) fn kind(&self) -> &'static Kind {
        &KINDS[self.kind]
    }

    /// The name of its brand.
    pub fn brand(&self) -> &'static str {
        BRANDS[self.brand]
    }

    /// The path of its category, such as `Camping > Tents`.
    pub fn category(&self) -> String {
        category(self.kind())
    }

    /// Its title, such as `Velkano Ala Tent, 3 persons`. No two items of a shop share it.
    pub fn title(&self) -> String {
        let Kind { noun, variants, .. } = self.kind();
        // The lines of a department share their names: there is a tent, and a sleeping bag to go with it.
        let name = line_name(self.line * DEPARTMENTS.len() + self.kind().department);
        format!("{} {name} {noun}, {}", self.brand(), variants[self.variant])
    }

    /// What the catalogue says of it; `number` counts from 0, ids from 1.
    pub fn entry(&self, number: u32) -> Entry {
        Entry {
            item: (number + 1).to_string(),
            title: Some(self.title()),
            brand: Some(self.brand().to_owned()),
            category: Some(self.category()),
            price: Some(f64::from(self.price_cents) / 100.0),
            in_stock: Some(self.in_stock),
        }
    }

    /// Whether both are variants of the same thing.
    pub(super) fn is_of_line(&self, other: &Item) -> bool {
        (self.kind, self.line) == (other.kind, other.line)
    }

    /// Which of the three price levels its brand has: 0 is cheap.
    pub(super) fn level(&self) -> usize {
        self.brand % LEVELS.len()
    }

    /// How well it sells on a day, counted from any day long ago: popularity, and fashion that comes and goes.
    pub(super) fn appeal(&self, day: u32) -> f64 {
        let at = f64::from((day + self.fashion_begun) % self.fashion_days) / f64::from(self.fashion_days);
        let height = if at < 0.5 { 2.0 * at } else { 2.0 - 2.0 * at };
        self.popularity * (FASHION.0 + (FASHION.1 - FASHION.0) * height)
    }
}

/// The path of a category.
pub(super) fn category(kind: &Kind) -> String {
    [DEPARTMENTS[kind.department], kind.category].join(CATEGORY_SEPARATOR)
}

/// All items of a shop.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) items: Vec<Item>,
    /// The items of each kind.
    pub(super) shelves: Vec<Vec<u32>>,
}

impl Shop {
    /// Kinds follow each other and come round, so that every number of items has all that it can have of each.
    pub(super) fn new(streams: &Streams, items: u32) -> Shop {
        let mut shelves = vec![Vec::new(); KINDS.len()];
        for number in 0..items {
            shelves[number as usize % KINDS.len()].push(number);
        }
        let mut shop = Shop { items: (0..items).map(|number| item(streams, number)).collect(), shelves };
        for (kind, shelf) in shop.shelves.iter().enumerate() {
            let mut ranked = shelf.clone();
            ranked.shuffle(&mut streams.open(Purpose::Kind, kind as u32));
            for (rank, &number) in ranked.iter().enumerate() {
                shop.items[number as usize].popularity = 1.0 / (rank as f64 + ZIPF_OFFSET);
            }
        }
        for number in 0..items {
            shop.items[number as usize].companions = shop.companions(streams, number);
        }
        shop
    }

    /// What goes with an item: something of the same brand if there is such a thing, and something else.
    fn companions(&self, streams: &Streams, number: u32) -> Option<[u32; 2]> {
        let item = &self.items[number as usize];
        let then = item.kind().then?;
        let shelf = &self.shelves[KINDS.iter().position(|kind| kind.category == then)?];
        let same: Vec<u32> =
            shelf.iter().copied().filter(|&other| self.items[other as usize].brand == item.brand).collect();
        let mut random = streams.open(Purpose::Companions, number);
        let best = *same.choose(&mut random).or_else(|| shelf.choose(&mut random))?;
        Some([best, *shelf.choose(&mut random)?])
    }
}

fn item(streams: &Streams, number: u32) -> Item {
    let (kind, place) = (number as usize % KINDS.len(), number as usize / KINDS.len());
    let (line, variant) = (place / VARIANTS, place % VARIANTS);
    let department = KINDS[kind].department;
    // A department has six brands in a row of all; the next one begins a few later, and shares some of them.
    let brand = (5 * department + line % BRANDS_OF_DEPARTMENT) % BRANDS.len();
    // One draw for the line, so that its variants cost about the same.
    let mut of_line: ChaCha8Rng = streams.open(Purpose::Line, (kind + line * KINDS.len()) as u32);
    let (low, high) = KINDS[kind].price;
    let price = f64::from(low) + f64::from(high - low) * of_line.random::<f64>();
    let price = price * LEVELS[brand % LEVELS.len()] * (1.0 + VARIANT_STEP * variant as f64);
    let mut random = streams.open(Purpose::Item, number);
    let fashion_days = random.random_range(FASHION_DAYS);
    Item {
        price_cents: ((price * 2.0) as u32).max(1) * 50 - 1,
        in_stock: random.random_range(0..OUT_OF_STOCK_ONE_IN) > 0,
        kind,
        brand,
        line,
        variant,
        popularity: 1.0,
        fashion_days,
        fashion_begun: random.random_range(0..fashion_days),
        companions: None,
    }
}
