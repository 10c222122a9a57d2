//! Finding ONNX Runtime and running networks through it. These tests need its library, and say so when it is missing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    thread,
};

use foretell_runtime::{
    hash::Hash,
    onnx::{
        Dimension, Element, Finding, Library, Model, ModelErrorKind, Origin, Places, RunError, Runtime,
        StartError, TensorView, TensorViewMut, locate,
    },
    trust::Verified,
};
use proptest::prelude::*;

const AFFINE: &[u8] = include_bytes!("models/affine.onnx");
const PAIR: &[u8] = include_bytes!("models/pair.onnx");
const COUNT: &[u8] = include_bytes!("models/count.onnx");
const EXTERNAL: &[u8] = include_bytes!("models/external.onnx");
const TEXT: &[u8] = include_bytes!("models/text.onnx");

fn runtime() -> Arc<Runtime> {
    Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"))
}

fn library() -> Library {
    locate(&Places::of_process(None)).library().unwrap_or_else(|error| panic!("{error}"))
}

fn model(bytes: &[u8], sessions: usize) -> Model {
    Model::from_bytes(&runtime(), bytes, 1, sessions).unwrap_or_else(|error| panic!("{error}"))
}

fn score(model: &Model, rows: &[[f32; 3]]) -> Result<Vec<f32>, RunError> {
    let mut scores = vec![f32::NAN; rows.len()];
    let shape = [rows.len() as i64, 3];
    let outputs = &mut [TensorViewMut::of(&shape[..1], &mut scores)];
    model.run(&[TensorView::of(&shape, rows.as_flattened())], outputs)?;
    Ok(scores)
}

fn affine(row: &[f32; 3]) -> f32 {
    row[0] + 2.0 * row[1] + 3.0 * row[2] + 0.5
}

#[test]
fn a_network_runs_into_the_callers_memory() {
    let model = model(AFFINE, 1);
    assert_eq!(model.hash(), Hash::of(AFFINE));
    assert_eq!(model.inputs()[0].to_string(), "f32[batch, 3]");
    assert_eq!(model.outputs()[0].name, "score");
    assert_eq!(model.outputs()[0].shape, [Dimension::Any("batch".to_owned())]);
    assert_eq!(score(&model, &[[1.0, 2.0, 3.0], [0.0, 0.0, -1.0]]).unwrap(), [14.5, -2.5]);
    assert_eq!(score(&model, &[]).unwrap(), [0.0; 0], "no rows are fine");
    let rows: Vec<_> = (0..5000).map(|row| [row as f32, 1.0, 0.0]).collect();
    assert_eq!(score(&model, &rows).unwrap(), rows.iter().map(affine).collect::<Vec<_>>());
    assert!(score(&model, &[[f32::NAN, 0.0, 0.0]]).unwrap()[0].is_nan());
}

#[test]
fn inputs_outputs_and_element_types() {
    let pair = model(PAIR, 1);
    let (left, right) = ([1.0f64, 2.0, 3.0, 4.0], [4.0f64, 3.0, 2.0, 1.0]);
    let (mut sum, mut greater) = ([0.0f64; 4], [7u8; 4]);
    let inputs = [TensorView::of(&[2, 2], &left), TensorView::of(&[2, 2], &right)];
    let mut outputs =
        [TensorViewMut::of(&[2, 2], &mut sum), TensorViewMut::new(Element::Bool, &[2, 2], &mut greater)];
    pair.run(&inputs, &mut outputs).unwrap();
    assert_eq!((sum, greater), ([5.0; 4], [0, 0, 1, 1]));

    let count = model(COUNT, 1);
    let mut counts = [0i64; 2];
    let items = [TensorView::of(&[2, 3], &[1i64, 2, 3, 0, 0, -1])];
    count.run(&items, &mut [TensorViewMut::of(&[2], &mut counts)]).unwrap();
    assert_eq!(counts, [7, 0]);
}

