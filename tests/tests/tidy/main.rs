//! The conventions that a reviewer would otherwise have to repeat, as tables of rules.
//!
//! - [`rules`]: what must not stand in a file, line by line, and how long and how large a file may be;
//! - [`packages`]: which package may depend on which, and under which licences the dependencies come.
//!
//! A finding reads `file:line: rule: what was found`, and says what to do instead. To change a convention, change
//! its row in the table; every row of [`rules::RULES`] carries an example that must be found, so that a rule which
//! finds nothing any more is itself found.

mod files;
mod packages;
mod rules;
mod source;

use std::path::{Path, PathBuf};

/// The workspace's directory.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace").to_owned()
}

/// Fails with all findings at once, one a line.
#[track_caller]
fn expect_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n{} findings\n", findings.join("\n"), findings.len());
}

#[test]
fn files_keep_the_rules() {
    let root = root();
    let files = files::list(&root);
    assert!(files.iter().any(|file| file == file!()), "this file is among those looked at: {files:?}");
    let findings: Vec<_> = files.iter().flat_map(|file| rules::check(&root, file)).collect();
    expect_none(&findings);
}

#[test]
fn dependencies_point_one_way() {
    expect_none(&packages::Graph::read(&root()).layers());
}

#[test]
fn crates_are_depended_on_where_they_belong() {
    expect_none(&packages::Graph::read(&root()).owners());
}

#[test]
fn licences_are_on_the_list() {
    expect_none(&packages::Graph::read(&root()).licences(&root()));
}

#[test]
fn packages_share_the_workspace_settings() {
    expect_none(&packages::settings(&root(), &files::list(&root())));
}
