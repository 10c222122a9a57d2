//! A shop that never was, for demos, tests and training: a catalogue, customers, and what they buy, from a seed.
//!
//! ```
//! use foretell_retail::simulate::{Cause, Simulation};
//!
//! let shop = Simulation { customers: 50, items: 100, days: 90, ..Simulation::default() };
//! let bought = shop.purchases()?;
//! assert!(bought.iter().any(|purchase| purchase.cause == Cause::Companion));
//! assert!(bought.is_sorted_by_key(|purchase| purchase.time_us));
//! assert!(shop.items()?[0].title().contains("Tent"));
//! # Ok::<(), foretell_retail::simulate::SimulationError>(())
//! ```
//!
//! # The shop
//! There are 42 kinds of goods in 8 departments. The kinds take turns, so that item 1 is a tent, item 2 a sleeping
//! bag, and item 43 a tent again. Three items of a kind are one line: a brand and a name in three variants. A brand
//! is cheap, usual or dear. Within its kind an item sells by rank (Zipf's law, with an offset), times a fashion that
//! comes and goes over 200 to 700 days.
//!
//! # The customers
//! A customer likes one to three departments, has a favourite brand in each, and a price level; comes every 17 to 125
//! days for no reason, and soon when something is needed; and buys for one of three [causes](Cause):
//! 1. [`Cause::Taste`]: a kind by taste and month, an item by appeal, brand and price.
//! 2. [`Cause::Companion`]: every item whose kind is followed by another one (after a tent comes a sleeping bag) has
//!    two items of that kind which go with it, the same for all customers. One of them is bought 1 to 21 days later,
//!    with 65 % where the first one lasts and with 25 % where it is used up.
//! 3. [`Cause::UsedUp`]: what is used up is bought again after the days that it lasts: the same with 25 %, another
//!    variant of the line with 25 %.
//!
//! So the next item can be learned from which items go together, better from their order, and for a part of the
//! purchases only from the customer's own past.
//!
//! # Contract
//! **Invariant:** items and purchases are a function of the [`Simulation`] alone, on every platform. Every item and
//! every customer has a random stream of its own, and nothing is computed but `+ - * /`, which IEEE 754 fixes.
//!
//! **Invariant:** the items are a function of [`Simulation::seed`] and [`Simulation::items`]. Customer 7 buys the
//! same whether there are 10 customers or 10,000, and a longer simulation begins as a shorter one does.
//!
//! # Pitfalls
//! - The structure is planted, so a model does far better here than on real purchases.
//! - Customers begin with nothing, so the first weeks have fewer purchases than the later ones.

mod customer;
mod export;
mod goods;
mod shop;

use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use foretell_store::record::NewRecord;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use export::export;
pub use shop::Item;

use customer::Customer;
use goods::KINDS;
use shop::Shop;

/// The most customers. About 20 of their purchases a year are held in memory, each takes 40 bytes.
pub const CUSTOMERS_MAX: u32 = 1_000_000;
/// The most items.
pub const ITEMS_MAX: u32 = 100_000;
/// The most days: ten years.
pub const DAYS_MAX: u32 = 3_653;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What to simulate. Equal settings give equal items and purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simulation {
    /// Another seed, another shop.
    pub seed: u64,
    /// Other customers in the same shop; the usual ones have the number of the seed.
    pub crowd: u64,
    /// How many customers there are, 1 to [`CUSTOMERS_MAX`].
    pub customers: u32,
    /// How many items there are, 1 to [`ITEMS_MAX`].
    pub items: u32,
    /// How many days, 1 to [`DAYS_MAX`].
    pub days: u32,
    /// The first day, UTC.
    pub start: NaiveDate,
}

impl Default for Simulation {
    /// 2,000 customers, 600 items and the year 2025: about 84,000 purchases.
    fn default() -> Simulation {
        let start = NaiveDate::from_ymd_opt(2025, 1, 1).expect("a date of the calendar");
        Simulation { seed: 0, crowd: 0, customers: 2_000, items: 600, days: 365, start }
    }
}

/// Why a simulation cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A number is 0 or too great.
    #[error("expected 1 to {max} {what}, found {found}")]
    Number {
        /// What is counted.
        what: &'static str,
        /// The most there can be.
        max: u32,
        /// What was asked for.
        found: u32,
    },
    /// The days are not all of the years that have a number of four digits.
    #[error("expected days in the years 1 to 9999, found {days} days from {start}")]
    Start {
        /// What was asked for.
        start: NaiveDate,
        /// How many days are to follow.
        days: u32,
    },
}

/// Why something was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It pleased.
    Taste,
    /// It goes with something that was bought before.
    Companion,
    /// What was bought before is used up.
    UsedUp,
}

