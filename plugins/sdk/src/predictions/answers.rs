//! Predictions whose form the settings choose.

use foretell_abi::ArrowSchema;

use super::Predictions;
use crate::Error;
use crate::owned::{Type, Values};

/// Form of a prediction, as its task fixes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Binary classification: the probability of the manifest's `positive` label.
    Score,
    /// Regression: the value.
    Value,
    /// Multiclass classification: a score for each of so many labels.
    Classes(usize),
}

impl Form {
    /// Numbers of a prediction.
    pub fn width(self) -> usize {
        match self {
            Self::Score | Self::Value => 1,
            Self::Classes(classes) => classes,
        }
    }

    fn types(self) -> Vec<Type> {
        match self {
            Self::Score => vec![Type::leaf(c"score", c"f")],
            Self::Value => vec![Type::leaf(c"value", c"f")],
            Self::Classes(classes) => {
                vec![Type::fixed_list(c"scores", Type::leaf(c"item", c"f"), classes)]
            }
        }
    }

    /// Arrow type of the predictions: a struct.
    pub(crate) fn schema(self) -> ArrowSchema {
        Type::structure(c"", self.types()).into_schema()
    }
}

/// Predictions of a library that serves several tasks: their form is known when it was opened, and not when it was written.
///
/// The plugin says the form twice, and the host compares: by [`Plugin::form`](crate::Plugin::form), and here.
///
/// ```
/// use foretell_sdk::{Answers, Form};
///
/// let mut answers = Answers::default();
/// answers.fill(Form::Classes(3), 1).copy_from_slice(&[0.2, 0.7, 0.1]);
/// assert_eq!(answers.as_slice(), [0.2, 0.7, 0.1]);
/// ```
#[derive(Debug, Default)]
pub struct Answers {
    form: Option<Form>,
    rows: usize,
    numbers: Vec<f32>,
}

impl Answers {
    /// Makes room for `rows` predictions of a form at once, zero at first, to be written in place: row by row. Must be called
    /// without rows too.
    pub fn fill(&mut self, form: Form, rows: usize) -> &mut [f32] {
        self.form = Some(form);
        self.rows = rows;
        self.numbers.resize(rows * form.width(), 0.0);
        &mut self.numbers
    }

    /// Numbers of all records so far, row by row.
    pub fn as_slice(&self) -> &[f32] {
        &self.numbers
    }
}

impl Predictions for Answers {
    fn with_capacity(_rows: usize) -> Self {
        Self::default()
    }

    fn len(&self) -> usize {
        self.rows
    }

    /// None: there is no form before a plugin was opened.
    fn types() -> Vec<Type> {
        Vec::new()
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        match self.form {
            None => Err(Error::failed(
                "the plugin did not answer; expected a call of `fill`, without records too",
            )),
            Some(Form::Score | Form::Value) => Ok(vec![Values::floats(self.numbers)]),
            Some(Form::Classes(_)) => Ok(vec![Values::fixed_lists(self.rows, Values::floats(self.numbers))]),
        }
    }
}
