//! Scores beside labels, as plain columns: what an evaluation reads.

use std::error::Error;
use std::str::FromStr;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use crate::fault::Fault;
use crate::open::Store;
use crate::time::Micros;

/// Whose predictions to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunSelection {
    /// Those of one run.
    Run(i64),
    /// For each record, the prediction of the latest run of this plugin; of any of its versions unless one is given, but
    /// then not of those that were only stored for comparison.
    Plugin {
        /// The name of the plugin.
        name: String,
        /// The version of the plugin.
        version: Option<String>,
    },
    /// For each record, the prediction of the latest run that used the model file with this BLAKE3 hash.
    Model(String),
}

/// Which scored records to read, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredFilter {
    /// The domain.
    pub domain: String,
    /// Whose predictions.
    pub runs: RunSelection,
    /// Only records with this event time or a later one.
    pub from: Option<Micros>,
    /// Only records with an event time before this one.
    pub to: Option<Micros>,
    /// The name of the label.
    pub label: String,
    /// Only labels known at this time; all there are, if not given.
    pub known_by: Option<Micros>,
    /// Whether to read external ids.
    pub external_ids: bool,
    /// The fields of the payload to read.
    pub fields: Vec<String>,
}

impl ScoredFilter {
    /// All records of the domain that `runs` scored, with the label of this name.
    pub fn new(domain: impl Into<String>, runs: RunSelection, label: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            runs,
            from: None,
            to: None,
            label: label.into(),
            known_by: None,
            external_ids: false,
            fields: Vec::new(),
        }
    }
}

/// Scored records by (event time, id): row `i` of every column belongs to the same record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Ids.
    pub record_ids: Vec<i64>,
    /// Event times.
    pub event_times: Vec<Micros>,
    /// Scores, each finite. Predictions without a score are left out.
    ///
    /// They are exact between 1e-80 and 1e80, on both sides of zero; beyond that the last bits may differ.
    pub scores: Vec<f64>,
    /// The labels that hold, true as 1 and false as 0; `None` where nothing is known.
    pub labels: Vec<Option<f64>>,
    /// External ids; empty unless asked for.
    pub external_ids: Vec<Option<String>>,
    /// The payload fields that were asked for, in that order, as text; `None` where a payload has no such value.
    pub fields: Vec<Vec<Option<String>>>,
}

impl Scored {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.record_ids.len()
    }

    /// Whether nothing was scored.
    pub fn is_empty(&self) -> bool {
        self.record_ids.is_empty()
    }
}

/// Scores that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the scores of domain `{domain}`")]
pub struct ScoredError {
    /// The domain.
    pub domain: String,
    /// Why.
    #[source]
    pub kind: ScoredErrorKind,
}

/// Why scores could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoredErrorKind {
    /// No run is selected: there is none of this id, plugin or model.
    #[error("no run of the domain matches")]
    NoRun,
    /// The label is a text, and an evaluation of scores needs a number.
    #[error("label `{name}` of record {record_id} is a text, expected true, false or a number")]
    TextLabel {
        /// The record.
        record_id: i64,
        /// The name of the label.
        name: String,
    },
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl ScoredErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRun => Some("list the runs, and check the number, the name and the version"),
            Self::TextLabel { .. } => Some("choose another label"),
            Self::Store(fault) => fault.hint(),
        }
    }
}

impl From<sqlx::Error> for ScoredErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Records in one row of the database: a row costs more than the text in it, so many records come as one row, in which
/// each column is a list.
pub(super) const CHUNK_RECORDS: usize = 8_192;

impl Store {
    /// Reads scores beside labels, by (event time, id), all as of one moment.
    ///
    /// Everything ends up in memory: about 32 bytes a record without texts.
    pub async fn scored(&self, filter: &ScoredFilter) -> Result<Scored, ScoredError> {
        self.read_scored(filter).await.map_err(|kind| ScoredError { domain: filter.domain.clone(), kind })
    }

    async fn read_scored(&self, filter: &ScoredFilter) -> Result<Scored, ScoredErrorKind> {
        let sql = filter.sql(&selected_runs(self.readers(), &filter.domain, &filter.runs).await?);
        let mut snapshot = self.readers().begin().await?;
        let mut scored = Scored { fields: vec![Vec::new(); filter.fields.len()], ..Scored::default() };
        let mut last = (filter.from.unwrap_or(Micros::MIN), i64::MIN);
        loop {
            let mut query = sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(&filter.domain)
                .bind(last.0)
                .bind(last.1)
                .bind(filter.to.map_or(Micros::MAX, |to| to.saturating_sub(1)))
                .bind(&filter.label)
                .bind(filter.known_by.unwrap_or(Micros::MAX));
            for field in &filter.fields {
                query = query.bind(field);
            }
            let added = scored.extend(&query.fetch_one(&mut *snapshot).await?, filter)?;
            match (scored.event_times.last(), scored.record_ids.last()) {
                (Some(time), Some(id)) if added == CHUNK_RECORDS => last = (*time, *id),
                _ => return Ok(scored),
            }
        }
    }
}

