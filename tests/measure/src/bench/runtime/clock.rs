//! Measuring several ways of doing the same work side by side.
//!
//! The ways take turns, round by round, so that whatever else the machine does hits all of them. A round is long enough
//! for the clock and short enough that most rounds are not interrupted, and medians are taken over rounds; differences
//! and ratios are taken within a round first. Beside the time on the wall stands the processor time of the thread,
//! which does not count the time that other programs had the processor.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use crate::figures::median;

/// How long one way's part of a round should be: several calls of the largest batch, the first of which finds the caches
/// as the way before left them.
const TURN: Duration = Duration::from_millis(4);
/// Rounds before measuring: caches, branch predictors, allocators and the processor's frequency settle.
const ROUNDS_WARM: usize = 3;

/// One way of doing the work.
pub(super) type Way<'a> = Box<dyn FnMut() + 'a>;

/// Microseconds a call of one way, a value for each round.
#[derive(Debug, Default)]
pub(super) struct Times {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

/// A figure by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// By the clock on the wall.
    pub(super) wall: f64,
    /// By the thread's processor time.
    pub(super) processor: f64,
}

impl Times {
    /// Microseconds of a call.
    pub(super) fn call(&self) -> Reading {
        self.against(self, |own, _| own)
    }

    /// Microseconds that a call takes more than one of `other`.
    pub(super) fn more_than(&self, other: &Times) -> Reading {
        self.against(other, |own, other| own - other)
    }

    /// How many times as long a call takes as one of `other`.
    pub(super) fn ratio_to(&self, other: &Times) -> Reading {
        self.against(other, |own, other| own / other)
    }

    /// Adds the rounds of another sitting.
    pub(super) fn extend(&mut self, other: Times) {
        self.wall.extend(other.wall);
        self.processor.extend(other.processor);
    }

    /// The median over rounds of what `compare` makes of a call of each.
    fn against(&self, other: &Times, compare: impl Fn(f64, f64) -> f64) -> Reading {
        let middle = |own: &[f64], other: &[f64]| {
            let rounds: Vec<f64> = own.iter().zip(other).map(|(&own, &other)| compare(own, other)).collect();
            median(&rounds).expect("at least one round was measured")
        };
        Reading {
            wall: middle(&self.wall, &other.wall),
            processor: middle(&self.processor, &other.processor),
        }
    }

    fn add(&mut self, calls: usize, way: &mut Way<'_>) {
        let (processor, wall) = (ThreadTime::now(), Instant::now());
        for _ in 0..calls {
            way();
        }
        let (wall, processor) = (wall.elapsed(), processor.elapsed());
        let a_call = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        self.wall.push(a_call(wall));
        self.processor.push(a_call(processor));
    }
}

/// Lets the ways take turns for `rounds` rounds. Every other round goes backwards, so that none always comes after the
/// same one.
pub(super) fn take_turns<const N: usize>(mut ways: [Way<'_>; N], rounds: usize) -> [Times; N] {
    let calls = ways.each_mut().map(calls_of_a_turn);
    let mut times = std::array::from_fn(|_| Times::default());
    for round in 0..ROUNDS_WARM + rounds {
        if round == ROUNDS_WARM {
            times = std::array::from_fn(|_| Times::default());
        }
        for place in 0..N {
            let place = if round % 2 == 0 { place } else { N - 1 - place };
            times[place].add(calls[place], &mut ways[place]);
        }
    }
    times
}

/// How many calls take about [`TURN`].
fn calls_of_a_turn(way: &mut Way<'_>) -> usize {
    let mut calls = 1;
    loop {
        let mut times = Times::default();
        times.add(calls, way);
        let took = Duration::from_secs_f64(times.wall[0] * calls as f64 / 1e6);
        if took >= TURN {
            return calls;
        }
        calls *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_ratios_are_taken_within_a_round() {
        // An interruption hits both ways of the second round.
        let slow = Times { wall: vec![3.0, 30.0, 3.0], processor: vec![3.0; 3] };
        let quick = Times { wall: vec![2.0, 29.0, 1.0], processor: vec![2.0; 3] };
        assert_eq!(slow.call().wall, 3.0);
        assert_eq!(slow.more_than(&quick).wall, 1.0);
        assert_eq!(slow.ratio_to(&quick).wall, 1.5);
        assert_eq!(slow.ratio_to(&quick).processor, 1.5);
    }

    #[test]
    fn every_way_gets_its_rounds() {
        let mut counts = [0u32; 2];
        let [first, second] = &mut counts;
        let spin = |count: &mut u32| {
            *count += 1;
            std::hint::black_box((0..1000u64).sum::<u64>());
        };
        let times = take_turns([Box::new(|| spin(first)), Box::new(|| spin(second))], 3);
        assert!(times.iter().all(|times| times.wall.len() == 3), "{times:?}");
        assert!(counts.iter().all(|&count| count > 3));
    }
}
