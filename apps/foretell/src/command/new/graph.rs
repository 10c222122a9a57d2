//! What a network takes and gives, as far as it can be seen: its declaration, and what it answers to noise.

use foretell_runtime::onnx::{Answered, Dimension, Element, Inspection, Samples, TensorSpec};
use foretell_terminal::Failure;

use crate::arguments::NewTask;

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
    /// Whether that follows from what it answered to noise, or from the task alone.
    pub(super) is_certain: bool,
    /// Numbers that it gives for a record.
    pub(super) width: usize,
    /// Whether a single number has a dimension of its own.
    pub(super) is_matrix: bool,
    pub(super) label_first: bool,
    /// Inputs and outputs, for people.
    pub(super) declared: String,
}

/// Looks at a network for a task.
pub(super) fn look(
    inspection: &mut Inspection,
    task: NewTask,
    columns: Option<usize>,
) -> Result<Seen, Failure> {
    let list = |specs: &[TensorSpec]| {
        specs.iter().map(|spec| format!("`{}` {spec}", spec.name)).collect::<Vec<_>>().join(", ")
    };
    let declared = format!("takes {}, gives {}", list(inspection.inputs()), list(inspection.outputs()));
    let takes = takes(inspection.inputs())?;
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
    let gives = match (task, width) {
        (NewTask::Regression, _) => "value",
        (_, 1) if numbers.is_some_and(is_share) => "probability",
        (_, 1) => "logit",
        _ if numbers.is_some_and(|numbers| is_share(numbers) && sums_to_one(numbers, width)) => {
            "probabilities"
        }
        _ => "logits",
    };
    let is_certain = numbers.is_some() || task == NewTask::Regression;
    Ok(Seen { takes, is_single, gives, is_certain, width, is_matrix, label_first, declared })
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