/// The runs that are meant, the latest first.
pub(super) async fn selected_runs(
    readers: &SqlitePool,
    domain: &str,
    runs: &RunSelection,
) -> Result<Vec<i64>, ScoredErrorKind> {
    let query = match runs {
        RunSelection::Run(id) => sqlx::query_scalar(
            "SELECT run.id FROM run JOIN plugin_version ON plugin_version.id = plugin_version_id
             WHERE domain = ?1 AND run.id = ?2",
        )
        .bind(domain)
        .bind(id),
        RunSelection::Plugin { name, version } => sqlx::query_scalar(
            "SELECT run.id FROM run JOIN plugin_version ON plugin_version.id = plugin_version_id
             WHERE domain = ?1 AND name = ?2 AND (version = ?3 OR ?3 IS NULL AND shadow = 0) ORDER BY run.id DESC",
        )
        .bind(domain)
        .bind(name)
        .bind(version),
        RunSelection::Model(hash) => sqlx::query_scalar(
            "SELECT DISTINCT run.id FROM run JOIN plugin_version ON plugin_version.id = plugin_version_id
             JOIN run_model ON run_id = run.id JOIN model ON model.id = model_id
             WHERE domain = ?1 AND hash = ?2 ORDER BY run.id DESC",
        )
        .bind(domain)
        .bind(hash),
    };
    match query.fetch_all(readers).await? {
        runs if runs.is_empty() => Err(ScoredErrorKind::NoRun),
        runs => Ok(runs),
    }
}

/// An expression of SQL: of these runs, the latest that predicted `record`.
pub(super) fn latest_run(runs: &[i64]) -> String {
    match runs {
        [run] => run.to_string(),
        runs => {
            let runs: Vec<String> = runs.iter().map(i64::to_string).collect();
            let runs = runs.join(",");
            format!("(SELECT max(run_id) FROM prediction WHERE record_id = record.id AND run_id IN ({runs}))")
        }
    }
}

impl ScoredFilter {
    /// Walks the next records in time order, and looks up the prediction and the label of each.
    ///
    /// Only numbers are written into the text; everything else is bound. A score has 17 digits, which is what it takes
    /// to read the same number back. (SQLite's arithmetic gets all 17 right except for extreme exponents.)
    fn sql(&self, runs: &[i64]) -> String {
        let run = latest_run(runs);
        let (mut texts, mut lists) = (String::new(), String::new());
        if self.external_ids {
            texts += ", external_id";
            lists += ", json_group_array(external_id)";
        }
        for position in 0..self.fields.len() {
            texts += &format!(", CAST(payload ->> ?{} AS TEXT) AS text{position}", 7 + position);
            lists += &format!(", json_group_array(text{position})");
        }
        format!(
            "SELECT group_concat(id, ' '), group_concat(event_time, ' '), group_concat(format('%!.17g', score), ' '),
                 group_concat(CASE typeof(label)
                     WHEN 'integer' THEN label WHEN 'real' THEN format('%!.17g', label)
                     WHEN 'null' THEN '{NO_LABEL}' ELSE '{TEXT_LABEL}' END, ' ')
                 {lists}
             FROM (
                 SELECT record.id, event_time, score,
                     (SELECT value FROM label WHERE record_id = record.id AND name = ?5 AND known_at <= ?6
                      ORDER BY known_at DESC, id DESC LIMIT 1) AS label
                     {texts}
                 FROM record CROSS JOIN prediction ON run_id = {run} AND record_id = record.id
                 WHERE domain = ?1 AND (event_time, record.id) > (?2, ?3) AND event_time <= ?4
                     AND score IS NOT NULL
                 ORDER BY event_time, record.id LIMIT {CHUNK_RECORDS}
             )"
        )
    }
}

impl Scored {
    /// Adds the records of one row; returns how many they were.
    fn extend(&mut self, row: &SqliteRow, filter: &ScoredFilter) -> Result<usize, ScoredErrorKind> {
        let Some(ids) = row.try_get::<Option<&str>, _>(0)? else { return Ok(0) };
        let before = self.len();
        numbers(ids, &mut self.record_ids)?;
        numbers(row.try_get(1)?, &mut self.event_times)?;
        numbers(row.try_get(2)?, &mut self.scores)?;
        let labels: &str = row.try_get(3)?;
        for (label, record_id) in labels.split(' ').zip(&self.record_ids[before..]) {
            self.labels.push(match label {
                NO_LABEL => None,
                TEXT_LABEL => {
                    let (record_id, name) = (*record_id, filter.label.clone());
                    return Err(ScoredErrorKind::TextLabel { record_id, name });
                }
                number => Some(number.parse().map_err(malformed)?),
            });
        }
        let lists =
            std::iter::once(&mut self.external_ids).filter(|_| filter.external_ids).chain(&mut self.fields);
        for (position, list) in lists.enumerate() {
            let texts: Vec<Option<String>> =
                serde_json::from_str(row.try_get(4 + position)?).map_err(malformed)?;
            list.extend(texts);
        }
        self.check(filter)?;
        Ok(self.len() - before)
    }

    /// **Invariant:** all columns have the same length. One that lost or gained a value would shift all the rest.
    fn check(&self, filter: &ScoredFilter) -> Result<(), sqlx::Error> {
        let external_ids = self.external_ids.len();
        let lengths = [self.event_times.len(), self.scores.len(), self.labels.len()];
        let texts =
            filter.external_ids.then_some(external_ids).into_iter().chain(self.fields.iter().map(Vec::len));
        match lengths.into_iter().chain(texts).all(|length| length == self.len()) {
            true => Ok(()),
            false => Err(malformed("the columns differ in length")),
        }
    }
}

/// Stands in a list where a record has no label.
pub(super) const NO_LABEL: &str = "-";
/// Stands in a list where the label of a record is a text.
pub(super) const TEXT_LABEL: &str = "x";

/// Reads numbers that are separated by blanks.
pub(crate) fn numbers<N: FromStr<Err: Error + Send + Sync + 'static>>(
    list: &str,
    into: &mut Vec<N>,
) -> Result<(), sqlx::Error> {
    for number in list.split(' ') {
        into.push(number.parse().map_err(malformed)?);
    }
    Ok(())
}

pub(crate) fn malformed(error: impl Into<Box<dyn Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
