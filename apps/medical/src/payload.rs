//! What is stored of an image beside its bytes: the payload of its record.

use foretell_store::record::Record;
use foretell_terminal::Failure;
use serde::{Deserialize, Serialize};

/// Stands between the hash of a file and the number of a frame.
const FRAME: char = '#';

/// What is known of an image. Absent ones are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payload {
    /// The blob that holds it: its hash, and `#` with the number of the frame, from 1, for frames beyond the first.
    pub image: String,
    /// Media type of the file, such as `application/dicom`.
    pub format: String,
    /// Pixels of a row, as displayed.
    pub width: u32,
    /// Rows, as displayed.
    pub height: u32,
    /// Where it came from, from the folder on that was imported. Of a DICOM file only when identifiers are kept, since files
    /// are often called as their patients are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The kind of machine, such as `DX`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// Which part of the body, such as `CHEST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_part: Option<String>,
    /// From where it is seen, such as `PA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_position: Option<String>,
    /// What samples mean, such as `MONOCHROME1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photometric: Option<String>,
    /// Whose it is: a pseudonym, unless identifiers are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// UID of the examination: a new one, unless identifiers are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
    /// UID of the series, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// UID of the file, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What became of the identifiers; of a DICOM file alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Identifiers>,
    /// How many values were removed or replaced; of a DICOM file alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_count: Option<u64>,
}

/// What became of the identifiers in a DICOM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identifiers {
    /// They were removed before anything was stored.
    Removed,
    /// They were kept, because the user said so.
    Kept,
}

impl Payload {
    /// The payload of a record.
    ///
    /// # Errors
    /// One that is none of an image: another program wrote it.
    pub fn read(record: &Record) -> Result<Self, Failure> {
        serde_json::from_str(&record.payload).map_err(|error| {
            Failure::words(format!(
                "record {} is not an image as this program stores them: column {} of its payload",
                record.id,
                error.column()
            ))
        })
    }

    /// As it is stored.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }

    /// The hash of the blob, and the frame in it.
    pub fn blob(&self) -> (&str, u32) {
        match self.image.split_once(FRAME) {
            Some((hash, frame)) => (hash, frame.parse().unwrap_or(1)),
            None => (&self.image, 1),
        }
    }
}

/// Names a frame: by the name of its file, and its number, from 1, if that is not the first.
pub fn framed(name: &str, frame: u32) -> String {
    match frame {
        1 => name.to_owned(),
        frame => format!("{name}{FRAME}{frame}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_not_written() {
        let film = Payload {
            image: framed("ab", 1),
            format: "image/png".into(),
            width: 3,
            height: 2,
            file: Some("films/a.png".into()),
            ..Payload::default()
        };
        let json = r#"{"image":"ab","format":"image/png","width":3,"height":2,"file":"films/a.png"}"#;
        assert_eq!(film.json(), json);
        let frame = Payload { image: framed("ab", 7), identifiers: Some(Identifiers::Removed), ..film };
        assert!(frame.json().ends_with(r#""identifiers":"removed"}"#), "{}", frame.json());
        assert_eq!(frame.blob(), ("ab", 7));
        assert_eq!(serde_json::from_str::<Payload>(&frame.json()).unwrap(), frame);
    }
}
