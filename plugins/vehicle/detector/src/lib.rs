//! What is on a road picture: any exported detection network, run by the host and read as the manifest says.
//!
//! The host decodes an image and brings it to the network's size; `[config]` says what becomes of its samples ([`prepare`]), how
//! the network's answer is laid out ([`decode`]), which of its classes are which labels, and which boxes stay ([`suppress`]). All
//! keys stand in [`config`]. A manifest for a YOLOX of 80 classes:
//!
//! ```toml
//! [[input]]
//! name = "image"
//! type = "image"
//! image = { width = 416, height = 416, fit = "corner", pad = 114, filter = "bilinear" }
//!
//! [config]
//! layout = "yolox"
//! channels = "bgr"
//! classes = "coco-80"
//! map = { person = "person", car = "car", bus = "bus", truck = "truck" }
//! score = 0.3
//! ```
//!
//! Boxes are answered in pixels of the image that the network was given; the host maps them back to the original.
//!
//! - **Invariant:** an image's answer does not depend on the other images of the call, but for the last bits of what the network
//!   computes for them together.
//! - **Invariant:** a network that does not fit the settings is an error which says what was expected; no answer of a network
//!   makes the plugin panic.
//!
//! Pitfall: the host runs networks whose answers have sizes that are known before. One that answers as many rows as it found
//! objects must be exported with a fixed number of them.

pub mod classes;
pub mod config;
pub mod decode;
pub mod prepare;
mod run;
pub mod suppress;

use std::cell::RefCell;

use config::Settings;
use decode::Size;
use foretell_sdk::{Detected, Detections, Error, Host, Image, Model, Open, Plugin, Records, Sample};
use prepare::{CHANNELS, Element};
use run::Memory;
use suppress::suppress;

/// Name of the input with the image.
const COLUMN: &str = "image";
/// Name of the model.
const MODEL: &str = "network";

thread_local! {
    /// Memory of a call, kept for the next one of the same thread.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// The column of images.
enum Column {
    Bytes(Image<u8>),
    Floats(Image<f32>),
}

/// The plugin: the column it reads, the network, and how both are used.
struct Detector {
    column: Column,
    network: Model,
    settings: Settings,
    host: Host,
}

impl Plugin for Detector {
    type Predictions = Detections;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let config = serde_json::from_str(request.config())
            .map_err(|error| Error::invalid(format!("the settings are no table: {error}")))?;
        let settings = Settings::read(config).map_err(|error| Error::invalid(error.to_string()))?;
        let column = match request.image::<u8>(COLUMN) {
            Ok(image) => Column::Bytes(image),
            Err(_) => Column::Floats(request.image::<f32>(COLUMN)?),
        };
        if settings.preparation.element == Element::Uint8 && matches!(column, Column::Floats(_)) {
            return Err(Error::invalid(
                "setting `element`: expected \"float32\" where the manifest's image has `sample = \"f32\"`, found \"uint8\"",
            ));
        }
        Ok(Self { column, network: request.model(MODEL)?, settings, host: request.host() })
    }

    fn predict(&self, records: &Records<'_>, detections: &mut Detections) -> Result<(), Error> {
        match self.column {
            Column::Bytes(image) => self.detect(records, image, detections),
            Column::Floats(image) => self.detect(records, image, detections),
        }
    }
}

impl Detector {
    fn detect<S: Sample + run::Feed>(
        &self,
        records: &Records<'_>,
        image: Image<S>,
        detections: &mut Detections,
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let Some(([height, width, channels], samples)) = records.images(image).batch() else {
            return Err(Error::invalid(
                "expected an image of the same size in each record; let the manifest state `width` and `height` of the \
                 image, and make it required",
            ));
        };
        if channels != CHANNELS {
            return Err(Error::invalid(format!(
                "expected images of {CHANNELS} channels, found {channels}; let the manifest's image have `channels = \"rgb\"`"
            )));
        }
        let size = Size { width, height };
        let per_image = width * height * channels;
        MEMORY.with_borrow_mut(|memory| {
            let plan = run::Plan::new(&self.settings, size)?;
            for group in samples.chunks(plan.images() * per_image) {
                if self.host.is_cancelled() {
                    return Err(Error::cancelled());
                }
                plan.run(self.network, group, memory)?;
                for place in 0..group.len() / per_image {
                    self.answer(&plan, place, memory, detections)?;
                }
            }
            Ok(())
        })
    }

    /// Reads what the network answered for an image of the group, and answers its boxes.
    fn answer(
        &self,
        plan: &run::Plan<'_>,
        place: usize,
        memory: &mut Memory,
        detections: &mut Detections,
    ) -> Result<(), Error> {
        let Settings { layout, scoring, suppression, labels, .. } = &self.settings;
        let tensors = plan.tensors(place, &memory.outputs);
        let read = layout.decode(&tensors, plan.size(), scoring, &mut memory.candidates);
        read.map_err(|misfit| Error::invalid(misfit.to_string()))?;
        suppress(&mut memory.candidates, *suppression);
        for found in &memory.candidates {
            let corners = found.corners;
            detections.push(&Detected {
                x: corners.left,
                y: corners.top,
                width: corners.right - corners.left,
                height: corners.bottom - corners.top,
                label: &labels[usize::from(found.label)],
                score: found.score,
            });
        }
        detections.end_record();
        Ok(())
    }
}

foretell_sdk::export!(Detector, "vehicle-detector", env!("CARGO_PKG_VERSION"));
