//! `foretell db`

use std::path::Path;
use std::time::Instant;

use foretell_store::maintenance::{CheckReport, Problem};
use foretell_store::open::{OpenErrorKind, Store, schema_version};
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_bytes, format_count};
use serde::Serialize;

use super::{number, unread};
use crate::arguments::Db;

/// Problems of a check that are listed on a terminal.
const PROBLEMS_SHOWN_MAX: usize = 20;

pub(super) async fn run(place: &Place, output: Output, command: &Db) -> Result<u8, Failure> {
    match command {
        Db::Backup { file } => backup(place, output, file).await,
        Db::Check => check(place, output).await,
        Db::Migrate => migrate(place, output).await,
        Db::Vacuum => vacuum(place, output).await,
    }
}

#[derive(Serialize)]
struct Backup {
    database: String,
    file: String,
    bytes: u64,
    seconds: f64,
}

async fn backup(place: &Place, output: Output, file: &Path) -> Result<u8, Failure> {
    let store = place.open_to_copy().await?;
    let start = Instant::now();
    let waiting = Bar::waiting("copying", output.is_json());
    let copied = store.backup(file).await;
    waiting.finish();
    copied.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let document = Backup {
        database: place.db.display().to_string(),
        file: file.display().to_string(),
        bytes: bytes(file),
        seconds: start.elapsed().as_secs_f64(),
    };
    output.show(&document, |output| {
        let (size, seconds) = (format_bytes(document.bytes), document.seconds);
        output.line(&format!(
            "copied `{}` to `{}`: {size} in {seconds:.1} s",
            document.database, document.file
        ));
    });
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Check {
    database: String,
    /// Whether nothing is wrong.
    sound: bool,
    #[serde(flatten)]
    report: CheckReport,
}

async fn check(place: &Place, output: Output) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let waiting = Bar::waiting("checking", output.is_json());
    let report = store.check().await;
    waiting.finish();
    let report = report.map_err(unread)?;
    let document = Check { database: place.db.display().to_string(), sound: report.is_sound(), report };
    output.show(&document, |output| draw_check(output, &document));
    Ok(if document.sound { exit::DONE } else { exit::NOT_EQUAL })
}

fn draw_check(output: Output, document: &Check) {
    let (checks, problems) = (&document.report.checks, &document.report.problems);
    if document.sound {
        return output.line(&format!("`{}` is whole: {} checks hold", document.database, checks.len()));
    }
    output.line(&format!("`{}` is damaged", document.database));
    output.line("");
    let row = |problem: &Problem| {
        vec![
            problem.check.to_owned(),
            format_count(problem.count),
            number(problem.example),
            problem.message.clone(),
        ]
    };
    output
        .table(&["check", "count#", "first#", "problem"], problems.iter().take(PROBLEMS_SHOWN_MAX).map(row));
    if problems.len() > PROBLEMS_SHOWN_MAX {
        output.line(&format!("... and {} more: `--json` prints all", problems.len() - PROBLEMS_SHOWN_MAX));
    }
    output.line("");
    output.line("restore a backup, or `foretell record export` what can still be read and import it anew");
}

#[derive(Serialize)]
struct Migration {
    database: String,
    /// Version of the schema before; null for a database that was made.
    before: Option<i64>,
    version: i64,
}

async fn migrate(place: &Place, output: Output) -> Result<u8, Failure> {
    let before = match Store::open_read_only(&place.db).await {
        Ok(_) => Some(schema_version()),
        Err(error) => match error.kind {
            OpenErrorKind::Older { found, .. } => Some(found),
            // Whatever else it is, opening it for writing says.
            _ => None,
        },
    };
    place.create_or_open().await?;
    let document = Migration { database: place.db.display().to_string(), before, version: schema_version() };
    output.show(&document, |output| {
        let Migration { database, version, .. } = &document;
        output.line(&match before {
            None => format!("made `{database}` with schema version {version}"),
            Some(before) if before < *version => {
                format!("brought `{database}` from schema version {before} to {version}")
            }
            Some(_) => format!("`{database}` has schema version {version} already"),
        });
    });
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Vacuum {
    database: String,
    bytes_before: u64,
    bytes_after: u64,
}

async fn vacuum(place: &Place, output: Output) -> Result<u8, Failure> {
    let store = place.open().await?;
    let before = bytes(&place.db);
    let waiting = Bar::waiting("packing", output.is_json());
    let packed = store.vacuum().await;
    waiting.finish();
    packed.map_err(|error| Failure::new(&error).hint(error.fault().hint()))?;
    let document = Vacuum {
        database: place.db.display().to_string(),
        bytes_before: before,
        bytes_after: bytes(&place.db),
    };
    output.show(&document, |output| {
        let (before, after) = (format_bytes(document.bytes_before), format_bytes(document.bytes_after));
        output.line(&format!("`{}` has {after}, before {before}", document.database));
    });
    Ok(exit::DONE)
}

/// Size of a file.
fn bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
