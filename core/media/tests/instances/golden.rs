//! What other libraries read.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The whole file.
pub(crate) fn results() -> Value {
    serde_json::from_str(include_str!("../golden/results.json")).expect("valid JSON")
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What is behind the header of a file that this crate wrote is what was read. The header names the version of this
/// crate, and may differ.
#[track_caller]
pub(crate) fn assert_same_data_set(file: &[u8], expected: &Value) {
    let length = u32::from_le_bytes(file[140..144].try_into().expect("four bytes")) as usize;
    let hash = Sha256::digest(&file[144 + length..]);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hash,
        text(&expected["hash"]),
        "other bytes than those that were read: if they should be, run `golden/make_results.py` and look at the change"
    );
}
