//! What a plugin answered: as plain values, whether it makes sense for the task, and whether two answers are the same.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array, StructArray};
use arrow_schema::DataType;
use foretell_runtime::manifest::{Manifest, Task};

/// Largest difference of two numbers that are the same, relative to the larger: a network adds in another order in another batch.
pub const RELATIVE_TOLERANCE: f64 = 1e-5;
/// Largest difference of two numbers that are the same, however small they are.
pub const ABSOLUTE_TOLERANCE: f64 = 1e-6;
/// Largest share of a mask's pixels in which two equal masks may differ: a score at a threshold may fall on either side of it.
pub const PIXELS_SHARE_MAX: f64 = 0.001;

/// A value of an answer; a struct is the list of its fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Number(f32),
    Whole(i64),
    Text(String),
    List(Vec<Cell>),
}

impl Cell {
    /// Numbers, texts and lengths in a form in which equal answers have equal bytes.
    fn digest(&self, hasher: &mut blake3::Hasher) {
        match self {
            Cell::Null => hasher.update(&[0]),
            Cell::Number(number) => hasher.update(&[1]).update(&number.to_bits().to_le_bytes()),
            Cell::Whole(number) => hasher.update(&[2]).update(&number.to_le_bytes()),
            Cell::Text(text) => {
                hasher.update(&[3]).update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes())
            }
            Cell::List(cells) => {
                hasher.update(&[4]).update(&(cells.len() as u64).to_le_bytes());
                cells.iter().for_each(|cell| cell.digest(hasher));
                hasher
            }
        };
    }

    fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some(f64::from(*number)),
            Cell::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }

    fn items(&self) -> &[Cell] {
        match self {
            Cell::List(cells) => cells,
            _ => &[],
        }
    }
}

/// A hash of some answers: equal for equal bits, and for nothing else.
pub(crate) fn digest(answers: &[Cell]) -> String {
    let mut hasher = blake3::Hasher::new();
    answers.iter().for_each(|answer| answer.digest(&mut hasher));
    hasher.finalize().to_hex().to_string()
}

/// Predictions as one answer for each record, a list of its columns.
pub(crate) fn answers(columns: &StructArray) -> Vec<Cell> {
    (0..columns.len()).map(|row| cell(columns, row)).collect()
}

