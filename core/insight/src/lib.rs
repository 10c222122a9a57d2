//! How good are these predictions? Metrics over plain columns, with intervals.
//!
//! ```
//! use foretell_insight::classification::Ranking;
//!
//! let scores = [0.9, 0.8, 0.7, 0.4, 0.4, 0.1];
//! let labels = [true, true, false, true, false, false];
//! let ranking = Ranking::new(&scores, &labels)?;
//!
//! assert_eq!(ranking.roc_auc()?, 7.5 / 9.0);
//! let flagged = ranking.confusion(0.7);
//! assert_eq!(flagged.precision(), Some(2.0 / 3.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//! - A **column** is a slice; row `i` of every column belongs to the same record.
//! - [`classification::Ranking`] is the one sorted view of a score column and its labels. It is made once, and
//!   every metric of a classifier is a pass over it.
//! - [`bootstrap`] puts an interval around any statistic of the rows, from a seed.
//! - [`report`] gathers what people ask for most of a classifier in one value that serialises to JSON.
//! - [`decisions`] says how often decisions at one threshold are right; [`multiclass`] is about several classes, and
//!   [`overlap`] about masks.
//! - [`comparison`] does the same for two models on the same rows.
//! - [`retrieval`] is about ranked lists, and [`forecast`] about series of numbers and their quantiles; each has a
//!   report of its own. Both take [`lists`]: several values for each row, in flat columns.
//! - [`detection`] is about boxes in images, and [`tracking`] about boxes that keep their id from frame to frame; both take
//!   [`boxes`].
//! - [`explanation`] asks a model, given as a function, which part of an image its score rests on, and whether the
//!   answer is true.
//!
//! # Contract
//! Everything here is a pure function of its arguments: the same columns, settings and seed give the same
//! answer, whatever the number of threads. A metric that does not exist for the given rows (the area under
//! the ROC curve of rows that are all negative) is an error that says why, never a NaN and never a silent 0.
//!
//! **Invariant:** this crate takes columns; it never opens a database, a plugin or a file, and knows no domain.
//!
//! # Pitfalls
//! - Metrics of a few positives move a lot: ask for intervals before comparing two models.
//! - Rows are treated as independent. When many rows belong to one customer or patient, intervals over rows
//!   are too narrow.
//! - Scores that are equal are *tied*: no metric here depends on the order in which tied rows came in, but for those of
//!   [`detection`], whose definition takes them one by one.

mod assignment;
pub mod bootstrap;
pub mod boxes;
pub mod classification;
pub mod comparison;
pub mod decisions;
pub mod detection;
pub mod explanation;
pub mod forecast;
pub mod lists;
pub mod multiclass;
pub mod overlap;
pub mod report;
pub mod retrieval;
pub mod tracking;
