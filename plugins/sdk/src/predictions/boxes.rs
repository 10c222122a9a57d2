//! Boxes in images.

use super::Predictions;
use super::grow::{Ends, Texts};
use crate::Error;
use crate::owned::{Type, Values};

/// A box that was found in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected<'a> {
    /// Left edge, in pixels of the image that the plugin was given.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width, in pixels.
    pub width: f32,
    /// Height, in pixels.
    pub height: f32,
    /// What is in it: one of the manifest's labels.
    pub label: &'a str,
    /// How sure that is, from 0 to 1.
    pub score: f32,
}

/// A box of an object that is followed through the frames of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracked<'a> {
    /// The frame, counted from 0.
    pub frame: i32,
    /// The object: the same number in each of its frames.
    pub track: i64,
    /// Where it is, what it is, and how sure that is.
    pub found: Detected<'a>,
}

/// The columns that both tasks have.
#[derive(Debug)]
struct Boxes {
    ends: Ends,
    sides: [Vec<f32>; 4],
    labels: Texts,
    scores: Vec<f32>,
}

impl Boxes {
    fn with_capacity(rows: usize) -> Self {
        Self {
            ends: Ends::with_capacity(rows),
            sides: Default::default(),
            labels: Texts::default(),
            scores: Vec::new(),
        }
    }

    /// Whether the box was taken.
    fn push(&mut self, found: &Detected<'_>) -> bool {
        let fits = self.labels.has_room(found.label);
        let taken = self.ends.accept(self.scores.len(), fits);
        if taken {
            let sides = [found.x, found.y, found.width, found.height];
            for (column, side) in self.sides.iter_mut().zip(sides) {
                column.push(side);
            }
            self.labels.push(Some(found.label));
            self.scores.push(found.score);
        }
        taken
    }

    fn end_record(&mut self) {
        self.ends.push(self.scores.len());
    }

    fn types(more: Vec<Type>) -> Vec<Type> {
        let number = |name| Type::leaf(name, c"f");
        let mut fields = vec![
            number(c"x"),
            number(c"y"),
            number(c"width"),
            number(c"height"),
            Type::leaf(c"label", c"u"),
            number(c"score"),
        ];
        fields.extend(more);
        vec![Type::list(c"detections", Type::structure(c"item", fields))]
    }

    fn into_columns(self, more: Vec<Values>) -> Result<Vec<Values>, Error> {
        let length = self.scores.len();
        let mut fields: Vec<Values> = self.sides.into_iter().map(Values::floats).collect();
        fields.extend([self.labels.into_values(), Values::floats(self.scores)]);
        fields.extend(more);
        Ok(vec![self.ends.into_values(Values::structure(length, fields))?])
    }
}

/// Detection: for each record the boxes in its image, in any order.
///
/// Boxes are in pixels of the image that the plugin was given. The host, which resized the image, maps them back to the
/// original and cuts them at its edges.
///
/// ```
/// use foretell_sdk::{Detected, Detections, Predictions};
///
/// let mut detections = Detections::with_capacity(2);
/// detections.push(&Detected { x: 8.0, y: 4.0, width: 64.0, height: 32.0, label: "car", score: 0.75 });
/// detections.end_record();
/// detections.end_record(); // nothing is in the second image
/// assert_eq!(detections.len(), 2);
/// ```
#[derive(Debug)]
pub struct Detections(Boxes);

impl Detections {
    /// Adds a box of the record at hand.
    pub fn push(&mut self, found: &Detected<'_>) {
        self.0.push(found);
    }

    /// Ends the boxes of the record at hand, of which there may be none.
    pub fn end_record(&mut self) {
        self.0.end_record();
    }
}

impl Predictions for Detections {
    fn with_capacity(rows: usize) -> Self {
        Self(Boxes::with_capacity(rows))
    }

    fn len(&self) -> usize {
        self.0.ends.len()
    }

    fn types() -> Vec<Type> {
        Boxes::types(Vec::new())
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        self.0.into_columns(Vec::new())
    }
}

/// Tracking: for each record, which is a clip, the boxes of objects that were followed through it.
///
/// ```
/// use foretell_sdk::{Detected, Predictions, Tracked, Tracks};
///
/// let mut tracks = Tracks::with_capacity(1);
/// for frame in 0..3 {
///     let found = Detected { x: frame as f32, y: 4.0, width: 6.0, height: 3.0, label: "car", score: 0.75 };
///     tracks.push(&Tracked { frame, track: 1, found });
/// }
/// tracks.end_record();
/// assert_eq!(tracks.len(), 1);
/// ```
#[derive(Debug)]
pub struct Tracks {
    boxes: Boxes,
    tracks: Vec<i64>,
    frames: Vec<i32>,
}

impl Tracks {
    /// Adds a box of the record at hand.
    pub fn push(&mut self, tracked: &Tracked<'_>) {
        if self.boxes.push(&tracked.found) {
            self.tracks.push(tracked.track);
            self.frames.push(tracked.frame);
        }
    }

    /// Ends the boxes of the record at hand, of which there may be none.
    pub fn end_record(&mut self) {
        self.boxes.end_record();
    }
}

impl Predictions for Tracks {
    fn with_capacity(rows: usize) -> Self {
        Self { boxes: Boxes::with_capacity(rows), tracks: Vec::new(), frames: Vec::new() }
    }

    fn len(&self) -> usize {
        self.boxes.ends.len()
    }

    fn types() -> Vec<Type> {
        Boxes::types(vec![Type::leaf(c"track", c"l"), Type::leaf(c"frame", c"i")])
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        let more = vec![Values::longs(self.tracks), Values::integers(self.frames)];
        self.boxes.into_columns(more)
    }
}
