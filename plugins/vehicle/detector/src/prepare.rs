//! From the samples that the host decoded to the numbers that a network takes.

/// In which order a network has the numbers of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorOrder {
    /// A whole map for each channel.
    Nchw,
    /// The channels of a pixel beside each other.
    Nhwc,
}

/// Type of the numbers that a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating-point numbers.
    Float32,
    /// Bytes.
    Uint8,
}

/// Channels of an image: red, green, blue.
pub const CHANNELS: usize = 3;

/// What becomes of samples before the network sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Order of the numbers.
    pub order: TensorOrder,
    /// Their type.
    pub element: Element,
    /// Whether blue comes first.
    pub reversed: bool,
    /// Factor of every sample.
    pub scale: f32,
    /// What is subtracted then, for each channel in the network's order.
    pub mean: [f32; CHANNELS],
    /// What is divided by at last, likewise.
    pub deviation: [f32; CHANNELS],
}

impl Preparation {
    /// Whether samples keep their values.
    pub fn keeps_values(&self) -> bool {
        self.scale == 1.0 && self.mean == [0.0; CHANNELS] && self.deviation == [1.0; CHANNELS]
    }

    /// Whether samples keep their order too, so that they can be lent as they are.
    pub fn keeps_order(&self) -> bool {
        self.order == TensorOrder::Nhwc && !self.reversed
    }

    /// The number that a sample of a channel, in the network's order, becomes.
    pub fn value(&self, channel: usize, sample: f32) -> f32 {
        (sample * self.scale - self.mean[channel]) / self.deviation[channel]
    }

    /// The numbers of images of bytes, put behind `numbers`. `samples` are whole images of so many pixels.
    pub fn bytes_to_floats(&self, samples: &[u8], pixels: usize, numbers: &mut Vec<f32>) {
        let tables: [[f32; 256]; CHANNELS] =
            std::array::from_fn(|channel| std::array::from_fn(|sample| self.value(channel, sample as f32)));
        self.arrange(samples, pixels, numbers, |channel, sample| tables[channel][usize::from(sample)]);
    }

    /// The same of images of floating-point samples.
    pub fn floats(&self, samples: &[f32], pixels: usize, numbers: &mut Vec<f32>) {
        self.arrange(samples, pixels, numbers, |channel, sample| self.value(channel, sample));
    }

    /// Bytes in the network's order.
    pub fn bytes(&self, samples: &[u8], pixels: usize, numbers: &mut Vec<u8>) {
        self.arrange(samples, pixels, numbers, |_, sample| sample);
    }

    fn arrange<S: Copy, T>(
        &self,
        samples: &[S],
        pixels: usize,
        numbers: &mut Vec<T>,
        value: impl Fn(usize, S) -> T,
    ) {
        let of = |channel: usize| if self.reversed { CHANNELS - 1 - channel } else { channel };
        for image in samples.chunks_exact(pixels * CHANNELS) {
            match self.order {
                TensorOrder::Nhwc => {
                    for pixel in image.chunks_exact(CHANNELS) {
                        numbers.extend((0..CHANNELS).map(|channel| value(channel, pixel[of(channel)])));
                    }
                }
                TensorOrder::Nchw => {
                    for channel in 0..CHANNELS {
                        let samples = image[of(channel)..].iter().step_by(CHANNELS);
                        numbers.extend(samples.map(|&sample| value(channel, sample)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_go_where_the_network_expects_them() {
        // Two pixels: red, green, blue of each.
        let samples = [10u8, 20, 30, 40, 50, 60];
        let of = |order, reversed| Preparation {
            order,
            element: Element::Float32,
            reversed,
            scale: 0.5,
            mean: [1.0, 2.0, 3.0],
            deviation: [1.0, 2.0, 4.0],
        };
        for (order, reversed, expected) in [
            (TensorOrder::Nhwc, false, [4.0, 4.0, 3.0, 19.0, 11.5, 6.75]),
            (TensorOrder::Nhwc, true, [14.0, 4.0, 0.5, 29.0, 11.5, 4.25]),
            (TensorOrder::Nchw, false, [4.0, 19.0, 4.0, 11.5, 3.0, 6.75]),
            (TensorOrder::Nchw, true, [14.0, 29.0, 4.0, 11.5, 0.5, 4.25]),
        ] {
            let preparation = of(order, reversed);
            let mut numbers = Vec::new();
            preparation.bytes_to_floats(&samples, 2, &mut numbers);
            assert_eq!(numbers, expected, "{order:?} {reversed}");
            numbers.clear();
            preparation.floats(&samples.map(f32::from), 2, &mut numbers);
            assert_eq!(numbers, expected, "{order:?} {reversed}");
        }
        let mut bytes = Vec::new();
        of(TensorOrder::Nchw, true).bytes(&samples, 2, &mut bytes);
        assert_eq!(bytes, [30, 60, 20, 50, 10, 40]);
    }
}
