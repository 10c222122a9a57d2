//! What a fit begins with: nothing, or the last fit.

use foretell_runtime::registry::Registry;
use foretell_runtime::trust::Verified;
use foretell_store::job::Fitted;
use foretell_store::lineage::NewRun;
use foretell_store::open::Store;
use foretell_store::selection::Selection;
use semver::{BuildMetadata, Version};

use super::{FIT, FitError};

/// What a fit begins with.
pub(super) enum Basis {
    /// Nothing: it learns everything; why, if it was to be an update.
    Everything(Option<String>),
    /// What the last fit made.
    Last(Box<Fitted>, Box<Verified>),
}

/// The plugin as it was installed, without what it has learned; the plugin itself, if that is gone.
pub(super) fn base_of(registry: &Registry, plugin: &Verified) -> Result<Verified, FitError> {
    let manifest = &plugin.manifest().plugin;
    if !manifest.version.build.as_str().starts_with(FIT) {
        return Ok(plugin.clone());
    }
    let version = Version { build: BuildMetadata::EMPTY, ..manifest.version.clone() };
    match registry.find(&format!("{}@{version}", manifest.name)) {
        Ok(installed) => Ok(registry.verify(&installed).map_err(Box::new)?),
        Err(_) => Ok(plugin.clone()),
    }
}

/// The last fit, if going on from it can come to the same as learning everything; else why not. Whether something is late is left to
/// planning, which holds the others off.
pub(super) async fn basis(
    store: &Store,
    registry: &Registry,
    base: &Verified,
    base_run: &NewRun,
    selection: &Selection,
    seed: u64,
) -> Result<Basis, FitError> {
    let anew = |reason: String| Ok(Basis::Everything(Some(reason)));
    let Some(last) = store.fit_of(&base.manifest().plugin.name, None).await? else {
        return anew("nothing was fitted before".to_owned());
    };
    if last.base_plugin_version_id != base_run.plugin_version_id {
        return anew(match last.base == base.title() {
            true => format!("`{}` has other files than when it was fitted last", last.base),
            false => format!("the last fit was made for `{}`", last.base),
        });
    }
    if last.seed != seed {
        return anew(format!("the last fit had seed {}", last.seed));
    }
    if last.config != base_run.config {
        return anew(format!("the last fit had the settings {}", last.config));
    }
    let learned = serde_json::from_str::<Selection>(&last.selection).unwrap_or_default();
    let learned = Selection { after: None, ..learned };
    if learned != *selection {
        return anew(format!("the last fit learned other records: {}", learned.describe()));
    }
    if selection.condition.is_some() || selection.label.is_some() {
        return anew(
            "a condition or a label may select other records by now than for the last fit".to_owned(),
        );
    }
    let found = registry.find(&last.plugin).map_err(|error| error.to_string());
    let verified = found.and_then(|found| registry.verify(&found).map_err(|error| error.to_string()));
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return anew(format!("the last fit is of no use: {error}")),
    };
    let is_made_by = |made: &foretell_store::job::FittedModel| {
        verified.models().iter().any(|own| own.name == made.name && own.hash.to_string() == made.hash)
    };
    if !last.models.iter().all(is_made_by) || verified.library_hash() != base.library_hash() {
        return anew(format!("`{}` has other files than the last fit made", last.plugin));
    }
    Ok(Basis::Last(Box::new(last), Box::new(verified)))
}
