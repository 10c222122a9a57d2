//! Gets ffmpeg for the tests: the pinned wheel of imageio-ffmpeg through pip, its hash checked, the program out of it, into foretell's
//! home, beside ONNX Runtime.
//!
//! The program is under the GPL. It is run, never linked, and nothing that foretell ships holds it: people install ffmpeg themselves.
//!
//! To move to another version: change [`VERSION`], download the wheel of each platform with `python3 -m pip download
//! imageio-ffmpeg==VERSION --no-deps --only-binary=:all: --platform PLATFORM`, and write down its SHA-256, and the name and SHA-256 of
//! the program inside.
//!
//! **Invariant:** a program stands at its final path whole and with the pinned hash, or not at all.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::{
    onnxruntime::{self, FetchError, variable},
    process::say,
    wheel::{BuiltFor, Member, Wheel, WheelError, sha256},
};

/// Names a program to use instead of the fetched one. foretell itself reads it too.
pub(crate) const FFMPEG_VARIABLE: &str = "FORETELL_FFMPEG";

/// The version of imageio-ffmpeg whose program the tests run.
const VERSION: &str = "0.8.1";

/// The wheels are for every Python 3; pip wants one named all the same where it names a platform.
const PYTHON_VERSION: &str = "3.12";

/// One platform's wheel, and the program in it.
#[derive(Debug, Clone, Copy)]
struct Pin {
    /// As in [`std::env::consts::OS`].
    os: &'static str,
    /// As in [`std::env::consts::ARCH`].
    arch: &'static str,
    /// pip's name of the platform.
    platform: &'static str,
    /// SHA-256 of the wheel, in hexadecimal.
    wheel_sha256: &'static str,
    /// File name of the program, which stands in `imageio_ffmpeg/binaries` of the wheel.
    program: &'static str,
    /// SHA-256 of the program, in hexadecimal.
    program_sha256: &'static str,
}

const PINS: [Pin; 4] = [
    Pin {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        wheel_sha256: "050d6850601c3b3890bd2b28306f3b842b3daea390a561101174375a1c460bda",
        program: "ffmpeg-linux-x86_64-v9.0.2",
        program_sha256: "0d709a0bed1a43f24cd2c420878c63afea4580671b6949ad19ed124572f3bc3d",
    },
    Pin {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        wheel_sha256: "fad3176f859b25869e60a8ed79957d4e3ed74a97a95e5f0cdcb91455f6c6d00e",
        program: "ffmpeg-linux-aarch64-v9.0.2",
        program_sha256: "0b0b5ac30495b4e07ce1321b8d58200f901f57782884a8b6b264c7528c2c9e77",
    },
    Pin {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_12_0_arm64",
        wheel_sha256: "5636d691e36e5274b13fe38182b1f627b2e35dcecc63944012c2470f9484fc45",
        program: "ffmpeg-macos-aarch64-v9.0",
        program_sha256: "591260c945d0eef150e3bf82b0ef988bd36a9cecc18ff05d6679617159f0a95e",
    },
    Pin {
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        wheel_sha256: "f27ca4cb85e2d4946deedbce1a81245dfd942a2bcf94b53676fb3956aa95bf1b",
        program: "ffmpeg-win-x86_64-v9.0.2.exe",
        program_sha256: "3256173f3f8bffd7df12227c68adf68025edb1832273a9530688a7bb1ed8edec",
    },
];

/// Why ffmpeg could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFfmpegError {
    #[error(
        "there is no pinned ffmpeg for `{os} {arch}`\n  \
         hint: install ffmpeg and name its program in `{FFMPEG_VARIABLE}`"
    )]
    Platform { os: &'static str, arch: &'static str },

    #[error(
        "`{FFMPEG_VARIABLE}` names `{path}`, which is not a file\n  \
         hint: name the program ffmpeg, or unset the variable to have it fetched"
    )]
    Named { path: PathBuf },

    #[error(transparent)]
    Home(#[from] Box<FetchError>),

    #[error(transparent)]
    Wheel(#[from] Box<WheelError>),

    #[error("cannot make `{path}` executable")]
    Permission { path: PathBuf, source: io::Error },
}

/// The command `fetch-ffmpeg`. Returns where the program is.
pub(crate) fn fetch(force: bool) -> Result<PathBuf, FetchFfmpegError> {
    let (os, arch) = (env::consts::OS, env::consts::ARCH);
    let pin = pin(os, arch).ok_or(FetchFfmpegError::Platform { os, arch })?;
    let path = onnxruntime::home().map_err(Box::new)?.join("ffmpeg").join(VERSION).join(pin.program);
    let is_there = path.is_file() && sha256(&path).map_err(Box::new)? == pin.program_sha256;
    if is_there && !force {
        say(&format!("ffmpeg is already there: {}", path.display()));
    } else {
        say(&format!("fetching ffmpeg (imageio-ffmpeg {VERSION} for {}) through pip", pin.platform));
        let member = format!("imageio_ffmpeg/binaries/{}", pin.program);
        let member = Member { path: &member, sha256: pin.program_sha256 };
        pin.wheel().fetch(&member, &path).map_err(Box::new)?;
        say(&format!("ffmpeg is ready: {}", path.display()));
    }
    make_executable(&path).map_err(|source| FetchFfmpegError::Permission { path: path.clone(), source })?;
    Ok(path)
}

/// The program named in the environment, else the fetched one, which is fetched now if it is not there.
pub(crate) fn find_or_fetch() -> Result<PathBuf, FetchFfmpegError> {
    let Some(path) = variable(FFMPEG_VARIABLE) else { return fetch(false) };
    match fs::canonicalize(&path) {
        Ok(path) if path.is_file() => Ok(path),
        _ => Err(FetchFfmpegError::Named { path }),
    }
}

fn pin(os: &str, arch: &str) -> Option<Pin> {
    PINS.into_iter().find(|pin| pin.os == os && pin.arch == arch)
}

impl Pin {
    fn wheel(&self) -> Wheel<'_> {
        Wheel {
            package: "imageio-ffmpeg",
            version: VERSION,
            built_for: Some(BuiltFor { python: PYTHON_VERSION, platform: self.platform }),
            sha256: self.wheel_sha256,
        }
    }
}

/// What comes out of a wheel is a file like any other.
#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(0o755))
}

/// The ending of its name says that it is a program.
#[cfg(not(unix))]
fn make_executable(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_whole_hashes_and_named_programs() {
        let is_sha256 =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
        for pin in PINS {
            assert!(is_sha256(pin.wheel_sha256) && is_sha256(pin.program_sha256), "{pin:?}");
            assert!(pin.program.starts_with("ffmpeg-") && pin.program.contains(pin.arch), "{pin:?}");
        }
        assert!(pin("linux", "x86_64").is_some());
        assert!(pin("linux", "sparc64").is_none());
    }
}
