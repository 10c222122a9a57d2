//! Linear models as ONNX: small enough to be checked by hand, for examples and for tests.

use crate::protobuf::{Attribute, Writer};

/// Name of the network's input.
const INPUT: &str = "features";
/// Name of the network's output.
const OUTPUT: &str = "answer";

/// What a linear model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// float32 `[n, numbers]`.
    Numbers(usize),
    /// float32 `[n, channels, side, side]`, of which the mean of each channel counts.
    Pictures {
        /// Channels of a picture, which are as many numbers.
        channels: usize,
        /// Width and height, in pixels.
        side: usize,
    },
}

/// What becomes of a linear model's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// They are the answer.
    Identity,
    /// `1 / (1 + exp(-sum))` of each.
    Sigmoid,
    /// `exp(sum)` of each, divided by the sum of all of a row.
    Softmax,
}

/// A linear model: for each of its answers one weight for each number that it takes, and a bias.
///
/// With one answer the network gives float32 `[n]`, with several `[n, answers]`. Its input is `features`, its output `answer`.
///
/// ```
/// use foretell_convert::{Activation, Linear, Takes};
///
/// // Half of the first number, less a third of the second one, and 2.
/// let weights = [vec![0.5, -1.0 / 3.0]];
/// let model = Linear { takes: Takes::Numbers(2), weights: &weights, biases: &[2.0], activation: Activation::Identity };
/// assert!(model.onnx("example").len() < 400);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// What it takes.
    pub takes: Takes,
    /// Weights of each answer, one for each number.
    pub weights: &'a [Vec<f32>],
    /// Bias of each answer.
    pub biases: &'a [f32],
    /// What becomes of the sums.
    pub activation: Activation,
}

impl Linear<'_> {
    /// The bytes of the network, of ONNX's opset 17.
    ///
    /// # Panics
    /// Where an answer has another number of weights than the model takes numbers, or there are not as many biases as answers:
    /// a model is written down by whoever calls this.
    pub fn onnx(&self, name: &str) -> Vec<u8> {
        let numbers = match self.takes {
            Takes::Numbers(numbers) => numbers,
            Takes::Pictures { channels, .. } => channels,
        };
        let answers = self.biases.len();
        assert_eq!(self.weights.len(), answers, "weights and biases of each answer");
        assert!(self.weights.iter().all(|weights| weights.len() == numbers), "a weight for each number");

        let mut writer = Writer::default();
        let features = match self.takes {
            Takes::Numbers(numbers) => {
                writer.input_floats(INPUT, &[numbers]);
                INPUT
            }
            Takes::Pictures { channels, side } => {
                writer.input_floats(INPUT, &[channels, side, side]);
                writer.node("GlobalAveragePool", &[INPUT], &["means"], &[]);
                writer.node("Flatten", &["means"], &["flat"], &[("axis", Attribute::Whole(1))]);
                "flat"
            }
        };
        // A vector has one sum for each row, without a dimension of its own; a matrix has a column for each answer.
        let (weights_shape, shape) = match answers {
            1 => (vec![numbers], vec![]),
            _ => (vec![numbers, answers], vec![answers]),
        };
        let columns: Vec<f32> =
            (0..numbers).flat_map(|number| self.weights.iter().map(move |weights| weights[number])).collect();
        let weights = writer.floats("weights".to_owned(), &weights_shape, &columns);
        let biases = writer.floats("biases".to_owned(), &shape, self.biases);
        writer.node("MatMul", &[features, &weights], &["products"], &[]);
        let sums = if self.activation == Activation::Identity { OUTPUT } else { "sums" };
        writer.node("Add", &["products", &biases], &[sums], &[]);
        match self.activation {
            Activation::Identity => (),
            Activation::Sigmoid => writer.node("Sigmoid", &[sums], &[OUTPUT], &[]),
            Activation::Softmax => {
                writer.node("Softmax", &[sums], &[OUTPUT], &[("axis", Attribute::Whole(-1))]);
            }
        }
        writer.output(OUTPUT, &shape);
        writer.model(name)
    }
}
