//! Giving a plugin a role.

use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::{DeployError, Deployment, Duty, NewDeployment, Role};
use foretell_store::lineage::LineageError;
use foretell_store::open::Store;
use thiserror::Error;

use crate::lineage::{Program, hashes, models, plugin_version, register};

/// A plugin that could not be given a role.
#[derive(Debug, Error)]
pub enum GiveRoleError {
    /// What it is could not be written down.
    #[error(transparent)]
    Lineage(#[from] LineageError),
    /// That it has the role could not be.
    #[error(transparent)]
    Deploy(#[from] DeployError),
}

impl GiveRoleError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Lineage(error) => error.kind.hint(),
            Self::Deploy(error) => error.kind.hint(),
        }
    }
}

/// What a plugin can be the champion of: its task, in its domain.
pub fn duty(plugin: &Plugin) -> Duty {
    let manifest = &plugin.manifest().plugin;
    Duty::new(&manifest.domain, manifest.task.to_string())
}

/// Makes a loaded plugin, with its models and settings, the champion or the challenger of its [`duty`].
pub async fn deploy(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    role: Role,
) -> Result<(), GiveRoleError> {
    let run = register(store, plugin.verified(), plugin.config(), program, role == Role::Challenger).await?;
    let new = NewDeployment {
        plugin_version_id: run.plugin_version_id,
        model_ids: run.model_ids,
        config: run.config,
        author: run.author,
    };
    Ok(store.deploy(&duty(plugin), role, &new).await?)
}

/// Whether a deployment is of this plugin, with the same models and settings.
pub fn is_deployed(plugin: &Plugin, deployment: &Deployment) -> bool {
    deployment.plugin == plugin_version(plugin.verified())
        && deployment.config == plugin.config()
        && hashes(&deployment.models) == hashes(&models(plugin.verified()))
}
