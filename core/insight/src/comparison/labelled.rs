//! Which of two models is better, on the rows whose label is known.

use serde::{Deserialize, Serialize};

use super::{ComparisonError, Side};
use crate::bootstrap::{Bootstrap, Interval, Rows};
use crate::classification::{MetricError, Ranking, Undefined};
use crate::report::{Estimate, Figures};

/// The most rows that are drawn for intervals, over all replicates: about what a minute is enough for.
pub const DRAWN_ROWS_MAX: u64 = 1_000_000_000;

/// Replicates that remain of those that were asked for, however many rows there are: with 40, one lies beyond each end
/// of a 95 % interval.
pub const REPLICATES_MIN: u32 = 40;

/// The metrics of both models on the rows that have a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledChange {
    /// How many rows have a label.
    pub rows: usize,
    /// How many of them are positive.
    pub positives: usize,
    /// See [`Ranking::roc_auc`]; greater is better.
    pub roc_auc: Change,
    /// See [`Ranking::average_precision`]; greater is better.
    pub average_precision: Change,
    /// See [`Ranking::log_loss`]; less is better.
    pub log_loss: Change,
    /// See [`Ranking::brier_score`]; less is better.
    pub brier_score: Change,
    /// What does not exist for these rows, and why.
    pub undefined: Vec<UndefinedChange>,
}

/// A metric of both models; null where it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The old model's.
    pub old: Option<Estimate>,
    /// The new model's.
    pub new: Option<Estimate>,
    /// New minus old; its interval is of the differences on each draw, and not the difference of two intervals.
    pub difference: Option<Estimate>,
}

/// A metric that does not exist for one of the models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndefinedChange {
    /// Whose.
    pub side: Side,
    /// Its name.
    pub metric: String,
    /// Why it does not exist for these rows.
    pub reason: String,
}

/// How many metrics there are, in the order of [`Figures`].
const METRICS: usize = 4;

impl LabelledChange {
    /// None when no row has a label. The columns are equally long, and the scores finite.
    pub(super) fn new(
        old: &[f64],
        new: &[f64],
        labels: &[Option<bool>],
        bootstrap: Option<Bootstrap>,
    ) -> Result<Option<LabelledChange>, ComparisonError> {
        let labelled = || labels.iter().enumerate().filter_map(|(row, label)| Some((row, (*label)?)));
        if labelled().next().is_none() {
            return Ok(None);
        }
        let known: Vec<bool> = labelled().map(|(_, label)| label).collect();
        let ranking = |scores: &[f64]| {
            let scores: Vec<f64> = labelled().map(|(row, _)| scores[row]).collect();
            Ranking::new(&scores, &known).expect("the columns were checked, and there is a row")
        };
        let rankings = [ranking(old), ranking(new)];
        let mut undefined = Vec::new();
        let values = [(Side::Old, &rankings[0]), (Side::New, &rankings[1])].map(|(side, ranking)| {
            let metrics =
                [ranking.roc_auc(), ranking.average_precision(), ranking.log_loss(), ranking.brier_score()];
            metrics.map(|metric| match metric {
                Ok(value) => Some(value),
                Err(error) => {
                    let row_of = |row: usize| labelled().nth(row).map_or(row, |(row, _)| row);
                    undefined.push(UndefinedChange::new(side, error, row_of));
                    None
                }
            })
        });
        let [old, new] = values;
        let intervals = match bootstrap {
            Some(bootstrap) => intervals(&rankings, [old[2].is_some(), new[2].is_some()], bootstrap)?,
            None => [None; 3 * METRICS],
        };
        let change = |n: usize| {
            let estimate = |value: Option<f64>, place: usize| {
                value.map(|value| Estimate { value, interval: intervals[place * METRICS + n] })
            };
            let difference = difference(old[n], new[n]);
            Change { old: estimate(old[n], 0), new: estimate(new[n], 1), difference: estimate(difference, 2) }
        };
        Ok(Some(LabelledChange {
            rows: known.len(),
            positives: rankings[0].positives(),
            roc_auc: change(0),
            average_precision: change(1),
            log_loss: change(2),
            brier_score: change(3),
            undefined,
        }))
    }
}

fn difference(old: Option<f64>, new: Option<f64>) -> Option<f64> {
    Some(new? - old?)
}

/// Intervals of the old model's metrics, of the new one's, and of the differences, all from the same draws.
fn intervals(
    [old, new]: &[Ranking; 2],
    probabilities: [bool; 2],
    bootstrap: Bootstrap,
) -> Result<[Option<Interval>; 3 * METRICS], ComparisonError> {
    let rows = old.rows();
    // The old model's positions are drawn: a carried count is the one that the same row has there.
    let carry: Vec<u32> = {
        let mut position_of_row = vec![0; rows];
        for (position, &row) in (0u32..).zip(old.order()) {
            position_of_row[row as usize] = position;
        }
        new.order().iter().map(|&row| position_of_row[row as usize]).collect()
    };
    let figures = (Figures::new(old, probabilities[0]), Figures::new(new, probabilities[1]));
    let intervals = Bootstrap { replicates: replicates(bootstrap.replicates, rows), ..bootstrap }.intervals(
        &Rows::all(rows),
        |counts: &[u32]| {
            let carried: Vec<u32> = carry.iter().map(|&position| counts[position as usize]).collect();
            let (old, new) = (figures.0.of_draw(counts), figures.1.of_draw(&carried));
            std::array::from_fn(|place| match (place / METRICS, place % METRICS) {
                (0, n) => old[n],
                (1, n) => new[n],
                (_, n) => difference(old[n], new[n]),
            })
        },
    )?;
    Ok(intervals)
}

/// As many replicates as were asked for, or what so many rows leave of them.
fn replicates(asked: u32, rows: usize) -> u32 {
    let most = u32::try_from(DRAWN_ROWS_MAX / rows as u64).unwrap_or(u32::MAX);
    asked.min(most.max(REPLICATES_MIN))
}

impl UndefinedChange {
    /// `row_of` says which of all rows a labelled one is.
    fn new(side: Side, error: MetricError, row_of: impl Fn(usize) -> usize) -> UndefinedChange {
        let cause = match error.cause {
            Undefined::NotAProbability { row, score } => {
                Undefined::NotAProbability { row: row_of(row), score }
            }
            cause => cause,
        };
        UndefinedChange { side, metric: error.metric.to_owned(), reason: cause.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::{REPLICATES_MIN, replicates};

    #[test]
    fn many_rows_get_fewer_replicates() {
        for (asked, rows, expected) in [
            (1_000, 1, 1_000),
            (1_000, 1_000_000, 1_000),
            (1_000, 10_000_000, 100),
            (50, 10_000_000, 50),
            (1_000, 4_000_000_000, REPLICATES_MIN),
            (REPLICATES_MIN / 2, 4_000_000_000, REPLICATES_MIN / 2),
        ] {
            assert_eq!(replicates(asked, rows), expected, "{asked} of {rows} rows");
        }
    }
}