fn cell(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Float32 => Cell::Number(array.as_primitive::<Float32Type>().value(row)),
        DataType::Int32 => Cell::Whole(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Whole(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Cell::Whole(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::Timestamp(..) => Cell::Whole(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref()),
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref()),
        DataType::Struct(_) => {
            Cell::List(array.as_struct().columns().iter().map(|column| cell(column, row)).collect())
        }
        other => unreachable!("no task answers {other}"),
    }
}

fn list(items: &dyn Array) -> Cell {
    Cell::List((0..items.len()).map(|item| cell(items, item)).collect())
}

/// What is wrong with an answer, if it means nothing for the task of the manifest.
pub(crate) fn fault(manifest: &Manifest, answer: &Cell) -> Option<String> {
    let columns = answer.items();
    let labels = &manifest.output.labels;
    let share = |number: Option<f64>, name: &str| {
        let number = number.unwrap_or(f64::NAN);
        (!(0.0..=1.0).contains(&number)).then(|| format!("answered {number} as `{name}`; expected 0 to 1"))
    };
    let found = match manifest.plugin.task {
        Task::BinaryClassification => share(columns[0].number(), "score"),
        Task::MulticlassClassification => {
            columns[0].items().iter().find_map(|score| share(score.number(), "scores"))
        }
        Task::Regression => None,
        Task::Ranking => columns[0].items().iter().find_map(|item| match &item.items()[0] {
            Cell::Text(text) if text.is_empty() => Some("ranked an item without a name".to_owned()),
            _ => None,
        }),
        Task::Detection | Task::Tracking => columns[0].items().iter().find_map(|found| {
            let fields = found.items();
            let side = |name: &str, place: usize| {
                let length = fields[place].number().unwrap_or(f64::NAN);
                (length < 0.0).then(|| format!("answered {length} as `{name}` of a box; expected 0 or more"))
            };
            side("width", 2).or_else(|| side("height", 3)).or_else(|| share(fields[5].number(), "score"))
        }),
        Task::Segmentation => mask_fault(columns, labels.len()),
        Task::Forecast => steps_fault(columns[0].items()),
    };
    found.or_else(|| not_finite(answer))
}

fn mask_fault(columns: &[Cell], labels: usize) -> Option<String> {
    let side = |place: usize| columns[place].number().unwrap_or(f64::NAN);
    let classes = columns[2].items();
    if side(0) * side(1) != classes.len() as f64 || side(0) < 0.0 {
        return Some(format!("answered a mask of {} x {} with {} pixels", side(0), side(1), classes.len()));
    }
    let beyond = classes.iter().filter_map(Cell::number).find(|class| *class >= labels as f64)?;
    Some(format!("answered class {beyond} of a pixel; expected one of {labels} labels, from 0"))
}

fn steps_fault(steps: &[Cell]) -> Option<String> {
    let time = |step: &Cell| step.items()[0].number();
    if let Some(pair) = steps.windows(2).find(|pair| time(&pair[0]) >= time(&pair[1])) {
        return Some(format!("answered the time {:?} after {:?}", time(&pair[1]), time(&pair[0])));
    }
    steps.iter().find_map(|step| {
        let (low, high) = (step.items()[2].number()?, step.items()[3].number()?);
        (low > high).then(|| format!("answered {low} as `low` and {high} as `high` of a step"))
    })
}

fn not_finite(answer: &Cell) -> Option<String> {
    match answer {
        Cell::Number(number) if !number.is_finite() => {
            Some(format!("answered {number}; expected a finite number"))
        }
        Cell::List(cells) => cells.iter().find_map(not_finite),
        _ => None,
    }
}

/// Whether two answers are the same but for rounding.
///
/// Ranked items and boxes may stand in another order where their scores are that near, and a few pixels of a mask may have
/// another class.
pub(crate) fn is_near(manifest: &Manifest, one: &Cell, other: &Cell) -> bool {
    if near(one, other) {
        return true;
    }
    let (one, other) = (one.items(), other.items());
    match manifest.plugin.task {
        Task::Ranking | Task::Detection | Task::Tracking => {
            one.len() == other.len() && one.len() == 1 && in_another_order(one[0].items(), other[0].items())
        }
        Task::Segmentation => {
            let (ours, theirs) = (one[2].items(), other[2].items());
            let different = ours.iter().zip(theirs).filter(|(one, other)| one != other).count();
            one[..2] == other[..2]
                && ours.len() == theirs.len()
                && different as f64 <= PIXELS_SHARE_MAX * ours.len() as f64
        }
        _ => false,
    }
}

fn in_another_order(one: &[Cell], other: &[Cell]) -> bool {
    let mut left: Vec<&Cell> = other.iter().collect();
    one.len() == other.len()
        && one.iter().all(|item| {
            let place = left.iter().position(|candidate| near(item, candidate));
            place.map(|place| left.swap_remove(place)).is_some()
        })
}

fn near(one: &Cell, other: &Cell) -> bool {
    match (one, other) {
        (Cell::Number(one), Cell::Number(other)) => {
            let (one, other) = (f64::from(*one), f64::from(*other));
            let size = one.abs().max(other.abs());
            one == other
                || one.is_nan() && other.is_nan()
                || one.is_finite()
                    && other.is_finite()
                    && (one - other).abs() <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * size
        }
        (Cell::List(one), Cell::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| near(one, other))
        }
        (one, other) => one == other,
    }
}

