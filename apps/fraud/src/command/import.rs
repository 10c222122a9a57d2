//! `foretell-fraud import`

use std::path::Path;

use foretell_store::import::Import;
use foretell_terminal::{Bar, Failure, Intake, Output, Place, Rows};
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
    let mut bar = None;
    let imported = Import::new(&store, DOMAIN, mapping)
        .run(&command.file, |progress| {
            let unit = if is_text(&command.file) { "bytes" } else { "rows" };
            let bar = bar
                .get_or_insert_with(|| Bar::new("importing", unit, Some(progress.total), output.is_json()));
            bar.set(progress.done);
        })
        .await;
    if let Some(bar) = bar {
        bar.finish();
    }
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let rows = Rows {
        read: imported.rows,
        stored: imported.stored,
        already_stored: imported.already_stored,
        rejected: imported.rejected,
    };
    let (source, elapsed) = (imported.source_id, imported.elapsed);
    let intake = Intake::new(&command.file, source, "rows", rows, elapsed, imported.rejects);
    if let Some(file) = &command.rejects {
        intake.write_rejects(&store, file).await?;
    }
    let report = Report { intake, labels_added: imported.labels_added };
    output.show(&report, |output| report.intake.draw(output));
    Ok(report.intake.exit_code())
}

fn is_text(file: &Path) -> bool {
    file.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("parquet"))
}
