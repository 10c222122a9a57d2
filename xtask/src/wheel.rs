//! Files out of packages of Python: the pinned wheel through pip, its hash checked, one file out of it, its hash checked too.
//!
//! pip is asked by the package's name alone, so whatever mirror, cache or proxy the machine's pip is set up for
//! is used. What arrives is trusted because of its hash, not because of where it came from.
//!
//! **Invariant:** a file stands at its final path whole and with the pinned hash, or not at all.

use std::{
    env, fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

/// The programs that may be Python, in the order in which they are tried.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// One wheel, named by its hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wheel<'a> {
    pub(crate) package: &'a str,
    pub(crate) version: &'a str,
    /// What it was built for; one of data is built for everything.
    pub(crate) built_for: Option<BuiltFor<'a>>,
    /// SHA-256 of the wheel, in hexadecimal.
    pub(crate) sha256: &'a str,
}

/// What a wheel with a library in it was built for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuiltFor<'a> {
    /// Version of CPython.
    pub(crate) python: &'a str,
    /// pip's name of the platform.
    pub(crate) platform: &'a str,
}

/// A file in a wheel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    /// Where it stands in the wheel.
    pub(crate) path: &'a str,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) sha256: &'a str,
}

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WheelError {
    #[error("no Python with pip was found (tried {tried})\n  hint: install Python's pip",
        tried = PYTHONS.map(|python| format!("`{python} -m pip`")).join(", ")
    )]
    NoPip,

    #[error(
        "`pip download {what}` failed:\n{output}\n  \
         hint: is the network up, and can pip reach its package index?"
    )]
    Download { what: String, output: String },

    #[error("{what} has the SHA-256\n  {found}, but expected is\n  {expected}\n  hint: {hint}")]
    Hash { what: String, expected: String, found: String, hint: &'static str },

    #[error("the wheel `{wheel}` cannot be read, although it has the right hash")]
    Unreadable { wheel: PathBuf, source: zip::result::ZipError },

    #[error("`npm pack {what}` failed:\n{output}\n  hint: is npm there, and can it reach its registry?")]
    Pack { what: String, output: String },

    #[error("the archive `{archive}` has no file `{member}`, although it has the right hash")]
    NoMember { archive: PathBuf, member: String },

    #[error("cannot {action} `{path}`")]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

/// Turns an [`io::Error`] into a [`WheelError`] that says what was done to which file.
pub(crate) fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WheelError {
    move |source| WheelError::File { action, path: path.to_owned(), source }
}

impl Wheel<'_> {
    /// Downloads the wheel, and puts one of its files at `path`.
    pub(crate) fn fetch(&self, member: &Member<'_>, path: &Path) -> Result<(), WheelError> {
        let temporary = tempfile::tempdir().map_err(file_error("make a directory in", &env::temp_dir()))?;
        let wheel = self.download(temporary.path())?;
        self.install(&wheel, member, path)
    }

    /// Lets pip put the wheel into `directory`, and returns its path.
    fn download(&self, directory: &Path) -> Result<PathBuf, WheelError> {
        let python = PYTHONS.into_iter().find(|python| has_pip(python)).ok_or(WheelError::NoPip)?;
        let what = format!("{}=={}", self.package, self.version);
        let failed = |output: String| WheelError::Download { what: what.clone(), output };
        let mut command = Command::new(python);
        command.args(["-m", "pip", "download", &what, "--no-deps", "--only-binary=:all:"]);
        if let Some(BuiltFor { python, platform }) = self.built_for {
            command.args(["--implementation", "cp", "--python-version", python, "--platform", platform]);
        }
        command.args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--dest"]);
        let output = command.arg(directory).stdin(Stdio::null()).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        let wheel = fs::read_dir(directory)
            .map_err(file_error("list", directory))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension() == Some("whl".as_ref()));
        match wheel {
            Some(wheel) if output.status.success() => Ok(wheel),
            _ => Err(failed(indented(&output.stderr))),
        }
    }

    /// Takes a file out of the wheel to `path`, checking the hash of both.
    fn install(&self, wheel: &Path, member: &Member<'_>, path: &Path) -> Result<(), WheelError> {
        let what = format!("the downloaded wheel `{}`", wheel.file_name().unwrap_or_default().display());
        let hint =
            "what pip delivered is not the published package: find out which index or cache it came from";
        require_hash(what, sha256(wheel)?, self.sha256, hint)?;
        place(member, path, |file| extract(wheel, member, file))
    }
}

impl Member<'_> {
    /// Whether the file is at `path` already.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool, WheelError> {
        Ok(path.is_file() && sha256(path)? == self.sha256)
    }
}

