//! Scores in order.

use crate::classification::descending;

/// A column of scores in order: tied rows are a group, and group 0 has the highest score.
///
/// Counting from the top and not from the bottom changes the sign of both columns' ranks, and so of no figure here.
pub(super) struct Ranks {
    /// The key of each group, ascending, so that columns can be merged.
    keys: Vec<u64>,
    /// One past the last place of each group, ascending.
    ends: Vec<u32>,
    /// The group of each row.
    groups: Vec<u32>,
}

impl Ranks {
    pub(super) fn new(scores: &[f64]) -> Ranks {
        let mut keyed: Vec<(u64, u32)> =
            (0u32..).zip(scores).map(|(row, &score)| (descending(score), row)).collect();
        keyed.sort_unstable();
        let mut ranks = Ranks { keys: Vec::new(), ends: Vec::new(), groups: vec![0; scores.len()] };
        let mut end = 0;
        for group in keyed.chunk_by(|a, b| a.0 == b.0) {
            for &(_, row) in group {
                ranks.groups[row as usize] = ranks.keys.len() as u32;
            }
            end += group.len() as u32;
            ranks.keys.push(group[0].0);
            ranks.ends.push(end);
        }
        ranks
    }

    /// The first place of each group, and one past its last.
    pub(super) fn places(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut start = 0;
        self.ends.iter().map(move |&end| (std::mem::replace(&mut start, end), end))
    }

    /// The group of each row.
    pub(super) fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// The greatest distance between the two distribution functions, from 0 to 1: the two-sample Kolmogorov-Smirnov
    /// statistic. Both columns have the same number of rows, so it is a difference of counts.
    pub(super) fn kolmogorov_smirnov(&self, other: &Ranks) -> f64 {
        let (mut own, mut others, mut greatest) = (0, 0, 0);
        let up_to = |ranks: &Ranks, groups: usize| groups.checked_sub(1).map_or(0, |last| ranks.ends[last]);
        while let (Some(key), Some(other_key)) = (self.keys.get(own), other.keys.get(others)) {
            own += usize::from(key <= other_key);
            others += usize::from(other_key <= key);
            greatest = greatest.max(up_to(self, own).abs_diff(up_to(other, others)));
        }
        // Once one column has ended, the other one only comes closer.
        f64::from(greatest) / self.groups.len() as f64
    }
}
