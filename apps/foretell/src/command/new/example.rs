//! The example that a new plugin begins with: a linear model over temperature and humidity, with invented numbers.

use foretell_convert::{Activation, Linear, Takes};

use super::files::Values;
use crate::arguments::NewTask;

/// Numbers that the example takes of a record.
const FEATURES: usize = 2;

/// A model that can be checked by hand, and what is said of it.
pub(super) struct Example {
    pub(super) task: &'static str,
    /// For manifest, README and code: what it predicts.
    description: &'static str,
    /// Weights of temperature and humidity, and bias, of each answer.
    sums: &'static [([f32; FEATURES], f32)],
    activation: Activation,
    /// The manifest's `[output]`.
    output: &'static str,
    /// Shape of the network's answer.
    shape: &'static str,
    /// The same in the words of the model card.
    formula: &'static str,
    /// The same in C; of several classes it stands in the template.
    c_formula: &'static str,
    /// Name of the predictions' column.
    column: &'static str,
}

const BINARY: Example = Example {
    task: "binary-classification",
    description: "whether it will rain, from temperature and humidity",
    sums: &[([-0.1, 0.08], -4.5)],
    activation: Activation::Sigmoid,
    output: "labels = [\"dry\", \"rain\"]\npositive = \"rain\"\nthreshold = 0.5",
    shape: "[n]",
    formula: "`rain = 1 / (1 + exp(4.5 + 0.1 * temperature - 0.08 * humidity))`.",
    c_formula: "1.0 / (1.0 + exp(4.5 + 0.1 * temperature - 0.08 * humidity))",
    column: "score",
};

const MULTICLASS: Example = Example {
    task: "multiclass-classification",
    description: "the weather as sun, cloud or rain, from temperature and humidity",
    sums: &[([0.1, -0.04], 0.0), ([0.0, 0.0], 0.0), ([0.0, 0.06], -4.5)],
    activation: Activation::Softmax,
    output: "labels = [\"sun\", \"cloud\", \"rain\"]",
    shape: "[n, 3]",
    formula: "`exp` of `0.1 * temperature - 0.04 * humidity` (sun), `0` (cloud) and `0.06 * humidity - 4.5` (rain), each\n  divided by the sum of the three.",
    c_formula: "",
    column: "scores",
};

const REGRESSION: Example = Example {
    task: "regression",
    description: "how warm it feels in °C, from temperature and humidity",
    sums: &[([1.0, 0.05], -2.5)],
    activation: Activation::Identity,
    output: "# A number, in the unit that the description names: a regression has no labels.",
    shape: "[n]",
    formula: "`temperature + 0.05 * humidity - 2.5`.",
    c_formula: "temperature + 0.05 * humidity - 2.5",
    column: "value",
};

impl Example {
    pub(super) fn of(task: NewTask) -> &'static Self {
        match task {
            NewTask::BinaryClassification => &BINARY,
            NewTask::MulticlassClassification => &MULTICLASS,
            NewTask::Regression => &REGRESSION,
        }
    }

    /// The bytes of the network.
    pub(super) fn network(&self) -> Vec<u8> {
        let weights: Vec<_> = self.sums.iter().map(|(weights, _)| weights.to_vec()).collect();
        let biases: Vec<_> = self.sums.iter().map(|(_, bias)| *bias).collect();
        let takes = Takes::Numbers(FEATURES);
        Linear { takes, weights: &weights, biases: &biases, activation: self.activation }.onnx("example")
    }

    pub(super) fn describe(&self, values: &mut Values) {
        values
            .set("task", self.task)
            .set("description", self.description)
            .set("output", self.output)
            .set("shape", self.shape)
            .set("formula", self.formula)
            .set("c_formula", self.c_formula)
            .set("column", self.column)
            .set("licence", "that of the plugin");
    }
}
