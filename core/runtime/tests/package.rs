//! Archives: the same plugin gives the same bytes, and what anybody may offer as one is refused or installed whole.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use foretell_runtime::{
    hash::Hash,
    home::Home,
    manifest::Manifest,
    package::{self, FILES_MAX, PackageErrorKind, UNPACKED_BYTES_FREE, pack},
    registry::{Existing, InstallErrorKind, Registry},
};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

const MODEL: &[u8] = include_bytes!("models/affine.onnx");
/// The head of a library for Linux on `x86_64`: class, order of bytes, and the number of the machine.
const LIBRARY: [u8; 64] = {
    let mut bytes = [0; 64];
    let head = *b"\x7fELF\x02\x01";
    let mut at = 0;
    while at < head.len() {
        bytes[at] = head[at];
        at += 1;
    }
    bytes[18] = 62;
    bytes
};

/// An author's directory, with more in it than is installed.
fn author(directory: &Path, order: &[&str]) {
    let text = include_str!("manifests/late-return.toml")
        .replace(&"0".repeat(64), &Hash::of(MODEL).to_string())
        .replace(&"1".repeat(64), &Hash::of(b"").to_string());
    fs::create_dir_all(directory.join("model")).unwrap();
    for name in order {
        let content = match *name {
            "plugin.toml" => text.as_bytes(),
            "LIBRARY" => &LIBRARY,
            "model/network.onnx" => MODEL,
            "model/pairs.bin" => b"",
            other => other.as_bytes(),
        };
        fs::write(directory.join(name.replace("LIBRARY", &library())), content).unwrap();
    }
}

fn library() -> String {
    let text = include_str!("manifests/late-return.toml");
    Manifest::parse(text, Path::new("plugin.toml")).unwrap().library_file()
}

const FILES: [&str; 9] = [
    "plugin.toml",
    "LIBRARY",
    "model/network.onnx",
    "model/pairs.bin",
    "README.md",
    "LICENSE-MIT",
    "model/MODEL_CARD.md",
    "notes.txt",
    "model/weights.pt",
];

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

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn archive(&self) -> PathBuf {
        author(&self.path("author"), &FILES);
        pack(&self.path("author"), &self.path("out"), Existing::Keep).unwrap().path
    }

    /// Every file below the home, but for the lock.
    fn installed(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![self.registry.home().root().to_owned()];
        while let Some(path) = waiting.pop() {
            for entry in fs::read_dir(&path).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => waiting.push(path),
                    false => found
                        .push(path.strip_prefix(self.registry.home().root()).unwrap().display().to_string()),
                }
            }
        }
        found.retain(|name| name != "lock");
        found.sort();
        found
    }
}

