//! `foretell-retail simulate`

use std::time::Instant;

use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, Outcome, SourceInfo, SourceKind};
use foretell_store::time::format_time;
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count, format_percent};
use serde::Serialize;

use crate::catalogue::KEY;
use crate::purchase::KEYS;
use crate::simulate::{Cause, Item, Purchase, Simulation, chains, export, used_up};
use crate::{CATALOGUE, DOMAIN, arguments};

/// Purchases that are stored at once.
const BATCH_PURCHASES: usize = 16_384;
/// Chains and refills that are listed on a terminal.
const PLANTED_SHOWN_MAX: usize = 5;

#[derive(Debug, Default, Serialize)]
struct Report {
    customers: u32,
    items: usize,
    purchases: usize,
    baskets: usize,
    from: Option<String>,
    to: Option<String>,
    stored: u64,
    already_stored: u64,
    exported_to: Option<String>,
    seconds: f64,
    planted: Planted,
}

/// What a model can find out, with luck.
#[derive(Debug, Default, Serialize)]
struct Planted {
    /// Purchases because somebody liked an item.
    taste: usize,
    /// Purchases because an item goes with another one.
    companion: usize,
    /// Purchases because something was used up.
    used_up: usize,
    /// Purchases of what the same customer had bought before.
    bought_again: usize,
    /// After which category comes which.
    chains: Vec<(String, &'static str)>,
    /// Categories of what is used up, and the days that it lasts.
    lasts_days: Vec<(String, (u32, u32))>,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Simulate) -> Result<u8, Failure> {
    let &arguments::Simulate { customers, items, days, start, seed, .. } = command;
    let crowd = command.crowd.unwrap_or(seed);
    let simulation = Simulation { seed, crowd, customers, items, days, start };
    let started = Instant::now();
    let items = simulation.items().map_err(|error| Failure::new(&error))?;
    let purchases = simulation.purchases().map_err(|error| Failure::new(&error))?;
    let mut report = describe(&simulation, &items, &purchases);
    if let Some(directory) = &command.export {
        export(directory, &items, &purchases).map_err(|error| {
            Failure::words(format!("can't write into `{}`: {error}", directory.display()))
        })?;
        report.exported_to = Some(directory.display().to_string());
    }
    if command.export.is_none() || command.store {
        let store = place.create_or_open().await?;
        store_all(&store, &simulation, &items, &purchases, output, &mut report).await?;
    }
    report.seconds = started.elapsed().as_secs_f64();
    output.show(&report, |output| draw(output, &report));
    Ok(exit::DONE)
}

fn describe(simulation: &Simulation, items: &[Item], purchases: &[Purchase]) -> Report {
    let because = |cause| purchases.iter().filter(|purchase| purchase.cause == cause).count();
    let mut seen = std::collections::HashSet::new();
    Report {
        customers: simulation.customers,
        items: items.len(),
        purchases: purchases.len(),
        baskets: purchases.iter().filter(|purchase| purchase.place == 0).count(),
        from: purchases.first().map(|purchase| format_time(purchase.time_us)),
        to: purchases.last().map(|purchase| format_time(purchase.time_us)),
        planted: Planted {
            taste: because(Cause::Taste),
            companion: because(Cause::Companion),
            used_up: because(Cause::UsedUp),
            bought_again: purchases
                .iter()
                .filter(|purchase| !seen.insert((purchase.customer, purchase.item)))
                .count(),
            chains: chains().collect(),
            lasts_days: used_up().collect(),
        },
        ..Report::default()
    }
}

async fn store_all(
    store: &Store,
    simulation: &Simulation,
    items: &[Item],
    purchases: &[Purchase],
    output: Output,
    report: &mut Report,
) -> Result<(), Failure> {
    let name = match simulation.crowd {
        crowd if crowd == simulation.seed => format!("seed {}", simulation.seed),
        crowd => format!("seed {}, crowd {crowd}", simulation.seed),
    };
    let opens = purchases.first().map_or(0, |purchase| purchase.time_us);
    let entries = (0..).zip(items).map(|(number, item)| {
        let entry = item.entry(number);
        let external_id = entry.item.clone();
        entry.record(Some(external_id), opens)
    });
    let bar = Bar::new("storing", "records", Some((items.len() + purchases.len()) as u64), output.is_json());
    append(store, CATALOGUE, &[KEY], &name, entries, &bar, report).await?;
    append(store, DOMAIN, &KEYS, &name, purchases.iter().map(Purchase::record), &bar, report).await?;
    bar.finish();
    Ok(())
}

async fn append(
    store: &Store,
    domain: &str,
    keys: &[&str],
    name: &str,
    mut records: impl Iterator<Item = NewRecord>,
    bar: &Bar,
    report: &mut Report,
) -> Result<(), Failure> {
    let failure = |error: foretell_store::record::AppendError| Failure::new(&error).hint(error.kind.hint());
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let source =
        SourceInfo { kind: SourceKind::Simulation, name: name.to_owned(), hash: None, mapping: None };
    let mut appender = Appender::begin(store, domain, keys, source).await.map_err(failure)?;
    loop {
        let batch: Vec<NewRecord> = records.by_ref().take(BATCH_PURCHASES).collect();
        if batch.is_empty() {
            break;
        }
        for outcome in appender.append(batch).await.map_err(failure)? {
            match outcome {
                Outcome::Stored(_) => report.stored += 1,
                Outcome::AlreadyStored(_) => report.already_stored += 1,
                Outcome::Conflict(id) => return Err(conflict(id)),
            }
        }
        bar.set(report.stored + report.already_stored);
    }
    appender.finish().await.map_err(failure)
}

fn conflict(record: i64) -> Failure {
    Failure::words(format!(
        "the database has something else under the name of a simulated purchase or item: record {record}"
    ))
    .hint(Some("simulate with the same numbers as before, or into a database of its own: `--db FILE`"))
}

fn draw(output: Output, report: &Report) {
    let planted = &report.planted;
    let count = |count: usize| format_count(count as u64);
    let share = |part: usize| {
        format!("{} ({})", count(part), format_percent(part as f64 / report.purchases.max(1) as f64))
    };
    let mut facts = vec![
        ("customers", format_count(u64::from(report.customers))),
        ("items", count(report.items)),
        ("purchases", format!("{} in {} baskets", count(report.purchases), count(report.baskets))),
        (
            "time span",
            match (&report.from, &report.to) {
                (Some(from), Some(to)) => format!("{from} to {to}"),
                _ => "nobody bought anything".to_owned(),
            },
        ),
    ];
    if report.stored + report.already_stored > 0 {
        facts.push(("stored", format_count(report.stored)));
        facts.push(("already stored", format_count(report.already_stored)));
    }
    if let Some(directory) = &report.exported_to {
        facts.push(("written", format!("purchases.csv and catalogue.csv, into {directory}")));
    }
    facts.push(("time", format!("{:.1} s", report.seconds)));
    output.facts(&facts);
    output.line("\nplanted, for models to find:");
    output.facts(&[
        ("  by taste", share(planted.taste)),
        ("  to go with another item", share(planted.companion)),
        ("  because it was used up", share(planted.used_up)),
        ("  of all, bought before", share(planted.bought_again)),
    ]);
    output.line("");
    output.table(
        &["after", "comes, 1 to 21 days later"],
        planted
            .chains
            .iter()
            .take(PLANTED_SHOWN_MAX)
            .map(|(after, then)| vec![after.clone(), (*then).to_owned()]),
    );
    output.line(&format!("... and {} more", planted.chains.len() - PLANTED_SHOWN_MAX));
    output.line("");
    output.table(
        &["used up", "after days#"],
        planted
            .lasts_days
            .iter()
            .take(PLANTED_SHOWN_MAX)
            .map(|(category, (from, to))| vec![category.clone(), format!("{from} to {to}")]),
    );
    output.line(&format!("... and {} more", planted.lasts_days.len() - PLANTED_SHOWN_MAX));
}
