//! What a job has left in its database, to compare with what it must leave.

use std::fmt::Debug;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

/// How far scores may be apart that were predicted in other batches: a network sums in another order then.
const TOLERANCE: f64 = 1e-6;

/// A record, the bits of its score, and its label.
type Prediction = (i64, Option<u64>, Option<String>);
/// A record, the field at fault, and the reason.
type Reject = (i64, Option<String>, String);

/// All that came out of a job, in the order of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) predictions: Vec<Prediction>,
    pub(crate) rejects: Vec<Reject>,
}

/// Opens a database beside the product.
pub(crate) async fn connect(database: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await.unwrap()
}

/// Runs statements on a database beside the product.
pub(crate) async fn execute(database: &Path, statements: &'static str) {
    let mut connection = connect(database).await;
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The single number that a query asks for.
pub(crate) async fn number(database: &Path, query: &'static str) -> i64 {
    let mut connection = connect(database).await;
    let number = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

impl Outcome {
    /// Reads what a job has left, and looks that it is done and that nothing contradicts itself.
    pub(crate) async fn read(database: &Path, job: i64) -> Self {
        let mut connection = connect(database).await;
        let sound: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
        assert_eq!(sound, "ok");
        let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await.unwrap();
        assert!(dangling.is_empty(), "{} rows refer to others that are not there", dangling.len());
        for (what, query) in CONTRADICTIONS {
            let found: i64 = sqlx::query_scalar(query).bind(job).fetch_one(&mut connection).await.unwrap();
            assert_eq!(found, 0, "job {job}: {what}");
        }
        let predictions: Vec<(i64, Option<f64>, Option<String>)> = sqlx::query_as(
            "SELECT record_id, score, label FROM prediction
             WHERE run_id = (SELECT run_id FROM job WHERE id = ?) ORDER BY record_id",
        )
        .bind(job)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let rejects = sqlx::query_as(
            "SELECT record_id, field, reason FROM rejected_record
             WHERE run_id = (SELECT run_id FROM job WHERE id = ?) ORDER BY record_id",
        )
        .bind(job)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        let bits = |(record, score, label): (i64, Option<f64>, Option<String>)| {
            (record, score.map(f64::to_bits), label)
        };
        Self { predictions: predictions.into_iter().map(bits).collect(), rejects }
    }

    /// Looks that this is what had to come out; of what differs, the first is shown.
    pub(crate) fn must_be(&self, expected: &Self) {
        same("predictions", &self.predictions, &expected.predictions);
        same("rejects", &self.rejects, &expected.rejects);
    }

    /// The same, but scores may have been predicted in other batches.
    pub(crate) fn must_be_nearly(&self, expected: &Self) {
        let near = |found: Option<u64>, expected: Option<u64>| match (found, expected) {
            (Some(found), Some(expected)) => {
                (f64::from_bits(found) - f64::from_bits(expected)).abs() <= TOLERANCE
            }
            _ => found == expected,
        };
        let mut rounded = self.clone();
        for (found, expected) in rounded.predictions.iter_mut().zip(&expected.predictions) {
            if near(found.1, expected.1) {
                found.1 = expected.1;
            }
        }
        rounded.must_be(expected);
    }
}

/// What must not be found in the database of a job that is done.
const CONTRADICTIONS: [(&str, &str); 7] = [
    ("it is not done", "SELECT count(*) FROM job WHERE id = ? AND (state <> 'done' OR finished_at IS NULL)"),
    (
        "its run is not finished",
        "SELECT count(*) FROM run WHERE id = (SELECT run_id FROM job WHERE id = ?) AND finished_at IS NULL",
    ),
    ("chunks are not done", "SELECT count(*) FROM job_chunk WHERE job_id = ? AND state <> 'done'"),
    (
        "chunks count other predictions than there are",
        "SELECT (SELECT sum(predicted) FROM job_chunk WHERE job_id = job.id)
              - (SELECT count(*) FROM prediction WHERE prediction.run_id = job.run_id) FROM job WHERE id = ?",
    ),
    (
        "chunks count other rejects than there are",
        "SELECT (SELECT sum(rejected) FROM job_chunk WHERE job_id = job.id)
              - (SELECT count(*) FROM rejected_record WHERE rejected_record.run_id = job.run_id) FROM job WHERE id = ?",
    ),
    (
        "chunks have other records than predictions and rejects",
        "SELECT count(*) FROM job_chunk WHERE job_id = ? AND records <> predicted + rejected",
    ),
    (
        "records are both predicted and set aside, or set aside twice",
        "SELECT (SELECT count(*) FROM prediction JOIN rejected_record USING (run_id, record_id) WHERE run_id = job.run_id)
              + (SELECT count(*) - count(DISTINCT record_id) FROM rejected_record WHERE run_id = job.run_id)
         FROM job WHERE id = ?",
    ),
];

fn same<T: Debug + PartialEq>(what: &str, found: &[T], expected: &[T]) {
    let place = found.iter().zip(expected).position(|(found, expected)| found != expected);
    if let Some(place) = place {
        panic!("{what}: number {place} is {:?}; expected {:?}", found[place], expected[place]);
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}
