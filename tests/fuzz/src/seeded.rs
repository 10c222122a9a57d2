//! Inputs from a seed: the same on every machine, and each can be made alone, by its number.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Target;

/// Longest input. The changes and lies of one are made of fewer bytes; what is behind them is not looked at.
const INPUT_BYTES_MAX: usize = 2_048;

/// Input number `number` of a seed.
pub fn input(seed: u64, number: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    let length = random.random_range(0..=INPUT_BYTES_MAX);
    let mut bytes = vec![0; length];
    random.fill_bytes(&mut bytes);
    bytes
}

/// Gives a target the inputs of these numbers.
pub fn run(target: Target, seed: u64, numbers: std::ops::Range<u64>) {
    for number in numbers {
        (target.run)(&input(seed, number));
    }
}
