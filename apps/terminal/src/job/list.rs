//! `list` and `status`.

use std::time::Duration;

use foretell_jobs::is_gone;
use foretell_store::job::{ChunkProblem, Job, JobKind, JobState, RunningWorker};
use foretell_store::open::Store;
use foretell_store::selection::Selection;
use foretell_store::time::{Micros, SECOND, now};
use serde::Serialize;

use super::{App, FittedDocument, find, read_failure, tell};
use crate::{Bar, Failure, Json, Time, exit, format_count, format_percent};

/// How often a job is looked at that is watched.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// Chunks with problems that `status` lists.
const PROBLEMS_MAX: u32 = 20;

/// A job, as `--json` prints it. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Document {
    job: i64,
    kind: JobKind,
    domain: String,
    plugin: String,
    run: i64,
    shadow: bool,
    selection: Json,
    state: JobState,
    records: u64,
    predicted: u64,
    rejected: u64,
    chunks: u64,
    chunks_done: u64,
    chunks_leased: u64,
    chunks_failed: u64,
    chunk_records: i64,
    timeout_s: f64,
    read_s: f64,
    predict_s: f64,
    write_s: f64,
    created_at: Time,
    started_at: Option<Time>,
    last_chunk_at: Option<Time>,
    finished_at: Option<Time>,
}

impl From<&Job> for Document {
    fn from(job: &Job) -> Self {
        Self {
            job: job.id,
            kind: job.kind,
            domain: job.domain.clone(),
            plugin: job.plugin.clone(),
            run: job.run_id,
            shadow: job.shadow,
            selection: Json(job.selection.clone()),
            state: job.state,
            records: job.records,
            predicted: job.predicted,
            rejected: job.rejected,
            chunks: job.chunks,
            chunks_done: job.chunks_done,
            chunks_leased: job.chunks_leased,
            chunks_failed: job.chunks_failed,
            chunk_records: job.chunk_records,
            timeout_s: to_seconds(job.timeout),
            read_s: to_seconds(job.read_time),
            predict_s: to_seconds(job.predict_time),
            write_s: to_seconds(job.write_time),
            created_at: Time(job.created_at),
            started_at: job.started_at.map(Time),
            last_chunk_at: job.last_chunk_at.map(Time),
            finished_at: job.finished_at.map(Time),
        }
    }
}

fn to_seconds(micros: Micros) -> f64 {
    micros as f64 / SECOND as f64
}

/// A time that somebody waited, for people.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// How far a job is, in words.
pub(super) fn tally(job: &Job, unit: &str) -> String {
    let done = job.predicted + job.rejected;
    format!(
        "{} of {} {unit} ({}), {} set aside",
        format_count(done),
        format_count(job.records),
        format_percent(done as f64 / job.records.max(1) as f64),
        format_count(job.rejected)
    )
}

pub(super) async fn list(app: &App<'_>, limit: u32) -> Result<u8, Failure> {
    let store = app.place.open_read_only().await?;
    let jobs = store.jobs(app.domain, limit).await.map_err(|error| read_failure(&error))?;
    let documents: Vec<Document> = jobs.iter().map(Document::from).collect();
    app.output.show(&documents, |output| {
        if documents.is_empty() {
            return output.line(&format!("no job; `{}` plans one", app.words("create")));
        }
        output.table(
            &["job#", "kind", "plugin", "state", "done#", "records#", "set aside#", "run#", "created"],
            jobs.iter().map(|job| {
                let done = (job.predicted + job.rejected) as f64 / job.records.max(1) as f64;
                let plugin = if job.shadow { format!("{} (shadow)", job.plugin) } else { job.plugin.clone() };
                vec![
                    job.id.to_string(),
                    job.kind.to_string(),
                    plugin,
                    job.state.to_string(),
                    format_percent(done),
                    format_count(job.records),
                    format_count(job.rejected),
                    job.run_id.to_string(),
                    Time(job.created_at).to_string(),
                ]
            }),
        );
    });
    Ok(exit::DONE)
}

/// A job with who works on it and what went wrong.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    job: Document,
    records_per_s: Option<f64>,
    left_s: Option<f64>,
    workers: Vec<WorkerDocument>,
    problems: Vec<ChunkProblem>,
    /// What it made; null while it is not done, and for jobs that score.
    fitted: Option<FittedDocument>,
}

#[derive(Serialize)]
struct WorkerDocument {
    #[serde(flatten)]
    worker: RunningWorker,
    /// Whether its process is known to have ended.
    gone: bool,
}

