//! Learning in a process of its own: tests/tests/hostile/contract.rs holds it to the contract; here is what only isolation can do.

use foretell_runtime::fit::{FitErrorKind, FitStart, Fitting};
use foretell_runtime::isolation::Ended;
use foretell_runtime::plugin::LoadOptions;

use super::{Cage, LIMITS, deeds, isolating};

#[test]
fn a_crash_while_learning_ends_the_learning_and_no_more() {
    let cage = Cage::learning();
    let runtime = isolating(LIMITS);
    for (deed, expected) in [("crash", Ended::Signal { number: 11 }), ("leave", Ended::Exit(7))] {
        let begin =
            || Fitting::begin(&runtime, &cage.verified(), &LoadOptions::default(), FitStart::default());
        let fitting = begin().unwrap();
        fitting.learn(&deeds(&["none"; 3])).unwrap();
        match fitting.learn(&deeds(&["none", deed])).unwrap_err().kind {
            FitErrorKind::Process(found) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
        assert!(matches!(fitting.finish().unwrap_err().kind, FitErrorKind::Ended));
        let again = begin().unwrap();
        again.learn(&deeds(&["none"; 4])).unwrap();
        assert_eq!(again.finish().unwrap(), [("learned".to_owned(), b"4".to_vec())]);
    }
}

#[test]
fn who_learns_can_write_no_file() {
    let cage = Cage::learning();
    let before = cage.content();
    let runtime = isolating(LIMITS);
    let fitting =
        Fitting::begin(&runtime, &cage.verified(), &LoadOptions::default(), FitStart::default()).unwrap();
    let said = fitting.learn(&deeds(&["append-file"])).unwrap_err().to_string();
    assert!(said.ends_with("append-file: refused: Permission denied"), "{said}");
    assert_eq!(cage.content(), before);
}
