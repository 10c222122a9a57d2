//! Keys of publishers: `foretell plugin key`, and the secret key that something is signed with.
//!
//! They are minisign's, so either program can use the other's. A secret key is in memory only while something is signed, and stands in
//! no message.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foretell_runtime::signature::Publisher;
use foretell_terminal::{Failure, Output, exit};
use minisign::{KeyPair, PError, PublicKey, SecretKey, SecretKeyBox};
use serde::Serialize;

use crate::arguments::{Key, Password};

/// The environment variable with a password.
const PASSWORD_VARIABLE: &str = "FORETELL_KEY_PASSWORD";
/// Largest file that is taken for a key or a password.
const FILE_BYTES_MAX: u64 = 8 * 1024;
/// Longest password, as minisign has it.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Where in a secret key it stands how it is locked.
const LOCK_PLACE: std::ops::Range<usize> = 2..4;
/// Bytes of its checksum, at its end.
const CHECKSUM_BYTES: usize = 32;
/// Not locked.
const NO_LOCK: &[u8] = &[0, 0];
/// Locked by a password, with scrypt.
const PASSWORD_LOCK: &[u8] = b"Sc";

#[derive(Serialize)]
struct Document {
    /// File with the secret key.
    secret: String,
    /// File with the public key.
    public: String,
    /// The public key.
    publisher: String,
    /// Its number.
    key: String,
}

pub(super) fn run(output: Output, command: &Key) -> Result<u8, Failure> {
    let (secret, public) = (&command.file, command.file.with_extension("pub"));
    if *secret == public {
        let words = "the secret key needs a name that does not end in `.pub`, such as `acme.key`";
        return Err(Failure::words(words));
    }
    for file in [secret, &public] {
        if file.exists() {
            return Err(Failure::words(format!("`{}` is there already", file.display()))
                .hint(Some("name another file: whoever loses a key can't sign with it again")));
        }
    }
    let pair = if command.no_password {
        KeyPair::generate_unencrypted_keypair()
    } else {
        KeyPair::generate_encrypted_keypair(Some(new_password(&command.password)?))
    };
    let KeyPair { pk, sk } = pair.map_err(|error| unusable("a key can't be made", &error))?;
    let publisher = publisher(&pk)?;
    let comment = format!("secret key {} of minisign, made by foretell", publisher.id());
    let words = sk.to_box(Some(&comment)).map_err(|error| unusable("a key can't be written", &error))?;
    write_new(secret, words.into_string().as_bytes(), true)?;
    write_new(&public, public_text(&publisher).as_bytes(), false)?;
    let document = Document {
        secret: secret.display().to_string(),
        public: public.display().to_string(),
        publisher: publisher.to_string(),
        key: publisher.id(),
    };
    output.show(&document, |output| {
        output.facts(&[
            ("secret key", format!("{}: keep it to yourself", document.secret)),
            ("public key", format!("{}: give it to those who are to trust you", document.public)),
            ("publisher", document.publisher.clone()),
        ]);
    });
    Ok(exit::DONE)
}

/// A public key's file as minisign writes it.
fn public_text(publisher: &Publisher) -> String {
    format!("untrusted comment: minisign public key {}\n{publisher}\n", publisher.id())
}

fn write_new(path: &Path, content: &[u8], is_secret: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    // Elsewhere, a user's files are the user's.
    #[cfg(not(unix))]
    let _ = is_secret;
    let written =
        options.open(path).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::words(format!("cannot write `{}`: {error}", path.display())))
}

/// A publisher as the user names one: the key itself, or a file with it.
pub(crate) fn parse_publisher(text: &str) -> Result<Publisher, String> {
    let error = match text.parse() {
        Ok(publisher) => return Ok(publisher),
        Err(error) => error,
    };
    let path = Path::new(text);
    if !path.is_file() {
        return Err(format!("{error}, and no file either"));
    }
    let content = read(path).map_err(|failure| failure.to_string())?;
    let key = content.lines().nth(1).unwrap_or_default();
    key.trim().parse().map_err(|error| format!("`{text}`: {error}"))
}

/// The secret key in a file, unlocked.
pub(super) fn secret(file: &Path, password: &Password) -> Result<SecretKey, Failure> {
    let no_key = || {
        Failure::words(format!("`{}` is no secret key of minisign", file.display()))
            .hint(Some("make one: `foretell plugin key FILE`, or take one of minisign's own"))
    };
    let content = read(file)?;
    let bytes = content.lines().nth(1).and_then(|line| STANDARD.decode(line.trim()).ok());
    let bytes = bytes.ok_or_else(no_key)?;
    let boxed = SecretKeyBox::from(content);
    let key = match bytes.get(LOCK_PLACE).ok_or_else(no_key)? {
        // Minisign leaves the checksum of a key without a password out, which the crate does not expect.
        NO_LOCK if bytes.ends_with(&[0; CHECKSUM_BYTES]) => SecretKey::from_bytes(&bytes),
        NO_LOCK => boxed.into_unencrypted_secret_key(),
        PASSWORD_LOCK => boxed.into_secret_key(Some(known_password(password, file)?)),
        _ => return Err(no_key()),
    };
    key.map_err(|error| unusable(&format!("the key in `{}`", file.display()), &error))
}

