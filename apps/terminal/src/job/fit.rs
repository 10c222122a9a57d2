//! Fits: jobs that learn a model anew from stored records, done in this process.

use foretell_jobs::{FitError, FitOptions, Fitted, PlannedFit, Program, Progress, create_fit, run_fit};
use foretell_runtime::trust::Verified;
use foretell_store::deployment::Role;
use foretell_store::job::{Job, JobKind, JobState};
use foretell_store::open::Store;
use foretell_store::selection::Selection;
use serde::Serialize;

use super::arguments::Create;
use super::drive::{self, interrupted};
use super::list::{self, describe_selection, seconds};
use super::model::{Wanted, nobody, wanted_duty};
use super::{App, find, read_failure, tell};
use crate::{Bar, Failure, Json, Output, Time, exit, format_bytes, format_count};

/// Progress is told to programs at most so often, in ticks of the fit.
const TOLD_EVERY_TICKS: u32 = 10;

/// A fit that is done, as `--json` prints it. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize)]
pub struct FittedDocument {
    job: i64,
    kind: JobKind,
    run: i64,
    domain: String,
    plugin: String,
    base: String,
    update_of: Option<String>,
    anew: Option<String>,
    selection: Json,
    seed: u64,
    records: u64,
    total: u64,
    rejected: u64,
    record_watermark: i64,
    first_time: Option<Time>,
    last_time: Option<Time>,
    config: Json,
    author: String,
    fitted_at: Time,
    models: Vec<FileDocument>,
}

#[derive(Clone, Debug, Serialize)]
struct FileDocument {
    name: String,
    hash: String,
    bytes: i64,
}

impl From<&Fitted> for FittedDocument {
    fn from(fitted: &Fitted) -> Self {
        let models = fitted.models.iter().map(|model| FileDocument {
            name: model.name.clone(),
            hash: model.hash.clone(),
            bytes: model.bytes,
        });
        Self {
            job: fitted.job,
            kind: JobKind::Fit,
            run: fitted.run,
            domain: fitted.domain.clone(),
            plugin: fitted.plugin.clone(),
            base: fitted.base.clone(),
            update_of: fitted.update_of.clone(),
            anew: fitted.anew.clone(),
            selection: Json(fitted.selection.clone()),
            seed: fitted.seed,
            records: fitted.records,
            total: fitted.total,
            rejected: fitted.rejected,
            record_watermark: fitted.record_watermark,
            first_time: fitted.first_time.map(Time),
            last_time: fitted.last_time.map(Time),
            config: Json(fitted.config.clone()),
            author: fitted.author.clone(),
            fitted_at: Time(fitted.fitted_at),
            models: models.collect(),
        }
    }
}

impl FittedDocument {
    /// The plugin version that was made, `name@version`.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Records that the model knows.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Names and values for people; records are called `unit`.
    pub fn facts(&self, unit: &str) -> Vec<(&'static str, String)> {
        let mut learned = format!("{} {unit}", format_count(self.records));
        if let (Some(first), Some(last)) = (self.first_time, self.last_time) {
            learned += &format!(", of {first} to {last}");
        }
        let mut facts = vec![("model", self.plugin.clone()), ("made for", self.base.clone())];
        if let Some(update_of) = &self.update_of {
            facts.push(("update of", update_of.clone()));
            learned = format!(
                "{} {unit}, and {} with those before, of {} to {}",
                format_count(self.records),
                format_count(self.total),
                self.first_time.map(|time| time.to_string()).unwrap_or_default(),
                self.last_time.map(|time| time.to_string()).unwrap_or_default(),
            );
        }
        if let Some(anew) = &self.anew {
            facts.push(("learned anew", format!("{anew}, so an update would have come to something else")));
        }
        facts.push(("learned", learned));
        facts.push(("set aside", format_count(self.rejected)));
        facts.push(("selection", describe_selection(&self.selection.0)));
        for FileDocument { name, hash, bytes } in &self.models {
            facts.push(("file", format!("{name}: BLAKE3 {hash}, {}", format_bytes(bytes.cast_unsigned()))));
        }
        facts.push(("seed", self.seed.to_string()));
        facts.push(("settings", self.config.0.clone()));
        facts.push(("job", format!("{}, run {}, by {}", self.job, self.run, self.author)));
        facts.push(("done", self.fitted_at.to_string()));
        facts
    }
}

/// What a fit has come to, and how long this command took.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    fitted: FittedDocument,
    /// Whether this command learned anything; else it is the last fit, which knows all there is.
    learned: bool,
    seconds: f64,
    read_seconds: f64,
    learn_seconds: f64,
    write_seconds: f64,
}

