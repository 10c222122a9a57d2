//! Boxes that are final: networks which throw out overlapping boxes themselves, or answer none.
//!
//! YOLOv10 and its kin answer rows of `x1, y1, x2, y2, score, class`; TensorFlow's exports, and those with a suppression inside,
//! a tensor each for boxes, scores and classes, and often one that says how many of the boxes mean something.

use super::{Candidate, Form, Misfit, Scoring, Size, add, role};

/// Numbers of a row that has everything.
const ROW: usize = 6;

/// Boxes that are final.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How many boxes there are for an image at most.
    pub rows: usize,
    /// What the four numbers of a box are.
    pub form: Form,
    /// How they are told.
    pub parts: Parts,
}

/// In which tensors the boxes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// One, with rows of six numbers.
    Rows,
    /// Boxes, scores and classes.
    Three,
    /// And how many of them there are.
    Four,
}

impl Ended {
    pub(super) fn roles(&self) -> Vec<&'static str> {
        match self.parts {
            Parts::Rows => vec![role::PREDICTIONS],
            Parts::Three => vec![role::BOXES, role::SCORES, role::CLASSES],
            Parts::Four => vec![role::BOXES, role::SCORES, role::CLASSES, role::COUNT],
        }
    }

    pub(super) fn shapes(&self) -> Vec<Vec<usize>> {
        match self.parts {
            Parts::Rows => vec![vec![self.rows, ROW]],
            Parts::Three => vec![vec![self.rows, 4], vec![self.rows], vec![self.rows]],
            Parts::Four => vec![vec![self.rows, 4], vec![self.rows], vec![self.rows], vec![]],
        }
    }

    pub(super) fn decode(
        &self,
        tensors: &[&[f32]],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Misfit> {
        if self.parts == Parts::Rows {
            for row in tensors[0].chunks_exact(ROW) {
                self.read([row[0], row[1], row[2], row[3]], row[4], row[5], (size, scoring), candidates)?;
            }
            return Ok(());
        }
        let (boxes, scores, classes) = (tensors[0], tensors[1], tensors[2]);
        // What is negative or NaN becomes 0, and what is too much ends with the boxes.
        let count = tensors.get(3).map_or(self.rows, |count| count[0] as usize);
        let rows = boxes.chunks_exact(4).zip(scores).zip(classes);
        for ((row, &score), &class) in rows.take(count) {
            self.read([row[0], row[1], row[2], row[3]], score, class, (size, scoring), candidates)?;
        }
        Ok(())
    }

    fn read(
        &self,
        numbers: [f32; 4],
        score: f32,
        class: f32,
        (size, scoring): (Size, &Scoring),
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Misfit> {
        let score = scoring.probability(score);
        // Rows that are not used are zero, or have the class -1: their score says so.
        if score.is_nan() || score < scoring.threshold {
            return Ok(());
        }
        let classes = scoring.classes();
        if class < 0.0 || class.fract() != 0.0 || class >= classes as f32 {
            let output = if self.parts == Parts::Rows { role::PREDICTIONS } else { role::CLASSES };
            return Err(Misfit::Class { output, class, classes });
        }
        if let Some(label) = scoring.labels[class as usize] {
            add(candidates, self.form.corners(numbers, size), score, label);
        }
        Ok(())
    }
}