/// Puts a file that `write` writes at `path`, if it has its hash.
pub(crate) fn place(
    member: &Member<'_>,
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), WheelError>,
) -> Result<(), WheelError> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory).map_err(file_error("create", directory))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fetched-");
    // A temporary file is its owner's alone; this one is for whoever may enter the directory.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut temporary = builder.tempfile_in(directory).map_err(file_error("write into", directory))?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(file_error("write", temporary.path()))?;
    let what = format!("`{}` as it was written to disk", member.path);
    require_hash(what, sha256(temporary.path())?, member.sha256, "is the disk full or failing?")?;
    temporary.persist(path).map_err(|error| file_error("write", path)(error.error))?;
    Ok(())
}

fn has_pip(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The text with each line set two columns in, as part of a longer message.
pub(crate) fn indented(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn extract(wheel: &Path, member: &Member<'_>, file: &mut File) -> Result<(), WheelError> {
    let unreadable = |source| WheelError::Unreadable { wheel: wheel.to_owned(), source };
    let archive = File::open(wheel).map_err(file_error("open", wheel))?;
    let mut archive = zip::ZipArchive::new(archive).map_err(unreadable)?;
    let mut member = archive.by_name(member.path).map_err(unreadable)?;
    io::copy(&mut member, file).map_err(file_error("extract", wheel))?;
    Ok(())
}

pub(crate) fn require_hash(
    what: String,
    found: String,
    expected: &str,
    hint: &'static str,
) -> Result<(), WheelError> {
    if found == expected {
        return Ok(());
    }
    Err(WheelError::Hash { what, expected: expected.to_owned(), found, hint })
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String, WheelError> {
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
    const PLACE: &str = "package/libraries/one.so";

    /// SHA-256 of [`LIBRARY`], computed with `printf 'a library' | sha256sum`.
    const LIBRARY_SHA256: &str = "31f109ab38348582abdc9e1c9942f74505c719e98c6d0ab6fbcfdccfd8c9935b";

    /// A wheel with one library in it, and its hash.
    fn packed(directory: &Path) -> (PathBuf, String) {
        let path = directory.join("package-0.0.0.whl");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(PLACE, options).unwrap();
        archive.write_all(LIBRARY).unwrap();
        archive.finish().unwrap();
        let hash = sha256(&path).unwrap();
        (path, hash)
    }

    fn wheel(sha256: &str) -> Wheel<'_> {
        Wheel { package: "package", version: "0.0.0", built_for: None, sha256 }
    }

    #[test]
    fn the_file_of_the_right_wheel_is_installed_over_what_was_there() {
        let temporary = tempfile::tempdir().unwrap();
        let (packed, hash) = packed(temporary.path());
        let path = temporary.path().join("deep/place/one.so");
        for _ in 0..2 {
            let member = Member { path: PLACE, sha256: LIBRARY_SHA256 };
            wheel(&hash).install(&packed, &member, &path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), LIBRARY);
            let beside = fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!(beside, 1, "no temporary file is left");
            fs::write(&path, "damaged").unwrap();
        }
    }

    #[test]
    fn a_wheel_with_another_hash_is_refused_with_both_hashes() {
        let temporary = tempfile::tempdir().unwrap();
        let (packed, hash) = packed(temporary.path());
        let path = temporary.path().join("place/one.so");
        let member = Member { path: PLACE, sha256: LIBRARY_SHA256 };
        let error = wheel(LIBRARY_SHA256).install(&packed, &member, &path).unwrap_err().to_string();
        assert!(error.contains(&hash) && error.contains(LIBRARY_SHA256), "{error}");
        assert!(!path.parent().unwrap().exists());
    }

    #[test]
    fn a_file_with_another_hash_is_not_left_behind() {
        let temporary = tempfile::tempdir().unwrap();
        let (packed, hash) = packed(temporary.path());
        let path = temporary.path().join("place/one.so");
        let member = Member { path: PLACE, sha256: &hash };
        let error = wheel(&hash).install(&packed, &member, &path).unwrap_err().to_string();
        assert!(error.contains(PLACE) && error.contains(LIBRARY_SHA256), "{error}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_wheel_without_the_file_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let (packed, hash) = packed(temporary.path());
        let member = Member { path: "package/another.so", sha256: LIBRARY_SHA256 };
        let error = wheel(&hash).install(&packed, &member, &temporary.path().join("one.so")).unwrap_err();
        assert!(matches!(error, WheelError::Unreadable { .. }), "{error}");
    }
}
