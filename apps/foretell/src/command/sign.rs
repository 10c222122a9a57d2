//! `foretell plugin sign`, and `foretell plugin verify`: who answers for a plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use foretell_runtime::package;
use foretell_runtime::policy::Policy;
use foretell_runtime::registry::Registry;
use foretell_runtime::signature::{Listing, Publisher, SIGNATURE_FILE, Signature, SignatureError};
use foretell_runtime::trust::{TrustErrorKind, Verified};
use foretell_terminal::{Failure, Output, exit};
use serde::Serialize;

use super::inspect::found;
use super::key::{publisher_of, secret, unusable};
use super::package::draw;
use crate::arguments::{Sign, VerifyPlugin};

#[derive(Serialize)]
struct Signed {
    /// `name@version`.
    plugin: String,
    /// The file with the signature.
    signature: String,
    publisher: String,
    /// Number of its key.
    key: String,
    /// BLAKE3 of the files that are signed, by their names.
    files: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Text {
    plugin: String,
    text: String,
}

/// Signs a plugin's directory.
pub(super) fn sign(registry: &Registry, output: Output, command: &Sign) -> Result<u8, Failure> {
    let verified = files(registry, &command.plugin)?;
    let listing = Listing::of(&verified).map_err(|error| Failure::new(&error))?;
    let Some(file) = command.key.as_ref().filter(|_| !command.text) else {
        let document = Text { plugin: verified.title(), text: listing.text() };
        output.show(&document, |output| output.line(document.text.trim_end()));
        return Ok(exit::DONE);
    };
    let key = secret(file, &command.password)?;
    let publisher = publisher_of(&key)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let trusted = format!("timestamp:{now}\tplugin:{}", verified.title());
    let untrusted = format!("signature of a plugin of foretell with minisign key {}", publisher.id());
    let made = minisign::sign(None, &key, listing.text().as_bytes(), Some(&trusted), Some(&untrusted));
    let text = made.map_err(|error| unusable("it can't be signed", &error))?.into_string();
    // Read as everybody will, by another program's author: a key that does not fit itself is noticed here.
    Signature::from_bytes(text.as_bytes())
        .and_then(|signature| signature.signer(&listing, [&publisher]))
        .map_err(|error| Failure::words(format!("the signature does not hold: {error}")))?;
    let path = verified.directory().join(SIGNATURE_FILE);
    let fresh = path.with_extension("minisig.new");
    fs::write(&fresh, &text)
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(|error| Failure::words(format!("cannot write `{}`: {error}", path.display())))?;
    let document = Signed {
        plugin: verified.title(),
        signature: path.display().to_string(),
        publisher: publisher.to_string(),
        key: publisher.id(),
        files: hashes(&listing),
    };
    output.show(&document, |output| {
        output.line(&format!("signed {} with key {}:", document.plugin, document.key));
        draw(output, &document.files);
        output.line("");
        output.facts(&[("signature", document.signature.clone()), ("publisher", document.publisher.clone())]);
    });
    Ok(exit::DONE)
}

/// The files of a directory, or those of an installed plugin, which must be those that were installed.
fn files(registry: &Registry, plugin: &Path) -> Result<Verified, Failure> {
    let installed = plugin.to_str().map(|plugin| found(registry, plugin)).transpose()?.flatten();
    let Some(installed) = installed else {
        return Verified::trusting(plugin).map_err(|error| Failure::new(&error));
    };
    match registry.verify(&installed) {
        // That it is not signed is why it is to be signed, or looked at. Its files were compared before.
        Err(error) if matches!(error.kind, TrustErrorKind::Unsigned(_)) => {
            Verified::trusting(&installed.directory).map_err(|error| Failure::new(&error))
        }
        other => other.map_err(|error| Failure::new(&error)),
    }
}

fn hashes(listing: &Listing) -> BTreeMap<String, String> {
    listing.files().iter().map(|(name, hash)| (name.clone(), hash.to_string())).collect()
}

#[derive(Serialize)]
struct Document {
    /// `name@version`.
    plugin: String,
    /// Whether a publisher that was asked for has signed exactly these files.
    holds: bool,
    /// Who has; null if nobody has.
    publisher: Option<String>,
    /// What the signature says of itself; null if there is none.
    signature: Option<Said>,
    /// Why it does not hold.
    reason: Option<String>,
    /// BLAKE3 of the files, by their names.
    files: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Said {
    /// Number of the key.
    key: String,
    comment: String,
}

/// Says who has signed a directory, an archive or an installed plugin.
pub(super) fn verify(registry: &Registry, output: Output, command: &VerifyPlugin) -> Result<u8, Failure> {
    let policy = Policy::of(registry.home()).map_err(|error| Failure::new(&error))?;
    let publishers = match command.publishers.is_empty() {
        true => policy.publishers.map(|publishers| publishers.into_iter().collect()),
        false => Some(command.publishers.clone()),
    };
    let document = if command.plugin.is_file() {
        of_archive(&command.plugin, publishers)?
    } else {
        of_files(&files(registry, &command.plugin)?, publishers)?
    };
    output.show(&document, |output| document.draw(output));
    Ok(if document.holds { exit::DONE } else { exit::NOT_EQUAL })
}

fn of_archive(archive: &Path, publishers: Option<Vec<Publisher>>) -> Result<Document, Failure> {
    let contents = package::read(archive).map_err(|error| Failure::new(&error))?;
    let plugin = &contents.manifest.plugin;
    let listing = contents.listing();
    let signer = |publishers: &[Publisher]| match &contents.signature {
        Some(signature) => signature.signer(&listing, publishers),
        None => Err(SignatureError::Missing(publishers.to_vec())),
    };
    let plugin = format!("{}@{}", plugin.name, plugin.version);
    Ok(Document::new(plugin, &listing, contents.signature.as_ref(), publishers, signer))
}

fn of_files(verified: &Verified, publishers: Option<Vec<Publisher>>) -> Result<Document, Failure> {
    let listing = Listing::of(verified).map_err(|error| Failure::new(&error))?;
    // One that can't be read is told as the reason, by who asks for its signer.
    let signature = Signature::of(verified.directory()).ok().flatten();
    let signer = |publishers: &[Publisher]| verified.signer(publishers);
    Ok(Document::new(verified.title(), &listing, signature.as_ref(), publishers, signer))
}

impl Document {
    fn new(
        plugin: String,
        listing: &Listing,
        signature: Option<&Signature>,
        publishers: Option<Vec<Publisher>>,
        signer: impl FnOnce(&[Publisher]) -> Result<Publisher, SignatureError>,
    ) -> Self {
        let signed = match (publishers, signature) {
            (None, Some(_)) => {
                Err("nobody is named who should have signed it; name the publisher's key, which you \
                                    have from the publisher: `--publisher KEY`"
                    .to_owned())
            }
            (publishers, _) => signer(&publishers.unwrap_or_default()).map_err(|error| error.to_string()),
        };
        Self {
            plugin,
            holds: signed.is_ok(),
            publisher: signed.as_ref().ok().map(Publisher::to_string),
            signature: signature.map(|signature| Said {
                key: signature.id().to_owned(),
                comment: signature.comment().to_owned(),
            }),
            reason: signed.err(),
            files: hashes(listing),
        }
    }

    fn draw(&self, output: Output) {
        draw(output, &self.files);
        output.line("");
        if let Some(Said { key, comment }) = &self.signature {
            output.facts(&[("key", key.clone()), ("comment", comment.escape_debug().to_string())]);
            output.line("");
        }
        match (&self.publisher, &self.reason) {
            (Some(publisher), _) => output.line(&format!("{}: signed by {publisher}", self.plugin)),
            (None, Some(reason)) => output.line(&format!("{}: NOT VERIFIED: {reason}", self.plugin)),
            (None, None) => {}
        }
    }
}
