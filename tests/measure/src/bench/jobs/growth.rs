//! Few records and many of the same town: memory is to be flat, and the rate to stay.
//!
//! The town is the same and only the days differ, so the windows of a history hold as much in both.

use foretell_terminal::{Failure, Output, format_count};

use super::databases::{Databases, Town};
use super::{cold, megabytes, seconds, times};
use crate::bench::rounds::{MEMORY, SECONDS, Turn, Turns, WORK, order};
use crate::bench::verdict;
use crate::figures::Figures;
use crate::product::Scored;

const SMALL: Town = cold::TOWN;
const MEDIUM: Town = Town { name: "1m", days: 1_044, ..SMALL };
const LARGE: Town = Town { name: "10m", days: 10_442, ..SMALL };

/// Rounds that are measured.
const ROUNDS: usize = 3;
/// What the rate may fall to.
const RATE_MIN: f64 = 0.9;

/// What was found.
pub(super) struct Findings {
    small: Measured,
    large: Measured,
}

struct Measured {
    town: Town,
    records: u64,
    turns: Turns,
}

/// Measures 100,000 records beside 1,000,000 or, `large`, 10,000,000.
pub(super) async fn measure(databases: &Databases, large: bool) -> Result<Findings, Failure> {
    let new = |town| Measured { town, records: 0, turns: Turns::default() };
    let mut measured = [new(SMALL), new(if large { LARGE } else { MEDIUM })];
    for round in 0..ROUNDS {
        for way in order(round, measured.len()) {
            let measured = &mut measured[way];
            let product = databases.copy(&databases.of(&measured.town).await?, "growth")?;
            let (scored, finished) = product.ask::<Scored, _>("foretell-fraud", ["score", "--json"])?;
            measured.records = scored.scored;
            measured.turns.add(Turn::of(&finished, scored.seconds));
            databases.remove(&product)?;
        }
    }
    let [small, large] = measured;
    Ok(Findings { small, large })
}

impl Measured {
    /// Records in a second of the job, without the start of the program.
    fn rate(&self) -> Option<f64> {
        Some(self.records as f64 / self.turns.middle(WORK)?)
    }
}

impl Findings {
    /// How many times as much memory the many records need.
    fn memory(&self) -> Option<f64> {
        self.small.turns.ratio_of(&self.large.turns, MEMORY)
    }

    /// What the rate with many records is of that with few.
    fn rate(&self) -> Option<f64> {
        Some(self.large.rate()? / self.small.rate()?)
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        for measured in [&self.small, &self.large] {
            let name = |figure: &str| format!("jobs.growth.{}.{figure}", measured.town.name);
            figures.set(name("records"), measured.records as f64);
            figures.set(name("records_per_s"), measured.rate());
            figures.set(name("peak_rss_mb"), measured.turns.middle(MEMORY));
        }
        let (few, many) = (self.small.town.name, self.large.town.name);
        figures.set(format!("jobs.rss_growth_{few}_to_{many}"), self.memory());
        figures.set(format!("jobs.rate_{many}_to_{few}"), self.rate());
    }

    pub(super) fn draw(&self, output: Output) {
        output.line("\nFew records and many of the same town: foretell-fraud score");
        output.table(
            &["records#", "seconds#", "job#", "records/s#", "peak MB#"],
            [&self.small, &self.large].map(|measured| {
                vec![
                    format_count(measured.records),
                    seconds(measured.turns.middle(SECONDS)),
                    seconds(measured.turns.middle(WORK)),
                    format_count(measured.rate().unwrap_or_default() as u64),
                    megabytes(measured.turns.middle(MEMORY)),
                ]
            }),
        );
        let met = verdict(self.rate().is_some_and(|rate| rate >= RATE_MIN));
        output.line(&format!("memory: {} times as much; target: flat", times(self.memory())));
        output
            .line(&format!("rate: {} times as high; target: at least {RATE_MIN}: {met}", times(self.rate())));
    }
}
