//! `foretell plugin`

use foretell_runtime::registry::{Existing, Installed, Registry};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use super::trust::{HashedFile, Listed, files};
use super::{inspect, new, validate};
use crate::arguments::Plugin;

pub(super) fn run(place: &Place, output: Output, command: &Plugin) -> Result<u8, Failure> {
    let registry = place.registry()?;
    match command {
        Plugin::List => list(&registry, output),
        Plugin::Inspect { plugin } => inspect::run(&registry, output, plugin),
        Plugin::Validate(command) => validate::run(place, &registry, output, command),
        Plugin::Conform { task } => validate::conform(place, task),
        Plugin::New(command) => new::run(place, output, command),
        Plugin::Install { directory, replace, models, build } => {
            let installed = match build {
                Some(build) => registry.install_with_models(directory, build, models),
                None => {
                    let existing = if *replace { Existing::Replace } else { Existing::Keep };
                    registry.install(directory, existing)
                }
            };
            report(&registry, output, &installed.map_err(|error| Failure::new(&error))?)
        }
        Plugin::Remove { plugin } => remove(&registry, output, plugin),
    }
}

#[derive(Serialize)]
struct Plugins {
    home: String,
    plugins: Vec<Listed>,
}

fn list(registry: &Registry, output: Output) -> Result<u8, Failure> {
    let entries = registry.list().map_err(|error| Failure::new(&error))?;
    let document = Plugins {
        home: registry.home().root().display().to_string(),
        plugins: entries.iter().map(|entry| Listed::new(registry, entry)).collect(),
    };
    output.show(&document, |output| {
        draw(output, &document.plugins);
        for problem in document.plugins.iter().filter_map(|plugin| plugin.problem.as_ref()) {
            output.line("");
            problem.draw(output);
        }
    });
    Ok(exit::DONE)
}

/// A table of plugins, without what is wrong with them.
pub(super) fn draw(output: Output, plugins: &[Listed]) {
    if plugins.is_empty() {
        return output.line("no plugin is installed; `foretell plugin install DIRECTORY` installs one");
    }
    let row = |plugin: &Listed| {
        vec![
            plugin.name.clone(),
            plugin.version.clone(),
            plugin.domain.clone().unwrap_or_default(),
            plugin.task.clone().unwrap_or_default(),
            plugin.state.to_string(),
        ]
    };
    output.table(&["plugin", "version", "domain", "task", "state"], plugins.iter().map(row));
}

#[derive(Serialize)]
struct Installation {
    name: String,
    version: String,
    directory: String,
    files: Vec<HashedFile>,
}

fn report(registry: &Registry, output: Output, installed: &Installed) -> Result<u8, Failure> {
    let verified = registry.verify(installed).map_err(|error| Failure::new(&error))?;
    let document = Installation {
        name: installed.name().to_owned(),
        version: installed.version().to_string(),
        directory: installed.directory.display().to_string(),
        files: files(&verified),
    };
    output.show(&document, |output| {
        output.line(&format!("installed {installed} in `{}`; its files are pinned:", document.directory));
        let row = |file: &HashedFile| vec![file.what.clone(), file.hash.clone()];
        output.table(&["file", "BLAKE3"], document.files.iter().map(row));
    });
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Removal {
    plugin: String,
    directory: String,
}

fn remove(registry: &Registry, output: Output, plugin: &str) -> Result<u8, Failure> {
    let directory = registry.remove(plugin).map_err(|error| Failure::new(&error))?;
    let document = Removal { plugin: plugin.to_owned(), directory: directory.display().to_string() };
    output.show(&document, |output| {
        output.line(&format!("removed {plugin} from `{}`; its stored predictions stay", document.directory));
    });
    Ok(exit::DONE)
}
