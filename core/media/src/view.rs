//! The form in which a model wants to see a picture.
//!
//! Resizing is the antialiased convolution of Pillow (`Image.resize` with `reducing_gap=None`), which training recipes use:
//! the kernel is stretched by the factor of reduction, horizontally first, and 8-bit samples are rounded in between.

use std::borrow::Cow;

use crate::error::{MediaError, MediaErrorKind};
use crate::picture::{Picture, SampleType, Samples};
use fast_image_resize as fir;

/// The most pixels that a view may have.
pub const VIEW_PIXELS_MAX: u64 = 1 << 26;

/// What a model wants to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// One channel or three.
    pub channels: Channels,
    /// Type and meaning of the samples.
    pub sample: SampleType,
    /// Width and height in pixels; `None`: as they are.
    pub size: Option<(u32, u32)>,
    /// How a picture of another shape gets into `size`.
    pub fit: Fit,
    /// How pixels in between are found.
    pub filter: Filter,
}

impl View {
    /// Grey, in its own size.
    pub fn new(sample: SampleType) -> View {
        View { channels: Channels::Grey, sample, size: None, fit: Fit::Stretch, filter: Filter::Bilinear }
    }
}

/// The channels of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One: `L = 0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), in Pillow's fixed-point arithmetic.
    Grey,
    /// Three; grey is repeated.
    Rgb,
}

impl Channels {
    /// 1 or 3.
    pub fn count(self) -> u32 {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
        }
    }
}

/// How a picture gets into a size of another shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// Width and height are scaled each by its own factor.
    Stretch,
    /// Scaled by one factor until it fits, with bars of one value on both sides: see [`View::placement`].
    Letterbox {
        /// The value of the bars, on the scale of the samples.
        pad: f32,
    },
    /// As a letterbox, with the picture in the upper left corner and the bars to the right and below.
    Corner {
        /// The value of the bars, on the scale of the samples.
        pad: f32,
    },
    /// The largest part around the centre that has the asked shape, scaled (Pillow's `ImageOps.fit`).
    Crop,
}

/// The kernel of resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The pixel at the place, without antialiasing: for masks and labels.
    Nearest,
    /// A triangle, radius 1.
    Bilinear,
    /// Catmull-Rom (a = -0.5), radius 2.
    Bicubic,
    /// Windowed sinc, radius 3.
    Lanczos,
}

impl Filter {
    fn algorithm(self) -> fir::ResizeAlg {
        match self {
            Filter::Nearest => fir::ResizeAlg::Nearest,
            Filter::Bilinear => fir::ResizeAlg::Convolution(fir::FilterType::Bilinear),
            Filter::Bicubic => fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom),
            Filter::Lanczos => fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3),
        }
    }
}

/// Where a picture lies within its view, in pixels of the view. A point `x` of the picture is at
/// `left + x * width / picture.width`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Left edge; negative when the picture is cropped.
    pub left: f64,
    /// Upper edge; negative when the picture is cropped.
    pub top: f64,
    /// Width of the whole picture.
    pub width: f64,
    /// Height of the whole picture.
    pub height: f64,
}

impl View {
    /// Where a picture of `width` by `height` pixels lies within this view.
    ///
    /// ```
    /// use foretell_media::{Fit, Placement, SampleType, View};
    ///
    /// let view = View { size: Some((640, 640)), fit: Fit::Letterbox { pad: 114.0 }, ..View::new(SampleType::U8) };
    /// let expected = Placement { left: 0.0, top: 140.0, width: 640.0, height: 360.0 };
    /// assert_eq!(view.placement(1280, 720), expected);
    /// ```
    pub fn placement(&self, width: u32, height: u32) -> Placement {
        let (across, down) = self.size.unwrap_or((width, height));
        let scales =
            (f64::from(across) / f64::from(width.max(1)), f64::from(down) / f64::from(height.max(1)));
        match self.fit {
            Fit::Stretch => {
                Placement { left: 0.0, top: 0.0, width: f64::from(across), height: f64::from(down) }
            }
            Fit::Letterbox { .. } | Fit::Corner { .. } => {
                let scale = scales.0.min(scales.1);
                let inner = |length: u32, room: u32| {
                    (f64::from(length) * scale).round_ties_even().clamp(1.0, f64::from(room.max(1)))
                };
                let (inner_width, inner_height) = (inner(width, across), inner(height, down));
                if let Fit::Corner { .. } = self.fit {
                    return Placement { left: 0.0, top: 0.0, width: inner_width, height: inner_height };
                }
                // An odd pixel goes to the right and below, as in Ultralytics' letterbox.
                let left = ((f64::from(across) - inner_width) / 2.0).floor();
                let top = ((f64::from(down) - inner_height) / 2.0).floor();
                Placement { left, top, width: inner_width, height: inner_height }
            }
            Fit::Crop => {
                let scale = scales.0.max(scales.1);
                let (whole_width, whole_height) = (f64::from(width) * scale, f64::from(height) * scale);
                let left = (f64::from(across) - whole_width) / 2.0;
                let top = (f64::from(down) - whole_height) / 2.0;
                Placement { left, top, width: whole_width, height: whole_height }
            }
        }
    }
}

