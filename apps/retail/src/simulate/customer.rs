//! What one customer buys: by taste, to go with what they have, and again when it is used up.

use std::collections::HashSet;

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::goods::{BRANDS, BRANDS_OF_DEPARTMENT, DEPARTMENTS, KINDS};
use super::shop::{Item, Shop};
use super::{Calendar, Cause, MICROS_PER_SECOND, Purchase, SECONDS_PER_DAY};

/// How much a customer likes the departments that they like, in order; all others have [`INDIFFERENT`].
const LIKED: [f64; 3] = [10.0, 5.0, 3.0];
const INDIFFERENT: f64 = 0.3;
/// How much more often the favourite brand of a department is taken than another.
const FAVOURITE_BRAND: f64 = 4.0;
/// How often a price level is taken that is so many levels away from the customer's own.
const LEVEL_DISTANCE: [f64; 3] = [2.0, 1.0, 0.3];
/// How much a customer still wants of a kind that lasts, and that they have.
const HAS_ONE: f64 = 0.1;
/// How much a customer still wants of an item that they have bought before, need aside.
const KNOWN: f64 = 0.2;
/// Share of days on which a customer comes for no reason, from the rarest guest to the most frequent one.
const VISITS_PER_DAY: std::ops::Range<f64> = 0.008..0.06;
/// How likely a customer with a need comes on a day.
const NEEDS_VISIT: f64 = 0.35;
/// Days after which a need is forgotten.
const FORGOTTEN_AFTER_DAYS: u32 = 60;
/// How likely something is bought to go with what lasts, and with what is used up.
const COMPANION: [f64; 2] = [0.65, 0.25];
/// How likely it is the best companion, and not the other one.
const BEST_COMPANION: f64 = 0.75;
/// Days after which it is bought.
const COMPANION_DAYS: std::ops::RangeInclusive<u32> = 1..=21;
/// How likely the same is bought again once it is used up, and how likely another variant of the same line.
const REFILL: (f64, f64) = (0.25, 0.25);
/// How likely one more thing is taken along.
const ONE_MORE: f64 = 0.3;
/// Things in a basket at most, needs aside.
const BASKET_MAX: u32 = 12;
/// When the shop is open, in seconds of the day.
const OPEN: std::ops::Range<i64> = 8 * 3_600..21 * 3_600;

/// What a customer means to buy.
struct Need {
    item: u32,
    /// From this day on, counted from the first.
    due: u32,
    cause: Cause,
}

pub(super) struct Customer<'s> {
    shop: &'s Shop,
    number: u32,
    random: ChaCha8Rng,
    /// How much of each kind is wanted, before the season has its say.
    taste: Vec<f64>,
    /// For each department.
    favourite_brand: [usize; DEPARTMENTS.len()],
    level: usize,
    visits_per_day: f64,
    needs: Vec<Need>,
    /// Kinds that last, of which the customer has one: a bit each.
    has: u64,
    /// Items that were bought before.
    known: HashSet<u32>,
}

impl<'s> Customer<'s> {
    pub(super) fn new(shop: &'s Shop, number: u32, mut random: ChaCha8Rng) -> Self {
        let mut liking = [INDIFFERENT; DEPARTMENTS.len()];
        let many = random.random_range(1..=LIKED.len());
        for (department, liked) in sample(&mut random, DEPARTMENTS.len(), many).into_iter().zip(LIKED) {
            liking[department] = liked;
        }
        let taste = KINDS.iter().zip(&shop.shelves).map(|(kind, shelf)| match shelf.is_empty() {
            true => 0.0,
            false => liking[kind.department],
        });
        let taste = taste.collect();
        let favourite_brand = std::array::from_fn(|department| {
            (5 * department + random.random_range(0..BRANDS_OF_DEPARTMENT)) % BRANDS.len()
        });
        let level = random.random_range(0..LEVEL_DISTANCE.len());
        let visits_per_day = random.random_range(VISITS_PER_DAY);
        Self {
            shop,
            number,
            random,
            taste,
            favourite_brand,
            level,
            visits_per_day,
            needs: Vec::new(),
            has: 0,
            known: HashSet::new(),
        }
    }

    /// Buys on every day of the calendar, and adds it to `bought`.
    pub(super) fn live(mut self, calendar: &Calendar, bought: &mut Vec<Purchase>) {
        let mut visit = 0;
        for day in 0..calendar.months.len() as u32 {
            self.needs.retain(|need| day < need.due + FORGOTTEN_AFTER_DAYS);
            let needy = self.needs.iter().any(|need| need.due <= day);
            let likely = self.visits_per_day + if needy { NEEDS_VISIT } else { 0.0 };
            if self.random.random::<f64>() < likely {
                self.shop(calendar, day, visit, needy, bought);
                visit += 1;
            }
        }
    }

