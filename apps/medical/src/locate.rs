//! Which stored image the user means: by its number, its name, or a file that shows it.

use std::path::Path;

use foretell_media::dicom::deidentify::Salt;
use foretell_store::open::Store;
use foretell_store::record::Record;
use foretell_terminal::{Failure, Output, Place};
use tokio::task::spawn_blocking;

use crate::DOMAIN;
use crate::arguments::{Intake, Target};
use crate::command::intake::{salt, take};
use crate::intake::{Identity, identify};
use crate::payload::{Payload, framed};

/// The stored image that is meant.
///
/// # Errors
/// There is none, or the database cannot be read.
pub async fn stored(place: &Place, store: &Store, target: &Target) -> Result<Record, Failure> {
    match (target.record, &target.path) {
        (Some(id), _) => {
            let record = store.record(id).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
            record.filter(|record| record.domain == DOMAIN).ok_or_else(|| {
                Failure::words(format!("there is no image with the number {id}"))
                    .hint(Some("`foretell record list --domain medical` lists some"))
            })
        }
        (None, Some(path)) => find(place, store, path).await?.ok_or_else(|| {
            Failure::words(format!("`{}` is not stored", path.display())).hint(Some(
                "import it first: `foretell-medical import PATH`; or name a record with `--record`",
            ))
        }),
        (None, None) => unreachable!("one of both is required on the command line"),
    }
}

/// The stored image that is meant; a file that is not stored yet is imported first.
///
/// # Errors
/// There is no such image, it can't be imported, or the database cannot be read or written.
pub async fn stored_or_imported(
    place: &Place,
    store: &Store,
    output: Output,
    target: &Target,
) -> Result<Record, Failure> {
    let (None, Some(path)) = (target.record, &target.path) else { return stored(place, store, target).await };
    if let Some(record) = find(place, store, path).await? {
        return Ok(record);
    }
    let report = take(place, store, output, &Intake::of([path.clone()])).await?;
    if let Some(refused) = report.rejects.first() {
        return Err(Failure::words(format!("`{}`: {}", path.display(), refused.reason)));
    }
    let Some(id) = report.records.first() else {
        return Err(Failure::words(format!("there is no image in `{}`", path.display())));
    };
    stored(place, store, &Target { path: None, record: Some(*id) }).await
}

/// The stored image of this name, or the one that this file shows; of several frames the first.
///
/// # Errors
/// The database or the secret for pseudonyms cannot be read.
pub async fn find(place: &Place, store: &Store, path: &Path) -> Result<Option<Record>, Failure> {
    let fail = |error: foretell_store::fault::ReadError| Failure::new(&error).hint(error.hint());
    if let Some(name) = path.to_str()
        && let Some(record) = store.record_by_external_id(DOMAIN, name).await.map_err(fail)?
    {
        return Ok(Some(record));
    }
    if !path.is_file() {
        return Ok(None);
    }
    let (file, salt): (_, Salt) = (path.to_owned(), salt(place)?);
    let identities = spawn_blocking(move || identify(&file, salt)).await;
    let identities = identities.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    for Identity { names, image } in identities {
        let found =
            store.records_by_external_ids(DOMAIN, names.iter().map(String::as_str)).await.map_err(fail)?;
        let shown = |record: &&Record| Payload::read(record).is_ok_and(|payload| payload.image == image);
        // The longest of the names that the file may have been imported under says most.
        let found = found.iter().filter(shown);
        let longest = found.max_by_key(|record| record.external_id.as_deref().map_or(0, str::len));
        if let Some(record) = longest {
            return Ok(Some(record.clone()));
        }
    }
    Ok(None)
}

/// The ids of all frames of the file that a record is a frame of, its own among them.
///
/// # Errors
/// The database cannot be read.
pub async fn frames(store: &Store, record: &Record) -> Result<Vec<i64>, Failure> {
    let Some(name) = record.external_id.as_deref().filter(|name| !name.contains('#')) else {
        return Ok(vec![record.id]);
    };
    let mut ids = vec![record.id];
    let mut next = 2;
    loop {
        /// Frames that are looked for at once.
        const TOGETHER: u32 = 256;
        let names: Vec<String> = (next..next + TOGETHER).map(|frame| framed(name, frame)).collect();
        let found = store.records_by_external_ids(DOMAIN, names.iter().map(String::as_str)).await;
        let found = found.map_err(|error| Failure::new(&error).hint(error.hint()))?;
        ids.extend(found.iter().map(|record| record.id));
        if found.len() < TOGETHER as usize {
            return Ok(ids);
        }
        next += TOGETHER;
    }
}
