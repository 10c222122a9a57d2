//! The published features, splits and Card Precisions against what the product's own code computes from its database.

use std::collections::HashMap;
use std::fmt::Write as _;

use foretell_fraud::card_precision::Detected;
use foretell_fraud::split::{Split, Windows};
use foretell_plugin_fraud::features::FEATURES;
use foretell_runtime::manifest::Manifest;
use foretell_store::open::Store;
use foretell_terminal::Failure;
use sha2::{Digest, Sha256};

use super::features::{Computed, compute};
use super::handbook::{Checks, Handbook, Reference};
use super::stored::Stored;
use super::tree;
use crate::figures::Figures;
use crate::reproduce::check::Check;

/// Largest difference between two features that still counts as equal. Both sides add amounts of whole cents in other
/// orders, which moves the last digits of a mean; a different set of transactions moves it by far more.
const FEATURE_TOLERANCE: f64 = 1e-6;

/// Makes all checks on the database, on transactions that `run` has scored.
pub(super) async fn check(
    store: &Store,
    manifest: &Manifest,
    handbook: &Handbook,
    run: i64,
    figures: &mut Figures,
) -> Result<Vec<Check>, Failure> {
    let expected = handbook.checks()?;
    let last = expected.prequential_test.iter().map(|fold| fold.train_start).max();
    let single = Windows::published(expected.single_split.train_start);
    let all = single.all().start..last.map_or(single.all().end, |last| Windows::published(last).all().end);
    let stored = Stored::read(store, run, all).await?;
    let parts = stored.split(&single)?;
    let computed = compute(store, manifest, single.all()).await?;

    let mut checks = check_split(&stored, &parts, &expected);
    checks.push(compare_features(&handbook.reference()?, &stored, &computed, figures)?);
    checks.extend(tree::check(&stored, &parts.test, &computed, &expected.cp100_golden_ch4_dt2, figures)?);
    checks.extend(check_perfect_scores(&stored, &expected, figures)?);
    Ok(checks)
}

fn check_split(stored: &Stored, parts: &Split, expected: &Checks) -> Vec<Check> {
    let expected = &expected.single_split;
    let all: Vec<usize> = parts.test.iter().chain(&parts.removed).copied().collect();
    let counts = [
        ("training week: rows, frauds", [expected.train_rows, expected.train_frauds], &parts.train),
        ("test week: rows, frauds", expected.test_week_before_card_removal, &all),
        ("test week without known cards", [expected.test_rows, expected.test_frauds], &parts.test),
    ];
    let text = |counts: [usize; 2]| counts.map(|count| count.to_string()).join(" ");
    let counts =
        counts.map(|(what, published, rows)| Check::equal(what, text(published), text(stored.count(rows))));
    let hashes = [
        ("training ids: SHA-256", &expected.train_ids_sha256_le_i32, &parts.train),
        ("test ids: SHA-256", &expected.test_ids_sorted_sha256_le_i32, &parts.test),
    ];
    let hashes = hashes.map(|(what, published, rows)| {
        // The beginning is published.
        let published = published.trim_end_matches('…').to_owned();
        let mut hash = hash_of_ids(rows.iter().map(|&row| stored.transactions[row]));
        hash.truncate(published.len());
        Check::equal(what, published, hash)
    });
    counts.into_iter().chain(hashes).collect()
}

