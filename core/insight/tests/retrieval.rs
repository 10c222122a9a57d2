//! Ranked lists against the answers of trec_eval and NumPy (`golden/make_retrieval.py` made the file), the report and
//! its errors.

use std::num::NonZeroUsize;

use foretell_insight::bootstrap::{Bootstrap, BootstrapError};
use foretell_insight::lists::Lists;
use foretell_insight::report::Estimate;
use foretell_insight::retrieval::{
    CUTOFFS_MAX, Column, Columns, Cutoff, Popularity, RANKING_REPORT_VERSION, RankingReport, RetrievalError,
    Settings, gini,
};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lists: Flat,
    targets: Flat,
    popularity: Vec<u64>,
    population: u64,
    categories: Vec<Option<u32>>,
    expected: Vec<Value>,
}

#[derive(Deserialize)]
struct Flat {
    values: Vec<u32>,
    offsets: Vec<usize>,
}

impl Flat {
    fn lists(&self) -> Lists<'_, u32> {
        Lists::new(&self.values, &self.offsets).expect("offsets of the golden file")
    }
}

fn settings(cutoffs: &[usize]) -> Settings {
    Settings { cutoffs: cutoffs.iter().copied().filter_map(NonZeroUsize::new).collect(), bootstrap: None }
}

fn value(estimate: Option<Estimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.value)
}

#[test]
fn figures_are_those_of_the_golden_file() {
    let file: File = serde_json::from_str(include_str!("golden/retrieval.json")).expect("valid JSON");
    assert!(file.cases.len() > 15);
    for Case { name, lists, targets, popularity, population, categories, expected } in &file.cases {
        let columns = Columns {
            lists: lists.lists(),
            targets: targets.lists(),
            popularity: Popularity { counts: popularity, population: *population },
            categories: Some(categories),
        };
        let cutoffs: Vec<usize> =
            expected.iter().filter_map(|figures| figures["k"].as_u64()).map(|k| k as usize).collect();
        let report = RankingReport::new(&columns, &settings(&cutoffs)).expect("good columns");
        assert_eq!(report.cutoffs.iter().map(|cutoff| cutoff.k).collect::<Vec<_>>(), cutoffs, "{name}");
        for (expected, found) in expected.iter().zip(&report.cutoffs) {
            check(name, expected, found);
        }
    }
}

fn check(name: &str, expected: &Value, found: &Cutoff) {
    let k = found.k;
    assert_eq!(expected["unseen"], found.unseen, "{name}: unseen at {k}");
    for (metric, found) in [
        ("hit_rate", value(found.hit_rate)),
        ("ndcg", value(found.ndcg)),
        ("precision", found.precision),
        ("recall", found.recall),
        ("map", found.map),
        ("mrr", found.mrr),
        ("coverage", Some(found.coverage)),
        ("gini", found.gini),
        ("popularity", found.popularity),
        ("novelty", found.novelty),
        ("diversity", found.diversity),
    ] {
        let expected = &expected[metric];
        let agrees = match (expected.as_f64(), found) {
            (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE * expected.abs().max(1.0),
            (_, found) => expected.is_null() && found.is_none(),
        };
        assert!(agrees, "{name}: {metric} at {k}: expected {expected}, found {found:?}");
    }
}

/// Rows of different kinds: a hit, a miss, an empty list, and none with a target.
const LISTS: (&[u32], &[usize]) = (&[0, 1, 2, 1, 3], &[0, 2, 3, 3, 5]);
const TARGETS: (&[u32], &[usize]) = (&[1, 0, 2], &[0, 1, 2, 3, 3]);

fn columns() -> Columns<'static> {
    Columns {
        lists: Lists::new(LISTS.0, LISTS.1).expect("good offsets"),
        targets: Lists::new(TARGETS.0, TARGETS.1).expect("good offsets"),
        popularity: Popularity { counts: &[8, 4, 2, 0, 1], population: 8 },
        categories: None,
    }
}

#[test]
fn an_empty_list_is_a_miss_and_a_row_without_target_is_reported() {
    let report = RankingReport::new(&columns(), &settings(&[2])).expect("good columns");
    assert_eq!(report.version, RANKING_REPORT_VERSION);
    assert_eq!((report.rows, report.without_target, report.empty, report.items), (3, 1, 1, 5));
    let [cutoff] = report.cutoffs[..] else { panic!("one cutoff") };
    assert_eq!(value(cutoff.hit_rate), Some(1.0 / 3.0));
    assert_eq!(cutoff.mrr, Some(0.5 / 3.0));
    // Items 0 to 3 are shown, item 3 by the list whose row has no target; nobody knows it.
    assert_eq!((cutoff.coverage, cutoff.unseen), (0.8, 1));
    assert_eq!(cutoff.popularity, Some((8.0 + 4.0 + 2.0 + 4.0) / 5.0));
    assert_eq!(cutoff.novelty, Some((0.0 + 1.0 + 2.0 + 1.0) / 4.0));
    assert_eq!(cutoff.diversity, None);
    assert!(report.undefined.is_empty(), "{:?}", report.undefined);
}

