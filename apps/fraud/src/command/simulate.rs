//! `foretell-fraud simulate`

use std::time::Instant;

use foretell_store::open::Store;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, SourceInfo, SourceKind,
};
use foretell_store::time::DAY;
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count, format_percent};
use serde::Serialize;

use crate::simulate::{Simulation, Transaction};
use crate::{DOMAIN, LABEL, arguments};

/// Transactions that are stored at once.
const BATCH_TRANSACTIONS: usize = 16_384;

#[derive(Debug, Default, Serialize)]
struct Report {
    transactions: u64,
    frauds: u64,
    stored: u64,
    already_stored: u64,
    seconds: f64,
    rows_per_second: f64,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Simulate) -> Result<u8, Failure> {
    let sized = Simulation::sized(command.customers, command.terminals, command.days);
    let radius = command.radius.unwrap_or(sized.radius);
    let simulation = Simulation { seed: command.seed, start: command.start, radius, ..sized };
    let transactions = simulation.transactions().map_err(|error| Failure::new(&error))?;
    let store = place.create_or_open().await?;
    let bar =
        Bar::new("simulating", "transactions", Some(simulation.expected_transactions()), output.is_json());
    let started = Instant::now();
    let known_after = i64::from(command.known_after) * DAY;
    let mut report = store_all(&store, command.seed, transactions, known_after, &bar).await?;
    bar.finish();
    report.seconds = started.elapsed().as_secs_f64();
    report.rows_per_second = report.transactions as f64 / report.seconds.max(f64::MIN_POSITIVE);
    output.show(&report, |output| draw(output, &report));
    Ok(exit::DONE)
}

async fn store_all(
    store: &Store,
    seed: u64,
    transactions: impl Iterator<Item = Transaction>,
    known_after: i64,
    bar: &Bar,
) -> Result<Report, Failure> {
    let keys = vec!["customer_id".to_owned(), "terminal_id".to_owned()];
    let source =
        SourceInfo { kind: SourceKind::Simulation, name: format!("seed {seed}"), hash: None, mapping: None };
    let mut appender = Appender::begin(store, DOMAIN, keys, source).await.map_err(|error| stored(&error))?;
    let mut report = Report::default();
    let mut transactions = transactions.inspect(|transaction| {
        report.transactions += 1;
        report.frauds += u64::from(transaction.scenario.is_fraud());
    });
    loop {
        let batch: Vec<_> = transactions
            .by_ref()
            .take(BATCH_TRANSACTIONS)
            .map(|transaction| record(&transaction, known_after))
            .collect();
        if batch.is_empty() {
            break;
        }
        for outcome in appender.append(batch).await.map_err(|error| stored(&error))? {
            match outcome {
                Outcome::Stored(_) => report.stored += 1,
                Outcome::AlreadyStored(_) => report.already_stored += 1,
                Outcome::Conflict(id) => return Err(conflict(id)),
            }
        }
        bar.set(report.stored + report.already_stored);
    }
    drop(transactions);
    appender.finish().await.map_err(|error| stored(&error))?;
    Ok(report)
}

fn stored(error: &foretell_store::record::AppendError) -> Failure {
    Failure::new(error).hint(error.kind.hint())
}

fn conflict(record: i64) -> Failure {
    Failure::words(format!(
        "the database has another transaction under the id of a simulated one: record {record}"
    ))
    .hint(Some("simulate with the same numbers as before, or into a database of its own: `--db FILE`"))
}

fn record(transaction: &Transaction, known_after: i64) -> NewRecord {
    let (customer, terminal) = (transaction.customer.to_string(), transaction.terminal.to_string());
    let payload = serde_json::json!({
        "customer_id": customer,
        "terminal_id": terminal,
        "amount": transaction.amount_cents as f64 / 100.0,
    });
    NewRecord {
        external_id: Some(transaction.id.to_string()),
        event_time: transaction.time_us,
        payload: payload.to_string(),
        keys: vec![Some(customer), Some(terminal)],
        labels: vec![NewRecordLabel {
            name: LABEL.to_owned(),
            value: LabelValue::Bool(transaction.scenario.is_fraud()),
            known_at: transaction.time_us + known_after,
        }],
        media: vec![],
    }
}

fn draw(output: Output, report: &Report) {
    let share = report.frauds as f64 / report.transactions.max(1) as f64;
    output.facts(&[
        ("transactions", format_count(report.transactions)),
        ("frauds", format!("{} ({})", format_count(report.frauds), format_percent(share))),
        ("stored", format_count(report.stored)),
        ("already stored", format_count(report.already_stored)),
        ("time", format!("{:.1} s ({} rows/s)", report.seconds, format_count(report.rows_per_second as u64))),
    ]);
}
