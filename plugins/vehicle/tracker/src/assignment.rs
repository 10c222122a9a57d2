//! Which track gets which detection: the pairs with the greatest total affinity.
//!
//! Most tracks of a frame have one detection in reach, which nobody else reaches. So the pairs in reach are divided into
//! groups that share nothing, and only a group of several pairs becomes a table for `lsap` (Crouse, *On implementing 2D
//! rectangular assignment algorithms*, 2016).

use std::collections::{BTreeMap, BTreeSet};

/// Most cells of a table that is solved optimally, 32 MiB of numbers. In a larger group the best pair is taken first, then
/// the best of the rest: a thousand boxes on one heap cost no minutes.
pub const CELLS_MAX: usize = 1 << 22;

/// Two that may belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Position on the left side.
    pub left: usize,
    /// Position on the right side.
    pub right: usize,
    /// How well they go together. Only pairs above 0 are joined.
    pub affinity: f64,
}

/// Pairs with the greatest total affinity, each left and each right at most once, in the order of the left ones. No left and
/// right may be given twice.
///
/// ```
/// use foretell_plugin_tracker::assignment::{Pair, assign};
/// let pair = |left, right, affinity| Pair { left, right, affinity };
/// // Each for itself, 0 would take 0. Together, it leaves it to 1.
/// let pairs = [pair(0, 0, 0.9), pair(0, 1, 0.8), pair(1, 0, 0.7)];
/// assert_eq!(assign(&pairs), [(0, 1), (1, 0)]);
/// ```
pub fn assign(pairs: &[Pair]) -> Vec<(usize, usize)> {
    let mut assigned = Vec::new();
    for group in groups(pairs) {
        if let [pair] = group[..] {
            assigned.push((pair.left, pair.right));
        } else {
            solve(group, &mut assigned);
        }
    }
    assigned.sort_unstable();
    assigned
}

/// The pairs above 0, divided so that no two groups share a left or a right.
fn groups(pairs: &[Pair]) -> Vec<Vec<Pair>> {
    let pairs: Vec<Pair> = pairs.iter().filter(|pair| pair.affinity > 0.0).copied().collect();
    let lefts = pairs.iter().map(|pair| pair.left + 1).max().unwrap_or(0);
    let rights = pairs.iter().map(|pair| pair.right + 1).max().unwrap_or(0);
    // Who leads to the root of a group: lefts first, then rights.
    let mut parents: Vec<usize> = (0..lefts + rights).collect();
    for pair in &pairs {
        let (one, other) = (root(&mut parents, pair.left), root(&mut parents, lefts + pair.right));
        parents[other] = one;
    }
    let mut groups: BTreeMap<usize, Vec<Pair>> = BTreeMap::new();
    for pair in pairs {
        groups.entry(root(&mut parents, pair.left)).or_default().push(pair);
    }
    groups.into_values().collect()
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

fn solve(mut group: Vec<Pair>, assigned: &mut Vec<(usize, usize)>) {
    let side = |of: fn(&Pair) -> usize| {
        let mut places: Vec<usize> = group.iter().map(of).collect();
        places.sort_unstable();
        places.dedup();
        places
    };
    let (lefts, rights) = (side(|pair| pair.left), side(|pair| pair.right));
    if lefts.len().saturating_mul(rights.len()) > CELLS_MAX {
        group.sort_by(|one, other| other.affinity.total_cmp(&one.affinity));
        return take_best_first(&group, assigned);
    }
    // Out of reach counts as much as staying alone: nothing.
    let mut table = vec![0.0; lefts.len() * rights.len()];
    let place = |among: &[usize], value| among.partition_point(|&other| other < value);
    for pair in &group {
        table[place(&lefts, pair.left) * rights.len() + place(&rights, pair.right)] = pair.affinity;
    }
    let (rows, columns) = lsap::solve(lefts.len(), rights.len(), &table, true)
        .expect("a table of finite numbers has an assignment");
    for (row, column) in rows.into_iter().zip(columns) {
        if table[row * rights.len() + column] > 0.0 {
            assigned.push((lefts[row], rights[column]));
        }
    }
}

fn take_best_first(group: &[Pair], assigned: &mut Vec<(usize, usize)>) {
    let (mut lefts, mut rights) = (BTreeSet::new(), BTreeSet::new());
    for pair in group {
        if !lefts.contains(&pair.left) && !rights.contains(&pair.right) {
            lefts.insert(pair.left);
            rights.insert(pair.right);
            assigned.push((pair.left, pair.right));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(rows: &[&[f64]]) -> Vec<Pair> {
        let row = |(left, row): (usize, &&[f64])| {
            let pair = move |(right, &affinity): (usize, &f64)| Pair { left, right, affinity };
            row.iter().enumerate().map(pair).collect::<Vec<_>>()
        };
        rows.iter().enumerate().flat_map(row).collect()
    }

    #[test]
    fn the_total_is_the_greatest() {
        let is = |rows: &[&[f64]], expected: &[(usize, usize)]| {
            assert_eq!(assign(&pairs(rows)), expected, "{rows:?}");
        };
        is(&[], &[]);
        is(&[&[0.0, -1.0]], &[]);
        is(&[&[0.5], &[0.6], &[0.4]], &[(1, 0)]);
        is(&[&[0.9, 0.8, 0.0], &[0.7, 0.0, 0.0], &[0.0, 0.7, 0.1]], &[(0, 0), (2, 1)]);
        is(&[&[0.3, 0.0, 0.0], &[0.0, 0.0, 0.2]], &[(0, 0), (1, 2)]);
    }

    #[test]
    fn a_group_that_is_too_large_is_taken_best_first() {
        // A chain: each left reaches its own right with 1 and the next one with 2. Optimal and best first agree on it.
        let length = CELLS_MAX.isqrt() + 1;
        let own = (0..length).map(|place| Pair { left: place, right: place, affinity: 1.0 });
        let next = (0..length - 1).map(|place| Pair { left: place, right: place + 1, affinity: 2.0 });
        let assigned = assign(&own.chain(next).collect::<Vec<_>>());
        assert_eq!(assigned, (0..length - 1).map(|place| (place, place + 1)).collect::<Vec<_>>());
    }
}
