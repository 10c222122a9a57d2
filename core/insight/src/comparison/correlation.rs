//! How alike two columns of scores are.

use serde::{Deserialize, Serialize};

use super::rank::Ranks;
use super::shift::mean;

/// How alike two columns of scores are; null where all scores of a column are equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// Pearson's r, from -1 to 1: how close to a straight line the pairs of scores are.
    pub pearson: Option<f64>,
    /// Spearman's rho: Pearson's r of the ranks, where tied scores share the mean of their ranks (Kendall and
    /// Gibbons, "Rank correlation methods", 5th edition, 1990, chapter 3).
    pub spearman: Option<f64>,
    /// Kendall's tau-b: of the pairs of rows, those that both models order alike less those that they order
    /// differently, over the geometric mean of the pairs that each orders at all (Kendall, "The treatment of ties in
    /// ranking problems", Biometrika 33, 1945).
    pub kendall: Option<f64>,
}

impl Correlation {
    /// The ranks are those of the old and the new scores.
    pub(super) fn new(old: &[f64], new: &[f64], ranks: &(Ranks, Ranks)) -> Correlation {
        Correlation {
            pearson: pearson(old, new),
            spearman: spearman(&ranks.0, &ranks.1),
            kendall: kendall(&ranks.0, &ranks.1),
        }
    }
}

/// Pearson's r; None when all scores of a column are equal.
///
/// Scores are moved and scaled to 0 and 1 first: the squares of small ones would be 0, and the sum of great ones would
/// lose what tells them apart.
fn pearson(old: &[f64], new: &[f64]) -> Option<f64> {
    let (old_unit, new_unit) = (Unit::of(old)?, Unit::of(new)?);
    let (mut products, mut old_squares, mut new_squares) = (0.0, 0.0, 0.0);
    for (&old, &new) in old.iter().zip(new) {
        let (old, new) = (old_unit.centred(old), new_unit.centred(new));
        products += old * new;
        old_squares += old * old;
        new_squares += new * new;
    }
    over_root(products, old_squares, new_squares)
}

/// What takes a column to the range from 0 to 1, and there to a mean of 0.
struct Unit {
    least: f64,
    range: f64,
    mean: f64,
}

impl Unit {
    /// None when all scores are equal.
    fn of(scores: &[f64]) -> Option<Unit> {
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if greatest <= least {
            return None;
        }
        let unit = Unit { least, range: greatest - least, mean: 0.0 };
        Some(Unit { mean: mean(scores.iter().map(|&score| unit.centred(score))), ..unit })
    }

    fn centred(&self, score: f64) -> f64 {
        (score - self.least) / self.range - self.mean
    }
}

/// Spearman's rho. The sums are of integers, so they are exact, whatever the order of the rows.
fn spearman(old: &Ranks, new: &Ranks) -> Option<f64> {
    let doubled = (doubled(old), doubled(new));
    let squares = |ranks: &Ranks, doubled: &[i64]| -> f64 {
        let of_group =
            |((start, end), rank): ((u32, u32), &i64)| i128::from(end - start) * i128::from(*rank).pow(2);
        ranks.places().zip(doubled).map(of_group).sum::<i128>() as f64
    };
    let groups = old.groups().iter().zip(new.groups());
    let product = |(old, new): (&u32, &u32)| {
        i128::from(doubled.0[*old as usize]) * i128::from(doubled.1[*new as usize])
    };
    let products: i128 = groups.map(product).sum();
    over_root(products as f64, squares(old, &doubled.0), squares(new, &doubled.1))
}

/// For each group, twice the distance of its rank from the mean of all ranks: with places from `a` to `b - 1` of `n`,
/// the rank is `(a + 1 + b) / 2`, and the mean `(n + 1) / 2`.
fn doubled(ranks: &Ranks) -> Vec<i64> {
    let rows = ranks.groups().len() as i64;
    ranks.places().map(|(start, end)| i64::from(start) + i64::from(end) - rows).collect()
}

/// Kendall's tau-b, by sorting (Knight, "A computer method for calculating Kendall's tau with ungrouped data", Journal of
/// the American Statistical Association 61, 1966): with the rows in the old order, each pair of rows that the new order
/// turns round is an exchange of a merge sort.
fn kendall(old: &Ranks, new: &Ranks) -> Option<f64> {
    let groups = old.groups().iter().zip(new.groups());
    let mut both: Vec<u64> = groups.map(|(&old, &new)| u64::from(old) << 32 | u64::from(new)).collect();
    both.sort_unstable();
    let tied_in_both: u64 = both.chunk_by(u64::eq).map(|tied| pairs(tied.len() as u64)).sum();
    let all = pairs(both.len() as u64);
    let ordered =
        |ranks: &Ranks| all - ranks.places().map(|(start, end)| pairs(u64::from(end - start))).sum::<u64>();
    // The lower half is the new group.
    let exchanges = exchanges(both.iter().map(|&groups| groups as u32).collect());
    let (by_old, by_new) = (ordered(old), ordered(new));
    let by_both = i128::from(by_old) + i128::from(by_new) + i128::from(tied_in_both) - i128::from(all);
    over_root((by_both - 2 * i128::from(exchanges)) as f64, by_old as f64, by_new as f64)
}

/// How many pairs so many rows make.
fn pairs(rows: u64) -> u64 {
    rows * rows.saturating_sub(1) / 2
}

/// `product / sqrt(square * other)`; None where one of them is 0, which is a column that orders nothing.
fn over_root(product: f64, square: f64, other: f64) -> Option<f64> {
    // One root of the product and not two roots: where both are equal, the answer is exactly 1 or -1.
    (square > 0.0 && other > 0.0).then(|| (product / (square * other).sqrt()).clamp(-1.0, 1.0))
}

/// How many pairs of values stand with the greater one first.
fn exchanges(mut values: Vec<u32>) -> u64 {
    let mut merged = vec![0; values.len()];
    let (mut width, mut count) = (1, 0);
    while width < values.len() {
        for (two, into) in values.chunks(2 * width).zip(merged.chunks_mut(2 * width)) {
            let (left, right) = two.split_at(width.min(two.len()));
            count += merge(left, right, into);
        }
        std::mem::swap(&mut values, &mut merged);
        width *= 2;
    }
    count
}

/// Merges two ascending lists; returns how many pairs have the greater value on the left.
fn merge(left: &[u32], right: &[u32], into: &mut [u32]) -> u64 {
    let (mut l, mut r, mut count) = (0, 0, 0);
    for slot in into {
        if r == right.len() || l < left.len() && left[l] <= right[r] {
            *slot = left[l];
            l += 1;
            // What was taken from the right so far is less than this value.
            count += r as u64;
        } else {
            *slot = right[r];
            r += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::exchanges;

    #[test]
    fn exchanges_are_the_pairs_in_the_wrong_order() {
        for (values, expected) in [
            (vec![], 0),
            (vec![3], 0),
            (vec![1, 2, 3], 0),
            (vec![3, 2, 1], 3),
            (vec![2, 2, 1, 1], 4),
            (vec![5, 1, 4, 2, 3, 3, 0], 14),
        ] {
            assert_eq!(exchanges(values.clone()), expected, "{values:?}");
        }
    }
}
