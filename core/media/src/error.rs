//! What can go wrong with an encoded image.

/// An encoded image that could not be opened, decoded or brought into the asked form.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("cannot {action}: {kind}")]
pub struct MediaError {
    /// What was to be done.
    pub action: String,
    /// Why it was not.
    pub kind: MediaErrorKind,
}

/// Why something could not be done with an image.
///
/// **Invariant:** messages name attributes, markers, sizes and limits. They never show the value of a text attribute, since a
/// DICOM file holds names and numbers of patients.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaErrorKind {
    /// The bytes begin like no format that is read here.
    #[error(
        "it begins with {start}, like none of DICOM, PNG, JPEG, TIFF, BMP and WebP; save it as one of these"
    )]
    UnknownFormat {
        /// The first bytes in hexadecimal, or `nothing`.
        start: String,
    },
    /// The file ends before what it announces.
    #[error("it ends too early: {0}; get the file again, it may have been cut off on its way")]
    Truncated(String),
    /// The file, or what was asked, is beyond a limit.
    #[error("{what} {found} is beyond the limit of {allowed}")]
    Limit {
        /// What is limited, with its unit.
        what: &'static str,
        /// What the file announces.
        found: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// The file is what it should be, and this crate cannot read it.
    #[error("{0}")]
    Unsupported(String),
    /// The file contradicts itself or its format.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// There is no such frame.
    #[error("there is no frame {asked}; frames are counted from 1, and it has {frames}")]
    NoFrame {
        /// The frame that was asked for.
        asked: u32,
        /// How many there are.
        frames: u32,
    },
    /// A DICOM file without an image: a report, a plan, a waveform.
    #[error("it holds no image: there is no pixel data in it; give the files of an image series")]
    NoPixels,
    /// The view does not make sense.
    #[error("{0}")]
    View(String),
}

impl MediaErrorKind {
    /// The error of `action`.
    pub(crate) fn of(self, action: &str) -> MediaError {
        MediaError { action: action.to_owned(), kind: self }
    }

    /// Fails when `found` is greater than `allowed`.
    pub(crate) fn limit(what: &'static str, found: u64, allowed: u64) -> Result<(), MediaErrorKind> {
        if found > allowed { Err(MediaErrorKind::Limit { what, found, allowed }) } else { Ok(()) }
    }
}
