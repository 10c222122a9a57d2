//! Where the library of ONNX Runtime is: the places that are looked at, in order, and what was found there.
//!
//! | place | |
//! |---|---|
//! | the variable [`LIBRARY_VARIABLE`] | a library file; it decides alone |
//! | the app's configuration | a library file; it decides alone |
//! | beside the program | `libonnxruntime.so`, `libonnxruntime.so.1.32.0`, and the like |
//! | the home | `onnxruntime/VERSION/`, the highest version first |
//! | the system | whatever its loader finds by name |
//!
//! The first usable library is taken. A file that somebody named is used or refused, never passed over: a program that
//! quietly takes another ONNX Runtime than the one it was told to take is a puzzle.
//!
//! Pitfall: finding out whether a library is usable means loading it, which runs its initialisers.

use std::{
    env,
    error::Error as _,
    fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use ort::sys;

use crate::home::Home;

/// The environment variable that names the library file of ONNX Runtime.
pub const LIBRARY_VARIABLE: &str = "FORETELL_ONNXRUNTIME";
/// The oldest minor version 1.x of ONNX Runtime that is used, which is also the version of its interface.
pub const API_VERSION: u32 = sys::ORT_API_VERSION;

/// The places to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The file that [`LIBRARY_VARIABLE`] names.
    pub variable: Option<PathBuf>,
    /// The file that the app's configuration names.
    pub configured: Option<PathBuf>,
    /// The directory of the program.
    pub program: Option<PathBuf>,
    /// The home's directory for ONNX Runtime, see [`Home::onnxruntime`].
    pub home: Option<PathBuf>,
    /// Whether to ask the system's loader.
    pub system: bool,
}

impl Places {
    /// The places of this process, with the file that its configuration names, if any.
    pub fn of_process(configured: Option<PathBuf>) -> Places {
        let variable = env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty());
        Places {
            variable: variable.map(PathBuf::from),
            configured,
            program: env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned())),
            home: Home::of_process().ok().map(|home| home.onnxruntime()),
            system: true,
        }
    }

    /// The file that was named, and so must be used.
    pub(super) fn named(&self) -> Option<&Path> {
        self.variable.as_deref().or(self.configured.as_deref())
    }
}

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable [`LIBRARY_VARIABLE`].
    Variable,
    /// The app's configuration.
    Configured,
    /// The directory of the program.
    Program,
    /// The home of foretell.
    Home,
    /// The system's loader.
    System,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Variable => write!(formatter, "variable `{LIBRARY_VARIABLE}`"),
            Origin::Configured => formatter.write_str("configuration"),
            Origin::Program => formatter.write_str("beside the program"),
            Origin::Home => formatter.write_str("foretell's home"),
            Origin::System => formatter.write_str("system"),
        }
    }
}

/// A place that was looked at, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What kind of place it is.
    pub origin: Origin,
    /// A library file, or the directory that holds none; `None` where nothing is named.
    pub path: Option<PathBuf>,
    /// What was found.
    pub finding: Finding,
}

/// What was found at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing is named there.
    Unset,
    /// No library.
    Missing,
    /// A library that can be used, of this version.
    Usable(String),
    /// A file that can't be used, and why.
    Unusable(String),
    /// An earlier place has decided.
    NotTried,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.origin)?;
        if let Some(path) = &self.path {
            write!(formatter, "`{}`: ", path.display())?;
        }
        match &self.finding {
            Finding::Unset => formatter.write_str("not set"),
            Finding::Missing => formatter.write_str("no library"),
            Finding::Usable(version) => write!(formatter, "version {version}"),
            Finding::Unusable(why) => formatter.write_str(why),
            Finding::NotTried => formatter.write_str("not tried"),
        }
    }
}

/// A usable library of ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The file, or its name alone when the system's loader found it.
    pub path: PathBuf,
    /// Its version, such as `1.32.0`.
    pub version: String,
}

/// What a search saw, place by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The places, in the order in which they count.
    pub places: Vec<Place>,
}

impl Search {
    /// The library to use.
    pub fn library(&self) -> Result<Library, NotFound> {
        let found = self.places.iter().find_map(|place| match (&place.path, &place.finding) {
            (Some(path), Finding::Usable(version)) => {
                Some(Library { path: path.clone(), version: version.clone() })
            }
            _ => None,
        });
        found.ok_or_else(|| NotFound { search: self.clone() })
    }
}

/// No usable library of ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected ONNX Runtime 1.{API_VERSION} or newer, found none:{}\nrun `cargo xtask fetch-onnxruntime`, or set \
     `{LIBRARY_VARIABLE}` to the library's file",
    list(search)
)]
pub struct NotFound {
    /// Where it was looked for.
    pub search: Search,
}

fn list(search: &Search) -> String {
    search.places.iter().map(|place| format!("\n  {place}")).collect()
}

/// Looks for ONNX Runtime. Places after the first usable library are listed, but not tried.
pub fn locate(places: &Places) -> Search {
    let mut search = Search { places: Vec::new() };
    let mut decided = false;
    for (origin, named) in [(Origin::Variable, &places.variable), (Origin::Configured, &places.configured)] {
        match named {
            Some(path) => {
                search.visit(origin, path, &mut decided);
                decided = true;
            }
            None => search.places.push(Place { origin, path: None, finding: Finding::Unset }),
        }
    }
    for (origin, directory) in [(Origin::Program, &places.program), (Origin::Home, &places.home)] {
        let Some(directory) = directory else { continue };
        let files = libraries(directory);
        if files.is_empty() {
            search.places.push(Place { origin, path: Some(directory.clone()), finding: Finding::Missing });
        }
        for path in files {
            search.visit(origin, &path, &mut decided);
        }
    }
    if places.system {
        search.visit(Origin::System, Path::new(&library_name()), &mut decided);
    }
    search
}

