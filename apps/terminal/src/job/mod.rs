//! Batch work on the command line: `foretell job`, `foretell-fraud batch`, and what other apps call it.

mod arguments;
mod compare;
mod create;
mod drive;
mod fit;
mod list;
mod model;
mod results;

use foretell_jobs::ScoreError;
use foretell_store::fault::ReadError;
use foretell_store::job::{Job, JobError, JobKind, JobState};
use foretell_store::open::Store;

use serde::Serialize;

pub use self::arguments::{Command, Crew, parse_timeout, parse_workers};
pub use self::create::score;
pub use self::fit::{FittedDocument, fit};
pub use self::model::{Models, Wanted, models, only_duty};
use crate::{Failure, Output, Place, exit};

/// The app that batch work is done from.
#[derive(Clone, Copy, Debug)]
pub struct App<'a> {
    /// Where the database, the plugins and ONNX Runtime are.
    pub place: &'a Place,
    /// Where results go.
    pub output: Output,
    /// Name of the program, such as `foretell-fraud`.
    pub program: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// The subcommand that all of this stands under, such as `batch`.
    pub command: &'a str,
    /// What records are called, such as `transactions`.
    pub unit: &'static str,
    /// The plugin, unless the user names one.
    pub plugin: Option<&'a str>,
    /// The domain that the app is about; none if it is about all.
    pub domain: Option<&'a str>,
    /// The task of that domain whose champion answers, unless the user names another; none if it must be clear without.
    pub task: Option<&'a str>,
}

/// Runs one of the commands.
pub async fn run(app: &App<'_>, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Create(create) => create::create(app, create).await,
        Command::Update(update) => create::update(app, update).await,
        Command::Run { job, crew } => drive::run(app, *job, crew).await,
        Command::Resume { job, crew } => drive::resume(app, *job, crew).await,
        Command::Status { job, watch } => list::status(app, *job, *watch).await,
        Command::List { limit } => list::list(app, *limit).await,
        Command::Pause { job } => {
            let store = app.place.open().await?;
            store.pause_job(*job).await.map_err(|error| job_failure(&error))?;
            changed(app, &store, *job, "paused").await
        }
        Command::Cancel { job } => {
            let store = app.place.open().await?;
            store.cancel_job(*job).await.map_err(|error| job_failure(&error))?;
            changed(app, &store, *job, "cancelled").await
        }
        Command::Results { job, limit } => results::results(app, *job, *limit).await,
        Command::Compare(compare) => compare::compare(app, compare).await,
        Command::Work { job } => drive::work(app, *job).await,
    }
}

/// Tells that a job is in another state now.
async fn changed(app: &App<'_>, store: &Store, job: i64, what: &str) -> Result<u8, Failure> {
    let job = find(app, store, job).await?;
    app.output.show(&list::Document::from(&job), |output| {
        output.line(&format!("job {} is {what}: {}", job.id, list::tally(&job, app.unit)));
        if job.state == JobState::Paused {
            let how = if job.kind == JobKind::Fit { "begins it again" } else { "goes on" };
            output.line(&format!("`{}` {how}", app.words(&format!("resume {}", job.id))));
        }
    });
    Ok(exit::DONE)
}

impl App<'_> {
    /// A command of this app, for a hint: `foretell-fraud batch resume 3`.
    fn words(&self, rest: &str) -> String {
        format!("{} {} {rest}", self.program, self.command)
    }
}

/// Tells a program how far work is, as JSON on a line.
#[expect(
    clippy::print_stderr,
    reason = "progress goes to standard error, so that standard output is the result alone"
)]
fn tell(progress: &impl Serialize) {
    eprintln!("{}", serde_json::to_string(progress).expect("progress is texts and finite numbers"));
}

async fn find(app: &App<'_>, store: &Store, id: i64) -> Result<Job, Failure> {
    let unknown = || {
        Failure::words(format!("there is no job {id}"))
            .hint(Some(format!("`{}` lists them", app.words("list"))))
    };
    store.job(id).await.map_err(|error| read_failure(&error))?.ok_or_else(unknown)
}

fn read_failure(error: &ReadError) -> Failure {
    Failure::new(error).hint(error.hint())
}

fn job_failure(error: &JobError) -> Failure {
    Failure::new(error).hint(error.kind.hint())
}

fn score_failure(error: &ScoreError) -> Failure {
    Failure::new(error).hint(error.hint())
}
