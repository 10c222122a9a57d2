//! Installing, finding, verifying and removing plugins. Nothing here runs a plugin's code, so a library is any file.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use foretell_runtime::{
    hash::Hash,
    home::Home,
    manifest::Manifest,
    registry::{Existing, FindError, InstallErrorKind, Registry},
    trust::{TrustErrorKind, Verified},
};
use tempfile::TempDir;

const MODEL: &[u8] = include_bytes!("models/affine.onnx");

/// A home, and directories with plugins as their authors made them.
struct World {
    directory: TempDir,
    registry: Registry,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::new(Home::at(directory.path().join("home")));
        World { directory, registry }
    }

    /// Writes the directory of a plugin whose library has this content.
    fn author(&self, name: &str, version: &str, library: &str) -> PathBuf {
        let directory = self.directory.path().join(format!("{name}-{version}"));
        let text = include_str!("manifests/late-return.toml")
            .replace("late-return", name)
            .replace("\"0.1.0\"", &format!("{version:?}"))
            .replace(&"0".repeat(64), &Hash::of(MODEL).to_string())
            .replace(&"1".repeat(64), &Hash::of(b"").to_string());
        let manifest = Manifest::parse(&text, Path::new("plugin.toml")).unwrap();
        fs::create_dir_all(directory.join("model")).unwrap();
        fs::write(directory.join("plugin.toml"), text).unwrap();
        fs::write(directory.join(manifest.library_file()), library).unwrap();
        fs::write(directory.join("model/network.onnx"), MODEL).unwrap();
        fs::write(directory.join("model/pairs.bin"), "").unwrap();
        directory
    }

    fn install(&self, directory: &Path) -> String {
        self.registry.install(directory, Existing::Keep).unwrap().to_string()
    }

    fn names(&self) -> Vec<String> {
        let entries = self.registry.list().unwrap();
        entries.iter().map(|entry| format!("{}@{}", entry.name, entry.version)).collect()
    }

    /// An error's words without the path of this test.
    fn plain(&self, error: &dyn std::error::Error) -> String {
        let root = fs::canonicalize(self.directory.path()).unwrap();
        error
            .to_string()
            .replace(&*root.to_string_lossy(), "ROOT")
            .replace(&*self.directory.path().to_string_lossy(), "ROOT")
    }
}

fn library(directory: &Path) -> PathBuf {
    directory.join(Manifest::load(directory).unwrap().library_file())
}

#[test]
fn what_a_plugin_needs_is_installed_and_nothing_else() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    for file in
        ["README.md", "LICENSE-MIT", "model/MODEL_CARD.md", "notes.txt", "Cargo.toml", "model/weights.pt"]
    {
        fs::write(author.join(file), file).unwrap();
    }
    fs::create_dir(author.join("src")).unwrap();
    let installed = world.registry.install(&author, Existing::Keep).unwrap();
    assert!(installed.directory.ends_with("home/plugins/late-return/0.1.0"));
    let names = |path: PathBuf| {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let mut expected =
        vec!["LICENSE-MIT".to_owned(), "README.md".to_owned(), "model".to_owned(), "plugin.toml".to_owned()];
    expected.push(installed.manifest.library_file());
    expected.sort();
    assert_eq!(names(installed.directory.clone()), expected);
    assert_eq!(names(installed.directory.join("model")), ["MODEL_CARD.md", "network.onnx", "pairs.bin"]);
    assert_eq!(names(world.registry.home().plugins()), ["late-return"], "nothing is left over");

    let verified = world.registry.verify(&installed).unwrap();
    assert_eq!(verified.library_hash(), Hash::of(b"code"));
    assert_eq!(verified.manifest_hash(), Hash::of(&fs::read(author.join("plugin.toml")).unwrap()));
    assert_eq!(verified.models()[0].hash, Hash::of(MODEL));
    assert_eq!(verified.models()[0].threads, 2);
    assert_eq!(verified.title(), "late-return@0.1.0");
}

