//! Where the workspace stands and what packages it has, as cargo sees it.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// The workspace that this program was built from.
///
/// **Invariant:** its root is the current directory, so that the relative paths which a command prints can be
/// pasted there.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,

    #[serde(rename = "target_directory")]
    target: PathBuf,

    packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    manifest_path: PathBuf,
}

/// Why the workspace could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("`cargo metadata` could not be started")]
    NotStarted(#[source] io::Error),
    #[error("`cargo metadata` failed: {0}")]
    Failed(String),
    #[error("`cargo metadata` answered with something else than was expected")]
    NotUnderstood(#[from] serde_json::Error),
    #[error("cannot work in `{directory}`")]
    Enter { directory: PathBuf, source: io::Error },
}

impl Workspace {
    /// Asks cargo, from the directory of this crate's source, and enters the workspace's root.
    pub(crate) fn enter() -> Result<Self, WorkspaceError> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .map_err(WorkspaceError::NotStarted)?;
        if !output.status.success() {
            return Err(WorkspaceError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let workspace: Self = serde_json::from_slice(&output.stdout)?;
        env::set_current_dir(&workspace.root)
            .map_err(|source| WorkspaceError::Enter { directory: workspace.root.clone(), source })?;
        Ok(workspace)
    }

    /// Where cargo puts what it builds; not always `target`.
    pub(crate) fn target(&self) -> &Path {
        self.relative(&self.target)
    }

    /// The directory of a package.
    pub(crate) fn directory_of<'a>(&self, package: &'a Package) -> &'a Path {
        self.relative(package.manifest_path.parent().unwrap_or(&package.manifest_path))
    }

    /// The packages below `directory`, in the order of their names.
    pub(crate) fn packages_in(&self, directory: &str) -> Vec<&Package> {
        let inside = |package: &&Package| self.directory_of(package).starts_with(directory);
        let mut packages: Vec<_> = self.packages.iter().filter(inside).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        packages
    }

    /// The path from the root, if it is below the root.
    fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The cargo that started this program, so that one toolchain builds everything.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
