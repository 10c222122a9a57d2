//! The rows that moved most.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The rows with the `count` greatest `|new - old|`, the greatest first; of equally great ones the earlier row.
///
/// `O(n log count)`, in the memory of the answer. Where one column is longer, its last rows are not looked at.
///
/// ```
/// use foretell_insight::comparison::most_moved;
///
/// assert_eq!(most_moved(&[0.1, 0.5, 0.9], &[0.1, 0.9, 0.2], 2), [2, 1]);
/// ```
pub fn most_moved(old: &[f64], new: &[f64], count: usize) -> Vec<usize> {
    // The greatest of the heap is what moved least: the first to make room.
    let mut most: BinaryHeap<Reverse<Moved>> = BinaryHeap::new();
    for (row, (old, new)) in old.iter().zip(new).enumerate() {
        let moved = Moved { distance: (new - old).abs(), row };
        if most.len() < count {
            most.push(Reverse(moved));
        } else if let Some(mut least) = most.peek_mut()
            && moved > least.0
        {
            least.0 = moved;
        }
    }
    most.into_sorted_vec().into_iter().map(|Reverse(moved)| moved.row).collect()
}

/// A row, as great as the distance that it moved.
struct Moved {
    distance: f64,
    row: usize,
}

impl Ord for Moved {
    fn cmp(&self, other: &Moved) -> Ordering {
        self.distance.total_cmp(&other.distance).then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for Moved {
    fn partial_cmp(&self, other: &Moved) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moved {
    fn eq(&self, other: &Moved) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moved {}
