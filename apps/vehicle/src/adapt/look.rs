//! What a network takes and answers: its declaration, and what it says to a grey picture and to noise.

use std::collections::BTreeMap;

use foretell_runtime::onnx::{Answered, Dimension, Element, Inspection, RunError, Samples, TensorSpec};

/// Side of the pictures that are shown to a network which takes any.
const SIDE_PIXELS: usize = 640;
/// Most samples that are shown at once.
const SAMPLES_MAX: usize = 1 << 26;
/// Channels of a picture.
const CHANNELS: usize = 3;
/// A sample of the grey picture.
const GREY: f32 = 128.0;
/// Greatest sample.
const WHITE: f32 = 255.0;
/// A network that is shown samples of 0 to 1 and answers to noise and to grey with less than this part of the difference that it
/// makes between them at 0 to 255 takes them for black.
const DIM_MAX: f32 = 0.25;

/// What was seen of a network.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its input.
    pub input: Input,
    /// Its outputs, in its own order.
    pub outputs: Vec<Seen>,
    /// By how much noise and grey differ in the answer to samples of 0 to 1, in parts of what they differ by at 0 to 255. `None`
    /// where it takes bytes, or does not tell noise from grey.
    pub dim: Option<f32>,
    /// What its file says of itself.
    pub metadata: BTreeMap<String, String>,
}

/// The input of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name, element type and shape, as declared.
    pub declared: String,
    /// Whether the channels of a pixel stand beside each other.
    pub is_nhwc: bool,
    /// Whether it takes bytes.
    pub takes_bytes: bool,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Whether width and height are the network's own, and not chosen here.
    pub is_sized: bool,
    /// Images that it always takes at once; any number without it.
    pub batch: Option<usize>,
}

/// An output of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Name, element type and shape, as declared.
    pub declared: String,
    /// Type of its numbers.
    pub element: Element,
    /// Shape for one image, as answered.
    pub shape: Vec<usize>,
    /// What it answered to noise, for one image.
    pub numbers: Vec<f32>,
}

/// A network that the detector can't run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It takes something else than one picture.
    #[error(
        "expected one input, a tensor of pictures with 3 channels, found {found}; export the network without its other inputs"
    )]
    Inputs {
        /// What it takes.
        found: String,
    },
    /// It takes pictures as other numbers.
    #[error(
        "expected an input of f32 or u8, found {found}; export the network with float32 inputs and outputs (its weights may stay float16)"
    )]
    Element {
        /// What it takes.
        found: String,
    },
    /// A picture is too large to be shown.
    #[error("expected an input of at most {SAMPLES_MAX} numbers, found {found}")]
    Size {
        /// What it takes.
        found: String,
    },
    /// It does not run.
    #[error("it was shown a picture of {width} x {height} pixels and failed: {message}")]
    Run {
        /// Width.
        width: usize,
        /// Height.
        height: usize,
        /// What ONNX Runtime said.
        message: String,
    },
    /// It answers numbers that the detector does not read.
    #[error(
        "output {found}: expected f32, i32 or i64; export the network with float32 inputs and outputs (its weights may stay \
         float16)"
    )]
    Output {
        /// The output.
        found: String,
    },
    /// It answers something else for each picture.
    #[error(
        "output `{output}` has the shape {first:?} for one picture and {second:?} for another; export the network with a fixed \
         number of boxes, or without the suppression of overlaps, which foretell does"
    )]
    Varies {
        /// The output.
        output: String,
        /// Its first shape.
        first: Vec<usize>,
        /// Its second shape.
        second: Vec<usize>,
    },
    /// Its answer does not say which picture it is of.
    #[error("output `{output}` has the shape {shape:?}; expected {batch} first, the number of pictures")]
    NoBatch {
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Pictures that were shown.
        batch: usize,
    },
}

/// Shows a network a grey picture and noise, and writes down what it answers.
pub fn look(inspection: &mut Inspection) -> Result<Facts, Unfit> {
    let input = read_input(inspection)?;
    let is_read = |spec: &&TensorSpec| matches!(spec.element, Element::F32 | Element::I32 | Element::I64);
    if let Some(spec) = inspection.outputs().iter().find(|spec| !is_read(spec)) {
        return Err(Unfit::Output { found: declared(spec) });
    }
    let rows = input.batch.unwrap_or(1);
    let length = input.width * input.height * CHANNELS;
    let noise: Vec<f32> = (0..length).map(noise).collect();
    let grey = vec![GREY; length];
    let mut show = |picture: &[f32], scale: f32| show(inspection, &input, picture, scale);
    let (first, second) = (show(&noise, 1.0)?, show(&grey, 1.0)?);
    for (first, second) in first.iter().zip(&second) {
        if first.shape != second.shape {
            let (output, first, second) = (first.name.clone(), first.shape.clone(), second.shape.clone());
            return Err(Unfit::Varies { output, first, second });
        }
        if first.shape.first() != Some(&rows) {
            let (output, shape) = (first.name.clone(), first.shape.clone());
            return Err(Unfit::NoBatch { output, shape, batch: rows });
        }
    }
    let mut answers = first;
    let mut dim = None;
    if !input.takes_bytes {
        let (noise, grey) = (show(&noise, 1.0 / WHITE)?, show(&grey, 1.0 / WHITE)?);
        let (bright, dark) = (difference(&answers, &second), difference(&noise, &grey));
        dim = (bright > 0.0).then(|| (dark / bright) as f32);
        if dim.is_some_and(|dim| dim >= DIM_MAX) {
            answers = noise;
        }
    }
    let declared = inspection.outputs().iter().map(declared);
    let outputs = declared.zip(answers).map(|(declared, answer)| {
        let per_image = answer.numbers.len() / rows;
        let numbers = answer.numbers[..per_image].to_vec();
        let shape = answer.shape[1..].to_vec();
        Seen { name: answer.name, declared, element: answer.element, shape, numbers }
    });
    Ok(Facts { outputs: outputs.collect(), input, dim, metadata: inspection.metadata().clone() })
}

