//! Where a plugin in Rust has the SDK from.
//!
//! The SDK and the interface below it have no dependencies, and some 140 kB of source. So this program carries them, and writes
//! them beside the plugin unless another place is named: what it writes builds without a network, wherever it is, against the
//! interface that this program serves.

use std::path::{Path, PathBuf};

use foretell_terminal::Failure;

use super::files::{Contents, HEADER, Values};

/// Where the copy stands in the plugin's directory.
pub(super) const VENDOR: &str = "vendor/";
/// Name of the SDK's package.
const PACKAGE: &str = "foretell-sdk";

/// Source files of a package, by their path below `src`.
type Sources = &'static [(&'static str, &'static str)];

macro_rules! sources {
    ($root:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../../", $root, "/src/", $path)))),+]
    };
}

/// The SDK's.
const SDK: Sources = sources!["plugins/sdk":
    "attention.rs", "boundary.rs", "error.rs", "fit.rs", "host.rs", "image.rs", "lib.rs", "network.rs", "owned.rs",
    "predictions/answers.rs", "predictions/boxes.rs", "predictions/classes.rs", "predictions/forecast.rs",
    "predictions/grow.rs", "predictions/maps.rs", "predictions/mod.rs", "predictions/novelty.rs", "predictions/ranking.rs",
    "records.rs", "schema.rs", "settings.rs", "tensor.rs", "testing.rs",
];
/// The interface's.
const ABI: Sources = sources!["core/abi": "capability.rs", "lib.rs"];
/// Their Cargo.toml, outside of a workspace.
const MANIFESTS: [(&str, &str); 2] = [
    (PACKAGE, include_str!("../../../templates/rust/sdk/sdk.toml")),
    ("foretell-abi", include_str!("../../../templates/rust/sdk/abi.toml")),
];

/// Where the SDK is.
pub(super) enum Source {
    /// In this program.
    Carried,
    /// In a directory.
    Directory(PathBuf),
    /// In a git repository.
    Repository(String),
}

impl Source {
    /// From what the user said: the SDK's directory, a directory in which it lies as in foretell's own repository, or an address.
    pub(super) fn find(said: Option<&str>) -> Result<Self, Failure> {
        let Some(said) = said else { return Ok(Self::Carried) };
        if said.contains("://") {
            return Ok(Self::Repository(said.to_owned()));
        }
        // Git's short form is no address to Cargo.
        if let Some((host, path)) = said.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
            let path = path.trim_start_matches('/');
            return Ok(Self::Repository(format!("ssh://git@{host}/{path}")));
        }
        let place = Path::new(said);
        let found = [place.to_owned(), place.join("plugins/sdk")].into_iter().find(|place| is_sdk(place));
        let found = found.and_then(|place| std::path::absolute(place).ok()).ok_or_else(|| {
            let words = format!("expected the package `{PACKAGE}` in `{said}`, found none");
            Failure::words(words).hint(Some(
                "name its directory, foretell's repository, or an address that begins with `https://`; without `--sdk` a copy is written \
                 beside the plugin",
            ))
        })?;
        Ok(Self::Directory(found))
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Repository(_))
    }

    pub(super) fn describe(&self, values: &mut Values) {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let (dependency, words) = match self {
            Self::Carried => (
                format!("{{ path = {} }}", quote(&format!("{VENDOR}{PACKAGE}"))),
                format!("a copy of it stands in `{VENDOR}`"),
            ),
            Self::Directory(path) => {
                let path = path.display().to_string();
                (format!("{{ path = {} }}", quote(&path)), format!("`{path}`"))
            }
            Self::Repository(address) => (format!("{{ git = {} }}", quote(address)), format!("`{address}`")),
        };
        values.set("sdk", &dependency).set("sdk_words", &words).set("sdk_version", env!("CARGO_PKG_VERSION"));
    }

    /// The copy, where it is one.
    pub(super) fn add(&self, contents: &mut Contents) {
        if !matches!(self, Self::Carried) {
            return;
        }
        let mut values = Values::default();
        self.describe(&mut values);
        for (name, manifest) in MANIFESTS {
            contents.add(format!("{VENDOR}{name}/Cargo.toml"), values.fill(manifest));
            let sources = if name == PACKAGE { SDK } else { ABI };
            for (path, text) in sources {
                contents.add(format!("{VENDOR}{name}/src/{path}"), *text);
            }
        }
        // The interface's source refers to it.
        contents.add(format!("{VENDOR}foretell-abi/include/foretell.h"), HEADER);
    }
}

/// Whether a directory is the SDK's package.
fn is_sdk(directory: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(directory.join("Cargo.toml")) else { return false };
    let manifest: Option<toml::Table> = text.parse().ok();
    manifest.is_some_and(|manifest| {
        manifest.get("package").and_then(|package| package.get("name")?.as_str()) == Some(PACKAGE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is added to the SDK belongs into what is carried.
    #[test]
    fn every_source_file_is_carried() {
        fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                if entry.path().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), found);
                } else {
                    found.push(name);
                }
            }
        }
        for (root, carried) in [("plugins/sdk/src", SDK), ("core/abi/src", ABI)] {
            let mut found = Vec::new();
            walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(root), "", &mut found);
            found.sort();
            assert_eq!(carried.iter().map(|(path, _)| *path).collect::<Vec<_>>(), found, "{root}");
        }
    }

    #[test]
    fn a_place_is_a_directory_or_an_address() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for place in [root.to_owned(), format!("{root}/plugins/sdk")] {
            assert!(
                matches!(Source::find(Some(&place)), Ok(Source::Directory(found)) if is_sdk(&found)),
                "{place}"
            );
        }
        for (said, address) in [
            ("https://example.org/foretell", "https://example.org/foretell"),
            ("ssh://git@example.org/foretell", "ssh://git@example.org/foretell"),
            ("git@example.org:ours/foretell", "ssh://git@example.org/ours/foretell"),
            ("git@example.org:/ours/foretell", "ssh://git@example.org/ours/foretell"),
        ] {
            let found = Source::find(Some(said));
            assert!(matches!(found, Ok(Source::Repository(found)) if found == address), "{said}");
        }
        for place in [format!("{root}/core/abi"), "nowhere".to_owned(), "git@example.org".to_owned()] {
            assert!(Source::find(Some(&place)).is_err(), "{place}");
        }
        assert!(matches!(Source::find(None), Ok(Source::Carried)));
    }
}
