//! The published data of the Fraud Detection Handbook, and what was published about it.
//!
//! Nothing of it is part of this project: it is read from the directory that the user names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use chrono::NaiveDate;
use foretell_terminal::Failure;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

/// Published features of a transaction: all but the amount, which is no computation.
pub(super) const PUBLISHED_FEATURES: usize = 14;

/// The published features, in the order of the plugin's, which has the amount before them.
const COLUMNS: [&str; PUBLISHED_FEATURES] = [
    "tx_during_weekend",
    "tx_during_night",
    "customer_id_nb_tx_1day_window",
    "customer_id_avg_amount_1day_window",
    "customer_id_nb_tx_7day_window",
    "customer_id_avg_amount_7day_window",
    "customer_id_nb_tx_30day_window",
    "customer_id_avg_amount_30day_window",
    "terminal_id_nb_tx_1day_window",
    "terminal_id_risk_1day_window",
    "terminal_id_nb_tx_7day_window",
    "terminal_id_risk_7day_window",
    "terminal_id_nb_tx_30day_window",
    "terminal_id_risk_30day_window",
];

/// A directory with the published data.
pub(super) struct Handbook {
    directory: PathBuf,
}

/// The published features of three weeks, by transaction.
pub(super) struct Reference {
    /// Transaction ids.
    pub(super) transactions: Vec<i64>,
    /// The features of each.
    pub(super) features: Vec<[f64; PUBLISHED_FEATURES]>,
}

/// What was published, or computed from what was published, to hold an implementation against.
#[derive(Debug, Deserialize)]
pub(super) struct Checks {
    pub(super) rows: u64,
    pub(super) frauds: u64,
    pub(super) single_split: SingleSplit,
    /// The four test folds.
    pub(super) prequential_test: Vec<Fold>,
    /// Card Precision@100 of the tree of depth 2, chapter 4.
    pub(super) cp100_golden_ch4_dt2: Golden,
}

#[derive(Debug, Deserialize)]
pub(super) struct SingleSplit {
    pub(super) train_start: NaiveDate,
    pub(super) train_rows: usize,
    pub(super) train_frauds: usize,
    pub(super) test_rows: usize,
    pub(super) test_frauds: usize,
    /// Rows and frauds of the test week with the cards that were known to be compromised.
    pub(super) test_week_before_card_removal: [usize; 2],
    /// Beginning of the SHA-256 of the training ids as 32-bit little-endian numbers, ascending.
    pub(super) train_ids_sha256_le_i32: String,
    /// The same of the test ids.
    pub(super) test_ids_sorted_sha256_le_i32: String,
    /// Card Precision@100 of perfect scores.
    pub(super) oracle_cp100: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Fold {
    pub(super) train_start: NaiveDate,
    /// Rows and frauds.
    pub(super) train: [usize; 2],
    /// Rows and frauds.
    pub(super) test: [usize; 2],
    pub(super) oracle_cp100: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Golden {
    remaining_cards: Vec<usize>,
    cp_per_day: Vec<f64>,
    mean: f64,
    without_removal_remaining: Vec<usize>,
    without_removal: Vec<f64>,
    without_removal_mean: f64,
}

/// Card Precision@100 on each day of a week.
pub(super) struct Days<'a> {
    pub(super) precision: &'a [f64],
    /// Compromised cards that are left on each day.
    pub(super) left: &'a [usize],
    pub(super) mean: f64,
}

impl Golden {
    /// Detected cards are left out on later days.
    pub(super) fn removed(&self) -> Days<'_> {
        Days { precision: &self.cp_per_day, left: &self.remaining_cards, mean: self.mean }
    }

    /// Detected cards stay.
    pub(super) fn kept(&self) -> Days<'_> {
        Days {
            precision: &self.without_removal,
            left: &self.without_removal_remaining,
            mean: self.without_removal_mean,
        }
    }
}

