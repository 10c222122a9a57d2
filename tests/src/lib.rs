//! What the end-to-end tests share: a directory of their own, the real binaries, and plugins built from source.

mod images;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub use images::image_column;

use foretell_jobs::{JobOptions, Program, Stop, create, work};
use foretell_runtime::home::{HOME_VARIABLE, Home};
use foretell_runtime::onnx::{LIBRARY_VARIABLE, Places, Runtime, locate};
use foretell_runtime::plugin::Plugin;
use foretell_runtime::registry::{Existing, Registry};
use foretell_store::job::{Job, Planned};
use foretell_store::open::Store;
use tempfile::TempDir;

/// How long a test waits for what must happen soon, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a test looks whether it has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
    let include = format!("-I{HERE}/../core/abi/include");
    let arguments = ["-Wno-unused-function", "-Wno-unused-const-variable", &include];
    let behaviour = format!("-DBEHAVIOUR={behaviour}");
    compile(place, "hostile", "hostile/hostile.c", &[&arguments[..], &["-std=c11", &behaviour]].concat())
}

/// Builds `tests/hostile/bad.c` with one behaviour, against the published header, and returns the library.
///
/// # Panics
/// When the C compiler does not accept it.
pub fn bad_library(place: &Path, behaviour: &str) -> PathBuf {
    let include = format!("-I{HERE}/../core/abi/include");
    let behaviour = format!("-DBEHAVIOUR={behaviour}");
    compile(place, "bad", "hostile/bad.c", &["-Wno-unused-function", &include, "-std=gnu11", &behaviour])
}

/// Builds `tests/hostile/caged.c`, against the published header, and returns the library.
///
/// # Panics
/// When the C compiler does not accept it.
#[cfg(target_os = "linux")]
pub fn caged_library(place: &Path) -> PathBuf {
    let include = format!("-I{HERE}/../core/abi/include");
    compile(place, "caged", "hostile/caged.c", &[&include, "-std=gnu11"])
}

/// The manifest of that library. `file` is what it is told to spoil, a file or a place where there is none.
#[cfg(target_os = "linux")]
pub fn caged_manifest(file: &Path) -> String {
    format!(
        r#"
schema = 1
[plugin]
name = "caged"
version = "1.0.0"
description = "does what a record's deed says"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "caged"
[config]
file = "{}"
[[input]]
name = "deed"
type = "utf8"
[output]
labels = ["no", "yes"]
positive = "yes"
"#,
        file.display()
    )
}

/// Builds `tests/reload/swap.c` as this version, which gives every record this score, and returns the library.
///
/// # Panics
/// When the C compiler does not accept it.
pub fn swap_library(place: &Path, version: &str, score: &str) -> PathBuf {
    let include = format!("-I{HERE}/../core/abi/include");
    let (version, score) = (format!("-DVERSION=\"{version}\""), format!("-DSCORE={score}f"));
    compile(place, "swap", "reload/swap.c", &[&include, "-std=c11", &version, &score])
}

/// Builds `tests/fault/fault.c`, which makes the disk fail for programs that it is loaded into, and returns the library.
///
/// # Panics
/// When the C compiler does not accept it.
#[cfg(target_os = "linux")]
pub fn fault_library(place: &Path) -> PathBuf {
    compile(place, "fault", "fault/fault.c", &["-std=gnu11"])
}

/// Builds a file of `tests` as the library `name`.
fn compile(place: &Path, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    std::fs::create_dir_all(place).expect("a test's directory can be written");
    let path = place.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1"])
        .args(arguments)
        .arg(format!("{HERE}/{source}"))
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
        let mut child = self
            .command(name, arguments)
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

    /// Starts a binary in the workshop, in a process group of its own, and does not wait for it.
    pub fn start(&self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Started {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mut command = self.command(name, arguments);
        // A pipe would stay open until the last process that inherits it ends, and a full one would hold it up.
        let file = |what| {
            let path = self.path(&format!("{what}-{number}"));
            (File::create(&path).expect("a test's directory can be written"), path)
        };
        let ((stdout, stdout_path), (stderr, stderr_path)) = (file("stdout"), file("stderr"));
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().expect("a program that was built can be run");
        Started { child, stdout: stdout_path, stderr: stderr_path }
    }

    /// What the binaries take for the home directory of the user. It is not there, and nothing has any business to make it.
    pub fn user_home(&self) -> PathBuf {
        self.path("user")
    }

    /// A binary as it runs in the workshop, yet to be started.
    ///
    /// # Panics
    /// When it was not built, or there is no ONNX Runtime.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        // The workshop's home has no ONNX Runtime: the one that the tests run with is named.
        let library = locate(&Places::of_process(None)).library().unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program(name));
        command
            .args(arguments)
            .current_dir(self.place.path())
            .env(HOME_VARIABLE, self.path("home"))
            .env("HOME", self.user_home())
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env(LIBRARY_VARIABLE, library.path)
            .env_remove("FORETELL_DB")
            .env_remove("FORETELL_LOG");
        command
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`PATIENCE`]; `what` says what was waited for.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited for {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A program that was started, and the processes that it starts. What still runs of them is killed when this is dropped.
#[derive(Debug)]
pub struct Started {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Started {
    /// The id of its process, and of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program itself has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a program that was started can be looked at").is_none()
    }

    /// Kills the program and all processes of its group; whether that is what ended the program.
    #[cfg(unix)]
    pub fn kill_group(&mut self) -> bool {
        signal("KILL", &format!("-{}", self.id()));
        self.is_killed()
    }

    /// Kills the program, and leaves the processes that it started alone; whether that is what ended it.
    #[cfg(unix)]
    pub fn kill_alone(&mut self) -> bool {
        // It may have ended.
        let _ = self.child.kill();
        self.is_killed()
    }

    #[cfg(unix)]
    fn is_killed(&mut self) -> bool {
        /// The same number on every Unix.
        const KILL: i32 = 9;
        let status = self.child.wait().expect("a program that was killed ends");
        std::os::unix::process::ExitStatusExt::signal(&status) == Some(KILL)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within [`PATIENCE`].
    pub fn wait(mut self) -> Finished {
        wait_until("a program ends", || !self.is_running());
        Finished { code: self.child.wait().ok().and_then(|status| status.code()), ..self.said() }
    }

    /// What it has printed and told so far.
    pub fn said(&self) -> Finished {
        let read = |path| {
            let bytes = std::fs::read(path).expect("a test's directory can be read");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Finished { code: None, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        #[cfg(unix)]
        if self.is_running() {
            signal("KILL", &format!("-{}", self.id()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process, or to a group if there is a `-` before its id; whether there was one to send it to.
#[cfg(unix)]
pub fn signal(name: &str, process: &str) -> bool {
    let kill = format!("kill -s {name} -- {process}");
    let status = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    status.expect("a Unix has a shell").success()
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
    work(store, &workshop.registry(), runtime, job, &Stop::default(), |_| {})
        .await
        .expect("a job can be done");
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
