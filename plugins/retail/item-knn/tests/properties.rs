//! What must hold of any purchases: learning, its file, and ranking.

use std::collections::BTreeSet;

use foretell_plugin_item_knn::{
    counts::{Counts, Event, Learned, UNIT},
    neighbours::Neighbours,
    rank::{Ranked, Ranker, Reason},
    settings::Settings,
};
use proptest::prelude::*;

/// A stored purchase.
#[derive(Clone, Debug)]
struct Purchase {
    time: i64,
    customer: Option<u8>,
    basket: Option<u8>,
    item: String,
}

/// Purchases in the order of time, many at the same time, of few customers, in few baskets, of few items.
fn purchases() -> impl Strategy<Value = Vec<Purchase>> {
    let one = (0..60i64, prop::option::weighted(0.8, 0..4u8), prop::option::weighted(0.5, 0..6u8), 0..12u8);
    prop::collection::vec(one, 0..50).prop_map(|rows| {
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|(time, customer, basket, item)| Purchase {
                time,
                customer,
                basket,
                item: format!("item {item}"),
            })
            .collect();
        rows.sort_by_key(|purchase| purchase.time);
        rows
    })
}

/// What the host gives with the purchase in `row`: the earlier ones with the same key, latest first.
fn past<'a, K: PartialEq>(
    purchases: &'a [Purchase],
    row: usize,
    key: impl Fn(&Purchase) -> Option<K> + Copy + 'a,
) -> impl Iterator<Item = Event<'a>> {
    let own = key(&purchases[row]);
    let earlier = purchases[..row].iter().rev();
    let same = earlier.filter(move |purchase| own.is_some() && key(purchase) == own);
    same.map(|purchase| Event { time: purchase.time, item: &purchase.item })
}

fn learn(counts: &mut Counts, purchases: &[Purchase], row: usize) {
    let Purchase { time, item, .. } = &purchases[row];
    let bought = past(purchases, row, |purchase| purchase.customer);
    let together = past(purchases, row, |purchase| purchase.basket);
    counts.learn(Event { time: *time, item }, bought, together).unwrap();
}

fn learned(purchases: &[Purchase], rows: impl IntoIterator<Item = usize>) -> Learned {
    let mut counts = Counts::default();
    for row in rows {
        learn(&mut counts, purchases, row);
    }
    counts.finish()
}

/// The answer to what comes after the purchase in `row`.
fn answer(
    neighbours: &Neighbours,
    ranker: &mut Ranker,
    purchases: &[Purchase],
    row: usize,
    count: usize,
) -> Vec<Ranked> {
    let Purchase { time, item, .. } = &purchases[row];
    let mut sequence = ranker.begin(neighbours, *time);
    let own = Event { time: *time, item };
    sequence.at_once(std::iter::once(own).chain(past(purchases, row, |purchase| purchase.basket)));
    sequence.in_turn(past(purchases, row, |purchase| purchase.customer));
    sequence.rank(count).to_vec()
}

