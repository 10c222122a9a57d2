//! Policies that name publishers: what is signed is installed and loaded, and nothing else is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use foretell_runtime::{
    hash::Hash,
    home::Home,
    manifest::Manifest,
    policy::Policy,
    registry::{Existing, InstallErrorKind, Registry},
    signature::{Listing, Publisher, SIGNATURE_FILE, SignatureError},
    trust::{TrustErrorKind, Verified},
};
use minisign::KeyPair;
use tempfile::TempDir;

const MODEL: &[u8] = include_bytes!("models/affine.onnx");

/// A publisher with both keys.
struct Author {
    keys: KeyPair,
}

impl Author {
    fn new() -> Author {
        Author { keys: KeyPair::generate_unencrypted_keypair().unwrap() }
    }

    fn publisher(&self) -> Publisher {
        self.keys.pk.to_base64().parse().unwrap()
    }

    /// Signs a directory as it is.
    fn sign(&self, directory: &Path) {
        let text = Listing::of(&Verified::trusting(directory).unwrap()).unwrap().text();
        let signature = minisign::sign(None, &self.keys.sk, text.as_bytes(), None, None).unwrap();
        fs::write(directory.join(SIGNATURE_FILE), signature.into_string()).unwrap();
    }
}

/// A home with a policy, and a plugin as its author made it.
struct World {
    directory: TempDir,
    registry: Registry,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::new(Home::at(directory.path().join("home")));
        fs::create_dir(registry.home().root()).unwrap();
        let world = World { directory, registry };
        let text = include_str!("manifests/late-return.toml")
            .replace(&"0".repeat(64), &Hash::of(MODEL).to_string())
            .replace(&"1".repeat(64), &Hash::of(b"").to_string());
        let manifest = Manifest::parse(&text, Path::new("plugin.toml")).unwrap();
        fs::create_dir_all(world.plugin().join("model")).unwrap();
        let library = manifest.library_file();
        for (name, content) in [
            ("plugin.toml", text.as_bytes()),
            (library.as_str(), b"code"),
            ("README.md", b"words"),
            ("model/network.onnx", MODEL),
            ("model/pairs.bin", b""),
        ] {
            fs::write(world.plugin().join(name), content).unwrap();
        }
        world
    }

    fn plugin(&self) -> PathBuf {
        self.directory.path().join("late-return")
    }

    /// From now on, only these are trusted.
    fn trust(&self, authors: &[&Author]) {
        let keys: Vec<_> = authors.iter().map(|author| format!("\"{}\"", author.publisher())).collect();
        let text = format!("version = 1\n[policy]\npublishers = [{}]\n", keys.join(", "));
        fs::write(self.registry.home().config(), text).unwrap();
    }

    fn install(&self) -> Result<String, InstallErrorKind> {
        let installed = self.registry.install(&self.plugin(), Existing::Keep);
        installed.map(|installed| installed.to_string()).map_err(|error| *error.kind)
    }

    /// Why the newest version is not loaded.
    fn refused(&self) -> TrustErrorKind {
        let installed = self.registry.find("late-return").unwrap();
        self.registry.verify(&installed).unwrap_err().kind
    }

    fn is_loaded(&self) -> bool {
        let installed = self.registry.find("late-return").unwrap();
        self.registry.verify(&installed).is_ok()
    }
}

fn unsigned(kind: TrustErrorKind) -> SignatureError {
    match kind {
        TrustErrorKind::Unsigned(error) => *error,
        other => panic!("{other}"),
    }
}

fn refused(result: Result<String, InstallErrorKind>) -> SignatureError {
    match result.unwrap_err() {
        InstallErrorKind::Refused(kind) => unsigned(kind),
        other => panic!("{other}"),
    }
}

#[test]
fn only_what_a_trusted_publisher_has_signed_is_installed_and_loaded() {
    let (world, trusted, stranger) = (World::new(), Author::new(), Author::new());
    // Without a policy, a signature is copied and nobody asks for it.
    world.install().unwrap();
    assert!(world.is_loaded());
    world.trust(&[&trusted]);
    assert!(
        matches!(unsigned(world.refused()), SignatureError::Missing(keys) if keys == [trusted.publisher()])
    );
    assert!(matches!(refused(world.install()), SignatureError::Missing(_)));
    stranger.sign(&world.plugin());
    assert!(matches!(
        refused(world.install()),
        SignatureError::Stranger { found, expected }
            if found == stranger.publisher().id() && expected == [trusted.publisher()]
    ));
    assert!(!world.is_loaded());
    trusted.sign(&world.plugin());
    // The same files: only the signature is new.
    world.install().unwrap();
    assert!(world.is_loaded());
    let installed = world.registry.find("late-return").unwrap();
    let verified = world.registry.verify(&installed).unwrap();
    assert_eq!(verified.signer(&[stranger.publisher(), trusted.publisher()]).unwrap(), trusted.publisher());
    // It is asked every time.
    world.trust(&[&stranger]);
    assert!(matches!(unsigned(world.refused()), SignatureError::Stranger { .. }));
    world.trust(&[&stranger, &trusted]);
    assert!(world.is_loaded());
    world.trust(&[]);
    assert!(!world.is_loaded());
}

