//! The JSON Schema of `plugin.toml`, for editors and for authors in other languages.
//!
//! It is generated from the types that read the manifest, and committed as `schema/plugin.schema.json`. An editor that
//! knows TOML schemas completes and checks a manifest with the line `#:schema plugin.schema.json` at its top. The
//! schema says what each key may be; that the keys agree with each other is checked when the manifest is read.

use schemars::{SchemaGenerator, generate::SchemaSettings};

use crate::manifest::Manifest;

/// The JSON Schema (draft 2020-12) of a plugin's manifest, as indented text with a line break at its end.
pub fn plugin_schema() -> String {
    let mut schema = SchemaGenerator::new(SchemaSettings::draft2020_12()).into_root_schema_for::<Manifest>();
    schema.insert("title".into(), "foretell plugin manifest".into());
    // The alternate form of `Value`'s text is indented JSON.
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/plugin.schema.json");
        let expected = plugin_schema();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        // As values, since the order of keys depends on how serde_json was built.
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let current = value(&committed) == value(&expected);
        assert!(current, "set UPDATE_SCHEMA=1 and run this test to write {path}");
    }
}
