//! Content hashes: BLAKE3, written as 64 hexadecimal digits.
//!
//! A hash says which bytes a prediction came from: the manifest, the library, each model. It is the identity that
//! pins, lineage and error messages share.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The BLAKE3 hash of some bytes.
///
/// ```
/// use foretell_runtime::hash::Hash;
///
/// let hash = Hash::of(b"model");
/// assert_eq!(hash.to_string().parse(), Ok(hash));
/// assert_ne!(hash, Hash::of(b"another model"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        blake3::hash(bytes).into()
    }

    /// The hash as its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<blake3::Hash> for Hash {
    fn from(hash: blake3::Hash) -> Hash {
        Hash(*hash.as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a BLAKE3 hash of 64 hexadecimal digits, found `{found}`")]
pub struct HashError {
    /// The text as it was given.
    pub found: String,
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Hash, HashError> {
        let error = || HashError { found: text.to_owned() };
        blake3::Hash::from_hex(text).map(Hash::from).map_err(|_| error())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Hash {
    fn schema_name() -> Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A BLAKE3 hash, as `b3sum` prints it.",
            "type": "string",
            "pattern": "^[0-9a-fA-F]{64}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_hash_is_refused() {
        let short = "a".repeat(63);
        let long = "a".repeat(65);
        let strange = "g".repeat(64);
        let wide = "é".repeat(32);
        for text in ["", short.as_str(), &long, &strange, &wide] {
            let error = text.parse::<Hash>().unwrap_err();
            assert_eq!(error.found, text);
        }
    }

    #[test]
    fn known_value() {
        // Of the empty input, from the BLAKE3 test vectors.
        let expected = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Hash::of(b"").to_string(), expected);
        assert_eq!(expected.to_uppercase().parse(), Ok(Hash::of(b"")));
    }
}
