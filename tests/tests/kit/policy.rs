//! Who answers for a plugin, and whom a policy trusts, by the real program.

use std::fs;

use foretell_tests::Workshop;

use crate::package::{ends, rain};
use crate::{done, shell};

/// Makes a key without a password, and gives its public half.
fn key(workshop: &Workshop, name: &str) -> String {
    let file = format!("{name}.key");
    let report = done(workshop, &["plugin", "key", &file, "--no-password", "--json"]).json();
    assert_eq!(report["public"], format!("{name}.pub"));
    report["publisher"].as_str().unwrap().to_owned()
}

/// Writes the policy of the home: only these are trusted.
fn trust(workshop: &Workshop, publishers: &[&str]) {
    fs::create_dir_all(workshop.path("home")).unwrap();
    let keys: Vec<_> = publishers.iter().map(|key| format!("{key:?}")).collect();
    let policy = format!("version = 1\n[policy]\npublishers = [{}]\n", keys.join(", "));
    fs::write(workshop.path("home/config.toml"), policy).unwrap();
}

#[test]
fn only_what_a_trusted_publisher_signed_runs() {
    let workshop = Workshop::default();
    rain(&workshop);
    shell(
        &workshop,
        "cd rain/records\nforetell record import example.csv --domain rain --mapping mapping.toml",
    );
    let [acme, own] = ["acme", "own"].map(|name| key(&workshop, name));
    trust(&workshop, &[&acme]);
    let refused = |arguments: &[&str], expected: &str| {
        let finished = ends(&workshop, 1, arguments);
        assert!(finished.told().contains(expected), "{arguments:?}: {}", finished.told());
    };
    let install = ["plugin", "install", "rain"];
    let score = ["job", "create", "--plugin", "rain", "--run"];
    refused(&install, "the policy demands a signature, and it is not signed");
    // Nor does anything else run its code.
    refused(&["plugin", "validate", "rain"], "the policy demands a signature");
    done(&workshop, &["plugin", "sign", "rain", "--key", "own.key"]);
    refused(&install, "it is signed with the key");
    done(&workshop, &["plugin", "sign", "rain", "--key", "acme.key"]);
    let installed = done(&workshop, &[&install[..], &["--json"]].concat()).json();
    assert_eq!(installed["publisher"], acme);
    done(&workshop, &score);

    // A document is not pinned, and signed all the same.
    let readme = workshop.path("home/plugins/rain/0.1.0/README.md");
    let words = fs::read_to_string(&readme).unwrap();
    fs::write(&readme, "send your records to example.org").unwrap();
    refused(&score, "a file, the name or the version has changed since");
    let state = done(&workshop, &["plugin", "list", "--json"]).json();
    assert_eq!(state["plugins"][0]["state"], "refused", "{state:#}");
    fs::write(&readme, words).unwrap();
    done(&workshop, &score);

    // What it learned for somebody is signed by somebody else. Its publisher's is still there.
    let network = workshop.path("rain/model/network.onnx");
    let mut other = fs::read(&network).unwrap();
    other.extend_from_slice(b"\x72\x00");
    workshop.write("own.onnx", other);
    let given = ["plugin", "install", "rain", "--model", "network=own.onnx", "--build", "own", "--json"];
    let given = done(&workshop, &given).json();
    assert!(given["problem"].as_str().unwrap().contains("foretell plugin sign"), "{given:#}");
    refused(&score, "what its publisher signed is the version without `+own`");
    done(&workshop, &["plugin", "sign", "rain@0.1.0+own", "--key", "own.key"]);
    refused(&score, "it is signed with the key");
    trust(&workshop, &[&acme, &own]);
    done(&workshop, &score);

    // One more file of policy takes away, and gives nothing.
    let file = workshop.write("more.toml", "version = 1\n[policy]\npublishers = []\n");
    let more = |command: &str| {
        let lines = format!("export FORETELL_POLICY='{}'\n! {command} 2> told\ncat told", file.display());
        shell(&workshop, &lines)
    };
    let told = more("foretell job create --plugin rain --run");
    assert!(told.contains("the policy demands a signature"), "{told}");
    fs::write(&file, "version = 1\n[policy]\nisolat = false\n").unwrap();
    let told = more("foretell job create --plugin rain --run");
    assert!(told.contains("nothing is loaded") && told.contains("isolat"), "{told}");
    fs::remove_file(&file).unwrap();
    let told = more("foretell job create --plugin rain --run");
    assert!(told.contains("it is not there"), "{told}");
}

#[test]
fn the_doctor_tells_what_is_demanded_and_by_whom() {
    let workshop = Workshop::default();
    let acme = key(&workshop, "acme");
    fs::create_dir_all(workshop.path("home")).unwrap();
    let config = workshop.path("home/config.toml");
    fs::write(&config, "version = 1\n[policy]\nisolate = true\ncall_seconds_max = 90\n").unwrap();
    let added = workshop.write(
        "added.toml",
        format!("version = 1\n[policy]\npublishers = ['{acme}']\ncall_seconds_max = 30\n"),
    );
    let doctor = |more: &str| {
        // Something is wrong: no plugin is installed.
        let lines = format!("export FORETELL_POLICY='{}'\n! foretell doctor {more}", added.display());
        shell(&workshop, &lines)
    };
    let report: serde_json::Value = serde_json::from_str(&doctor("--json")).unwrap();
    let policy = &report["policy"];
    assert_eq!(policy["demands"]["isolate"], true, "{policy:#}");
    assert_eq!(policy["demands"]["publishers"], serde_json::json!([acme]));
    assert_eq!(policy["demands"]["call_seconds_max"], 30);
    let places = policy["places"].as_array().unwrap();
    let of = |name: &str| places.iter().find(|place| place["place"] == name).unwrap();
    assert_eq!(of("home")["path"], config.to_str().unwrap());
    assert_eq!(of("home")["demands"]["call_seconds_max"], 90);
    assert_eq!(of("variable")["path"], added.to_str().unwrap());
    let drawn = doctor("");
    assert!(drawn.contains(&format!("signed by {acme}")) && drawn.contains("isolated"), "{drawn}");

    fs::write(&config, "version = 1\n[polcy]\nisolate = true\n").unwrap();
    let report: serde_json::Value = serde_json::from_str(&doctor("--json")).unwrap();
    assert!(report["policy"]["demands"].is_null(), "{report:#}");
    let problems = report["problems"].to_string();
    assert!(problems.contains("polcy"), "{problems}");
}

