//! A network that reads the images of a column as they are.

use crate::image::Shape;
use crate::{Error, Image, Model, Open, Records, Tensor, TensorMut};

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
    /// order; of the network's outputs only as many are computed. Without records, nothing is.
    pub fn run<const OUTPUTS: usize>(
        &self,
        records: &Records<'_>,
        outputs: [(&mut [f32], &[usize]); OUTPUTS],
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let Some((shape, pixels)) = records.images(self.image).batch() else {
            return Err(Error::invalid(
                "expected an image of the same size in each record; let the manifest state the size, and `required`",
            ));
        };
        let with_rows = |shape: &[usize]| -> Vec<i64> {
            std::iter::once(records.len()).chain(shape.iter().copied()).map(|side| side as i64).collect()
        };
        let input = with_rows(&shape);
        let shapes = outputs.each_ref().map(|(_, shape)| with_rows(shape));
        let tensors = outputs.into_iter().zip(&shapes);
        let mut tensors = tensors
            .map(|((numbers, _), shape)| TensorMut::new(numbers, shape))
            .collect::<Result<Vec<_>, _>>()?;
        self.network.run(&[Tensor::new(pixels, &input)?], &mut tensors)
    }
}
