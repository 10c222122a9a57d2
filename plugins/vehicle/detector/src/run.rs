//! Running the network on a group of images, with memory that stays.

use foretell_sdk::{Error, Model, Tensor, TensorMut};

use crate::config::{Output, OutputElement, Settings};
use crate::decode::{Candidate, Size};
use crate::prepare::{CHANNELS, Element, Preparation, TensorOrder};

/// Most numbers that the network takes and answers for a group of images, unless one image alone has more: 4 MB. What is computed in
/// between is many times as much; of a group that does not fit into a processor's cache, an image takes longer than alone (a network
/// for 480 pixels: 20 ms of processor time alone, 24 ms among 16).
const GROUP_NUMBERS_MAX: usize = 1 << 20;
/// Most numbers that the network may take and answer for one image, or for a batch that it always takes: 4 GB.
const NUMBERS_MAX: usize = 1 << 30;

/// Memory of a call.
#[derive(Default)]
pub(crate) struct Memory {
    floats: Vec<f32>,
    bytes: Vec<u8>,
    /// What the network answered, output by output.
    pub(crate) outputs: Vec<Numbers>,
    pub(crate) candidates: Vec<Candidate>,
}

/// The numbers of an output, as the network writes them. Whole numbers are made `floats` after it ran.
#[derive(Default)]
pub(crate) struct Numbers {
    floats: Vec<f32>,
    ints: Vec<i32>,
    longs: Vec<i64>,
}

/// Samples that can be brought to a network.
pub(crate) trait Feed: Copy {
    /// As the floating-point numbers that the network wants, put behind `numbers`.
    fn floats(preparation: &Preparation, samples: &[Self], pixels: usize, numbers: &mut Vec<f32>);
    /// As bytes, if they are.
    fn bytes(samples: &[Self]) -> Option<&[u8]>;
}

impl Feed for u8 {
    fn floats(preparation: &Preparation, samples: &[u8], pixels: usize, numbers: &mut Vec<f32>) {
        preparation.bytes_to_floats(samples, pixels, numbers);
    }

    fn bytes(samples: &[u8]) -> Option<&[u8]> {
        Some(samples)
    }
}

impl Feed for f32 {
    fn floats(preparation: &Preparation, samples: &[f32], pixels: usize, numbers: &mut Vec<f32>) {
        preparation.floats(samples, pixels, numbers);
    }

    fn bytes(_samples: &[f32]) -> Option<&[u8]> {
        None
    }
}

/// How images of a size go through the network.
pub(crate) struct Plan<'s> {
    settings: &'s Settings,
    size: Size,
    /// Shape of each output for one image.
    shapes: Vec<Vec<usize>>,
    /// The output in which each tensor of the layout stands.
    places: Vec<usize>,
    images: usize,
}

impl<'s> Plan<'s> {
    pub(crate) fn new(settings: &'s Settings, size: Size) -> Result<Self, Error> {
        let classes = settings.scoring.classes();
        let answers =
            settings.layout.answers(size, classes).map_err(|misfit| Error::invalid(misfit.to_string()))?;
        let mut places = vec![0; answers.len()];
        let mut shapes = Vec::new();
        for (place, output) in settings.outputs.iter().enumerate() {
            let wanted = output.tensor.map(|tensor| {
                places[tensor] = place;
                &answers[tensor].shape
            });
            shapes.push(shape_of(output, wanted)?);
        }
        let input = size.width * size.height * CHANNELS;
        let numbers = shapes.iter().map(|shape| product(shape)).fold(input, usize::saturating_add);
        let always = numbers.saturating_mul(settings.batch.unwrap_or(1));
        if always > NUMBERS_MAX {
            return Err(Error::invalid(format!(
                "the network takes and answers {always} numbers at once, by `layout`, `classes`, `rows`, `batch` and the size \
                 of the image; expected at most {NUMBERS_MAX}"
            )));
        }
        let images = settings.batch.unwrap_or((GROUP_NUMBERS_MAX / numbers).max(1));
        Ok(Self { settings, size, shapes, places, images })
    }

    /// Most images of a group.
    pub(crate) fn images(&self) -> usize {
        self.images
    }

