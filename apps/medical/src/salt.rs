//! The secret from which pseudonyms are made: 32 random bytes in the home, made when they are first needed.
//!
//! The same patient has the same pseudonym as long as the file is the same, in every database of this home. Whoever has
//! the file can tell whether a pseudonym belongs to an ID that they know, so it belongs to its user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use foretell_media::dicom::deidentify::Salt;

/// Name of the file in the home.
pub const SALT_FILE: &str = "medical.salt";
/// Bytes of a salt.
const SALT_BYTES: usize = 32;

/// The secret could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("the secret for pseudonyms in `{}`: {kind}", path.display())]
pub struct SaltError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub kind: SaltErrorKind,
}

/// Why the secret could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SaltErrorKind {
    /// What the system says.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// It is something else.
    #[error("expected {SALT_BYTES} bytes, found another number")]
    Length,
}

impl SaltErrorKind {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Length => Some(
                "put a copy of the file back; without it, remove it and the same patients get other pseudonyms from now on",
            ),
            Self::File(_) => {
                Some("check the permissions of the home, or choose another one with FORETELL_HOME")
            }
        }
    }
}

/// Reads the secret, or makes it where there is none.
///
/// Two processes that begin at once agree on one: it appears under its name only when it is complete, and only once.
pub fn load(home: &Path) -> Result<Salt, SaltError> {
    let path = home.join(SALT_FILE);
    let loaded = match read(&path) {
        Err(SaltErrorKind::File(error)) if error.kind() == ErrorKind::NotFound => {
            make(home, &path).and_then(|()| read(&path))
        }
        read => read,
    };
    loaded.map_err(|kind| SaltError { path, kind })
}

fn read(path: &Path) -> Result<Salt, SaltErrorKind> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SALT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    bytes.try_into().map(Salt).map_err(|_| SaltErrorKind::Length)
}

fn make(home: &Path, path: &Path) -> Result<(), SaltErrorKind> {
    fs::create_dir_all(home)?;
    let draft = home.join(format!("{SALT_FILE}.{}", std::process::id()));
    let made = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        // Somebody else was faster: theirs holds.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    made?;
    Ok(removed?)
}

fn write(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(&rand::random::<[u8; SALT_BYTES]>())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let salt = load(&home).unwrap();
        assert_eq!(load(&home).unwrap(), salt);
        assert_ne!(load(&folder.path().join("other")).unwrap(), salt);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(home.join(SALT_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "the draft is gone");
    }

    #[test]
    fn one_that_is_cut_off_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(SALT_FILE), [7; 31]).unwrap();
        let error = load(home.path()).unwrap_err();
        assert!(error.to_string().contains("expected 32 bytes"), "{error}");
        assert_eq!(fs::read(home.path().join(SALT_FILE)).unwrap(), [7; 31]);
    }
}
