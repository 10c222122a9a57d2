//! `foretell-fraud label`

use foretell_store::label::NewLabel;
use foretell_store::record::LabelValue;
use foretell_store::time::{format_time, now};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use crate::arguments::{self, Verdict};
use crate::{DOMAIN, LABEL};

#[derive(Serialize)]
struct Report {
    transaction: String,
    record: i64,
    fraud: bool,
    known_at: String,
    source: String,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Label) -> Result<u8, Failure> {
    let store = place.open().await?;
    let record = store
        .record_by_external_id(DOMAIN, &command.transaction)
        .await
        .map_err(|error| Failure::new(&error).hint(error.hint()))?
        .ok_or_else(|| super::unknown(&command.transaction))?;
    let known_at = super::time(command.known_at.as_deref())?.unwrap_or_else(now);
    let fraud = command.verdict == Verdict::Fraud;
    let label = NewLabel {
        record_id: record.id,
        name: LABEL.to_owned(),
        value: LabelValue::Bool(fraud),
        known_at,
        source: command.source.clone(),
    };
    store.add_labels(&[label]).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let report = Report {
        transaction: command.transaction.clone(),
        record: record.id,
        fraud,
        known_at: format_time(known_at),
        source: command.source.clone(),
    };
    output.show(&report, |output| {
        let verdict = if fraud { "fraud" } else { "genuine" };
        output
            .line(&format!("transaction {} is {verdict}, known at {}", report.transaction, report.known_at));
    });
    Ok(exit::DONE)
}