pub(super) async fn status(app: &App<'_>, id: i64, watch: bool) -> Result<u8, Failure> {
    let store = app.place.open_read_only().await?;
    let mut job = find(app, &store, id).await?;
    if watch {
        job = self::watch(app, &store, job).await?;
    }
    let workers = store.running_workers(id).await.map_err(|error| read_failure(&error))?;
    let workers: Vec<WorkerDocument> = workers
        .into_iter()
        .map(|worker| WorkerDocument { gone: is_gone(&worker.identity), worker })
        .collect();
    let problems = store.chunk_problems(id, PROBLEMS_MAX).await.map_err(|error| read_failure(&error))?;
    let (rate, left) = speed(&job).unzip();
    let fitted = store.fit(id).await.map_err(|error| read_failure(&error))?;
    let status = Status {
        job: Document::from(&job),
        records_per_s: rate,
        left_s: left,
        workers,
        problems,
        fitted: fitted.as_ref().map(FittedDocument::from),
    };
    app.output.show(&status, |_| draw(app, &job, &status));
    Ok(match job.state {
        JobState::Failed => exit::FAILED,
        JobState::Done if job.rejected > 0 => exit::SOME_REJECTED,
        _ => exit::DONE,
    })
}

/// Records a second since the first worker began, and the seconds that are left at this rate.
fn speed(job: &Job) -> Option<(f64, f64)> {
    let done = job.predicted + job.rejected;
    let seconds = to_seconds(job.last_chunk_at? - job.started_at?);
    if done == 0 || seconds <= 0.0 {
        return None;
    }
    let rate = done as f64 / seconds;
    Some((rate, job.records.saturating_sub(done) as f64 / rate))
}

fn draw(app: &App<'_>, job: &Job, status: &Status) {
    let output = app.output;
    let mut facts = vec![
        ("job", job.id.to_string()),
        ("kind", job.kind.to_string()),
        ("plugin", job.plugin.clone()),
        ("state", describe(job, status)),
        ("records", tally(job, app.unit)),
        ("chunks", format!("{} of {}", format_count(job.chunks_done), format_count(job.chunks))),
        ("run", job.run_id.to_string()),
        ("selection", describe_selection(&job.selection)),
        ("created", Time(job.created_at).to_string()),
    ];
    if let Some(fitted) = &status.fitted {
        facts.push(("made", fitted.plugin().to_owned()));
    }
    if job.shadow {
        facts.push(("shadow", "its predictions are only stored, for comparison".to_owned()));
    }
    if let (Some(rate), Some(left)) = (status.records_per_s, status.left_s) {
        facts.push(("rate", format!("{} {}/s", format_count(rate as u64), app.unit)));
        if !job.state.is_final() {
            facts.push(("left", seconds(left)));
        }
    }
    let made = if job.kind == JobKind::Fit { "learned" } else { "predicted" };
    let spent = [("read", job.read_time), (made, job.predict_time), ("wrote", job.write_time)];
    let spent = spent.map(|(stage, time)| format!("{stage} {}", seconds(to_seconds(time))));
    facts.push(("stages", spent.join(", ")));
    output.facts(&facts);
    if !status.workers.is_empty() {
        output.line("");
        output.table(
            &["worker#", "host", "process#", "chunks#", "began", "seen"],
            status.workers.iter().map(|WorkerDocument { worker, gone }| {
                let ago = seconds(to_seconds((now() - worker.seen_at).max(0)));
                vec![
                    worker.id.worker.to_string(),
                    worker.identity.host.clone(),
                    worker.identity.process_id.to_string(),
                    worker.chunks.to_string(),
                    Time(worker.started_at).to_string(),
                    if *gone { "its process has ended".to_owned() } else { format!("{ago} ago") },
                ]
            }),
        );
    }
    if !status.problems.is_empty() {
        output.line("");
        output.table(
            &["chunk#", "records#", "attempts#", "state", "problem of the last attempt"],
            status.problems.iter().map(|chunk| {
                vec![
                    chunk.number.to_string(),
                    chunk.records.to_string(),
                    chunk.attempts.to_string(),
                    chunk.state.clone(),
                    chunk.problem.clone(),
                ]
            }),
        );
    }
}

/// Which records were asked for, in words.
pub(super) fn describe_selection(json: &str) -> String {
    match serde_json::from_str::<Selection>(json) {
        Ok(selection) => selection.describe(),
        Err(_) => json.to_owned(),
    }
}

/// The state in words: one that is ready may be at work, or may have been interrupted.
fn describe(job: &Job, status: &Status) -> String {
    let at_work = status.workers.iter().any(|worker| !worker.gone);
    match job.state {
        JobState::Ready if at_work => "running".to_owned(),
        JobState::Ready if job.chunks_done > 0 || !status.workers.is_empty() => "interrupted".to_owned(),
        state => state.to_string(),
    }
}

/// Shows how a job goes on, wherever it is worked on, until it ends or rests.
async fn watch(app: &App<'_>, store: &Store, mut job: Job) -> Result<Job, Failure> {
    let doing = if job.kind == JobKind::Fit { "learning" } else { "scoring" };
    let bar = Bar::new(doing, app.unit, Some(job.records), app.output.is_json());
    bar.start(job.predicted + job.rejected);
    while matches!(job.state, JobState::Ready | JobState::Planning) {
        tokio::time::sleep(WATCH_EVERY).await;
        job = find(app, store, job.id).await?;
        bar.set_total(job.records);
        bar.set(job.predicted + job.rejected);
        if app.output.is_json() {
            tell(&Document::from(&job));
        }
    }
    bar.finish();
    Ok(job)
}
