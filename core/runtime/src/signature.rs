//! Who answers for a plugin: publishers, their keys, and what they sign.
//!
//! A signature is one file, [`SIGNATURE_FILE`], beside the manifest, in the form of minisign. What is signed is a text, the
//! [`Listing`]: name, version, and the BLAKE3 of every file that installing copies. So a plugin's directory, its archive and
//! the installed copy have the same signature, and files that are not installed do not matter.
//!
//! ```text
//! foretell plugin 1
//! name late-return
//! version 0.1.0
//! 49f0c1d7...  LICENSE
//! 2b8ee501...  liblate_return.so
//! 9a0c4e7f...  model/network.onnx
//! d5a3b1aa...  plugin.toml
//! ```
//!
//! The text can be had by itself and signed with minisign's own program, for keys that never come near this one.
//!
//! - **Invariant:** two plugins have the same text only if they have the same files with the same contents: names of files
//!   contain neither spaces nor ends of lines, and each stands there once, in order.
//! - **Invariant:** a signature counts only with a key that somebody named. What a signature says of itself, its number of a key
//!   and its comments, is never believed before.
//!
//! Pitfall: a signature says who answers for these bytes, and not that they are the latest: an old version stays signed.

use std::{collections::BTreeMap, fmt, io::ErrorKind, path::Path, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minisign_verify::PublicKey;
use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    files::{self, FileError},
    hash::Hash,
    package,
    trust::Verified,
};

/// The file with a plugin's signature, beside its manifest.
pub const SIGNATURE_FILE: &str = "plugin.minisig";
/// Largest signature that is read.
pub(crate) const SIGNATURE_BYTES_MAX: u64 = 8 * 1024;
/// First line of the text that is signed: what it is, and the version of its form.
const LISTING_HEAD: &str = "foretell plugin 1";
/// Bytes before the number of the key in a signature's first value: the algorithm.
const ALGORITHM_BYTES: usize = 2;
/// What a public key begins with: Ed25519.
const ALGORITHM: [u8; 2] = *b"Ed";
/// Bytes of the number by which signatures name a key.
const ID_BYTES: usize = 8;
/// Bytes of a public key with its number, without the algorithm.
const KEY_BYTES: usize = ID_BYTES + 32;

/// A publisher, known by a public key of minisign: the second line of a `.pub` file.
///
/// ```
/// use foretell_runtime::signature::Publisher;
///
/// let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
/// let publisher: Publisher = key.parse()?;
/// assert_eq!(publisher.to_string(), key);
/// assert_eq!(publisher.id(), "E7620F1842B4E81F");
/// # Ok::<(), foretell_runtime::signature::PublisherError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publisher([u8; KEY_BYTES]);

/// The text is no public key.
///
/// It does not repeat the text: whoever mixes the two files up would find a secret key in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a public key of minisign, 56 characters that begin with `RW` (the second line of a `.pub` file), found \
     {found} characters that are none"
)]
pub struct PublisherError {
    /// Characters of the text.
    pub found: usize,
}

impl Publisher {
    /// The key's number as minisign prints it, 16 hexadecimal digits. For people: two keys may have the same.
    pub fn id(&self) -> String {
        id(&self.0)
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_base64(&self.to_string()).expect("a publisher's text is a public key")
    }
}

impl FromStr for Publisher {
    type Err = PublisherError;

    fn from_str(text: &str) -> Result<Publisher, PublisherError> {
        let error = || PublisherError { found: text.chars().count() };
        let bytes = STANDARD.decode(text).map_err(|_| error())?;
        let key = bytes.strip_prefix(&ALGORITHM).and_then(|key| key.try_into().ok());
        key.map(Publisher).ok_or_else(error)
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode([&ALGORITHM[..], &self.0].concat()))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Publisher({self})")
    }
}

impl Serialize for Publisher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Publisher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Publisher, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The number of a key as minisign prints it, of the first bytes of a key or a signature.
fn id(bytes: &[u8]) -> String {
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&bytes[..ID_BYTES]);
    format!("{:016X}", u64::from_le_bytes(id))
}

/// What a publisher signs: a plugin's name and version, and the hash of each of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    name: String,
    version: Version,
    files: BTreeMap<String, Hash>,
}

impl Listing {
    /// Of a plugin's directory: the files that were verified, and the documents beside them.
    pub fn of(verified: &Verified) -> Result<Listing, FileError> {
        let plugin = &verified.manifest().plugin;
        Ok(Listing::new(&plugin.name, &plugin.version, package::hashes(verified)?))
    }

    /// `files` may hold the signature, which does not sign itself.
    pub(crate) fn new(name: &str, version: &Version, mut files: BTreeMap<String, Hash>) -> Listing {
        files.remove(SIGNATURE_FILE);
        Listing { name: name.to_owned(), version: version.clone(), files }
    }

    /// The files with their hashes, by their names relative to the plugin's directory.
    pub fn files(&self) -> &BTreeMap<String, Hash> {
        &self.files
    }