impl Handbook {
    /// Finds the data in `directory`, or in its subdirectory `handbook`.
    pub(super) fn find(directory: &Path) -> Result<Self, Failure> {
        let places = [directory.to_owned(), directory.join("handbook")];
        let found = places.into_iter().find(|place| place.join("transactions.parquet").is_file());
        match found.and_then(|place| std::path::absolute(place).ok()) {
            Some(directory) => Ok(Self { directory }),
            None => Err(Failure::words(format!(
                "there is no `transactions.parquet` in `{}`",
                directory.display()
            ))
            .hint(Some("name the directory with the handbook's data, or the one that has it as `handbook`"))),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// All transactions.
    pub(super) fn transactions(&self) -> PathBuf {
        self.directory.join("transactions.parquet")
    }

    pub(super) fn checks(&self) -> Result<Checks, Failure> {
        let path = self.directory.join("checks.json");
        let cannot = |error: &dyn std::error::Error| {
            Failure::words(format!("can't read `{}`: {error}", path.display()))
        };
        let text = fs::read_to_string(&path).map_err(|error| cannot(&error))?;
        serde_json::from_str(&text).map_err(|error| cannot(&error))
    }

    pub(super) fn reference(&self) -> Result<Reference, Failure> {
        let path = self.directory.join("features_ref_d115_135.parquet");
        read(&path).map_err(|error| Failure::words(format!("can't read `{}`: {error}", path.display())))
    }
}

fn read(path: &Path) -> Result<Reference, Box<dyn std::error::Error>> {
    let mut reference = Reference { transactions: Vec::new(), features: Vec::new() };
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        reference.transactions.extend(column(&batch, "transaction_id")?.into_iter().map(|id| id as i64));
        let columns: Vec<Vec<f64>> =
            COLUMNS.iter().map(|name| column(&batch, name)).collect::<Result<_, _>>()?;
        let row = |row: usize| std::array::from_fn(|feature| columns[feature][row]);
        reference.features.extend((0..batch.num_rows()).map(row));
    }
    Ok(reference)
}

/// A column as numbers, whatever its type.
fn column(batch: &RecordBatch, name: &str) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("it has no column `{name}`"))?;
    if column.null_count() > 0 {
        return Err(format!("its column `{name}` has nulls").into());
    }
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().values().to_vec())
}

/// A published model with its figures.
pub(super) struct Published {
    pub(super) model: &'static str,
    /// AUC ROC, average precision, Card Precision@100.
    pub(super) figures: [f64; 3],
    /// Their standard deviations over the folds, where there are folds.
    pub(super) deviations: Option<[f64; 3]>,
}

const fn single(model: &'static str, figures: [f64; 3]) -> Published {
    Published { model, figures, deviations: None }
}

const fn folds(model: &'static str, figures: [f64; 3], deviations: [f64; 3]) -> Published {
    Published { model, figures, deviations: Some(deviations) }
}

/// Chapters 3.4 and 7.2: one split, default parameters.
pub(super) const SINGLE: [Published; 6] = [
    single("logistic regression", [0.871, 0.606, 0.291]),
    single("decision tree, depth 2", [0.763, 0.496, 0.241]),
    single("decision tree", [0.788, 0.309, 0.243]),
    single("random forest", [0.867, 0.658, 0.287]),
    single("XGBoost", [0.862, 0.639, 0.273]),
    single("neural network (ch. 7.2, first)", [0.864, 0.653, 0.286]),
];

/// Chapters 5.3, 6, 7.2 and 7.4: four test folds, for each metric the parameters that were best in validation.
pub(super) const PREQUENTIAL: [Published; 8] = [
    folds("decision tree", [0.797, 0.579, 0.284], [0.005, 0.014, 0.004]),
    folds("logistic regression", [0.868, 0.623, 0.297], [0.015, 0.016, 0.008]),
    folds("random forest", [0.870, 0.678, 0.299], [0.017, 0.012, 0.013]),
    folds("XGBoost", [0.869, 0.687, 0.303], [0.009, 0.011, 0.013]),
    folds("balanced bagging (ch. 6)", [0.879, 0.680, 0.305], [0.013, 0.011, 0.010]),
    folds("feed-forward network (ch. 7.2)", [0.876, 0.675, 0.303], [0.011, 0.010, 0.015]),
    folds("LSTM (ch. 7.4)", [0.876, 0.665, 0.297], [0.015, 0.016, 0.010]),
    folds("LSTM with attention (ch. 7.4)", [0.874, 0.667, 0.295], [0.020, 0.012, 0.006]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_are_found_where_they_are_or_one_below() {
        let root = std::env::temp_dir().join(format!("foretell-handbook-{}", std::process::id()));
        let inner = root.join("handbook");
        fs::create_dir_all(&inner).unwrap();
        assert!(Handbook::find(&root).is_err());
        fs::write(inner.join("transactions.parquet"), "").unwrap();
        for directory in [&root, &inner] {
            assert_eq!(Handbook::find(directory).unwrap().directory(), inner);
        }
        fs::remove_dir_all(root).unwrap();
    }
}