#[test]
fn the_highest_version_is_found() {
    let world = World::new();
    for version in ["0.9.0", "0.10.0", "0.2.0", "0.10.0-rc.1"] {
        world.install(&world.author("late-return", version, version));
    }
    world.install(&world.author("demand", "1.0.0", "code"));
    let expected = [
        "demand@1.0.0",
        "late-return@0.10.0",
        "late-return@0.10.0-rc.1",
        "late-return@0.9.0",
        "late-return@0.2.0",
    ];
    assert_eq!(world.names(), expected);
    let find = |wanted: &str| world.registry.find(wanted).map(|found| found.to_string());
    assert_eq!(find("late-return").unwrap(), "late-return@0.10.0");
    assert_eq!(find("late-return@0.2.0").unwrap(), "late-return@0.2.0");
    insta::assert_snapshot!(
        ["late-return@3.0.0", "price", "", "@1.0.0", "late-return@", "late-return@1", "../late-return"]
            .map(|wanted| format!("{wanted:?}: {}\n", find(wanted).unwrap_err()))
            .concat()
    );
    let empty = World::new();
    insta::assert_snapshot!("nothing_installed", empty.registry.find("price").unwrap_err());
    assert!(empty.registry.list().unwrap().is_empty());
}

#[test]
fn other_content_under_an_installed_version_is_refused_unless_replaced() {
    let world = World::new();
    let first = world.author("late-return", "0.1.0", "code");
    world.install(&first);
    world.install(&first);
    assert_eq!(world.names().len(), 1);

    let second = world.author("late-return", "0.1.0", "other code");
    let error = world.registry.install(&second, Existing::Keep).unwrap_err();
    assert!(matches!(&*error.kind, InstallErrorKind::Installed { what, installed, offered, .. }
        if what == "library" && *installed == Hash::of(b"code") && *offered == Hash::of(b"other code")));
    insta::assert_snapshot!(world.plain(&error));
    let found = world.registry.find("late-return").unwrap();
    assert_eq!(world.registry.verify(&found).unwrap().library_hash(), Hash::of(b"code"));

    world.registry.install(&second, Existing::Replace).unwrap();
    assert_eq!(world.registry.verify(&found).unwrap().library_hash(), Hash::of(b"other code"));
    assert_eq!(fs::read(library(&found.directory)).unwrap(), b"other code");
}

#[test]
fn changed_files_are_refused_with_both_hashes() {
    for file in ["plugin.toml", "model/network.onnx", "library"] {
        let world = World::new();
        let author = world.author("late-return", "0.1.0", "code");
        world.install(&author);
        let found = world.registry.find("late-return").unwrap();
        let path = if file == "library" { library(&found.directory) } else { found.directory.join(file) };
        let before = fs::read(&path).unwrap();
        let mut after = before.clone();
        after.extend(b"\n# changed");
        fs::write(&path, &after).unwrap();

        let error = world.registry.verify(&found).unwrap_err();
        assert!(
            matches!(&error.kind, TrustErrorKind::Changed { expected, found, .. }
                if *expected == Hash::of(&before) && *found == Hash::of(&after)),
            "{error}"
        );
        if file == "model/network.onnx" {
            insta::assert_snapshot!("changed_model", world.plain(&error));
        }
        // Installing again what was installed repairs the copy.
        world.install(&author);
        assert_eq!(fs::read(&path).unwrap(), before);
        world.registry.verify(&found).unwrap();
    }
}

#[test]
fn a_manifest_that_was_changed_to_fit_a_changed_model_is_refused() {
    let world = World::new();
    world.install(&world.author("late-return", "0.1.0", "code"));
    let found = world.registry.find("late-return").unwrap();
    fs::write(found.directory.join("model/network.onnx"), "other").unwrap();
    let manifest = found.directory.join("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(&Hash::of(MODEL).to_string(), &Hash::of(b"other").to_string()))
        .unwrap();
    let error = world.registry.verify(&found).unwrap_err();
    assert!(matches!(error.kind, TrustErrorKind::Changed { path, .. } if path.ends_with("plugin.toml")));
}

#[test]
fn a_plugin_that_was_copied_by_hand_is_not_trusted() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    let target = world.registry.home().plugins().join("late-return");
    fs::create_dir_all(&target).unwrap();
    fs::rename(&author, target.join("0.1.0")).unwrap();
    let found = world.registry.find("late-return").unwrap();
    let error = world.registry.verify(&found).unwrap_err();
    assert!(matches!(error.kind, TrustErrorKind::NotPinned));
    insta::assert_snapshot!(world.plain(&error));
    // It counts as installed all the same: other content under its version is refused.
    let other = world.author("late-return", "0.1.0", "other code");
    assert!(matches!(
        *world.registry.install(&other, Existing::Keep).unwrap_err().kind,
        InstallErrorKind::Installed { .. }
    ));
    world.install(&world.author("late-return", "0.1.0", "code"));
    world.registry.verify(&found).unwrap();
}

