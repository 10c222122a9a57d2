//! What people ask of a model's scores, in one value that serialises to JSON.
//!
//! ```
//! use foretell_insight::report::{ClassificationReport, Settings};
//!
//! let scores = [0.9, 0.8, 0.3, 0.2];
//! let labels = [true, false, true, false];
//! let settings = Settings { thresholds: vec![0.5], ..Settings::default() };
//! let report = ClassificationReport::new(&scores, &labels, &settings)?;
//!
//! assert_eq!(report.roc_auc.expect("there are rows of both classes").value, 0.75);
//! assert_eq!(report.thresholds[0].recall, Some(0.5));
//! # Ok::<(), foretell_insight::report::ReportError>(())
//! ```
//!
//! # Contract
//! A figure that does not exist for the rows is null, and [`ClassificationReport::undefined`] says why: a day
//! without a single positive row is worth a report, too. Only columns that cannot be ranked are an error.
//!
//! **Invariant:** [`REPORT_VERSION`] changes when a field is removed or changes its meaning.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, BootstrapError, Interval, Rows};
use crate::classification::{
    CALIBRATION_BINS, CURVE_POINTS, Calibration, Costs, MetricError, OperatingPoint, PrecisionRecallPoint,
    Ranking, RankingError, RocPoint, Top,
};

/// The version of the JSON form.
pub const REPORT_VERSION: u32 = 1;

/// What a report shall contain beside the figures that it always has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Decide at these thresholds.
    pub thresholds: Vec<f64>,
    /// Choose the threshold for these false-positive rates, each from 0 to 1.
    pub false_positive_rates: Vec<f64>,
    /// Look at this many highest scores.
    pub top: Vec<NonZeroUsize>,
    /// Find the cheapest threshold for these costs.
    pub costs: Option<Costs>,
    /// Bins of the reliability curve.
    pub bins: NonZeroUsize,
    /// The greatest number of points of each curve; None leaves the curves out.
    pub curve_points: Option<usize>,
    /// How to make intervals; None leaves them out.
    pub bootstrap: Option<Bootstrap>,
    /// Whether a resample keeps the number of rows of each class.
    pub stratified: bool,
}

impl Default for Settings {
    /// No thresholds, no intervals, no curves.
    fn default() -> Settings {
        Settings {
            thresholds: Vec::new(),
            false_positive_rates: Vec::new(),
            top: Vec::new(),
            costs: None,
            bins: CALIBRATION_BINS,
            curve_points: None,
            bootstrap: None,
            stratified: false,
        }
    }
}

impl Settings {
    /// Curves to draw and 95 % intervals, from this seed.
    pub fn full(seed: u64) -> Settings {
        Settings {
            curve_points: Some(CURVE_POINTS),
            bootstrap: Some(Bootstrap { seed, ..Bootstrap::default() }),
            ..Settings::default()
        }
    }
}

/// A figure and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure for the rows themselves.
    pub value: f64,
    /// Where it would be for other rows like them; null when no intervals were asked for.
    pub interval: Option<Interval>,
}

/// A metric that the report lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndefinedMetric {
    /// Its name.
    pub metric: String,
    /// Why it does not exist for these rows.
    pub reason: String,
}

/// The cheapest threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cheapest {
    /// What each decision costs.
    pub costs: Costs,
    /// The threshold and its decisions.
    pub point: OperatingPoint,
    /// The cost of all decisions there.
    pub total: f64,
    /// The cost when nothing is flagged, to compare with.
    pub total_without: f64,
}

/// How well scores tell positive rows from negative ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// How many rows were evaluated.
    pub rows: usize,
    /// How many of them are positive.
    pub positives: usize,
    /// See [`Ranking::roc_auc`].
    pub roc_auc: Option<Estimate>,
    /// See [`Ranking::average_precision`].
    pub average_precision: Option<Estimate>,
    /// See [`Ranking::log_loss`].
    pub log_loss: Option<Estimate>,
    /// See [`Ranking::brier_score`].
    pub brier_score: Option<Estimate>,
    /// See [`Ranking::calibration`].
    pub calibration: Option<Calibration>,
    /// One for each of [`Settings::thresholds`].
    pub thresholds: Vec<OperatingPoint>,
    /// One for each of [`Settings::false_positive_rates`]; empty without negative rows.
    pub false_positive_rates: Vec<OperatingPoint>,
    /// One for each of [`Settings::top`].
    pub top: Vec<Top>,
    /// For [`Settings::costs`].
    pub cheapest: Option<Cheapest>,
    /// Points of the ROC curve; empty unless asked for.
    pub roc_curve: Vec<RocPoint>,
    /// Points of the precision-recall curve; empty unless asked for.
    pub precision_recall_curve: Vec<PrecisionRecallPoint>,
    /// What does not exist for these rows, and why.
    pub undefined: Vec<UndefinedMetric>,
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The columns cannot be ranked.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// A setting is wrong.
    #[error(transparent)]
    Setting(MetricError),
}

impl ClassificationReport {
    /// Evaluates scores against labels; `scores[i]` and `labels[i]` belong to row `i`.
    ///
    /// # Errors
    /// [`ReportError`]: columns that cannot be ranked, or settings outside their range.
    pub fn new(
        scores: &[f64],
        labels: &[bool],
        settings: &Settings,
    ) -> Result<ClassificationReport, ReportError> {
        ClassificationReport::of(&Ranking::new(scores, labels)?, settings)
    }