/// SHA-256 of the ids as 32-bit little-endian numbers, ascending.
fn hash_of_ids(ids: impl Iterator<Item = i64>) -> String {
    let mut ids: Vec<i32> = ids.map(|id| id as i32).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.to_le_bytes());
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Holds if every row that differs shares customer and second with another row: the order of such rows was not fixed in
/// the original.
fn compare_features(
    reference: &Reference,
    stored: &Stored,
    computed: &Computed,
    figures: &mut Figures,
) -> Result<Check, Failure> {
    if stored.records.get(..computed.records.len()) != Some(computed.records.as_slice()) {
        return Err(Failure::words("the walk gave other records than were scored"));
    }
    let rows: HashMap<i64, usize> =
        stored.transactions[..computed.records.len()].iter().copied().zip(0..).collect();
    let mut same_second: HashMap<(u32, i64), u32> = HashMap::new();
    for (&customer, &time) in stored.customers.iter().zip(&stored.times) {
        *same_second.entry((customer, time)).or_default() += 1;
    }
    let (mut compared, mut different, mut untied, mut largest) = (0, 0, 0, 0.0f64);
    for (transaction, published) in reference.transactions.iter().zip(&reference.features) {
        let Some(&row) = rows.get(transaction) else { continue };
        let own = &computed.features[row][FEATURES - published.len()..];
        let apart =
            own.iter().zip(published).map(|(own, published)| (own - published).abs()).fold(0.0, f64::max);
        compared += 1;
        if apart <= FEATURE_TOLERANCE {
            largest = largest.max(apart);
        } else {
            different += 1;
            untied += u32::from(same_second[&(stored.customers[row], stored.times[row])] < 2);
        }
    }
    for (name, figure) in [
        ("rows_compared", f64::from(compared)),
        ("rows_different", f64::from(different)),
        ("rows_different_untied", f64::from(untied)),
        ("tolerance", FEATURE_TOLERANCE),
        ("largest_difference_of_equal", largest),
    ] {
        figures.set(format!("fraud.features.{name}"), figure);
    }
    let all = reference.transactions.len();
    Ok(Check::new(
        format!("features equal within {FEATURE_TOLERANCE:e}"),
        format!("{all} rows, but tied ones"),
        format!(
            "{compared} compared, {different} differ, {untied} of them not tied; others within {largest:.1e}"
        ),
        compared as usize == all && untied == 0,
    ))
}

/// Perfect scores: the labels themselves.
fn check_perfect_scores(
    stored: &Stored,
    expected: &Checks,
    figures: &mut Figures,
) -> Result<Vec<Check>, Failure> {
    let oracle = |test: &[usize]| {
        let score = |row: usize| f64::from(u8::from(stored.frauds[row]));
        Ok::<_, Failure>(stored.card_precision(test, score, Detected::Removed)?.mean)
    };
    let single = &expected.single_split;
    let found = oracle(&stored.split(&Windows::published(single.train_start))?.test)?;
    figures.set("fraud.golden.oracle.single", found);
    let mut checks =
        vec![Check::rounded("single split: CP@100 of perfect scores", single.oracle_cp100, found, 4)];
    for fold in &expected.prequential_test {
        let start = fold.train_start;
        let parts = stored.split(&Windows::published(start))?;
        let text = |train: [usize; 2], test: [usize; 2]| format!("{train:?} {test:?}");
        let (train, test) = (stored.count(&parts.train), stored.count(&parts.test));
        let what = format!("fold {start}: rows, frauds of training and test");
        checks.push(Check::equal(what, text(fold.train, fold.test), text(train, test)));
        let found = oracle(&parts.test)?;
        figures.set(format!("fraud.golden.oracle.{start}"), found);
        let what = format!("fold {start}: CP@100 of perfect scores");
        checks.push(Check::rounded(what, fold.oracle_cp100, found, 4));
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Two rows, the first of them tied with itself only when `tied`.
    fn compare(tied: bool, own: f64) -> (Check, String) {
        let times = if tied { vec![SECOND, SECOND] } else { vec![SECOND, 2 * SECOND] };
        let stored = Stored {
            records: vec![1, 2],
            transactions: vec![10, 11],
            times,
            customers: vec![5, 5],
            frauds: vec![false; 2],
        };
        let reference = Reference { transactions: vec![10, 11], features: vec![[1.0; 14]; 2] };
        let mut features = vec![[1.0; FEATURES]; 2];
        features[0][FEATURES - 1] = own;
        let computed = Computed { records: vec![1, 2], features };
        let mut figures = Figures::default();
        let check = compare_features(&reference, &stored, &computed, &mut figures).unwrap();
        (check, serde_json::to_string(&figures).unwrap())
    }

    #[test]
    fn only_tied_rows_may_differ() {
        for (tied, own, held, different) in [
            (false, 1.0, true, 0),
            (false, 1.0 + 1e-9, true, 0),
            (false, 1.1, false, 1),
            (true, 1.1, true, 1),
        ] {
            let (check, figures) = compare(tied, own);
            assert_eq!(check.held(), held, "{tied} {own}");
            assert!(
                figures.contains(&format!("\"fraud.features.rows_different\":{different},")),
                "{figures}"
            );
        }
    }

    #[test]
    fn ids_are_hashed_in_ascending_order() {
        // SHA-256 of the bytes 01 00 00 00 02 00 00 00.
        let expected = "34fb5c825de7ca4aea6e712f19d439c1da0c92c37b423936c5f618545ca4fa1f";
        assert_eq!(hash_of_ids([2, 1].into_iter()), expected);
    }
}
