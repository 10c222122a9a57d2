//! Gets ONNX Runtime: the pinned wheel through pip, its hash checked, the library out of it, into foretell's home.
//!
//! pip is asked by the package's name alone, so whatever mirror, cache or proxy the machine's pip is set up for
//! is used. What arrives is trusted because of its hash, not because of where it came from.
//!
//! **Invariant:** a library stands at its final path whole and with the pinned hash, or not at all.

use std::{
    env, fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};

use crate::{
    pin::{self, PYTHON_VERSION, Pin, VERSION},
    process::say,
};

/// Names a library to use instead of the fetched one. foretell itself reads it too.
pub(crate) const LIBRARY_VARIABLE: &str = "FORETELL_ONNXRUNTIME";

/// Names foretell's home directory.
pub(crate) const HOME_VARIABLE: &str = "FORETELL_HOME";

/// The programs that may be Python, in the order in which they are tried.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// Why ONNX Runtime could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(
        "there is no pinned ONNX Runtime {VERSION} for `{os} {arch}`, only for {known}\n  \
         hint: build or install ONNX Runtime and name its library in `{LIBRARY_VARIABLE}`",
        known = pin::platforms()
    )]
    Platform { os: &'static str, arch: &'static str },

    #[error(
        "`{LIBRARY_VARIABLE}` names `{path}`, which is not a file\n  \
         hint: name the ONNX Runtime library, or unset the variable to have it fetched"
    )]
    NamedLibrary { path: PathBuf },

    #[error(
        "the home directory is unknown, and with it the place for ONNX Runtime\n  \
         hint: set `{HOME_VARIABLE}` to the directory that foretell may use"
    )]
    NoHome,

    #[error(
        "no Python with pip was found (tried {tried})\n  \
         hint: install Python's pip, or name an ONNX Runtime library that you have in `{LIBRARY_VARIABLE}`",
        tried = PYTHONS.map(|python| format!("`{python} -m pip`")).join(", ")
    )]
    NoPip,

    #[error(
        "`pip download onnxruntime=={VERSION}` failed:\n{output}\n  \
         hint: is the network up, and can pip reach its package index?"
    )]
    Download { output: String },

    #[error("{what} has the SHA-256\n  {found}, but expected is\n  {expected}\n  hint: {hint}")]
    Hash { what: String, expected: String, found: String, hint: &'static str },

    #[error("the wheel `{wheel}` cannot be read, although it has the right hash")]
    Wheel { wheel: PathBuf, source: zip::result::ZipError },

    #[error("cannot {action} `{path}`")]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

/// Turns an [`io::Error`] into a [`FetchError`] that says what was done to which file.
fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    move |source| FetchError::File { action, path: path.to_owned(), source }
}

/// The command `fetch-onnxruntime`.
pub(crate) fn fetch(force: bool) -> Result<(), FetchError> {
    let pin = this_platform()?;
    let directory = directory(&home()?);
    let path = directory.join(pin.library);
    let present = if path.is_file() { Some(sha256(&path)?) } else { None };
    match present {
        Some(hash) if hash == pin.library_sha256 && !force => {
            say(&format!("ONNX Runtime {VERSION} is already there: {}", path.display()));
            return Ok(());
        }
        Some(hash) if hash != pin.library_sha256 => {
            say(&format!(
                "`{}` is not the pinned library (SHA-256 {hash}), fetching it again",
                path.display()
            ));
        }
        Some(_) | None => say(&format!("fetching ONNX Runtime {VERSION} for {} through pip", pin.platform)),
    }
    let temporary = tempfile::tempdir().map_err(file_error("make a directory in", &env::temp_dir()))?;
    let wheel = download(&pin, temporary.path())?;
    install(&wheel, &pin, &directory)?;
    say(&format!("ONNX Runtime {VERSION} is ready: {}", path.display()));
    Ok(())
}

/// The library that `test` and `demo` use.
#[derive(Debug)]
pub(crate) enum Library {
    /// The environment names it: whatever is started from here finds it, too.
    Named(PathBuf),
    /// It is in foretell's home.
    Fetched(PathBuf),
}