/// The publisher that a secret key makes somebody.
pub(super) fn publisher_of(key: &SecretKey) -> Result<Publisher, Failure> {
    let public = PublicKey::from_secret_key(key).map_err(|error| unusable("the key", &error))?;
    publisher(&public)
}

fn publisher(key: &PublicKey) -> Result<Publisher, Failure> {
    key.to_base64().parse().map_err(|error| Failure::new(&error))
}

pub(super) fn unusable(what: &str, error: &PError) -> Failure {
    Failure::words(format!("{what}: {error}"))
}

fn read(path: &Path) -> Result<String, Failure> {
    let failure = |words: String| Failure::words(format!("cannot read `{}`: {words}", path.display()));
    let bytes = fs::metadata(path).map_err(|error| failure(error.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(failure(format!("expected at most {FILE_BYTES_MAX} bytes, found {bytes}")));
    }
    fs::read_to_string(path).map_err(|error| failure(error.to_string()))
}

/// The password of a key that is there.
fn known_password(from: &Password, key: &Path) -> Result<String, Failure> {
    match given(from)? {
        Some(password) => Ok(password),
        None => ask(&format!("password of `{}`: ", key.display())),
    }
}

/// The password of a key that is being made: asked twice, since it can't be looked up.
fn new_password(from: &Password) -> Result<String, Failure> {
    let password = match given(from)? {
        Some(password) => password,
        None => {
            let password = ask("password for the new key: ")?;
            if ask("the same again: ")? != password {
                return Err(Failure::words("the passwords are not the same"));
            }
            password
        }
    };
    if password.is_empty() {
        return Err(Failure::words("the password is empty")
            .hint(Some("give one, or say that there is to be none: `--no-password`")));
    }
    Ok(password)
}

/// A password from a file or the environment.
fn given(from: &Password) -> Result<Option<String>, Failure> {
    let password = match &from.password_file {
        Some(file) => Some(read(file)?.lines().next().unwrap_or_default().to_owned()),
        None => std::env::var(PASSWORD_VARIABLE).ok(),
    };
    match password {
        Some(password) if password.len() > PASSWORD_BYTES_MAX => {
            Err(Failure::words(format!("the password has more than {PASSWORD_BYTES_MAX} bytes")))
        }
        password => Ok(password),
    }
}

fn ask(what: &str) -> Result<String, Failure> {
    rpassword::prompt_password(what).map_err(|error| {
        Failure::words(format!("the password can't be asked for: {error}"))
            .hint(Some(format!("put it into a file, `--password-file FILE`, or into `{PASSWORD_VARIABLE}`")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_password() -> Password {
        Password { password_file: None }
    }

    /// Made by minisign 0.11 with `-G -W`, for this test alone.
    const SECRET: &str = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA9yf6PiQQgErGATfxI0mi6Pr1k6uPklQB8iqAil2bp7XjXsLJ/jFhPvfaEYMCnsX7STnEWZ/vLfGSX8j3Yts/b0n0kzvZxaGFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    /// Its public key.
    const PUBLIC: &str = "untrusted comment: minisign public key 4A8010243EFA27F7\n\
        RWT3J/o+JBCASvfaEYMCnsX7STnEWZ/vLfGSX8j3Yts/b0n0kzvZxaGF\n";

    #[test]
    fn keys_of_minisign_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a.key"), SECRET).unwrap();
        fs::write(path("a.pub"), PUBLIC).unwrap();
        let key = secret(&path("a.key"), &without_password()).unwrap();
        let publisher = publisher_of(&key).unwrap();
        assert_eq!(parse_publisher(&path("a.pub").display().to_string()), Ok(publisher));
        assert_eq!(parse_publisher(PUBLIC.lines().nth(1).unwrap()), Ok(publisher));
        // As minisign writes it.
        assert_eq!(public_text(&publisher), PUBLIC);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let mut locked_otherwise = STANDARD.decode(SECRET.lines().nth(1).unwrap()).unwrap();
        locked_otherwise[LOCK_PLACE].copy_from_slice(b"??");
        let mut changed = STANDARD.decode(SECRET.lines().nth(1).unwrap()).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        for text in [
            String::new(),
            "untrusted comment: nothing\n".to_owned(),
            "untrusted comment: nothing\nno base64!\n".to_owned(),
            PUBLIC.to_owned(),
            format!("untrusted comment:\n{}\n", STANDARD.encode([0; 3])),
            format!("untrusted comment:\n{}\n", STANDARD.encode([0; 60])),
            format!("untrusted comment:\n{}\n", STANDARD.encode(locked_otherwise)),
            format!("untrusted comment:\n{}\n", STANDARD.encode(changed)),
            "x".repeat(FILE_BYTES_MAX as usize + 1),
        ] {
            fs::write(&file, &text).unwrap();
            let failure = secret(&file, &without_password()).unwrap_err().to_string();
            assert!(failure.contains("key"), "{text}: {failure}");
            let error = parse_publisher("not-there").unwrap_err();
            assert!(error.contains("no file either"), "{error}");
        }
    }
}
