//! Ways of doing the same work that take turns, round by round, so that whatever else the machine does hits all of them.
//!
//! A ratio of two ways is taken within a round first, and the median over rounds then.

use std::time::Instant;

use cpu_time::ProcessTime;

use crate::figures::median;
use crate::program::Finished;

/// One way's part of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// From the start of the process to its end.
    pub(super) seconds: f64,
    /// Processor time of all processes.
    pub(super) processor_seconds: Option<f64>,
    /// The most memory of all processes.
    pub(super) peak_rss_mb: Option<f64>,
    /// How long the work took by the program's own account, without its start.
    pub(super) work_seconds: f64,
}

impl Turn {
    pub(super) fn of(finished: &Finished, work_seconds: f64) -> Self {
        let Finished { seconds, processor_seconds, peak_rss_mb, .. } = *finished;
        Self { seconds, processor_seconds, peak_rss_mb, work_seconds }
    }

    /// Of work in this process that covers a part of the whole, `1 / share` of it.
    pub(super) fn of_part(clocks: &Clocks, share: f64) -> Self {
        let seconds = clocks.wall.elapsed().as_secs_f64() * share;
        let processor_seconds = Some(clocks.processor.elapsed().as_secs_f64() * share);
        Self { seconds, processor_seconds, peak_rss_mb: None, work_seconds: seconds }
    }
}

/// Both clocks, started.
pub(super) struct Clocks {
    wall: Instant,
    processor: ProcessTime,
}

impl Clocks {
    pub(super) fn start() -> Self {
        Self { processor: ProcessTime::now(), wall: Instant::now() }
    }
}

/// What is looked at of a turn.
pub(super) type Look = fn(&Turn) -> Option<f64>;

pub(super) const SECONDS: Look = |turn| Some(turn.seconds);
pub(super) const PROCESSOR: Look = |turn| turn.processor_seconds;
pub(super) const MEMORY: Look = |turn| turn.peak_rss_mb;
pub(super) const WORK: Look = |turn| Some(turn.work_seconds);

/// The turns of one way, one for each round.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<Turn>);

impl Turns {
    pub(super) fn add(&mut self, turn: Turn) {
        self.0.push(turn);
    }

    /// The median over rounds.
    pub(super) fn middle(&self, look: Look) -> Option<f64> {
        median(&self.0.iter().map(look).collect::<Option<Vec<_>>>()?)
    }

    /// The mean over rounds, for what a clock shows in coarse steps.
    pub(super) fn mean(&self, look: Look) -> Option<f64> {
        let values = self.0.iter().map(look).collect::<Option<Vec<_>>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// How many times as much `other` needs.
    pub(super) fn ratio_of(&self, other: &Turns, look: Look) -> Option<f64> {
        let ratio = |(own, other): (&Turn, &Turn)| Some(look(other)? / look(own)?);
        median(&self.0.iter().zip(&other.0).map(ratio).collect::<Option<Vec<_>>>()?)
    }

    /// How many times as much as the most that any of `others` needs.
    pub(super) fn ratio_to_most(&self, others: &[&Turns], look: Look) -> Option<f64> {
        let ratio = |(round, own): (usize, &Turn)| {
            let others = others.iter().map(|other| look(other.0.get(round)?));
            Some(look(own)? / others.collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::max)?)
        };
        median(&self.0.iter().enumerate().map(ratio).collect::<Option<Vec<_>>>()?)
    }
}

/// In which order `ways` ways take their turns: every other round goes backwards, so that none always comes after the same
/// one.
pub(super) fn order(round: usize, ways: usize) -> impl Iterator<Item = usize> {
    (0..ways).map(move |place| if round.is_multiple_of(2) { place } else { ways - 1 - place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(seconds: [f64; 3]) -> Turns {
        let turn = |seconds| Turn {
            seconds,
            processor_seconds: None,
            peak_rss_mb: Some(1.0),
            work_seconds: seconds,
        };
        Turns(seconds.map(turn).into())
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // An interruption hits both ways of the second round.
        let (quick, slow) = (turns([2.0, 20.0, 1.0]), turns([3.0, 30.0, 3.0]));
        assert_eq!(quick.middle(SECONDS), Some(2.0));
        assert_eq!(quick.ratio_of(&slow, SECONDS), Some(1.5));
        assert_eq!(quick.ratio_of(&slow, PROCESSOR), None, "where the system does not tell");
        assert_eq!(slow.ratio_to_most(&[&quick, &turns([1.0; 3])], WORK), Some(1.5));
        assert_eq!(turns([1.0, 2.0, 6.0]).mean(SECONDS), Some(3.0));
    }

    #[test]
    fn every_other_round_goes_backwards() {
        assert_eq!(order(0, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(order(1, 3).collect::<Vec<_>>(), [2, 1, 0]);
    }
}
