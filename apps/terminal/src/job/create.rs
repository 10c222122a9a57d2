//! `create` and `update`.

use foretell_jobs::{JobOptions, Program, create as plan, preview};
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::job::{JobState, Planned};
use foretell_store::open::Store;
use foretell_store::selection::{Selection, Unscored};
use foretell_store::time::format_time;
use serde::Serialize;

use super::arguments::{Create, Crew, Kind, Limits, Update};
use super::model::{Models, Wanted, models};
use super::{App, drive, find, fit, list, read_failure, score_failure};
use crate::{Bar, Failure, Output, exit, format_count};

/// What `--preview` says.
#[derive(Serialize)]
struct Preview {
    plugin: String,
    records: u64,
}

pub(super) async fn create(app: &App<'_>, command: &Create) -> Result<u8, Failure> {
    if command.kind == Kind::Fit {
        return fit::create(app, command).await;
    }
    let learning = [("--seed", command.seed.is_some()), ("--update", command.update)];
    if let Some((argument, _)) = learning.into_iter().find(|(_, given)| *given) {
        return Err(Failure::words(format!("`{argument}` is for a fit alone"))
            .hint(Some("add `--kind fit`, or leave it out")));
    }
    let store = app.place.open_patiently().await?;
    let Models { plugin, role, program, .. } = models(app, &store, &Wanted::from(&command.model)).await?;
    let role = if command.shadow { Role::Challenger } else { role };
    let options = options(command.which.selection(), &command.limits, role);
    if command.preview {
        let counting = Bar::waiting("counting", app.output.is_json());
        let records = preview(&store, &plugin, &program, &options).await;
        counting.finish();
        let document =
            Preview { plugin: plugin.name(), records: records.map_err(|error| score_failure(&error))? };
        app.output.show(&document, |output| {
            let records = format_count(document.records);
            output.line(&format!("{records} {} would be scored by {}", app.unit, document.plugin));
        });
        return Ok(exit::DONE);
    }
    match plan_job(app, &store, &plugin, &program, &options).await? {
        Planned::New(job) if command.run => drive::job(app, &store, job, &command.crew).await,
        Planned::New(job) => {
            let job = find(app, &store, job).await?;
            app.output.show(&list::Document::from(&job), |output| {
                output.line(&format!(
                    "job {}: {} {} in {} chunks, to be scored by {}",
                    job.id,
                    format_count(job.records),
                    app.unit,
                    format_count(job.chunks),
                    job.plugin
                ));
                if job.shadow {
                    output.line("its predictions are only stored, for comparison");
                }
                output.line(&format!("`{}` works on it", app.words(&format!("run {}", job.id))));
            });
            Ok(exit::DONE)
        }
        Planned::Unfinished(job) => Err(Failure::words(format!(
            "job {job} is about all that is not scored by {}, too, and is not finished",
            plugin.name()
        ))
        .hint(Some(format!("finish it first: `{}`", app.words(&format!("resume {job}")))))),
        Planned::Nothing => {
            nothing(app, &plugin);
            Ok(exit::DONE)
        }
    }
}

pub(super) async fn update(app: &App<'_>, command: &Update) -> Result<u8, Failure> {
    let store = app.place.open_patiently().await?;
    let chosen = models(app, &store, &Wanted::from(&command.model)).await?;
    let options = options(unscored(), &command.limits, chosen.role);
    score(app, &store, &chosen, &options, command.crew.workers).await
}

/// Scores what `options` select; before that, what another job of the same plugin, models and settings has left over. Then the
/// challenger, if there is one, scores the same: whatever comes of that, the champion's answer stands.
pub async fn score(
    app: &App<'_>,
    store: &Store,
    models: &Models,
    options: &JobOptions,
    workers: usize,
) -> Result<u8, Failure> {
    let crew = Crew { workers };
    let options = JobOptions { role: models.role, ..options.clone() };
    let code = score_with(app, store, &models.plugin, &models.program, &options, &crew).await?;
    if let Some(challenger) = &models.challenger {
        let options = JobOptions { role: Role::Challenger, ..options };
        let aside = App { output: Output::silent(), ..*app };
        match score_with(&aside, store, challenger, &models.program, &options, &crew).await {
            Ok(_) if app.output.is_json() => (),
            Ok(_) => {
                app.output.line(&format!("beside it, {} scored the same, for comparison", challenger.name()));
            }
            Err(failure) => tracing::warn!("the challenger {} has not scored: {failure}", challenger.name()),
        }
    }
    Ok(code)
}

async fn score_with(
    app: &App<'_>,
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    options: &JobOptions,
    crew: &Crew,
) -> Result<u8, Failure> {
    let mut code = exit::DONE;
    let mut finished = None;
    // Programs get one document: that of the last job.
    let aside = if app.output.is_json() { App { output: Output::silent(), ..*app } } else { *app };
    loop {
        match plan_job(app, store, plugin, program, options).await? {
            Planned::New(job) => return Ok(code.max(drive::job(app, store, job, crew).await?)),
            Planned::Unfinished(job) => {
                if find(app, store, job).await?.state == JobState::Paused {
                    return Err(Failure::words(format!("job {job} comes first, and is paused"))
                        .hint(Some(format!("`{}` goes on with it", app.words(&format!("resume {job}"))))));
                }
                code = code.max(drive::go_on(&aside, store, job, crew).await?);
                finished = store.job(job).await.map_err(|error| read_failure(&error))?;
            }
            Planned::Nothing => {
                match finished {
                    Some(job) => app.output.show(&list::Document::from(&job), |_| ()),
                    None => nothing(app, plugin),
                }
                return Ok(code);
            }
        }
    }
}

/// Everything that is not scored.
fn unscored() -> Selection {
    Selection { unscored: Some(Unscored::default()), ..Selection::default() }
}

fn options(selection: Selection, limits: &Limits, role: Role) -> JobOptions {
    JobOptions {
        chunk_records: limits.chunk,
        timeout: limits.timeout,
        attempts_max: limits.attempts,
        role,
        ..JobOptions::new(selection)
    }
}

async fn plan_job(
    app: &App<'_>,
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    options: &JobOptions,
) -> Result<Planned, Failure> {
    check_times(&options.selection)?;
    let bar = Bar::new("planning", app.unit, None, app.output.is_json());
    let planned = plan(store, plugin, program, options, |found| bar.set(found)).await;
    bar.finish();
    planned.map_err(|error| score_failure(&error))
}

/// Refuses a time without moments.
pub(super) fn check_times(selection: &Selection) -> Result<(), Failure> {
    match selection {
        Selection { from: Some(from), to: Some(to), .. } if from >= to => Err(Failure::words(format!(
            "no time is from {} on and before {}",
            format_time(*from),
            format_time(*to)
        ))
        .hint(Some("`--from` is the earlier time"))),
        _ => Ok(()),
    }
}

/// What there is to say when there is nothing to do.
#[derive(Serialize)]
struct Nothing {
    job: Option<i64>,
    plugin: String,
    records: u64,
    scored: u64,
    rejected: u64,
}

fn nothing(app: &App<'_>, plugin: &Plugin) {
    let nothing = Nothing { job: None, plugin: plugin.name(), records: 0, scored: 0, rejected: 0 };
    app.output.show(&nothing, |output| {
        output.line(&format!(
            "nothing to do: no {} are selected that {} has to score",
            app.unit,
            plugin.name()
        ));
    });
}
