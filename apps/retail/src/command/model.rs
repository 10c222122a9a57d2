//! Which plugin answers, with which settings.

use std::sync::Arc;

use foretell_jobs::{Answer, Predicted, ScoreError, answer};
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::{Duty, Role};
use foretell_store::fault::ReadError;
use foretell_store::open::Store;
use foretell_store::record::{AppendError, Appender, NewRecord, Outcome, SourceInfo, SourceKind};
use foretell_terminal::job::{App, Models, Wanted, models};
use foretell_terminal::{Failure, Place};
use serde_json::Value;

use crate::DOMAIN;
use crate::question::KEYS;

/// A plugin in this process.
pub(super) struct Model {
    pub(super) models: Models,
}

pub(super) fn read_failure(error: ReadError) -> Failure {
    Failure::new(&error).hint(error.hint())
}

pub(super) fn score_failure(error: ScoreError) -> Failure {
    Failure::new(&error).hint(error.hint())
}

pub(super) fn append_failure(error: AppendError) -> Failure {
    Failure::new(&error).hint(error.kind.hint())
}

impl Model {
    /// The plugin that is named, or the champion of the app's task, or the app's own.
    pub(super) async fn load(app: &App<'_>, store: &Store, named: Option<&str>) -> Result<Self, Failure> {
        let champion = match app.task {
            Some(task) => {
                store.deployed(&Duty::new(DOMAIN, task), Role::Champion).await.map_err(read_failure)?
            }
            None => None,
        };
        let named = match named.or(app.plugin.filter(|_| champion.is_none())) {
            Some(name) => Some(version_of(app.place, store, name).await?),
            None => None,
        };
        let wanted = Wanted { plugin: named.as_deref(), ..Wanted::default() };
        Ok(Self { models: models(app, store, &wanted).await? })
    }

    /// The plugin, with some of its settings changed. What is asked so is answered for whoever asked.
    pub(super) fn with(self, place: &Place, changes: Vec<(String, Value)>) -> Result<Self, Failure> {
        if changes.is_empty() {
            return Ok(self);
        }
        let models = self.models.configured(place, changes)?;
        Ok(Self { models })
    }

    /// The plugin.
    pub(super) fn plugin(&self) -> &Plugin {
        &self.models.plugin
    }

    /// A failure, if the plugin learns and has learned nothing yet.
    pub(super) fn check_learned(&self) -> Result<(), Failure> {
        let verified = self.plugin().verified();
        let Some(fit) = &verified.manifest().fit else { return Ok(()) };
        let learned = verified.models().iter().filter(|model| fit.models.contains(&model.name));
        let is_empty = |path: &std::path::Path| std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
        if learned.into_iter().any(|model| !is_empty(&model.path)) {
            return Ok(());
        }
        Err(Failure::words(format!("{} has learned nothing yet", self.plugin().name())).hint(Some(
            "run `foretell-retail fit`: it learns from the stored purchases, and answers from then on",
        )))
    }

    /// Answers stored records at once; with them the run. A record that is refused is a failure, since it is a
    /// question of ours.
    pub(super) async fn answer(
        &self,
        store: &Store,
        ids: &[i64],
    ) -> Result<(i64, Vec<(i64, Predicted)>), Failure> {
        let Models { plugin, program, role, .. } = &self.models;
        let (run, answers) = answer(store, plugin, program, *role, ids).await.map_err(score_failure)?;
        let answers = answers.into_iter().map(|(id, answer)| match answer {
            Answer::Predicted(predicted) => Ok((id, predicted)),
            Answer::Refused { field, reason } => {
                let field = field.map(|field| format!("`{field}` ")).unwrap_or_default();
                Err(Failure::words(format!("{} refuses the question: {field}{reason}", plugin.name())))
            }
        });
        Ok((run, answers.collect::<Result<_, _>>()?))
    }

    /// Answers stored records at once, for later; those that are refused stand under the run with their reasons.
    pub(super) async fn try_answer(&self, store: &Store, ids: &[i64]) -> Result<(), Failure> {
        let Models { plugin, program, role, .. } = &self.models;
        answer(store, plugin, program, *role, ids).await.map_err(score_failure)?;
        Ok(())
    }

    /// The plugin without its challenger.
    pub(super) fn alone(&self) -> Models {
        let Models { plugin, role, program, .. } = &self.models;
        Models { plugin: Arc::clone(plugin), role: *role, challenger: None, program: program.clone() }
    }

    /// Lets the challenger answer, too. Whatever comes of it, the champion's answer stands.
    pub(super) async fn challenge(&self, store: &Store, ids: &[i64]) {
        let Models { challenger, program, .. } = &self.models;
        let Some(challenger) = challenger else { return };
        if let Err(error) = answer(store, challenger, program, Role::Challenger, ids).await {
            tracing::warn!("the challenger {} has not answered: {error}", challenger.name());
        }
    }
}

/// Which version a name without one means: what was learned last from this database, or the plugin as it was installed.
///
/// The latest version of all may have learned from another database, which would be another shop.
async fn version_of(place: &Place, store: &Store, named: &str) -> Result<String, Failure> {
    /// How the build of a version begins that was learned.
    const LEARNED: &str = "+fit.";
    if named.contains('@') {
        return Ok(named.to_owned());
    }
    if let Some(fitted) = store.fit_of(named, None).await.map_err(read_failure)? {
        return Ok(fitted.plugin);
    }
    let registry = place.registry()?;
    let latest = registry.find(named).map_err(|error| Failure::new(&error))?.version().to_string();
    let base = latest.split_once(LEARNED).map(|(base, _)| format!("{named}@{base}"));
    // Should it be gone, the latest is all that there is.
    Ok(base.filter(|base| registry.find(base).is_ok()).unwrap_or_else(|| named.to_owned()))
}

/// Where questions are stored.
pub(super) struct Notebook(Appender);

impl Notebook {
    /// Begins a source that is called after the command that asks.
    pub(super) async fn open(store: &Store, name: &str) -> Result<Self, Failure> {
        let source = SourceInfo { kind: SourceKind::Live, name: name.to_owned(), hash: None, mapping: None };
        let keys = KEYS.map(str::to_owned).to_vec();
        Ok(Self(Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)?))
    }

    /// The source.
    pub(super) fn source(&self) -> i64 {
        self.0.source_id()
    }

    /// Stores questions; their ids.
    pub(super) async fn add(&mut self, questions: Vec<NewRecord>) -> Result<Vec<i64>, Failure> {
        let outcomes = self.0.append(questions).await.map_err(append_failure)?;
        Ok(outcomes.into_iter().map(Outcome::record_id).collect())
    }

    /// Says that there are no more.
    pub(super) async fn close(self) -> Result<(), Failure> {
        self.0.finish().await.map_err(append_failure)
    }
}
