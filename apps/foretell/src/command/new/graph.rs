//! What a network takes and gives, as far as it can be seen: its declaration, and what it answers to noise.

use foretell_runtime::onnx::{Answered, Dimension, Element, Inspection, Samples, TensorSpec};
use foretell_terminal::Failure;

use crate::arguments::{NewAnswer, NewTask};

/// Side of the pictures of a network that takes any.
const SIDE_PIXELS: usize = 224;
/// Records of noise that are shown to a network of a table; one to a network that takes one at a time.
const ROWS: usize = 64;
/// Pictures of noise.
const PICTURES: usize = 2;
/// Most numbers that are shown at once.
const NUMBERS_MAX: usize = 1 << 24;
/// By how much the sum of probabilities may differ from 1.
const ROUNDING: f32 = 1e-3;
/// Most numbers that the standard engine of tables gives to a network, and columns that a manifest has.
const COLUMNS_MAX: usize = 4_096;
/// Most classes that the standard engines read from a network.
const CLASSES_MAX: usize = 10_000;

/// What helps with an export of scikit-learn, whose answer is seldom a tensor of numbers unless that is asked for.
pub(super) const FROM_SCIKIT_LEARN: &str =
    "of scikit-learn, export with `zipmap=False`, and classes as numbers";

/// What a network takes.
#[derive(Debug, PartialEq)]
pub(super) enum Takes {
    /// One tensor `[n, numbers]`; how many it does not always say.
    Matrix(Option<usize>, &'static str),
    /// A tensor `[n, 1]` for each column, of which name and type of the numbers are given.
    Columns(Vec<(String, &'static str)>),
    /// A tensor of pictures.
    Pictures { is_nhwc: bool, takes_bytes: bool, height: usize, width: usize, channels: usize },
}

/// What was seen of a network.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) takes: Takes,
    /// Whether it takes one record at a time.
    pub(super) is_single: bool,
    /// What it gives, as `[config.answer]` names it.
    pub(super) gives: &'static str,
    /// How that is known.
    pub(super) known: Known,
    /// Numbers that it gives for a record.
    pub(super) width: usize,
    /// Whether a single number has a dimension of its own.
    pub(super) is_matrix: bool,
    pub(super) label_first: bool,
    /// Inputs and outputs, for people.
    pub(super) declared: String,
}

/// How it is known what the numbers are that a network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The task has nothing else.
    ByTask,
    /// The user says so.
    Stated,
    /// What it answered to noise is no probability.
    Seen,
    /// What it answered to noise may be probabilities, and need not.
    Guessed,
    /// It could not be tried.
    Untried,
}

/// Looks at a network for a task. `stated` is what the user says that its numbers are.
pub(super) fn look(
    inspection: &mut Inspection,
    task: NewTask,
    columns: Option<usize>,
    stated: Option<NewAnswer>,
) -> Result<Seen, Failure> {
    let list = |specs: &[TensorSpec]| {
        specs.iter().map(|spec| format!("`{}` {spec}", spec.name)).collect::<Vec<_>>().join(", ")
    };
    let declared = format!("takes {}, gives {}", list(inspection.inputs()), list(inspection.outputs()));
    let takes = takes(inspection.inputs())?;
    let numbers = match &takes {
        Takes::Matrix(numbers, _) => numbers.unwrap_or(1),
        Takes::Columns(columns) => columns.len(),
        Takes::Pictures { .. } => 1,
    };
    at_most("takes", numbers, COLUMNS_MAX)?;
    let is_single = is_single(inspection.inputs())?;
    let answered = show(inspection, &takes, is_single, columns)?;
    let label_first = matches!(inspection.outputs(), [first, _, ..] if first.element == Element::I64);
    let place = usize::from(label_first);
    let spec = inspection.outputs().get(place);
    let spec = spec.filter(|spec| spec.element == Element::F32).ok_or_else(|| {
        Failure::words(format!(
            "expected a network whose answer is a tensor of float32, found one that {declared}"
        ))
        .hint(Some("of scikit-learn, export with `zipmap=False`, and classes as numbers"))
    })?;
    let answer = answered.as_ref().and_then(|answered| answered.get(place));
    let (width, is_matrix) = width(spec, answer).ok_or_else(|| {
        Failure::words(format!(
            "expected an answer [n], [n, 1] or [n, classes], found a network that {declared}"
        ))
    })?;
    at_most("gives", width, CLASSES_MAX)?;
    let fits = match task {
        NewTask::BinaryClassification => width <= 2,
        NewTask::MulticlassClassification => width >= 2,
        NewTask::Regression => width == 1,
    };
    if !fits {
        return Err(Failure::words(format!(
            "the network gives {width} numbers for each record, which is not what the task has"
        ))
        .hint(Some("state another `--task`, or export the network with another last layer")));
    }
    let numbers = answer.map(|answer| &answer.numbers[..]);
    let (gives, known) = gives(task, width, numbers, stated)?;
    Ok(Seen { takes, is_single, gives, known, width, is_matrix, label_first, declared })
}

/// What the standard engines can take of a network's numbers, before anything is made for each of them.
fn at_most(what: &str, found: usize, most: usize) -> Result<(), Failure> {
    match found > most {
        false => Ok(()),
        true => Err(Failure::words(format!(
            "the network {what} {found} numbers for each record; a standard plugin has {most} at most"
        ))
        .hint(Some("anything else needs code: see `foretell plugin new --lang rust`"))),
    }
}

/// What the numbers are, and how that is known. Numbers outside of 0 to 1 prove that they are no probabilities; nothing proves that they
/// are.
fn gives(
    task: NewTask,
    width: usize,
    numbers: Option<&[f32]>,
    stated: Option<NewAnswer>,
) -> Result<(&'static str, Known), Failure> {
    let (share, other) = match (task, width) {
        (NewTask::Regression, _) => ("value", "value"),
        (_, 1) => ("probability", "logit"),
        _ => ("probabilities", "logits"),
    };
    let outside = numbers.and_then(|numbers| numbers.iter().find(|number| !is_share(&[**number])));
    let no_sum = numbers.is_some_and(|numbers| width > 1 && !sums_to_one(numbers, width));
    let no_share = outside.is_some() || no_sum;
    if let Some(stated) = stated {
        let stated = stated.in_manifest();
        if stated != share && stated != other {
            let expected = if share == other { share.to_owned() } else { format!("{share} or {other}") };
            return Err(Failure::words(format!(
                "`--answer`: expected {expected} of a network that gives {width} numbers for each record and of this task, found {stated}"
            )));
        }
        if stated == share && share != other && no_share {
            let found = outside.map_or("numbers that do not add up to 1".to_owned(), f32::to_string);
            return Err(Failure::words(format!(
                "`--answer`: expected {other}, since the network answers {found} to noise, found {stated}"
            )));
        }
        return Ok((stated, Known::Stated));
    }
    Ok(match numbers {
        _ if share == other => (share, Known::ByTask),
        None => (other, Known::Untried),
        Some(_) if no_share => (other, Known::Seen),
        Some(_) => (share, Known::Guessed),
    })
}

fn is_share(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| (-ROUNDING..=1.0 + ROUNDING).contains(number))
}

