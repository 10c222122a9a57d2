//! `run`, `resume`, and the worker that they start.

use std::io::{Read, Write};
use std::sync::OnceLock;

use foretell_jobs::{Event, Progress, Stop, SuperviseError, Worked, resume as make_ready, supervise};
use foretell_store::job::{Job, JobKind, JobState};
use foretell_store::open::Store;
use serde::Serialize;

use super::arguments::Crew;
use super::list::{self, seconds};
use super::{App, find, fit, score_failure, tell};
use crate::{Bar, Failure, exit, format_count, this_program};

/// Progress is told to programs at most so often, in ticks of the supervisor.
const TOLD_EVERY_TICKS: u32 = 10;

pub(super) async fn run(app: &App<'_>, id: i64, crew: &Crew) -> Result<u8, Failure> {
    let store = app.place.open_patiently().await?;
    let found = find(app, &store, id).await?;
    match found.state {
        JobState::Ready if found.kind == JobKind::Fit => Ok(fit::code(&fit::run(app, &store, &found).await?)),
        JobState::Done if found.kind == JobKind::Fit => fit::show_done(app, &store, &found).await,
        JobState::Ready => job(app, &store, id, crew).await,
        JobState::Planning | JobState::Paused | JobState::Failed => {
            Err(Failure::words(format!("job {id} is {}", found.state))
                .hint(Some(format!("`{}` goes on with it", app.words(&format!("resume {id}"))))))
        }
        JobState::Done | JobState::Cancelled => tell_end(app, &found, &Progress::default()),
    }
}

pub(super) async fn resume(app: &App<'_>, id: i64, crew: &Crew) -> Result<u8, Failure> {
    let store = app.place.open_patiently().await?;
    find(app, &store, id).await?;
    go_on(app, &store, id, crew).await
}

/// A job that is no more.
#[derive(Serialize)]
struct Removed {
    job: i64,
    records: u64,
}

/// Makes a job ready, and works on it.
pub(super) async fn go_on(app: &App<'_>, store: &Store, id: i64, crew: &Crew) -> Result<u8, Failure> {
    let bar = Bar::new("planning", app.unit, None, app.output.is_json());
    let ready = make_ready(store, id, |found| bar.set(found)).await;
    bar.finish();
    match ready.map_err(|error| score_failure(&error))? {
        Some(found) if found.kind == JobKind::Fit => match found.state {
            JobState::Done => fit::show_done(app, store, &found).await,
            _ => Ok(fit::code(&fit::run(app, store, &found).await?)),
        },
        Some(found) if found.state == JobState::Done => tell_end(app, &found, &Progress::default()),
        Some(found) => job(app, store, found.id, crew).await,
        None => {
            app.output.show(&Removed { job: id, records: 0 }, |output| {
                output.line(&format!("job {id} turned out to be about no {}, and was removed", app.unit));
            });
            Ok(exit::DONE)
        }
    }
}

/// Works on a job that is ready, until it is done or somebody stops it.
pub(super) async fn job(app: &App<'_>, store: &Store, id: i64, crew: &Crew) -> Result<u8, Failure> {
    let found = find(app, store, id).await?;
    let stop = interrupted();
    let bar = Bar::new("scoring", app.unit, Some(found.records), app.output.is_json());
    bar.start(found.predicted + found.rejected);
    let mut last = Progress::default();
    let mut ticks = 0;
    let outcome = supervise(
        store,
        &found,
        crew.workers,
        || worker(app, id),
        &stop,
        |progress| {
            last = *progress;
            bar.set(progress.predicted + progress.rejected);
            bar.note(&format!(
                "{} set aside; read {:.0} s, predicted {:.0} s, wrote {:.0} s",
                format_count(progress.rejected),
                progress.read_s,
                progress.predict_s,
                progress.write_s
            ));
            if app.output.is_json() && ticks % TOLD_EVERY_TICKS == 0 {
                tell(&told(id, progress));
            }
            ticks += 1;
        },
    )
    .await;
    bar.finish();
    if app.output.is_json() {
        tell(&told(id, &last));
    }
    let ended = outcome.map_err(|error| supervise_failure(app, id, &error))?;
    tell_end(app, &ended, &last)
}

/// The command of a worker process: this program, with the same places.
fn worker(app: &App<'_>, job: i64) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(this_program(app.program));
    command.args(app.place.to_arguments()).args([app.command, "work", &job.to_string()]);
    command
}

