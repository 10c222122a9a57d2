//! Gets ONNX Runtime: the pinned wheel through pip, its hash checked, the library out of it, into foretell's home.
//!
//! **Invariant:** a library stands at its final path whole and with the pinned hash, or not at all.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::{
    pin::{self, PYTHON_VERSION, Pin, VERSION},
    process::say,
    wheel::{BuiltFor, Member, Wheel, WheelError, sha256},
};

/// Names a library to use instead of the fetched one. foretell itself reads it too.
pub(crate) const LIBRARY_VARIABLE: &str = "FORETELL_ONNXRUNTIME";

/// Names foretell's home directory.
pub(crate) const HOME_VARIABLE: &str = "FORETELL_HOME";

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

    #[error(transparent)]
    Wheel(#[from] WheelError),

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
    let member = format!("onnxruntime/capi/{}", pin.library);
    pin.wheel().fetch(&Member { path: &member, sha256: pin.library_sha256 }, &path)?;
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
pub(crate) fn home() -> Result<PathBuf, FetchError> {
    if let Some(home) = variable(HOME_VARIABLE) {
        return std::path::absolute(&home).map_err(file_error("resolve", &home));
    }
    let directories = etcetera::choose_base_strategy().map_err(|_| FetchError::NoHome)?;
    Ok(directories.data_dir().join("foretell"))
}

/// An environment variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl<'a> Pin<'a> {
    fn wheel(&self) -> Wheel<'a> {
        Wheel {
            package: "onnxruntime",
            version: VERSION,
            built_for: Some(BuiltFor { python: PYTHON_VERSION, platform: self.platform }),
            sha256: self.wheel_sha256,
        }
    }
}