fn sums_to_one(numbers: &[f32], width: usize) -> bool {
    numbers.chunks_exact(width).all(|row| (row.iter().sum::<f32>() - 1.0).abs() <= ROUNDING)
}

/// Numbers that an output has for each record, and whether they have a dimension of their own.
fn width(spec: &TensorSpec, answer: Option<&Answered>) -> Option<(usize, bool)> {
    if let Some(answer) = answer {
        return match answer.shape[..] {
            [_] => Some((1, false)),
            [_, width] if width > 0 => Some((width, true)),
            _ => None,
        };
    }
    match &spec.shape[..] {
        [_] => Some((1, false)),
        [_, Dimension::Fixed(width)] => {
            Some((usize::try_from(*width).ok().filter(|width| *width > 0)?, true))
        }
        _ => None,
    }
}

fn takes(inputs: &[TensorSpec]) -> Result<Takes, Failure> {
    let unfit = || {
        let found: Vec<_> = inputs.iter().map(|spec| format!("`{}` {spec}", spec.name)).collect();
        Failure::words(format!(
            "expected a network that takes one tensor [n, numbers], one tensor [n, 1] for each column, or pictures of 1 or 3 \
             channels, found one that takes {}",
            found.join(", ")
        ))
        .hint(Some("anything else needs code: see `foretell plugin new --lang rust`"))
    };
    let number = |element| match element {
        Element::F32 => Some("float32"),
        Element::F64 => Some("float64"),
        Element::I64 => Some("int64"),
        _ => None,
    };
    if let [input] = inputs {
        match &input.shape[..] {
            [_, columns] => {
                let element = number(input.element).ok_or_else(unfit)?;
                return Ok(Takes::Matrix(fixed(columns), element));
            }
            [_, first, second, third] => {
                return pictures(input.element, [first, second, third]).ok_or_else(unfit);
            }
            _ => (),
        }
    }
    let columns = inputs.iter().map(|spec| match &spec.shape[..] {
        [_, Dimension::Fixed(1)] => Some((spec.name.clone(), number(spec.element)?)),
        _ => None,
    });
    let columns = columns.collect::<Option<Vec<_>>>().filter(|columns| !columns.is_empty());
    columns.map(Takes::Columns).ok_or_else(unfit)
}