#[test]
fn tensors_that_do_not_fit_are_refused_by_name() {
    let affine = model(AFFINE, 1);
    let values = [0.0f32; 6];
    let bytes = [0u8; 25];
    // A byte string whose second byte is not aligned for a float.
    let start = usize::from(bytes.as_ptr().addr().is_multiple_of(4));
    let good = TensorView::of(&[2, 3], &values);
    let inputs: [(&str, Vec<TensorView<'_>>); 8] = [
        ("none", vec![]),
        ("two", vec![good, good]),
        ("element type", vec![TensorView::of(&[2, 3], &[0.0f64; 6])]),
        ("dimensions", vec![TensorView::of(&[6], &values)]),
        ("fixed dimension", vec![TensorView::of(&[3, 2], &values)]),
        ("negative dimension", vec![TensorView::of(&[-2, 3], &values)]),
        ("too little memory", vec![TensorView::of(&[i64::MAX, 3], &values)]),
        ("unaligned", vec![TensorView::new(Element::F32, &[2, 3], &bytes[start..start + 24])]),
    ];
    let mut report = String::new();
    for (name, inputs) in inputs {
        let mut scores = [0.0f32; 2];
        let error = affine.run(&inputs, &mut [TensorViewMut::of(&[2], &mut scores)]).unwrap_err();
        report.push_str(&format!("# {name}\n{error}\n"));
    }
    let mut wide = [0.0f32; 3];
    let mut double = [0.0f64; 2];
    let outputs: [(&str, Vec<TensorViewMut<'_>>); 3] = [
        ("no output", vec![]),
        ("element type of output", vec![TensorViewMut::of(&[2], &mut double)]),
        ("memory of output", vec![TensorViewMut::of(&[2], &mut wide)]),
    ];
    for (name, mut outputs) in outputs {
        let error = affine.run(&[good], &mut outputs).unwrap_err();
        report.push_str(&format!("# {name}\n{error}\n"));
    }
    insta::assert_snapshot!(report);
    assert_eq!(score(&affine, &[[1.0, 0.0, 0.0]]).unwrap(), [1.5], "the model still works");
}

#[test]
fn only_the_wanted_outputs_are_given() {
    let pair = model(PAIR, 1);
    let (left, right) = ([1.0f64, 2.0, 3.0, 4.0], [4.0f64, 3.0, 2.0, 1.0]);
    let inputs = [TensorView::of(&[2, 2], &left), TensorView::of(&[2, 2], &right)];
    let mut sum = [0.0f64; 4];
    pair.run(&inputs, &mut [TensorViewMut::of(&[2, 2], &mut sum)]).unwrap();
    assert_eq!(sum, [5.0; 4]);
    let mut places = [[0.0f64; 4]; 3];
    let mut many = places.each_mut().map(|place| TensorViewMut::of(&[2, 2], place));
    let error = pair.run(&inputs, &mut many).unwrap_err();
    assert!(matches!(error, RunError::Count { side: "outputs", expected: 2, found: 3 }), "{error}");
}

#[test]
fn outputs_of_another_length_are_not_overrun() {
    let model = model(AFFINE, 1);
    let features = [0.0f32; 6];
    for length in [1usize, 3, 100] {
        let mut scores = vec![-1.0f32; length];
        let shape = [length as i64];
        let outputs = &mut [TensorViewMut::of(&shape, &mut scores)];
        let error = model.run(&[TensorView::of(&[2, 3], &features)], outputs).unwrap_err();
        assert!(matches!(error, RunError::Failed(_)), "{error}");
        assert_eq!(scores, vec![-1.0; length]);
    }
    assert_eq!(score(&model, &[[1.0, 0.0, 0.0]]).unwrap(), [1.5]);
}

#[test]
fn several_threads_get_their_own_answers() {
    for sessions in [1, 2, 8] {
        let model = model(AFFINE, sessions);
        assert_eq!(model.sessions_max(), sessions);
        thread::scope(|scope| {
            for number in 0..8 {
                let model = &model;
                scope.spawn(move || {
                    for step in 0..500 {
                        let rows: Vec<_> =
                            (0..step % 7 + 1).map(|row| [number as f32, step as f32, row as f32]).collect();
                        let expected: Vec<_> = rows.iter().map(affine).collect();
                        assert_eq!(score(model, &rows).unwrap(), expected);
                    }
                });
            }
        });
    }
    assert!(model(AFFINE, 0).sessions_max() >= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_scores_the_same_alone_and_in_a_batch(rows in proptest::collection::vec(any::<[i8; 3]>(), 1..200)) {
        static MODEL: OnceLock<Model> = OnceLock::new();
        let model = MODEL.get_or_init(|| model(AFFINE, 1));
        let rows: Vec<_> = rows.iter().map(|row| row.map(f32::from)).collect();
        let together = score(model, &rows).unwrap();
        for (row, expected) in rows.iter().zip(together) {
            prop_assert_eq!(score(model, &[*row]).unwrap(), [expected]);
        }
    }
}

#[test]
fn files_that_are_no_network_are_refused() {
    let runtime = runtime();
    for bytes in [&b""[..], b"hello", &[0xff; 64], &AFFINE[..AFFINE.len() / 2]] {
        let error = Model::from_bytes(&runtime, bytes, 1, 1).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("model `{}`: expected an ONNX network", Hash::of(bytes)))
        );
    }
    let error = Model::from_bytes(&runtime, TEXT, 1, 1).unwrap_err();
    let expected = "input `words`: expected a tensor of numbers or booleans, found elements of type";
    assert!(error.to_string().contains(expected), "{error}");
}

/// The weights of this network would be read from wherever the process happens to stand.
#[test]
fn weights_in_another_file_are_refused() {
    let weights = [1.0f32; 9].map(f32::to_le_bytes).concat();
    let file = Path::new("weight.bin");
    fs::write(file, weights).unwrap();
    let error = Model::from_bytes(&runtime(), EXTERNAL, 1, 1);
    fs::remove_file(file).unwrap();
    assert!(matches!(error.unwrap_err().kind, ModelErrorKind::Refused { .. }));
}

#[test]
fn a_model_that_changed_after_it_was_verified_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let text = include_str!("manifests/late-return.toml")
        .replace(&"0".repeat(64), &Hash::of(AFFINE).to_string())
        .replace(&"1".repeat(64), &Hash::of(b"").to_string());
    fs::create_dir(directory.path().join("model")).unwrap();
    fs::write(directory.path().join("plugin.toml"), &text).unwrap();
    let manifest = foretell_runtime::manifest::Manifest::parse(&text, Path::new("plugin.toml")).unwrap();
    fs::write(directory.path().join(manifest.library_file()), "code").unwrap();
    let network = directory.path().join("model/network.onnx");
    fs::write(&network, AFFINE).unwrap();
    fs::write(directory.path().join("model/pairs.bin"), "").unwrap();

    let verified = Verified::trusting(directory.path()).unwrap();
    let opened = Model::open(&runtime(), &verified.models()[0], 1).unwrap();
    assert_eq!((opened.hash(), opened.threads()), (Hash::of(AFFINE), 2));
    assert_eq!(score(&opened, &[[0.0, 0.0, 0.0]]).unwrap(), [0.5]);

    fs::write(&network, PAIR).unwrap();
    let error = Model::open(&runtime(), &verified.models()[0], 1).unwrap_err();
    assert!(matches!(error.kind, ModelErrorKind::Changed { expected, found }
        if expected == Hash::of(AFFINE) && found == Hash::of(PAIR)));
}

