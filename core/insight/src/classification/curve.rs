//! The points of the ROC and precision-recall curves, few enough to draw.

use std::iter;

use serde::{Deserialize, Serialize};

use super::ranking::{MetricError, Ranking};

/// Points of a curve that a report carries: more than a screen can show.
pub const CURVE_POINTS: usize = 512;

/// A point of the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Rows with at least this score are flagged; None at the origin, where nothing is.
    pub threshold: Option<f64>,
    /// The share of negative rows that are flagged: the horizontal axis.
    pub false_positive_rate: f64,
    /// The share of positive rows that are flagged: the vertical axis.
    pub true_positive_rate: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallPoint {
    /// Rows with at least this score are flagged; None at recall 0, where nothing is.
    pub threshold: Option<f64>,
    /// The share of flagged rows that are positive; 1 by convention where nothing is flagged.
    pub precision: f64,
    /// The share of positive rows that are flagged.
    pub recall: f64,
}

impl Ranking {
    /// The ROC curve from (0, 0) to (1, 1), one point per distinct score, thinned evenly along the curve to at
    /// most `points_max` points (and never to fewer than 3). Pass `usize::MAX` for all of them.
    ///
    /// # Errors
    /// [`Undefined::OneClass`](super::Undefined::OneClass) unless there are rows of both classes.
    pub fn roc_curve(&self, points_max: usize) -> Result<Vec<RocPoint>, MetricError> {
        let (positives, negatives) = (self.positives(), self.negatives());
        if positives == 0 || negatives == 0 {
            return Err(self.one_class("roc_curve"));
        }
        let points = iter::once(self.flag_nothing()).chain(self.steps()).map(|step| RocPoint {
            threshold: step.threshold,
            false_positive_rate: step.confusion.false_positives as f64 / negatives as f64,
            true_positive_rate: step.confusion.true_positives as f64 / positives as f64,
        });
        let travelled = |point: &RocPoint| (point.false_positive_rate + point.true_positive_rate) / 2.0;
        Ok(self.thinned(points, points_max, travelled))
    }

    /// The precision-recall curve from recall 0 to recall 1, one point per distinct score, thinned evenly in
    /// recall to at most `points_max` points (and never to fewer than 3). Pass `usize::MAX` for all of them.
    ///
    /// Draw it as steps: between two points the precision of the right one holds. The last point is that of
    /// the lowest score, which flags every row: its precision is the share of positives.
    ///
    /// # Errors
    /// [`Undefined::OneClass`](super::Undefined::OneClass) when no row is positive.
    pub fn precision_recall_curve(
        &self,
        points_max: usize,
    ) -> Result<Vec<PrecisionRecallPoint>, MetricError> {
        let positives = self.positives();
        if positives == 0 {
            return Err(self.one_class("precision_recall_curve"));
        }
        let points = iter::once(self.flag_nothing()).chain(self.steps()).map(|step| PrecisionRecallPoint {
            threshold: step.threshold,
            precision: step.confusion.precision().unwrap_or(1.0),
            recall: step.confusion.true_positives as f64 / positives as f64,
        });
        Ok(self.thinned(points, points_max, |point| point.recall))
    }

    /// Keeps the first point, the last, and those by which the curve has progressed by one more step.
    ///
    /// `progress` never falls and goes from 0 to 1, so the kept points are at most `points_max`.
    fn thinned<P: Copy>(
        &self,
        points: impl Iterator<Item = P>,
        points_max: usize,
        progress: impl Fn(&P) -> f64,
    ) -> Vec<P> {
        if self.group_count() < points_max {
            return points.collect();
        }
        let step = 1.0 / (points_max.max(3) - 2) as f64;
        let mut kept: Vec<P> = Vec::new();
        let mut last = None;
        for point in points {
            if kept.last().is_none_or(|before| progress(&point) - progress(before) >= step) {
                kept.push(point);
                last = None;
            } else {
                last = Some(point);
            }
        }
        kept.extend(last);
        kept
    }
}