fn fixed(dimension: &Dimension) -> Option<usize> {
    match dimension {
        Dimension::Fixed(length) => usize::try_from(*length).ok().filter(|length| *length > 0),
        Dimension::Any(_) => None,
    }
}

fn pictures(element: Element, [first, second, third]: [&Dimension; 3]) -> Option<Takes> {
    let takes_bytes = match element {
        Element::U8 => true,
        Element::F32 => false,
        _ => return None,
    };
    let channels = |dimension| fixed(dimension).filter(|channels| matches!(channels, 1 | 3));
    let side = |dimension| fixed(dimension).unwrap_or(SIDE_PIXELS);
    let of = |is_nhwc, channels, height, width| {
        Some(Takes::Pictures { is_nhwc, takes_bytes, height: side(height), width: side(width), channels })
    };
    match (channels(first), channels(third)) {
        (Some(channels), _) => of(false, channels, second, third),
        (None, Some(channels)) => of(true, channels, first, second),
        (None, None) => None,
    }
}

/// Whether the network takes one record at a time.
fn is_single(inputs: &[TensorSpec]) -> Result<bool, Failure> {
    let fixed = inputs.iter().find_map(|spec| match spec.shape.first() {
        Some(Dimension::Fixed(rows)) => Some(*rows),
        _ => None,
    });
    match fixed {
        None => Ok(false),
        Some(1) => Ok(true),
        Some(rows) => Err(Failure::words(format!(
            "expected a network that takes any number of records, or one, found {rows} at a time"
        ))
        .hint(Some("export it with a batch of any size"))),
    }
}

/// What it answers to noise; nothing where it can't be shown any.
fn show(
    inspection: &mut Inspection,
    takes: &Takes,
    is_single: bool,
    columns: Option<usize>,
) -> Result<Option<Vec<Answered>>, Failure> {
    let (shape, bytes) = match *takes {
        Takes::Matrix(numbers, "float32") => {
            let Some(numbers) = numbers.or(columns) else { return Ok(None) };
            (vec![if is_single { 1 } else { ROWS }, numbers], false)
        }
        Takes::Matrix(..) | Takes::Columns(_) => return Ok(None),
        Takes::Pictures { is_nhwc, takes_bytes, height, width, channels } => {
            let rows = if is_single { 1 } else { PICTURES };
            let sides = if is_nhwc { [height, width, channels] } else { [channels, height, width] };
            ([&[rows][..], &sides].concat(), takes_bytes)
        }
    };
    let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    let Some(count) = count.filter(|count| *count <= NUMBERS_MAX) else { return Ok(None) };
    let noise = noise(count);
    let answered = match bytes {
        true => inspection.run(&shape, Samples::Bytes(&noise)),
        false if shape.len() == 2 => {
            // Far beyond what a table usually has, so that what is bounded shows that it is.
            let numbers: Vec<f32> = noise.iter().map(|byte| (f32::from(*byte) - 128.0) * 8.0).collect();
            inspection.run(&shape, Samples::Floats(&numbers))
        }
        false => {
            let numbers: Vec<f32> = noise.iter().map(|byte| f32::from(*byte) / 255.0).collect();
            inspection.run(&shape, Samples::Floats(&numbers))
        }
    };
    answered.map(Some).map_err(|error| Failure::words(format!("the network does not run: {error}")))
}

