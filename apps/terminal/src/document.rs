//! What stored things look like in `--json`.

use std::fmt;

use foretell_store::time::{Micros, format_time};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A time, printed as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Micros);

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&format_time(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// JSON as it is stored, printed character by character; as a text, should it be no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub String);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_json_is_printed_as_it_is() {
        let cases = [
            (r#"{"b":1.50,"a":[ 1]}"#, r#"{"b":1.50,"a":[ 1]}"#),
            ("not json", r#""not json""#),
            (r#"{"a":1"#, r#""{\"a\":1""#),
        ];
        for (stored, printed) in cases {
            assert_eq!(serde_json::to_string(&Json(stored.to_owned())).unwrap(), printed);
        }
    }
}
