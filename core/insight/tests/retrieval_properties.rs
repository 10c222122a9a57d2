//! What must hold for any ranked lists.

use std::num::NonZeroUsize;

use foretell_insight::lists::Lists;
use foretell_insight::retrieval::{
    Columns, Cutoff, Hits, Popularity, RankingReport, RetrievalError, Settings, gini,
};
use proptest::prelude::*;

const ITEMS: usize = 12;
const CUTOFFS: [usize; 5] = [1, 2, 3, 7, 20];
const TOLERANCE: f64 = 1e-12;

/// A ranked list and its targets.
type Row = (Vec<u32>, Vec<u32>);

/// Some of the items in any order, none twice.
fn items(most: usize) -> impl Strategy<Value = Vec<u32>> {
    let all: Vec<u32> = (0..ITEMS as u32).collect();
    (Just(all).prop_shuffle(), 0..=most).prop_map(|(items, count)| items[..count].to_vec())
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((items(ITEMS), items(4)), 1..20)
}

/// By item: how well it is known, and its category.
fn catalogue() -> impl Strategy<Value = Vec<(u64, Option<u32>)>> {
    prop::collection::vec((0u64..100, prop::option::of(0u32..4)), ITEMS)
}

fn flat<'a>(lists: impl Iterator<Item = &'a Vec<u32>>) -> (Vec<u32>, Vec<usize>) {
    let (mut values, mut offsets) = (Vec::new(), vec![0]);
    for list in lists {
        values.extend(list);
        offsets.push(values.len());
    }
    (values, offsets)
}

fn report(rows: &[Row], catalogue: &[(u64, Option<u32>)]) -> RankingReport {
    let (lists, targets) = (flat(rows.iter().map(|row| &row.0)), flat(rows.iter().map(|row| &row.1)));
    let (counts, categories): (Vec<u64>, Vec<Option<u32>>) = catalogue.iter().copied().unzip();
    let columns = Columns {
        lists: Lists::new(&lists.0, &lists.1).expect("good offsets"),
        targets: Lists::new(&targets.0, &targets.1).expect("good offsets"),
        popularity: Popularity { counts: &counts, population: 100 },
        categories: Some(&categories),
    };
    let cutoffs = CUTOFFS.into_iter().filter_map(NonZeroUsize::new).collect();
    RankingReport::new(&columns, &Settings { cutoffs, bootstrap: None }).expect("good columns")
}

