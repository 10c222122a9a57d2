//! A value for each place of an image.

use serde::Serialize;

use super::{ExplanationError, check_pixels};

/// A value for each place of an image, the greater the more the score rests on it.
///
/// What the unit is, whoever made the map says: an occlusion map has differences of the score, in the score's own unit.
/// Values may be negative. All are finite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatMap {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl HeatMap {
    /// A map of `height` rows of `width` values.
    ///
    /// # Errors
    /// [`ExplanationError::Pixels`]: a side of 0, or too many places; [`ExplanationError::Samples`]: it is not the
    /// number of values; [`ExplanationError::Value`]: a value that is not finite.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<HeatMap, ExplanationError> {
        check_pixels(height, width)?;
        let (expected, found) = (height * width, values.len());
        if found != expected {
            return Err(ExplanationError::Samples { height, width, channels: 1, expected, found });
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (place / width, place % width);
            return Err(ExplanationError::Value { row, column, found: values[place] });
        }
        Ok(HeatMap { height, width, values })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Places of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row by row.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The value at a place, counted from 0.
    ///
    /// # Panics
    /// When the place is outside the map, as a slice does.
    pub fn at(&self, row: usize, column: usize) -> f32 {
        assert!(column < self.width, "column {column} of a map with {} columns", self.width);
        self.values[row * self.width + column]
    }

    /// The map with another size, bilinear: each value belongs to the middle of its place, and outside the outermost
    /// middles the value is that of the nearest (what PyTorch calls `align_corners=False`).
    ///
    /// It is meant for maps that are coarser than the image. A map that is made smaller is looked at in the middle of
    /// the new places, and what lies between them is not averaged in.
    ///
    /// # Errors
    /// [`ExplanationError::Pixels`]: a side of 0, or too many places.
    pub fn resized(&self, height: usize, width: usize) -> Result<HeatMap, ExplanationError> {
        check_pixels(height, width)?;
        let columns: Vec<Between> = between(self.width, width).collect();
        let mut values = Vec::with_capacity(height * width);
        for row in between(self.height, height) {
            let line = |row: usize| &self.values[row * self.width..][..self.width];
            let (above, below) = (line(row.first), line(row.second));
            values.extend(
                columns.iter().map(|column| row.mix(column.mix_of(above), column.mix_of(below)) as f32),
            );
        }
        Ok(HeatMap { height, width, values })
    }
}

/// A place between two others.
struct Between {
    first: usize,
    second: usize,
    /// How far it is from the first to the second, 0 to 1.
    way: f64,
}

impl Between {
    fn mix(&self, first: f64, second: f64) -> f64 {
        // Not `first + way * (second - first)`: the difference of two great numbers may not be finite in the end.
        first * (1.0 - self.way) + second * self.way
    }

    fn mix_of(&self, line: &[f32]) -> f64 {
        self.mix(f64::from(line[self.first]), f64::from(line[self.second]))
    }
}

/// Where the middles of `new` equal parts of a line lie among the middles of `old` equal parts.
fn between(old: usize, new: usize) -> impl Iterator<Item = Between> {
    let scale = old as f64 / new as f64;
    (0..new).map(move |place| {
        let middle = ((place as f64 + 0.5) * scale - 0.5).clamp(0.0, (old - 1) as f64);
        let first = middle as usize;
        Between { first, second: (first + 1).min(old - 1), way: middle.fract() }
    })
}