/// Bytes without an order that a network would know: the upper bits of Knuth's linear congruential generator (The Art of Computer
/// Programming, volume 2, section 3.3.4, table 1, line 26).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..count).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proved_is_called_seen() {
        use NewAnswer::{Logit, Logits, Probabilities, Probability, Value};
        let (binary, several) = (NewTask::BinaryClassification, NewTask::MulticlassClassification);
        let shares: Option<&[f32]> = Some(&[0.25, 0.75, 0.0, 1.0]);
        let others: Option<&[f32]> = Some(&[0.5, 0.5, -3.0, 0.5]);
        let no_sum: Option<&[f32]> = Some(&[0.25, 0.25, 0.5, 0.5]);
        let cases = [
            (binary, 1, shares, None, Ok(("probability", Known::Guessed))),
            (binary, 1, others, None, Ok(("logit", Known::Seen))),
            (binary, 1, None, None, Ok(("logit", Known::Untried))),
            (several, 2, shares, None, Ok(("probabilities", Known::Guessed))),
            (several, 2, no_sum, None, Ok(("logits", Known::Seen))),
            (several, 2, None, None, Ok(("logits", Known::Untried))),
            (NewTask::Regression, 1, shares, None, Ok(("value", Known::ByTask))),
            // What is stated counts, unless it is disproved.
            (binary, 1, shares, Some(Logit), Ok(("logit", Known::Stated))),
            (binary, 1, None, Some(Probability), Ok(("probability", Known::Stated))),
            (several, 2, shares, Some(Logits), Ok(("logits", Known::Stated))),
            (
                binary,
                1,
                others,
                Some(Probability),
                Err("expected logit, since the network answers -3 to noise"),
            ),
            (several, 2, no_sum, Some(Probabilities), Err("numbers that do not add up to 1 to noise")),
            (
                binary,
                1,
                shares,
                Some(Probabilities),
                Err("expected probability or logit of a network that gives 1"),
            ),
            (
                several,
                2,
                shares,
                Some(Value),
                Err("expected probabilities or logits of a network that gives 2"),
            ),
            (NewTask::Regression, 1, shares, Some(Logit), Err("expected value of a network")),
        ];
        for (task, width, numbers, stated, expected) in cases {
            match (gives(task, width, numbers, stated), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{task:?} {numbers:?} {stated:?}"),
                (Err(failure), Err(expected)) => {
                    let failure = failure.to_string();
                    assert!(failure.contains(expected), "{failure}");
                }
                (found, expected) => {
                    panic!("{task:?} {numbers:?} {stated:?}: {:?}, expected {expected:?}", found.is_ok())
                }
            }
        }
    }

    /// Names and labels are made for each number, so a network that states more of them than any has is refused before.
    #[test]
    fn sizes_have_limits() {
        let spec = |columns: i64| TensorSpec {
            name: "numbers".to_owned(),
            element: Element::F32,
            shape: vec![Dimension::Any(String::new()), Dimension::Fixed(columns)],
        };
        let numbers = |columns| match takes(&[spec(columns)]) {
            Ok(Takes::Matrix(Some(numbers), _)) => numbers,
            other => panic!("{}", other.is_ok()),
        };
        assert!(at_most("takes", numbers(4_096), COLUMNS_MAX).is_ok());
        let failure = at_most("takes", numbers(i64::MAX), COLUMNS_MAX).unwrap_err().to_string();
        assert!(
            failure.contains("takes 9223372036854775807 numbers for each record; a standard plugin has 4096")
        );
        let (width, _) = width(&spec(i64::MAX), None).unwrap();
        assert!(at_most("gives", width, CLASSES_MAX).is_err());
    }
}
