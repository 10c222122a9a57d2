//! What results in DICOM have in common: what made them, when, and how they are named.

use chrono::{DateTime, Datelike as _};
use dicom_dictionary_std::tags;

use super::{
    dataset::{Dataset, Encoding},
    pseudonym::uid_of_bytes,
};
use crate::{MediaError, MediaErrorKind};

/// Characters of a label, of an algorithm's name and of its version: what fits into a code's meaning.
pub const LABEL_CHARACTERS_MAX: usize = 64;

/// Codes that no published scheme has. A scheme that begins with 99 is private (PS3.16 section 8).
pub(super) const SCHEME: &str = "99FORETELL";

/// What made a result (TID 4019).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithm {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What else says which one it was and how it was set: `model blake3 = ...`, `threshold = 0.5`.
    pub parameters: Vec<String>,
}

impl Algorithm {
    /// Refuses a name or a version that is empty or too long.
    pub(super) fn check(&self, what: &str) -> Result<(), MediaError> {
        check_label(what, "the algorithm's name", &self.name)?;
        check_label(what, "the algorithm's version", &self.version)
    }
}

/// A label of one line that fits into a code's meaning.
pub(super) fn check_label(what: &str, name: &str, label: &str) -> Result<(), MediaError> {
    let characters = label.chars().count();
    let is_text = !label.trim().is_empty() && !label.chars().any(|char| char.is_control() || char == '\\');
    if is_text && characters <= LABEL_CHARACTERS_MAX {
        return Ok(());
    }
    let found = format!(
        "{name} has {characters} characters; it should have 1 to {LABEL_CHARACTERS_MAX}, on one line and without `\\`"
    );
    Err(MediaErrorKind::Unsupported(found).of(what))
}

/// Says when the result was made, in UTC.
pub(super) fn set_time(what: &str, dataset: &mut Dataset, time_us: i64) -> Result<(), MediaError> {
    let time = DateTime::from_timestamp_micros(time_us).filter(|time| (1..=9999).contains(&time.year()));
    let time = time.ok_or_else(|| {
        let found = format!("{time_us} microseconds since 1970 is no time between the years 1 and 9999");
        MediaErrorKind::Unsupported(found).of(what)
    })?;
    let (date, time) = (time.format("%Y%m%d").to_string(), time.format("%H%M%S%.6f").to_string());
    dataset.set_text(tags::CONTENT_DATE, &date);
    dataset.set_text(tags::CONTENT_TIME, &time);
    dataset.set_text(tags::SERIES_DATE, &date);
    dataset.set_text(tags::SERIES_TIME, &time);
    dataset.set_text(tags::TIMEZONE_OFFSET_FROM_UTC, "+0000");
    Ok(())
}

/// Says what wrote the result (PS3.3 sections C.7.5.1 and C.7.5.2).
pub(super) fn equipment(dataset: &mut Dataset, algorithm: &Algorithm) {
    dataset.set_text(tags::MANUFACTURER, "foretell");
    dataset.set_text(tags::MANUFACTURER_MODEL_NAME, &algorithm.name);
    dataset.set_text(tags::SOFTWARE_VERSIONS, &algorithm.version);
    // A program has no serial number; its version is what tells one from another.
    dataset.set_text(tags::DEVICE_SERIAL_NUMBER, &algorithm.version);
}

/// Names a result by all that it says, so that the same result has the same name.
pub(super) fn with_instance_uid(purpose: &str, mut dataset: Dataset) -> Result<Dataset, MediaError> {
    let content = dataset.to_bytes(Encoding::EXPLICIT)?;
    dataset.set_text(tags::SOP_INSTANCE_UID, &uid_of_bytes(purpose, &[&content]));
    Ok(dataset)
}

/// A code for a label. Its value is short, so it is a hash where the label is not.
pub(super) fn label_code(label: &str) -> Dataset {
    const VALUE_CHARACTERS_MAX: usize = 16;
    let is_short = label.len() <= VALUE_CHARACTERS_MAX && label.is_ascii();
    let value = if is_short {
        label.to_owned()
    } else {
        blake3::hash(label.as_bytes()).to_hex()[..VALUE_CHARACTERS_MAX].to_owned()
    };
    code(&value, SCHEME, label)
}

/// A code of a coding scheme (PS3.3 table 8.8-1).
pub(super) fn code(value: &str, scheme: &str, meaning: &str) -> Dataset {
    /// What fits into Code Value; longer ones have an attribute of their own.
    const CODE_CHARACTERS_MAX: usize = 16;
    let mut code = Dataset::new();
    let tag =
        if value.chars().count() > CODE_CHARACTERS_MAX { tags::LONG_CODE_VALUE } else { tags::CODE_VALUE };
    code.set_text(tag, value);
    code.set_text(tags::CODING_SCHEME_DESIGNATOR, scheme);
    code.set_text(tags::CODE_MEANING, meaning);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dicom_has_them() {
        let mut dataset = Dataset::new();
        set_time("test", &mut dataset, 1_700_000_000_123_456).expect("a time");
        assert_eq!(dataset.text(tags::CONTENT_DATE).as_deref(), Some("20231114"));
        assert_eq!(dataset.text(tags::CONTENT_TIME).as_deref(), Some("221320.123456"));
        let error = set_time("test", &mut dataset, i64::MAX).expect_err("too late").to_string();
        assert!(error.contains("no time between the years 1 and 9999"), "{error}");
    }

    #[test]
    fn labels_have_codes() {
        for (label, value) in [("normal", "normal"), ("a label longer than a code value", "")] {
            let code = label_code(label);
            let found = code.text(tags::CODE_VALUE).expect("a value");
            assert!(found.len() <= 16 && (value.is_empty() || value == found), "{found}");
            assert_eq!(code.text(tags::CODE_MEANING).as_deref(), Some(label));
        }
    }
}