    /// Size of the images.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Runs the network on whole images, at most [`images`](Self::images) of them. Where it always takes the same number, what is
    /// missing is black.
    pub(crate) fn run<S: Feed>(
        &self,
        network: Model,
        samples: &[S],
        memory: &mut Memory,
    ) -> Result<(), Error> {
        let preparation = &self.settings.preparation;
        let pixels = self.size.width * self.size.height;
        let per_image = pixels * CHANNELS;
        let rows = self.settings.batch.unwrap_or(samples.len() / per_image);
        let Size { width, height } = self.size;
        let input = match preparation.order {
            TensorOrder::Nchw => [rows, CHANNELS, height, width],
            TensorOrder::Nhwc => [rows, height, width, CHANNELS],
        };
        let input = input.map(|side| side as i64);
        let Memory { floats, bytes, outputs, .. } = memory;
        outputs.resize_with(self.shapes.len(), Numbers::default);
        let shapes: Vec<Vec<i64>> = self.shapes.iter().map(|shape| with_rows(rows, shape)).collect();
        let mut tensors = Vec::with_capacity(outputs.len());
        for ((output, shape), numbers) in self.settings.outputs.iter().zip(&shapes).zip(outputs.iter_mut()) {
            let length = shape.iter().map(|&side| side as usize).product();
            tensors.push(numbers.lend(output.element, length, shape)?);
        }
        let done = match (preparation.element, S::bytes(samples)) {
            (Element::Uint8, Some(samples)) => {
                let samples = if preparation.keeps_order() && samples.len() == rows * per_image {
                    samples
                } else {
                    bytes.clear();
                    preparation.bytes(samples, pixels, bytes);
                    bytes.resize(rows * per_image, 0);
                    &bytes[..]
                };
                network.run(&[Tensor::new(samples, &input)?], &mut tensors)
            }
            _ => {
                floats.clear();
                S::floats(preparation, samples, pixels, floats);
                floats.resize(rows * per_image, 0.0);
                network.run(&[Tensor::new(floats.as_slice(), &input)?], &mut tensors)
            }
        };
        done.map_err(|error| self.misfit(error, &input, &shapes))?;
        for (numbers, output) in outputs.iter_mut().zip(&self.settings.outputs) {
            numbers.make_floats(output.element);
        }
        Ok(())
    }

    /// The tensors of an image of the group, in the order of the layout.
    pub(crate) fn tensors<'o>(&self, image: usize, outputs: &'o [Numbers]) -> Vec<&'o [f32]> {
        let tensor = |&place: &usize| {
            let length = product(&self.shapes[place]);
            &outputs[place].floats[image * length..][..length]
        };
        self.places.iter().map(tensor).collect()
    }

    /// What to say of a network that did not run as the settings say.
    fn misfit(&self, error: Error, input: &[i64], shapes: &[Vec<i64>]) -> Error {
        if error == Error::cancelled() {
            return error;
        }
        let Settings { preparation, outputs, name, .. } = self.settings;
        let element = match preparation.element {
            Element::Float32 => "f32",
            Element::Uint8 => "u8",
        };
        let said: Vec<String> = outputs
            .iter()
            .zip(shapes)
            .map(|(output, shape)| format!("`{}` {}{shape:?}", output.role, output.element.name()))
            .collect();
        Error::invalid(format!(
            "the network does not fit the settings: {error}; by `tensor`, `element`, `batch` and the size of the image it takes \
             {element}{input:?}, and by `layout = \"{name}\"`, `form`, `classes`, `strides`, `rows` and `outputs` it answers {}; \
             change those, or let `foretell-vehicle adapt` propose settings",
            said.join(", ")
        ))
    }
}

impl Numbers {
    /// Room for an output of a type.
    fn lend<'a>(
        &'a mut self,
        element: OutputElement,
        length: usize,
        shape: &'a [i64],
    ) -> Result<TensorMut<'a>, Error> {
        match element {
            OutputElement::Float32 => {
                self.floats.resize(length, 0.0);
                TensorMut::new(&mut self.floats[..], shape)
            }
            OutputElement::Int32 => {
                self.ints.resize(length, 0);
                TensorMut::new(&mut self.ints[..], shape)
            }
            OutputElement::Int64 => {
                self.longs.resize(length, 0);
                TensorMut::new(&mut self.longs[..], shape)
            }
        }
    }

    /// Makes whole numbers floating-point ones. Counts and classes are far below the numbers that those can't tell apart.
    fn make_floats(&mut self, element: OutputElement) {
        match element {
            OutputElement::Float32 => {}
            OutputElement::Int32 => {
                self.floats.clear();
                self.floats.extend(self.ints.iter().map(|&number| number as f32));
            }
            OutputElement::Int64 => {
                self.floats.clear();
                self.floats.extend(self.longs.iter().map(|&number| number as f32));
            }
        }
    }
}

/// The shape of an output for one image: the one that its table states, or else the layout's.
fn shape_of(output: &Output, wanted: Option<&Vec<usize>>) -> Result<Vec<usize>, Error> {
    let stated = output.shape.as_ref();
    match (stated, wanted) {
        (Some(stated), Some(wanted)) if product(stated) != product(wanted) => Err(Error::invalid(format!(
            "setting `outputs`: `{}` has the shape {stated:?}; expected as many numbers for an image as {wanted:?}, by \
             `layout`, `classes` and `rows`",
            output.role
        ))),
        // An output that is ignored states its shape.
        _ => Ok(stated.or(wanted).cloned().unwrap_or_default()),
    }
}

fn product(shape: &[usize]) -> usize {
    shape.iter().fold(1, |product, &side| product.saturating_mul(side))
}

fn with_rows(rows: usize, shape: &[usize]) -> Vec<i64> {
    std::iter::once(rows).chain(shape.iter().copied()).map(|side| side as i64).collect()
}