/// The most characters of an answer that are shown.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// An answer in a few words.
pub(crate) fn in_words(answer: &Cell) -> String {
    let mut text = String::new();
    write(answer, &mut text);
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

fn write(answer: &Cell, text: &mut String) {
    if text.len() > SHOWN_CHARACTERS_MAX * char::MAX.len_utf8() {
        return;
    }
    match answer {
        Cell::Null => text.push_str("null"),
        Cell::Number(number) => text.push_str(&number.to_string()),
        Cell::Whole(number) => text.push_str(&number.to_string()),
        Cell::Text(words) => text.push_str(&format!("{words:?}")),
        Cell::List(cells) => {
            text.push('[');
            for (place, cell) in cells.iter().enumerate() {
                if place > 0 {
                    text.push_str(", ");
                }
                write(cell, text);
            }
            text.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest(task: &str, output: &str) -> Manifest {
        let text = format!(
            "schema = 1\n[plugin]\nname = \"a\"\nversion = \"1.0.0\"\ndescription = \"a\"\nlicense = \"MIT\"\nauthors = [\"a\"]\n\
             domain = \"a\"\ntask = \"{task}\"\nabi = \"1.0\"\nlibrary = \"a\"\n[[input]]\nname = \"x\"\ntype = \"float64\"\n{output}"
        );
        Manifest::parse(&text, Path::new("plugin.toml")).unwrap()
    }

    fn number(number: f32) -> Cell {
        Cell::Number(number)
    }

    fn list(cells: impl IntoIterator<Item = Cell>) -> Cell {
        Cell::List(cells.into_iter().collect())
    }

    fn found(x: f32, width: f32, score: f32) -> Cell {
        list([number(x), number(0.0), number(width), number(1.0), Cell::Text("a".into()), number(score)])
    }

    fn mask(height: i64, classes: &[i64]) -> Cell {
        list([Cell::Whole(height), Cell::Whole(2), list(classes.iter().copied().map(Cell::Whole))])
    }

    fn step(time: i64, low: f32, high: f32) -> Cell {
        list([Cell::Whole(time), number(1.0), number(low), number(high)])
    }

    #[test]
    fn answers_that_mean_nothing_are_told() {
        let labels = "[output]\nlabels = [\"a\", \"b\"]\n";
        let positive = format!("{labels}positive = \"a\"\n");
        let cases = [
            ("binary-classification", &*positive, list([number(0.5)]), None),
            ("binary-classification", &positive, list([number(1.5)]), Some("answered 1.5 as `score`")),
            ("binary-classification", &positive, list([number(f32::NAN)]), Some("NaN")),
            ("multiclass-classification", labels, list([list([number(0.5), number(-0.5)])]), Some("-0.5")),
            ("regression", "", list([number(-7.5)]), None),
            ("regression", "", list([number(f32::INFINITY)]), Some("inf")),
            (
                "ranking",
                "",
                list([list([list([Cell::Text(String::new()), number(1.0), Cell::Null])])]),
                Some("without a name"),
            ),
            ("detection", labels, list([list([found(0.0, 1.0, 0.5)])]), None),
            ("detection", labels, list([list([found(0.0, -1.0, 0.5)])]), Some("`width`")),
            ("detection", labels, list([list([found(f32::NAN, 1.0, 0.5)])]), Some("NaN")),
            ("detection", labels, list([list([found(0.0, 1.0, 2.0)])]), Some("`score`")),
            ("segmentation", labels, mask(1, &[0, 1]), None),
            ("segmentation", labels, mask(1, &[0, 2]), Some("class 2")),
            ("segmentation", labels, mask(2, &[0, 1]), Some("2 x 2 with 2 pixels")),
            ("forecast", "", list([list([step(1, 0.0, 1.0), step(2, 0.0, 1.0)])]), None),
            ("forecast", "", list([list([step(2, 0.0, 1.0), step(1, 0.0, 1.0)])]), Some("after")),
            ("forecast", "", list([list([step(1, 2.0, 1.0)])]), Some("`low`")),
        ];
        for (task, output, answer, expected) in cases {
            let told = fault(&manifest(task, output), &answer);
            match expected {
                None => assert_eq!(told, None, "{task}: {answer:?}"),
                Some(words) => {
                    assert!(told.as_ref().is_some_and(|told| told.contains(words)), "{task}: {told:?}");
                }
            }
        }
    }

    #[test]
    fn answers_are_the_same_but_for_rounding() {
        let labels = "[output]\nlabels = [\"a\", \"b\"]\n";
        let detection = manifest("detection", labels);
        let (one, other) = (found(0.0, 1.0, 0.5), found(9.0, 1.0, 0.5));
        let both = |first: &Cell, second: &Cell| list([list([first.clone(), second.clone()])]);
        assert!(is_near(&detection, &both(&one, &other), &both(&other, &one)));
        assert!(!is_near(&detection, &both(&one, &other), &both(&one, &one)));
        let regression = manifest("regression", "");
        for (one, other, expected) in [
            (1.0, 1.000_005, true),
            (1.0, 1.000_1, false),
            (0.0, 5e-7, true),
            (0.0, 1e-5, false),
            (f32::NAN, f32::NAN, true),
            (f32::INFINITY, f32::INFINITY, true),
            (f32::INFINITY, 1.0, false),
        ] {
            assert_eq!(is_near(&regression, &list([number(one)]), &list([number(other)])), expected);
        }
        let segmentation = manifest("segmentation", labels);
        let classes = vec![0; 2_000];
        let mut changed = classes.clone();
        changed[7] = 1;
        assert!(is_near(&segmentation, &mask(1_000, &classes), &mask(1_000, &changed)));
        changed[..20].fill(1);
        assert!(!is_near(&segmentation, &mask(1_000, &classes), &mask(1_000, &changed)));
        assert_eq!(digest(&[mask(1, &[0])]), digest(&[mask(1, &[0])]));
        assert_ne!(digest(&[number(0.0)]), digest(&[number(-0.0)]), "bits, and not values");
    }
}
