//! What an image shows, by any classifying network: no code is written for it, only a manifest.
//!
//! The host decodes an image and brings it to the size that the manifest states; here its samples become what the network takes,
//! and what the network gives becomes a prediction.
//!
//! ```toml
//! [plugin]
//! library = "foretell_plugin_classifier"
//! engine = "standard-classifier@0.1.0"
//!
//! [[input]]
//! name = "image"
//! type = "image"
//! image = { width = 224, height = 224, fit = "crop" }
//!
//! [config]
//! mean = [0.485, 0.456, 0.406]
//! deviation = [0.229, 0.224, 0.225]
//!
//! [config.answer]
//! task = "multiclass-classification"
//! gives = "logits"
//! classes = 1000
//! ```
//!
//! | key of `[config]` | without it | |
//! |---|---|---|
//! | `column` | `image` | the input with the image: 8-bit samples, of a stated size, required |
//! | `tensor` | `nchw` | the network takes a whole map for each channel; `nhwc`: the channels of a pixel beside each other |
//! | `element` | `float32` | type of its numbers; `uint8`: samples as they are, which nothing is done to |
//! | `channels` | `rgb` | or `bgr`; nothing of a grey image |
//! | `scale`, `mean`, `deviation` | 1/255, 0, 1 | the network is given (sample * scale - mean) / deviation; means and deviations in its own order of channels |
//! | `answer` | needed | see [`foretell_standard_answer`] |
//!
//! - **Invariant:** an image's answer does not depend on the other images of the call, but for the last bits of what the network
//!   computes for them together.

mod prepare;

use foretell_sdk::{Answers, Error, Form, Image, Model, Open, Plugin, Records, SettingsError, Tensor};
use foretell_standard_answer as answer;
use serde::Deserialize;

use prepare::{Element, Preparation};

/// Name of the model.
const MODEL: &str = "network";
/// Name of the input, when the settings name none.
const COLUMN: &str = "image";

/// `[config]`, as it stands in the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    column: Option<String>,
    #[serde(default)]
    tensor: prepare::Order,
    #[serde(default)]
    element: Element,
    #[serde(default)]
    channels: prepare::Channels,
    scale: Option<f64>,
    mean: Option<Vec<f64>>,
    deviation: Option<Vec<f64>>,
    answer: answer::Settings,
}

/// The plugin: the images, what is done to them, the network, and how its answer is read.
struct Classifier {
    image: Image<u8>,
    preparation: Preparation,
    network: Model,
    answer: answer::Reading,
}

impl Plugin for Classifier {
    type Predictions = Answers;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let settings: Settings = answer::settings(request.config())?;
        Ok(Self {
            image: request.image(settings.column.as_deref().unwrap_or(COLUMN))?,
            preparation: preparation(&settings)?,
            network: request.model(MODEL)?,
            answer: settings.answer.reading()?,
        })
    }

    fn predict(&self, records: &Records<'_>, answers: &mut Answers) -> Result<(), Error> {
        let rows = records.len();
        if rows == 0 {
            return self.answer.run(self.network, &[], rows, answers);
        }
        let Some(([height, width, channels], samples)) = records.images(self.image).batch() else {
            return Err(Error::invalid(
                "expected an image of the same size in each record; let the manifest state `width` and `height` of the image, \
                 and make it required",
            ));
        };
        let shape = self.preparation.shape(rows, height, width, channels);
        if self.preparation.keeps_samples(channels) {
            return self.answer.run(self.network, &[Tensor::new(samples, &shape)?], rows, answers);
        }
        match self.preparation.element {
            Element::Uint8 => {
                let bytes = self.preparation.bytes(samples, height * width, channels);
                self.answer.run(self.network, &[Tensor::new(&bytes, &shape)?], rows, answers)
            }
            Element::Float32 => {
                let numbers = self.preparation.floats(samples, height * width, channels)?;
                self.answer.run(self.network, &[Tensor::new(&numbers, &shape)?], rows, answers)
            }
        }
    }

    fn form(&self) -> Option<Form> {
        Some(self.answer.form())
    }
}

fn preparation(settings: &Settings) -> Result<Preparation, SettingsError> {
    let lists = [("mean", &settings.mean), ("deviation", &settings.deviation)];
    let stated = settings.scale.map(|_| "scale");
    let stated = stated.or(lists.iter().find(|(_, list)| list.is_some()).map(|(key, _)| *key));
    if let (Element::Uint8, Some(key)) = (settings.element, stated) {
        return Err(SettingsError::value(key, "there", "none with `element = \"uint8\"`"));
    }
    for (key, list) in lists {
        let Some(list) = list else { continue };
        let is_divisor = key == "deviation";
        let fits = |number: &f64| number.is_finite() && !(is_divisor && *number == 0.0);
        if !matches!(list.len(), 1 | 3) || !list.iter().all(fits) {
            let found = format_args!("{list:?}");
            return Err(SettingsError::value(
                key,
                found,
                "a finite number for each channel, and no deviation of 0",
            ));
        }
    }
    let scale = settings.scale.unwrap_or(prepare::SCALE);
    if !scale.is_finite() || scale == 0.0 {
        return Err(SettingsError::value("scale", scale, "a finite number other than 0"));
    }
    Ok(Preparation {
        order: settings.tensor,
        element: settings.element,
        channels: settings.channels,
        scale,
        mean: settings.mean.clone(),
        deviation: settings.deviation.clone(),
    })
}

foretell_sdk::export!(Classifier, "standard-classifier", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
