//! A plugin as one archive: made, sent, looked at, installed and used, by the real program.

use std::fs;
use std::path::PathBuf;

use foretell_tests::{Finished, Workshop};

use crate::{done, shell};

/// Makes a plugin in C, `rain`, that is built, and gives its directory. `make` may not be there, so what its Makefile says is done.
pub(crate) fn rain(workshop: &Workshop) -> PathBuf {
    shell(workshop, "foretell plugin new rain --task regression --lang c\ncd rain\nmake");
    workshop.path("rain")
}

/// Runs `foretell`, which must end with this code.
#[track_caller]
pub(crate) fn ends(workshop: &Workshop, code: i32, arguments: &[&str]) -> Finished {
    let finished = workshop.run("foretell", arguments, "");
    assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
    finished
}

#[test]
fn an_archive_is_made_sent_and_used() {
    let workshop = Workshop::default();
    rain(&workshop);
    // Another directory, another time, other rights: the same bytes.
    let report = done(&workshop, &["plugin", "package", "rain", "--output", "out", "--json"]).json();
    let archive = report["archive"].as_str().unwrap().to_owned();
    let name = format!("rain-0.1.0-{}.tar.gz", report["platform"].as_str().unwrap());
    assert_eq!(archive, PathBuf::from("out").join(&name).to_str().unwrap());
    shell(
        &workshop,
        &format!(
            "umask 077\nmkdir copies\n\
             (cd rain && ls -r) | while read file; do cp -r \"rain/$file\" copies/; done\n\
             chmod -R go-rwx copies\nfind copies -type f -exec touch -t 199001010000 {{}} +\n\
             foretell plugin package copies --output '{}'\ncmp 'out/{name}' '{}/{name}'",
            workshop.path("there").display(),
            workshop.path("there").display()
        ),
    );
    // Any program that reads archives reads it.
    let listed = shell(&workshop, &format!("tar tzf 'out/{name}'"));
    assert!(listed.lines().all(|line| line.starts_with("rain-0.1.0/")), "{listed}");
    for file in ["plugin.toml", "model/network.onnx", "README.md"] {
        assert!(listed.contains(&format!("rain-0.1.0/{file}\n")), "{listed}");
    }
    for file in ["Makefile", "src", ".c\n", "records"] {
        assert!(!listed.contains(file), "{listed}");
    }
    // Away from where it was made.
    let elsewhere = Workshop::default();
    let bytes = fs::read(workshop.path(&archive)).unwrap();
    elsewhere.write(&name, &bytes);
    let hash = report["hash"].as_str().unwrap();
    assert_eq!(hash, foretell_runtime::hash::Hash::of(&bytes).to_string());
    let wrong = ends(&elsewhere, 1, &["plugin", "install", &name, "--hash", &"0".repeat(64)]);
    assert!(wrong.told().contains(hash), "{}", wrong.told());
    assert!(!elsewhere.path("home/plugins/rain").exists());
    done(&elsewhere, &["plugin", "install", &name, "--hash", hash]);
    let records = workshop.path("rain/records");
    shell(
        &elsewhere,
        &format!(
            "cd '{}'\nforetell record import example.csv --domain rain --mapping mapping.toml\n\
             foretell job create --plugin rain --run",
            records.display()
        ),
    );
    let runs = done(&elsewhere, &["prediction", "runs", "--json"]).json();
    assert_eq!(runs["runs"].as_array().map_or(0, Vec::len), 1, "{runs:#}");
    // A directory has no hash of its own.
    let directory = ends(&workshop, 1, &["plugin", "install", "rain", "--hash", hash]);
    assert!(directory.told().contains("is no archive"), "{}", directory.told());
}

#[test]
fn what_is_no_archive_leaves_nothing_behind() {
    let workshop = Workshop::default();
    rain(&workshop);
    let report = done(&workshop, &["plugin", "package", "rain", "--json"]).json();
    let archive = report["archive"].as_str().unwrap();
    let bytes = fs::read(workshop.path(archive)).unwrap();
    workshop.write("half.tar.gz", &bytes[..bytes.len() / 2]);
    workshop.write("page.tar.gz", "<html>not found</html>");
    // As anybody packs a directory: with more in it than a plugin, and under another name.
    shell(&workshop, "tar czf own.tar.gz rain");
    for (file, expected) in
        [("half.tar.gz", "get it again"), ("page.tar.gz", "get it again"), ("own.tar.gz", "expected")]
    {
        let finished = ends(&workshop, 1, &["plugin", "install", file]);
        assert!(finished.told().contains(expected), "{}", finished.told());
        let home: Vec<_> = fs::read_dir(workshop.path("home/plugins")).unwrap().collect();
        assert!(home.is_empty(), "{file}: {home:?}");
    }
    let missing = ends(&workshop, 1, &["plugin", "install", "none.tar.gz"]);
    assert!(missing.told().contains("none.tar.gz"), "{}", missing.told());
    // Another archive of that name is not lost.
    fs::write(workshop.path("rain/README.md"), "other words").unwrap();
    let kept = ends(&workshop, 1, &["plugin", "package", "rain"]);
    assert!(kept.told().contains("--replace"), "{}", kept.told());
    assert_eq!(fs::read(workshop.path(archive)).unwrap(), bytes);
    done(&workshop, &["plugin", "package", "rain", "--replace"]);
    assert_ne!(fs::read(workshop.path(archive)).unwrap(), bytes);
    // What can't be installed is not packed.
    fs::write(workshop.path("rain/model/network.onnx"), "other").unwrap();
    let refused = ends(&workshop, 1, &["plugin", "package", "rain", "--output", "new"]);
    assert!(refused.told().contains("it can't be installed"), "{}", refused.told());
    assert!(!workshop.path("new").exists());
}
