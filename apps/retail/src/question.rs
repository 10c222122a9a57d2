//! Questions, which are stored before they are answered, and the answers.

use foretell_store::record::NewRecord;
use foretell_store::time::{Micros, format_time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The field that names a customer.
pub const CUSTOMER: &str = "customer";
/// The fields that group questions, in the order of the records' keys.
pub const KEYS: [&str; 2] = [CUSTOMER, "item"];

/// What goes with these items, for this customer? It has no item of its own, so it is nobody's past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Who asks; nobody, if only the items count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// A session, a basket, or the item to find similar ones for, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// How many items are wanted.
    pub count: u32,
}

impl Question {
    /// The record of this question. It has no name: whoever asks twice has two questions.
    pub fn record(&self, event_time: Micros) -> NewRecord {
        NewRecord {
            external_id: None,
            event_time,
            payload: serde_json::to_string(self).expect("a question is texts and a number"),
            keys: vec![self.customer.clone(), None],
            labels: Vec::new(),
            media: vec![],
        }
    }
}

/// How much of an item will be sold? A purchase of nothing: it has the item's past, and adds nothing to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemandQuestion<'q> {
    /// The item.
    pub item: &'q str,
    /// Always 0.
    quantity: f64,
    /// How many periods are wanted.
    pub steps: u32,
}

impl<'q> DemandQuestion<'q> {
    /// A question about the next `steps` periods.
    pub fn new(item: &'q str, steps: u32) -> Self {
        Self { item, quantity: 0.0, steps }
    }

    /// The record of this question. It is named after all that it asks: whoever asks twice has one question.
    pub fn record(&self, event_time: Micros) -> NewRecord {
        NewRecord {
            external_id: Some(format!("demand {} {} {}", self.item, format_time(event_time), self.steps)),
            event_time,
            payload: serde_json::to_string(self).expect("a question is a text and numbers"),
            keys: vec![None, Some(self.item.to_owned())],
            labels: Vec::new(),
            media: vec![],
        }
    }
}

/// One item of an answer, as a plugin of the task `ranking` gives it: best first.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Ranked {
    /// The item.
    pub item: String,
    /// How well it fits; greater is better.
    pub score: f64,
    /// Why, in the plugin's words.
    pub reason: Option<String>,
}

/// One period of an answer, as a plugin of the task `forecast` gives it: the next one first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When the period begins, RFC 3339.
    pub event_time: String,
    /// How much is expected.
    pub value: f64,
    /// A low quantile, if there is one.
    pub low: Option<f64>,
    /// A high quantile, if there is one.
    pub high: Option<f64>,
}

/// Reads an answer as it is stored; an empty list where there is none.
///
/// # Errors
/// What is wrong with it, where another program stored something else.
pub fn answer<T: DeserializeOwned>(output: Option<&str>) -> Result<Vec<T>, serde_json::Error> {
    output.map_or_else(|| Ok(Vec::new()), serde_json::from_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_it_asks_and_nothing_else() {
        let question = Question { customer: Some("7".to_owned()), items: Vec::new(), count: 10 };
        let record = question.record(0);
        assert_eq!(record.payload, r#"{"customer":"7","count":10}"#);
        assert_eq!(record.keys, [Some("7".to_owned()), None]);
        let question = Question { customer: None, items: vec!["3".to_owned()], count: 5 };
        assert_eq!(question.record(0).payload, r#"{"items":["3"],"count":5}"#);
        let record = DemandQuestion::new("T1", 6).record(0);
        assert_eq!(record.payload, r#"{"item":"T1","quantity":0.0,"steps":6}"#);
        assert_eq!(record.external_id.as_deref(), Some("demand T1 1970-01-01T00:00:00Z 6"));
    }

    #[test]
    fn answers_are_read_as_they_are_stored() {
        let ranked: Vec<Ranked> =
            answer(Some(r#"[{"item":"12","score":0.5,"reason":"bought 7"},{"item":"3","score":0}]"#))
                .unwrap();
        assert_eq!((ranked[0].reason.as_deref(), &ranked[1].reason), (Some("bought 7"), &None));
        let steps: Vec<Step> =
            answer(Some(r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.5,"low":0,"high":4}]"#)).unwrap();
        assert_eq!((steps[0].value, steps[0].high), (1.5, Some(4.0)));
        assert!(answer::<Ranked>(None).unwrap().is_empty());
        assert!(answer::<Ranked>(Some("{}")).is_err());
    }
}
