//! Fits that are done, and the models that they made.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::time::Micros;

/// A fit that is done: what was made, from what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fitted {
    /// The job.
    pub job: i64,
    /// The run that its rejects stand under, with the settings and the program.
    pub run: i64,
    /// The domain of its records.
    pub domain: String,
    /// The plugin version that was made, `name@version`.
    pub plugin: String,
    /// The plugin that it was made for, as it was installed, `name@version`.
    pub base: String,
    /// The id of that: see [`Store::plugin_version`].
    #[serde(skip)]
    pub base_plugin_version_id: i64,
    /// The plugin version of the fit that it went on from, `name@version`; `None` if it learned everything.
    pub update_of: Option<String>,
    /// Why it learned everything although an update was asked for.
    pub anew: Option<String>,
    /// Which records were asked for, as JSON.
    pub selection: String,
    /// Where everything random began.
    pub seed: u64,
    /// Records that it learned.
    pub records: u64,
    /// Records that the model knows: with those of the fits that it went on from.
    pub total: u64,
    /// Records that were set aside.
    pub rejected: u64,
    /// The highest record id that it could see.
    pub record_watermark: i64,
    /// Event time of the first record that the model knows; `None` if it knows none.
    pub first_time: Option<Micros>,
    /// Event time of the last one.
    pub last_time: Option<Micros>,
    /// The settings of the plugin, as JSON.
    pub config: String,
    /// The operating system's user.
    pub author: String,
    /// When it was done.
    pub fitted_at: Micros,
    /// The files that it wrote, by slot.
    pub models: Vec<FittedModel>,
}

/// A file that a fit wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FittedModel {
    /// The slot of the manifest that it fills.
    pub name: String,
    /// BLAKE3, hexadecimal.
    pub hash: String,
    /// Size.
    pub bytes: i64,
}

const FITS: &str =
    "SELECT fit.*, job.run_id, job.selection, run.record_watermark, run.config, run.author, base.domain,
         base.name || '@' || base.version AS base, made.name || '@' || made.version AS plugin,
         (SELECT name || '@' || plugin_version.version
          FROM fit AS earlier JOIN plugin_version ON plugin_version.id = earlier.plugin_version_id
          WHERE earlier.job_id = fit.update_of) AS updated,
         (SELECT coalesce(sum(rejected), 0) FROM job_chunk WHERE job_chunk.job_id = fit.job_id) AS rejected
     FROM fit JOIN job ON job.id = fit.job_id JOIN run ON run.id = job.run_id
     JOIN plugin_version AS base ON base.id = fit.base_plugin_version_id
     JOIN plugin_version AS made ON made.id = fit.plugin_version_id
     WHERE (?1 IS NULL OR fit.job_id = ?1) AND (?2 IS NULL OR base.domain = ?2)
         AND (?3 IS NULL OR made.name = ?3) AND (?4 IS NULL OR made.version = ?4)
     ORDER BY fit.fitted_at DESC, fit.job_id DESC LIMIT ?5";

/// A fit whose files are yet to be read.
struct FitRow(Fitted);

impl FromRow<'_, SqliteRow> for FitRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Fitted {
            job: row.try_get("job_id")?,
            run: row.try_get("run_id")?,
            domain: row.try_get("domain")?,
            plugin: row.try_get("plugin")?,
            base: row.try_get("base")?,
            base_plugin_version_id: row.try_get("base_plugin_version_id")?,
            update_of: row.try_get("updated")?,
            anew: row.try_get("anew")?,
            selection: row.try_get("selection")?,
            seed: row.try_get::<i64, _>("seed")?.cast_unsigned(),
            records: row.try_get("records")?,
            total: row.try_get("total")?,
            rejected: row.try_get("rejected")?,
            record_watermark: row.try_get("record_watermark")?,
            first_time: row.try_get("first_time")?,
            last_time: row.try_get("last_time")?,
            config: row.try_get("config")?,
            author: row.try_get("author")?,
            fitted_at: row.try_get("fitted_at")?,
            models: Vec::new(),
        }))
    }
}

/// Which fits to read. What is `None` does not narrow.
#[derive(Clone, Copy, Default)]
struct Filter<'f> {
    job: Option<i64>,
    domain: Option<&'f str>,
    plugin: Option<&'f str>,
    version: Option<&'f str>,
}

impl Store {
    /// What a job has fitted; nothing while it is not done, and for jobs of another kind.
    pub async fn fit(&self, job: i64) -> Result<Option<Fitted>, ReadError> {
        Ok(self.read_fits(Filter { job: Some(job), ..Filter::default() }, 1).await?.pop())
    }

    /// The fits of a domain, or all, the latest first, at most `limit` of them.
    pub async fn fits(&self, domain: Option<&str>, limit: u32) -> Result<Vec<Fitted>, ReadError> {
        self.read_fits(Filter { domain, ..Filter::default() }, limit).await
    }

    /// The fit that made this version of a plugin, if one did; of several that made the same, the latest. Without a version, the
    /// latest fit of the plugin.
    pub async fn fit_of(&self, plugin: &str, version: Option<&str>) -> Result<Option<Fitted>, ReadError> {
        Ok(self.read_fits(Filter { plugin: Some(plugin), version, ..Filter::default() }, 1).await?.pop())
    }

    async fn read_fits(&self, filter: Filter<'_>, limit: u32) -> Result<Vec<Fitted>, ReadError> {
        let read = async {
            let rows: Vec<FitRow> = sqlx::query_as(FITS)
                .bind(filter.job)
                .bind(filter.domain)
                .bind(filter.plugin)
                .bind(filter.version)
                .bind(limit)
                .fetch_all(self.readers())
                .await?;
            self.with_files(rows).await
        };
        read.await.while_reading(|| "the fitted models".to_owned())
    }

    async fn with_files(&self, rows: Vec<FitRow>) -> Result<Vec<Fitted>, sqlx::Error> {
        let jobs = serde_json::Value::from_iter(rows.iter().map(|row| row.0.job)).to_string();
        let written = sqlx::query(
            "SELECT job_id, name, hash, bytes FROM fit_model JOIN model ON model.id = model_id
             WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, name",
        )
        .bind(jobs)
        .fetch_all(self.readers())
        .await?;
        let mut files: HashMap<i64, Vec<FittedModel>> = HashMap::new();
        for row in &written {
            files.entry(row.try_get("job_id")?).or_default().push(FittedModel {
                name: row.try_get("name")?,
                hash: row.try_get("hash")?,
                bytes: row.try_get("bytes")?,
            });
        }
        let complete = |FitRow(fit)| {
            let models = files.remove(&fit.job).unwrap_or_default();
            Fitted { models, ..fit }
        };
        Ok(rows.into_iter().map(complete).collect())
    }
}
