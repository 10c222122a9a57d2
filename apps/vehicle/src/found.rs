//! What plugins say of frames and clips, read from the answers that are stored.

use foretell_jobs::Answer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A box with what is in it, in pixels of the frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// What is in it, such as `car`.
    pub label: String,
    /// How sure that is, from 0 to 1.
    pub score: f32,
}

/// A box of something that is followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Where it is, and what it is.
    #[serde(flatten)]
    pub found: Found,
    /// Which one, counted from 1.
    pub track: i64,
    /// In which frame, counted from 0.
    pub frame: u32,
}

/// Reads the list that a detection or a tracking answers.
///
/// # Errors
/// The reason why the plugin refused the record, or what in the answer is no such list.
pub fn list<T: DeserializeOwned>(answer: &Answer) -> Result<Vec<T>, String> {
    match answer {
        Answer::Predicted(predicted) => serde_json::from_str(predicted.output.as_deref().unwrap_or("[]"))
            .map_err(|error| format!("the answer is no list of boxes: {error}")),
        Answer::Refused { field: Some(field), reason } => Err(format!("`{field}`: {reason}")),
        Answer::Refused { field: None, reason } => Err(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use foretell_jobs::Predicted;

    use super::*;

    fn answer(output: &str) -> Answer {
        Answer::Predicted(Predicted { score: None, label: None, output: Some(output.to_owned()) })
    }

    #[test]
    fn lists_of_boxes_are_read() {
        let found = r#"{"x":1.5,"y":2,"width":3,"height":4,"label":"car","score":0.5"#;
        let boxes: Vec<Found> = list(&answer(&format!("[{found}}}]"))).unwrap();
        assert_eq!((boxes.len(), boxes[0].x, boxes[0].label.as_str()), (1, 1.5, "car"));
        let tracks: Vec<Tracked> = list(&answer(&format!(r#"[{found},"track":7,"frame":3}}]"#))).unwrap();
        assert_eq!((tracks[0].track, tracks[0].frame, &tracks[0].found), (7, 3, &boxes[0]));
        assert_eq!(list::<Found>(&answer("[]")).unwrap(), []);
        assert!(list::<Found>(&answer("{}")).is_err());
        let refused = Answer::Refused { field: Some("image".to_owned()), reason: "it is cut off".to_owned() };
        assert_eq!(list::<Found>(&refused).unwrap_err(), "`image`: it is cut off");
    }
}