proptest! {
    #[test]
    fn learning_more_later_is_learning_all_at_once(purchases in purchases(), cut in 0..=50usize) {
        let cut = cut.min(purchases.len());
        let all = learned(&purchases, 0..purchases.len()).write();
        let first = learned(&purchases, 0..cut).write();
        let mut counts = Counts::from(Learned::read(&first).unwrap());
        for row in cut..purchases.len() {
            learn(&mut counts, &purchases, row);
        }
        prop_assert_eq!(counts.finish().write(), all);
    }

    #[test]
    fn the_order_of_learning_does_not_matter(purchases in purchases(), seed in any::<u64>()) {
        let mut rows: Vec<_> = (0..purchases.len()).collect();
        rows.sort_by_key(|&row| (row as u64 + 1).wrapping_mul(seed | 1));
        prop_assert_eq!(learned(&purchases, rows), learned(&purchases, 0..purchases.len()));
    }

    #[test]
    fn a_pair_counts_once_for_each_customer(purchases in purchases()) {
        let purchases: Vec<_> = purchases.into_iter().map(|purchase| Purchase { basket: None, ..purchase }).collect();
        let learned = learned(&purchases, 0..purchases.len());
        let bought = |customer: u8| -> BTreeSet<&str> {
            purchases.iter().filter(|purchase| purchase.customer == Some(customer)).map(|purchase| &*purchase.item).collect()
        };
        let together = |one: usize, other: usize| -> u64 {
            let pairs = learned.pairs.iter();
            let pairs = pairs.filter(|pair| (pair.earlier as usize, pair.later as usize) == (one, other));
            pairs.map(|pair| pair.together).sum()
        };
        for (one, item) in learned.items.iter().enumerate() {
            let count = purchases.iter().filter(|purchase| *purchase.item == *item.id).count();
            prop_assert_eq!(item.purchases, count as u64);
            for (other, second) in learned.items.iter().enumerate().take(one) {
                let customers = (0..4).filter(|&customer| {
                    let bought = bought(customer);
                    bought.contains(&*item.id) && bought.contains(&*second.id)
                });
                prop_assert_eq!(together(one, other) + together(other, one), customers.count() as u64);
            }
        }
    }

    #[test]
    fn what_is_read_is_what_was_written(purchases in purchases()) {
        let learned = learned(&purchases, 0..purchases.len());
        prop_assert_eq!(Learned::read(&learned.write()).unwrap(), learned);
    }

    #[test]
    fn a_changed_file_is_an_error_or_says_what_its_bytes_say(
        purchases in purchases(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        kind in 0..4u8,
    ) {
        let mut bytes = learned(&purchases, 0..purchases.len()).write();
        prop_assume!(!bytes.is_empty());
        let place = place.index(bytes.len());
        match kind {
            0 => bytes[place] = byte,
            1 => bytes[place] ^= 1 << (byte % 8),
            2 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        if let Ok(learned) = Learned::read(&bytes) {
            prop_assert_eq!(learned.write(), bytes);
            let neighbours = Neighbours::new(learned, Settings::default());
            prop_assert_eq!(neighbours.popular().len(), neighbours.len());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = b"item-knn\x01\0\0\0".to_vec();
        file.extend(bytes);
        if let Ok(learned) = Learned::read(&file) {
            prop_assert_eq!(learned.write(), file);
        }
    }

    #[test]
    fn a_truncated_file_is_refused(purchases in purchases()) {
        let bytes = learned(&purchases, 0..purchases.len()).write();
        for length in 1..bytes.len() {
            let error = Learned::read(&bytes[..length]).unwrap_err().to_string();
            prop_assert!(error.contains("is damaged at byte") && error.contains("expected"), "{}", error);
        }
    }

    #[test]
    fn answers_have_no_item_of_the_sequence_and_are_as_many_as_wanted(
        purchases in purchases(),
        count in 1..20usize,
        repeat in any::<bool>(),
        fill in any::<bool>(),
    ) {
        let settings = Settings { repeat, fill, neighbours: 0, ..Settings::default() };
        let neighbours = Neighbours::new(learned(&purchases, 0..purchases.len()), settings);
        let mut ranker = Ranker::default();
        for row in 0..purchases.len() {
            let answer = answer(&neighbours, &mut ranker, &purchases, row, count);
            let mut sequence: BTreeSet<&str> = BTreeSet::from([&*purchases[row].item]);
            sequence.extend(past(&purchases, row, |purchase| purchase.customer).map(|event| event.item));
            sequence.extend(past(&purchases, row, |purchase| purchase.basket).map(|event| event.item));
            let items: BTreeSet<u32> = answer.iter().map(|ranked| ranked.item).collect();
            prop_assert_eq!(items.len(), answer.len(), "an item twice");
            if fill {
                let rest = neighbours.len() - if repeat { 0 } else { sequence.len() };
                prop_assert_eq!(answer.len(), count.min(rest));
            }
            prop_assert!(answer.len() <= count);
            prop_assert!(answer.windows(2).all(|two| two[0].score >= two[1].score), "{:?}", answer);
            for ranked in &answer {
                prop_assert!(ranked.score.is_finite() && ranked.score > 0.0);
                prop_assert!(repeat || !sequence.contains(&*neighbours.item(ranked.item).id));
                match ranked.reason {
                    Reason::Bought(item) => prop_assert!(sequence.contains(&*neighbours.item(item).id)),
                    Reason::Popular => prop_assert!(fill),
                }
            }
        }
    }

    #[test]
    fn an_answer_does_not_depend_on_the_questions_before(purchases in purchases(), seed in any::<u64>()) {
        let neighbours = Neighbours::new(learned(&purchases, 0..purchases.len()), Settings::default());
        // Questions about another catalogue, in between, leave nothing behind either.
        let other = Neighbours::new(learned(&purchases, 0..purchases.len() / 2), Settings::default());
        let mut rows: Vec<_> = (0..purchases.len()).collect();
        rows.sort_by_key(|&row| (row as u64 + 1).wrapping_mul(seed | 1));
        let mut ranker = Ranker::default();
        for row in rows {
            answer(&other, &mut ranker, &purchases, row, 3);
            let after_others = answer(&neighbours, &mut ranker, &purchases, row, 5);
            prop_assert_eq!(after_others, answer(&neighbours, &mut Ranker::default(), &purchases, row, 5));
        }
    }

    #[test]
    fn scores_are_the_sums_of_the_formula(purchases in purchases(), directed in 0..=2u8, half_life in 0..3u8) {
        let settings = Settings {
            directed: f64::from(directed) / 2.0,
            half_life_days: f64::from(half_life) * 2e-10,
            neighbours: 0,
            ..Settings::default()
        };
        let learned = learned(&purchases, 0..purchases.len());
        let neighbours = Neighbours::new(learned.clone(), settings.clone());
        let similarity = |j: u32, i: u32| -> f64 {
            let pair = |earlier, later| {
                let mut pairs = learned.pairs.iter();
                let found = pairs.find(|pair| (pair.earlier, pair.later) == (earlier, later));
                found.map_or((0.0, 0.0), |pair| (pair.together as f64, pair.nearness as f64 / UNIT as f64))
            };
            let (forth, back) = (pair(j, i), pair(i, j));
            let together = forth.0 + back.0;
            let nearness = forth.1 * (1.0 + settings.directed) + back.1 * (1.0 - settings.directed);
            let purchases = |item: u32| learned.items[item as usize].purchases as f64;
            let popularity = purchases(j).powf(0.4) * purchases(i).powf(0.2);
            if together == 0.0 { 0.0 } else { together / (together + 2.0) * (nearness + 0.3 * together) / popularity }
        };
        let mut ranker = Ranker::default();
        for row in 0..purchases.len() {
            let Purchase { time, item, .. } = &purchases[row];
            let mut ages: Vec<(u32, i32, i64)> = vec![(neighbours.find(item).unwrap(), 0, *time)];
            for event in past(&purchases, row, |purchase| purchase.basket) {
                let item = neighbours.find(event.item).unwrap();
                if ages.iter().all(|age| age.0 != item) {
                    ages.push((item, 0, event.time));
                }
            }
            let mut age = 0;
            for event in past(&purchases, row, |purchase| purchase.customer) {
                let item = neighbours.find(event.item).unwrap();
                if ages.iter().all(|age| age.0 != item) {
                    age += 1;
                    ages.push((item, age, event.time));
                }
            }
            for ranked in answer(&neighbours, &mut ranker, &purchases, row, 100) {
                let weight = |(_, age, then): &(u32, i32, i64)| {
                    let days = (time - then) as f64 / 86_400e6;
                    let fade = if half_life == 0 { 1.0 } else { (-days / settings.half_life_days).exp2() };
                    0.65f64.powi(*age) * fade
                };
                let score: f64 = ages.iter().map(|step| weight(step) * similarity(step.0, ranked.item)).sum();
                if ranked.reason != Reason::Popular {
                    prop_assert!((score - f64::from(ranked.score)).abs() <= 1e-5 * score, "{} {:?}", score, ranked);
                }
            }
        }
    }

    #[test]
    fn the_neighbours_that_are_kept_are_the_most_similar(purchases in purchases(), kept in 1..8usize) {
        let learned = learned(&purchases, 0..purchases.len());
        let all = Neighbours::new(learned.clone(), Settings { neighbours: 0, ..Settings::default() });
        let some = Neighbours::new(learned, Settings { neighbours: kept, ..Settings::default() });
        for item in 0..all.len() as u32 {
            let mut best = all.of(item).to_vec();
            best.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
            best.truncate(kept);
            best.sort_by_key(|neighbour| neighbour.item);
            prop_assert_eq!(some.of(item), &best[..]);
        }
    }
}