/// Plans a fit of the plugin `name` or `name@version`, does it with a bar, and prints the report. The model is made for the plugin as
/// it was installed, also where a fitted version is named.
///
/// An update that finds nothing new prints so, and returns the last fit. Where [`Fitted::rejected`] is not 0, the app ends with
/// [`exit::SOME_REJECTED`].
pub async fn fit(
    app: &App<'_>,
    store: &Store,
    plugin: &str,
    options: &FitOptions,
) -> Result<Fitted, Failure> {
    let verified = app.place.verified(plugin)?;
    match plan(app, store, &verified, options).await? {
        PlannedFit::New(job) => run(app, store, &find(app, store, job).await?).await,
        PlannedFit::Nothing { last: Some(last) } => {
            show(app, &last, None);
            Ok(*last)
        }
        PlannedFit::Nothing { last: None } => Err(nothing(app, &verified)),
    }
}

async fn plan(
    app: &App<'_>,
    store: &Store,
    plugin: &Verified,
    options: &FitOptions,
) -> Result<PlannedFit, Failure> {
    super::create::check_times(&options.selection)?;
    let program = Program::new(app.program, app.version, &*app.place.runtime()?);
    let bar = Bar::new("planning", app.unit, None, app.output.is_json());
    let planned =
        create_fit(store, &app.place.registry()?, plugin, &program, options, |found| bar.set(found)).await;
    bar.finish();
    planned.map_err(|error| failure(&error))
}

fn failure(error: &FitError) -> Failure {
    Failure::new(error).hint(error.hint())
}

fn nothing(app: &App<'_>, plugin: &Verified) -> Failure {
    let domain = &plugin.manifest().plugin.domain;
    Failure::words(format!(
        "nothing to learn from: no {} of domain `{domain}` are selected for {}",
        app.unit,
        plugin.title()
    ))
    .hint(Some("import some, or select others"))
}

/// `create --kind fit`
pub(super) async fn create(app: &App<'_>, command: &Create) -> Result<u8, Failure> {
    let store = app.place.open_patiently().await?;
    let plugin = app.place.verified(&plugin(app, &store, command).await?)?;
    let options = FitOptions {
        seed: command.seed.unwrap_or_default(),
        update: command.update,
        chunk_records: command.limits.chunk,
        ..FitOptions::new(command.which.selection())
    };
    if command.preview {
        return preview(app, &store, &plugin, &options).await;
    }
    match plan(app, &store, &plugin, &options).await? {
        PlannedFit::New(job) if command.run => {
            let fitted = run(app, &store, &find(app, &store, job).await?).await?;
            Ok(code(&fitted))
        }
        PlannedFit::New(job) => {
            let job = find(app, &store, job).await?;
            app.output.show(&list::Document::from(&job), |output| {
                output.line(&format!(
                    "job {}: {} {}, to be learned by {}",
                    job.id,
                    format_count(job.records),
                    app.unit,
                    job.plugin
                ));
                output.line(&format!("`{}` does it", app.words(&format!("run {}", job.id))));
            });
            Ok(exit::DONE)
        }
        PlannedFit::Nothing { last: Some(last) } => {
            show(app, &last, None);
            Ok(exit::DONE)
        }
        PlannedFit::Nothing { last: None } => Err(nothing(app, &plugin)),
    }
}

/// Refuses what makes no sense for a fit, and finds the plugin: the one that is named, or the champion of the domain.
async fn plugin(app: &App<'_>, store: &Store, command: &Create) -> Result<String, Failure> {
    let senseless = [
        ("--shadow", command.shadow, "a fit predicts nothing"),
        ("--unscored", command.which.unscored, "a fit predicts nothing; `--update` learns what is new"),
        ("--model", command.model.model.is_some(), "a fit makes the files of the plugin itself"),
        ("--preview", command.preview && command.update, "what an update learns is known when it is planned"),
    ];
    if let Some((argument, _, why)) = senseless.into_iter().find(|(_, given, _)| *given) {
        return Err(Failure::words(format!("`{argument}` is not for a fit: {why}")));
    }
    if let Some(plugin) = command.model.plugin.as_deref().or(app.plugin) {
        return Ok(plugin.to_owned());
    }
    let wanted = Wanted::from(&command.model);
    let duty = wanted_duty(app, store, &wanted).await?.ok_or_else(|| nobody(&wanted))?;
    let champion = store.deployed(&duty, Role::Champion).await.map_err(|error| read_failure(&error))?;
    let champion = champion.ok_or_else(|| nobody(&wanted))?;
    Ok(format!("{}@{}", champion.plugin.name, champion.plugin.version))
}

/// What `--preview` says.
#[derive(Serialize)]
struct Preview {
    plugin: String,
    records: u64,
}