impl Picture {
    /// This picture as a model wants to see it: channels first, then size, then type.
    ///
    /// # Errors
    /// The size is empty or beyond [`VIEW_PIXELS_MAX`]; values are asked for as grey levels; the samples are not as many as
    /// width, height and channels say.
    pub fn view(&self, view: &View) -> Result<Picture, MediaError> {
        viewed(Cow::Borrowed(self), view)
    }

    /// [`Picture::view`] of a picture that is not needed any more: nothing is copied when it is as wanted already.
    pub fn into_view(self, view: &View) -> Result<Picture, MediaError> {
        viewed(Cow::Owned(self), view)
    }

    fn into_grey(self) -> Picture {
        if self.channels == 1 {
            return self;
        }
        let samples = match self.samples {
            Samples::U8(samples) => {
                // Pillow's rgb2l: weights of 16 bits, which sum up to 65,536.
                let luma = |r: u8, g: u8, b: u8| {
                    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16)
                        as u8
                };
                Samples::U8(samples.chunks_exact(3).map(|pixel| luma(pixel[0], pixel[1], pixel[2])).collect())
            }
            Samples::U16(samples) => {
                let luma = |r: u16, g: u16, b: u16| {
                    ((u64::from(r) * 19_595 + u64::from(g) * 38_470 + u64::from(b) * 7_471 + 0x8000) >> 16)
                        as u16
                };
                Samples::U16(
                    samples.chunks_exact(3).map(|pixel| luma(pixel[0], pixel[1], pixel[2])).collect(),
                )
            }
            Samples::F32(samples) => {
                let luma = |pixel: &[f32]| 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
                Samples::F32(samples.chunks_exact(3).map(luma).collect())
            }
        };
        Picture { channels: 1, samples, ..self }
    }

    fn into_rgb(self) -> Picture {
        fn repeated<T: Copy>(samples: Vec<T>) -> Vec<T> {
            samples.into_iter().flat_map(|sample| [sample; 3]).collect()
        }
        if self.channels == 3 {
            return self;
        }
        let samples = match self.samples {
            Samples::U8(samples) => Samples::U8(repeated(samples)),
            Samples::U16(samples) => Samples::U16(repeated(samples)),
            Samples::F32(samples) => Samples::F32(repeated(samples)),
        };
        Picture { channels: 3, samples, ..self }
    }
}

/// A picture as a model wants to see it. One that is borrowed is copied only where nothing else is made of it.
fn viewed(picture: Cow<'_, Picture>, view: &View) -> Result<Picture, MediaError> {
    const ACTION: &str = "bring a picture into the form that the model wants";
    let pixels = u64::from(picture.width) * u64::from(picture.height);
    if pixels == 0
        || !matches!(picture.channels, 1 | 3)
        || picture.samples.len() as u64 != pixels * u64::from(picture.channels)
    {
        let reason = format!(
            "{} samples are no picture of {} x {} pixels with {} channels; expected 1 or 3 channels and a sample for each",
            picture.samples.len(),
            picture.width,
            picture.height,
            picture.channels
        );
        return Err(MediaErrorKind::View(reason).of(ACTION));
    }
    if let Some((width, height)) = view.size {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            let reason =
                format!("a size of {width} x {height} was asked for; expected at least 1 x 1 pixels");
            return Err(MediaErrorKind::View(reason).of(ACTION));
        }
        MediaErrorKind::limit("a view of pixels:", pixels, VIEW_PIXELS_MAX)
            .map_err(|kind| kind.of(ACTION))?;
    }
    // Grey is made before resizing, which then has a third of the work; colour is repeated after it.
    let picture = match view.channels {
        Channels::Grey => Cow::Owned(picture.into_owned().into_grey()),
        Channels::Rgb => picture,
    };
    let picture = resized(picture, view).map_err(|kind| kind.of(ACTION))?;
    let picture = if view.channels == Channels::Rgb { picture.into_rgb() } else { picture };
    picture.into_type(view.sample)
}

