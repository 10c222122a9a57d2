//! `foretell plugin package`: one file of a plugin.

use std::collections::BTreeMap;

use foretell_runtime::package::{Packed, pack};
use foretell_runtime::registry::Existing;
use foretell_terminal::{Failure, Output, exit, format_bytes};
use serde::Serialize;

use crate::arguments::Package;

#[derive(Serialize)]
struct Document {
    archive: String,
    /// BLAKE3 of the archive.
    hash: String,
    bytes: u64,
    /// System and processor that it is for.
    platform: String,
    /// Number of the key that it is said to be signed with; null if it is not signed.
    key: Option<String>,
    /// BLAKE3 of its files, by their names.
    files: BTreeMap<String, String>,
}

pub(super) fn run(output: Output, command: &Package) -> Result<u8, Failure> {
    let existing = if command.replace { Existing::Replace } else { Existing::Keep };
    let packed = pack(&command.directory, &command.output, existing).map_err(|error| Failure::new(&error))?;
    let document = Document::new(&packed);
    output.show(&document, |output| {
        output.facts(&[
            ("archive", document.archive.clone()),
            ("size", format_bytes(packed.bytes)),
            ("platform", document.platform.clone()),
            ("signed", document.key.as_ref().map_or("no".to_owned(), |key| format!("with key {key}"))),
            ("BLAKE3", document.hash.clone()),
        ]);
        output.line("");
        draw(output, &document.files);
        output.line("");
        output.line(&format!(
            "whoever gets it installs it with `foretell plugin install {}`",
            packed.path.file_name().unwrap_or_default().display()
        ));
    });
    Ok(exit::DONE)
}

/// Files with their hashes.
pub(super) fn draw(output: Output, files: &BTreeMap<String, String>) {
    output.table(&["file", "BLAKE3"], files.iter().map(|(name, hash)| vec![name.clone(), hash.clone()]));
}

impl Document {
    fn new(packed: &Packed) -> Self {
        Self {
            archive: packed.path.display().to_string(),
            hash: packed.hash.to_string(),
            bytes: packed.bytes,
            platform: packed.platform.to_string(),
            key: packed.signature.as_ref().map(|signature| signature.id().to_owned()),
            files: packed.files.iter().map(|(name, hash)| (name.clone(), hash.to_string())).collect(),
        }
    }
}