#[test]
fn one_runtime_for_the_process() {
    let runtime = runtime();
    let library = library();
    assert!(Arc::ptr_eq(&runtime, &self::runtime()));
    assert_eq!((runtime.path(), runtime.version()), (library.path.as_path(), library.version.as_str()));
    let same = Places { configured: Some(library.path.clone()), ..Places::default() };
    assert!(Arc::ptr_eq(&runtime, &Runtime::start(&same).unwrap()));
    let other = Places { configured: Some(PathBuf::from("other.so")), ..Places::default() };
    let error = Runtime::start(&other).unwrap_err();
    assert!(matches!(&error, StartError::Another { running, .. } if *running == library.path), "{error}");
}

/// A directory with a library made for a test: what its `OrtGetApiBase` gives is the case.
fn fake(directory: &Path, case: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libraries/pretender.rs");
    let target = directory.join(format!("{case}{}", env::consts::DLL_SUFFIX));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-type=cdylib", "--cfg", case]).arg("-o").args([&target, &source]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target
}

#[test]
fn files_that_are_not_the_library_are_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let text = root.join("text.so");
    fs::write(&text, "not a library").unwrap();
    let empty = root.join("empty.so");
    fs::write(&empty, "").unwrap();
    let cases = [
        (root.join("missing.so"), "no library"),
        (root.to_owned(), "expected a file, found a directory"),
        (text, "it can't be loaded: "),
        (empty, "it can't be loaded: "),
        (fake(root, "no_symbol"), "it is not ONNX Runtime: it has no `OrtGetApiBase`"),
        (fake(root, "no_base"), "it is not ONNX Runtime: it gives no interface"),
        (fake(root, "no_version"), "expected version 1.24 or newer, found ``"),
        (fake(root, "old"), "expected version 1.24 or newer, found `1.17.3`"),
        (fake(root, "boastful"), "expected version 1.24 or newer, found `1.99.0`"),
    ];
    for (path, expected) in cases {
        // The program's own search would go on; a named file decides.
        for variable in [true, false] {
            let named = Some(path.clone());
            let mut places = Places { home: Places::of_process(None).home, ..Places::default() };
            if variable {
                places.variable = named;
            } else {
                places.configured = named;
            }
            let search = locate(&places);
            let place = &search.places[usize::from(!variable)];
            assert!(place.to_string().contains(expected), "{place}");
            assert!(search.library().is_err());
        }
    }
}

