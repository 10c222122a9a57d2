//! A network that reads the images of a column as they are.

use crate::image::Shape;
use crate::{Error, Image, Model, Open, Records, Tensor, TensorMut};

/// Pixels that go through the network at once, unless one image alone has more. What a convolutional network computes in between is
/// many times as much: 32 films of 160 by 160 pixels take 9.1 ms of processor time each together, and 5.1 ms one by one. Of small
/// images, more at once are quicker: a sign of 32 by 32 pixels takes 3.7 ms alone and 2.7 ms among 32.
const GROUP_PIXELS: usize = 1 << 15;

/// A network whose one input is a batch of images: unsigned bytes, `[rows, height, width, channels]`, as the host decoded them.
///
/// What prepares them (scaling, normalisation) belongs into the graph, where no other code can do it otherwise. The manifest
/// states the size, and that the image is required:
///
/// ```toml
/// [[input]]
/// name = "image"
/// type = "image"
/// image = { width = 224, height = 224, channels = "grey" }
/// ```
///
/// ```
/// use foretell_sdk::{Error, ImageNetwork, Open, Plugin, Records, Scores};
///
/// struct Cat(ImageNetwork);
///
/// impl Plugin for Cat {
///     type Predictions = Scores;
///
///     fn open(request: &Open<'_>) -> Result<Self, Error> {
///         Ok(Self(ImageNetwork::open(request, "image", "network")?))
///     }
///
///     fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
///         // The network's first output is the score: [rows].
///         self.0.run(records, [(scores.fill(records.len()), &[])])
///     }
/// }
/// ```
pub struct ImageNetwork {
    image: Image<u8>,
    network: Model,
}

impl ImageNetwork {
    /// Finds the column and the network.
    pub fn open(request: &Open<'_>, column: &str, model: &str) -> Result<Self, Error> {
        Ok(Self { image: request.image(column)?, network: request.model(model)? })
    }

    /// Height, width and channels of the images; `None` if there is no record.
    pub fn shape(&self, records: &Records<'_>) -> Option<Shape> {
        records.images(self.image).batch().map(|(shape, _)| shape)
    }

    /// Runs the network on all records. Each output is a place for its numbers and its shape after the rows, in the network's own
    /// order; of the network's outputs only as many are computed. Without records, nothing is. Images go through the network in
    /// groups that a processor's cache holds.
    pub fn run<const OUTPUTS: usize>(
        &self,
        records: &Records<'_>,
        mut outputs: [(&mut [f32], &[usize]); OUTPUTS],
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = records.images(self.image).batch();
        let Some((shape @ [height, width, channels], pixels)) =
            batch.filter(|(_, pixels)| !pixels.is_empty())
        else {
            return Err(Error::invalid(
                "expected an image of the same size in each record; let the manifest state the size, and `required`",
            ));
        };
        for (numbers, shape) in &mut outputs {
            TensorMut::new(numbers, &with_rows(records.len(), shape))?;
        }
        let images = (GROUP_PIXELS / (height * width)).max(1);
        let numbers_of = |shape: &[usize]| shape.iter().product::<usize>();
        let mut groups =
            outputs.map(|(numbers, shape)| (numbers.chunks_mut((images * numbers_of(shape)).max(1)), shape));
        for pixels in pixels.chunks(images * height * width * channels) {
            let rows = pixels.len() / (height * width * channels);
            let shapes = groups.each_ref().map(|(_, shape)| with_rows(rows, shape));
            let tensors = groups.iter_mut().zip(&shapes);
            let mut tensors = tensors
                .map(|((numbers, _), shape)| TensorMut::new(numbers.next().unwrap_or_default(), shape))
                .collect::<Result<Vec<_>, _>>()?;
            self.network.run(&[Tensor::new(pixels, &with_rows(rows, &shape))?], &mut tensors)?;
        }
        Ok(())
    }
}

/// The shape of a tensor of so many rows.
fn with_rows(rows: usize, shape: &[usize]) -> Vec<i64> {
    std::iter::once(rows).chain(shape.iter().copied()).map(|side| side as i64).collect()
}
