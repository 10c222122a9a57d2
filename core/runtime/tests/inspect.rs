//! Looking at networks of which nothing is known. These tests need the library of ONNX Runtime, and say so when it is missing.

use std::sync::Arc;

use foretell_runtime::onnx::{
    Answered, Element, Inspection, ModelErrorKind, Places, RunError, Runtime, Samples, inspect,
};

const AFFINE: &[u8] = include_bytes!("models/affine.onnx");
const PAIR: &[u8] = include_bytes!("models/pair.onnx");
const FOUND: &[u8] = include_bytes!("models/found.onnx");

fn runtime() -> Arc<Runtime> {
    Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"))
}

fn look(network: &[u8]) -> Inspection {
    inspect(&runtime(), network).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_network_says_what_it_takes_and_answers() {
    let mut affine = look(AFFINE);
    assert_eq!(affine.inputs()[0].to_string(), "f32[batch, 3]");
    assert_eq!(affine.outputs()[0].name, "score");
    assert!(affine.metadata().is_empty());
    let score =
        |numbers| Answered { name: "score".to_owned(), element: Element::F32, shape: vec![2], numbers };
    let answered = affine.run(&[2, 3], Samples::Floats(&[1.0, 2.0, 3.0, 0.0, 0.0, -1.0])).unwrap();
    assert_eq!(answered, [score(vec![14.5, -2.5])]);
}

#[test]
fn an_answer_may_have_as_many_numbers_as_were_found() {
    let mut found = look(FOUND);
    let said: Vec<_> = found.metadata().iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(said, [("names", "{0: 'thing'}"), ("purpose", "finding things")]);
    for (picture, shape, numbers) in
        [([0, 7, 0, 0, 0, 9], [2, 2], vec![0.0, 1.0, 1.0, 2.0]), ([0; 6], [2, 0], vec![])]
    {
        let answered = found.run(&[2, 3], Samples::Bytes(&picture)).unwrap();
        assert_eq!((&answered[0].shape[..], &answered[0].numbers), (&shape[..], &numbers));
        assert_eq!(answered[0].element, Element::I64);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut affine = look(AFFINE);
    for (shape, samples) in [(&[2, 2][..], &[1.0; 4][..]), (&[6], &[1.0; 6]), (&[2, 3], &[1.0; 5])] {
        let error = affine.run(shape, Samples::Floats(samples)).unwrap_err();
        assert!(matches!(error, RunError::Failed(_)), "{error}");
    }
    assert!(matches!(affine.run(&[1, 3], Samples::Bytes(&[1, 2, 3])), Err(RunError::Failed(_))));
    let error = look(PAIR).run(&[1, 2], Samples::Floats(&[1.0, 2.0])).unwrap_err();
    assert_eq!(error, RunError::Count { side: "inputs", expected: 2, found: 1 });
    let error = inspect(&runtime(), b"no network").unwrap_err();
    assert!(matches!(error.kind, ModelErrorKind::Refused { .. }), "{error}");
}
