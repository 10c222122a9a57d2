//! Card transactions that never happened, for demos, tests and load: any number, in time order, from a seed.
//!
//! ```
//! use foretell_fraud::simulate::Simulation;
//!
//! let town = Simulation::sized(50, 100, 30);
//! let transactions: Vec<_> = town.transactions()?.collect();
//! assert!(transactions.iter().any(|transaction| transaction.scenario.is_fraud()));
//! assert!(transactions.is_sorted_by_key(|transaction| transaction.time_us));
//! # Ok::<(), foretell_fraud::simulate::SimulationError>(())
//! ```
//!
//! # The world
//! Customers and terminals are scattered evenly over a square of side 100. A customer pays at the terminals that are
//! nearer than the [radius](Simulation::radius), each as likely as the other; where there are none, at the nearest one.
//! A customer has a mean amount from 5 to 100 and a rate of 0 to 4 payments a day; the number of payments of a day is
//! Poisson distributed, their times are normal around noon (sd 20,000 s; those outside the day are lost, about 3 %),
//! their amounts normal around the customer's mean (sd half of it; a negative one is drawn again, evenly from 0 to
//! twice the mean), in whole cents.
//!
//! # The frauds
//! 1. [`Scenario::LargeAmount`]: every payment above 220.
//! 2. [`Scenario::CompromisedTerminal`]: each day a few terminals are taken over for 28 days; all their payments are
//!    fraud.
//! 3. [`Scenario::CompromisedCustomer`]: each day a few customers lose their card data for 14 days; one third of their
//!    payments in that time are fraud, at 5 times the amount.
//!
//! A payment that several scenarios hit has the last of them. At the default size 2 of 10,000 terminals and 3 of 5,000
//! customers fall each day, and about 0.8 % of payments are fraud. Other sizes keep these *proportions*, so that the
//! share of fraud stays the same: with 100 terminals one falls every 50 days. The first one falls on the first day
//! whatever the size, so that a small demo has frauds to show; a demo of a few weeks or a dozen customers therefore has
//! more of them.
//!
//! The design is that of the simulator in Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible machine learning for
//! credit card fraud detection: practical handbook", 2022, chapter 3. The numbers are not: the published data set
//! cannot be had from this generator.
//!
//! # Contract
//! **Invariant:** the transactions are a function of the [`Simulation`] alone, on every platform. Each customer has a
//! random stream of its own for every day, so no draw depends on what was drawn for another, and no mathematical
//! function of the system's library is used.
//!
//! **Invariant:** `id` is the rank in time, from 0; of equal times, the smaller customer comes first.
//!
//! Days are made one at a time: memory holds the customers, the terminals, one day's payments and the frauds of the
//! coming 14 days, however long the simulation.
//!
//! # Pitfalls
//! - The frauds follow three fixed rules, so a model does far better here than on real payments.
//! - There are no seasons, no merchant categories and no growth: every week looks like the last.
//! - In the first 28 days the share of fraud rises, because the compromised terminals add up.

mod draw;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::iter::FusedIterator;

use chrono::{Days, NaiveDate, NaiveTime};

use draw::{Purpose, Streams, below};
use world::World;
pub use world::{Customer, Terminal};

/// The most customers: each takes 40 bytes for as long as the simulation runs, and about 100 more for the payments of
/// one day.
pub const CUSTOMERS_MAX: u32 = 10_000_000;
/// The most terminals: each takes about 32 bytes for as long as the simulation runs.
pub const TERMINALS_MAX: u32 = 10_000_000;
/// The most days: a hundred years.
pub const DAYS_MAX: u32 = 36_525;

