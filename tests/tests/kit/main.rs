//! The plugin kit as an author uses it, away from this repository: the real binary, a compiler, and nothing from a network.

mod bench;
mod book;
mod create;
mod frozen;
mod header;
mod package;
mod policy;
#[path = "../../abi/sdk_0_1.rs"]
mod sdk_0_1;

use std::path::Path;
use std::process::Command;

use foretell_runtime::home::HOME_VARIABLE;
use foretell_runtime::onnx::{LIBRARY_VARIABLE, Places, locate};
use foretell_tests::{Finished, Workshop, build_directory};

/// Runs `foretell`, which must be done.
#[track_caller]
fn done(workshop: &Workshop, arguments: &[&str]) -> Finished {
    let finished = workshop.run("foretell", arguments, "");
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished
}

/// Runs another program, which must succeed, and gives what it prints.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}:\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// What stands in for `make` where there is none, which a compiler does not bring: the lines that a new plugin's Makefile has
/// for a target, with its variables. It knows no more than that Makefile needs.
const MAKE: &str = r#"make() (
    value() { sed -n "s/^$1 ?*= //p" Makefile | "$2" -n 1; }
    CC=${CC:-$(value CC head)}
    CFLAGS=${CFLAGS:-$(value CFLAGS head)}
    WARNINGS=$(value WARNINGS head)
    # The first one is macOS's.
    case $(uname -s) in
        Darwin) LIBRARY=$(value LIBRARY head) ;;
        *) LIBRARY=$(value LIBRARY tail) ;;
    esac
    target=${1:-\$(LIBRARY)}
    recipe=$(sed -n "/^$target:/,/^\$/s/^[[:space:]]//p" Makefile | sed 's/\$(\([A-Z]*\))/$\1/g; s/\$@/$LIBRARY/g')
    test -n "$recipe"
    eval "$recipe"
)"#;

/// Whether a shell finds `make`.
fn has_make() -> bool {
    Command::new("make").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs lines in a shell as the user of a workshop would, with this build's programs at hand; every one must succeed. Gives what
/// they print.
#[track_caller]
fn shell(workshop: &Workshop, lines: &str) -> String {
    let library = locate(&Places::of_process(None)).library().unwrap_or_else(|error| panic!("{error}"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(build_directory()).chain(std::env::split_paths(&path));
    let make = if has_make() { "" } else { MAKE };
    let mut command = Command::new("sh");
    command
        .args(["-euc", &format!("{make}\n{lines}")])
        .current_dir(workshop.path(""))
        .env("PATH", std::env::join_paths(places).expect("no directory of the path has a colon"))
        .env(HOME_VARIABLE, workshop.path("home"))
        .env(LIBRARY_VARIABLE, library.path)
        .env("FORETELL_DB", workshop.database())
        .env_remove("FORETELL_LOG")
        // What cargo told these tests is not for the plugin's build.
        .env_remove("CARGO_TARGET_DIR");
    succeed(&mut command)
}

/// The C compiler, with all warnings taken for errors.
fn compiler() -> Command {
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
    command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"]);
    command
}

/// A file of this repository.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A text of this repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
