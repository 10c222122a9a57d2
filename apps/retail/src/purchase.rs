//! What was bought, as it is stored.

use foretell_store::record::NewRecord;
use foretell_store::time::Micros;
use serde::{Deserialize, Serialize};

/// The fields that group purchases, in the order of [`Purchase::record`].
pub const KEYS: [&str; 3] = ["customer", "item", "basket"];

/// One item that was bought: the payload of a record of [`DOMAIN`](crate::DOMAIN).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    /// Who bought it, where that is known.
    pub customer: Option<String>,
    /// What was bought.
    pub item: String,
    /// What was bought together has the same basket.
    pub basket: Option<String>,
    /// How many; one, if not said.
    pub quantity: Option<f64>,
    /// Price of one.
    pub price: Option<f64>,
}

impl Purchase {
    /// The record of this purchase, named by `external_id`.
    ///
    /// **Invariant:** it is the record that the import makes of the same values.
    pub fn record(self, external_id: String, event_time: Micros) -> NewRecord {
        NewRecord {
            external_id: Some(external_id),
            event_time,
            payload: serde_json::to_string(&self).expect("a purchase is texts and finite numbers"),
            keys: vec![self.customer, Some(self.item), self.basket],
            labels: Vec::new(),
            media: vec![],
        }
    }
}