/// Payments above this many cents are fraud.
const LARGE_AMOUNT_CENTS: i64 = 22_000;
/// Days for which a terminal stays compromised.
const TERMINAL_WINDOW_DAYS: u32 = 28;
/// Terminals that fall each day.
const TERMINALS_FALLING: Share = Share { part: 2, whole: 10_000 };
/// Days for which a customer stays compromised.
const CUSTOMER_WINDOW_DAYS: u32 = 14;
/// Customers that fall each day.
const CUSTOMERS_FALLING: Share = Share { part: 3, whole: 5_000 };
/// One in so many payments of a compromised customer is fraud.
const CUSTOMER_FRAUD_ONE_IN: usize = 3;
/// How many times the usual amount such a fraud takes.
const CUSTOMER_FRAUD_FACTOR: i64 = 5;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What to simulate. Equal settings give equal transactions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Another seed, another world.
    pub seed: u64,
    /// How many customers there are, 1 to [`CUSTOMERS_MAX`].
    pub customers: u32,
    /// How many terminals there are, 1 to [`TERMINALS_MAX`].
    pub terminals: u32,
    /// How many days, 1 to [`DAYS_MAX`].
    pub days: u32,
    /// The first day, UTC.
    pub start: NaiveDate,
    /// How far a customer goes to pay, in a world of 100 by 100; above 0. With the default, 5, a customer reaches 75
    /// of 10,000 terminals on average. See [`Simulation::sized`] for other numbers of terminals.
    pub radius: f64,
}

impl Default for Simulation {
    /// The size of the published data: 5,000 customers, 10,000 terminals, 183 days from 2018-04-01, about 1.75 million
    /// transactions.
    fn default() -> Simulation {
        Simulation {
            seed: 0,
            customers: 5_000,
            terminals: 10_000,
            days: 183,
            start: NaiveDate::from_ymd_opt(2018, 4, 1).expect("a date of the calendar"),
            radius: 5.0,
        }
    }
}

/// Why a simulation cannot run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
    /// The radius is not a distance.
    #[error("expected a radius above 0, found {found}")]
    Radius {
        /// What was asked for.
        found: f64,
    },
    /// The calendar ends before the simulation does.
    #[error("expected a first day that leaves {days} days in the calendar, found {start}")]
    Start {
        /// What was asked for.
        start: NaiveDate,
        /// How many days are to follow.
        days: u32,
    },
}

/// One payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Its rank in time, from 0.
    pub id: u64,
    /// When, UTC microseconds; whole seconds.
    pub time_us: i64,
    /// Who paid, from 0.
    pub customer: u32,
    /// Where, from 0.
    pub terminal: u32,
    /// How much, in cents, 0 or more.
    pub amount_cents: i64,
    /// What it is in truth.
    pub scenario: Scenario,
}

/// What a payment is in truth. The numbers are those of the published data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scenario {
    /// No fraud.
    Genuine = 0,
    /// Fraud that gives itself away by its amount.
    LargeAmount = 1,
    /// Fraud at a terminal that was taken over.
    CompromisedTerminal = 2,
    /// Fraud with the data of a customer's card.
    CompromisedCustomer = 3,
}

impl Scenario {
    /// Whether this is fraud.
    pub fn is_fraud(self) -> bool {
        self != Scenario::Genuine
    }

    /// Its number, 0 to 3.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl Simulation {
    /// A simulation of another size in which a customer still has about 75 terminals to pay at, or all of them if
    /// there are fewer: the radius grows as the terminals get fewer. Seed and first day are the default ones.
    ///
    /// With the default radius a customer of a small world would have one terminal or none in reach, and most
    /// terminals, compromised ones among them, would never see a payment.
    pub fn sized(customers: u32, terminals: u32, days: u32) -> Simulation {
        let usual = Simulation::default();
        let fewer = f64::from(usual.terminals) / f64::from(terminals.max(1));
        Simulation { customers, terminals, days, radius: usual.radius * fewer.sqrt(), ..usual }
    }