    /// The text that is signed; it ends with the end of a line.
    pub fn text(&self) -> String {
        let head = format!("{LISTING_HEAD}\nname {}\nversion {}\n", self.name, self.version);
        let files = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n"));
        head + &files.collect::<String>()
    }
}

/// A signature as it stands in a file. Who made it says [`Signature::signer`].
#[derive(Clone)]
pub struct Signature {
    minisign: minisign_verify::Signature,
    id: String,
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature(by key {})", self.id)
    }
}

/// A plugin is not signed by somebody who was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error(
        "it is not signed, there is no `{SIGNATURE_FILE}`; get it from {wanted}, or sign it with a key of your own that \
         the policy names: `foretell plugin sign DIRECTORY --key FILE`", wanted = keys(.0)
    )]
    Missing(Vec<Publisher>),
    /// There is no signature, and its publisher can't have made one.
    #[error(
        "it is not signed, since what it knows was learned here or given to it: what its publisher signed is the version \
         without `+{build}`; sign it with a key of your own that the policy names: `foretell plugin sign NAME@VERSION --key \
         FILE`"
    )]
    Fitted {
        /// Build metadata of its version.
        build: String,
    },
    /// The file is no signature.
    #[error("`{SIGNATURE_FILE}` is no signature of minisign: {0}; sign the plugin again, or get it again")]
    Form(String),
    /// Nobody who was asked for has the key that it is said to be signed with.
    #[error(
        "it is signed with the key {found}, expected that of {}; get it from there, or have that key trusted if you do",
        keys(expected)
    )]
    Stranger {
        /// Number of the key, as the signature has it.
        found: String,
        /// Who was asked for.
        expected: Vec<Publisher>,
    },
    /// The signature is none of these files.
    #[error(
        "its signature is not one that the key {} made of these files: a file, the name or the version has changed since, or \
         the signature has; get the plugin again, or sign it again if the key is yours", .0.id()
    )]
    Content(Publisher),
    /// A file can't be read.
    #[error("{0}")]
    File(FileError),
}

fn keys(publishers: &[Publisher]) -> String {
    match publishers {
        [] => "nobody, since the policy trusts nobody".to_owned(),
        some => some.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or "),
    }
}