/// One item that was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// When, UTC microseconds; whole seconds. Everything in a basket has the same time.
    pub time_us: i64,
    /// Who, from 0.
    pub customer: u32,
    /// Which visit of the customer, from 0: one basket each.
    pub visit: u32,
    /// Which place in the basket, from 0.
    pub place: u32,
    /// What, from 0.
    pub item: u32,
    /// How many.
    pub quantity: u32,
    /// Price of one, in cents.
    pub price_cents: u32,
    /// Why, which no model is told.
    pub cause: Cause,
}

impl Purchase {
    /// The customer's id: their number, from 1.
    pub fn customer(&self) -> String {
        (self.customer + 1).to_string()
    }

    /// The item's id: its number, from 1.
    pub fn item(&self) -> String {
        (self.item + 1).to_string()
    }

    /// The basket's id, such as `7-3` for the third visit of customer 7.
    pub fn basket(&self) -> String {
        format!("{}-{}", self.customer + 1, self.visit + 1)
    }

    /// Price of one, in currency units.
    pub fn price(&self) -> f64 {
        f64::from(self.price_cents) / 100.0
    }

    /// The record of this purchase, named by its basket and place: `7-3-1`.
    pub fn record(&self) -> NewRecord {
        let bought = crate::purchase::Purchase {
            customer: Some(self.customer()),
            item: self.item(),
            basket: Some(self.basket()),
            quantity: Some(f64::from(self.quantity)),
            price: Some(self.price()),
        };
        bought.record(format!("{}-{}", self.basket(), self.place + 1), self.time_us)
    }
}

/// Kinds that were planted to follow each other: what comes after what.
pub fn chains() -> impl Iterator<Item = (String, &'static str)> {
    KINDS.iter().filter_map(|kind| Some((shop::category(kind), kind.then?)))
}

/// Kinds that are used up, with the days that they last.
pub fn used_up() -> impl Iterator<Item = (String, (u32, u32))> {
    KINDS.iter().filter_map(|kind| Some((shop::category(kind), kind.lasts_days?)))
}

impl Simulation {
    /// Every item, by number.
    ///
    /// # Errors
    /// [`SimulationError`]: a setting outside its range.
    pub fn items(&self) -> Result<Vec<Item>, SimulationError> {
        self.check()?;
        Ok(Shop::new(&Streams { seed: self.seed }, self.items).items)
    }

    /// Everything that is bought, in the order of time, then of the customer, then of the place in the basket.
    ///
    /// # Errors
    /// [`SimulationError`]: a setting outside its range.
    pub fn purchases(&self) -> Result<Vec<Purchase>, SimulationError> {
        let calendar = self.check()?;
        let shop = Shop::new(&Streams { seed: self.seed }, self.items);
        let crowd = Streams { seed: self.crowd };
        let mut bought = Vec::new();
        for number in 0..self.customers {
            Customer::new(&shop, number, crowd.open(Purpose::Customer, number)).live(&calendar, &mut bought);
        }
        // Stable, and made in the order of customers and places.
        bought.sort_by_key(|purchase| purchase.time_us);
        Ok(bought)
    }

    fn check(&self) -> Result<Calendar, SimulationError> {
        for (what, max, found) in [
            ("customers", CUSTOMERS_MAX, self.customers),
            ("items", ITEMS_MAX, self.items),
            ("days", DAYS_MAX, self.days),
        ] {
            if !(1..=max).contains(&found) {
                return Err(SimulationError::Number { what, max, found });
            }
        }
        let wrong = SimulationError::Start { start: self.start, days: self.days };
        let last = self.start.checked_add_days(Days::new(u64::from(self.days) - 1));
        match last {
            Some(last) if self.start.year() >= 1 && last.year() <= 9_999 => Ok(Calendar::new(self)),
            _ => Err(wrong),
        }
    }
}

/// The days of a simulation.
struct Calendar {
    /// Month of each day, from 0.
    months: Vec<u8>,
    /// The first day, counted from the year 1.
    first_day: u32,
    first_second: i64,
}

impl Calendar {
    fn new(simulation: &Simulation) -> Calendar {
        let start = simulation.start;
        let days = start.iter_days().take(simulation.days as usize);
        Calendar {
            months: days.map(|day| day.month0() as u8).collect(),
            first_day: start.num_days_from_ce().unsigned_abs(),
            first_second: start.and_time(NaiveTime::MIN).and_utc().timestamp(),
        }
    }
}

/// What a stream of random numbers is for; streams of different purposes have nothing in common.
///
/// The numbers are part of what a seed means: new purposes get new ones.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Item = 1,
    Line = 2,
    Kind = 3,
    Companions = 4,
    Customer = 5,
}

/// All random streams of a seed.
#[derive(Debug, Clone, Copy)]
struct Streams {
    seed: u64,
}

impl Streams {
    /// The stream of one thing, named by its number.
    fn open(&self, purpose: Purpose, number: u32) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8] = purpose as u8;
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(u64::from(number));
        random
    }
}

#[cfg(test)]
mod tests;
