//! The plugin's features of stored transactions: its own function, fed with the store's history columns.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ListArray};
use foretell_fraud::DOMAIN;
use foretell_jobs::history_specs;
use foretell_plugin_fraud::features::{Customer, FEATURES, Terminal, features};
use foretell_runtime::manifest::Manifest;
use foretell_store::history::{HistoryBatch, Walk, WalkOptions};
use foretell_store::open::Store;
use foretell_terminal::Failure;

/// Features of records, by (event time, record).
#[derive(Default)]
pub(super) struct Computed {
    pub(super) records: Vec<i64>,
    pub(super) features: Vec<[f64; FEATURES]>,
}

/// Computes the features of all transactions with an event time in `times`.
pub(super) async fn compute(
    store: &Store,
    manifest: &Manifest,
    times: Range<i64>,
) -> Result<Computed, Failure> {
    let specs = history_specs(manifest).map_err(|error| Failure::new(&error))?;
    let mut options = WalkOptions::new(DOMAIN, Arc::new(manifest.input_schema()), specs);
    (options.from, options.to) = (Some(times.start), Some(times.end));
    let mut walk = Walk::new(store, options).await.map_err(|error| Failure::new(&error))?;
    let mut computed = Computed::default();
    while let Some(batch) = walk.next().await.map_err(|error| Failure::new(&error))? {
        let found = of_batch(manifest, &batch).ok_or_else(|| {
            Failure::words("the plugin's manifest has other columns than its features need")
        })?;
        computed.records.extend(&batch.ids);
        computed.features.extend(found);
    }
    Ok(computed)
}

/// `None` if a column is missing.
fn of_batch(manifest: &Manifest, batch: &HistoryBatch) -> Option<Vec<[f64; FEATURES]>> {
    let amounts = batch.records.column_by_name("amount")?.as_primitive_opt::<Float64Type>()?.values();
    let history = |name: &str| {
        let place = manifest.histories.iter().position(|history| history.name == name)?;
        batch.history.get(place)
    };
    let (customers, terminals) = (history("customer")?, history("terminal")?);
    let (customer_times, terminal_times) = (times(customers)?, times(terminals)?);
    let customer_amounts = customers.values().as_struct().column_by_name("amount")?;
    let customer_amounts = customer_amounts.as_primitive_opt::<Float64Type>()?.values();
    let frauds = terminals.values().as_struct().column_by_name("label.fraud")?.as_boolean_opt()?;
    let of_row = |row: usize| {
        let past = range(customers, row);
        let customer = Customer { times: &customer_times[past.clone()], amounts: &customer_amounts[past] };
        let past = range(terminals, row);
        let first = past.start;
        let known = |index: usize| frauds.is_valid(first + index) && frauds.value(first + index);
        let frauds = |range: Range<usize>| range.filter(|&index| known(index)).count();
        let terminal = Terminal { times: &terminal_times[past], frauds };
        features(batch.event_times[row], amounts[row], customer, terminal)
    };
    Some((0..batch.ids.len()).map(of_row).collect())
}

fn times(list: &ListArray) -> Option<&[i64]> {
    let times = list.values().as_struct().column_by_name("event_time")?;
    Some(times.as_primitive_opt::<TimestampMicrosecondType>()?.values())
}

fn range(list: &ListArray, row: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}
