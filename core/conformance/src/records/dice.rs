//! Chance that comes out the same for the same seed, on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Bits of a number between 0 and 1: as many as its mantissa has.
const UNIT_BITS: u32 = 53;

/// A stream of random numbers.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream `name` of a seed. Streams of different names have nothing to do with each other.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let hash = blake3::hash(name.as_bytes());
        stream.set_stream(u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes")));
        Self(stream)
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number below `count`; 0 where that is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        // The bias is of the order of count / 2^64.
        self.bits().checked_rem(count as u64).unwrap_or(0) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low).cast_unsigned();
        let step = match span.checked_add(1) {
            Some(count) if high >= low => self.bits() % count,
            _ if high < low => 0,
            _ => self.bits(),
        };
        low.wrapping_add(step.cast_signed())
    }

    /// A number from 0 to 1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> (u64::BITS - UNIT_BITS)) as f64 / (1_u64 << UNIT_BITS) as f64
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of some things, which must not be none.
    pub(crate) fn choose<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    /// The numbers below `count` in some order.
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        // Fisher and Yates, from the end.
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_name_give_the_same_numbers() {
        let numbers = |seed, name| {
            let mut dice = Dice::new(seed, name);
            [dice.bits(), dice.bits()]
        };
        assert_eq!(numbers(7, "a"), numbers(7, "a"));
        assert_ne!(numbers(7, "a"), numbers(7, "b"));
        assert_ne!(numbers(7, "a"), numbers(8, "a"));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut dice = Dice::new(1, "bounds");
        for (low, high) in [(0, 0), (-3, 4), (i64::MIN, i64::MAX), (i64::MAX - 1, i64::MAX), (5, 1)] {
            for _ in 0..200 {
                let number = dice.between(low, high);
                assert!((low..=high.max(low)).contains(&number), "{low}..={high}: {number}");
            }
        }
        assert!((0..200).map(|_| dice.unit()).all(|number| (0.0..1.0).contains(&number)));
        let mut order = dice.order(50);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
        assert_eq!(dice.below(0), 0);
    }
}
