//! What two runs said of the same records, as plain columns: what a comparison reads.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::scored::{CHUNK_RECORDS, NO_LABEL, TEXT_LABEL, malformed, numbers};
use crate::fault::Fault;
use crate::open::Store;
use crate::time::Micros;

/// The most classes that two runs can decide on together: a class is a 16-bit number.
pub const CLASSES_MAX: usize = 1 << 16;

/// Which runs to read, and what beside their predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedFilter {
    /// The run that is compared with.
    pub old_run: i64,
    /// The run that is compared.
    pub new_run: i64,
    /// The name of the label to read beside; none, if not given.
    pub label: Option<String>,
    /// Only labels known at this time; all there are, if not given.
    pub known_by: Option<Micros>,
}

impl PairedFilter {
    /// The predictions of both runs, without labels.
    pub fn new(old_run: i64, new_run: i64) -> Self {
        Self { old_run, new_run, label: None, known_by: None }
    }
}

/// Records that both runs gave a score, by record id: row `i` of every column belongs to the same record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paired {
    /// Ids, ascending.
    pub record_ids: Vec<i64>,
    /// Scores of the old run, each finite, and exact as [`Scored::scores`](super::Scored::scores) are.
    pub old_scores: Vec<f64>,
    /// Scores of the new run, likewise.
    pub new_scores: Vec<f64>,
    /// What the old run decided: a position in `classes`. `None` where it decided nothing.
    pub old_decisions: Vec<Option<u16>>,
    /// What the new run decided, likewise.
    pub new_decisions: Vec<Option<u16>>,
    /// The names of the classes that either run decided on, in the order in which they are met.
    pub classes: Vec<String>,
    /// The labels that hold, true as 1 and false as 0; `None` where nothing is known. Empty unless asked for.
    pub labels: Vec<Option<f64>>,
    /// Records that only the old run gave a score.
    pub only_old: u64,
    /// Records that only the new run gave a score.
    pub only_new: u64,
}

impl Paired {
    /// How many records both runs gave a score.
    pub fn len(&self) -> usize {
        self.record_ids.len()
    }

    /// Whether the runs have no record in common.
    pub fn is_empty(&self) -> bool {
        self.record_ids.is_empty()
    }
}

/// Predictions of two runs that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what runs {old_run} and {new_run} both scored")]
pub struct PairedError {
    /// The run that is compared with.
    pub old_run: i64,
    /// The run that is compared.
    pub new_run: i64,
    /// Why.
    #[source]
    pub kind: PairedErrorKind,
}

/// Why predictions of two runs could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairedErrorKind {
    /// There is no such run.
    #[error("there is no run {0}")]
    UnknownRun(i64),
    /// The label is a text, and a comparison with scores needs a number.
    #[error("label `{name}` of record {record_id} is a text, expected true, false or a number")]
    TextLabel {
        /// The record.
        record_id: i64,
        /// The name of the label.
        name: String,
    },
    /// The runs decided on more than [`CLASSES_MAX`] classes.
    #[error("the runs decided on more than {CLASSES_MAX} different classes")]
    TooManyClasses,
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl PairedErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownRun(_) => Some("list the runs, and check the number"),
            Self::TextLabel { .. } => Some("choose another label"),
            Self::TooManyClasses => Some("compare runs of plugins that decide on few classes"),
            Self::Store(fault) => fault.hint(),
        }
    }
}

impl From<sqlx::Error> for PairedErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Reads what both runs said of the records that both gave a score, by record id, all as of one moment.
    ///
    /// Everything ends up in memory: about 32 bytes a record, and 16 more with labels. A prediction without a score counts
    /// as none.
    ///
    /// ```
    /// use foretell_store::open::Store;
    /// use foretell_store::prediction::{PairedErrorKind, PairedFilter};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// let store = Store::create_or_open(directory.path().join("shop.db")).await?;
    /// let filter = PairedFilter { label: Some("returned".into()), ..PairedFilter::new(1, 2) };
    /// let error = store.paired(&filter).await.unwrap_err();
    /// assert!(matches!(error.kind, PairedErrorKind::UnknownRun(1)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn paired(&self, filter: &PairedFilter) -> Result<Paired, PairedError> {
        let (old_run, new_run) = (filter.old_run, filter.new_run);
        self.read_paired(filter).await.map_err(|kind| PairedError { old_run, new_run, kind })
    }

    async fn read_paired(&self, filter: &PairedFilter) -> Result<Paired, PairedErrorKind> {
        let sql = filter.sql();
        let mut snapshot = self.readers().begin().await?;
        let old_scored = count_scored(&mut snapshot, filter.old_run).await?;
        let new_scored = count_scored(&mut snapshot, filter.new_run).await?;
        let (mut paired, mut classes) = (Paired::default(), Classes::default());
        let mut last = i64::MIN;
        loop {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(filter.old_run)
                .bind(filter.new_run)
                .bind(last)
                .bind(&filter.label)
                .bind(filter.known_by.unwrap_or(Micros::MAX));
            let added = paired.extend(&query.fetch_one(&mut *snapshot).await?, filter, &mut classes)?;
            match paired.record_ids.last() {
                Some(id) if added == CHUNK_RECORDS => last = *id,
                _ => break,
            }
        }
        let both = paired.len() as u64;
        let (only_old, only_new) = (old_scored.saturating_sub(both), new_scored.saturating_sub(both));
        Ok(Paired { classes: classes.names, only_old, only_new, ..paired })
    }
}