/// Does the work, and tells its events.
pub(super) async fn work(app: &App<'_>, job: i64) -> Result<u8, Failure> {
    let stop = interrupted();
    let told = stop.clone();
    std::thread::spawn(move || {
        // Nothing is ever written to it; it ends when whoever started this process does.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        told.stop();
    });
    let worked = async {
        let runtime = app.place.runtime()?;
        let registry = app.place.registry()?;
        let store = app.place.open_patiently().await?;
        foretell_jobs::work(&store, &registry, &runtime, job, &stop, event)
            .await
            .map_err(|error| Failure::new(&error).hint(error.hint()))
    };
    match worked.await {
        Ok(worked) => {
            event(Event::Ended { lost: worked == Worked::Lost });
            Ok(exit::DONE)
        }
        Err(failure) => {
            event(Event::Failed { message: failure.to_string(), hint: failure.hint_text() });
            Ok(exit::FAILED)
        }
    }
}

/// Tells whoever started this process. Should nobody listen any more, standard input is closed, too.
fn event(event: Event) {
    let line = serde_json::to_string(&event).expect("events are numbers and texts");
    // What a plugin printed may lack the end of its line.
    let _ = write!(std::io::stdout().lock(), "\n{line}\n");
}

/// Told to stop when somebody interrupts or ends this process; the same for everything that it does.
pub(super) fn interrupted() -> Stop {
    static INTERRUPTED: OnceLock<Stop> = OnceLock::new();
    let stop = INTERRUPTED.get_or_init(|| {
        let stop = Stop::default();
        tokio::spawn(stop_on_signal(stop.clone()));
        stop
    });
    stop.clone()
}

async fn stop_on_signal(stop: Stop) {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        // Without it, the system's own way stays: the process ends at once, which a job survives.
        interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { return },
        () = terminated => (),
    }
    stop.stop();
}

/// A progress event, for programs.
#[derive(Serialize)]
pub(super) struct Told<'p> {
    event: &'static str,
    job: i64,
    #[serde(flatten)]
    progress: &'p Progress,
}

pub(super) fn told(job: i64, progress: &Progress) -> Told<'_> {
    Told { event: "progress", job, progress }
}

/// What a job has come to, as a document: the job, and what this command did.
#[derive(Serialize)]
struct Ended {
    #[serde(flatten)]
    job: list::Document,
    /// Records that were predicted or set aside while this command ran.
    scored: u64,
    /// Seconds of this command.
    seconds: f64,
    read_seconds: f64,
    predict_seconds: f64,
    write_seconds: f64,
}

fn tell_end(app: &App<'_>, job: &Job, progress: &Progress) -> Result<u8, Failure> {
    let document = Ended {
        job: list::Document::from(job),
        scored: progress.done,
        seconds: progress.seconds,
        read_seconds: progress.read_s,
        predict_seconds: progress.predict_s,
        write_seconds: progress.write_s,
    };
    let resume = app.words(&format!("resume {}", job.id));
    match job.state {
        JobState::Done => {
            app.output.show(&document, |output| {
                output.line(&format!("job {} is done: {}", job.id, list::tally(job, app.unit)));
                if progress.seconds > 0.0 {
                    output.line(&format!(
                        "{} in {} ({}/s); read {}, predicted {}, wrote {}, at the same time",
                        format_count(document.scored),
                        seconds(progress.seconds),
                        format_count(progress.records_per_s as u64),
                        seconds(progress.read_s),
                        seconds(progress.predict_s),
                        seconds(progress.write_s),
                    ));
                }
                if job.shadow {
                    output.line("its predictions are only stored, for comparison: they answer nobody");
                }
                if job.rejected > 0 {
                    output.line(&format!("`foretell record rejects --run {}` says why", job.run_id));
                }
            });
            Ok(if job.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE })
        }
        JobState::Failed => Err(Failure::words(format!(
            "job {} has failed: {} of {} chunks were given up; {}",
            job.id,
            format_count(job.chunks_failed),
            format_count(job.chunks),
            list::tally(job, app.unit)
        ))
        .hint(Some(format!(
            "`{}` says why; `{resume}` tries again",
            app.words(&format!("status {}", job.id))
        )))),
        JobState::Cancelled => {
            Err(Failure::words(format!("job {} was cancelled: {}", job.id, list::tally(job, app.unit))))
        }
        JobState::Paused => {
            Err(Failure::words(format!("job {} was paused: {}", job.id, list::tally(job, app.unit)))
                .hint(Some(format!("`{resume}` goes on"))))
        }
        JobState::Ready | JobState::Planning => {
            Err(Failure::words(format!("interrupted; job {}: {}", job.id, list::tally(job, app.unit)))
                .hint(Some(format!("`{resume}` goes on"))))
        }
    }
}

fn supervise_failure(app: &App<'_>, job: i64, error: &SuperviseError) -> Failure {
    let resume = format!("`{}` goes on", app.words(&format!("resume {job}")));
    let hint = match error.hint() {
        Some(hint) => format!("{hint}; then {resume}"),
        None => resume,
    };
    Failure::new(error).hint(Some(hint))
}
