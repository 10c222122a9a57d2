//! What is stored of one customer, or of one item.

use foretell_store::open::Store;
use foretell_store::record::{Record, RecordFilter};
use foretell_store::time::Micros;
use foretell_terminal::Failure;

use super::model::read_failure;
use crate::DOMAIN;
use crate::purchase::Purchase;

/// Records that are looked at first: the newest ones may be questions.
const LATEST: u32 = 1_000;

/// A purchase with its record.
pub(super) struct Bought {
    pub(super) time: Micros,
    pub(super) purchase: Purchase,
}

/// All records with this value of a key, the newest first: purchases and questions.
pub(super) async fn records(
    store: &Store,
    key: &str,
    value: &str,
    to: Option<Micros>,
) -> Result<Vec<Record>, Failure> {
    newest(store, Some((key, value)), to, u32::MAX).await
}

async fn newest(
    store: &Store,
    key: Option<(&str, &str)>,
    to: Option<Micros>,
    limit: u32,
) -> Result<Vec<Record>, Failure> {
    let key = key.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let filter = RecordFilter { key, to, newest_first: true, ..RecordFilter::domain(DOMAIN) };
    store.records(&filter, limit).await.map_err(read_failure)
}

/// What of these records was bought, and not only asked about.
pub(super) fn bought(records: &[Record]) -> Vec<Bought> {
    let purchase = |record: &Record| {
        let purchase: Purchase = serde_json::from_str(&record.payload).ok()?;
        (purchase.quantity != Some(0.0)).then_some(Bought { time: record.event_time, purchase })
    };
    records.iter().filter_map(purchase).collect()
}

/// Whether an item was ever bought.
pub(super) async fn is_bought(store: &Store, item: &str) -> Result<bool, Failure> {
    let key = ("item", item);
    let latest = newest(store, Some(key), None, LATEST).await?;
    if !bought(&latest).is_empty() || latest.len() < LATEST as usize {
        return Ok(!bought(&latest).is_empty());
    }
    Ok(!bought(&records(store, key.0, key.1, None).await?).is_empty())
}

/// When the last purchase was, of all.
pub(super) async fn last_time(store: &Store, to: Option<Micros>) -> Result<Option<Micros>, Failure> {
    let mut to = to;
    loop {
        let latest = newest(store, None, to, LATEST).await?;
        if let Some(bought) = bought(&latest).first() {
            return Ok(Some(bought.time));
        }
        match latest.last() {
            // Should more questions stand at one time than are looked at, the next page begins before them.
            Some(record) if latest.len() == LATEST as usize => to = Some(record.event_time),
            _ => return Ok(None),
        }
    }
}