/// As after a download that broke off: mapping such a file works, using it would kill the process.
#[test]
#[cfg(target_os = "linux")]
fn a_library_without_its_end_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(library().path).expect("the tests' library is a file");
    let path = directory.path().join("libonnxruntime.so");
    for part in [whole.len() / 2, whole.len() - 1, 100] {
        fs::write(&path, &whole[..part]).unwrap();
        let search = locate(&Places { configured: Some(path.clone()), ..Places::default() });
        assert_eq!(search.places[1].finding, Finding::Unusable("the file is incomplete".to_owned()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn places_are_searched_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let real = library().path;
    let home = directory.path().join("onnxruntime");
    let program = directory.path().join("program");
    for version in ["1.9.0", "1.32.0", "1.31.0"] {
        fs::create_dir_all(home.join(version)).unwrap();
        std::os::unix::fs::symlink(&real, home.join(version).join(format!("libonnxruntime.so.{version}")))
            .unwrap();
        fs::write(home.join(version).join("libonnxruntime_providers_shared.so"), "").unwrap();
    }
    fs::create_dir(&program).unwrap();
    fs::write(program.join("libonnxruntime.so"), "not a library").unwrap();
    let places = Places { program: Some(program), home: Some(home), system: true, ..Places::default() };
    let search = locate(&places);
    let summary = search.places.iter().map(|place| {
        let path =
            place.path.as_ref().map(|path| path.strip_prefix(directory.path()).unwrap_or(path).to_owned());
        let finding = match &place.finding {
            Finding::Usable(_) => Finding::Usable("VERSION".to_owned()),
            Finding::Unusable(_) => Finding::Unusable("WHY".to_owned()),
            other => other.clone(),
        };
        format!("{:?} {:?} {finding:?}\n", place.origin, path)
    });
    insta::assert_snapshot!(summary.collect::<String>());
    assert!(search.library().unwrap().path.ends_with("1.32.0/libonnxruntime.so.1.32.0"));

    let named = Places { variable: Some(real.clone()), ..places };
    let search = locate(&named);
    assert_eq!(search.library().unwrap().path, real);
    assert!(
        search.places[1..].iter().all(|place| matches!(place.finding, Finding::NotTried | Finding::Unset))
    );
    assert_eq!(search.places[0].origin, Origin::Variable);
}

/// The loader of the system would look for a bare name in its own places.
#[test]
fn a_name_without_a_directory_is_a_file_here() {
    let places = Places { variable: Some("Cargo.toml".into()), ..Places::default() };
    let search = locate(&places);
    assert_eq!(search.places[0].path, Some(env::current_dir().unwrap().join("Cargo.toml")));
    assert!(matches!(&search.places[0].finding, Finding::Unusable(why) if why.contains("loaded")));
}

#[test]
fn nothing_found_lists_every_place_and_the_fix() {
    let places = Places {
        variable: None,
        configured: None,
        program: Some("/no/program".into()),
        home: Some("/no/home".into()),
        system: false,
    };
    insta::assert_snapshot!(locate(&places).library().unwrap_err());
}
