//! What came of an import.

use std::collections::BTreeMap;

use foretell_media::dicom::deidentify::{Action, Reason, Removal, Warning};
use foretell_store::record::Reject;
use serde::Serialize;

use super::IMAGE_FIELD;
use super::prepare::Dicom;
use crate::payload::Identifiers;

/// Files that were refused and are told with their reason. All are kept in the database.
const REFUSED_TOLD_MAX: usize = 1_000;

/// What came of an import.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The source in the store.
    pub source: i64,
    /// Files that were looked at.
    pub files: u64,
    /// Images, or frames of them, that are stored now and were not before.
    pub stored: u64,
    /// Those that were stored before.
    pub already_stored: u64,
    /// Files that were refused.
    pub rejected: u64,
    /// Files that are no images.
    pub skipped: u64,
    /// Labels that were stored.
    pub labels: u64,
    /// Files that the table of labels lists and that are not there.
    pub listed_missing: u64,
    /// DICOM files whose identifiers were removed.
    pub identifiers_removed: u64,
    /// DICOM files whose identifiers were kept, as the user said.
    pub identifiers_kept: u64,
    /// What was done to attributes of DICOM files.
    pub removals: Vec<Removed>,
    /// What is left in DICOM files and may identify somebody.
    pub warnings: Vec<Warned>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The first of the files that were refused.
    pub rejects: Vec<Refused>,
    /// Ids of all images, whether they were stored now or before.
    #[serde(skip)]
    pub records: Vec<i64>,
    #[serde(skip)]
    removed: BTreeMap<(String, String, &'static str, &'static str), (u64, u64)>,
    #[serde(skip)]
    warned: BTreeMap<&'static str, u64>,
}

/// What was done to an attribute, in all files together. Its values are nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Group and element, such as `0010,0010`.
    pub tag: String,
    /// Its name in the standard (PS3.6).
    pub keyword: String,
    /// What was done: `removed`, `emptied`, `dummy`, `uid` or `pseudonym`.
    pub action: &'static str,
    /// Why.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
    /// In how many files.
    pub files: u64,
}

/// What is left in files and may identify somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warned {
    /// What it is.
    pub warning: &'static str,
    /// In how many files.
    pub files: u64,
}

/// A file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its name, for the user who just named it.
    pub file: String,
    /// What was expected, and what was found.
    pub reason: String,
    /// Which of the files it is, from 1.
    #[serde(skip)]
    pub(super) number: u64,
    /// Whether its name may be stored.
    #[serde(skip)]
    pub(super) is_named: bool,
}

impl Refused {
    /// As it is stored: without the name of a DICOM file, which may be that of a patient.
    pub(super) fn stored(&self) -> Reject {
        let Self { file, reason, number, is_named } = self;
        let reason = match is_named {
            true => format!("{file}: {reason}"),
            false => format!("file {number} of the import: {reason}"),
        };
        let (line, field) = (i64::try_from(*number).ok(), Some(IMAGE_FIELD.to_owned()));
        Reject { line, field, reason, ..Reject::default() }
    }
}

impl Report {
    pub(super) fn refuse(&mut self, refused: Refused) {
        self.rejected += 1;
        if self.rejects.len() < REFUSED_TOLD_MAX {
            self.rejects.push(refused);
        }
    }

    pub(super) fn add_dicom(&mut self, dicom: Dicom) {
        match dicom.identifiers {
            Identifiers::Removed => self.identifiers_removed += 1,
            Identifiers::Kept => self.identifiers_kept += 1,
        }
        for Removal { tag, keyword, action, reason, count } in dicom.removals {
            let tag = format!("{:04X},{:04X}", tag.group(), tag.element());
            let sum =
                self.removed.entry((tag, keyword, action_name(action), reason_name(reason))).or_default();
            *sum = (sum.0 + count as u64, sum.1 + 1);
        }
        for warning in dicom.warnings {
            *self.warned.entry(warning_name(warning)).or_default() += 1;
        }
    }

    /// Lists what was counted.
    pub(super) fn sum_up(&mut self) {
        let removed = self.removed.iter().map(|((tag, keyword, action, reason), (count, files))| Removed {
            tag: tag.clone(),
            keyword: keyword.clone(),
            action,
            reason,
            count: *count,
            files: *files,
        });
        self.removals = removed.collect();
        self.warnings =
            self.warned.iter().map(|(warning, files)| Warned { warning, files: *files }).collect();
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Removed => "removed",
        Action::Emptied => "emptied",
        Action::Dummy => "dummy",
        Action::Uid => "uid",
        Action::Pseudonym => "pseudonym",
    }
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Listed => "listed",
        Reason::Private => "private",
        Reason::Unknown => "unknown",
        Reason::Group => "group",
        Reason::Representation => "representation",
        Reason::Encoding => "encoding",
        Reason::Graphics => "graphics",
        Reason::Header => "header",
    }
}

fn warning_name(warning: Warning) -> &'static str {
    match warning {
        Warning::BurnedInAnnotation => "text is burned into the pixels, and may identify the patient",
        Warning::RecognizableFeatures => "the pixels show, or can be turned into, a face",
        Warning::CommentInPixels => "the compressed pixels have a comment, which may say anything",
        Warning::OverlayInPixels => "an overlay is stored in unused bits of the pixels, and may hold text",
    }
}