#[test]
fn cutoffs_are_put_in_order_and_named_once() {
    let report = RankingReport::new(&columns(), &settings(&[7, 1, 7, 2])).expect("good columns");
    assert_eq!(report.cutoffs.iter().map(|cutoff| cutoff.k).collect::<Vec<_>>(), [1, 2, 7]);
}

#[test]
fn a_target_that_is_named_twice_counts_once() {
    let once = Lists::new(&[1, 4], &[0, 2]).expect("good offsets");
    let twice = Lists::new(&[1, 4, 1, 4, 1], &[0, 5]).expect("good offsets");
    let lists = Lists::new(&[0, 1, 2], &[0, 3]).expect("good offsets");
    let of = |targets| RankingReport::new(&Columns { lists, targets, ..columns() }, &settings(&[1, 3]));
    assert_eq!(of(once), of(twice));
}

#[test]
fn what_does_not_exist_is_null_and_named() {
    let nothing = Lists::new(&[], &[0, 0, 0]).expect("good offsets");
    let none = Columns { lists: nothing, targets: nothing, categories: Some(&[None; 5]), ..columns() };
    let report =
        RankingReport::new(&none, &Settings { bootstrap: Some(Bootstrap::default()), ..settings(&[1]) })
            .expect("good columns");
    assert_eq!((report.rows, report.without_target, report.cutoffs[0].coverage), (0, 2, 0.0));
    let named: Vec<&str> = report.undefined.iter().map(|missing| missing.metric.as_str()).collect();
    let expected = ["hit_rate", "ndcg", "precision", "recall", "map", "mrr", "gini", "popularity", "novelty"];
    assert_eq!(named, [&expected[..], &["diversity"]].concat());
    assert_eq!(report.undefined[0].reason, "none of 2 rows has a target; select rows whose outcome is known");
    let json = serde_json::to_value(&report).expect("plain data");
    assert_eq!(json["cutoffs"][0]["ndcg"], Value::Null);
}

#[test]
fn intervals_hold_the_figure_and_depend_on_the_seed_alone() {
    // Every third row is a hit at the first place, every third at the third. In front are rows without target.
    let rows = 300;
    let report = |without_target: usize, seed| {
        let lists: Vec<u32> = (0..without_target + rows).flat_map(|_| [0, 1, 2]).collect();
        let list_ends: Vec<usize> = (0..=without_target + rows).map(|row| row * 3).collect();
        let targets: Vec<u32> = (0..rows).map(|row| [0, 2, 4][row % 3]).collect();
        let target_ends: Vec<usize> = std::iter::repeat_n(0, without_target).chain(0..=rows).collect();
        let columns = Columns {
            lists: Lists::new(&lists, &list_ends).expect("good offsets"),
            targets: Lists::new(&targets, &target_ends).expect("good offsets"),
            ..columns()
        };
        let bootstrap = Some(Bootstrap { seed, ..Bootstrap::default() });
        let report = RankingReport::new(&columns, &Settings { bootstrap, ..settings(&[2, 3]) });
        report.expect("good settings").cutoffs.into_iter().flat_map(|cutoff| [cutoff.hit_rate, cutoff.ndcg])
    };
    for (estimate, expected) in report(0, 5).zip([1.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0, 0.5]) {
        let estimate = estimate.expect("there are targets");
        let interval = estimate.interval.expect("asked for");
        assert!((estimate.value - expected).abs() < TOLERANCE, "{estimate:?}");
        // The standard error of a share is the root of p (1 - p) / n; no figure here varies more than a hit rate.
        let widest = 2.0 * 1.96 * (0.25f64 / rows as f64).sqrt();
        assert!(interval.low < expected && expected < interval.high, "{estimate:?}");
        assert!(interval.high - interval.low < 1.1 * widest, "{estimate:?}");
        assert!(interval.high - interval.low > 0.5 * widest, "{estimate:?}");
    }
    assert!(report(0, 5).eq(report(7, 5)));
    assert!(report(0, 5).ne(report(0, 6)));
}