impl Signature {
    /// The signature of a plugin's directory; none if it has none.
    pub fn of(directory: &Path) -> Result<Option<Signature>, SignatureError> {
        match files::read(&directory.join(SIGNATURE_FILE), SIGNATURE_BYTES_MAX) {
            Ok(bytes) => Signature::from_bytes(&bytes).map(Some),
            Err(error) if error.cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SignatureError::File(error)),
        }
    }

    /// Reads the content of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Signature, SignatureError> {
        let form = |what: &str| SignatureError::Form(what.to_owned());
        let text = std::str::from_utf8(bytes).map_err(|_| form("expected text in UTF-8"))?;
        let minisign = minisign_verify::Signature::decode(text).map_err(|_| {
            form(
                "expected four lines: a comment, the signature, `trusted comment: ...`, the signature of both",
            )
        })?;
        let second = text.lines().nth(1).and_then(|line| STANDARD.decode(line).ok());
        let bytes = second.filter(|bytes| bytes.len() >= ALGORITHM_BYTES + ID_BYTES);
        let bytes = bytes.ok_or_else(|| form("the second line is not base64"))?;
        Ok(Signature { minisign, id: id(&bytes[ALGORITHM_BYTES..]) })
    }

    /// The number of the key that it is said to be made with, as minisign prints it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the signer noted. To be believed only after [`signer`](Signature::signer) named somebody.
    pub fn comment(&self) -> &str {
        self.minisign.trusted_comment()
    }

    /// Which of the publishers has signed a listing with this.
    pub fn signer<'p>(
        &self,
        listing: &Listing,
        publishers: impl IntoIterator<Item = &'p Publisher>,
    ) -> Result<Publisher, SignatureError> {
        self.signer_of(listing.text().as_bytes(), publishers.into_iter().copied().collect())
    }

    fn signer_of(&self, text: &[u8], expected: Vec<Publisher>) -> Result<Publisher, SignatureError> {
        let mut named = None;
        for publisher in expected.iter().filter(|publisher| publisher.id() == self.id) {
            match publisher.key().verify(text, &self.minisign, false) {
                Ok(()) => return Ok(*publisher),
                Err(minisign_verify::Error::UnexpectedAlgorithm) => {
                    let words = "it was made by minisign before 0.10, or with its option `-l`, of the text instead of its hash";
                    return Err(SignatureError::Form(words.to_owned()));
                }
                Err(_) => named = Some(*publisher),
            }
        }
        Err(match named {
            Some(publisher) => SignatureError::Content(publisher),
            None => SignatureError::Stranger { found: self.id.clone(), expected },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of minisign's author, published with its libraries, with signatures of the text `test`.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const OF_HASH: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";
    /// As minisign before 0.10 made them.
    const OF_TEXT: &str = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

    #[test]
    fn text_that_is_no_public_key_is_refused() {
        let other = STANDARD.encode([&b"ED"[..], &[7; KEY_BYTES]].concat());
        let long = STANDARD.encode([&b"Ed"[..], &[7; KEY_BYTES + 1]].concat());
        for text in ["", "RW", &KEY[..55], &format!("{KEY}="), &format!("{KEY}\n"), &other, &long, "ß"] {
            let error = text.parse::<Publisher>().unwrap_err();
            assert_eq!(error.found, text.chars().count(), "{text}");
        }
    }

    #[test]
    fn published_signatures_hold() {
        let publisher: Publisher = KEY.parse().unwrap();
        let stranger = Publisher([7; KEY_BYTES]);
        let mut namesake = publisher;
        namesake.0[KEY_BYTES - 1] ^= 1;
        let signature = Signature::from_bytes(OF_HASH.as_bytes()).unwrap();
        assert_eq!(signature.id(), publisher.id());
        assert_eq!(signature.comment(), "timestamp:1633700835\tfile:test\tprehashed");
        let signer = |text: &[u8], expected: &[Publisher]| signature.signer_of(text, expected.to_vec());
        assert_eq!(signer(b"test", &[publisher]).unwrap(), publisher);
        // Others, also one whose key has the same number, are passed over.
        assert_eq!(signer(b"test", &[stranger, namesake, publisher]).unwrap(), publisher);
        assert!(
            matches!(signer(b"Test", &[publisher]), Err(SignatureError::Content(key)) if key == publisher)
        );
        assert!(matches!(signer(b"test", &[namesake]), Err(SignatureError::Content(key)) if key == namesake));
        assert!(matches!(signer(b"test", &[stranger]), Err(SignatureError::Stranger { .. })));
        assert!(matches!(signer(b"test", &[]), Err(SignatureError::Stranger { .. })));

        let old = Signature::from_bytes(OF_TEXT.as_bytes()).unwrap();
        assert!(matches!(old.signer_of(b"test", vec![publisher]), Err(SignatureError::Form(_))));
    }

    /// Comments that are signed count as the rest does; the other one is anybody's.
    #[test]
    fn a_signature_that_was_changed_does_not_hold() {
        let publisher: Publisher = KEY.parse().unwrap();
        let holds = |text: &str| {
            let signature = Signature::from_bytes(text.as_bytes());
            signature.is_ok_and(|signature| signature.signer_of(b"test", vec![publisher]).is_ok())
        };
        assert!(holds(OF_HASH));
        assert!(holds(&OF_HASH.replace("signature from minisign secret key", "anything")));
        let trusted = OF_HASH.find("trusted comment: timestamp").unwrap();
        let signed = OF_HASH.find("RUQf").unwrap();
        for place in (signed..trusted - 1).chain(trusted + "trusted comment: ".len()..OF_HASH.len() - 1) {
            let mut changed = OF_HASH.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!holds(&changed), "{place}: {changed}");
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let two_lines: String = OF_HASH.lines().take(2).collect::<Vec<_>>().join("\n");
        for bytes in [&b""[..], b"signed", b"\xff", KEY.as_bytes(), two_lines.as_bytes(), &[b'\n'; 5]] {
            let error = Signature::from_bytes(bytes).unwrap_err();
            assert!(matches!(error, SignatureError::Form(_)), "{bytes:?}: {error}");
        }
    }

    fn listings() -> impl Strategy<Value = Listing> {
        let files = proptest::collection::btree_map("[ab./]{1,3}", 0..3_u8, 0..3);
        ("[ab]", 0..2_u64, files).prop_map(|(name, patch, files)| {
            let files = files.into_iter().map(|(name, byte)| (name, Hash::of(&[byte]))).collect();
            Listing::new(&name, &Version::new(0, 1, patch), files)
        })
    }

    proptest! {
        #[test]
        fn other_files_have_another_text(one in listings(), other in listings()) {
            prop_assert_eq!(one == other, one.text() == other.text());
        }

        #[test]
        fn bytes_at_random_are_no_signature(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Signature::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn the_text_is_as_documented() {
        let files = ["plugin.toml", "model/network.onnx", "LICENSE", SIGNATURE_FILE];
        let files = files.map(|name| (name.to_owned(), Hash::of(name.as_bytes()))).into();
        let listing = Listing::new("late-return", &"0.1.0+fit.1".parse().unwrap(), files);
        let hash = |name: &str| Hash::of(name.as_bytes());
        let expected = format!(
            "foretell plugin 1\nname late-return\nversion 0.1.0+fit.1\n{}  LICENSE\n{}  model/network.onnx\n{}  plugin.toml\n",
            hash("LICENSE"),
            hash("model/network.onnx"),
            hash("plugin.toml")
        );
        assert_eq!(listing.text(), expected);
    }
}
