use foretell_sdk::testing::{Array, Rehearsal};
use foretell_sdk::{Open, Plugin, Records};

use super::*;

/// A plugin that shows nothing to its network: only its answer matters here.
struct Engine {
    network: Model,
    reading: Reading,
}

impl Plugin for Engine {
    type Predictions = Answers;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let settings: Settings = settings(request.config())?;
        Ok(Self { network: request.model("network")?, reading: settings.reading()? })
    }

    fn predict(&self, records: &Records<'_>, answers: &mut Answers) -> Result<(), Error> {
        self.reading.run(self.network, &[Tensor::new(&[0.0f32], &[1])?], records.len(), answers)
    }

    fn form(&self) -> Option<Form> {
        Some(self.reading.form())
    }
}

fn answer(config: &str, rows: usize, outputs: Vec<Array>) -> Result<Vec<f32>, String> {
    let rehearsal = Rehearsal::default()
        .numbers("a", vec![Some(0.0); rows])
        .config(config)
        .network("network", move |_| outputs.clone());
    rehearsal
        .predict::<Engine>()
        .map(|answers| answers.as_slice().to_vec())
        .map_err(|error| error.to_string())
}

#[test]
fn answers_become_what_they_mean() {
    let (binary, several) = ("binary-classification", "multiclass-classification");
    let e = std::f64::consts::E;
    for (task, settings, shape, given, expected) in [
        (binary, r#""gives":"probability""#, &[2][..], vec![0.25, 1.00005], vec![0.25, 1.0]),
        (binary, r#""gives":"probability","dimensions":2"#, &[2, 1], vec![0.25, -0.00005], vec![0.25, 0.0]),
        (binary, r#""gives":"logit""#, &[2], vec![0.0, 1.0], vec![0.5, e / (1.0 + e)]),
        (binary, r#""gives":"logit""#, &[2], vec![-1e30, 1e30], vec![0.0, 1.0]),
        (binary, r#""gives":"probabilities""#, &[2, 2], vec![0.9, 0.1, 0.25, 0.75], vec![0.1, 0.75]),
        (
            binary,
            r#""gives":"probabilities","positive":0"#,
            &[2, 2],
            vec![0.9, 0.1, 0.25, 0.75],
            vec![0.9, 0.25],
        ),
        (binary, r#""gives":"logits""#, &[2, 2], vec![3.0, 3.0, 1.0, 2.0], vec![0.5, e / (1.0 + e)]),
        (
            several,
            r#""gives":"probabilities","classes":3"#,
            &[1, 3],
            vec![0.2, 0.5, 0.3],
            vec![0.2, 0.5, 0.3],
        ),
        (
            several,
            r#""gives":"logits","classes":2"#,
            &[2, 2],
            vec![0.0, 1.0, 1e30, -1e30],
            vec![1.0 / (1.0 + e), e / (1.0 + e), 1.0, 0.0],
        ),
        ("regression", r#""gives":"value""#, &[2], vec![-3.5, 1e9], vec![-3.5, 1e9]),
        ("regression", r#""gives":"value","dimensions":2"#, &[2, 1], vec![-3.5, 7.0], vec![-3.5, 7.0]),
    ] {
        let config = format!(r#"{{"task":"{task}",{settings}}}"#);
        let found = answer(&config, shape[0], vec![Array::new(shape, given.clone())]).unwrap();
        assert_eq!(found.len(), expected.len(), "{config}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{config}: {found}, expected {expected}");
        }
        // The same behind the label, as scikit-learn has it.
        let config = config.replace('}', r#","label_first":true}"#);
        let labels = Array::new(&shape[..1], vec![1.0; shape[0]]);
        let behind = answer(&config, shape[0], vec![labels, Array::new(shape, given)]).unwrap();
        assert_eq!(behind, found, "{config}");
        assert_eq!(answer(&config, 0, vec![]), Ok(vec![]), "{config}");
    }
}

#[test]
fn what_is_no_prediction_is_an_error() {
    let config = |gives: &str| format!(r#"{{"task":"binary-classification","gives":"{gives}"}}"#);
    let given = |numbers: [f64; 2]| vec![Array::new(&[2], numbers)];
    for (gives, numbers, expected) in [
        ("probability", [0.5, 1.5], "found 1.5 for the record in row 1; state `gives = \"logit\"`"),
        ("probability", [-0.5, 0.5], "found -0.5 for the record in row 0"),
        ("logit", [f64::NAN, 0.5], "finite numbers for the record in row 0"),
        ("logit", [0.5, f64::INFINITY], "finite numbers for the record in row 1"),
    ] {
        let error = answer(&config(gives), 2, given(numbers)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let pairs = vec![Array::new(&[1, 2], [3.0, 0.5])];
    let error = answer(&config("probabilities"), 1, pairs).unwrap_err();
    assert!(error.contains("found 3 for the record in row 0; state `gives = \"logits\"`"), "{error}");
}

#[test]
fn settings_agree_with_each_other() {
    let (binary, several) = (r#""task":"binary-classification""#, r#""task":"multiclass-classification""#);
    let number = r#""task":"regression","gives":"value""#;
    for (settings, expected) in [
        (binary.to_owned(), "the settings can't be read: missing field `gives`"),
        (
            format!(r#"{binary},"gives":"value""#),
            "the setting `answer.gives` is value; expected probability, logit",
        ),
        (
            format!(r#"{several},"gives":"logit""#),
            "the setting `answer.gives` is logit; expected probabilities or logits",
        ),
        (
            r#""task":"regression","gives":"logit""#.to_owned(),
            "the setting `answer.gives` is logit; expected value",
        ),
        (r#""task":"ranking","gives":"value""#.to_owned(), "unknown variant `ranking`"),
        (
            format!(r#"{several},"gives":"logits","classes":1"#),
            "the setting `answer.classes` is 1; expected 2 to 10000",
        ),
        (
            format!(r#"{binary},"gives":"logits","classes":3"#),
            "the setting `answer.classes` is 3; expected 2 for the task",
        ),
        (format!(r#"{number},"classes":2"#), "the setting `answer.classes` is 2; expected none"),
        (
            format!(r#"{binary},"gives":"logits","positive":2"#),
            "the setting `answer.positive` is 2; expected 0 to 1",
        ),
        (
            format!(r#"{binary},"gives":"logit","positive":1"#),
            "the setting `answer.positive` is 1; expected none",
        ),
        (format!(r#"{number},"dimensions":3"#), "the setting `answer.dimensions` is 3; expected 1 to 2"),
        (
            format!(r#"{several},"gives":"logits","dimensions":2"#),
            "the setting `answer.dimensions` is 2; expected none",
        ),
        (format!(r#"{number},"colour":"red""#), "unknown field `colour`"),
    ] {
        let error = answer(&format!("{{{settings}}}"), 1, vec![]).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
