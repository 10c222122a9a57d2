//! What the end-to-end tests share: a directory of their own, the real binaries, and plugins built from source.

use std::path::{Path, PathBuf};
use std::process::Command;

use std::sync::Arc;

use foretell_jobs::{JobOptions, Program, Stop, create, work};
use foretell_runtime::home::{HOME_VARIABLE, Home};
use foretell_runtime::onnx::{LIBRARY_VARIABLE, Places, Runtime, locate};
use foretell_runtime::plugin::Plugin;
use foretell_runtime::registry::{Existing, Registry};
use foretell_store::job::{Job, Planned};
use foretell_store::open::Store;
use tempfile::TempDir;

/// Directory of this package.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Where this build puts binaries and libraries: `target/debug`.
pub fn build_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // target/debug/deps/test -> target/debug
    test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").to_owned()
}

/// A binary of the workspace.
///
/// # Panics
/// When it was not built, which is a mistake of whoever runs the tests: `cargo xtask test` builds it first.
pub fn program(name: &str) -> PathBuf {
    let path = build_directory().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built; run `cargo xtask test`, or `cargo build --workspace` first",
        path.display()
    );
    path
}

/// A library of the workspace, by its crate's name.
///
/// # Panics
/// When it was not built.
pub fn library(name: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let path = build_directory().join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    assert!(
        path.exists(),
        "{} is not built; run `cargo xtask test`, or `cargo build --workspace` first",
        path.display()
    );
    path
}

/// ONNX Runtime, which the tests need.
///
/// # Panics
/// When none is found; the message says how to get it.
pub fn onnx_runtime() -> Arc<Runtime> {
    match Runtime::start(&Places::of_process(None)) {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error}"),
    }
}

/// Makes a plugin directory with a manifest and a library, and returns it.
pub fn plugin_directory(place: &Path, manifest: &str, library: &Path) -> PathBuf {
    std::fs::create_dir_all(place).expect("a test's directory can be written");
    std::fs::write(place.join("plugin.toml"), manifest).expect("a test's directory can be written");
    let name = library.file_name().expect("a library has a name");
    std::fs::copy(library, place.join(name)).expect("a library can be copied");
    place.to_owned()
}

/// Builds `tests/hostile/hostile.c` with one behaviour, against the published header, and returns the library.
///
/// # Panics
/// When the C compiler does not accept it: then the header is broken.
pub fn hostile_library(place: &Path, behaviour: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    std::fs::create_dir_all(place).expect("a test's directory can be written");
    let path = place.join(format!("{DLL_PREFIX}hostile{DLL_SUFFIX}"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(compiler)
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-function",
            "-Wno-unused-const-variable",
            "-shared",
            "-fPIC",
            "-O1",
        ])
        .arg(format!("-DBEHAVIOUR={behaviour}"))
        .arg(format!("-I{HERE}/../core/abi/include"))
        .arg(format!("{HERE}/hostile/hostile.c"))
        .arg("-o")
        .arg(&path)
        .output()
        .expect("a C compiler, which Rust needs for linking, is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// A directory of its own for a test, with a home and a database, in which the real binaries run.
pub struct Workshop {
    place: TempDir,
}

impl Default for Workshop {
    fn default() -> Self {
        Self { place: TempDir::new().expect("a temporary directory can be made") }
    }
}

impl Workshop {
    /// A file of the workshop.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The database that the binaries use.
    pub fn database(&self) -> PathBuf {
        self.path("foretell.db")
    }

    /// The plugins of this workshop.
    pub fn registry(&self) -> Registry {
        Registry::new(Home::at(self.path("home")))
    }

    /// Writes a file of the workshop, and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a test's directory can be written");
        path
    }

    /// Installs the fraud plugin, as `cargo xtask assemble` laid it out.
    ///
    /// # Panics
    /// When it was not laid out, which is a mistake of whoever runs the tests.
    pub fn install_fraud(&self) {
        let directory = build_directory().join("plugins/fraud-feed-forward");
        let installed = self.registry().install(&directory, Existing::Keep);
        assert!(
            installed.is_ok(),
            "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
            installed.unwrap_err()
        );
    }

    /// Runs a binary in the workshop with `input` on its standard input.
    pub fn run(&self, name: &str, arguments: &[&str], input: &str) -> Finished {
        use std::io::Write;
        use std::process::Stdio;
        // The workshop's home has no ONNX Runtime: the one that the tests run with is named.
        let library = locate(&Places::of_process(None)).library().unwrap_or_else(|error| panic!("{error}"));
        let mut child = Command::new(program(name))
            .args(arguments)
            .current_dir(self.place.path())
            .env(HOME_VARIABLE, self.path("home"))
            .env(LIBRARY_VARIABLE, library.path)
            .env_remove("FORETELL_DB")
            .env_remove("FORETELL_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that was built can be run");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that does not read its input has closed it; that is its right.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("a program that was started ends");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Plans a job with an installed plugin and does it, in this process; `None` if it would be about no records.
///
/// # Panics
/// When anything about it fails.
pub async fn score(
    workshop: &Workshop,
    store: &Store,
    plugin: &Plugin,
    runtime: &Arc<Runtime>,
    options: &JobOptions,
) -> Option<Job> {
    let program = Program::new("test", "0", runtime);
    let planned = create(store, plugin, &program, options, |_| {}).await.expect("a job can be planned");
    let job = match planned {
        Planned::New(job) | Planned::Unfinished(job) => job,
        Planned::Nothing => return None,
    };
    work(store, &workshop.registry(), runtime, job, &Stop::default(), |_| {}).await.expect("a job can be done");
    store.job(job).await.expect("a job can be read")
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it told on standard error, words wrapped to lines.
    pub stderr: String,
}

impl Finished {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What was told, without the frame and the line breaks of the terminal.
    pub fn told(&self) -> String {
        let words =
            self.stderr.split_whitespace().filter(|word| !matches!(*word, "\u{d7}" | "│" | "├─▶" | "╰─▶"));
        words.collect::<Vec<_>>().join(" ")
    }
}
