//! Files that the user asks for.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

use crate::Failure;

/// Refuses a file that is there already and may not be replaced: before the work that it is to hold the result of.
pub fn check_absent(path: &Path, force: bool) -> Result<(), Failure> {
    match !force && path.exists() {
        true => Err(failure(path, &ErrorKind::AlreadyExists.into())),
        false => Ok(()),
    }
}

/// Writes a file. One that is there already is left alone unless it may be replaced (`force`): the name that was typed may be
/// that of the image itself.
pub fn save(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).and_then(|mut file| file.write_all(bytes)).map_err(|error| failure(path, &error))
}

fn failure(path: &Path, error: &Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AlreadyExists => Some("name another file, or replace it with `--force`"),
        ErrorKind::NotFound => Some("make its folder first"),
        _ => None,
    };
    Failure::words(format!("cannot write `{}`: {error}", path.display())).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_replaced_only_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("film.png");
        check_absent(&file, false).unwrap();
        save(&file, b"a longer first", false).unwrap();
        assert!(check_absent(&file, false).unwrap_err().hint_text().unwrap().contains("--force"));
        check_absent(&file, true).unwrap();
        let failure = save(&file, b"second", false).unwrap_err();
        assert!(failure.to_string().contains("film.png"), "{failure}");
        assert!(failure.hint_text().unwrap().contains("--force"));
        assert_eq!(std::fs::read(&file).unwrap(), b"a longer first");
        save(&file, b"second", true).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"second");
        let failure = save(&folder.path().join("none/film.png"), b"", false).unwrap_err();
        assert!(failure.hint_text().unwrap().contains("folder"));
    }
}
