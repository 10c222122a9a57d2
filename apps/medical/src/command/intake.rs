//! Importing, for every command that takes files.

use foretell_media::dicom::deidentify::Salt;
use foretell_store::open::Store;
use foretell_terminal::{Bar, Failure, Output, Place};

use crate::arguments;
use crate::intake::{self, IntakeError, Labels, Order, Progress, Report};
use crate::salt;

/// What pseudonyms of this user's patients are made with.
pub(crate) fn salt(place: &Place) -> Result<Salt, Failure> {
    let registry = place.registry()?;
    salt::load(registry.home().root()).map_err(|error| Failure::new(&error).hint(error.kind.hint()))
}

/// Imports what the user named, with a bar.
pub(crate) async fn take(
    place: &Place,
    store: &Store,
    output: Output,
    wanted: &arguments::Intake,
) -> Result<Report, Failure> {
    let labels = Labels::read(&wanted.label_sources()).map_err(|error| Failure::new(&error))?;
    let salt = if wanted.keep_identifiers { None } else { Some(salt(place)?) };
    let order = Order { paths: wanted.paths.clone(), labels, salt };
    let mut bar = None;
    let imported = intake::import(store, order, |Progress { done, total }| {
        bar.get_or_insert_with(|| Bar::new("importing", "files", Some(total), output.is_json())).set(done);
    });
    let imported = imported.await;
    if let Some(bar) = bar {
        bar.finish();
    }
    imported.map_err(|error: IntakeError| Failure::new(&error).hint(error.hint()))
}
