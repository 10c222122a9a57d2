//! Answers: predictions, maps of attention, the type that is stated at open, and the words of an error.

use std::path::Path;
use std::sync::LazyLock;

use arrow_schema::{DataType, Field, Fields};
use foretell_abi::{ArrowArray, ERROR_BYTES_MAX, Error};
use foretell_jobs::{Answer, Predicted, answers};
use foretell_runtime::attention::Maps;
use foretell_runtime::manifest::{Manifest, Task};
use foretell_runtime::plugin::{Predictions, stated_type};
use serde_json::Value;

use crate::array::Owner;
use crate::choice::Choices;

/// One plugin of each task, and one that says how far a record is from what it knows.
static PLUGINS: LazyLock<Vec<Manifest>> = LazyLock::new(|| {
    let tasks = [
        ("binary-classification", "labels = [\"a\", \"b\"]\npositive = \"b\"\nnovelty = { threshold = 2.0 }"),
        ("binary-classification", "labels = [\"a\", \"b\"]\npositive = \"b\""),
        ("multiclass-classification", "labels = [\"a\", \"b\\\"\", \"c\"]\nnovelty = { threshold = 2.0 }"),
        ("regression", ""),
        ("ranking", ""),
        ("detection", "labels = [\"a\"]"),
        ("tracking", "labels = [\"a\"]"),
        ("segmentation", "labels = [\"a\", \"b\", \"c\"]"),
        ("forecast", ""),
    ];
    tasks.map(|(task, output)| plugin(task, output)).into()
});

fn plugin(task: &str, output: &str) -> Manifest {
    let text = format!(
        "schema = 1\n[plugin]\nname = \"any\"\nversion = \"1.0.0\"\ndescription = \"any\"\nlicense = \"MIT\"\nauthors = [\"any\"]\n\
         domain = \"any\"\ntask = \"{task}\"\nabi = \"1.0\"\nlibrary = \"any\"\n[[input]]\nname = \"picture\"\ntype = \"image\"\n\
         image = {{ width = 64, height = 48, fit = \"letterbox\" }}\n[output]\n{output}\n"
    );
    Manifest::parse(&text, Path::new("plugin.toml")).unwrap_or_else(|error| panic!("{error}"))
}

/// Records of a batch.
const ROWS_MAX: usize = 12;
/// Odds of each lie, one in so many: mostly one or two in an answer, so that each gets as far as it can. The last tells none.
const ODDS: [usize; 4] = [60, 20, 200, usize::MAX];
/// Longest reason why a record has no prediction.
const REASON_BYTES_MAX: usize = 1_000;

/// Hands over an answer, and looks at what becomes of it.
pub(crate) fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let manifest = &PLUGINS[choices.below(PLUGINS.len())];
    let odds = choices.of(&ODDS);
    match choices.below(8) {
        0 => state(manifest, odds, &mut choices),
        1 => attend(manifest, odds, &mut choices),
        2 => complain(&mut choices),
        _ => predict(manifest, odds, &mut choices),
    }
}

fn predict(manifest: &Manifest, odds: usize, choices: &mut Choices<'_>) {
    let expected = DataType::Struct(manifest.prediction_schema().fields().clone());
    let rows = choices.below(ROWS_MAX);
    let mut owner = Owner::new();
    let answer = owner.array(&expected, rows, odds, choices);
    let handed = answer.release.is_some();
    // SAFETY: what is not null is as long as it says.
    let taken = unsafe { Predictions::take(answer, &expected, rows) };
    match taken {
        Ok(predictions) => {
            assert_eq!(predictions.len(), rows);
            // At once, where nothing of it is left to be looked at.
            assert!(owner.releases() <= 1);
            let sizes = [(64, 48), (1, 1), (3000, 7), (u32::MAX, 1)];
            let originals: Vec<_> = match choices.once_in(2) {
                true => (0..rows).map(|_| choices.of(&sizes)).collect(),
                false => Vec::new(),
            };
            let found = answers(manifest, &predictions, &originals);
            assert_eq!(found.len(), rows);
            found.iter().for_each(|answer| look_at(manifest, answer));
        }
        Err(error) => {
            assert!(owner.lies, "a true answer is refused: {error}");
            assert!(error.to_string().len() <= REASON_BYTES_MAX, "{error}");
        }
    }
    assert_eq!(owner.releases(), usize::from(handed));
}

/// An answer as it is stored: finite numbers, and JSON that is read back.
fn look_at(manifest: &Manifest, answer: &Answer) {
    match answer {
        Answer::Predicted(Predicted { score, label, output }) => {
            assert!(score.is_none_or(f64::is_finite), "{answer:?}");
            let output = output.as_deref().map(serde_json::from_str::<Value>);
            assert!(output.as_ref().is_none_or(Result::is_ok), "{output:?} of {answer:?}");
            if manifest.plugin.task == Task::MulticlassClassification {
                assert!(label.as_ref().is_some_and(|label| manifest.output.labels.contains(label)));
            }
        }
        Answer::Refused { reason, .. } => {
            assert!(!reason.is_empty() && reason.len() <= REASON_BYTES_MAX, "{reason}");
        }
    }
}

fn attend(manifest: &Manifest, odds: usize, choices: &mut Choices<'_>) {
    let side = |name| Field::new(name, DataType::Int32, false);
    let values = DataType::List(Field::new("item", DataType::Float32, false).into());
    let fields = vec![side("height"), side("width"), Field::new("values", values, false)];
    let rows = choices.below(ROWS_MAX);
    let mut owner = Owner::new();
    let answer: ArrowArray = owner.array(&DataType::Struct(Fields::from(fields)), rows, odds, choices);
    let handed = answer.release.is_some();
    // SAFETY: what is not null is as long as it says.
    match unsafe { Maps::take(answer, manifest, rows) } {
        Ok(maps) => {
            assert_eq!(maps.len(), rows);
            for Maps { height, width, classes } in &maps {
                assert!(!classes.is_empty() && height * width > 0);
                assert!(classes.iter().all(|class| class.len() == height * width));
                assert!(classes.iter().flatten().all(|value| value.is_finite()));
            }
        }
        Err(error) => assert!(error.to_string().len() <= REASON_BYTES_MAX, "{error}"),
    }
    assert_eq!(owner.releases(), usize::from(handed));
}

fn state(manifest: &Manifest, odds: usize, choices: &mut Choices<'_>) {
    let expected = DataType::Struct(manifest.prediction_schema().fields().clone());
    let mut owner = Owner::new();
    let mut schema = owner.schema(&expected, odds, choices);
    // SAFETY: what is not null can be read, and its texts end.
    match unsafe { stated_type(&mut schema) } {
        Ok(found) => assert!(owner.lies || found.equals_datatype(&expected), "{found} for {expected}"),
        Err(words) => {
            assert!(owner.lies, "a true statement is refused: {words}");
            assert!(words.len() <= REASON_BYTES_MAX, "{words}");
        }
    }
    assert_eq!(owner.releases(), 1);
}

/// An error whose length is anything, and whose bytes are.
fn complain(choices: &mut Choices<'_>) {
    let mut error = Error::empty();
    error.length = choices.of(&[0, 1, ERROR_BYTES_MAX, ERROR_BYTES_MAX + 1, usize::MAX]);
    for byte in &mut error.message {
        *byte = choices.byte();
    }
    // A byte that is no text becomes one letter of three bytes.
    assert!(error.text().len() <= 3 * ERROR_BYTES_MAX);
}
