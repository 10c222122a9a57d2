//! How tables become purchases and items: our own mappings, and the user's.

use std::path::Path;

use foretell_store::import::{Mapping, MappingError};

const PURCHASE: &str = include_str!("../mappings/purchase.toml");
const ENTRY: &str = include_str!("../mappings/entry.toml");

/// The user's mapping of purchases, or our own.
///
/// # Errors
/// [`MappingError`]: the file cannot be read, or is no mapping.
pub fn purchase(file: Option<&Path>) -> Result<Mapping, MappingError> {
    file.map_or_else(|| Mapping::from_toml(PURCHASE), Mapping::read)
}

/// A purchase that is named: by a column `purchase`, beside those of our own mapping.
pub(crate) fn named_purchase() -> Mapping {
    let mapping = purchase(None).expect("our own mapping is valid");
    Mapping { external_id: Some("purchase".to_owned()), ..mapping }
}

/// An item of the catalogue.
pub(crate) fn entry() -> Mapping {
    Mapping::from_toml(ENTRY).expect("our own mapping is valid")
}

#[cfg(test)]
mod tests {
    use foretell_store::import::JsonReader;

    use super::*;
    use crate::catalogue::Entry;
    use crate::purchase::{KEYS, Purchase};

    #[test]
    fn an_imported_purchase_is_the_record_that_a_purchase_makes() {
        let mapping = named_purchase();
        assert_eq!(mapping.keys().collect::<Vec<_>>(), KEYS);
        let reader = JsonReader::new(&mapping).unwrap();
        let purchases = [
            Purchase {
                customer: Some("7".to_owned()),
                item: "a \"b\" ü".to_owned(),
                basket: Some("7-1".to_owned()),
                quantity: Some(2.0),
                price: Some(57.16),
            },
            Purchase { item: "x".to_owned(), ..Purchase::default() },
        ];
        for purchase in purchases {
            let mut row = serde_json::to_value(&purchase).unwrap();
            row["purchase"] = "p-1".into();
            row["event_time"] = "2025-01-01T00:00:00Z".into();
            let imported = reader.record(row.to_string().as_bytes()).unwrap();
            assert_eq!(imported, purchase.record("p-1".to_owned(), imported.event_time));
        }
    }

    #[test]
    fn an_imported_item_is_the_record_that_an_entry_makes() {
        let reader = JsonReader::new(&entry()).unwrap();
        let entry = Entry {
            item: "1".to_owned(),
            title: Some("12\" pan".to_owned()),
            brand: None,
            category: Some("Kitchen > Pans".to_owned()),
            price: Some(12.0),
            in_stock: Some(false),
        };
        let mut row = serde_json::to_value(&entry).unwrap();
        row["event_time"] = "2025-01-01T00:00:00Z".into();
        let imported = reader.record(row.to_string().as_bytes()).unwrap();
        assert_eq!(imported, entry.record(None, imported.event_time));
    }
}
