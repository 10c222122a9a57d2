//! The integrity check: what SQLite can tell about the file, and what only we know about the content.

use serde::Serialize;
use sqlx::{Row, SqlitePool};

use crate::fault::{Fault, FaultKind, ReadContext, ReadError};
use crate::open::Store;

/// Problems that SQLite's own check lists before it gives up.
pub const PROBLEMS_MAX: u32 = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The checks that were made, by name.
    pub checks: Vec<&'static str>,
    /// What is wrong; empty for a sound database.
    pub problems: Vec<Problem>,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The check that found it: a name in kebab case, the same from version to version.
    pub check: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// How many times.
    pub count: u64,
    /// The id of the first record, label, ... concerned, where there is one.
    pub example: Option<i64>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A rule about the content, as a query for how many rows break it and the id of one of them.
struct Rule {
    check: &'static str,
    message: &'static str,
    sql: &'static str,
}

const FILE: &str = "file";
const REFERENCE: &str = "reference";

const RULES: [Rule; 5] = [
    Rule {
        check: "key-without-record",
        message: "an entity has in its past a record that does not exist in its domain at that time",
        // By the index in time order, which is smaller than the table and met in its own order.
        sql: "SELECT count(*), min(record_id) FROM entity CROSS JOIN record_key ON entity_id = entity.id
              WHERE NOT EXISTS (
                  SELECT 1 FROM record INDEXED BY record_event_time
                  WHERE record.domain = entity.domain AND record.event_time = record_key.event_time
                      AND record.id = record_id)",
    },
    Rule {
        check: "key-without-entity",
        message: "a record is in the past of an entity that does not exist",
        sql: "SELECT count(*), min(record_id) FROM record_key
              WHERE NOT EXISTS (SELECT 1 FROM entity WHERE entity.id = entity_id)",
    },
    Rule {
        check: "entity-without-record",
        message: "an entity has no record",
        sql: "SELECT count(*), min(id) FROM entity
              WHERE NOT EXISTS (SELECT 1 FROM record_key WHERE entity_id = entity.id)",
    },
    Rule {
        check: "payload",
        message: "the payload of a record is not a JSON object on one line",
        sql: "SELECT count(*), min(id) FROM record
              WHERE CASE WHEN json_valid(payload) THEN json_type(payload) <> 'object' ELSE true END
                 OR instr(payload, char(10)) > 0",
    },
    Rule {
        check: "blob-size",
        message: "a blob does not have the size that is noted for it",
        sql: "SELECT count(*), min(rowid) FROM blob WHERE data IS NOT NULL AND length(data) <> bytes",
    },
];

impl Store {
    /// Looks for damage: in the file, in the references between tables, and in the content.
    ///
    /// It reads everything, so it takes a while; others may read and write meanwhile. A problem is not an error: it
    /// stands in the report. An error means that the check could not be made.
    pub async fn check(&self) -> Result<CheckReport, ReadError> {
        let mut report = CheckReport::default();
        let readers = self.readers();
        report.add(FILE, file_problems(readers).await).while_reading(|| "the whole file".to_owned())?;
        report
            .add(REFERENCE, reference_problems(readers).await)
            .while_reading(|| "the references".to_owned())?;
        for rule in &RULES {
            let found = rule.problems(readers).await;
            report
                .add(rule.check, found)
                .while_reading(|| format!("what check `{}` is about", rule.check))?;
        }
        Ok(report)
    }
}

impl CheckReport {
    /// Adds a check with what it found. Damage that kept it from reading to the end is a finding too.
    fn add(
        &mut self,
        check: &'static str,
        found: Result<Vec<Problem>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        self.checks.push(check);
        match found {
            Ok(problems) => self.problems.extend(problems),
            Err(error) if Fault::kind_of(&error) == FaultKind::Corrupt => {
                let message = format!("this check did not come to its end: {}", FaultKind::Corrupt);
                self.problems.push(Problem { check, message, count: 1, example: None });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Rule {
    async fn problems(&self, readers: &SqlitePool) -> Result<Vec<Problem>, sqlx::Error> {
        let (count, example): (u64, Option<i64>) = sqlx::query_as(self.sql).fetch_one(readers).await?;
        let problem = Problem { check: self.check, message: self.message.to_owned(), count, example };
        Ok(if count > 0 { vec![problem] } else { Vec::new() })
    }
}

async fn file_problems(readers: &SqlitePool) -> Result<Vec<Problem>, sqlx::Error> {
    let pragma = format!("PRAGMA integrity_check({PROBLEMS_MAX})");
    let lines: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(pragma)).fetch_all(readers).await?;
    // One text may hold many findings, a line each, beneath the name of the database.
    let found =
        lines.iter().flat_map(|text| text.lines()).filter(|line| *line != "ok" && !line.starts_with("***"));
    Ok(found.map(|line| Problem { check: FILE, message: line.to_owned(), count: 1, example: None }).collect())
}

async fn reference_problems(readers: &SqlitePool) -> Result<Vec<Problem>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT \"table\", parent, count(*), min(rowid) FROM pragma_foreign_key_check GROUP BY \"table\", parent",
    )
    .fetch_all(readers)
    .await?;
    let problem = |row: &sqlx::sqlite::SqliteRow| -> Result<Problem, sqlx::Error> {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let message =
            format!("a row of table `{table}` refers to a row of table `{parent}` that does not exist");
        Ok(Problem { check: REFERENCE, message, count: row.try_get(2)?, example: row.try_get(3)? })
    };
    rows.iter().map(problem).collect()
}
