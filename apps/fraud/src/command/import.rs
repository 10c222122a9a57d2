//! `foretell-fraud import`

use foretell_terminal::{Failure, Intake, Output, Place, import};
use serde::Serialize;

use crate::DOMAIN;
use crate::arguments;
use crate::mapping;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    intake: Intake,
    labels_added: u64,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Import) -> Result<u8, Failure> {
    let mapping = mapping::find(&command.mapping).map_err(|error| {
        Failure::new(&error).hint(Some("our own mappings are transaction, labelled and handbook"))
    })?;
    let store = place.create_or_open().await?;
    let imported = import(&store, DOMAIN, mapping, &command.file, output).await;
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let labels_added = imported.labels_added;
    let intake = Intake::of_table(&command.file, "rows", imported);
    if let Some(file) = &command.rejects {
        intake.write_rejects(&store, file).await?;
    }
    let report = Report { intake, labels_added };
    output.show(&report, |output| report.intake.draw(output));
    Ok(report.intake.exit_code())
}
