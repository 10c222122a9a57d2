//! Reading runs, and the lineage of one prediction.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::{Lineage, Model, PluginVersion, Run};
use crate::fault::{ReadContext, ReadError};
use crate::open::Store;

/// Runs with their plugin versions. The columns of both have different names, except the ids.
const RUNS: &str = "SELECT run.*, name, version, domain, task, library_hash, manifest_hash, manifest
     FROM run JOIN plugin_version ON plugin_version.id = plugin_version_id";

/// A run whose models are yet to be read.
struct RunRow(Run);

impl FromRow<'_, SqliteRow> for RunRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Run {
            id: row.try_get("id")?,
            plugin_version_id: row.try_get("plugin_version_id")?,
            plugin: PluginVersion::from_row(row)?,
            models: Vec::new(),
            config: row.try_get("config")?,
            config_hash: row.try_get("config_hash")?,
            onnxruntime: row.try_get("onnxruntime")?,
            threads: row.try_get("threads")?,
            program: row.try_get("program")?,
            author: row.try_get("author")?,
            selection: row.try_get("selection")?,
            shadow: row.try_get("shadow")?,
            record_watermark: row.try_get("record_watermark")?,
            label_watermark: row.try_get("label_watermark")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
        }))
    }
}

impl Store {
    /// The run with this id, if there is one.
    pub async fn run(&self, id: i64) -> Result<Option<Run>, ReadError> {
        let read = async {
            let rows = sqlx::query_as(AssertSqlSafe(format!("{RUNS} WHERE run.id = ?")))
                .bind(id)
                .fetch_all(self.readers())
                .await?;
            Ok(self.with_models(rows).await?.pop())
        };
        read.await.while_reading(|| format!("run {id}"))
    }

    /// The runs of a domain, or all, the latest first.
    pub async fn runs(&self, domain: Option<&str>) -> Result<Vec<Run>, ReadError> {
        let read = async {
            let rows = sqlx::query_as(AssertSqlSafe(format!(
                "{RUNS} WHERE ?1 IS NULL OR domain = ?1 ORDER BY run.id DESC"
            )))
            .bind(domain)
            .fetch_all(self.readers())
            .await?;
            self.with_models(rows).await
        };
        read.await.while_reading(|| "the runs".to_owned())
    }

    /// Where the prediction of this run for this record comes from; nothing if there is no such prediction.
    pub async fn lineage_of(&self, record_id: i64, run_id: i64) -> Result<Option<Lineage>, ReadError> {
        let prediction = sqlx::query_as("SELECT * FROM prediction WHERE run_id = ? AND record_id = ?")
            .bind(run_id)
            .bind(record_id)
            .fetch_optional(self.readers())
            .await
            .while_reading(|| format!("the prediction of run {run_id} for record {record_id}"))?;
        let (Some(prediction), Some(record), Some(run)) =
            (prediction, self.record(record_id).await?, self.run(run_id).await?)
        else {
            return Ok(None);
        };
        let Some(source) = self.source(record.source_id).await? else { return Ok(None) };
        let labels = self.labels(record_id).await?;
        Ok(Some(Lineage { prediction, record, source, run, labels }))
    }

    async fn with_models(&self, rows: Vec<RunRow>) -> Result<Vec<Run>, sqlx::Error> {
        let ids = serde_json::Value::from_iter(rows.iter().map(|row| row.0.id)).to_string();
        let used = sqlx::query(
            "SELECT run_id, model.* FROM run_model JOIN model ON model.id = model_id
             WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, model_id",
        )
        .bind(ids)
        .fetch_all(self.readers())
        .await?;
        let mut models: HashMap<i64, Vec<Model>> = HashMap::new();
        for row in &used {
            models.entry(row.try_get("run_id")?).or_default().push(Model::from_row(row)?);
        }
        let complete = |RunRow(run)| {
            let models = models.remove(&run.id).unwrap_or_default();
            Run { models, ..run }
        };
        Ok(rows.into_iter().map(complete).collect())
    }
}
