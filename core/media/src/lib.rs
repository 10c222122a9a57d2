//! Encoded images and DICOM files as arrays that a model can read.
//!
//! ```
//! use foretell_media::{Channels, Filter, Fit, Media, SampleType, Samples, View};
//!
//! // A bitmap of two pixels, blue and white, as a camera or a scanner would hand over a larger one.
//! let mut bytes = b"BM\x3e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
//! bytes.extend([0; 24]);
//! bytes.extend([255, 0, 0, 255, 255, 255, 0, 0]);
//!
//! let media = Media::open(&bytes)?;
//! assert_eq!((media.media_type(), media.frames(), media.size()), ("image/bmp", 1, (2, 1)));
//!
//! // What a model wants: grey, four by two pixels, blue is nearly black.
//! let view = View {
//!     channels: Channels::Grey,
//!     sample: SampleType::U8,
//!     size: Some((4, 2)),
//!     fit: Fit::Stretch,
//!     filter: Filter::Nearest,
//! };
//! let picture = media.view(1, &view)?;
//! assert_eq!(picture.samples, Samples::U8(vec![29, 29, 255, 255, 29, 29, 255, 255]));
//! # Ok::<(), foretell_media::MediaError>(())
//! ```
//!
//! # Concepts
//! - A **[`Media`]** is an opened file: DICOM, PNG, JPEG, TIFF, BMP or WebP, found out by looking at the bytes. Opening reads and
//!   checks headers; pixels are decoded frame by frame.
//! - A **[`Picture`]** is a decoded frame, the right way up, with one of three [`SampleType`]s. `U8` and `U16` are what a person is
//!   shown; `F32` is what was measured.
//! - A **[`View`]** is the form in which a model wants a picture: channels, type, size. [`Media::view`] decodes for a view and can
//!   leave out what the view does not need.
//! - [`dicom::File`] has what only DICOM has: attributes, and samples as they are stored.
//!
//! # Contract
//! The same bytes give the same pixels, on every machine with the same build. Bytes that are no image give an error that says what
//! is wrong, before memory is taken for what they announce, and never a panic.
//!
//! - **Invariant:** knows bytes, pixels and the formats that hold them; knows no plugin, no database and no domain.
//! - **Invariant:** sizes are compared with limits, and with the bytes that are there, before anything is allocated for them.
//! - **Invariant:** no error message and no log shows the value of a text attribute: it may be the name of a patient.
//!
//! # Pitfalls
//! - `U8` of a DICOM file depends on the window that its maker chose. A model that was trained on values wants `F32`.
//! - Resizing is that of Pillow with its default arguments. A model that was trained with another library's resizing (OpenCV's has no
//!   antialiasing) sees other pixels than in training.
//! - A grey view of a colour JPEG is its stored brightness; see [`Media::view`].
//! - An alpha channel is dropped. What was transparent has whatever colour is stored beneath.

mod contain;
pub mod dicom;
pub mod draw;
mod error;
mod media;
mod picture;
mod raster;
mod view;

pub use error::{MediaError, MediaErrorKind};
pub use media::{DECODED_BYTES_MAX, ENCODED_BYTES_MAX, Media, PIXELS_MAX};
pub use picture::{Picture, SampleType, Samples};
pub use view::{Channels, Filter, Fit, Placement, VIEW_PIXELS_MAX, View};
