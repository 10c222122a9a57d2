//! `foretell-medical label`

use foretell_store::label::NewLabel;
use foretell_store::record::LabelValue;
use foretell_store::time::now;
use foretell_terminal::{Failure, Output, Place, Time, exit};
use serde::Serialize;

use crate::intake::{FINDING_CHARACTERS_MAX, points};
use crate::{FINDING, NOTICE, OUTLINE, arguments, locate};

#[derive(Serialize)]
struct Report<'c> {
    notice: &'static str,
    record: i64,
    image: Option<String>,
    labels: Vec<Set<'c>>,
    known_at: Time,
    source: &'c str,
    /// Labels that were not known before.
    added: u64,
}

#[derive(Serialize)]
struct Set<'c> {
    name: &'c str,
    value: String,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Label) -> Result<u8, Failure> {
    let set = command.set.iter().map(|(name, value)| Ok(Set { name, value: checked(name, value)? }));
    let set = set.collect::<Result<Vec<_>, Failure>>()?;
    let store = place.open().await?;
    let record = locate::stored(place, &store, &command.target).await?;
    let known_at = command.known_at.unwrap_or_else(now);
    let labels = set.iter().map(|set| NewLabel {
        record_id: record.id,
        name: set.name.to_owned(),
        value: LabelValue::Text(set.value.clone()),
        known_at,
        source: command.source.clone(),
    });
    let labels: Vec<NewLabel> = labels.collect();
    let added =
        store.add_labels(&labels).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let report = Report {
        notice: NOTICE,
        record: record.id,
        image: record.external_id,
        labels: set,
        known_at: Time(known_at),
        source: &command.source,
        added,
    };
    output.show(&report, |output| {
        for Set { name, value } in &report.labels {
            output
                .line(&format!("record {}: {name} is {value}, known at {}", report.record, report.known_at));
        }
        output.line(&format!("\n{NOTICE}"));
    });
    Ok(exit::DONE)
}

/// The value of a label as it is stored.
fn checked(name: &str, value: &str) -> Result<String, Failure> {
    match name {
        FINDING if value.chars().count() > FINDING_CHARACTERS_MAX => {
            Err(Failure::words(format!("expected a finding of at most {FINDING_CHARACTERS_MAX} characters")))
        }
        FINDING => Ok(value.to_owned()),
        OUTLINE => {
            let points = points(value).map_err(|reason| Failure::words(format!("`outline`: {reason}")))?;
            Ok(serde_json::to_string(&points).expect("finite numbers are JSON"))
        }
        name => Err(Failure::words(format!("there is no label `{name}`"))
            .hint(Some("images have the labels `finding` and `outline`"))),
    }
}