#[test]
fn incomplete_plugins_are_not_installed() {
    let world = World::new();
    let report = |change: &dyn Fn(&Path)| {
        let author = world.author("late-return", "0.1.0", "code");
        change(&author);
        let error = world.registry.install(&author, Existing::Keep).unwrap_err();
        assert_eq!(world.names(), [""; 0]);
        world
            .plain(&error)
            .replace(&library(&author).file_name().unwrap().to_string_lossy().into_owned(), "LIBRARY")
    };
    let model = report(&|author| fs::write(author.join("model/network.onnx"), "other").unwrap());
    let no_model = report(&|author| fs::remove_file(author.join("model/network.onnx")).unwrap());
    let no_library = report(&|author| fs::remove_file(library(author)).unwrap());
    insta::assert_snapshot!(format!("{model}\n{no_model}\n{no_library}"));
}

#[test]
fn broken_directories_are_listed_with_their_error_and_can_be_removed() {
    let world = World::new();
    for version in ["0.1.0", "0.2.0", "0.3.0"] {
        world.install(&world.author("late-return", version, version));
    }
    let plugins = world.registry.home().plugins();
    fs::write(plugins.join("late-return/0.3.0/plugin.toml"), "schema = 1").unwrap();
    fs::rename(plugins.join("late-return/0.2.0"), plugins.join("late-return/0.2.5")).unwrap();
    fs::create_dir_all(plugins.join("late-return/latest")).unwrap();
    fs::write(plugins.join("notes.txt"), "not a plugin").unwrap();

    let entries = world.registry.list().unwrap();
    let states = entries.iter().map(|entry| {
        let state = entry.plugin.as_ref().map_or_else(|error| world.plain(error), ToString::to_string);
        format!("{}@{}: {state}\n", entry.name, entry.version)
    });
    insta::assert_snapshot!(states.collect::<String>());
    assert!(matches!(world.registry.find("late-return"), Err(FindError::Broken { .. })));
    assert!(matches!(world.registry.remove("late-return"), Err(FindError::Ambiguous { .. })));
    for broken in ["late-return@0.3.0", "late-return@0.2.5"] {
        world.registry.remove(broken).unwrap();
    }
    assert_eq!(world.registry.find("late-return@0.1.0").unwrap().to_string(), "late-return@0.1.0");
}

#[test]
fn a_removed_plugin_leaves_nothing() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    world.install(&author);
    let directory = world.registry.remove("late-return").unwrap();
    assert!(!directory.exists());
    assert!(!fs::read_to_string(world.registry.home().pins()).unwrap().contains("late-return"));
    assert!(matches!(world.registry.remove("late-return"), Err(FindError::Unknown { .. })));
    // The version is free for other content.
    world.install(&world.author("late-return", "0.1.0", "other code"));
}

#[test]
fn what_a_crash_left_is_cleared() {
    let world = World::new();
    let plugins = world.registry.home().plugins();
    for left in [".staging/late-return", ".discarded/model"] {
        fs::create_dir_all(plugins.join(left)).unwrap();
        fs::write(plugins.join(left).join("plugin.toml"), "half").unwrap();
    }
    assert!(world.registry.list().unwrap().is_empty());
    world.install(&world.author("late-return", "0.1.0", "code"));
    assert!(!plugins.join(".staging").exists() && !plugins.join(".discarded").exists());
}

#[test]
fn several_installs_at_once_all_succeed() {
    let world = World::new();
    let authors: Vec<_> =
        (0..8).map(|index| world.author("late-return", &format!("0.{index}.0"), "code")).collect();
    thread::scope(|scope| {
        for author in &authors {
            scope.spawn(|| world.install(author));
        }
    });
    let entries = world.registry.list().unwrap();
    assert_eq!(entries.len(), 8);
    for entry in entries {
        world.registry.verify(&entry.plugin.unwrap()).unwrap();
    }
}

