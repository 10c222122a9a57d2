//! Metrics of a binary classifier, from its scores and the true labels.
//!
//! The goal is that each figure means what the field's reference library means by it: the golden files of the
//! tests hold scikit-learn's answers to these, ties and degenerate columns included.
//!
//! A score says how positive a row looks, greater is more positive. Ranking metrics ([`Ranking::roc_auc`],
//! [`Ranking::average_precision`], thresholds, curves) take any score without NaN; [`Ranking::log_loss`],
//! [`Ranking::brier_score`] and [`Ranking::calibration`] need probabilities from 0 to 1.
//!
//! **Invariant:** a row is flagged at a threshold when `score >= threshold`, everywhere in this crate.
//!
//! **Invariant:** tied rows are never split by a threshold or a curve, so no ranking metric depends on the input order.
//!
//! # Pitfalls
//! - With few positives the area under the ROC curve looks good for models that are useless at the top of the
//!   list; read it together with average precision, whose chance level is the share of positives.
//! - Average precision is the step-wise sum, not the trapezoid under the precision-recall curve, which is
//!   optimistic (Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006).

mod calibration;
mod curve;
mod ranking;
mod threshold;

pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin};
pub use curve::{CURVE_POINTS, PrecisionRecallPoint, RocPoint};
pub(crate) use ranking::descending;
pub use ranking::{Class, MetricError, ROWS_MAX, Ranking, RankingError, Undefined};
pub use threshold::{Confusion, Costs, OperatingPoint, Top};
