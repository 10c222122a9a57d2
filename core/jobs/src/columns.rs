//! From what a manifest asks for to what the store serves.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use foretell_runtime::manifest::{FieldType, LABEL_PREFIX, Manifest};
use foretell_store::history::{FieldKind, HistoryField, HistorySpec};
use thiserror::Error;

/// A manifest that asks for what stored records can't give.
#[derive(Debug, Error)]
#[error(
    "plugin `{plugin}` asks for `{field}` of type {kind}, which stored records don't have; use another plugin, or update foretell"
)]
pub struct InputError {
    /// Name of the plugin.
    pub plugin: String,
    /// Field of the manifest.
    pub field: String,
    /// Its type.
    pub kind: FieldType,
}

/// The histories of a manifest as the store serves them, in the manifest's order. Fails if it asks for a past that stored records
/// don't have.
pub fn history_specs(manifest: &Manifest) -> Result<Vec<HistorySpec>, InputError> {
    manifest
        .histories
        .iter()
        .map(|history| {
            let fields =
                history.fields.iter().map(|name| history_field(manifest, name)).collect::<Result<_, _>>()?;
            Ok(HistorySpec {
                name: history.name.clone(),
                key: history.key.clone(),
                window: history.window,
                delay: history.delay,
                fields,
            })
        })
        .collect()
}

fn history_field(manifest: &Manifest, name: &str) -> Result<HistoryField, InputError> {
    let found = manifest.history_field(name).expect("a manifest that was read names fields that it declares");
    let kind = match found {
        FieldType::Int64 => FieldKind::Int64,
        FieldType::Float64 => FieldKind::Float64,
        FieldType::Bool => FieldKind::Bool,
        FieldType::Utf8 | FieldType::Category => FieldKind::Utf8,
        FieldType::Timestamp => FieldKind::Timestamp,
        FieldType::Image | FieldType::List(_) => {
            return Err(missing(manifest, name, found));
        }
    };
    Ok(match name.strip_prefix(LABEL_PREFIX) {
        Some(label) => HistoryField::Label { name: label.to_owned(), kind },
        None => HistoryField::Record { name: name.to_owned(), kind },
    })
}

fn missing(manifest: &Manifest, field: &str, kind: &FieldType) -> InputError {
    InputError { plugin: manifest.plugin.name.clone(), field: field.to_owned(), kind: kind.clone() }
}

/// The manifest's inputs as they are stored, without its history.
pub(crate) fn inputs(manifest: &Manifest) -> SchemaRef {
    Arc::new(manifest.stored_schema())
}
