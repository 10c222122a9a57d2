//! From the samples that the host decoded to the numbers that a network takes.

use foretell_sdk::{Error, SettingsError};
use serde::Deserialize;

/// What samples are multiplied by when the settings say nothing: 0 to 255 becomes 0 to 1.
pub(crate) const SCALE: f64 = 1.0 / 255.0;
/// Values of a sample.
const LEVELS: usize = 256;
/// Channels of a coloured image.
const COLOURS: usize = 3;

/// In which order a network has the numbers of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// A whole map for each channel.
    #[default]
    Nchw,
    /// The channels of a pixel beside each other, as the host has them.
    Nhwc,
}

/// Type of the numbers that a network takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Element {
    #[default]
    Float32,
    Uint8,
}

/// In which order a network has the channels of a coloured image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Channels {
    #[default]
    Rgb,
    Bgr,
}

/// What becomes of samples before the network sees them.
pub(crate) struct Preparation {
    pub(crate) order: Order,
    pub(crate) element: Element,
    pub(crate) channels: Channels,
    pub(crate) scale: f64,
    pub(crate) mean: Option<Vec<f64>>,
    pub(crate) deviation: Option<Vec<f64>>,
}

impl Preparation {
    /// Shape of the network's input.
    pub(crate) fn shape(&self, rows: usize, height: usize, width: usize, channels: usize) -> [i64; 4] {
        match self.order {
            Order::Nchw => [rows, channels, height, width],
            Order::Nhwc => [rows, height, width, channels],
        }
        .map(|side| side as i64)
    }

    /// Whether the network takes the samples as they are, so that they can be lent in place.
    pub(crate) fn keeps_samples(&self, channels: usize) -> bool {
        let keeps_order = channels == 1 || (self.order == Order::Nhwc && self.channels == Channels::Rgb);
        self.element == Element::Uint8 && keeps_order
    }

    /// Samples in the network's order.
    pub(crate) fn bytes(&self, samples: &[u8], pixels: usize, channels: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(samples.len());
        self.arrange(samples, pixels, channels, |_, sample| bytes.push(sample));
        bytes
    }

    /// The network's numbers, in its order. Fails where there are not as many means or deviations as channels.
    pub(crate) fn floats(&self, samples: &[u8], pixels: usize, channels: usize) -> Result<Vec<f32>, Error> {
        let of_channels = |key, list: &Option<Vec<f64>>, otherwise| match list {
            None => Ok(vec![otherwise; channels]),
            Some(list) if list.len() == channels => Ok(list.clone()),
            Some(list) => {
                let found = format_args!("a list of {}", list.len());
                Err(SettingsError::value(
                    key,
                    found,
                    format_args!("{channels}, one for each channel of the image"),
                ))
            }
        };
        let mean = of_channels("mean", &self.mean, 0.0)?;
        let deviation = of_channels("deviation", &self.deviation, 1.0)?;
        let of_sample = |channel: usize, sample: usize| {
            ((sample as f64 * self.scale - mean[channel]) / deviation[channel]) as f32
        };
        let table = |channel| std::array::from_fn(|sample| of_sample(channel, sample));
        let tables: Vec<[f32; LEVELS]> = (0..channels).map(table).collect();
        let mut numbers = Vec::with_capacity(samples.len());
        self.arrange(samples, pixels, channels, |channel, sample| {
            numbers.push(tables[channel][usize::from(sample)]);
        });
        Ok(numbers)
    }

    /// Goes through the samples in the network's order, with its number of each one's channel.
    fn arrange(&self, samples: &[u8], pixels: usize, channels: usize, mut each: impl FnMut(usize, u8)) {
        let is_reversed = self.channels == Channels::Bgr && channels == COLOURS;
        let of = |channel: usize| if is_reversed { channels - 1 - channel } else { channel };
        for image in samples.chunks_exact(pixels * channels) {
            match self.order {
                Order::Nhwc => {
                    for pixel in image.chunks_exact(channels) {
                        (0..channels).for_each(|channel| each(channel, pixel[of(channel)]));
                    }
                }
                Order::Nchw => {
                    for channel in 0..channels {
                        let samples = image[of(channel)..].iter().step_by(channels);
                        samples.for_each(|sample| each(channel, *sample));
                    }
                }
            }
        }
    }
}