#[test]
fn pins_that_cannot_be_read_stop_everything() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    world.install(&author);
    let found = world.registry.find("late-return").unwrap();
    let mut report = String::new();
    for text in
        ["version = 2\nplanet = 1", "version = 1\n[[pin]]\nname = 'x'", "pins", "version = 1\nother = 2"]
    {
        fs::write(world.registry.home().pins(), text).unwrap();
        let error = world.registry.verify(&found).unwrap_err();
        assert!(world.registry.install(&author, Existing::Replace).is_err());
        report.push_str(&format!("{}\n", world.plain(&error)));
    }
    insta::assert_snapshot!(report);
    fs::remove_file(world.registry.home().pins()).unwrap();
    assert!(matches!(world.registry.verify(&found).unwrap_err().kind, TrustErrorKind::NotPinned));
}

#[test]
fn a_directory_can_be_trusted_as_it_is() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    let verified = Verified::trusting(&author).unwrap();
    assert_eq!(verified.library_hash(), Hash::of(b"code"));
    fs::write(author.join("model/network.onnx"), "other").unwrap();
    let error = Verified::trusting(&author).unwrap_err();
    assert!(matches!(error.kind, TrustErrorKind::Model { found, .. } if found == Hash::of(b"other")));
}

#[test]
fn a_model_can_be_exchanged_by_name_and_hash() {
    let world = World::new();
    let verified = Verified::trusting(&world.author("late-return", "0.1.0", "code")).unwrap();
    let fitted = world.directory.path().join("fitted.onnx");
    fs::write(&fitted, "fitted").unwrap();
    for expected in [None, Some(Hash::of(b"fitted"))] {
        let changed = verified.clone().with_model("network", &fitted, expected).unwrap();
        assert_eq!(
            (changed.models()[0].path.as_path(), changed.models()[0].hash),
            (&*fitted, Hash::of(b"fitted"))
        );
        assert_eq!(changed.library_hash(), verified.library_hash());
    }
    let wrong = verified.clone().with_model("network", &fitted, Some(Hash::of(b"other"))).unwrap_err();
    let unknown = verified.with_model("net", &fitted, None).unwrap_err();
    insta::assert_snapshot!(format!("{}\n{}", world.plain(&wrong), world.plain(&unknown)));
}

#[test]
fn what_was_learned_is_a_version_beside_its_base() {
    let world = World::new();
    let author = world.author("late-return", "0.1.0", "code");
    fs::write(author.join("README.md"), "words").unwrap();
    fs::write(author.join("model/MODEL_CARD.md"), "card").unwrap();
    let base = world.registry.install(&author, Existing::Keep).unwrap();
    let verified = world.registry.verify(&base).unwrap();

    let learned = [("pairs".to_owned(), b"learned".to_vec())];
    let version = "0.1.0+fit.20261124015512".parse().unwrap();
    let installed = world.registry.install_fitted(&verified, &version, &learned).unwrap();
    assert_eq!(installed.to_string(), "late-return@0.1.0+fit.20261124015512");
    assert_eq!(fs::read(installed.directory.join("model/pairs.bin")).unwrap(), b"learned");
    for file in ["README.md", "model/MODEL_CARD.md", "model/network.onnx"] {
        let content = |directory: &Path| fs::read(directory.join(file)).unwrap();
        assert_eq!(content(&installed.directory), content(&base.directory), "{file}");
    }
    let fitted = world.registry.verify(&installed).unwrap();
    assert_eq!(fitted.library_hash(), verified.library_hash());
    let hashes: Vec<_> = fitted.models().iter().map(|model| model.hash).collect();
    assert_eq!(hashes, [Hash::of(MODEL), Hash::of(b"learned")]);
    let expected = verified
        .manifest_text()
        .replace("\"0.1.0\"", "\"0.1.0+fit.20261124015512\"")
        .replace(&Hash::of(b"").to_string(), &Hash::of(b"learned").to_string());
    assert_eq!(fitted.manifest_text(), expected, "the rest of the manifest stays as it was");

    // The base is what it was, and the same thing again changes nothing.
    assert_eq!(world.registry.verify(&base).unwrap().models()[1].hash, Hash::of(b""));
    world.registry.install_fitted(&verified, &version, &learned).unwrap();
    assert_eq!(world.names(), ["late-return@0.1.0+fit.20261124015512", "late-return@0.1.0"]);

    // What was learned can learn on, and what is not learned stays, though it lie elsewhere.
    let network = world.directory.path().join("other.onnx");
    fs::write(&network, "other").unwrap();
    let changed = fitted.with_model("network", &network, None).unwrap();
    let version = "0.1.0+fit.20261124015513".parse().unwrap();
    let again = world.registry.install_fitted(&changed, &version, &[]).unwrap();
    let again = world.registry.verify(&again).unwrap();
    let hashes: Vec<_> = again.models().iter().map(|model| model.hash).collect();
    assert_eq!(hashes, [Hash::of(b"other"), Hash::of(b"learned")]);
}