/// In the size of a view. Nothing is copied but what becomes of the picture.
fn resized(picture: Cow<'_, Picture>, view: &View) -> Result<Picture, MediaErrorKind> {
    let Some(size) = view.size.filter(|&size| size != (picture.width, picture.height)) else {
        return Ok(picture.into_owned());
    };
    let place = view.placement(picture.width, picture.height);
    let whole = Part { left: 0.0, top: 0.0, width: picture.width.into(), height: picture.height.into() };
    match view.fit {
        Fit::Stretch => scaled(&picture, size, whole, view.filter),
        Fit::Letterbox { pad } | Fit::Corner { pad } => {
            let inner = scaled(&picture, (place.width as u32, place.height as u32), whole, view.filter)?;
            Ok(framed(inner, size, (place.left as u32, place.top as u32), pad))
        }
        Fit::Crop => {
            let scale = place.width / f64::from(picture.width);
            let (width, height) = (f64::from(size.0) / scale, f64::from(size.1) / scale);
            let (width, height) = (width.min(picture.width.into()), height.min(picture.height.into()));
            let left = (f64::from(picture.width) - width) / 2.0;
            let top = (f64::from(picture.height) - height) / 2.0;
            scaled(&picture, size, Part { left, top, width, height }, view.filter)
        }
    }
}

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy)]
struct Part {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// A part of the picture in another size.
///
/// Rows first, then columns, each as a pass of its own: `fast_image_resize` by itself begins with columns where that is less
/// work, and 8-bit samples that are rounded in another order differ from Pillow's by 2.
fn scaled(
    picture: &Picture,
    size: (u32, u32),
    part: Part,
    filter: Filter,
) -> Result<Picture, MediaErrorKind> {
    let Part { left, top, width, height } = part;
    let options = fir::ResizeOptions::new().resize_alg(filter.algorithm());
    if filter == Filter::Nearest {
        return pass(picture, size, &options.crop(left, top, width, height));
    }
    let rows =
        pass(picture, (size.0, picture.height), &options.crop(left, 0.0, width, picture.height.into()))?;
    pass(&rows, size, &options.crop(0.0, top, size.0.into(), height))
}

fn pass(
    picture: &Picture,
    size: (u32, u32),
    options: &fir::ResizeOptions,
) -> Result<Picture, MediaErrorKind> {
    let (width, height) = size;
    let count = width as usize * height as usize * picture.channels as usize;
    let grey = picture.channels == 1;
    let samples = match &picture.samples {
        Samples::U8(samples) => {
            let mut target = vec![0_u8; count];
            let kind = if grey { fir::PixelType::U8 } else { fir::PixelType::U8x3 };
            convolve(samples, picture, &mut target, size, kind, options)?;
            Samples::U8(target)
        }
        Samples::U16(samples) => {
            let mut target = vec![0_u16; count];
            let kind = if grey { fir::PixelType::U16 } else { fir::PixelType::U16x3 };
            let bytes = bytemuck::cast_slice_mut(&mut target);
            convolve(bytemuck::cast_slice(samples), picture, bytes, size, kind, options)?;
            Samples::U16(target)
        }
        Samples::F32(samples) => {
            let mut target = vec![0_f32; count];
            let kind = if grey { fir::PixelType::F32 } else { fir::PixelType::F32x3 };
            let bytes = bytemuck::cast_slice_mut(&mut target);
            convolve(bytemuck::cast_slice(samples), picture, bytes, size, kind, options)?;
            Samples::F32(target)
        }
    };
    Ok(Picture { width, height, channels: picture.channels, samples })
}

fn convolve(
    source: &[u8],
    picture: &Picture,
    target: &mut [u8],
    (width, height): (u32, u32),
    kind: fir::PixelType,
    options: &fir::ResizeOptions,
) -> Result<(), MediaErrorKind> {
    let failed =
        |error: &dyn std::fmt::Display| MediaErrorKind::View(format!("it cannot be resized: {error}"));
    let source = fir::images::ImageRef::new(picture.width, picture.height, source, kind)
        .map_err(|error| failed(&error))?;
    let mut target =
        fir::images::Image::from_slice_u8(width, height, target, kind).map_err(|error| failed(&error))?;
    fir::Resizer::new().resize(&source, &mut target, options).map_err(|error| failed(&error))
}

/// The picture at a place of a larger one.
fn framed(picture: Picture, size: (u32, u32), corner: (u32, u32), pad: f32) -> Picture {
    fn placed<T: Copy>(
        samples: &[T],
        row: usize,
        size: (usize, usize),
        corner: (usize, usize),
        pad: T,
    ) -> Vec<T> {
        let mut target = vec![pad; size.0 * size.1];
        for (at, source) in samples.chunks_exact(row).enumerate() {
            let start = (corner.1 + at) * size.0 + corner.0;
            target[start..start + row].copy_from_slice(source);
        }
        target
    }
    let channels = picture.channels as usize;
    let row = picture.width as usize * channels;
    let room = (size.0 as usize * channels, size.1 as usize);
    let corner = (corner.0 as usize * channels, corner.1 as usize);
    let samples = match &picture.samples {
        Samples::U8(samples) => Samples::U8(placed(samples, row, room, corner, pad.round() as u8)),
        Samples::U16(samples) => Samples::U16(placed(samples, row, room, corner, pad.round() as u16)),
        Samples::F32(samples) => Samples::F32(placed(samples, row, room, corner, pad)),
    };
    Picture { width: size.0, height: size.1, channels: picture.channels, samples }
}