/// The library named in the environment, else the fetched one, which is fetched now if it is not there.
pub(crate) fn find_or_fetch() -> Result<Library, FetchError> {
    if let Some(path) = variable(LIBRARY_VARIABLE) {
        return match fs::canonicalize(&path) {
            Ok(path) if path.is_file() => Ok(Library::Named(path)),
            _ => Err(FetchError::NamedLibrary { path }),
        };
    }
    fetch(false)?;
    Ok(Library::Fetched(directory(&home()?).join(this_platform()?.library)))
}

impl Library {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Fetched(path) => path,
        }
    }

    /// Makes the library found by whoever has `home` as foretell's home.
    pub(crate) fn put_into(&self, home: &Path) -> Result<(), FetchError> {
        let Self::Fetched(path) = self else { return Ok(()) };
        let directory = directory(home);
        fs::create_dir_all(&directory).map_err(file_error("create", &directory))?;
        let copy = directory.join(path.file_name().unwrap_or_default());
        fs::copy(path, &copy).map_err(file_error("write", &copy))?;
        Ok(())
    }
}

/// Where a home keeps the pinned version.
fn directory(home: &Path) -> PathBuf {
    home.join("onnxruntime").join(VERSION)
}

fn this_platform() -> Result<Pin<'static>, FetchError> {
    let (os, arch) = (env::consts::OS, env::consts::ARCH);
    pin::pin(os, arch).ok_or(FetchError::Platform { os, arch })
}

/// The same rule as the runtime's: `FORETELL_HOME`, else `foretell` in the user's data directory.
fn home() -> Result<PathBuf, FetchError> {
    if let Some(home) = variable(HOME_VARIABLE) {
        return std::path::absolute(&home).map_err(file_error("resolve", &home));
    }
    let directories = etcetera::choose_base_strategy().map_err(|_| FetchError::NoHome)?;
    Ok(directories.data_dir().join("foretell"))
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Lets pip put the pin's wheel into `directory`, and returns its path.
fn download(pin: &Pin<'_>, directory: &Path) -> Result<PathBuf, FetchError> {
    let python = PYTHONS.into_iter().find(|python| has_pip(python)).ok_or(FetchError::NoPip)?;
    let output = Command::new(python)
        .args(["-m", "pip", "download", &format!("onnxruntime=={VERSION}")])
        .args(["--no-deps", "--only-binary=:all:", "--implementation", "cp"])
        .args(["--python-version", PYTHON_VERSION, "--platform", pin.platform])
        .args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--dest"])
        .arg(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| FetchError::Download { output: error.to_string() })?;
    let wheel = fs::read_dir(directory)
        .map_err(file_error("list", directory))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some("whl".as_ref()));
    match wheel {
        Some(wheel) if output.status.success() => Ok(wheel),
        _ => Err(FetchError::Download { output: indented(&output.stderr) }),
    }
}

