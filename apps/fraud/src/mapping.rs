//! How tables become transactions: our own mappings, and the user's.

use std::path::Path;

use foretell_store::import::{Mapping, MappingError};

/// Our own mappings, by name.
const MAPPINGS: [(&str, &str); 3] = [
    ("transaction", include_str!("../mappings/transaction.toml")),
    ("labelled", include_str!("../mappings/labelled.toml")),
    ("handbook", include_str!("../mappings/handbook.toml")),
];

/// Finds one of our own mappings, or reads a file.
pub fn find(name: &str) -> Result<Mapping, MappingError> {
    match MAPPINGS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Mapping::from_toml(text),
        None => Mapping::read(Path::new(name)),
    }
}

/// The mapping of a live transaction, as `score` reads it.
pub fn transaction() -> Mapping {
    find("transaction").expect("our own mapping is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_mappings_are_valid_and_have_the_same_fields() {
        let fields = |name| -> Vec<String> {
            find(name).unwrap().fields.iter().map(|field| field.name.clone()).collect()
        };
        for (name, _) in MAPPINGS {
            assert_eq!(fields(name), ["customer_id", "terminal_id", "amount"], "{name}");
            assert_eq!(
                find(name).unwrap().keys().collect::<Vec<_>>(),
                ["customer_id", "terminal_id"],
                "{name}"
            );
        }
    }
}
