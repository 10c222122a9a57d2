//! `create` and `update`.

use std::sync::Arc;

use foretell_jobs::{JobOptions, Program, Role, create as plan, preview};
use foretell_runtime::plugin::Plugin;
use foretell_store::job::Planned;
use foretell_store::open::Store;
use foretell_store::selection::{Selection, Unscored};
use serde::Serialize;

use super::arguments::{Create, Limits, Model, Update};
use super::{App, drive, find, list, score_failure};
use crate::{Bar, Failure, exit, format_count};

/// What `--preview` says.
#[derive(Serialize)]
struct Preview {
    plugin: String,
    records: u64,
}

pub(super) async fn create(app: &App<'_>, command: &Create) -> Result<u8, Failure> {
    let (plugin, program) = load(app, &command.model)?;
    let store = app.place.open().await?;
    let role = if command.shadow { Role::Challenger } else { Role::Champion };
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
    let (plugin, program) = load(app, &command.model)?;
    let store = app.place.open().await?;
    let options = options(unscored(), &command.limits, Role::Champion);
    score(app, &store, &plugin, &program, &options, command.crew.workers).await
}

/// Scores what `options` select; before that, what another job of the same plugin, models and settings has left over.
pub async fn score(
    app: &App<'_>,
    store: &Store,
    plugin: &Arc<Plugin>,
    program: &Program,
    options: &JobOptions,
    workers: usize,
) -> Result<u8, Failure> {
    let crew = super::arguments::Crew { workers };
    let mut code = exit::DONE;
    loop {
        match plan_job(app, store, plugin, program, options).await? {
            Planned::New(job) => return Ok(code.max(drive::job(app, store, job, &crew).await?)),
            Planned::Unfinished(job) => code = code.max(drive::go_on(app, store, job, &crew).await?),
            Planned::Nothing => {
                nothing(app, plugin);
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
    let bar = Bar::new("planning", app.unit, None, app.output.is_json());
    let planned = plan(store, plugin, program, options, |found| bar.set(found)).await;
    bar.finish();
    planned.map_err(|error| score_failure(&error))
}

fn load(app: &App<'_>, model: &Model) -> Result<(Arc<Plugin>, Program), Failure> {
    let wanted = model.plugin.as_deref().or(app.plugin).ok_or_else(|| {
        Failure::words("no plugin is named")
            .hint(Some("name one with `--plugin`; `foretell plugin list` lists them"))
    })?;
    let runtime = app.place.runtime()?;
    let model = model.model.as_ref().map(|(slot, file)| (slot.as_str(), file.as_path()));
    let plugin = app.place.plugin(&runtime, wanted, model)?;
    Ok((plugin, Program::new(app.program, app.version, &runtime)))
}

/// What there is to say when there is nothing to do.
#[derive(Serialize)]
struct Nothing {
    job: Option<i64>,
    plugin: String,
    records: u64,
}

fn nothing(app: &App<'_>, plugin: &Plugin) {
    app.output.show(&Nothing { job: None, plugin: plugin.name(), records: 0 }, |output| {
        output.line(&format!("nothing to do: no {} are selected that {} has to score", app.unit, plugin.name()));
    });
}