    /// Checks the settings, settles the world and returns the transactions in time order.
    ///
    /// # Errors
    /// [`SimulationError`]: a setting outside its range.
    pub fn transactions(&self) -> Result<Transactions, SimulationError> {
        self.check()?;
        let streams = Streams::new(self.seed);
        Ok(Transactions {
            start_second: self.start.and_time(NaiveTime::MIN).and_utc().timestamp(),
            days: self.days,
            world: World::new(&streams, self.customers, self.terminals, self.radius),
            streams,
            next_day: 0,
            next_id: 0,
            today: Vec::new(),
            place: 0,
            terminal_free_on: vec![0; self.terminals as usize],
            coming: BTreeMap::new(),
        })
    }

    /// About how many transactions there will be: 1.94 for each customer and day, give or take a few percent for the
    /// customers' own rates.
    pub fn expected_transactions(&self) -> u64 {
        (f64::from(self.customers) * f64::from(self.days) * 2.0 * 0.9692) as u64
    }

    fn check(&self) -> Result<(), SimulationError> {
        for (what, max, found) in [
            ("customers", CUSTOMERS_MAX, self.customers),
            ("terminals", TERMINALS_MAX, self.terminals),
            ("days", DAYS_MAX, self.days),
        ] {
            if !(1..=max).contains(&found) {
                return Err(SimulationError::Number { what, max, found });
            }
        }
        if !(self.radius > 0.0 && self.radius.is_finite()) {
            return Err(SimulationError::Radius { found: self.radius });
        }
        match self.start.checked_add_days(Days::new(u64::from(self.days))) {
            Some(_) => Ok(()),
            None => Err(SimulationError::Start { start: self.start, days: self.days }),
        }
    }
}

/// The transactions of a simulation, in time order.
#[derive(Debug)]
pub struct Transactions {
    streams: Streams,
    world: World,
    start_second: i64,
    days: u32,
    next_day: u32,
    next_id: u64,
    today: Vec<Transaction>,
    /// The next of today's transactions to hand out.
    place: usize,
    /// For each terminal the first day on which it is no longer compromised.
    terminal_free_on: Vec<u32>,
    /// Payments of coming days that scenario 3 will hit.
    coming: BTreeMap<u32, BTreeSet<PaymentOfDay>>,
}

/// A payment of a certain day: the customer, and which of their payments of that day.
type PaymentOfDay = (u32, u32);

/// A payment before it has a date and a truth.
#[derive(Debug, Clone, Copy)]
struct Payment {
    second: i64,
    terminal: u32,
    cents: i64,
}

impl Transactions {
    /// Every customer, by number.
    pub fn customers(&self) -> &[Customer] {
        self.world.customers()
    }

    /// Every terminal, by number.
    pub fn terminals(&self) -> Vec<Terminal> {
        self.world.terminals()
    }

    /// Makes the transactions of the next day.
    fn make_day(&mut self) {
        let day = self.next_day;
        self.next_day += 1;
        self.compromise_terminals(day);
        self.compromise_customers(day);
        let hits = self.coming.remove(&day).unwrap_or_default();
        let mut hits = hits.into_iter().peekable();
        self.today.clear();
        self.place = 0;
        let midnight = self.start_second + i64::from(day) * SECONDS_PER_DAY;
        for customer in 0..self.world.customers().len() as u32 {
            for (nth, payment) in (0..).zip(payments(&self.world, &self.streams, customer, day)) {
                let is_hit = hits.next_if_eq(&(customer, nth)).is_some();
                let is_compromised = day < self.terminal_free_on[payment.terminal as usize];
                let (scenario, factor) = match (is_hit, is_compromised) {
                    (true, _) => (Scenario::CompromisedCustomer, CUSTOMER_FRAUD_FACTOR),
                    (_, true) => (Scenario::CompromisedTerminal, 1),
                    _ if payment.cents > LARGE_AMOUNT_CENTS => (Scenario::LargeAmount, 1),
                    _ => (Scenario::Genuine, 1),
                };
                self.today.push(Transaction {
                    id: 0,
                    time_us: (midnight + payment.second) * MICROS_PER_SECOND,
                    customer,
                    terminal: payment.terminal,
                    amount_cents: payment.cents * factor,
                    scenario,
                });
            }
        }
        // Stable, and made in order of the customer: that is the order of equal times.
        self.today.sort_by_key(|transaction| transaction.time_us);
        for (id, transaction) in (self.next_id..).zip(&mut self.today) {
            transaction.id = id;
        }
        self.next_id += self.today.len() as u64;
    }