fn has_pip(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The text with each line set two columns in, as part of a longer message.
fn indented(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Takes the library out of the wheel into `directory`, checking the hash of both.
fn install(wheel: &Path, pin: &Pin<'_>, directory: &Path) -> Result<(), FetchError> {
    let what = format!("the downloaded wheel `{}`", wheel.file_name().unwrap_or_default().display());
    let hint = "what pip delivered is not the published package: find out which index or cache it came from";
    require_hash(what, sha256(wheel)?, pin.wheel_sha256, hint)?;

    fs::create_dir_all(directory).map_err(file_error("create", directory))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".onnxruntime-");
    // A temporary file is its owner's alone; a library is for whoever may enter the directory.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut temporary = builder.tempfile_in(directory).map_err(file_error("write into", directory))?;
    extract(wheel, pin, temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(file_error("write", temporary.path()))?;
    let what = format!("`{}` as it was written to disk", pin.library);
    require_hash(what, sha256(temporary.path())?, pin.library_sha256, "is the disk full or failing?")?;

    let path = directory.join(pin.library);
    temporary.persist(&path).map_err(|error| file_error("write", &path)(error.error))?;
    Ok(())
}

fn extract(wheel: &Path, pin: &Pin<'_>, library: &mut File) -> Result<(), FetchError> {
    let wheel_error = |source| FetchError::Wheel { wheel: wheel.to_owned(), source };
    let file = File::open(wheel).map_err(file_error("open", wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(wheel_error)?;
    let mut member = archive.by_name(&format!("onnxruntime/capi/{}", pin.library)).map_err(wheel_error)?;
    io::copy(&mut member, library).map_err(file_error("extract", wheel))?;
    Ok(())
}

fn require_hash(what: String, found: String, expected: &str, hint: &'static str) -> Result<(), FetchError> {
    if found == expected {
        return Ok(());
    }
    Err(FetchError::Hash { what, expected: expected.to_owned(), found, hint })
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String, FetchError> {
    let mut file = File::open(path).map_err(file_error("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(file_error("read", path))? {
            0 => return Ok(Hex(&hasher.finalize()).to_string()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Bytes written in hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIBRARY: &[u8] = b"a library";

    /// SHA-256 of [`LIBRARY`], computed with `printf 'a library' | sha256sum`.
    const LIBRARY_SHA256: &str = "31f109ab38348582abdc9e1c9942f74505c719e98c6d0ab6fbcfdccfd8c9935b";

    /// A wheel with one library in it, and its hash.
    fn wheel(directory: &Path) -> (PathBuf, String) {
        let path = directory.join("onnxruntime-0.0.0.whl");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file("onnxruntime/capi/libonnxruntime.so", options).unwrap();
        archive.write_all(LIBRARY).unwrap();
        archive.finish().unwrap();
        let hash = sha256(&path).unwrap();
        (path, hash)
    }

    fn pin<'a>(wheel_sha256: &'a str, library_sha256: &'a str) -> Pin<'a> {
        Pin { os: "", arch: "", platform: "", wheel_sha256, library: "libonnxruntime.so", library_sha256 }
    }

    #[test]
    fn the_library_of_the_right_wheel_is_installed_over_what_was_there() {
        let temporary = tempfile::tempdir().unwrap();
        let (wheel, hash) = wheel(temporary.path());
        let directory = temporary.path().join("deep/onnxruntime");
        for _ in 0..2 {
            install(&wheel, &pin(&hash, LIBRARY_SHA256), &directory).unwrap();
            assert_eq!(fs::read(directory.join("libonnxruntime.so")).unwrap(), LIBRARY);
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no temporary file is left");
            fs::write(directory.join("libonnxruntime.so"), "damaged").unwrap();
        }
    }

    #[test]
    fn a_wheel_with_another_hash_is_refused_with_both_hashes() {
        let temporary = tempfile::tempdir().unwrap();
        let (wheel, hash) = wheel(temporary.path());
        let directory = temporary.path().join("onnxruntime");
        let error =
            install(&wheel, &pin(LIBRARY_SHA256, LIBRARY_SHA256), &directory).unwrap_err().to_string();
        assert!(error.contains(&hash) && error.contains(LIBRARY_SHA256), "{error}");
        assert!(!directory.exists());
    }

    #[test]
    fn a_library_with_another_hash_is_not_left_behind() {
        let temporary = tempfile::tempdir().unwrap();
        let (wheel, hash) = wheel(temporary.path());
        let directory = temporary.path().join("onnxruntime");
        let error = install(&wheel, &pin(&hash, &hash), &directory).unwrap_err().to_string();
        assert!(error.contains("libonnxruntime.so") && error.contains(LIBRARY_SHA256), "{error}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn a_wheel_without_the_library_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let (wheel, hash) = wheel(temporary.path());
        let mut pin = pin(&hash, LIBRARY_SHA256);
        pin.library = "onnxruntime.dll";
        let error = install(&wheel, &pin, &temporary.path().join("onnxruntime")).unwrap_err();
        assert!(matches!(error, FetchError::Wheel { .. }), "{error}");
    }
}
