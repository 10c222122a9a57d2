//! Scored and labelled transactions, as they are stored.

use std::ops::Range;

use foretell_fraud::card_precision::{CARDS, CardPrecision, Columns, Detected, card_precision};
use foretell_fraud::split::{Split, Windows, day_of, split};
use foretell_fraud::{DOMAIN, LABEL};
use foretell_store::open::Store;
use foretell_store::prediction::{RunSelection, ScoredFilter};
use foretell_terminal::Failure;

/// Transactions by (event time, record): row `i` of every column is the same transaction.
pub(super) struct Stored {
    pub(super) records: Vec<i64>,
    /// Transaction ids of the handbook.
    pub(super) transactions: Vec<i64>,
    pub(super) times: Vec<i64>,
    pub(super) customers: Vec<u32>,
    pub(super) frauds: Vec<bool>,
}

impl Stored {
    /// Reads the transactions of `times` that `run` has scored.
    pub(super) async fn read(store: &Store, run: i64, times: Range<i64>) -> Result<Self, Failure> {
        let mut filter = ScoredFilter::new(DOMAIN, RunSelection::Run(run), LABEL);
        (filter.from, filter.to) = (Some(times.start), Some(times.end));
        filter.external_ids = true;
        filter.fields = vec!["customer_id".to_owned()];
        let scored =
            store.scored(&filter).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
        let foreign = || Failure::words("the database holds other records than the handbook's transactions");
        let customers = scored.fields.first().ok_or_else(foreign)?;
        let labels = scored.labels.iter().map(|label| label.map(|label| label > 0.5));
        Ok(Self {
            transactions: numbers(&scored.external_ids).ok_or_else(foreign)?,
            customers: numbers(customers).ok_or_else(foreign)?,
            frauds: labels.collect::<Option<_>>().ok_or_else(foreign)?,
            records: scored.record_ids,
            times: scored.event_times,
        })
    }

    /// Training and test rows.
    pub(super) fn split(&self, windows: &Windows) -> Result<Split, Failure> {
        split(&self.times, &self.customers, &self.frauds, windows).map_err(|error| Failure::new(&error))
    }

    /// Card Precision@100 of `rows`.
    pub(super) fn card_precision(
        &self,
        rows: &[usize],
        score: impl Fn(usize) -> f64,
        detected: Detected,
    ) -> Result<CardPrecision, Failure> {
        let days: Vec<i64> = rows.iter().map(|&row| day_of(self.times[row])).collect();
        let customers: Vec<u32> = rows.iter().map(|&row| self.customers[row]).collect();
        let scores: Vec<f64> = rows.iter().map(|&row| score(row)).collect();
        let frauds = self.frauds_of(rows);
        let columns = Columns { days: &days, customers: &customers, scores: &scores, frauds: &frauds };
        card_precision(&columns, CARDS, detected).map_err(|error| Failure::new(&error))
    }

    /// The labels of `rows`.
    pub(super) fn frauds_of(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter().map(|&row| self.frauds[row]).collect()
    }

    /// Number of `rows`, and of frauds among them.
    pub(super) fn count(&self, rows: &[usize]) -> [usize; 2] {
        [rows.len(), rows.iter().filter(|&&row| self.frauds[row]).count()]
    }
}

fn numbers<T: std::str::FromStr>(texts: &[Option<String>]) -> Option<Vec<T>> {
    texts.iter().map(|text| text.as_deref()?.parse().ok()).collect()
}
