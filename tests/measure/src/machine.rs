//! Where things lie, and what they ran on.

use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use foretell_terminal::Failure;

/// The workspace that this program was built from.
pub(crate) fn workspace() -> &'static Path {
    // tests/measure -> the root
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package lies two directories deep")
}

/// Where cargo put this program and the product's programs: `target/release`.
pub(crate) fn built() -> Result<PathBuf, Failure> {
    let program = env::current_exe().map_err(|error| Failure::new(&error))?;
    Ok(program.parent().map_or_else(PathBuf::new, Path::to_owned))
}

/// Where measurements may write: `target/measure`.
pub(crate) fn scratch() -> Result<PathBuf, Failure> {
    Ok(built()?.with_file_name("measure"))
}

/// The directory of a plugin as `cargo xtask assemble --release` lays it out.
pub(crate) fn plugin_directory(name: &str) -> Result<PathBuf, Failure> {
    let directory = built()?.join("plugins").join(name);
    if directory.join("plugin.toml").is_file() {
        return Ok(directory);
    }
    Err(Failure::words(format!("there is no plugin in `{}`", directory.display())).hint(Some(
        "`cargo xtask assemble --release` makes it; `cargo xtask reproduce` and `bench` do so by themselves",
    )))
}

/// Processor, number of cores, load of the last minute, build: what a figure of speed means nothing without.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    let build =
        if cfg!(debug_assertions) { "DEBUG BUILD: the figures mean nothing" } else { "release build" };
    format!("{}, {cores} cores, load {load}, foretell {}, {build}", processor(), env!("CARGO_PKG_VERSION"))
}

fn processor() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = facts.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}
