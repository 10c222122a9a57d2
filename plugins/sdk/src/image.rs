//! A column of images, as the host decoded them.

use std::marker::PhantomData;
use std::ops::Range;

use crate::Value;
use crate::records::Validity;

/// What a sample of an image can be: `u8`, `u16` or `f32`.
pub trait Sample: Value + Copy {}
impl Sample for u8 {}
impl Sample for u16 {}
impl Sample for f32 {}

/// Handle of a column of images with samples of type `T`, got at open.
pub struct Image<T> {
    index: usize,
    sample: PhantomData<fn() -> T>,
}

impl<T> Clone for Image<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Image<T> {}

impl<T> Image<T> {
    pub(crate) fn new(index: usize) -> Self {
        Self { index, sample: PhantomData }
    }

    pub(crate) fn index(self) -> usize {
        self.index
    }
}

/// Height, width and channels of an image.
pub type Shape = [usize; 3];

/// One image: its rows one after the other, the channels of a pixel beside each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture<'a, T> {
    /// Height, width and channels.
    pub shape: Shape,
    /// `height * width * channels` samples.
    pub samples: &'a [T],
}

/// A column of images, and which of them are there.
pub struct Images<'a, T> {
    /// Where each image begins among the samples, and the last one ends.
    pub(crate) offsets: &'a [i32],
    /// Three for each row.
    pub(crate) sides: &'a [i32],
    pub(crate) samples: &'a [T],
    pub(crate) validity: Validity<'a>,
}

impl<'a, T: Sample> Images<'a, T> {
    /// Sides of a shape.
    pub(crate) const SIDES: usize = 3;

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.sides.len() / Self::SIDES
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.sides.is_empty()
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    fn shape(&self, row: usize) -> Shape {
        let sides = &self.sides[row * Self::SIDES..][..Self::SIDES];
        [sides[0] as usize, sides[1] as usize, sides[2] as usize]
    }

    /// The row's image, or `None` where it is null.
    pub fn get(&self, row: usize) -> Option<Picture<'a, T>> {
        let there = || Picture { shape: self.shape(row), samples: &self.samples[self.range(row)] };
        self.validity.get(row).then(there)
    }

    /// The shape of all images and their samples one after the other, in place, as a network takes a batch: `None` where there
    /// is no row, where one is null, or where they have different shapes. With the size in its manifest and `required`, a plugin
    /// always gets them so.
    pub fn batch(&self) -> Option<(Shape, &'a [T])> {
        let rows = self.len();
        let shape = (rows > 0).then(|| self.shape(0))?;
        let alike = (0..rows).all(|row| self.validity.get(row) && self.shape(row) == shape);
        alike.then(|| (shape, &self.samples[self.range(0).start..self.range(rows - 1).end]))
    }
}
