//! What a plugin has no business to do, and can't.

use super::{Cage, LIMITS, ask, isolating};
use foretell_tests::onnx_runtime;

/// What is refused, with the words of the system.
const REFUSED: [(&str, &str); 43] = [
    ("socket", "Operation not permitted"),
    ("unix-socket", "Operation not permitted"),
    ("netlink-socket", "Operation not permitted"),
    ("socket-pair", "Operation not permitted"),
    ("connect", "Operation not permitted"),
    ("ring", "Operation not permitted"),
    ("write-file", "Permission denied"),
    ("append-file", "Permission denied"),
    ("truncate-file", "Operation not permitted"),
    ("make-file", "Permission denied"),
    ("make-temporary-file", "Permission denied"),
    ("make-directory", "Permission denied"),
    ("remove-file", "Permission denied"),
    ("rename-file", "Permission denied"),
    ("link-file", "Permission denied"),
    ("change-rights", "Operation not permitted"),
    ("change-rights-of-open-file", "Operation not permitted"),
    ("change-owner", "Operation not permitted"),
    ("change-times", "Operation not permitted"),
    ("read-file", "Permission denied"),
    ("read-users", "Permission denied"),
    ("fork", "Operation not permitted"),
    ("vfork", "Operation not permitted"),
    ("execute", "Operation not permitted"),
    ("spawn", "Operation not permitted"),
    ("system", "Operation not permitted"),
    ("trace", "Operation not permitted"),
    ("read-parent", "Permission denied"),
    ("kill-parent", "Operation not permitted"),
    ("kill-group", "Operation not permitted"),
    ("kill-parent-as-a-thread", "Operation not permitted"),
    ("outlive-parent", "Operation not permitted"),
    ("shared-memory", "Operation not permitted"),
    ("memory-file", "Operation not permitted"),
    ("uncounted-memory", "Operation not permitted"),
    ("raise-limit", "Operation not permitted"),
    ("new-namespace", "Operation not permitted"),
    ("type-into-terminal", "Operation not permitted"),
    // Again at the end: what was refused before has opened nothing.
    ("socket", "Operation not permitted"),
    ("write-file", "Permission denied"),
    ("fork", "Operation not permitted"),
    ("execute", "Operation not permitted"),
    ("kill-parent", "Operation not permitted"),
];
/// What a library may do.
const ALLOWED: [&str; 4] = ["thread", "nowhere", "random", "ask-limit"];
/// Deeds that do no harm where they are not refused, and so can show that they would be done.
const HARMLESS: [&str; 8] =
    ["socket", "unix-socket", "append-file", "read-file", "read-users", "fork", "system", "uncounted-memory"];

#[test]
fn what_a_plugin_has_no_business_to_do_is_refused() {
    let cage = Cage::new();
    let before = cage.content();
    let plugin = cage.load(&isolating(LIMITS));
    assert!(plugin.is_isolated());
    for (deed, words) in REFUSED {
        let said = ask(&plugin, deed).expect_err(deed).to_string();
        assert_eq!(said, format!("{deed}: refused: {words}"));
    }
    for deed in ALLOWED {
        let said = ask(&plugin, deed).expect_err(deed).to_string();
        assert_eq!(said, format!("{deed}: done"));
    }
    assert_eq!(ask(&plugin, "none").unwrap(), [0.25]);
    assert_eq!(cage.content(), before);
}

#[test]
fn without_isolation_it_would_be_done() {
    let cage = Cage::new();
    let plugin = cage.load(&onnx_runtime());
    assert!(!plugin.is_isolated());
    for deed in HARMLESS {
        let said = ask(&plugin, deed).expect_err(deed).to_string();
        assert_eq!(said, format!("{deed}: done"));
    }
}

#[test]
fn what_a_plugin_prints_and_reads_is_its_own_matter() {
    let cage = Cage::new();
    let plugin = cage.load(&isolating(LIMITS));
    for deed in ["print", "read-input", "print"] {
        assert_eq!(ask(&plugin, deed).unwrap(), [0.25], "{deed}");
    }
}