    fn compromise_terminals(&mut self, day: u32) {
        let terminals = self.terminal_free_on.len() as u32;
        let falling = TERMINALS_FALLING.on_day(day, terminals);
        let mut random = self.streams.open(Purpose::FallingTerminals, day, 0);
        for terminal in draw::distinct(falling, terminals, &mut random) {
            self.terminal_free_on[terminal as usize] = day + TERMINAL_WINDOW_DAYS;
        }
    }

    /// Draws the customers that fall today, and which of their payments of the coming days will be fraud.
    ///
    /// Their payments do not exist yet, but their random streams do: they are made here for the first time, and again,
    /// the same, when their day comes.
    fn compromise_customers(&mut self, day: u32) {
        let customers = self.world.customers().len() as u32;
        let falling = CUSTOMERS_FALLING.on_day(day, customers);
        let mut random = self.streams.open(Purpose::FallingCustomers, day, 0);
        let last = self.days.min(day + CUSTOMER_WINDOW_DAYS);
        for customer in draw::distinct(falling, customers, &mut random) {
            let mut window: Vec<(u32, PaymentOfDay)> = Vec::new();
            for day in day..last {
                let made = payments(&self.world, &self.streams, customer, day);
                window.extend((0..).zip(made).map(|(nth, _)| (day, (customer, nth))));
            }
            for hit in 0..window.len() / CUSTOMER_FRAUD_ONE_IN {
                let other = hit + below((window.len() - hit) as u32, &mut random) as usize;
                window.swap(hit, other);
                let (day, payment) = window[hit];
                self.coming.entry(day).or_default().insert(payment);
            }
        }
    }
}

/// The payments that a customer makes on a day, before any fraud, in the order in which they are drawn.
fn payments<'a>(
    world: &'a World,
    streams: &Streams,
    customer: u32,
    day: u32,
) -> impl Iterator<Item = Payment> + use<'a> {
    let profile = &world.customers()[customer as usize];
    let mut random = streams.open(Purpose::Payments, customer, day);
    let count = draw::poisson(profile.payments_per_day, &mut random);
    (0..count).filter_map(move |_| {
        let (time, amount) = draw::normal_pair(&mut random);
        let second = (43_200.0 + 20_000.0 * time) as i64;
        if !(1..SECONDS_PER_DAY).contains(&second) {
            return None;
        }
        let mut amount = profile.mean_amount * (1.0 + amount / 2.0);
        if amount < 0.0 {
            amount = 2.0 * profile.mean_amount * draw::unit(&mut random);
        }
        let cents = (amount * 100.0).round() as i64;
        Some(Payment { second, terminal: world.choose_terminal(profile, &mut random), cents })
    })
}

impl Iterator for Transactions {
    type Item = Transaction;

    fn next(&mut self) -> Option<Transaction> {
        while self.place == self.today.len() {
            if self.next_day == self.days {
                return None;
            }
            self.make_day();
        }
        self.place += 1;
        Some(self.today[self.place - 1])
    }
}

impl FusedIterator for Transactions {}

/// A share of a population that falls each day.
struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// How many fall on this day, so that over the days it is the share, rounded up: the first falls on day 0.
    fn on_day(&self, day: u32, population: u32) -> u32 {
        let until = |day: u64| (day * u64::from(population) * self.part).div_ceil(self.whole);
        (until(u64::from(day) + 1) - until(u64::from(day))) as u32
    }
}

#[cfg(test)]
mod tests;
