//! Other UIDs for UIDs, and keys for patients.

use std::fmt;

use super::dataset::trimmed;

/// The secret that UIDs and pseudonyms are made with: 32 random bytes. [`deidentify`](super::deidentify) says what it is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

// A secret that is printed is none.
impl fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Salt(..)")
    }
}

impl Salt {
    /// The UID that stands for this one. An empty one stays empty.
    #[must_use]
    pub fn uid(&self, uid: &str) -> String {
        if uid.is_empty() { String::new() } else { from_number(self.hash("uid", &[uid.as_bytes()])) }
    }

    /// The same for a value of several UIDs with `\` between them.
    pub(super) fn uids(&self, value: &[u8]) -> Vec<u8> {
        let uids = value.split(|&byte| byte == b'\\').map(|uid| {
            let uid = trimmed(uid);
            if uid.is_empty() { String::new() } else { from_number(self.hash("uid", &[uid])) }
        });
        uids.collect::<Vec<_>>().join("\\").into_bytes()
    }

    /// The key that stands for a patient: `P` and 20 hexadecimal digits. With 80 bits, two of a billion patients share
    /// one with a probability of less than one in a million. Made of the ID and its issuer.
    pub(super) fn patient(&self, id: &[u8], issuer: &[u8]) -> Vec<u8> {
        let id = trimmed(id);
        if id.is_empty() {
            return Vec::new();
        }
        format!("P{:020x}", self.hash("patient", &[id, issuer]) >> 48).into_bytes()
    }

    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> u128 {
        first_number(blake3::Hasher::new_keyed(&self.0), purpose, parts)
    }
}

/// Lengths stand before the parts, so that no two lists of parts are the same bytes.
fn first_number(mut hasher: blake3::Hasher, purpose: &str, parts: &[&[u8]]) -> u128 {
    for part in [purpose.as_bytes()].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    hash.as_bytes().iter().take(16).fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// A UID for something that is made of these parts: the same for the same. `purpose` keeps kinds of things apart.
pub(super) fn uid_of_bytes(purpose: &str, parts: &[&[u8]]) -> String {
    from_number(first_number(blake3::Hasher::new(), purpose, parts))
}

/// [`uid_of_bytes`] of text.
pub(super) fn uid_of_content(purpose: &str, parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    uid_of_bytes(purpose, &parts)
}

/// A UID below 2.25 (PS3.5 section B.2) for 122 bits of a number.
fn from_number(number: u128) -> String {
    /// Where a UUID has its version and its variant (RFC 9562 section 4).
    const FIXED: u128 = 0xF << 76 | 0x3 << 62;
    const VERSION_8: u128 = 0x8 << 76 | 0x2 << 62;
    format!("2.25.{}", number & !FIXED | VERSION_8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_valid_stable_and_depend_on_the_salt() {
        let (one, other) = (Salt([1; 32]), Salt([2; 32]));
        let uid = one.uid("1.2.3");
        assert_eq!(uid, one.uid("1.2.3"));
        assert_ne!(uid, one.uid("1.2.4"));
        assert_ne!(uid, other.uid("1.2.3"));
        assert!(uid.len() <= 64 && uid.starts_with("2.25."), "{uid}");
        let number: u128 = uid["2.25.".len()..].parse().expect("a number");
        assert_eq!((number >> 76 & 0xF, number >> 62 & 0x3), (8, 2), "version and variant of a UUID");
        assert_eq!(one.uids(b"1.2.3\\\\1.2.4\0"), format!("{uid}\\\\{}", one.uid("1.2.4")).into_bytes());
        assert_eq!(one.uid(""), "");
    }

    #[test]
    fn patients_are_kept_apart_by_id_issuer_and_salt() {
        let salt = Salt([1; 32]);
        let key = salt.patient(b"4711 ", b"north");
        assert_eq!(key, salt.patient(b" 4711", b"north"));
        assert_eq!(key.len(), 21);
        for other in [
            salt.patient(b"4712", b"north"),
            salt.patient(b"4711", b"south"),
            Salt([2; 32]).patient(b"4711", b"north"),
        ] {
            assert_ne!(key, other);
        }
        // Not the same bytes in a row.
        assert_ne!(salt.patient(b"47", b"11"), salt.patient(b"471", b"1"));
        assert_eq!(salt.patient(b"  ", b"north"), b"");
    }

    #[test]
    fn a_salt_is_not_printed() {
        assert_eq!(format!("{:?}", Salt([42; 32])), "Salt(..)");
    }
}
