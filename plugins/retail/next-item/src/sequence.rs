//! What every record's customer has, in the order in which it was bought.

use std::ops::Range;

/// Items that the network looks at, the newest of a sequence.
pub const LENGTH_MAX: usize = 50;

/// The sequences of the records of a call, one after the other: numbers of known items, oldest first.
#[derive(Debug, Default)]
pub struct Sequences {
    items: Vec<u32>,
    ends: Vec<usize>,
}

impl Sequences {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    /// Adds the sequence of the next record.
    pub fn push(&mut self, items: impl Iterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(self.items.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All items of a record's sequence.
    pub fn all(&self, record: usize) -> &[u32] {
        let start = record.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[start..self.ends[record]]
    }

    /// The newest [`LENGTH_MAX`] items of it.
    pub fn newest(&self, record: usize) -> &[u32] {
        let all = self.all(record);
        &all[all.len().saturating_sub(LENGTH_MAX)..]
    }
}

/// Records whose sequences have nearly one length, so that the network scores them at once and little of it is
/// padding.
#[derive(Debug)]
pub struct Groups {
    /// Records with at least one known item, the shortest sequence first; of one length in the order of the call.
    order: Vec<u32>,
    /// Parts of `order`.
    parts: Vec<Range<usize>>,
}

impl Groups {
    /// Puts `sequences` into groups of at most `rows` records.
    ///
    /// A group takes longer sequences until a quarter of it would be padding, so that many short groups do not each
    /// cost a run of the network.
    pub fn new(sequences: &Sequences, rows: usize) -> Self {
        let length = |record: u32| sequences.newest(record as usize).len();
        let mut order: Vec<u32> = (0..sequences.len() as u32).filter(|&record| length(record) > 0).collect();
        order.sort_by_key(|&record| length(record));
        let mut parts = Vec::new();
        let (mut start, mut items) = (0, 0);
        for (place, &record) in order.iter().enumerate() {
            let length = length(record);
            let size = (place + 1 - start) * length;
            if place > start && (place - start == rows || size - (items + length) > size / 4) {
                parts.push(start..place);
                (start, items) = (place, 0);
            }
            items += length;
        }
        if start < order.len() {
            parts.push(start..order.len());
        }
        Self { order, parts }
    }

    /// The groups, each as the records in it.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.parts.iter().map(|part| &self.order[part.clone()])
    }
}

/// Writes a group as the network's input: rows of one length with the newest item last, numbers from 1, and 0 for
/// padding before the oldest one. Returns the length.
pub fn lay_out(sequences: &Sequences, group: &[u32], input: &mut Vec<i64>) -> usize {
    let length = group.iter().map(|&record| sequences.newest(record as usize).len()).max().unwrap_or(0);
    input.clear();
    for &record in group {
        let items = sequences.newest(record as usize);
        input.extend(std::iter::repeat_n(0, length - items.len()));
        input.extend(items.iter().map(|&item| i64::from(item) + 1));
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lengths: &[usize]) -> Sequences {
        let mut sequences = Sequences::default();
        for &length in lengths {
            sequences.push(0..length as u32);
        }
        sequences
    }

    #[test]
    fn the_newest_are_the_last_fifty() {
        let sequences = of(&[3, 0, LENGTH_MAX + 20]);
        assert_eq!(sequences.all(0), [0, 1, 2]);
        assert_eq!(sequences.newest(0), [0, 1, 2]);
        assert!(sequences.newest(1).is_empty());
        assert_eq!(sequences.all(2).len(), LENGTH_MAX + 20);
        assert_eq!(sequences.newest(2)[0], 20);
        assert_eq!(sequences.newest(2).len(), LENGTH_MAX);
    }

    #[test]
    fn a_shorter_sequence_is_padded_before_its_oldest_item() {
        let sequences = of(&[1, 3]);
        let mut input = vec![7];
        assert_eq!(lay_out(&sequences, &[0, 1], &mut input), 3);
        assert_eq!(input, [0, 0, 1, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn every_record_with_items_is_in_one_group(
            lengths in prop::collection::vec(0usize..70, 0..200),
            rows in 1usize..40,
        ) {
            let sequences = of(&lengths);
            let groups = Groups::new(&sequences, rows);
            let mut seen = Vec::new();
            for group in groups.iter() {
                prop_assert!((1..=rows).contains(&group.len()));
                let length = |record: &u32| sequences.newest(*record as usize).len();
                let longest = group.iter().map(length).max().unwrap();
                let items: usize = group.iter().map(length).sum();
                prop_assert!(4 * (longest * group.len() - items) <= longest * group.len());
                seen.extend_from_slice(group);
            }
            seen.sort_unstable();
            let records = 0..lengths.len() as u32;
            let expected: Vec<u32> = records.filter(|&record| lengths[record as usize] > 0).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
