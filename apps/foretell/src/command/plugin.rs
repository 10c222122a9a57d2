//! `foretell plugin`

use foretell_runtime::policy::Policy;
use foretell_runtime::registry::{Existing, Installed, Registry};
use foretell_runtime::trust::{TrustErrorKind, Verified};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use super::trust::{HashedFile, Listed, files};
use super::{bench, inspect, key, new, package, sign, validate};
use crate::arguments::Plugin;

pub(super) fn run(place: &Place, output: Output, command: &Plugin) -> Result<u8, Failure> {
    let registry = place.registry()?;
    match command {
        Plugin::List => list(&registry, output),
        Plugin::Inspect { plugin } => inspect::run(&registry, output, plugin),
        Plugin::Validate(command) => validate::run(place, &registry, output, command),
        Plugin::Conform { task } => validate::conform(place, task),
        Plugin::New(command) => new::run(place, output, command),
        Plugin::Bench(command) => bench::run(place, &registry, output, command),
        Plugin::Package(command) => package::run(output, command),
        Plugin::Key(command) => key::run(output, command),
        Plugin::Sign(command) => sign::sign(&registry, output, command),
        Plugin::Verify(command) => sign::verify(&registry, output, command),
        Plugin::Install { plugin, replace, hash, models, build } => {
            let existing = if *replace { Existing::Replace } else { Existing::Keep };
            let installed = match build {
                Some(build) => registry.install_with_models(plugin, build, models),
                None if plugin.is_file() => registry.install_archive(plugin, *hash, existing),
                None if hash.is_some() => {
                    let words = format!("`{}` is no archive, and `--hash` is that of one", plugin.display());
                    return Err(Failure::words(words)
                        .hint(Some("leave it out: the files of a directory are pinned as they are")));
                }
                None => registry.install(plugin, existing),
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
    /// Whom the policy trusts and who has signed it; null if the policy does not ask.
    publisher: Option<String>,
    /// Why the policy keeps it from being loaded as it is; null if it does not.
    problem: Option<String>,
    files: Vec<HashedFile>,
}

fn report(registry: &Registry, output: Output, installed: &Installed) -> Result<u8, Failure> {
    let policy = Policy::of(registry.home()).map_err(|error| Failure::new(&error))?;
    let (verified, publisher, unsigned) = match registry.verify(installed) {
        Ok(verified) => {
            let publishers = policy.publishers.unwrap_or_default();
            let publisher = verified.signer(&publishers).ok();
            (verified, publisher, None)
        }
        // With models of one's own it is there, to be signed, and is not loaded before.
        Err(error) if matches!(error.kind, TrustErrorKind::Unsigned(_)) => {
            let verified = Verified::trusting(&installed.directory);
            (verified.map_err(|error| Failure::new(&error))?, None, Some(error.to_string()))
        }
        Err(error) => return Err(Failure::new(&error)),
    };
    let document = Installation {
        name: installed.name().to_owned(),
        version: installed.version().to_string(),
        directory: installed.directory.display().to_string(),
        publisher: publisher.map(|publisher| publisher.to_string()),
        problem: unsigned,
        files: files(&verified),
    };
    output.show(&document, |output| {
        if let Some(publisher) = &document.publisher {
            output.line(&format!("{installed} is signed by {publisher}, whom the policy trusts"));
        }
        output.line(&format!("installed {installed} in `{}`; its files are pinned:", document.directory));
        let row = |file: &HashedFile| vec![file.what.clone(), file.hash.clone()];
        output.table(&["file", "BLAKE3"], document.files.iter().map(row));
        if let Some(problem) = &document.problem {
            output.line("");
            output.line(problem);
        }
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