impl Facts {
    /// Whether samples of 0 to 1 are darkness to it: so it takes 0 to 255. `None` where that can't be told.
    pub fn wants_255(&self) -> Option<bool> {
        self.dim.map(|dim| dim < DIM_MAX)
    }
}

/// `name` and element type with shape.
fn declared(spec: &TensorSpec) -> String {
    format!("`{}` {spec}", spec.name)
}

fn read_input(inspection: &Inspection) -> Result<Input, Unfit> {
    let inputs = inspection.inputs();
    let found = || inputs.iter().map(declared).collect::<Vec<_>>().join(", ");
    let [spec] = inputs else { return Err(Unfit::Inputs { found: found() }) };
    let is = |dimension: &Dimension, length: usize| *dimension == Dimension::Fixed(length as i64);
    let (batch, height, width, is_nhwc) = match &spec.shape[..] {
        [batch, channels, height, width] if is(channels, CHANNELS) => (batch, height, width, false),
        [batch, height, width, channels] if is(channels, CHANNELS) => (batch, height, width, true),
        _ => return Err(Unfit::Inputs { found: found() }),
    };
    let takes_bytes = match spec.element {
        Element::F32 => false,
        Element::U8 => true,
        _ => return Err(Unfit::Element { found: found() }),
    };
    let length = |dimension: &Dimension| match dimension {
        Dimension::Fixed(length) => usize::try_from(*length).ok().filter(|length| *length > 0),
        Dimension::Any(_) => None,
    };
    let (declared, sides) = (declared(spec), length(height).zip(length(width)));
    let [stated_height, stated_width] = stated_size(inspection.metadata()).unwrap_or([SIDE_PIXELS; 2]);
    let (height, width) = (length(height).unwrap_or(stated_height), length(width).unwrap_or(stated_width));
    let batch = length(batch);
    let samples = [height, width, CHANNELS, batch.unwrap_or(1)];
    let samples = samples.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
    if samples.is_none_or(|samples| samples > SAMPLES_MAX) {
        return Err(Unfit::Size { found: declared });
    }
    Ok(Input { declared, is_nhwc, takes_bytes, width, height, is_sized: sides.is_some(), batch })
}

/// Height and width in the words of Ultralytics' exporter, `[640, 640]`.
fn stated_size(metadata: &BTreeMap<String, String>) -> Option<[usize; 2]> {
    let text = metadata.get("imgsz")?.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (height, width) = text.split_once(',')?;
    let sides =
        [height, width].map(|side| side.trim().parse().ok().filter(|side| (1..=1 << 14).contains(side)));
    Some([sides[0]?, sides[1]?])
}

/// A sample of noise, 0 to 255, from its place.
fn noise(place: usize) -> f32 {
    let mixed = (place as u32).wrapping_mul(2_654_435_761);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519);
    (mixed >> 24) as f32
}

fn show(
    inspection: &mut Inspection,
    input: &Input,
    picture: &[f32],
    scale: f32,
) -> Result<Vec<Answered>, Unfit> {
    let (width, height) = (input.width, input.height);
    let rows = input.batch.unwrap_or(1);
    let shape = match input.is_nhwc {
        true => [rows, height, width, CHANNELS],
        false => [rows, CHANNELS, height, width],
    };
    let samples = || std::iter::repeat_n(picture, rows).flatten();
    let failed = |error: RunError| Unfit::Run { width, height, message: error.to_string() };
    if input.takes_bytes {
        let bytes: Vec<u8> = samples().map(|&sample| sample as u8).collect();
        return inspection.run(&shape, Samples::Bytes(&bytes)).map_err(failed);
    }
    let floats: Vec<f32> = samples().map(|&sample| sample * scale).collect();
    inspection.run(&shape, Samples::Floats(&floats)).map_err(failed)
}

/// Mean difference of two answers, output by output, of numbers that are finite.
fn difference(left: &[Answered], right: &[Answered]) -> f64 {
    let pairs = left.iter().zip(right).flat_map(|(left, right)| left.numbers.iter().zip(&right.numbers));
    let (mut sum, mut count) = (0.0, 0usize);
    for (left, right) in pairs {
        let difference = f64::from((left - right).abs());
        if difference.is_finite() {
            sum += difference;
            count += 1;
        }
    }
    sum / count.max(1) as f64
}
