//! Which plugin predicts: the one that the user names, or the champion.

use std::path::Path;
use std::sync::Arc;

use foretell_jobs::{Program, duty, is_deployed, reload_deployed};
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_store::deployment::{Duty, Role};
use foretell_store::open::Store;
use serde_json::{Map, Value};

use super::arguments::Model;
use super::{App, read_failure};
use crate::{Failure, Place};

/// What predicts.
pub struct Models {
    /// The plugin that was named, or that answers.
    pub plugin: Arc<Plugin>,
    /// Who hears of it: nobody, where another plugin is the champion.
    pub role: Role,
    /// The plugin that is tried beside the champion; none where a plugin was named.
    pub challenger: Option<Arc<Plugin>>,
    /// The program that predicts.
    pub program: Program,
}

impl Models {
    /// The same plugin, opened with some of its settings changed, by key; what it is run with is part of the lineage of what it says.
    /// The challenger is left out.
    ///
    /// # Errors
    /// The plugin refuses the settings.
    pub fn configured(
        mut self,
        place: &Place,
        changes: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Models, Failure> {
        let mut config = self.settings();
        config.extend(changes);
        let options = LoadOptions { config, ..LoadOptions::default() };
        let plugin = Plugin::load(&place.runtime()?, self.plugin.verified().clone(), &options);
        self.plugin = Arc::new(plugin.map_err(|error| Failure::new(&error))?);
        self.challenger = None;
        Ok(self)
    }

    /// The settings that the plugin was opened with, by key.
    pub fn settings(&self) -> Map<String, Value> {
        serde_json::from_str(self.plugin.config()).unwrap_or_default()
    }
}

/// What the user wants to predict: a plugin that is named, or the champion of a task of a domain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// `name` or `name@version`.
    pub plugin: Option<&'a str>,
    /// A domain; the app's own, if not said.
    pub domain: Option<&'a str>,
    /// One of its tasks; if not said, the app's own, or the only one that has a champion.
    pub task: Option<&'a str>,
    /// Another file for one of the model slots of the plugin.
    pub file: Option<(&'a str, &'a Path)>,
}

impl<'a> Wanted<'a> {
    /// A plugin, `name` or `name@version`.
    pub fn plugin(plugin: &'a str) -> Self {
        Self { plugin: Some(plugin), ..Self::default() }
    }
}

impl<'a> From<&'a Model> for Wanted<'a> {
    fn from(model: &'a Model) -> Self {
        let file = model.model.as_ref().map(|(slot, file)| (slot.as_str(), file.as_path()));
        Self {
            plugin: model.plugin.as_deref(),
            domain: model.domain.as_deref(),
            task: model.task.as_deref(),
            file,
        }
    }
}

/// Loads the plugin that is wanted; where none is named, the champion, or the app's own plugin where nobody is.
///
/// # Errors
/// Nobody is named, and nobody or more than one could be meant; the plugin cannot be loaded, or the database not be read.
pub async fn models(app: &App<'_>, store: &Store, wanted: &Wanted<'_>) -> Result<Models, Failure> {
    let runtime = app.place.runtime()?;
    let program = Program::new(app.program, app.version, &runtime);
    if wanted.plugin.is_none()
        && wanted.file.is_none()
        && let Some(duty) = wanted_duty(app, store, wanted).await?
        && let Some(plugin) = deployed(app, store, &runtime, &duty, Role::Champion).await?
    {
        let challenger = deployed(app, store, &runtime, &duty, Role::Challenger).await?;
        return Ok(Models { plugin, role: Role::Champion, challenger, program });
    }
    let named = wanted.plugin.or(app.plugin).ok_or_else(|| nobody(wanted))?;
    let plugin = app.place.plugin(&runtime, named, wanted.file)?;
    let champion =
        store.deployed(&duty(&plugin), Role::Champion).await.map_err(|error| read_failure(&error))?;
    let role = match champion {
        Some(champion) if !is_deployed(&plugin, &champion) => Role::Challenger,
        _ => Role::Champion,
    };
    Ok(Models { plugin, role, challenger: None, program })
}

/// Whose champion is wanted, where no plugin is named; nobody's where no domain is known, or none has a champion.
pub(super) async fn wanted_duty(
    app: &App<'_>,
    store: &Store,
    wanted: &Wanted<'_>,
) -> Result<Option<Duty>, Failure> {
    let Some(domain) = wanted.domain.or(app.domain) else { return Ok(None) };
    let own_task = app.task.filter(|_| app.domain == Some(domain));
    match wanted.task.or(own_task) {
        Some(task) => Ok(Some(Duty::new(domain, task))),
        None => only_duty(store, domain, Role::Champion).await,
    }
}

/// That nobody is named, and nobody has the role.
pub(super) fn nobody(wanted: &Wanted<'_>) -> Failure {
    match (wanted.domain, wanted.task) {
        (Some(domain), Some(task)) => Failure::words(format!("{} has no champion", Duty::new(domain, task))),
        (Some(domain), None) => Failure::words(format!("domain `{domain}` has no champion")),
        (None, _) => {
            return Failure::words("no plugin is named")
                .hint(Some("name one with `--plugin`, or a domain that has a champion with `--domain`"));
        }
    }
    .hint(Some("`foretell model promote PLUGIN` makes one; or name a plugin with `--plugin`"))
}

/// The duty of a domain for which somebody has a role, if there is one.
///
/// # Errors
/// There are several, so a task must be named; or the database cannot be read.
pub async fn only_duty(store: &Store, domain: &str, role: Role) -> Result<Option<Duty>, Failure> {
    let mut held = Vec::new();
    for duty in store.duties(Some(domain)).await.map_err(|error| read_failure(&error))? {
        if let Some(holder) = store.deployed(&duty, role).await.map_err(|error| read_failure(&error))? {
            held.push((duty, holder.plugin));
        }
    }
    if held.len() > 1 {
        let each: Vec<String> = held
            .iter()
            .map(|(duty, plugin)| format!("{}@{} for `{}`", plugin.name, plugin.version, duty.task))
            .collect();
        return Err(Failure::words(format!("domain `{domain}` has several {role}s: {}", each.join(", ")))
            .hint(Some("say which one with `--task`")));
    }
    Ok(held.pop().map(|(duty, _)| duty))
}

async fn deployed(
    app: &App<'_>,
    store: &Store,
    runtime: &Arc<Runtime>,
    duty: &Duty,
    role: Role,
) -> Result<Option<Arc<Plugin>>, Failure> {
    let deployment = store.deployed(duty, role).await.map_err(|error| read_failure(&error))?;
    let Some(deployment) = deployment else { return Ok(None) };
    match reload_deployed(&app.place.registry()?, runtime, role, &deployment) {
        Ok(plugin) => Ok(Some(Arc::new(plugin))),
        Err(error) if role == Role::Champion => {
            let Duty { domain, task } = duty;
            let back = format!("`foretell model rollback {domain} --task {task}`");
            Err(Failure::new(&error).hint(Some(format!("install it again, or go back: {back}"))))
        }
        // A trial must not stand in the way of an answer.
        Err(error) => {
            tracing::warn!("the challenger is left out: {error}");
            Ok(None)
        }
    }
}
