//! Rows with objectness: YOLOv5 and its kin (v3, v4, v7), and YOLOX.
//!
//! A row is `x, y, width, height, objectness`, and a number for each class. The image is cut into cells of several sizes
//! (*strides*: 8, 16 and 32 pixels), and rows stand scale by scale; in a scale by the shape of an anchor, and then by the rows
//! and columns of its cells. What the first four numbers mean is the [`Geometry`]'s matter, and what a box is sure of is
//! objectness times the probability of the class.

use super::{Candidate, Corners, Form, Misfit, Scoring, Size, add};

/// Numbers of a row before those of the classes.
const BEFORE_CLASSES: usize = 5;
/// Place of the objectness in a row.
const OBJECTNESS: usize = 4;

/// Rows with objectness.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Sides of the cells in pixels, in the order of the scales.
    pub strides: Vec<usize>,
    /// Anchors of each cell.
    pub anchors: usize,
    /// What the box of a row is.
    pub geometry: Geometry,
    /// Whether each scale is a tensor of its own, `[anchors, height, width, 5 + classes]`.
    pub apart: bool,
    /// How many rows there are where the scales don't say.
    pub rows: Option<usize>,
}

/// What the first four numbers of a row mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// They are the box.
    Decoded(Form),
    /// YOLOX: centre = (cell + number) * stride, side = exp(number) * stride (Ge et al. 2021, arXiv:2107.08430, section 2.1, which
    /// keeps the parameters of YOLOv1's offsets and the exponential of YOLOv2, section 2).
    Free,
    /// YOLOv5: with p the logistic function of a number, centre = (cell - 0.5 + 2 p) * stride, side = (2 p)^2 * the anchor's,
    /// in pixels; for each scale the anchors' widths and heights. What is not a logarithm of odds but already p is taken as it is.
    Sized(Vec<Vec<[f32; 2]>>),
}

impl Cells {
    /// How many tensors there are.
    pub(super) fn tensors(&self) -> usize {
        if self.apart { self.strides.len() } else { 1 }
    }

    pub(super) fn shapes(&self, size: Size, classes: usize) -> Result<Vec<Vec<usize>>, Misfit> {
        let columns = BEFORE_CLASSES + classes;
        if let Some(rows) = self.rows {
            return Ok(vec![vec![rows, columns]]);
        }
        let mut scales = Vec::new();
        for &stride in &self.strides {
            let (width, height) = size.cells(stride)?;
            scales.push(vec![self.anchors, height, width, columns]);
        }
        if self.apart {
            return Ok(scales);
        }
        let rows = scales.iter().map(|scale| scale[..3].iter().product::<usize>()).sum();
        Ok(vec![vec![rows, columns]])
    }

    pub(super) fn decode(
        &self,
        tensors: &[&[f32]],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Misfit> {
        let columns = BEFORE_CLASSES + scoring.classes();
        if let Geometry::Decoded(form) = self.geometry {
            for row in tensors.iter().flat_map(|tensor| tensor.chunks_exact(columns)) {
                read(row, scoring, candidates, |numbers| form.corners(numbers, size));
            }
            return Ok(());
        }
        let mut all = tensors.iter().flat_map(|tensor| tensor.chunks_exact(columns));
        for (scale, &stride) in self.strides.iter().enumerate() {
            let (width, height) = size.cells(stride)?;
            for anchor in 0..self.anchors {
                for (place, row) in all.by_ref().take(width * height).enumerate() {
                    let cell = [(place % width) as f32, (place / width) as f32];
                    read(row, scoring, candidates, |numbers| {
                        self.corners(numbers, cell, (scale, anchor), stride as f32, scoring)
                    });
                }
            }
        }
        Ok(())
    }

    fn corners(
        &self,
        [a, b, c, d]: [f32; 4],
        [x, y]: [f32; 2],
        (scale, anchor): (usize, usize),
        stride: f32,
        scoring: &Scoring,
    ) -> Corners {
        match &self.geometry {
            Geometry::Sized(sizes) => {
                let [a, b, c, d] = [a, b, c, d].map(|number| 2.0 * scoring.probability(number));
                let [width, height] = sizes[scale][anchor];
                Corners::around((x - 0.5 + a) * stride, (y - 0.5 + b) * stride, c * c * width, d * d * height)
            }
            _ => Corners::around((x + a) * stride, (y + b) * stride, c.exp() * stride, d.exp() * stride),
        }
    }
}

fn read(
    row: &[f32],
    scoring: &Scoring,
    candidates: &mut Vec<Candidate>,
    corners: impl Fn([f32; 4]) -> Corners,
) {
    // A class has at most the probability 1, so what is too little here stays too little. Most rows end here.
    if row[OBJECTNESS] < scoring.least {
        return;
    }
    let objectness = scoring.probability(row[OBJECTNESS]);
    let classes = &row[BEFORE_CLASSES..];
    scoring.each(
        objectness,
        |class| classes[class],
        |score, label| add(candidates, corners([row[0], row[1], row[2], row[3]]), score, label),
    );
}