    /// Evaluates rows that are sorted already.
    ///
    /// # Errors
    /// [`ReportError`]: settings outside their range.
    pub fn of(ranking: &Ranking, settings: &Settings) -> Result<ClassificationReport, ReportError> {
        let mut undefined = Undefined::default();
        let values = [
            undefined.keep(ranking.roc_auc())?,
            undefined.keep(ranking.average_precision())?,
            undefined.keep(ranking.log_loss())?,
            undefined.keep(ranking.brier_score())?,
        ];
        let intervals = match &settings.bootstrap {
            Some(bootstrap) => intervals(ranking, bootstrap, settings.stratified, values[2].is_some())?,
            None => [None; 4],
        };
        let estimate = |n: usize| values[n].map(|value| Estimate { value, interval: intervals[n] });
        let mut rates = Vec::new();
        for &rate in &settings.false_positive_rates {
            rates.extend(undefined.keep(ranking.at_false_positive_rate(rate))?);
        }
        let (mut roc_curve, mut precision_recall_curve) = (None, None);
        if let Some(points) = settings.curve_points {
            roc_curve = undefined.keep(ranking.roc_curve(points))?;
            precision_recall_curve = undefined.keep(ranking.precision_recall_curve(points))?;
        }
        Ok(ClassificationReport {
            version: REPORT_VERSION,
            rows: ranking.rows(),
            positives: ranking.positives(),
            roc_auc: estimate(0),
            average_precision: estimate(1),
            log_loss: estimate(2),
            brier_score: estimate(3),
            calibration: undefined.keep(ranking.calibration(settings.bins))?,
            thresholds: settings
                .thresholds
                .iter()
                .map(|&threshold| ranking.at_threshold(threshold))
                .collect(),
            false_positive_rates: rates,
            top: settings.top.iter().map(|&k| ranking.top(k)).collect(),
            cheapest: settings.costs.map(|costs| cheapest(ranking, costs)).transpose()?,
            roc_curve: roc_curve.unwrap_or_default(),
            precision_recall_curve: precision_recall_curve.unwrap_or_default(),
            undefined: undefined.metrics,
        })
    }
}

/// The metrics that do not exist, each named once.
#[derive(Default)]
struct Undefined {
    metrics: Vec<UndefinedMetric>,
}

impl Undefined {
    /// The figure; or None, noted with its reason; or the error of a wrong setting.
    fn keep<T>(&mut self, figure: Result<T, MetricError>) -> Result<Option<T>, ReportError> {
        use crate::classification::Undefined::{NotAProbability, OneClass};
        let error = match figure {
            Ok(figure) => return Ok(Some(figure)),
            Err(error @ MetricError { cause: OneClass { .. } | NotAProbability { .. }, .. }) => error,
            Err(error) => return Err(ReportError::Setting(error)),
        };
        let (metric, reason) = (error.metric.to_owned(), error.cause.to_string());
        let noted = UndefinedMetric { metric, reason };
        if !self.metrics.contains(&noted) {
            self.metrics.push(noted);
        }
        Ok(None)
    }
}

fn cheapest(ranking: &Ranking, costs: Costs) -> Result<Cheapest, ReportError> {
    let point = ranking.cheapest(&costs).map_err(ReportError::Setting)?;
    let total_without = costs.total(&ranking.flag_nothing().confusion);
    Ok(Cheapest { costs, point, total: costs.total(&point.confusion), total_without })
}

/// Intervals of the area under the ROC curve, average precision, log loss and Brier score.
fn intervals(
    ranking: &Ranking,
    bootstrap: &Bootstrap,
    stratified: bool,
    probabilities: bool,
) -> Result<[Option<Interval>; 4], BootstrapError> {
    // Positions are drawn, not rows: as good for the statistics, and memory is read in order.
    let rows = if stratified { Rows::strata(ranking.labels()) } else { Rows::all(ranking.rows()) };
    let figures = Figures::new(ranking, probabilities);
    bootstrap.intervals(&rows, |counts| figures.of_draw(counts))
}

/// The area under the ROC curve, average precision, log loss and Brier score, ready to be computed for many draws.
pub(crate) struct Figures<'a> {
    ranking: &'a Ranking,
    /// By position; None when the scores are no probabilities.
    log_losses: Option<Vec<f64>>,
    /// As `log_losses`.
    squared_errors: Option<Vec<f64>>,
}

impl Figures<'_> {
    pub(crate) fn new(ranking: &Ranking, probabilities: bool) -> Figures<'_> {
        Figures {
            ranking,
            log_losses: probabilities.then(|| ranking.log_losses().collect()),
            squared_errors: probabilities.then(|| ranking.squared_errors().collect()),
        }
    }

    /// The figures when the row at position `p` is drawn `counts[p]` times.
    pub(crate) fn of_draw(&self, counts: &[u32]) -> [Option<f64>; 4] {
        let mean = |terms: &Option<Vec<f64>>| {
            let weighted = |terms: &Vec<f64>| {
                counts.iter().zip(terms).map(|(&c, term)| f64::from(c) * term).sum::<f64>()
            };
            terms.as_ref().map(|terms| weighted(terms) / counts.len() as f64)
        };
        [
            self.ranking.roc_auc_of_draw(counts),
            self.ranking.average_precision_of_draw(counts),
            mean(&self.log_losses),
            mean(&self.squared_errors),
        ]
    }
}