/// A `.tar.gz` of these headers with what follows each.
fn archive(path: &Path, entries: &[(Header, Vec<u8>)]) {
    let packed = GzEncoder::new(fs::File::create(path).unwrap(), Compression::default());
    let mut archive = Builder::new(packed);
    for (header, content) in entries {
        archive.append(header, content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// A header with a name as it is, whatever it is.
fn header(name: &str, kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn file(name: &str, content: &[u8]) -> (Header, Vec<u8>) {
    (header(name, EntryType::Regular, content.len()), content.to_vec())
}

#[test]
fn the_same_plugin_gives_the_same_bytes() {
    let world = World::new();
    let [one, other] = ["one", "another/directory"].map(|name| world.path(name));
    let mut backwards = FILES;
    backwards.reverse();
    author(&one, &FILES);
    author(&other, &backwards);
    let pack = |directory: &Path, output: &str| pack(directory, &world.path(output), Existing::Keep).unwrap();
    let first = pack(&one, "out");
    // Other times and rights, and something that is not installed.
    for name in ["plugin.toml", "README.md", "model/network.onnx"] {
        let file = fs::File::options().append(true).open(other.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    fs::create_dir(other.join("src")).unwrap();
    fs::write(other.join("Cargo.toml"), "").unwrap();
    let second = pack(&other, "elsewhere");
    assert_eq!(fs::read(&first.path).unwrap(), fs::read(&second.path).unwrap());
    assert_eq!(first.hash, Hash::of(&fs::read(&first.path).unwrap()));
    assert_eq!(first.bytes, fs::metadata(&first.path).unwrap().len());
    let names: Vec<_> = first.files.keys().map(|name| name.replace(&library(), "LIBRARY")).collect();
    let mut expected = FILES[..7].to_vec();
    expected.sort_by_key(|name| name.replace("LIBRARY", &library()));
    assert_eq!(names, expected);
    // Again, over itself.
    assert_eq!(pack(&one, "out").hash, first.hash);
    assert_eq!(fs::read_dir(world.path("out")).unwrap().count(), 1, "nothing is left over");
}

/// The bytes are those of yesterday, with this library's name: an archive that was signed, or whose hash was published, can be made
/// again. A new version of the compressor may change them; then say so in the list of changes.
#[cfg(target_os = "linux")]
#[test]
fn the_bytes_are_those_of_yesterday() {
    let world = World::new();
    let archive = world.archive();
    assert!(archive.ends_with("late-return-0.1.0-linux-x86_64.tar.gz"), "{}", archive.display());
    let packed = fs::read(&archive).unwrap();
    let mut unpacked = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut unpacked).unwrap();
    insta::assert_snapshot!(format!("unpacked {}\npacked {}", Hash::of(&unpacked), Hash::of(&packed)));
}

#[test]
fn an_archive_is_installed_as_its_directory_is() {
    let world = World::new();
    let archive = world.archive();
    let hash = Hash::of(&fs::read(&archive).unwrap());
    let installed = world.registry.install_archive(&archive, Some(hash), Existing::Keep).unwrap();
    let of_archive = world.installed();
    let verified = world.registry.verify(&installed).unwrap();
    assert_eq!(verified.library_hash(), Hash::of(&LIBRARY));

    let other = World::new();
    author(&other.path("author"), &FILES);
    other.registry.install(&other.path("author"), Existing::Keep).unwrap();
    assert_eq!(of_archive, other.installed());
    let read = |world: &World, name: &str| fs::read(world.registry.home().root().join(name)).unwrap();
    for name in &of_archive {
        assert_eq!(read(&world, name), read(&other, name), "{name}");
    }
    // Again, from either.
    world.registry.install_archive(&archive, None, Existing::Keep).unwrap();
    world.registry.install(&other.path("author"), Existing::Keep).unwrap();
    assert_eq!(world.installed(), of_archive);
    // What is packed of the installed one is the archive.
    let again = pack(&installed.directory, &world.path("again"), Existing::Keep).unwrap();
    assert_eq!(again.hash, hash);
}

#[test]
fn what_is_no_plugin_is_not_packed() {
    let world = World::new();
    let mut report = String::new();
    let mut refused = |what: &str, change: &dyn Fn(&Path)| {
        let directory = world.path(what);
        author(&directory, &FILES);
        change(&directory);
        let error = pack(&directory, &world.path("out"), Existing::Keep).unwrap_err().to_string();
        let root = world.directory.path().display().to_string();
        report += &format!("{what}: {}\n", error.replace(&root, "ROOT").replace(&library(), "LIBRARY"));
    };
    let write = |name: &'static str, content: &'static str| {
        move |directory: &Path| fs::write(directory.join(name), content).unwrap()
    };
    refused("no-manifest", &|directory| fs::remove_file(directory.join("plugin.toml")).unwrap());
    refused("bad-manifest", &write("plugin.toml", "schema = 1"));
    refused("no-library", &|directory| fs::remove_file(directory.join(library())).unwrap());
    refused("no-code", &|directory| fs::write(directory.join(library()), "code").unwrap());
    refused("no-model", &|directory| fs::remove_file(directory.join("model/pairs.bin")).unwrap());
    refused("other-model", &write("model/pairs.bin", "other"));
    refused("bad-signature", &write("plugin.minisig", "signed, A. Author"));
    assert!(!world.path("out").exists());
    insta::assert_snapshot!(report.replace(" (os error 2)", ""));
}

#[test]
fn another_archive_is_replaced_only_if_asked() {
    let world = World::new();
    let archive = world.archive();
    let before = fs::read(&archive).unwrap();
    fs::write(world.path("author/README.md"), "other").unwrap();
    let again = |existing| pack(&world.path("author"), &world.path("out"), existing);
    let error = again(Existing::Keep).unwrap_err();
    assert!(
        matches!(*error.kind, PackageErrorKind::Existing { present, .. } if present == Hash::of(&before))
    );
    assert_eq!(fs::read(&archive).unwrap(), before);
    assert_eq!(fs::read_dir(world.path("out")).unwrap().count(), 1, "nothing is left over");
    assert_ne!(again(Existing::Replace).unwrap().hash, Hash::of(&before));
}

/// What an archive must not hold, and what is said of it. Nothing of it is in the home afterwards.
#[test]
fn hostile_archives_are_refused_whole() {
    let world = World::new();
    author(&world.path("author"), &FILES);
    let read = |name: &str| fs::read(world.path("author").join(name)).unwrap();
    let top = "late-return-0.1.0";
    let good: Vec<_> = ["plugin.toml", &library(), "model/network.onnx", "model/pairs.bin"]
        .map(|name| file(&format!("{top}/{name}"), &read(name)))
        .to_vec();
    let path = world.path("offered.tar.gz");
    let offer = |entries: &[(Header, Vec<u8>)]| {
        archive(&path, entries);
        let result = world.registry.install_archive(&path, None, Existing::Keep);
        result.map(|installed| installed.to_string()).map_err(|error| error.kind.to_string())
    };
    let with = |entry: (Header, Vec<u8>)| [good.clone(), vec![entry]].concat();
    let odd = |name: &str| with(file(name, b"content"));
    let special = |kind: EntryType| with((header(&format!("{top}/README.md"), kind, 0), Vec::new()));
    let mut linked = header(&format!("{top}/README.md"), EntryType::Symlink, 0);
    linked.set_link_name("/etc/passwd").unwrap();
    linked.set_cksum();
    let mut report = String::new();
    for (what, entries) in [
        ("nothing", Vec::new()),
        ("no manifest", good[1..].to_vec()),
        ("no library", [good[..1].to_vec(), good[2..].to_vec()].concat()),
        ("no model", good[..3].to_vec()),
        ("another model", [good[..3].to_vec(), vec![file(&format!("{top}/model/pairs.bin"), b"x")]].concat()),
        ("from the root", odd("/etc/cron.d/x")),
        ("way out", odd(&format!("{top}/../../x"))),
        ("way out at the start", odd("../x")),
        ("way nowhere", odd(&format!("{top}/./README.md"))),
        ("two slashes", odd(&format!("{top}//README.md"))),
        ("no directory", odd("README.md")),
        ("another directory", odd("late-return-0.2.0/README.md")),
        ("directory's name", odd(&format!("{top}/"))),
        ("drive", odd(&format!("{top}/C:x"))),
        ("backslashes", odd(&format!("{top}/..\\x"))),
        ("hidden", odd(&format!("{top}/.bashrc"))),
        ("end of line", odd(&format!("{top}/README\nx"))),
        ("terminal's language", odd(&format!("{top}/README\u{1b}[2J"))),
        ("not UTF-8", {
            let (mut head, content) = file(&format!("{top}/READMEx"), b"");
            head.as_mut_bytes()[top.len() + 7] = 0xff;
            head.set_cksum();
            with((head, content))
        }),
        ("not installed", odd(&format!("{top}/build.rs"))),
        ("twice", with(good[0].clone())),
        ("file in a file", odd(&format!("{top}/plugin.toml/x"))),
        ("file for a directory", odd(&format!("{top}/model"))),
        ("symbolic link", with((linked, Vec::new()))),
        ("hard link", special(EntryType::Link)),
        ("device", special(EntryType::Char)),
        ("block device", special(EntryType::Block)),
        ("pipe", special(EntryType::Fifo)),
        ("directory", special(EntryType::Directory)),
        ("long name", special(EntryType::GNULongName)),
        ("extension", special(EntryType::XHeader)),
        ("global extension", special(EntryType::XGlobalHeader)),
        ("sparse", special(EntryType::GNUSparse)),
        ("large manifest", with(file(&format!("{top}/plugin.toml"), &vec![b'#'; 2 << 20]))),
        ("bad manifest", vec![file(&format!("{top}/plugin.toml"), b"schema = 1")]),
        ("bad signature", with(file(&format!("{top}/plugin.minisig"), b"signed"))),
        ("many files", (0..=FILES_MAX).map(|number| file(&format!("{top}/README{number}"), b"")).collect()),
    ] {
        let error = offer(&entries).expect_err(what);
        report += &format!("{what}: {error}\n");
        assert_eq!(world.installed(), [""; 0], "{what}");
    }
    let report = report.replace(&library(), "LIBRARY").replace(&path.display().to_string(), "ARCHIVE");
    insta::assert_snapshot!(report);
    // The same with nothing wrong is installed.
    assert_eq!(offer(&with(file(&format!("{top}/README.md"), b"words"))).unwrap(), "late-return@0.1.0");
}

#[test]
fn what_is_damaged_or_expands_is_refused() {
    let world = World::new();
    let good = fs::read(world.archive()).unwrap();
    let path = world.path("offered");
    let offer = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = world.registry.install_archive(&path, None, Existing::Keep).unwrap_err();
        assert_eq!(world.installed(), [""; 0]);
        match *error.kind {
            InstallErrorKind::Archive(kind) => kind,
            other => panic!("{other}"),
        }
    };
    let damaged = |bytes: &[u8]| assert!(matches!(offer(bytes), PackageErrorKind::Damaged(_)), "{bytes:?}");
    damaged(b"");
    damaged(b"<html>not found</html>");
    damaged(&[&good[..], b"x"].concat());
    damaged(&[&good[..], &good[..]].concat());
    for length in (0..good.len()).step_by(good.len() / 40) {
        damaged(&good[..length]);
    }
    let mut flipped = good.clone();
    let sum = good.len() - 8;
    flipped[sum] ^= 1;
    damaged(&flipped);

    // Zeros, a thousand for each byte that they take: as a file, and behind the last one.
    let packed = |write: &dyn Fn(&mut GzEncoder<Vec<u8>>)| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        write(&mut packed);
        packed.finish().unwrap()
    };
    let zeros = vec![0; 1 << 20];
    let many = 2 * UNPACKED_BYTES_FREE as usize / zeros.len();
    let head = header("late-return-0.1.0/README", EntryType::Regular, many * zeros.len());
    let file = packed(&|packed| {
        packed.write_all(head.as_bytes()).unwrap();
        (0..many).for_each(|_| packed.write_all(&zeros).unwrap());
    });
    let padding = packed(&|packed| (0..many).for_each(|_| packed.write_all(&zeros).unwrap()));
    for bomb in [file, padding] {
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        let kind = offer(&bomb);
        assert!(matches!(kind, PackageErrorKind::TooMuch { .. }), "{kind}");
    }

    // A size that is a lie.
    let lie = packed(&|packed| {
        let head = header("late-return-0.1.0/plugin.toml", EntryType::Regular, 1000);
        packed.write_all(head.as_bytes()).unwrap();
        packed.write_all(b"schema = 1").unwrap();
    });
    damaged(&lie);
    let mut head = header("late-return-0.1.0/README", EntryType::Regular, 0);
    head.as_mut_bytes()[124..136].copy_from_slice(&[0xff; 12]);
    head.set_cksum();
    damaged(&packed(&|packed| packed.write_all(head.as_bytes()).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever bytes an archive has: what is installed of it is what its manifest names, and what is not is not there.
    #[test]
    fn an_archive_of_anybody_is_installed_whole_or_not_at_all(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        length in any::<Option<proptest::sample::Index>>(),
    ) {
        let world = World::new();
        let good = fs::read(world.archive()).unwrap();
        let mut unpacked = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(good.as_slice()), &mut unpacked).unwrap();
        for (place, byte) in changes {
            let place = place.index(unpacked.len());
            unpacked[place] = byte;
        }
        if let Some(length) = length {
            unpacked.truncate(length.index(unpacked.len()));
        }
        let mut packed = GzEncoder::new(fs::File::create(world.path("offered")).unwrap(), Compression::fast());
        packed.write_all(&unpacked).unwrap();
        packed.finish().unwrap();
        let outside = || fs::read_dir(world.directory.path()).unwrap().count();
        let before = outside();
        match world.registry.install_archive(&world.path("offered"), None, Existing::Keep) {
            Ok(installed) => {
                prop_assert_eq!(world.installed().len(), FILES.len() - 2 + 1, "the files and the pins");
                prop_assert!(world.registry.verify(&installed).is_ok());
            }
            Err(_) => prop_assert_eq!(world.installed(), [""; 0]),
        }
        // The home is new.
        prop_assert_eq!(outside(), before + 1);
    }
}

#[test]
fn another_archive_than_the_one_that_was_meant_is_refused() {
    let world = World::new();
    let archive = world.archive();
    let expected = Hash::of(b"another");
    let error = world.registry.install_archive(&archive, Some(expected), Existing::Keep).unwrap_err();
    let found = Hash::of(&fs::read(&archive).unwrap());
    assert!(
        matches!(&*error.kind, InstallErrorKind::Archive(PackageErrorKind::Hash { expected: wanted, found: given })
            if (*wanted, *given) == (expected, found)),
        "{error}"
    );
    assert_eq!(world.installed(), [""; 0]);
}

#[test]
fn what_was_built_for_another_platform_is_refused() {
    let world = World::new();
    author(&world.path("author"), &FILES);
    let (from, machine) = (world.path("author").join(library()), 18);
    let mut foreign = LIBRARY;
    foreign[machine] = if cfg!(target_arch = "s390x") { 62 } else { 22 };
    let refused = |registry: &Registry, path: &Path| {
        let result = match path.is_dir() {
            true => registry.install(path, Existing::Keep),
            false => registry.install_archive(path, None, Existing::Keep),
        };
        match *result.unwrap_err().kind {
            InstallErrorKind::Platform { expected, found } => (expected.to_string(), found),
            other => panic!("{other}"),
        }
    };
    // Another processor. It can be packed, for those who have one.
    fs::write(&from, foreign).unwrap();
    let packed = pack(&world.path("author"), &world.path("out"), Existing::Keep).unwrap();
    let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    for path in [world.path("author"), packed.path] {
        assert_eq!(refused(&world.registry, &path), (here.clone(), packed.platform.to_string()));
    }
    // Another system, told by the library's name.
    let (os, name) = match std::env::consts::OS {
        "windows" => ("linux", "liblate_return.so"),
        _ => ("windows", "late_return.dll"),
    };
    fs::rename(&from, world.path("author").join(name)).unwrap();
    let entries = ["plugin.toml", name, "model/network.onnx", "model/pairs.bin"].map(|name| {
        file(&format!("late-return-0.1.0/{name}"), &fs::read(world.path("author").join(name)).unwrap())
    });
    archive(&world.path("foreign.tar.gz"), &entries);
    for path in [world.path("author"), world.path("foreign.tar.gz")] {
        assert_eq!(refused(&world.registry, &path), (here.clone(), os.to_owned()));
    }
    assert_eq!(world.installed(), [""; 0]);
    // It can be looked at here all the same.
    let contents = package::read(&world.path("foreign.tar.gz")).unwrap();
    assert!(contents.files.contains_key(name));
    assert_eq!(contents.manifest.plugin.name, "late-return");
}
