//! Lays out plugin directories as `foretell plugin install` takes them: manifest, library, model, model card.
//!
//! A plugin is a package below `plugins/` with a `plugin.toml` beside its Cargo.toml. Each directory is made
//! beside its final place and then moved there whole, so that nothing ever sees half of a plugin, and a library
//! that a running program has mapped is replaced, not overwritten.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    process::{self, ProcessError, say},
    workspace::{Package, Workspace, cargo},
};

/// How the workspace is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

impl Profile {
    pub(crate) fn new(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }

    /// Where cargo puts what it builds with this profile.
    pub(crate) fn directory(self, workspace: &Workspace) -> PathBuf {
        workspace.target().join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
        })
    }
}

/// What is read of a plugin's manifest here; the rest is the runtime's business.
#[derive(Deserialize)]
struct Manifest {
    plugin: Plugin,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    library: String,
}

/// Why a plugin's directory could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssembleError {
    #[error(transparent)]
    Build(#[from] ProcessError),
    #[error("`{path}` is not a manifest")]
    Manifest { path: PathBuf, source: toml::de::Error },
    #[error(
        "the manifest `{manifest}` names the library `{library}`, but there is no `{path}`\n  \
         hint: the library is named like the package's `[lib]`, without prefix and suffix, and its crate type is `cdylib`"
    )]
    NoLibrary { manifest: PathBuf, library: String, path: PathBuf },
    #[error("cannot {action} `{path}`")]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

impl AssembleError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Build(error) => error.exit_code(),
            Self::Manifest { .. } | Self::NoLibrary { .. } | Self::File { .. } => 1,
        }
    }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AssembleError {
    move |source| AssembleError::File { action, path: path.to_owned(), source }
}

/// The command `assemble`.
pub(crate) fn assemble(workspace: &Workspace, profile: Profile) -> Result<(), AssembleError> {
    build(profile, &plugins(workspace))?;
    lay_out(workspace, profile)
}

/// Builds what people run, the apps and the plugins, and makes the plugins' directories.
pub(crate) fn build_all(workspace: &Workspace, profile: Profile) -> Result<(), AssembleError> {
    let mut packages = workspace.packages_in("apps");
    packages.extend(plugins(workspace));
    build(profile, &packages)?;
    lay_out(workspace, profile)
}