    /// One visit: everything that is needed, then what pleases.
    fn shop(&mut self, calendar: &Calendar, day: u32, visit: u32, needy: bool, bought: &mut Vec<Purchase>) {
        let (due, later): (Vec<Need>, Vec<Need>) = self.needs.drain(..).partition(|need| need.due <= day);
        self.needs = later;
        let mut basket: Vec<(u32, Cause)> = Vec::new();
        for need in due {
            if basket.iter().all(|(item, _)| *item != need.item) {
                basket.push((need.item, need.cause));
            }
        }
        let mut goes_on = !needy || self.random.random::<f64>() < ONE_MORE;
        while goes_on && basket.len() < BASKET_MAX as usize {
            let Some(item) = self.please(calendar, day, &basket) else { break };
            basket.push((item, Cause::Taste));
            goes_on = self.random.random::<f64>() < ONE_MORE;
        }
        let second =
            calendar.first_second + i64::from(day) * SECONDS_PER_DAY + self.random.random_range(OPEN);
        for (place, (item, cause)) in (0..).zip(basket) {
            let (price_cents, quantity) = self.take(item, day);
            bought.push(Purchase {
                time_us: second * MICROS_PER_SECOND,
                customer: self.number,
                visit,
                place,
                item,
                quantity,
                price_cents,
                cause,
            });
        }
    }

    /// Something that the customer likes, in its season, and that is not in the basket.
    fn please(&mut self, calendar: &Calendar, day: u32, basket: &[(u32, Cause)]) -> Option<u32> {
        let month = usize::from(calendar.months[day as usize]);
        let wanted = KINDS.iter().zip(&self.taste).enumerate().map(|(number, (kind, taste))| {
            let has = if self.has & 1 << number == 0 { 1.0 } else { HAS_ONE };
            taste * f64::from(kind.season[month]) * has
        });
        let kind = WeightedIndex::new(wanted).ok()?.sample(&mut self.random);
        let shelf = &self.shop.shelves[kind];
        let wanted = shelf.iter().map(|&number| {
            let item = &self.shop.items[number as usize];
            if basket.iter().any(|(taken, _)| *taken == number) {
                0.0
            } else {
                let known = if self.known.contains(&number) { KNOWN } else { 1.0 };
                self.likes(item) * item.appeal(calendar.first_day + day) * known
            }
        });
        // A shelf of which everything is in the basket already has nothing more to offer.
        let place = WeightedIndex::new(wanted).ok()?.sample(&mut self.random);
        Some(shelf[place])
    }

    fn likes(&self, item: &Item) -> f64 {
        let brand = self.favourite_brand[item.kind().department] == item.brand;
        LEVEL_DISTANCE[item.level().abs_diff(self.level)] * if brand { FAVOURITE_BRAND } else { 1.0 }
    }

    /// Takes an item: price and quantity, and what it will lead to.
    fn take(&mut self, number: u32, day: u32) -> (u32, u32) {
        let item = &self.shop.items[number as usize];
        let kind = item.kind();
        self.known.insert(number);
        if kind.lasts_days.is_none() {
            self.has |= 1 << item.kind;
        }
        let goes_with = COMPANION[usize::from(kind.lasts_days.is_some())];
        if let Some([best, other]) = item.companions
            && self.random.random::<f64>() < goes_with
        {
            let companion = if self.random.random::<f64>() < BEST_COMPANION { best } else { other };
            let due = day + self.random.random_range(COMPANION_DAYS);
            self.needs.push(Need { item: companion, due, cause: Cause::Companion });
        }
        let Some((soonest, latest)) = kind.lasts_days else { return (item.price_cents, 1) };
        let refill: f64 = self.random.random();
        let again = match refill {
            refill if refill < REFILL.0 => Some(number),
            refill if refill < REFILL.0 + REFILL.1 => self.other_variant(number),
            _ => None,
        };
        if let Some(item) = again {
            let due = day + self.random.random_range(soonest..=latest);
            self.needs.push(Need { item, due, cause: Cause::UsedUp });
        }
        (item.price_cents, self.random.random_range(1..=3))
    }

    /// Another item of the same line, if the shop has one.
    fn other_variant(&mut self, number: u32) -> Option<u32> {
        let item = &self.shop.items[number as usize];
        let shelf = &self.shop.shelves[item.kind];
        let others: Vec<u32> = shelf
            .iter()
            .copied()
            .filter(|&other| other != number && self.shop.items[other as usize].is_of_line(item))
            .collect();
        match others.len() {
            0 => None,
            many => Some(others[self.random.random_range(0..many)]),
        }
    }
}
