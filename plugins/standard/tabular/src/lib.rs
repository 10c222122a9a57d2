//! Predictions out of numbers, flags and words by any network: no code is written for it, only a manifest.
//!
//! ```toml
//! [plugin]
//! library = "foretell_plugin_tabular"
//! engine = "standard-tabular@0.1.0"
//!
//! [[config.column]]
//! name = "amount"
//! mean = 41.3
//! scale = 78.5
//!
//! [[config.column]]
//! name = "channel"
//! categories = ["web", "shop"]
//! unknown = "zeros"
//!
//! [config.answer]
//! task = "binary-classification"
//! gives = "logit"
//! ```
//!
//! | key of `[config]` | without it | |
//! |---|---|---|
//! | `tensor` | `matrix` | the network takes one tensor `[n, numbers]`; `columns`: a tensor `[n, numbers]` for each column, in their order |
//! | `element` | `float32` | type of its numbers: or `float64`, `int64` |
//! | `column` | needed | what the network takes, in its order |
//! | `answer` | needed | see [`foretell_standard_answer`] |
//!
//! | key of a `column` | without it | |
//! |---|---|---|
//! | `name` | needed | an input |
//! | `type` | `float64` | the input's, where it is no text: or `int64`, `bool` |
//! | `mean`, `scale` | 0, 1 | the network is given (number - mean) / scale; a flag is 1 or 0 |
//! | `missing` | none | the number, before that, where there is none; needed where the input is not required |
//! | `categories` | needed for inputs of type `utf8` and `category` | a text becomes as many numbers, of which that of its category is 1 |
//! | `unknown` | `refuse` | a text that is none of them, or is missing, is an error; `zeros`: all of its numbers are 0 |
//! | `element` | that of `[config]` | type of the column's own tensor, with `tensor = "columns"` |
//!
//! - **Invariant:** a record's answer does not depend on the other records of the call, but for the last bits of what the network
//!   computes for them together.
//! - **Invariant:** an error names the column and the row, and never the value.

mod column;

use foretell_sdk::{Answers, Error, Form, Model, Open, Plugin, Records, SettingsError, Tensor};
use foretell_standard_answer as answer;
use serde::Deserialize;

use column::{Cells, Element, Feature};

/// Name of the model.
const MODEL: &str = "network";
/// Most columns that the network takes.
const COLUMNS_MAX: usize = 4096;

/// Most numbers of a record, of all columns together: each category is one.
const NUMBERS_MAX: usize = 1 << 16;

/// `[config]`, as it stands in the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    tensor: Layout,
    #[serde(default)]
    element: Element,
    #[serde(rename = "column")]
    columns: Vec<column::Settings>,
    answer: answer::Settings,
}

/// How the network takes its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layout {
    #[default]
    Matrix,
    Columns,
}

/// The plugin: what it reads, the network, and how its answer is read.
struct Tabular {
    layout: Layout,
    element: Element,
    features: Vec<Feature>,
    network: Model,
    answer: answer::Reading,
}

impl Plugin for Tabular {
    type Predictions = Answers;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let settings: Settings = answer::settings(request.config())?;
        let columns = settings.columns;
        if !(1..=COLUMNS_MAX).contains(&columns.len()) {
            let found = format_args!("a list of {}", columns.len());
            return Err(
                SettingsError::value("column", found, format_args!("1 to {COLUMNS_MAX} columns")).into()
            );
        }
        let own = columns.iter().find(|column| column.element.is_some());
        if let (Layout::Matrix, Some(column)) = (settings.tensor, own) {
            return Err(Error::invalid(format!(
                "the setting `element` of column `{}` is there; expected none, since one tensor has one type; state `tensor = \"columns\"` or \
                 `element` of all",
                column.name
            )));
        }
        let features: Vec<_> =
            columns.iter().map(|column| Feature::open(request, column)).collect::<Result<_, _>>()?;
        let numbers: usize = features.iter().map(Feature::width).sum();
        if numbers > NUMBERS_MAX {
            let expected = format_args!("{NUMBERS_MAX} numbers at most, with one for each category");
            return Err(SettingsError::value("column", format_args!("{numbers} numbers"), expected).into());
        }
        Ok(Self {
            layout: settings.tensor,
            element: settings.element,
            features,
            network: request.model(MODEL)?,
            answer: settings.answer.reading()?,
        })
    }

    fn predict(&self, records: &Records<'_>, answers: &mut Answers) -> Result<(), Error> {
        let rows = records.len();
        let (cells, shapes): (Vec<_>, Vec<_>) = match self.layout {
            Layout::Matrix => {
                let width: usize = self.features.iter().map(Feature::width).sum();
                let mut cells = Cells::new(self.element, rows * width);
                let views: Vec<_> = self.features.iter().map(|feature| feature.view(records)).collect();
                for row in 0..rows {
                    views.iter().try_for_each(|view| view.write(row, &mut cells))?;
                }
                vec![(cells, [rows as i64, width as i64])]
            }
            Layout::Columns => {
                let column = |feature: &Feature| {
                    let mut cells =
                        Cells::new(feature.element.unwrap_or(self.element), rows * feature.width());
                    let view = feature.view(records);
                    (0..rows).try_for_each(|row| view.write(row, &mut cells))?;
                    Ok((cells, [rows as i64, feature.width() as i64]))
                };
                self.features.iter().map(column).collect::<Result<_, Error>>()?
            }
        }
        .into_iter()
        .unzip();
        let inputs: Vec<Tensor<'_>> =
            cells.iter().zip(&shapes).map(|(cells, shape)| cells.tensor(shape)).collect::<Result<_, _>>()?;
        self.answer.run(self.network, &inputs, rows, answers)
    }

    fn form(&self) -> Option<Form> {
        Some(self.answer.form())
    }
}

foretell_sdk::export!(Tabular, "standard-tabular", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