/// How many records the run gave a score, if there is such a run.
async fn count_scored(snapshot: &mut SqliteConnection, run_id: i64) -> Result<u64, PairedErrorKind> {
    let scored: Option<u64> = sqlx::query_scalar(
        "SELECT (SELECT count(score) FROM prediction WHERE run_id = run.id) FROM run WHERE id = ?",
    )
    .bind(run_id)
    .fetch_optional(snapshot)
    .await?;
    scored.ok_or(PairedErrorKind::UnknownRun(run_id))
}

impl PairedFilter {
    /// Walks the next predictions of the old run in the order of record ids, and looks up that of the new run for each:
    /// the key is in that order, so both are read from their leaves one after the other.
    ///
    /// Scores and labels travel as text: see [`ScoredFilter`](super::ScoredFilter).
    fn sql(&self) -> String {
        let (mut label, mut list) = ("", String::new());
        if self.label.is_some() {
            label =
                ", (SELECT value FROM label WHERE record_id = old.record_id AND name = ?4 AND known_at <= ?5
                        ORDER BY known_at DESC, id DESC LIMIT 1) AS truth";
            list = format!(
                ", group_concat(CASE typeof(truth)
                     WHEN 'integer' THEN truth WHEN 'real' THEN format('%!.17g', truth)
                     WHEN 'null' THEN '{NO_LABEL}' ELSE '{TEXT_LABEL}' END, ' ')"
            );
        }
        format!(
            "SELECT group_concat(id, ' '),
                 group_concat(format('%!.17g', old_score), ' '), group_concat(format('%!.17g', new_score), ' '),
                 json_group_array(old_label), json_group_array(new_label)
                 {list}
             FROM (
                 SELECT old.record_id AS id, old.score AS old_score, new.score AS new_score,
                     old.label AS old_label, new.label AS new_label
                     {label}
                 FROM prediction AS old
                 CROSS JOIN prediction AS new ON new.run_id = ?2 AND new.record_id = old.record_id
                 WHERE old.run_id = ?1 AND old.record_id > ?3 AND old.score IS NOT NULL AND new.score IS NOT NULL
                 ORDER BY old.record_id LIMIT {CHUNK_RECORDS}
             )"
        )
    }
}

impl Paired {
    /// Adds the records of one row; returns how many they were.
    fn extend(
        &mut self,
        row: &SqliteRow,
        filter: &PairedFilter,
        classes: &mut Classes,
    ) -> Result<usize, PairedErrorKind> {
        let Some(ids) = row.try_get::<Option<&str>, _>(0)? else { return Ok(0) };
        let before = self.len();
        numbers(ids, &mut self.record_ids)?;
        numbers(row.try_get(1)?, &mut self.old_scores)?;
        numbers(row.try_get(2)?, &mut self.new_scores)?;
        classes.codes(row.try_get(3)?, &mut self.old_decisions)?;
        classes.codes(row.try_get(4)?, &mut self.new_decisions)?;
        if let Some(name) = &filter.label {
            let labels: &str = row.try_get(5)?;
            for (label, record_id) in labels.split(' ').zip(&self.record_ids[before..]) {
                self.labels.push(match label {
                    NO_LABEL => None,
                    TEXT_LABEL => {
                        let (record_id, name) = (*record_id, name.clone());
                        return Err(PairedErrorKind::TextLabel { record_id, name });
                    }
                    number => Some(number.parse().map_err(malformed)?),
                });
            }
        }
        self.check(filter)?;
        Ok(self.len() - before)
    }

    /// **Invariant:** all columns have the same length. One that lost or gained a value would shift all the rest.
    fn check(&self, filter: &PairedFilter) -> Result<(), sqlx::Error> {
        let decisions = [self.old_decisions.len(), self.new_decisions.len()];
        let lengths = [self.old_scores.len(), self.new_scores.len()];
        let labels = filter.label.as_ref().map(|_| self.labels.len());
        match lengths.into_iter().chain(decisions).chain(labels).all(|length| length == self.len()) {
            true => Ok(()),
            false => Err(malformed("the columns differ in length")),
        }
    }
}

/// The classes that were met so far.
#[derive(Default)]
struct Classes {
    names: Vec<String>,
    codes: HashMap<String, u16>,
}

/// The name of a class in a JSON list, which is copied only where it has something that JSON escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Classes {
    /// Adds the codes of a JSON list of names.
    fn codes(&mut self, list: &str, into: &mut Vec<Option<u16>>) -> Result<(), PairedErrorKind> {
        let names: Vec<Option<Name<'_>>> = serde_json::from_str(list).map_err(malformed)?;
        for name in names {
            into.push(name.map(|Name(name)| self.code(&name)).transpose()?);
        }
        Ok(())
    }

    fn code(&mut self, name: &str) -> Result<u16, PairedErrorKind> {
        if let Some(code) = self.codes.get(name) {
            return Ok(*code);
        }
        let code = u16::try_from(self.names.len()).map_err(|_| PairedErrorKind::TooManyClasses)?;
        self.names.push(name.to_owned());
        self.codes.insert(name.to_owned(), code);
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered_as_they_are_met_up_to_a_limit() {
        let mut classes = Classes::default();
        let mut codes = Vec::new();
        classes.codes(r#"["keep", null, "re\"turn", "keep"]"#, &mut codes).unwrap();
        assert_eq!(codes, [Some(0), None, Some(1), Some(0)]);
        assert_eq!(classes.names, ["keep", "re\"turn"]);
        for number in classes.names.len()..CLASSES_MAX {
            classes.code(&number.to_string()).unwrap();
        }
        assert_eq!(classes.code("keep").unwrap(), 0);
        assert!(matches!(classes.code("one more"), Err(PairedErrorKind::TooManyClasses)));
    }
}
