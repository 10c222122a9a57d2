//! Payloads as columns of a table, in the order in which their fields stand.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::shorten;

/// Columns of a payload that a table shows.
const COLUMNS_MAX: usize = 8;
/// Characters of a value that a table shows.
const CHARACTERS_MAX: usize = 40;

/// The fields of a payload, in their order.
#[derive(Debug, Default)]
pub(super) struct Payload(Vec<(String, Value)>);

impl Payload {
    /// The fields of a JSON object; none for anything else, which only another program could have stored.
    pub(super) fn new(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// A field as the cell of a table.
    fn cell(&self, name: &str) -> String {
        let value = self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value);
        let text = match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        shorten(&text, CHARACTERS_MAX)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Payload;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Payload(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The columns that a table of payloads has.
pub(super) struct Columns {
    names: Vec<String>,
    /// Whether every value of the column is a number.
    numeric: Vec<bool>,
    /// Fields beyond [`COLUMNS_MAX`].
    pub(super) left_out: usize,
}

impl Columns {
    /// The fields of all payloads, each where it first appears.
    pub(super) fn of(payloads: &[Payload]) -> Self {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in payloads.iter().flat_map(|payload| &payload.0) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let left_out = names.len().saturating_sub(COLUMNS_MAX);
        names.truncate(COLUMNS_MAX);
        let is_number = |name: &String| {
            let mut values =
                payloads.iter().flat_map(|payload| &payload.0).filter(|(field, _)| field == name);
            values.all(|(_, value)| value.is_number())
        };
        let numeric = names.iter().map(is_number).collect();
        Self { names, numeric, left_out }
    }

    /// The heads of the columns, as [`Output::table`](foretell_terminal::Output::table) takes them.
    pub(super) fn head(&self) -> Vec<String> {
        let head =
            |(name, &numeric): (&String, &bool)| if numeric { format!("{name}#") } else { name.clone() };
        self.names.iter().zip(&self.numeric).map(head).collect()
    }

    /// The cells of a payload.
    pub(super) fn row<'a>(&'a self, payload: &'a Payload) -> impl Iterator<Item = String> + 'a {
        self.names.iter().map(|name| payload.cell(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_columns_in_their_order() {
        let payloads =
            [r#"{"b":"x","a":1.50}"#, r#"{"c":[1,2],"a":7,"b":null}"#, "no json"].map(Payload::new);
        let columns = Columns::of(&payloads);
        assert_eq!(columns.head(), ["b", "a#", "c"]);
        let rows = payloads.iter().map(|payload| columns.row(payload).collect::<Vec<_>>());
        assert_eq!(rows.collect::<Vec<_>>(), [["x", "1.5", ""], ["", "7", "[1,2]"], ["", "", ""]]);
    }

    #[test]
    fn wide_payloads_are_cut() {
        let wide: Vec<_> = (0..COLUMNS_MAX + 3).map(|index| format!("\"f{index}\":{index}")).collect();
        let columns = Columns::of(&[Payload::new(&format!("{{{}}}", wide.join(",")))]);
        assert_eq!((columns.head().len(), columns.left_out), (COLUMNS_MAX, 3));
    }
}
