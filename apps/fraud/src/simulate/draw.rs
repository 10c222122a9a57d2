//! Random numbers that are the same everywhere: ChaCha streams, and distributions made of exact arithmetic.
//!
//! IEEE 754 fixes the results of `+ - * /` and the square root, but not of a logarithm, which differs in its last digit
//! between systems. Hence [`ln`] below, and the distributions that need no other function.

use std::collections::BTreeSet;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream of random numbers is for; streams of different purposes have nothing in common.
///
/// The numbers are part of what a seed means: new purposes get new ones.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Customer = 1,
    Terminal = 2,
    Payments = 3,
    FallingTerminals = 4,
    FallingCustomers = 5,
}

/// All random streams of a seed.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    seed: u64,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Streams {
        Streams { seed }
    }

    /// The stream of one thing, named by one or two numbers.
    pub(super) fn open(&self, purpose: Purpose, first: u32, second: u32) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8] = purpose as u8;
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(u64::from(first) << 32 | u64::from(second));
        random
    }
}

/// A number from 0 to `end - 1`, each as likely as the other; `end` is not 0.
///
/// Multiplication instead of division, and another draw where that would favour some numbers (Lemire, "Fast random
/// integer generation in an interval", ACM Transactions on Modeling and Computer Simulation 29, 2019).
pub(super) fn below(end: u32, random: &mut ChaCha8Rng) -> u32 {
    loop {
        let product = u64::from(random.next_u32()) * u64::from(end);
        let fraction = product as u32;
        if fraction >= end || fraction >= end.wrapping_neg() % end {
            return (product >> 32) as u32;
        }
    }
}

/// A number from 0 up to, but not including, 1.
pub(super) fn unit(random: &mut ChaCha8Rng) -> f64 {
    // 53 bits are as many as a float between one half and 1 can tell apart.
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Two independent normal numbers of mean 0 and standard deviation 1: the polar method (Marsaglia and Bray, "A
/// convenient method for generating normal variables", SIAM Review 6, 1964).
pub(super) fn normal_pair(random: &mut ChaCha8Rng) -> (f64, f64) {
    loop {
        let (x, y) = (2.0 * unit(random) - 1.0, 2.0 * unit(random) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            let length = (-2.0 * ln(square) / square).sqrt();
            return (x * length, y * length);
        }
    }
}

/// How many events happen in a unit of time that has `rate` of them on average: waits are added up until the time is
/// over. Takes `rate + 1` draws, so it is for small rates.
pub(super) fn poisson(rate: f64, random: &mut ChaCha8Rng) -> u32 {
    let mut wait = || -ln(1.0 - unit(random));
    let mut events = 0;
    let mut time = wait();
    while time <= rate {
        events += 1;
        time += wait();
    }
    events
}

/// `count` different numbers below `end`, in ascending order; every set of so many is as likely as the other.
///
/// Robert Floyd's method (Bentley, "Programming pearls: a sample of brilliance", Communications of the ACM 30, 1987).
pub(super) fn distinct(count: u32, end: u32, random: &mut ChaCha8Rng) -> BTreeSet<u32> {
    let mut chosen = BTreeSet::new();
    for last in end - count.min(end)..end {
        if !chosen.insert(below(last + 1, random)) {
            chosen.insert(last);
        }
    }
    chosen
}

/// The natural logarithm of a normal number above 0, to about 15 digits, by exact arithmetic alone.
///
/// `x = m 2^e` with `m` near 1, and `ln m = 2 (t + t^3/3 + t^5/5 + ...)` for `t = (m - 1) / (m + 1)`.
fn ln(x: f64) -> f64 {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENT_OF_ONE: i64 = 1023;
    let bits = x.to_bits();
    let mut exponent = (bits >> MANTISSA_BITS) as i64 - EXPONENT_OF_ONE;
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let mut mantissa = f64::from_bits((EXPONENT_OF_ONE as u64) << MANTISSA_BITS | fraction);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    // |t| is at most 0.1716, so the terms left out are below 1e-17.
    let series = [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0]
        .iter()
        .fold(1.0 / 21.0, |sum, odd| sum * square + 1.0 / odd);
    2.0 * t * (series * square + 1.0) + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> ChaCha8Rng {
        Streams::new(1).open(Purpose::Payments, 2, 3)
    }

    #[test]
    fn logarithm_agrees_with_the_library() {
        let mut random = stream();
        let edges =
            [f64::MIN_POSITIVE, 2f64.powi(-53), 0.5, 0.706, 0.708, 1.0 - f64::EPSILON, 1.0, 1.5, 1e300];
        for x in (0..10_000).map(|_| 1.0 - unit(&mut random)).chain(edges) {
            assert!((ln(x) - x.ln()).abs() <= 4e-15 * x.ln().abs().max(1e-3), "{x}: {} {}", ln(x), x.ln());
        }
    }

    #[test]
    fn streams_differ_in_every_part_of_their_name() {
        let first = |seed, purpose, a, b| Streams::new(seed).open(purpose, a, b).next_u64();
        let names = [
            first(1, Purpose::Payments, 2, 3),
            first(2, Purpose::Payments, 2, 3),
            first(1, Purpose::Customer, 2, 3),
            first(1, Purpose::Payments, 3, 3),
            first(1, Purpose::Payments, 2, 4),
            first(1, Purpose::Payments, 3, 2),
        ];
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert_eq!(names[0], stream().next_u64());
    }

    #[test]
    fn every_number_below_the_end_comes_up_equally() {
        let mut random = stream();
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[below(7, &mut random) as usize] += 1;
        }
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 500), "{counts:?}");
        assert_eq!(below(1, &mut random), 0);
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut random = stream();
        let pairs: Vec<(f64, f64)> = (0..50_000).map(|_| normal_pair(&mut random)).collect();
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        for (moment, expected, tolerance) in [
            (mean(&|p| p.0), 0.0, 0.02),
            (mean(&|p| p.1), 0.0, 0.02),
            (mean(&|p| p.0 * p.0), 1.0, 0.03),
            (mean(&|p| p.1.powi(4)), 3.0, 0.2),
            (mean(&|p| p.0 * p.1), 0.0, 0.02),
            (mean(&|p| f64::from(u8::from(p.0 > 1.96))), 0.025, 0.003),
        ] {
            assert!((moment - expected).abs() < tolerance, "{moment} {expected}");
        }
    }

    #[test]
    fn poisson_numbers_have_mean_and_variance_of_their_rate() {
        let mut random = stream();
        for rate in [0.0, 0.3, 2.0, 4.0] {
            let counts: Vec<f64> = (0..20_000).map(|_| f64::from(poisson(rate, &mut random))).collect();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance =
                counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / counts.len() as f64;
            assert!((mean - rate).abs() < 0.06 && (variance - rate).abs() < 0.2, "{rate}: {mean} {variance}");
        }
    }

    #[test]
    fn distinct_numbers_are_so_many_and_even() {
        let mut random = stream();
        let mut counts = [0u32; 10];
        for _ in 0..10_000 {
            let chosen = distinct(3, 10, &mut random);
            assert_eq!(chosen.len(), 3);
            chosen.iter().for_each(|&number| counts[number as usize] += 1);
        }
        assert!(counts.iter().all(|count| count.abs_diff(3_000) < 250), "{counts:?}");
        assert_eq!(distinct(4, 4, &mut random).len(), 4);
        assert!(distinct(0, 4, &mut random).is_empty());
    }
}
