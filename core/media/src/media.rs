//! One way in for all formats.

use crate::dicom;
use crate::dicom::dataset::Instance;
use crate::error::{MediaError, MediaErrorKind};
use crate::picture::{Picture, SampleType};
use crate::raster::{Components, Raster};
use crate::view::{Channels, View};
use std::fmt;

/// The most bytes of a file.
pub const ENCODED_BYTES_MAX: u64 = 1 << 30;
/// The most pixels of a frame.
pub const PIXELS_MAX: u64 = 1 << 27;
/// The most bytes of a decoded frame.
pub const DECODED_BYTES_MAX: u64 = 1 << 30;

/// An opened file: its headers are read and checked, its pixels are decoded frame by frame when they are asked for.
pub struct Media {
    content: Content,
}

/// Format and sizes alone: see [`dicom::File`].
impl fmt::Debug for Media {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Media")
            .field("media_type", &self.media_type())
            .field("frames", &self.frames())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

enum Content {
    Raster(Raster),
    Dicom(Box<dicom::File>),
}

impl Media {
    /// Opens a copy of `bytes`. What they are is found out by looking at them: DICOM with or without its preamble, PNG, JPEG,
    /// TIFF, BMP or WebP.
    ///
    /// # Errors
    /// An unknown format, a damaged or truncated header, a size beyond a limit, a DICOM file without an image.
    pub fn open(bytes: &[u8]) -> Result<Media, MediaError> {
        Media::open_owned(bytes.to_vec())
    }

    /// [`Media::open`] for bytes that are the caller's to give, which saves the copy.
    ///
    /// # Errors
    /// As [`Media::open`].
    pub fn open_owned(bytes: Vec<u8>) -> Result<Media, MediaError> {
        MediaErrorKind::limit("a file of bytes:", bytes.len() as u64, ENCODED_BYTES_MAX)
            .map_err(|kind| kind.of("open an image"))?;
        let content = match Raster::format_of(&bytes) {
            Some(format) => Content::Raster(Raster::open(bytes, format)?),
            None if Instance::is_dicom(&bytes) => {
                Content::Dicom(Box::new(dicom::File::open_shared(bytes.into())?))
            }
            None => {
                let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                let start = if start.is_empty() { "nothing".to_owned() } else { start.join(" ") };
                return Err(MediaErrorKind::UnknownFormat { start }.of("open an image"));
            }
        };
        let media = Media { content };
        if media.frames() == 0 {
            return Err(MediaErrorKind::NoPixels.of("open a DICOM image"));
        }
        Ok(media)
    }

    /// The media type, such as `image/png`.
    pub fn media_type(&self) -> &'static str {
        match &self.content {
            Content::Raster(raster) => raster.media_type(),
            Content::Dicom(_) => "application/dicom",
        }
    }

    /// How many frames there are: 1 for images, of which the first page is read.
    pub fn frames(&self) -> u32 {
        match &self.content {
            Content::Raster(_) => 1,
            Content::Dicom(file) => file.frames(),
        }
    }

    /// Width and height in pixels as displayed, after orientation.
    pub fn size(&self) -> (u32, u32) {
        match &self.content {
            Content::Raster(raster) => raster.size(),
            Content::Dicom(file) => file.size(),
        }
    }

    /// Decodes a frame, counted from 1, and turns it the right way up.
    ///
    /// An alpha channel is dropped and not blended, as Pillow's `convert("RGB")` does: a network sees what it was trained on.
    ///
    /// # Errors
    /// No such frame; damaged, truncated or unsupported content; a float image asked for as grey levels.
    pub fn picture(&self, frame: u32, sample: SampleType) -> Result<Picture, MediaError> {
        self.check_frame(frame)?;
        match &self.content {
            Content::Raster(raster) => raster.picture(Components::Rgb)?.into_type(sample),
            Content::Dicom(file) => file.picture(frame, sample),
        }
    }

    /// Decodes a frame, counted from 1, into the form that a model wants. The short way: when grey is wanted of a colour JPEG,
    /// its brightness alone is decoded (as Pillow's `draft("L", ...)` does), which differs from the grey of the decoded
    /// colours by rounding, and where these colours are beyond what red, green and blue can show.
    ///
    /// # Errors
    /// Those of [`Media::picture`] and [`Picture::view`].
    pub fn view(&self, frame: u32, view: &View) -> Result<Picture, MediaError> {
        self.check_frame(frame)?;
        let picture = match &self.content {
            Content::Raster(raster) => raster.picture(match view.channels {
                Channels::Grey => Components::Brightness,
                Channels::Rgb => Components::Rgb,
            })?,
            Content::Dicom(file) => file.picture(frame, view.sample)?,
        };
        picture.into_view(view)
    }

    /// The DICOM file, for those who want its attributes.
    pub fn dicom(&self) -> Option<&dicom::File> {
        match &self.content {
            Content::Raster(_) => None,
            Content::Dicom(file) => Some(file),
        }
    }

    fn check_frame(&self, asked: u32) -> Result<(), MediaError> {
        let frames = self.frames();
        if (1..=frames).contains(&asked) {
            return Ok(());
        }
        Err(MediaErrorKind::NoFrame { asked, frames }.of("decode a frame"))
    }
}
