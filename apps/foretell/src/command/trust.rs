//! Whether what lies in the home is what was installed, in the words for its user.

use std::fmt;
use std::path::Path;

use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::MANIFEST_FILE;
use foretell_runtime::registry::{Entry, Installed, Registry};
use foretell_runtime::trust::{TrustError, TrustErrorKind, Verified};
use serde::Serialize;

use super::Problem;

/// Whether a plugin can be loaded, as far as its files tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Its files are those that were installed.
    Trusted,
    /// A file is another than the one that was installed.
    Changed,
    /// It lies there, but nobody installed it.
    NotInstalled,
    /// The policy demands a signature that it does not have, or can't be understood.
    Refused,
    /// Its files can't be read, or make no plugin.
    Broken,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Trusted => "trusted",
            Self::Changed => "changed",
            Self::NotInstalled => "not installed",
            Self::Refused => "refused",
            Self::Broken => "broken",
        })
    }
}

/// A plugin in the home.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) version: String,
    /// Unknown where the manifest can't be read.
    pub(super) domain: Option<String>,
    /// Unknown where the manifest can't be read.
    pub(super) task: Option<String>,
    pub(super) directory: String,
    pub(super) state: State,
    /// Why it is not trusted.
    pub(super) problem: Option<Problem>,
}

impl Listed {
    /// Looks at a plugin's files. Its code is not run.
    pub(super) fn new(registry: &Registry, entry: &Entry) -> Self {
        let title = format!("{}@{}", entry.name, entry.version);
        let (state, problem) = match &entry.plugin {
            Ok(installed) => match registry.verify(installed) {
                Ok(_) => (State::Trusted, None),
                Err(error) => untrusted(installed, &error),
            },
            Err(error) => (State::Broken, Some(broken(&title, error.to_string()))),
        };
        let manifest = entry.plugin.as_ref().ok().map(|installed| &installed.manifest.plugin);
        Self {
            name: entry.name.clone(),
            version: entry.version.clone(),
            domain: manifest.map(|plugin| plugin.domain.clone()),
            task: manifest.map(|plugin| plugin.task.to_string()),
            directory: entry.directory.display().to_string(),
            state,
            problem,
        }
    }
}

/// A file of a plugin, with its hash.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HashedFile {
    /// `manifest`, `library`, or `model NAME`.
    pub(super) what: String,
    pub(super) path: String,
    /// BLAKE3.
    pub(super) hash: String,
}

/// The files that a plugin is loaded from.
pub(super) fn files(verified: &Verified) -> Vec<HashedFile> {
    let file = |what: &str, path: &Path, hash: Hash| HashedFile {
        what: what.to_owned(),
        path: path.display().to_string(),
        hash: hash.to_string(),
    };
    let manifest = file("manifest", &verified.directory().join(MANIFEST_FILE), verified.manifest_hash());
    let library = file("library", verified.library(), verified.library_hash());
    let models =
        verified.models().iter().map(|model| file(&format!("model {}", model.name), &model.path, model.hash));
    [manifest, library].into_iter().chain(models).collect()
}

/// Why a plugin is not trusted.
pub(super) fn untrusted(installed: &Installed, error: &TrustError) -> (State, Option<Problem>) {
    let problem =
        |problem, fix: &str| Problem { place: format!("plugin {installed}"), problem, fix: fix.to_owned() };
    match &error.kind {
        TrustErrorKind::Changed { path, expected, found } => {
            let what = format!(
                "`{}` has changed since it was installed: expected BLAKE3 {expected}, found {found}",
                path.display()
            );
            let fix = "install it again from where you got it: `foretell plugin install DIRECTORY`, with `--replace` \
                       if you trust the change";
            (State::Changed, Some(problem(what, fix)))
        }
        TrustErrorKind::NotPinned => {
            let what = format!("`{}` was never installed", installed.directory.display());
            let fix = "run `foretell plugin install DIRECTORY` with the directory you got it in";
            (State::NotInstalled, Some(problem(what, fix)))
        }
        TrustErrorKind::Unsigned(error) => {
            let fix = "install it signed by a publisher that the policy names, or sign it with a key that it names: \
                       `foretell plugin sign NAME@VERSION --key FILE`";
            (State::Refused, Some(problem(format!("the policy demands a signature, and {error}"), fix)))
        }
        TrustErrorKind::Policy(error) => {
            (State::Refused, Some(problem(error.to_string(), "correct the policy, or ask whoever wrote it")))
        }
        kind => (State::Broken, Some(broken(&installed.to_string(), kind.to_string()))),
    }
}

fn broken(title: &str, problem: String) -> Problem {
    let fix =
        format!("remove it, `foretell plugin remove {title}`, and install it again from where you got it");
    Problem { place: format!("plugin {title}"), problem, fix }
}