impl Search {
    fn visit(&mut self, origin: Origin, path: &Path, decided: &mut bool) {
        // The system's loader would look elsewhere for a name without a directory.
        let absolute = std::path::absolute(path).ok().filter(|_| origin != Origin::System);
        let path = absolute.as_deref().unwrap_or(path);
        let finding = match *decided {
            true => Finding::NotTried,
            false if origin == Origin::System => probe(path),
            false if !path.exists() => Finding::Missing,
            false if !path.is_file() => Finding::Unusable("expected a file, found a directory".to_owned()),
            false if is_cut_off(path) => Finding::Unusable("the file is incomplete".to_owned()),
            false => probe(path),
        };
        *decided |= matches!(finding, Finding::Usable(_));
        self.places.push(Place { origin, path: Some(path.to_owned()), finding });
    }
}

/// Loads a library and asks it what it is, before `ort` does: that would panic where we want to report.
///
/// A library that was loaded stays loaded: ONNX Runtime can't be unloaded safely, and a wrong one does no harm.
fn probe(path: &Path) -> Finding {
    #[expect(unsafe_code, reason = "loads a native library")]
    // SAFETY: loading runs the library's initialisers. Its place is one that the user, the program's directory or the
    // system names for this purpose.
    let library = match unsafe { libloading::Library::new(path) } {
        Ok(library) => Box::leak(Box::new(library)),
        Err(error) => {
            // The system's own words stand in the source, where it has any.
            let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Finding::Unusable(format!("it can't be loaded: {words}"));
        }
    };
    #[expect(unsafe_code, reason = "looks up a symbol of a native library")]
    // SAFETY: the symbol of this name has this type in every version of ONNX Runtime.
    let entry = unsafe { library.get::<unsafe extern "C" fn() -> *const sys::OrtApiBase>(b"OrtGetApiBase") };
    let Ok(entry) = entry else {
        return Finding::Unusable("it is not ONNX Runtime: it has no `OrtGetApiBase`".to_owned());
    };
    #[expect(unsafe_code, reason = "asks a native library for its version")]
    // SAFETY: the base lives as long as the library, which stays; the version is a constant text ended by zero.
    let (version, serves) = unsafe {
        let Some(base) = entry().as_ref() else {
            return Finding::Unusable("it is not ONNX Runtime: it gives no interface".to_owned());
        };
        let version = (base.GetVersionString)();
        let version =
            (!version.is_null()).then(|| std::ffi::CStr::from_ptr(version).to_string_lossy().into_owned());
        (version.unwrap_or_default(), !(base.GetApi)(API_VERSION).is_null())
    };
    if serves && is_new_enough(&version) {
        return Finding::Usable(version);
    }
    Finding::Unusable(format!("expected version 1.{API_VERSION} or newer, found `{version}`"))
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>());
    matches!((numbers.next(), numbers.next()), (Some(Ok(1)), Some(Ok(minor))) if minor >= API_VERSION)
}

/// Whether a library for Linux lacks its end, as after a download that broke off. Such a file can be mapped, and then
/// kills the process when the missing part is touched.
fn is_cut_off(path: &Path) -> bool {
    /// Bytes of the header of a 64-bit ELF file.
    const HEADER_BYTES: usize = 64;
    let mut header = [0; HEADER_BYTES];
    let file = fs::File::open(path).and_then(|mut file| {
        file.read_exact(&mut header)?;
        file.metadata()
    });
    let Ok(file) = file else { return false };
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return false;
    }
    // The table of sections stands at the end of the file: its offset, the size of an entry and their number.
    let number = |range: std::ops::Range<usize>| {
        header[range].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    number(0x28..0x30).saturating_add(number(0x3a..0x3c) * number(0x3c..0x3e)) > file.len()
}

/// The name by which the system's loader knows the library.
fn library_name() -> String {
    format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// The library files in a directory and in the directories in it, the highest version first.
fn libraries(directory: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let inner = entries(directory).into_iter().filter(|path| path.is_dir()).flat_map(|path| entries(&path));
    let mut found: Vec<PathBuf> =
        entries(directory).into_iter().chain(inner).filter(|path| is_library(path)).collect();
    found.sort_by_cached_key(|path| {
        let name = path.strip_prefix(directory).unwrap_or(path).to_string_lossy().into_owned();
        std::cmp::Reverse((numbers(&name), name))
    });
    found
}

/// Whether a file is named like the library: with its version or without, where the platform puts one.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!("{}onnxruntime", env::consts::DLL_PREFIX);
    let version =
        |rest: &str| rest.split_once(env::consts::DLL_SUFFIX).map(|(left, right)| format!("{left}{right}"));
    let is_version = |text: String| text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    name.strip_prefix(&start).and_then(version).is_some_and(is_version)
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for version in ["1.24.0", "1.32.0", "1.100", "1.33.0-dev"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["", "1", "1.23.9", "1.x", "2.24.0", "0.32.0", "twenty"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn names_of_the_library() {
        for name in ["libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.32.0"] {
            assert!(is_library(Path::new(name)), "{name}");
        }
        for name in [
            "libonnxruntime_providers_shared.so",
            "libonnxruntime.a",
            "onnxruntime.so",
            "libonnxruntime.so.new",
        ] {
            assert!(!is_library(Path::new(name)), "{name}");
        }
    }
}
