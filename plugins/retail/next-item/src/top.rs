//! The best of many scores, without sorting them.

use std::cmp::Ordering;

/// Scores that are looked at together: a block whose greatest score is not above the threshold is passed over.
const BLOCK: usize = 64;
/// Scores that are compared at once.
const LANES: usize = 16;
/// Least number of candidates that are gathered before the worse ones are thrown out.
const ROOM_MIN: usize = 64;

/// Finds the greatest scores of a row. Kept between rows, because its memory is.
#[derive(Debug, Default)]
pub struct Top {
    candidates: Vec<(f32, u32)>,
}

impl Top {
    /// Positions of the `count` greatest of `scores` with their scores, the greatest first; of equal ones the first.
    ///
    /// What is minus infinity or not a number is never among them. Candidates above the least score that can still
    /// matter are gathered, and once they are twice as many as wanted, the worse half is thrown out, which raises
    /// that threshold. So nearly all blocks cost one comparison with their maximum.
    ///
    /// ```
    /// use foretell_plugin_next_item::top::Top;
    /// assert_eq!(Top::default().of(&[0.5, 2.0, -1.0, 2.0], 3), [(2.0, 1), (2.0, 3), (0.5, 0)]);
    /// ```
    pub fn of(&mut self, scores: &[f32], count: usize) -> &[(f32, u32)] {
        let count = count.min(scores.len());
        self.candidates.clear();
        if count == 0 {
            return &self.candidates;
        }
        let room = (2 * count).max(ROOM_MIN);
        let mut threshold = f32::NEG_INFINITY;
        for (number, block) in scores.chunks(BLOCK).enumerate() {
            if greatest(block) <= threshold {
                continue;
            }
            for (index, &score) in block.iter().enumerate() {
                if score > threshold {
                    self.candidates.push((score, (number * BLOCK + index) as u32));
                }
            }
            if self.candidates.len() >= room {
                threshold = self.keep(count);
            }
        }
        if self.candidates.len() > count {
            self.keep(count);
        }
        self.candidates.sort_unstable_by(better);
        &self.candidates
    }

    /// Throws out all but the best `count` and returns the score of the worst that stays.
    fn keep(&mut self, count: usize) -> f32 {
        let (_, &mut (worst, _), _) = self.candidates.select_nth_unstable_by(count - 1, better);
        self.candidates.truncate(count);
        worst
    }
}

/// The greatest score of a block; what is not a number is passed over.
fn greatest(block: &[f32]) -> f32 {
    // The order of comparisons is free between lanes, so the compiler makes them at once.
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for part in block.chunks(LANES) {
        for (lane, &score) in lanes.iter_mut().zip(part) {
            *lane = if score > *lane { score } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// The better one comes first; no two are equal, since positions differ. Neither score is NaN, which no threshold
/// lets in.
fn better(left: &(f32, u32), right: &(f32, u32)) -> Ordering {
    right.0.partial_cmp(&left.0).unwrap_or(Ordering::Equal).then(left.1.cmp(&right.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: sort everything.
    fn sorted(scores: &[f32], count: usize) -> Vec<(f32, u32)> {
        let places = scores.iter().zip(0..).map(|(&score, place)| (score, place));
        let mut all: Vec<_> = places.filter(|(score, _)| *score > f32::NEG_INFINITY).collect();
        all.sort_by(|left, right| right.0.partial_cmp(&left.0).unwrap());
        all.truncate(count);
        all
    }

    fn score() -> impl Strategy<Value = f32> {
        // Few values, so that many are equal; the others are what a row may hold besides.
        prop_oneof![
            8 => (-20..20i8).prop_map(f32::from),
            8 => -1.0e3..1.0e3f32,
            1 => Just(f32::NEG_INFINITY),
            1 => Just(f32::NAN),
            1 => Just(-0.0),
            1 => Just(f32::INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn the_best_are_those_of_a_full_sort(
            scores in prop::collection::vec(score(), 0..700),
            counts in prop::collection::vec(0usize..800, 1..4),
        ) {
            let mut top = Top::default();
            for count in counts {
                prop_assert_eq!(top.of(&scores, count), sorted(&scores, count));
            }
        }

        #[test]
        fn a_rising_row_keeps_its_end(length in 1usize..5000, count in 1usize..200) {
            let scores: Vec<f32> = (0..length).map(|place| place as f32).collect();
            let mut top = Top::default();
            prop_assert_eq!(top.of(&scores, count), sorted(&scores, count));
        }
    }
}