#[test]
fn a_file_that_changed_since_it_was_signed_is_noticed() {
    let (world, trusted) = (World::new(), Author::new());
    world.trust(&[&trusted]);
    trusted.sign(&world.plugin());
    world.install().unwrap();
    let home = world.registry.find("late-return").unwrap().directory;
    // What is pinned is noticed by its pin, and what is not by the signature.
    for (name, is_pinned) in [("README.md", false), ("plugin.toml", true), (SIGNATURE_FILE, false)] {
        let before = fs::read(home.join(name)).unwrap();
        let mut after = before.clone();
        after.extend_from_slice(b"\n#\n");
        // The last line of the signature, which has no room for more.
        if name == SIGNATURE_FILE {
            after =
                String::from_utf8(before.clone()).unwrap().replace("timestamp:", "timestamp:1").into_bytes();
        }
        fs::write(home.join(name), after).unwrap();
        match world.refused() {
            TrustErrorKind::Changed { .. } => assert!(is_pinned, "{name}"),
            other => {
                assert!(!is_pinned, "{name}");
                assert!(matches!(unsigned(other), SignatureError::Content(_)), "{name}");
            }
        }
        fs::write(home.join(name), before).unwrap();
        assert!(world.is_loaded(), "{name}");
    }
    // A document more, or one less.
    fs::write(home.join("NOTICE"), "new").unwrap();
    assert!(matches!(unsigned(world.refused()), SignatureError::Content(_)));
    fs::remove_file(home.join("NOTICE")).unwrap();
    fs::remove_file(home.join("README.md")).unwrap();
    assert!(matches!(unsigned(world.refused()), SignatureError::Content(_)));
    // Installing repairs it.
    world.install().unwrap();
    assert!(world.is_loaded());
    // Another version with the signature of this one.
    let text = fs::read_to_string(world.plugin().join("plugin.toml")).unwrap();
    fs::write(world.plugin().join("plugin.toml"), text.replace("\"0.1.0\"", "\"0.2.0\"")).unwrap();
    assert!(matches!(refused(world.install()), SignatureError::Content(_)));
}

#[test]
fn what_was_learned_is_signed_by_whoever_learned_it() {
    let (world, trusted, own) = (World::new(), Author::new(), Author::new());
    world.trust(&[&trusted, &own]);
    trusted.sign(&world.plugin());
    world.install().unwrap();
    let base = world.registry.verify(&world.registry.find("late-return").unwrap()).unwrap();
    let learned = [("pairs".to_owned(), b"learned".to_vec())];
    let version = "0.1.0+fit.1".parse().unwrap();
    let fitted = world.registry.install_fitted(&base, &version, &learned).unwrap();
    assert!(!fitted.directory.join(SIGNATURE_FILE).exists(), "the publisher's signature is not of this");
    let error = unsigned(world.refused());
    assert!(matches!(&error, SignatureError::Fitted { build } if build == "fit.1"), "{error}");
    assert!(error.to_string().contains("foretell plugin sign NAME@VERSION --key FILE"), "{error}");
    own.sign(&fitted.directory);
    assert!(world.is_loaded());
    // The same from outside.
    let file = world.directory.path().join("pairs.bin");
    fs::write(&file, "trained").unwrap();
    let build = "shop".parse().unwrap();
    let models = [("pairs".to_owned(), file)];
    let given = world.registry.install_with_models(&world.plugin(), &build, &models).unwrap();
    let error = world.registry.verify(&given).unwrap_err();
    assert!(matches!(unsigned(error.kind), SignatureError::Fitted { .. }));
}

#[test]
fn no_other_model_takes_the_place_of_a_signed_one() {
    let (world, trusted) = (World::new(), Author::new());
    trusted.sign(&world.plugin());
    world.install().unwrap();
    let [other, same] = ["other.onnx", "same.onnx"].map(|name| world.directory.path().join(name));
    fs::write(&other, "other").unwrap();
    fs::write(&same, MODEL).unwrap();
    let verified = || world.registry.verify(&world.registry.find("late-return").unwrap()).unwrap();
    verified().with_model("network", &other, None).unwrap();
    world.trust(&[&trusted]);
    let error = verified().with_model("network", &other, Some(Hash::of(b"other"))).unwrap_err();
    assert!(matches!(error.kind, TrustErrorKind::UnsignedModel { model, .. } if model == "network"));
    // The same bytes from elsewhere are those that were signed.
    verified().with_model("network", &same, None).unwrap();
    // A directory that the user names is asked the same.
    let policy = Policy::of(world.registry.home()).unwrap();
    let admitted = Verified::trusting(&world.plugin()).unwrap().admitted(&policy).unwrap();
    assert!(admitted.with_model("network", &other, None).is_err());
    fs::remove_file(world.plugin().join(SIGNATURE_FILE)).unwrap();
    let error = Verified::trusting(&world.plugin()).unwrap().admitted(&policy).unwrap_err();
    assert!(matches!(unsigned(error.kind), SignatureError::Missing(_)));
}

#[test]
fn a_policy_that_can_not_be_read_stops_everything() {
    let world = World::new();
    world.install().unwrap();
    fs::write(world.registry.home().config(), "version = 1\n[policy]\npublisher = []\n").unwrap();
    assert!(matches!(world.refused(), TrustErrorKind::Policy(_)));
    assert!(matches!(world.install().unwrap_err(), InstallErrorKind::Policy(_)));
    fs::write(world.registry.home().config(), "version = 1\n").unwrap();
    assert!(world.is_loaded());
}