async fn preview(
    app: &App<'_>,
    store: &Store,
    plugin: &Verified,
    options: &FitOptions,
) -> Result<u8, Failure> {
    let domain = plugin.manifest().plugin.domain.clone();
    let selection = Selection { domain, ..options.selection.clone() };
    let counting = Bar::waiting("counting", app.output.is_json());
    let records = store.count_selected(&selection).await;
    counting.finish();
    let records = records.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let document = Preview { plugin: plugin.title(), records };
    app.output.show(&document, |output| {
        let records = format_count(document.records);
        output.line(&format!("{records} {} would be learned by {}", app.unit, document.plugin));
    });
    Ok(exit::DONE)
}

/// The exit code of a fit that is done.
pub(super) fn code(fitted: &Fitted) -> u8 {
    if fitted.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE }
}

/// Does a fit that is planned, with a bar, and prints the report.
pub(super) async fn run(app: &App<'_>, store: &Store, job: &Job) -> Result<Fitted, Failure> {
    let (runtime, registry) = (app.place.runtime()?, app.place.registry()?);
    let bar = Bar::new("learning", app.unit, Some(job.records), app.output.is_json());
    let (mut last, mut ticks) = (Progress::default(), 0);
    let outcome = run_fit(store, &registry, &runtime, job.id, &interrupted(), |progress| {
        last = *progress;
        bar.set(progress.predicted + progress.rejected);
        bar.note(&format!(
            "{} set aside; read {:.0} s, learned {:.0} s",
            format_count(progress.rejected),
            progress.read_s,
            progress.predict_s
        ));
        if app.output.is_json() && ticks % TOLD_EVERY_TICKS == 0 {
            tell(&drive::told(job.id, progress));
        }
        ticks += 1;
    })
    .await;
    bar.finish();
    if app.output.is_json() {
        tell(&drive::told(job.id, &last));
    }
    match outcome {
        Ok(fitted) => {
            show(app, &fitted, Some(&last));
            Ok(fitted)
        }
        Err(error) => {
            let job = find(app, store, job.id).await?;
            let is_given_up = matches!(job.state, JobState::Paused | JobState::Cancelled);
            if is_given_up || matches!(error, FitError::Interrupted) {
                return Err(stopped(app, &job));
            }
            let again = format!("`{}` begins again", app.words(&format!("resume {}", job.id)));
            let hint = error.hint().map_or(again.clone(), |hint| format!("{hint}; then {again}"));
            Err(Failure::new(&error).hint(Some(hint)))
        }
    }
}

/// Why a fit that was stopped is not done.
fn stopped(app: &App<'_>, job: &Job) -> Failure {
    let again = format!("`{}` begins again", app.words(&format!("resume {}", job.id)));
    let how = match job.state {
        JobState::Cancelled => {
            return Failure::words(format!("job {} was cancelled; nothing was learned", job.id));
        }
        JobState::Paused => "was paused",
        _ => "was interrupted",
    };
    Failure::words(format!("job {} {how}; what was learned is gone", job.id)).hint(Some(again))
}

/// Prints what a job has fitted that is done.
pub(super) async fn show_done(app: &App<'_>, store: &Store, job: &Job) -> Result<u8, Failure> {
    let fitted = store.fit(job.id).await.map_err(|error| read_failure(&error))?;
    let fitted = fitted
        .ok_or_else(|| Failure::words(format!("job {} has fitted nothing: it is {}", job.id, job.state)))?;
    show(app, &fitted, Some(&Progress::default()));
    Ok(code(&fitted))
}

/// Prints a report: of what was just learned, or that there is nothing new since.
fn show(app: &App<'_>, fitted: &Fitted, progress: Option<&Progress>) {
    let spent = progress.copied().unwrap_or_default();
    let report = Report {
        fitted: fitted.into(),
        learned: progress.is_some(),
        seconds: spent.seconds,
        read_seconds: spent.read_s,
        learn_seconds: spent.predict_s,
        write_seconds: spent.write_s,
    };
    app.output.show(&report, |output| draw(app, output, fitted, &report, &spent));
}

fn draw(app: &App<'_>, output: Output, fitted: &Fitted, report: &Report, spent: &Progress) {
    if !report.learned {
        output.line(&format!("nothing new: {} knows all {} that are selected", fitted.plugin, app.unit));
        return;
    }
    let mut facts = report.fitted.facts(app.unit);
    if spent.seconds > 0.0 {
        facts.push((
            "took",
            format!(
                "{} ({}/s); read {}, learned {}, at the same time",
                seconds(spent.seconds),
                format_count(spent.records_per_s as u64),
                seconds(spent.read_s),
                seconds(spent.predict_s),
            ),
        ));
    }
    output.facts(&facts);
    output.line(&format!("`foretell model promote {}` makes it the one that answers", fitted.plugin));
    if fitted.rejected > 0 {
        output.line(&format!(
            "`foretell record rejects --run {}` says what was set aside, and why",
            fitted.run
        ));
    }
}