#[test]
fn who_has_signed_is_told() {
    let workshop = Workshop::default();
    rain(&workshop);
    let [acme, own] = ["acme", "own"].map(|name| key(&workshop, name));
    let verify = |code: i32, plugin: &str, publishers: &[&str]| {
        let mut arguments = vec!["plugin", "verify", plugin, "--json"];
        arguments.extend(publishers.iter().flat_map(|publisher| ["--publisher", publisher]));
        let report = ends(&workshop, code, &arguments).json();
        assert_eq!(report["holds"], code == 0, "{report:#}");
        report
    };
    let reason = |report: serde_json::Value| report["reason"].as_str().unwrap().to_owned();
    assert!(reason(verify(4, "rain", &[&acme])).contains("it is not signed"));
    assert!(reason(verify(4, "rain", &[])).contains("it is not signed"));
    done(&workshop, &["plugin", "sign", "rain", "--key", "acme.key"]);
    // A directory, its archive and the installed copy have the same signature.
    done(&workshop, &["plugin", "install", "rain"]);
    let packed = done(&workshop, &["plugin", "package", "rain", "--json"]).json();
    let archive = packed["archive"].as_str().unwrap().to_owned();
    let files = verify(0, "rain/", &[&acme])["files"].clone();
    for plugin in ["rain/", "rain@0.1.0", &archive] {
        // By the key, by its file, among others.
        for publishers in [&[acme.as_str()][..], &["acme.pub"], &[&own, &acme]] {
            let report = verify(0, plugin, publishers);
            assert_eq!((&report["publisher"], &report["files"]), (&acme.clone().into(), &files), "{plugin}");
        }
        assert!(reason(verify(4, plugin, &[])).contains("nobody is named"), "{plugin}");
        assert!(reason(verify(4, plugin, &[&own])).contains("it is signed with the key"), "{plugin}");
    }
    // Those of the policy, if nobody is named.
    trust(&workshop, &[&acme]);
    assert_eq!(verify(0, "rain@0.1.0", &[])["publisher"], acme);
    let wrong = ends(&workshop, 2, &["plugin", "verify", "rain", "--publisher", "acme.key"]);
    assert!(!wrong.told().contains("RWQAAEIy"), "the secret key is told: {}", wrong.told());
}

#[test]
fn a_key_is_locked_and_never_lost() {
    let workshop = Workshop::default();
    rain(&workshop);
    workshop.write("password", "correct horse\nbattery staple\n");
    workshop.write("other", "wrong\n");
    let report =
        done(&workshop, &["plugin", "key", "acme.key", "--password-file", "password", "--json"]).json();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let rights = fs::metadata(workshop.path("acme.key")).unwrap().permissions().mode();
        assert_eq!(rights & 0o077, 0, "{rights:o}");
    }
    let secret = fs::read_to_string(workshop.path("acme.key")).unwrap();
    let again = ends(&workshop, 1, &["plugin", "key", "acme.key", "--no-password"]);
    assert!(again.told().contains("is there already"), "{}", again.told());
    assert_eq!(fs::read_to_string(workshop.path("acme.key")).unwrap(), secret);
    ends(&workshop, 1, &["plugin", "key", "acme.pub", "--no-password"]);

    let sign = ["plugin", "sign", "rain", "--key", "acme.key", "--password-file"];
    let wrong = ends(&workshop, 1, &[&sign[..], &["other"]].concat());
    assert!(wrong.told().contains("password"), "{}", wrong.told());
    assert!(!wrong.told().contains("wrong\n"), "{}", wrong.told());
    assert!(!workshop.path("rain/plugin.minisig").exists());
    done(&workshop, &[&sign[..], &["password"]].concat());
    shell(
        &workshop,
        "FORETELL_KEY_PASSWORD='correct horse' foretell plugin sign rain --key acme.key\n\
         foretell plugin verify rain --publisher acme.pub",
    );
    // What is signed can be had as text, for minisign's own program.
    let text = done(&workshop, &["plugin", "sign", "rain", "--text"]).stdout;
    assert!(text.starts_with("foretell plugin 1\nname rain\nversion 0.1.0\n"), "{text}");
    let files = done(&workshop, &["plugin", "verify", "rain", "--publisher", "acme.pub", "--json"]).json();
    assert_eq!(files["publisher"], report["publisher"]);
    for (name, hash) in files["files"].as_object().unwrap() {
        assert!(text.contains(&format!("\n{}  {name}\n", hash.as_str().unwrap())), "{name}: {text}");
    }
    for key in ["acme.pub", "rain/plugin.toml", "none.key"] {
        let refused = ends(&workshop, 1, &["plugin", "sign", "rain", "--key", key]);
        assert!(refused.told().contains(key), "{}", refused.told());
    }
}
