//! `foretell-retail import`

use std::path::Path;

use foretell_store::import::{ImportError, ImportErrorKind};
use foretell_store::open::Store;
use foretell_terminal::{Bar, Failure, Intake, Output, Place, Rows, import};

use crate::arguments::{Import, Table};
use crate::intake::{self, IntakeError, Progress};
use crate::{DOMAIN, mapping};

pub(super) async fn run(place: &Place, output: Output, command: &Import) -> Result<u8, Failure> {
    let (file, rejects) = match command {
        Import::Purchases(Table { file, rejects, .. }) => (file, rejects),
        Import::Baskets(baskets) => (&baskets.wide.file, &baskets.wide.rejects),
        Import::Catalogue(wide) | Import::Sequences(wide) | Import::Demand(wide) => {
            (&wide.file, &wide.rejects)
        }
    };
    let store = place.create_or_open().await?;
    let intake = match command {
        Import::Purchases(table) => purchases(&store, output, table).await?,
        _ => lines(&store, output, command, file).await?,
    };
    if let Some(rejects) = rejects {
        intake.write_rejects(&store, rejects).await?;
    }
    output.show(&intake, |output| intake.draw(output));
    Ok(intake.exit_code())
}

/// A table with a purchase on each row, which the store reads by itself.
async fn purchases(store: &Store, output: Output, table: &Table) -> Result<Intake, Failure> {
    let mut mapping = mapping::purchase(table.mapping.as_deref()).map_err(|error| Failure::new(&error))?;
    let mut imported = import(store, DOMAIN, mapping.clone(), &table.file, output).await;
    // Columns of our own mapping that need not be there are left out where they are not. The user's mapping means
    // what it says.
    if table.mapping.is_none()
        && let Err(ImportError { kind: ImportErrorKind::MissingColumns { missing, .. }, .. }) = &imported
    {
        mapping.fields.retain(|field| field.required || !missing.iter().any(|name| name == field.column()));
        imported = import(store, DOMAIN, mapping, &table.file, output).await;
    }
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    Ok(Intake::of_table(&table.file, "purchases", imported))
}

/// Everything else: text, line by line.
async fn lines(store: &Store, output: Output, command: &Import, file: &Path) -> Result<Intake, Failure> {
    let mut bar = None;
    let progress = |progress: Progress| {
        bar.get_or_insert_with(|| Bar::new("importing", "bytes", Some(progress.total), output.is_json()))
            .set(progress.done);
    };
    let read: Result<intake::Report, IntakeError> = match command {
        Import::Catalogue(_) => intake::catalogue(store, file, progress).await,
        Import::Baskets(baskets) => intake::baskets(store, file, baskets.start, progress).await,
        Import::Sequences(_) => intake::sequences(store, file, progress).await,
        Import::Demand(_) => intake::demand(store, file, progress).await,
        Import::Purchases(_) => unreachable!("tables are read by the store"),
    };
    if let Some(bar) = bar {
        bar.finish();
    }
    let read = read.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let unit = if matches!(command, Import::Catalogue(_)) { "items" } else { "purchases" };
    let rows = Rows {
        read: read.rows,
        stored: read.stored,
        already_stored: read.already_stored,
        rejected: read.rejected,
    };
    Ok(Intake::new(file, read.source, unit, rows, read.elapsed, read.rejects))
}
