//! The two lines of the lane ahead and the surface between them, found without a network.
//!
//! ```text
//! image --> marks: pieces of paint, row by row --> ground, by the camera --> course: a vote of all marks
//!                                                                              |
//! mask <-- the lines drawn back into the image <-- fit of the two lines <------+
//! ```
//!
//! - [`marks`] finds what is brighter or more yellow than the road on both sides of it, and as wide as paint is there;
//! - [`search`] finds the direction and bend of the road for which the marks lie on lines;
//! - [`fit`] fits the two lines of the own lane, and says whether they are believed;
//! - [`draw`] draws them.
//!
//! `model/MODEL_CARD.md` says what it is worth, and `[config]` of the manifest has every number that one may want to change.
//!
//! Each image is looked at alone: what the image before showed is not known. Where nothing plausible is found, all of the mask is
//! background.
//!
//! Pitfalls:
//! - Without a camera, metres are guesses: a lane twice as far below the camera looks the same when it is twice as wide. The mask
//!   needs no metres but for what a lane's width may be.
//! - The numbers of a camera are in pixels of the original image, of which a plugin knows nothing. Give `image_width` and
//!   `image_height` with it; without them, the principal point is taken for the middle of the image.

pub mod draw;
pub mod fit;
pub mod marks;
pub mod search;
pub mod settings;

use foretell_camera::{Camera, CameraError, Mount};
use foretell_sdk::{Column, Error, Image, List, Masks, Open, Plugin, Records};

use fit::Lane;
use marks::Rgb;
use search::{Limits, Seen};
use settings::Settings;

/// How a lane is looked for in images of one size: the camera, and how well its pitch is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The camera, for images of the size that is looked at.
    pub camera: Camera,
    /// How far its pitch may be off, in radians.
    pub pitch_range: f64,
}

impl View {
    /// That of an unknown camera.
    ///
    /// # Errors
    /// [`CameraError`]: an empty image.
    pub fn unknown(width: usize, height: usize, settings: &Settings) -> Result<Self, CameraError> {
        let camera = Camera::guess(width, height, settings.view_degrees.to_radians(), settings.mount())?;
        Ok(Self { camera, pitch_range: settings.pitch_guess_degrees.to_radians() })
    }

    /// That of a camera whose numbers are for images of `from` pixels, width and height, when the image at hand has `to` of them.
    /// Without `from`, the principal point is taken for the middle of the image.
    ///
    /// # Errors
    /// [`CameraError`]: numbers that are no camera, or an empty image.
    pub fn known(
        numbers: &[f64],
        from: Option<[usize; 2]>,
        to: [usize; 2],
        settings: &Settings,
    ) -> Result<Self, CameraError> {
        let camera = Camera::from_numbers(numbers)?;
        let from = from.unwrap_or_else(|| camera.centre.map(|middle| (2.0 * middle + 1.0).round() as usize));
        Ok(Self { camera: camera.scaled(from, to)?, pitch_range: settings.pitch_nod_degrees.to_radians() })
    }
}

/// The lane of an image; `None` where nothing plausible is found.
pub fn find(image: Rgb<'_>, view: &View, settings: &Settings) -> Option<Lane> {
    let View { camera, pitch_range } = *view;
    let mount = camera.mount;
    let limits = Limits::new(mount.pitch, pitch_range, settings);
    let first = seen(image, &camera, pitch_range, settings);
    let (course, lines) = search::course(&first, mount, &limits)?;
    let lane = fit::lane(&first, mount, (course, &lines), &limits, settings)?;
    // Far ahead, a line is found where its width is known, and that hangs on the pitch, which is known now.
    let nodded = Camera { mount: Mount { pitch: lane.course.pitch, ..mount }, ..camera };
    let second = seen(image, &nodded, 0.0, settings);
    Some(fit::again(&second, mount, &lane, &limits, settings).unwrap_or(lane))
}

/// The marks of an image as a camera sees them whose pitch may be off by so many radians.
fn seen(image: Rgb<'_>, camera: &Camera, pitch_range: f64, settings: &Settings) -> Vec<Seen> {
    let mount = camera.mount;
    let highest = Camera { mount: Mount { pitch: mount.pitch - pitch_range, ..mount }, ..*camera };
    let width_of_row = |y: usize| {
        let middle = [camera.centre[0], y as f64];
        let [farthest, _] = highest.ground(middle)?;
        let ahead = camera.ground(middle).map_or(farthest, |[ahead, _]| ahead);
        Some(settings.line_metres * camera.focal[0] / ahead)
    };
    let marks = marks::find(image, settings.contrast_levels, width_of_row);
    let seen = marks.iter().filter_map(|mark| {
        Some(Seen { direction: camera.direction([mark.x, mark.y])?, contrast: mark.contrast })
    });
    seen.collect()
}

/// The mask of an image: [`find`] and [`draw::mask`].
pub fn mask(image: Rgb<'_>, view: &View, settings: &Settings) -> Vec<u8> {
    match find(image, view, settings) {
        Some(lane) => draw::mask(&lane, &view.camera, image.width, image.height, settings.line_metres),
        None => vec![0; image.width * image.height],
    }
}

/// The plugin: handles of the columns that it reads, and its settings.
struct Lanes {
    image: Image<u8>,
    camera: List<f64>,
    width: Column<i64>,
    height: Column<i64>,
    settings: Settings,
}

impl Plugin for Lanes {
    type Predictions = Masks;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self {
            image: request.image("image")?,
            camera: request.list("camera")?,
            width: request.column("image_width")?,
            height: request.column("image_height")?,
            settings: Settings::read(request.config())?,
        })
    }

    fn predict(&self, records: &Records<'_>, masks: &mut Masks) -> Result<(), Error> {
        let (images, cameras) = (records.images(self.image), records.list(self.camera));
        let (widths, heights) = (records.column(self.width), records.column(self.height));
        for row in 0..records.len() {
            let Some(picture) = images.get(row) else {
                return Err(Error::invalid(format!("record {row} of the batch has no `image`")));
            };
            let [height, width, _] = picture.shape;
            let side = |sides: &foretell_sdk::Numbers<'_, i64>| {
                sides.get(row).and_then(|side| usize::try_from(side).ok())
            };
            let size = side(&widths).zip(side(&heights)).map(|(width, height)| [width, height]);
            let view = if cameras.is_valid(row) {
                let numbers = &cameras.items().values()[cameras.range(row)];
                View::known(numbers, size, [width, height], &self.settings)
            } else {
                View::unknown(width, height, &self.settings)
            };
            let view = view.map_err(|error| Error::invalid(format!("record {row} of the batch: {error}")))?;
            let image = Rgb { width, height, samples: picture.samples };
            masks.push(height, width, &mask(image, &view, &self.settings));
        }
        Ok(())
    }
}

foretell_sdk::export!(Lanes, "vehicle-lanes", env!("CARGO_PKG_VERSION"));
