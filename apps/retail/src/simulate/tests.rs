//! Whether the shop has what it promises.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::*;
use crate::catalogue::Entry;

fn small() -> Simulation {
    Simulation { customers: 300, items: 200, seed: 7, crowd: 7, ..Simulation::default() }
}

fn entries(simulation: &Simulation) -> Vec<Entry> {
    let items = simulation.items().unwrap();
    (0..).zip(&items).map(|(number, item)| item.entry(number)).collect()
}

/// FNV-1a (Fowler, Noll, Vo), so that a difference anywhere shows, and no list of purchases stands here.
fn fingerprint(texts: impl Iterator<Item = String>) -> u64 {
    let bytes = texts.flat_map(|text| text.into_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// These numbers are what seed 7 means, wherever it is run. A change here is a change of every simulated shop.
#[test]
fn a_seed_means_the_same_shop_everywhere() {
    let items = fingerprint(entries(&small()).iter().map(|entry| format!("{entry:?}")));
    let bought = small().purchases().unwrap();
    let purchases = fingerprint(bought.iter().map(|purchase| format!("{purchase:?}")));
    assert_eq!(
        (bought.len(), items, purchases),
        (12_121, 12_282_817_538_166_757_011, 18_393_974_594_230_195_261)
    );
}

#[test]
fn another_seed_is_another_shop_and_another_crowd_the_same_with_other_customers() {
    let usual = small();
    let other_shop = Simulation { seed: 8, ..usual };
    let other_crowd = Simulation { crowd: 8, ..usual };
    assert_ne!(entries(&usual), entries(&other_shop));
    assert_eq!(entries(&usual), entries(&other_crowd));
    assert_ne!(usual.purchases(), other_shop.purchases());
    assert_ne!(usual.purchases(), other_crowd.purchases());
}

#[test]
fn more_customers_and_more_days_add_to_what_there_was() {
    let usual = small();
    let bought = usual.purchases().unwrap();
    let more = Simulation { customers: 400, ..usual }.purchases().unwrap();
    assert!(more.iter().filter(|purchase| purchase.customer < 300).eq(&bought));
    let longer = Simulation { days: 400, ..usual }.purchases().unwrap();
    assert_eq!(longer[..bought.len()], bought);
}

#[test]
fn titles_and_names_of_purchases_are_unique() {
    let shop = Simulation { items: 20_000, ..small() };
    let titles: HashSet<_> = entries(&shop).into_iter().map(|entry| entry.title).collect();
    assert_eq!(titles.len(), 20_000);
    let bought = small().purchases().unwrap();
    let names: BTreeSet<_> = bought.iter().map(|purchase| purchase.record().external_id).collect();
    assert_eq!(names.len(), bought.len());
}

#[test]
fn the_smallest_shop_sells() {
    let shop = Simulation { customers: 40, items: 1, days: 60, ..small() };
    let bought = shop.purchases().unwrap();
    assert!(!bought.is_empty() && bought.iter().all(|purchase| purchase.item == 0));
}

/// How often the next purchase of a customer is `best`, after the given items and after any.
fn follows(bought: &[Purchase], after: impl Fn(u32) -> Option<u32>) -> (f64, f64) {
    let mut last: HashMap<u32, u32> = HashMap::new();
    let (mut pairs, mut planted, mut by_chance) = (0.0, 0.0, 0.0);
    for purchase in bought {
        if let Some(before) = last.insert(purchase.customer, purchase.item)
            && let Some(companion) = after(before)
        {
            pairs += 1.0;
            planted += f64::from(u8::from(companion == purchase.item));
            by_chance += f64::from(u8::from(after((before + 42) % 200) == Some(purchase.item)));
        }
    }
    (planted / pairs, by_chance / pairs)
}

#[test]
fn companions_follow() {
    let shop = Simulation { customers: 2_000, ..small() };
    let items = shop.items().unwrap();
    let best = |item: u32| items[item as usize].companions.map(|[best, _]| best);
    let (planted, by_chance) = follows(&shop.purchases().unwrap(), best);
    assert!(planted > 0.1 && planted > 2.0 * by_chance, "{planted} {by_chance}");
}

#[test]
fn every_cause_has_a_fair_share() {
    let bought = small().purchases().unwrap();
    for cause in [Cause::Taste, Cause::Companion, Cause::UsedUp] {
        let share =
            bought.iter().filter(|purchase| purchase.cause == cause).count() as f64 / bought.len() as f64;
        assert!((0.1..0.7).contains(&share), "{cause:?} {share}");
    }
}

#[test]
fn seasons_show() {
    let shop = Simulation { customers: 3_000, ..small() };
    let entries = entries(&shop);
    let mut sold = HashMap::new();
    for purchase in shop.purchases().unwrap() {
        let month = format_month(purchase.time_us);
        let department = entries[purchase.item as usize].category.clone().unwrap();
        *sold.entry((department, month)).or_insert(0) += 1;
    }
    let sold = |category: &str, month: u32| sold.get(&(category.to_owned(), month)).copied().unwrap_or(0);
    assert!(sold("Camping > Tents", 7) > 3 * sold("Camping > Tents", 12));
    assert!(sold("Winter Sports > Ski Goggles", 12) > 3 * sold("Winter Sports > Ski Goggles", 7));
}

fn format_month(time_us: i64) -> u32 {
    chrono::DateTime::from_timestamp_micros(time_us).unwrap().month()
}

#[test]
fn settings_outside_their_range_are_refused() {
    let usual = small();
    let nobody = Simulation { customers: 0, ..usual }.purchases().unwrap_err();
    assert_eq!(nobody.to_string(), "expected 1 to 1000000 customers, found 0");
    let late = NaiveDate::from_ymd_opt(9_999, 12, 31).unwrap();
    assert!(Simulation { start: late, days: 1, ..usual }.purchases().is_ok());
    let too_late = Simulation { start: late, days: 2, ..usual }.items().unwrap_err();
    assert_eq!(too_late, SimulationError::Start { start: late, days: 2 });
}
