//! The files of the project: what git tracks or would track.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Paths from the root, with `/` between their parts, sorted. Files that are new and not yet added count too.
pub(crate) fn list(root: &Path) -> Vec<String> {
    let mut files = from_git(root).unwrap_or_else(|| {
        // A source archive has no git.
        let mut files = BTreeSet::new();
        walk(root, "", &mut files);
        files
    });
    files.retain(|file| root.join(file).is_file());
    files.into_iter().collect()
}

fn from_git(root: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// All files but those below `target` and `.git`.
fn walk(root: &Path, directory: &str, files: &mut BTreeSet<String>) {
    let entries = fs::read_dir(root.join(directory)).expect("the project's directories can be listed");
    for entry in entries {
        let entry = entry.expect("the project's directories can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
        if !entry.path().is_dir() {
            files.insert(path);
        } else if !["target", ".git"].contains(&name.as_str()) {
            walk(root, &path, files);
        }
    }
}

#[test]
fn git_and_the_walk_agree_on_the_sources() {
    let root = super::root();
    let Some(tracked) = from_git(&root) else { return };
    let mut walked = BTreeSet::new();
    walk(&root, "", &mut walked);
    let missed: Vec<_> =
        tracked.iter().filter(|file| root.join(file).is_file() && !walked.contains(*file)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