fn build(profile: Profile, packages: &[&Package]) -> Result<(), ProcessError> {
    let mut command = cargo();
    command.args(["build", "--locked"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    for package in packages {
        command.args(["--package", &package.name]);
    }
    process::run(&mut command)
}

/// Makes the directory of each plugin from what has been built.
pub(crate) fn lay_out(workspace: &Workspace, profile: Profile) -> Result<(), AssembleError> {
    let built = profile.directory(workspace);
    let target = built.join("plugins");
    fs::create_dir_all(&target).map_err(file_error("create", &target))?;
    for plugin in plugins(workspace) {
        let directory = assemble_one(workspace.directory_of(plugin), &built, &target)?;
        say(&format!("assembled `{}`", directory.display()));
    }
    Ok(())
}

fn plugins(workspace: &Workspace) -> Vec<&Package> {
    let has_manifest = |package: &&Package| workspace.directory_of(package).join("plugin.toml").is_file();
    workspace.packages_in("plugins").into_iter().filter(has_manifest).collect()
}

/// Assembles the plugin whose source is at `source` into `target/<name>`, and returns that path.
fn assemble_one(source: &Path, built: &Path, target: &Path) -> Result<PathBuf, AssembleError> {
    let manifest_path = source.join("plugin.toml");
    let text = fs::read_to_string(&manifest_path).map_err(file_error("read", &manifest_path))?;
    let Manifest { plugin } = toml::from_str(&text)
        .map_err(|source| AssembleError::Manifest { path: manifest_path.clone(), source })?;

    let file_name = format!("{}{}{}", env::consts::DLL_PREFIX, plugin.library, env::consts::DLL_SUFFIX);
    let library = built.join(&file_name);
    if !library.is_file() {
        let library = plugin.library;
        return Err(AssembleError::NoLibrary {
            manifest: manifest_path,
            library,
            path: built.join(file_name),
        });
    }

    let temporary = tempfile::Builder::new()
        .prefix(".assemble-")
        .tempdir_in(target)
        .map_err(file_error("make a directory in", target))?;
    let new = temporary.path().join("new");
    copy(&manifest_path, &new.join("plugin.toml"))?;
    copy(&library, &new.join(file_name))?;
    for name in ["model", "MODEL_CARD.md"] {
        // A plugin may be rules alone, without a model.
        if source.join(name).exists() {
            copy(&source.join(name), &new.join(name))?;
        }
    }

    // What others' licences ask for goes wherever the plugin goes; plugins with one recipe share it.
    let places = [Some(source), source.parent()].into_iter().flatten();
    if let Some(notice) = places.map(|place| place.join("NOTICE")).find(|notice| notice.is_file()) {
        copy(&notice, &new.join("NOTICE"))?;
    }

    let directory = target.join(&plugin.name);
    if directory.exists() {
        let old = temporary.path().join("old");
        fs::rename(&directory, &old).map_err(file_error("replace", &directory))?;
    }
    fs::rename(&new, &directory).map_err(file_error("write", &directory))?;
    Ok(directory)
}

/// Copies a file, or a directory and what is in it, making the directories above it.
fn copy(from: &Path, to: &Path) -> Result<(), AssembleError> {
    if from.is_dir() {
        for entry in fs::read_dir(from).map_err(file_error("list", from))? {
            let name = entry.map_err(file_error("list", from))?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).map_err(file_error("create", parent))?;
    fs::copy(from, to).map_err(file_error("copy", from))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin's source and a directory of built libraries.
    fn plugin(root: &Path) -> (PathBuf, PathBuf, PathBuf) {
        let (source, built, target) = (root.join("source"), root.join("built"), root.join("plugins"));
        for directory in [&source.join("model/deep"), &built, &target] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(
            source.join("plugin.toml"),
            "[plugin]\nname = \"rain\"\nlibrary = \"rain_plugin\"\nlimit = 3\n",
        )
        .unwrap();
        fs::write(source.join("MODEL_CARD.md"), "card").unwrap();
        fs::write(source.join("model/deep/rain.onnx"), "network").unwrap();
        fs::write(source.join("README.md"), "not part of the plugin").unwrap();
        (source, built, target)
    }

    fn library_name() -> String {
        format!("{}rain_plugin{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
    }

    #[test]
    fn a_plugin_directory_is_whole_and_replaces_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let (source, built, target) = plugin(root.path());
        fs::write(root.path().join("NOTICE"), "weights of others").unwrap();
        for content in ["one", "two"] {
            fs::write(built.join(library_name()), content).unwrap();
            let directory = assemble_one(&source, &built, &target).unwrap();
            assert_eq!(directory, target.join("rain"));
            assert_eq!(fs::read_to_string(directory.join(library_name())).unwrap(), content);
            assert_eq!(fs::read_to_string(directory.join("model/deep/rain.onnx")).unwrap(), "network");
            assert_eq!(fs::read_to_string(directory.join("MODEL_CARD.md")).unwrap(), "card");
            assert_eq!(fs::read_to_string(directory.join("NOTICE")).unwrap(), "weights of others");
            assert!(!directory.join("README.md").exists() && !directory.join("stale").exists());
            fs::write(directory.join("stale"), "").unwrap();
            assert_eq!(fs::read_dir(&target).unwrap().count(), 1, "no temporary directory is left");
        }
    }

    #[test]
    fn a_missing_library_is_named_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (source, built, target) = plugin(root.path());
        let error = assemble_one(&source, &built, &target).unwrap_err().to_string();
        assert!(error.contains("`rain_plugin`") && error.contains(&library_name()), "{error}");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    }
}