#[test]
fn what_was_learned_last_is_found() {
    let world = World::new();
    let base = world.registry.install(&world.author("late-return", "0.1.0", "code"), Existing::Keep).unwrap();
    let verified = world.registry.verify(&base).unwrap();
    // Numbers between dots count as numbers: 9 is below 10, and a year later is above a year earlier.
    let builds = ["fit.10", "fit.9", "fit.20271124015512", "fit.20261124015512", "fit.20261124015513"];
    for build in builds {
        let version = format!("0.1.0+{build}").parse().unwrap();
        let learned = [("pairs".to_owned(), build.as_bytes().to_vec())];
        world.registry.install_fitted(&verified, &version, &learned).unwrap();
    }
    let expected = [
        "late-return@0.1.0+fit.20271124015512",
        "late-return@0.1.0+fit.20261124015513",
        "late-return@0.1.0+fit.20261124015512",
        "late-return@0.1.0+fit.10",
        "late-return@0.1.0+fit.9",
        "late-return@0.1.0",
    ];
    assert_eq!(world.names(), expected);
    let find = |wanted: &str| world.registry.find(wanted).unwrap().to_string();
    assert_eq!(find("late-return"), expected[0]);
    for title in expected {
        assert_eq!(find(title), title);
    }
    world.install(&world.author("late-return", "0.1.1", "code"));
    assert_eq!(
        find("late-return"),
        "late-return@0.1.1",
        "a newer plugin counts for more than what an older one learned"
    );
}

#[test]
fn what_was_not_learned_is_not_installed() {
    let world = World::new();
    let base = world.registry.install(&world.author("late-return", "0.1.0", "code"), Existing::Keep).unwrap();
    let verified = world.registry.verify(&base).unwrap();
    let install = |version: &str, model: &str, content: &[u8]| {
        let learned = [(model.to_owned(), content.to_vec())];
        let installed = world.registry.install_fitted(&verified, &version.parse().unwrap(), &learned);
        installed.map(|installed| installed.to_string()).map_err(|error| world.plain(&error))
    };
    install("0.1.0+fit.1", "pairs", b"learned").unwrap();
    let mut report = String::new();
    for (version, model) in [
        ("0.1.0", "pairs"),
        ("0.2.0+fit.2", "pairs"),
        ("0.1.0-rc.1+fit.2", "pairs"),
        ("0.1.0+fit.2", "triples"),
        ("0.1.0+fit.1", "pairs"),
    ] {
        report += &format!("{}\n", install(version, model, b"other").unwrap_err());
    }
    // Files that have changed since they were verified.
    for file in [base.directory.join("model/network.onnx"), library(&base.directory)] {
        let before = fs::read(&file).unwrap();
        fs::write(&file, "changed").unwrap();
        let error = install("0.1.0+fit.3", "pairs", b"other").unwrap_err();
        report += &format!(
            "{}\n",
            error.replace(
                &library(&base.directory).file_name().unwrap().to_string_lossy().into_owned(),
                "LIBRARY"
            )
        );
        fs::write(&file, before).unwrap();
    }
    insta::assert_snapshot!(report);
    assert_eq!(world.names(), ["late-return@0.1.0+fit.1", "late-return@0.1.0"]);
}
