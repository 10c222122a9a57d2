//! Values over the places of an image.

use foretell_abi::ArrowArray;

use super::Predictions;
use super::grow::Ends;
use crate::Error;
use crate::owned::{Type, Values};

/// Two sides and the values of each record.
#[derive(Debug)]
struct Grids<T> {
    heights: Vec<i32>,
    widths: Vec<i32>,
    ends: Ends,
    values: Vec<T>,
}

impl<T: Copy> Grids<T> {
    fn with_capacity(rows: usize) -> Self {
        let sides = || Vec::with_capacity(rows);
        Self { heights: sides(), widths: sides(), ends: Ends::with_capacity(rows), values: Vec::new() }
    }

    fn push(&mut self, height: usize, width: usize, values: &[T]) {
        let side = |side: usize| i32::try_from(side).unwrap_or(i32::MAX);
        self.heights.push(side(height));
        self.widths.push(side(width));
        if self.ends.accept(self.values.len() + values.len(), true) {
            self.values.extend_from_slice(values);
        }
        self.ends.push(self.values.len());
    }

    fn into_columns(self, values: impl FnOnce(Vec<T>) -> Values) -> Result<Vec<Values>, Error> {
        let sides = [self.heights, self.widths].map(Values::integers);
        let lists = self.ends.into_values(values(self.values))?;
        Ok(sides.into_iter().chain([lists]).collect())
    }
}

/// Segmentation: for each record the class of each place of its image.
///
/// ```
/// use foretell_sdk::{Masks, Predictions};
///
/// let mut masks = Masks::with_capacity(1);
/// masks.push(2, 3, &[0, 0, 1, 0, 1, 1]);
/// assert_eq!(masks.len(), 1);
/// ```
#[derive(Debug)]
pub struct Masks(Grids<u8>);

impl Masks {
    /// Adds the next record's: `height` rows by `width`, which cover the whole image, each value the place of a label in the
    /// manifest.
    pub fn push(&mut self, height: usize, width: usize, classes: &[u8]) {
        self.0.push(height, width, classes);
    }
}

impl Predictions for Masks {
    fn with_capacity(rows: usize) -> Self {
        Self(Grids::with_capacity(rows))
    }

    fn len(&self) -> usize {
        self.0.ends.len()
    }

    fn types() -> Vec<Type> {
        let side = |name| Type::leaf(name, c"i");
        vec![side(c"height"), side(c"width"), Type::list(c"classes", Type::leaf(c"item", c"C"))]
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        self.0.into_columns(Values::bytes)
    }
}

/// Where in the image of each record the prediction comes from; see [`Attend`](crate::Attend).
#[derive(Debug)]
pub struct Maps(Grids<f32>);

impl Maps {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self(Grids::with_capacity(rows))
    }

    /// Adds the next record's: maps of `height` rows by `width`, one after the other. A binary classification has one, of its
    /// positive class; else there is one for each label, in the manifest's order. A larger value speaks more for the class.
    pub fn push(&mut self, height: usize, width: usize, values: &[f32]) {
        self.0.push(height, width, values);
    }

    pub(crate) fn into_array(self) -> Result<ArrowArray, Error> {
        let length = self.0.ends.len();
        Ok(Values::structure(length, self.0.into_columns(Values::floats)?).into_array())
    }
}
