//! Objects as points: CenterNet and its kin (Zhou et al. 2019, arXiv:1904.07850, sections 3 and 4).
//!
//! One map of cells has for each class how much a cell is the centre of an object; two more its size and where in the cell the
//! centre is. A cell counts when none of its eight neighbours is more of a centre than it (section 4.1 "From points to bounding
//! boxes"), which is what other networks need a suppression of overlaps for.

use std::cmp::Ordering;

use super::{Candidate, Corners, Misfit, Scoring, Size, Unit, add};

/// Objects as points.
#[derive(Clone, Debug, PartialEq)]
pub struct Centre {
    /// Side of a cell, in pixels.
    pub stride: usize,
    /// What sizes count: cells, parts of the image, or pixels.
    pub unit: SizeUnit,
}

/// What the sizes of objects count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeUnit {
    /// Cells, as CenterNet has it.
    Cells,
    /// As boxes are counted elsewhere.
    Box(Unit),
}

impl Centre {
    pub(super) fn shapes(&self, size: Size, classes: usize) -> Result<Vec<Vec<usize>>, Misfit> {
        let (width, height) = size.cells(self.stride)?;
        Ok([classes, 2, 2].map(|maps| vec![maps, height, width]).to_vec())
    }

    pub(super) fn decode(
        &self,
        tensors: &[&[f32]],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Misfit> {
        let (width, height) = size.cells(self.stride)?;
        let (heat, sizes, offsets) = (tensors[0], tensors[1], tensors[2]);
        let cells = width * height;
        let stride = self.stride as f32;
        let [across, down] = match self.unit {
            SizeUnit::Cells => [stride; 2],
            SizeUnit::Box(Unit::Pixels) => [1.0; 2],
            SizeUnit::Box(Unit::Fraction) => [size.width as f32, size.height as f32],
        };
        for cell in 0..cells {
            let (column, row) = (cell % width, cell / width);
            // What is no peak is NaN, which reaches no threshold.
            let number = |class: usize| {
                let map = &heat[class * cells..][..cells];
                let number = map[cell];
                let is_peak = number >= scoring.least && is_greatest(map, width, height, column, row);
                if is_peak { number } else { f32::NAN }
            };
            let corners = Corners::around(
                (column as f32 + offsets[cell]) * stride,
                (row as f32 + offsets[cells + cell]) * stride,
                sizes[cell] * across,
                sizes[cells + cell] * down,
            );
            scoring.each(1.0, number, |score, label| add(candidates, corners, score, label));
        }
        Ok(())
    }
}

/// Whether no neighbour of a cell has a greater number.
fn is_greatest(map: &[f32], width: usize, height: usize, column: usize, row: usize) -> bool {
    let number = map[row * width + column];
    let rows = row.saturating_sub(1)..=(row + 1).min(height - 1);
    let columns = column.saturating_sub(1)..=(column + 1).min(width - 1);
    // A neighbour that is NaN is no greater.
    let is_greater = |other: f32| other.partial_cmp(&number) == Some(Ordering::Greater);
    !rows.into_iter().any(|row| columns.clone().any(|column| is_greater(map[row * width + column])))
}
