//! DICOM files (PS3.3, PS3.5, PS3.10): images to decode, and files to make.
//!
//! Reading pixels goes through [`File`]; [`dataset`] is the reader of attributes beneath it.

pub mod dataset;
pub mod deidentify;
pub mod directory;
mod display;
mod file;
mod jpeg;
mod jpeg_2000;
mod jpeg_ls;
mod layout;
mod palette;
mod pixels;
mod pseudonym;
pub mod report;
mod result;
mod rle;
pub mod segmentation;
mod source;
mod stored;

pub use file::File;
pub use layout::FRAMES_MAX;
pub use result::{Algorithm, LABEL_CHARACTERS_MAX};
pub use source::SourceImage;
pub use stored::{Stored, StoredSamples};
