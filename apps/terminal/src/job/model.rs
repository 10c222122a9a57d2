//! Which plugin predicts: the one that the user names, or the champion of the domain.

use std::path::Path;
use std::sync::Arc;

use foretell_jobs::{Program, is_deployed, reload_deployed};
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::open::Store;

use super::arguments::Model;
use super::{App, read_failure};
use crate::Failure;

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

pub(super) async fn load(app: &App<'_>, store: &Store, model: &Model) -> Result<Models, Failure> {
    let file = model.model.as_ref().map(|(slot, file)| (slot.as_str(), file.as_path()));
    models(app, store, model.plugin.as_deref(), model.domain.as_deref(), file).await
}

/// Loads the plugin that is `named`, with another model `file` if one is given; without either, the champion of the domain, or
/// the app's own plugin where nobody is.
pub async fn models(
    app: &App<'_>,
    store: &Store,
    named: Option<&str>,
    domain: Option<&str>,
    file: Option<(&str, &Path)>,
) -> Result<Models, Failure> {
    let runtime = app.place.runtime()?;
    let program = Program::new(app.program, app.version, &runtime);
    if named.is_none()
        && file.is_none()
        && let Some(domain) = domain.or(app.domain)
        && let Some(plugin) = deployed(app, store, &runtime, domain, Role::Champion).await?
    {
        let challenger = deployed(app, store, &runtime, domain, Role::Challenger).await?;
        return Ok(Models { plugin, role: Role::Champion, challenger, program });
    }
    let wanted = named.or(app.plugin).ok_or_else(|| match domain {
        Some(domain) => Failure::words(format!("domain `{domain}` has no champion"))
            .hint(Some("`foretell model promote PLUGIN` makes one; or name a plugin with `--plugin`")),
        None => Failure::words("no plugin is named")
            .hint(Some("name one with `--plugin`, or a domain that has a champion with `--domain`")),
    })?;
    let plugin = app.place.plugin(&runtime, wanted, file)?;
    let domain = &plugin.manifest().plugin.domain;
    let champion = store.deployed(domain, Role::Champion).await.map_err(|error| read_failure(&error))?;
    let role = match champion {
        Some(champion) if !is_deployed(&plugin, &champion) => Role::Challenger,
        _ => Role::Champion,
    };
    Ok(Models { plugin, role, challenger: None, program })
}

async fn deployed(
    app: &App<'_>,
    store: &Store,
    runtime: &Arc<Runtime>,
    domain: &str,
    role: Role,
) -> Result<Option<Arc<Plugin>>, Failure> {
    let deployment = store.deployed(domain, role).await.map_err(|error| read_failure(&error))?;
    let Some(deployment) = deployment else { return Ok(None) };
    match reload_deployed(&app.place.registry()?, runtime, role, &deployment) {
        Ok(plugin) => Ok(Some(Arc::new(plugin))),
        Err(error) if role == Role::Champion => Err(Failure::new(&error)
            .hint(Some(format!("install it again, or go back: `foretell model rollback {domain}`")))),
        // A trial must not stand in the way of an answer.
        Err(error) => {
            tracing::warn!("the challenger is left out: {error}");
            Ok(None)
        }
    }
}
