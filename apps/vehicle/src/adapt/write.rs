//! A plugin's directory out of a proposal: manifest, network, and the library of the installed detector.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::{MANIFEST_FILE, Manifest, NAME_BYTES_MAX, is_name};
use foretell_runtime::trust::Verified;

use super::propose::Proposal;
use super::recognise::quoted;

/// Where the network stands in the directory.
const NETWORK: &str = "model/network.onnx";

/// A directory can't be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The name is none that a plugin can have.
    #[error(
        "expected a name of lower-case words and digits joined by hyphens, such as `road-yolox`, found `{0}`"
    )]
    Name(String),
    /// Something is there already.
    #[error("`{}` is there already; name another directory, or remove it", .0.display())]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("cannot write `{}`: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The manifest is none.
    #[error("the proposed manifest can't be used: {0}")]
    Manifest(String),
}

/// A name for the plugin of a file: `yolox_nano.onnx` is `yolox-nano`.
///
/// ```
/// use foretell_vehicle::adapt::name_of;
/// assert_eq!(name_of("YOLOX_nano (1)".as_ref()), "yolox-nano-1");
/// assert_eq!(name_of("8n.onnx".as_ref()), "detector-8n");
/// ```
pub fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<_> =
        stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("detector-{name}");
    }
    name.truncate(NAME_BYTES_MAX);
    name.trim_end_matches('-').to_owned()
}

/// The text of the manifest.
pub(super) fn manifest(proposal: &Proposal, name: &str, network: &Hash, detector: &Manifest) -> String {
    let labels: Vec<_> = proposal.labels().into_iter().map(quoted).collect();
    let engine = quoted(&format!("{}@{}", detector.plugin.name, detector.plugin.version));
    format!(
        r#"schema = 1

[plugin]
name = {name}
version = "0.1.0"
description = "objects on road pictures, by a network that `foretell-vehicle adapt` looked at"
# State the licence of the network.
license = "LicenseRef-unknown"
authors = ["unknown"]
domain = {domain}
task = "detection"
abi = "1.0"
library = {library}
engine = {engine}

[[model]]
name = "network"
file = "{NETWORK}"
blake3 = "{network}"

[record]
keys = ["clip"]

[[input]]
name = "image"
type = "image"
image = {image}
description = "a picture of a road, or a frame of a clip"

[[input]]
name = "clip"
type = "utf8"
required = false
description = "the clip, folder or picture that it belongs to"

[output]
labels = [{labels}]

[config]
{config}
[limits]
rows_max = 32
"#,
        name = quoted(name),
        domain = quoted(&detector.plugin.domain),
        library = quoted(&detector.plugin.library),
        image = proposal.image.value,
        labels = labels.join(", "),
        config = proposal.config(),
    )
}

/// Writes the directory of a plugin `name`, so that it can be installed. What was written of a directory that failed is removed.
pub(super) fn write(
    directory: &Path,
    proposal: &Proposal,
    name: &str,
    network: &[u8],
    detector: &Verified,
) -> Result<(), WriteError> {
    if !is_name(name) {
        return Err(WriteError::Name(name.to_owned()));
    }
    let text = manifest(proposal, name, &Hash::of(network), detector.manifest());
    let parsed =
        Manifest::parse(&text, directory).map_err(|error| WriteError::Manifest(error.to_string()))?;
    if directory.exists() {
        return Err(WriteError::Exists(directory.to_owned()));
    }
    let written = fill(directory, &text, network, detector, &parsed.library_file());
    if written.is_err() {
        // The failure to write is what is told; the next try finds what is left, and says so.
        let _ = fs::remove_dir_all(directory);
    }
    written
}

fn fill(
    directory: &Path,
    manifest: &str,
    network: &[u8],
    detector: &Verified,
    library: &str,
) -> Result<(), WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| WriteError::File { path, cause }
    };
    let network_file = directory.join(NETWORK);
    let model = network_file.parent().unwrap_or(directory);
    fs::create_dir_all(model).map_err(failed(model))?;
    fs::write(&network_file, network).map_err(failed(&network_file))?;
    let library = directory.join(library);
    fs::copy(detector.library(), &library).map_err(failed(&library))?;
    let file = directory.join(MANIFEST_FILE);
    fs::write(&file, manifest).map_err(failed(&file))
}
