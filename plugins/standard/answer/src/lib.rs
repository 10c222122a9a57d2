//! From a network's answer to a prediction, as `[config.answer]` of a manifest says.
//!
//! ```toml
//! [config.answer]
//! task = "multiclass-classification"
//! gives = "logits"
//! classes = 10
//! ```
//!
//! | key | without it | |
//! |---|---|---|
//! | `task` | needed | the manifest's: `binary-classification`, `multiclass-classification` or `regression` |
//! | `gives` | needed | what the network gives: `probability` or `logit` of the positive label, `probabilities` or `logits` of all labels, or a `value` |
//! | `classes` | 2 | how many labels there are, where it gives something for each |
//! | `positive` | 1 | place of the positive label among the two, of a binary classification; the first is 0 |
//! | `dimensions` | 1 | 2 where a single number of a record is `[n, 1]`, and not `[n]` |
//! | `label_first` | false | whether the label, int64 `[n]`, comes before it, as in exports of scikit-learn |
//!
//! The answer is float32. Logits of one class become probabilities by `1 / (1 + exp(-x))`, those of several by
//! `exp(x) / sum(exp(x))`.
//!
//! **Invariant:** what is not finite, or is a probability outside of 0 to 1, is an error and never a prediction.

use foretell_sdk::{Answers, Error, Form, Model, SettingsError, Tensor, TensorMut};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Most classes of a network.
pub const CLASSES_MAX: usize = 10_000;
/// By how much rounding may carry a probability over 0 or 1.
const ROUNDING: f32 = 1e-4;

/// The task of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of two classes.
    BinaryClassification,
    /// One of several classes.
    MulticlassClassification,
    /// A number.
    Regression,
}

/// What the network gives for each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// The probability of the positive label.
    Probability,
    /// The logarithm of its odds.
    Logit,
    /// A probability for each label.
    Probabilities,
    /// For each label a number whose exponential is in proportion to its probability.
    Logits,
    /// The value.
    Value,
}

/// `[config.answer]`, as it stands in the manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    task: Task,
    gives: Gives,
    classes: Option<usize>,
    positive: Option<usize>,
    dimensions: Option<usize>,
    #[serde(default)]
    label_first: bool,
}

/// Reads the settings of an engine: the whole of `[config]`.
pub fn settings<T: DeserializeOwned>(config: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(config).map_err(SettingsError::form)?)
}

/// How an answer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    form: Form,
    gives: Gives,
    /// Numbers that the network gives for a record.
    width: usize,
    /// Of two, the one that counts.
    positive: usize,
    /// Whether a single number has a dimension of its own.
    is_matrix: bool,
    label_first: bool,
}

impl Settings {
    /// Checks that the keys agree with each other.
    pub fn reading(&self) -> Result<Reading, SettingsError> {
        let for_each = matches!(self.gives, Gives::Probabilities | Gives::Logits);
        let is_binary = self.task == Task::BinaryClassification;
        let (classes, positive) = (self.classes.unwrap_or(2), self.positive.unwrap_or(1));
        let dimensions = self.dimensions.unwrap_or(1);
        let bad = |key, found: usize, expected: &str| Err(SettingsError::value(key, found, expected));
        let (fits, expected) = match self.task {
            Task::BinaryClassification => {
                (self.gives != Gives::Value, "probability, logit, probabilities or logits for the task")
            }
            Task::MulticlassClassification => (for_each, "probabilities or logits for the task"),
            Task::Regression => (self.gives == Gives::Value, "value for the task"),
        };
        if !fits {
            let found = format!("{:?}", self.gives).to_lowercase();
            return Err(SettingsError::value("answer.gives", found, expected));
        }
        if self.classes.is_some() && !for_each {
            return bad("answer.classes", classes, "none where the network gives a single number");
        }
        if is_binary && classes != 2 {
            return bad("answer.classes", classes, "2 for the task");
        }
        SettingsError::check_range("answer.classes", classes as f64, 2.0..=CLASSES_MAX as f64)?;
        if self.positive.is_some() && !(is_binary && for_each) {
            return bad("answer.positive", positive, "none unless two numbers become one score");
        }
        SettingsError::check_range("answer.positive", positive as f64, 0.0..=1.0)?;
        if self.dimensions.is_some() && for_each {
            return bad(
                "answer.dimensions",
                dimensions,
                "none where the network gives a number for each label",
            );
        }
        SettingsError::check_range("answer.dimensions", dimensions as f64, 1.0..=2.0)?;
        let form = match self.task {
            Task::BinaryClassification => Form::Score,
            Task::MulticlassClassification => Form::Classes(classes),
            Task::Regression => Form::Value,
        };
        Ok(Reading {
            form,
            gives: self.gives,
            width: if for_each { classes } else { 1 },
            positive,
            is_matrix: for_each || dimensions == 2,
            label_first: self.label_first,
        })
    }
}

impl Reading {
    /// The form of the predictions.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Runs the network, and makes predictions of what it gives.
    pub fn run(
        &self,
        network: Model,
        inputs: &[Tensor<'_>],
        rows: usize,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        let predictions = answers.fill(self.form, rows);
        if rows == 0 {
            return Ok(());
        }
        let mut pairs = Vec::new();
        // The two numbers of a binary classification need a place of their own.
        let numbers = match predictions.len() == rows * self.width {
            true => &mut *predictions,
            false => {
                pairs.resize(rows * self.width, 0.0);
                &mut pairs[..]
            }
        };
        let shape = [rows as i64, self.width as i64];
        let shape = if self.is_matrix { &shape[..] } else { &shape[..1] };
        let mut labels = vec![0i64; if self.label_first { rows } else { 0 }];
        let mut outputs = Vec::with_capacity(2);
        if self.label_first {
            outputs.push(TensorMut::new(&mut labels, &shape[..1])?);
        }
        outputs.push(TensorMut::new(numbers, shape)?);
        network.run(inputs, &mut outputs)?;
        drop(outputs);
        for (row, numbers) in numbers.chunks_exact_mut(self.width).enumerate() {
            self.normalise(row, numbers)?;
        }
        if !pairs.is_empty() {
            for (score, pair) in predictions.iter_mut().zip(pairs.chunks_exact(self.width)) {
                *score = pair[self.positive];
            }
        }
        Ok(())
    }

    /// Makes of the numbers of a record what they mean.
    fn normalise(&self, row: usize, numbers: &mut [f32]) -> Result<(), Error> {
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(Error::failed(format!(
                "the network gives something else than finite numbers for the record in row {row}; its inputs are beyond what it \
                 was made for"
            )));
        }
        match self.gives {
            Gives::Value => (),
            Gives::Logit => numbers[0] = 1.0 / (1.0 + (-numbers[0]).exp()),
            Gives::Logits => {
                let greatest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                numbers.iter_mut().for_each(|number| *number = (*number - greatest).exp());
                let sum: f32 = numbers.iter().sum();
                numbers.iter_mut().for_each(|number| *number /= sum);
            }
            Gives::Probability | Gives::Probabilities => {
                if let Some(number) =
                    numbers.iter().find(|number| !(-ROUNDING..=1.0 + ROUNDING).contains(*number))
                {
                    let other = if self.width == 1 { "logit" } else { "logits" };
                    return Err(Error::invalid(format!(
                        "expected probabilities from 0 to 1 of the network, found {number} for the record in row {row}; state \
                         `gives = \"{other}\"` if that is what it gives"
                    )));
                }
                numbers.iter_mut().for_each(|number| *number = number.clamp(0.0, 1.0));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