/// The figures by name; those that are not between 0 and 1 come last.
fn figures(cutoff: &Cutoff) -> [(&'static str, Option<f64>); 11] {
    [
        ("hit_rate", cutoff.hit_rate.map(|rate| rate.value)),
        ("recall", cutoff.recall),
        ("map", cutoff.map),
        ("mrr", cutoff.mrr),
        ("coverage", Some(cutoff.coverage)),
        ("ndcg", cutoff.ndcg.map(|ndcg| ndcg.value)),
        ("precision", cutoff.precision),
        ("gini", cutoff.gini),
        ("diversity", cutoff.diversity),
        ("popularity", cutoff.popularity),
        ("novelty", cutoff.novelty),
    ]
}

const SHARES: usize = 9;
const NEVER_FALLING: usize = 5;

fn agree(one: &RankingReport, two: &RankingReport) -> Result<(), TestCaseError> {
    prop_assert_eq!((one.rows, one.without_target, one.empty), (two.rows, two.without_target, two.empty));
    for (one, two) in one.cutoffs.iter().zip(&two.cutoffs) {
        prop_assert_eq!(one.unseen, two.unseen);
        for ((name, one), (_, two)) in figures(one).into_iter().zip(figures(two)) {
            let close = match (one, two) {
                (Some(one), Some(two)) => (one - two).abs() < TOLERANCE * one.max(1.0),
                (one, two) => one.is_none() && two.is_none(),
            };
            prop_assert!(close, "{}: {:?} and {:?}", name, one, two);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn shares_are_between_0_and_1(rows in rows(), catalogue in catalogue()) {
        let report = report(&rows, &catalogue);
        prop_assert_eq!(report.rows + report.without_target, rows.len());
        for cutoff in &report.cutoffs {
            for (name, figure) in &figures(cutoff)[..SHARES] {
                prop_assert!(figure.is_none_or(|share| (0.0..=1.0).contains(&share)), "{}: {:?}", name, figure);
            }
            prop_assert!(cutoff.novelty.is_none_or(|bits| (0.0..=100f64.log2()).contains(&bits)));
            prop_assert!(cutoff.popularity.is_none_or(|count| (0.0..100.0).contains(&count)));
        }
    }

    #[test]
    fn more_places_find_no_less(rows in rows(), catalogue in catalogue()) {
        for pair in report(&rows, &catalogue).cutoffs.windows(2) {
            for ((name, few), (_, many)) in figures(&pair[0]).into_iter().zip(figures(&pair[1])).take(NEVER_FALLING) {
                prop_assert!(few <= many, "{}: {:?} and then {:?}", name, few, many);
            }
        }
    }

    #[test]
    fn the_order_of_rows_and_of_targets_does_not_matter(rows in rows(), catalogue in catalogue(), turn in 0usize..20) {
        let mut moved = rows.clone();
        moved.rotate_left(turn % rows.len());
        for (_, targets) in &mut moved {
            targets.reverse();
        }
        agree(&report(&rows, &catalogue), &report(&moved, &catalogue))?;
    }

    #[test]
    fn the_numbers_of_items_do_not_matter(
        rows in rows(),
        catalogue in catalogue(),
        numbers in Just((0..ITEMS as u32).collect::<Vec<u32>>()).prop_shuffle(),
    ) {
        let mut renumbered = catalogue.clone();
        for (item, &number) in numbers.iter().enumerate() {
            renumbered[number as usize] = catalogue[item];
        }
        let renumber = |items: &Vec<u32>| items.iter().map(|&item| numbers[item as usize]).collect();
        let moved: Vec<Row> = rows.iter().map(|(list, targets)| (renumber(list), renumber(targets))).collect();
        agree(&report(&rows, &catalogue), &report(&moved, &renumbered))?;
    }

    #[test]
    fn a_list_that_begins_with_its_targets_is_perfect(targets in items(ITEMS), catalogue in catalogue()) {
        prop_assume!(!targets.is_empty());
        let rest = (0..ITEMS as u32).filter(|item| !targets.contains(item));
        let list = targets.iter().copied().chain(rest).collect();
        let found = targets.len();
        for cutoff in report(&[(list, targets)], &catalogue).cutoffs {
            let one = [cutoff.hit_rate, cutoff.ndcg].map(|estimate| estimate.map(|estimate| estimate.value));
            prop_assert_eq!((one, cutoff.mrr), ([Some(1.0); 2], Some(1.0)));
            let shown = found.min(cutoff.k) as f64;
            prop_assert_eq!(cutoff.precision, Some(shown / cutoff.k as f64));
            prop_assert_eq!((cutoff.recall, cutoff.map), (Some(shown / found as f64), Some(shown / found as f64)));
        }
    }

    #[test]
    fn with_one_target_metrics_are_functions_of_its_rank(
        list in items(ITEMS),
        target in 0..ITEMS as u32,
        catalogue in catalogue(),
    ) {
        let rank = list.iter().position(|&item| item == target);
        for cutoff in report(&[(list, vec![target])], &catalogue).cutoffs {
            let rank = rank.filter(|&rank| rank < cutoff.k);
            let place = rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0));
            let gain = rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2());
            let hit = f64::from(u8::from(rank.is_some()));
            prop_assert_eq!(cutoff.hit_rate.map(|rate| rate.value), Some(hit));
            prop_assert_eq!((cutoff.recall, cutoff.precision), (Some(hit), Some(hit / cutoff.k as f64)));
            prop_assert_eq!((cutoff.mrr, cutoff.map), (Some(place), Some(place)));
            prop_assert_eq!(cutoff.ndcg.map(|ndcg| ndcg.value), Some(gain));
        }
    }

    #[test]
    fn moving_a_hit_up_never_costs(
        ranks in prop::collection::btree_set(1u32..30, 1..6),
        more in 0usize..4,
        k in 1usize..30,
    ) {
        let k = NonZeroUsize::new(k).expect("from 1 on");
        let ranks: Vec<u32> = ranks.into_iter().collect();
        let up: Vec<u32> = ranks.iter().map(|rank| rank - 1).collect();
        let of = |ranks: Vec<u32>| {
            let targets = ranks.len() + more;
            let hits = Hits::new(ranks, targets).expect("ascending ranks");
            [hits.precision(k), hits.recall(k), hits.ndcg(k), hits.average_precision(k), hits.reciprocal_rank(k)]
        };
        for (before, after) in of(ranks).into_iter().zip(of(up)) {
            prop_assert!(before <= after, "{} and then {}", before, after);
        }
    }

    #[test]
    fn gini_does_not_see_scale_or_order(counts in prop::collection::vec(0u32..1000, 1..40), factor in 1u32..1000) {
        let scaled = counts.iter().rev().map(|count| count * factor).collect();
        match (gini(counts.clone()), gini(scaled)) {
            (Some(one), Some(two)) => {
                prop_assert!((one - two).abs() < TOLERANCE);
                prop_assert!((0.0..=1.0 - 1.0 / counts.len() as f64 + TOLERANCE).contains(&one));
            }
            (one, two) => prop_assert!(one.is_none() && two.is_none() && counts.iter().all(|&count| count == 0)),
        }
    }
}

#[test]
fn places_that_targets_cannot_have_are_refused() {
    let refused = |ranks: &[u32], targets| Hits::new(ranks.to_vec(), targets).expect_err("bad ranks");
    assert_eq!(refused(&[], 0), RetrievalError::Hits { found: 0, targets: 0 });
    assert_eq!(refused(&[1, 2], 1), RetrievalError::Hits { found: 2, targets: 1 });
    assert_eq!(refused(&[2, 1], 2), RetrievalError::Hits { found: 2, targets: 2 });
    assert_eq!(refused(&[1, 1], 2), RetrievalError::Hits { found: 2, targets: 2 });
}

#[test]
fn a_row_in_which_nothing_was_found_has_only_zeros() {
    let hits = Hits::new(Vec::new(), 3).expect("three targets");
    let k = NonZeroUsize::MAX;
    assert_eq!((hits.first(), hits.hit(k)), (None, false));
    assert_eq!([hits.precision(k), hits.recall(k), hits.ndcg(k)], [0.0; 3]);
    assert_eq!([hits.average_precision(k), hits.reciprocal_rank(k)], [0.0; 2]);
}