#[test]
fn where_every_row_is_a_hit_no_draw_differs() {
    let lists = Lists::new(&[3, 1, 2, 0], &[0, 1, 2, 3, 4]).expect("good offsets");
    let bootstrap = Some(Bootstrap { replicates: 100, ..Bootstrap::default() });
    let settings = Settings { bootstrap, ..settings(&[1]) };
    let columns = Columns { lists, targets: lists, ..columns() };
    let cutoff = RankingReport::new(&columns, &settings).expect("good columns").cutoffs[0];
    for estimate in [cutoff.hit_rate, cutoff.ndcg] {
        let interval = estimate.and_then(|estimate| estimate.interval).expect("asked for");
        assert_eq!((interval.low, interval.high), (1.0, 1.0));
    }
}

#[test]
fn json_reads_back_as_the_same_report() {
    let settings = Settings {
        bootstrap: Some(Bootstrap { replicates: 50, ..Bootstrap::default() }),
        ..Settings::default()
    };
    let report = RankingReport::new(&columns(), &settings).expect("good columns");
    let json = serde_json::to_string(&report).expect("plain data");
    assert_eq!(serde_json::from_str::<RankingReport>(&json).expect("its own form"), report);
}

#[test]
fn gini_of_known_counts() {
    assert_eq!(gini(vec![]), None);
    assert_eq!(gini(vec![0, 0, 0]), None);
    assert_eq!(gini(vec![7]), Some(0.0));
    assert_eq!(gini(vec![1, 2, 3, 4]), Some(0.25));
    assert_eq!(gini(vec![u32::MAX; 3]), Some(0.0));
}

#[test]
fn bad_columns_are_refused_with_the_place() {
    let refused =
        |columns: &Columns<'_>| RankingReport::new(columns, &Settings::default()).expect_err("a bad column");
    let list =
        |items: &'static [u32], offsets: &'static [usize]| Lists::new(items, offsets).expect("good offsets");
    let good = columns();
    let no_rows = Columns { lists: list(&[], &[0]), targets: list(&[], &[0]), ..good };
    assert_eq!(refused(&no_rows), RetrievalError::Rows { found: 0 });
    let lengths = RetrievalError::Lengths { lists: 4, targets: 0 };
    assert_eq!(refused(&Columns { targets: list(&[], &[0]), ..good }), lengths);
    let no_items = Popularity { counts: &[], population: 0 };
    assert_eq!(refused(&Columns { popularity: no_items, ..good }), RetrievalError::NoItems);
    let popular = Popularity { counts: &[1, 9, 1, 1, 1], population: 8 };
    let popularity = RetrievalError::Popularity { item: 1, count: 9, population: 8 };
    assert_eq!(refused(&Columns { popularity: popular, ..good }), popularity);
    let categories = RetrievalError::Categories { items: 5, found: 2 };
    assert_eq!(refused(&Columns { categories: Some(&[None, Some(1)]), ..good }), categories);

    let unknown = refused(&Columns { lists: list(&[0, 5], &[0, 1, 2, 2, 2]), ..good });
    assert_eq!(unknown, RetrievalError::UnknownItem { column: Column::Lists, row: 1, item: 5, items: 5 });
    let unknown = refused(&Columns { targets: list(&[9], &[0, 0, 0, 0, 1]), ..good });
    let message = "item 9 in the targets of row 3 is not one of the 5; number items from 0";
    assert_eq!(unknown.to_string(), message);
    let repeated = refused(&Columns { lists: list(&[0, 3, 1, 3], &[0, 1, 4, 4, 4]), ..good });
    assert_eq!(repeated.to_string(), "the list of row 1 names item 3 twice; a list must name an item once");
    // A target that is shown twice is no better, and neither is a row without target.
    let repeated = refused(&Columns { lists: list(&[1, 1], &[0, 2, 2, 2, 2]), ..good });
    assert_eq!(repeated, RetrievalError::Repeated { row: 0, item: 1 });
    let repeated = refused(&Columns { lists: list(&[2, 2], &[0, 0, 0, 0, 2]), ..good });
    assert_eq!(repeated, RetrievalError::Repeated { row: 3, item: 2 });
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |settings: &Settings| RankingReport::new(&columns(), settings).expect_err("a bad setting");
    assert_eq!(refused(&settings(&[])), RetrievalError::Cutoffs { found: 0 });
    let many: Vec<usize> = (1..=CUTOFFS_MAX + 1).collect();
    assert_eq!(refused(&settings(&many)), RetrievalError::Cutoffs { found: CUTOFFS_MAX + 1 });
    let bootstrap = Some(Bootstrap { replicates: 0, ..Bootstrap::default() });
    let error = refused(&Settings { bootstrap, ..settings(&[1]) });
    assert_eq!(error, RetrievalError::Bootstrap(BootstrapError::Replicates { found: 0 }));
}
