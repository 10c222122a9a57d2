//! From what a network answers to boxes: pure functions over slices of numbers.
//!
//! | layout | module | what the network answers for an image |
//! |---|---|---|
//! | `yolov5`, `yolox` | [`cells`] | a row for each anchor: box, objectness, a score for each class |
//! | `yolov8` | [`columns`] | a column for each anchor: box, a score for each class |
//! | `ssd` | [`boxes`] | boxes, and a score for each box and class |
//! | `centre` | [`centre`] | maps: how much each place is the centre of an object, its size, its offset |
//! | `end-to-end` | [`ended`] | few boxes, each with its score and class: the network has thrown out what overlaps |
//!
//! A layout says which [`Answer`]s it needs for images of a size, and reads them into [`Candidate`]s, in pixels of the network's
//! input. [`suppress`](crate::suppress) then keeps the best.
//!
//! - **Invariant:** a candidate has finite corners, a positive width and height, and a score that reaches the threshold. Networks
//!   answer infinities and NaN (an exponential of a large number is one); such boxes are dropped, never an error.
//! - **Invariant:** candidates stand in the order of the network's anchors, and of the classes of an anchor, which decides
//!   between equal scores.

pub mod boxes;
pub mod cells;
pub mod centre;
pub mod columns;
pub mod ended;

use boxes::Boxes;
use cells::Cells;
use centre::Centre;
use columns::Columns;
use ended::Ended;

/// Edges of a box, in pixels of the network's input, from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl Corners {
    /// A box by its centre.
    pub fn around(x: f32, y: f32, width: f32, height: f32) -> Self {
        let (width, height) = (width / 2.0, height / 2.0);
        Self { left: x - width, top: y - height, right: x + width, bottom: y + height }
    }

    fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// Intersection over union of two boxes with an area, 0 to 1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = width * height;
        shared / (self.area() + other.area() - shared)
    }

    /// Whether it is a box at all: finite, and with an area.
    fn is_box(&self) -> bool {
        let area = self.area();
        area.is_finite()
            && area > 0.0
            && self.right > self.left
            && self.left.is_finite()
            && self.top.is_finite()
    }
}

/// A box that may be an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Where it is.
    pub corners: Corners,
    /// How sure the network is, 0 to 1.
    pub score: f32,
    /// What it is: place of the label among the plugin's.
    pub label: u16,
}

/// In which order the four numbers of a box stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Left, top, right, bottom.
    Xyxy,
    /// Top, left, bottom, right, as TensorFlow has it.
    Yxyx,
    /// Left, top, width, height.
    Xywh,
    /// Centre, width, height.
    Cxcywh,
}

/// What the numbers of a box count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Pixels of the network's input.
    Pixels,
    /// Parts of its width and height, 0 to 1.
    Fraction,
}

/// How four numbers are a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Their order.
    pub order: Order,
    /// Their unit.
    pub unit: Unit,
}

impl Form {
    /// The box that four numbers are, in an image of this size.
    pub fn corners(self, [a, b, c, d]: [f32; 4], size: Size) -> Corners {
        let corners = match self.order {
            Order::Xyxy => Corners { left: a, top: b, right: c, bottom: d },
            Order::Yxyx => Corners { left: b, top: a, right: d, bottom: c },
            Order::Xywh => Corners { left: a, top: b, right: a + c, bottom: b + d },
            Order::Cxcywh => Corners::around(a, b, c, d),
        };
        match self.unit {
            Unit::Pixels => corners,
            Unit::Fraction => {
                let (width, height) = (size.width as f32, size.height as f32);
                Corners {
                    left: corners.left * width,
                    top: corners.top * height,
                    right: corners.right * width,
                    bottom: corners.bottom * height,
                }
            }
        }
    }
}

/// Size of the network's input, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

impl Size {
    /// Columns and rows of the cells of so many pixels a side.
    fn cells(self, stride: usize) -> Result<(usize, usize), Misfit> {
        let whole = self.width.is_multiple_of(stride) && self.height.is_multiple_of(stride);
        whole
            .then(|| (self.width / stride, self.height / stride))
            .ok_or(Misfit::Stride { size: self, stride })
    }
}

/// How many boxes a network answers for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Always so many.
    Fixed(usize),
    /// One for each cell, of cells with sides of so many pixels.
    Cells(Vec<usize>),
}

impl Rows {
    fn count(&self, size: Size) -> Result<usize, Misfit> {
        match self {
            Self::Fixed(rows) => Ok(*rows),
            Self::Cells(strides) => strides.iter().try_fold(0, |count, &stride| {
                let (width, height) = size.cells(stride)?;
                Ok(count + width * height)
            }),
        }
    }
}

/// Images or answers that do not fit the layout.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Misfit {
    /// The image does not consist of whole cells.
    #[error(
        "an image of {} x {} pixels has no whole cells of {stride}; make `width` and `height` of the manifest's image \
         multiples of every one of `strides`, or state `strides`",
        size.width, size.height
    )]
    Stride {
        /// Size of the image.
        size: Size,
        /// Side of a cell.
        stride: usize,
    },
    /// A class that has no name.
    #[error(
        "output `{output}` names class {class}; expected a whole number from 0 to {}: `classes` lists {classes}, so make \
         `classes` the names of all classes of the network",
        classes - 1
    )]
    Class {
        /// What the output is.
        output: &'static str,
        /// The class.
        class: f32,
        /// How many there are.
        classes: usize,
    },
}

/// What the numbers of scores are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Probabilities, 0 to 1.
    None,
    /// Logarithms of odds, which the logistic function makes probabilities.
    Sigmoid,
}

/// Which scores count, and for which labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Scoring {
    threshold: f32,
    /// No number below it can reach the threshold: so most are passed over without an exponential.
    least: f32,
    activation: Activation,
    several: bool,
    /// Label of each class of the network; `None` where it is dropped.
    labels: Vec<Option<u16>>,
    /// The classes that have one, rising.
    wanted: Vec<(usize, u16)>,
}

impl Scoring {
    /// The label of each class, or `None` for a class that is dropped; the least score that counts; what the network's numbers
    /// are; whether an anchor can be several classes at once, or is the best of those that have a label.
    pub fn new(labels: Vec<Option<u16>>, threshold: f32, activation: Activation, several: bool) -> Self {
        /// Far more than what rounding moves a logarithm of odds by.
        const SLACK: f64 = 1e-3;
        let least = match activation {
            Activation::None => threshold,
            Activation::Sigmoid => {
                let threshold = f64::from(threshold);
                ((threshold / (1.0 - threshold)).ln() - SLACK) as f32
            }
        };
        let wanted =
            labels.iter().enumerate().filter_map(|(class, label)| Some((class, (*label)?))).collect();
        Self { threshold, least, activation, several, labels, wanted }
    }

    /// How many classes the network has.
    pub fn classes(&self) -> usize {
        self.labels.len()
    }

    /// The probability that a number of the network stands for.
    pub fn probability(&self, number: f32) -> f32 {
        match self.activation {
            Activation::None => number,
            Activation::Sigmoid => logistic(number),
        }
    }

    /// The scores that count of an anchor which is an object at all with this probability; `number` gives what the network says
    /// of a class.
    fn each(&self, objectness: f32, number: impl Fn(usize) -> f32, mut found: impl FnMut(f32, u16)) {
        let mut check = |number: f32, label: u16| {
            let score = objectness * self.probability(number);
            if score >= self.threshold {
                found(score, label);
            }
        };
        if self.several {
            return self.wanted.iter().for_each(|&(class, label)| check(number(class), label));
        }
        // NaN is greater than nothing, so it is never the best.
        let (mut greatest, mut best) = (f32::NEG_INFINITY, None);
        for &(class, label) in &self.wanted {
            let number = number(class);
            if number > greatest {
                (greatest, best) = (number, Some(label));
            }
        }
        if let Some(label) = best {
            check(greatest, label);
        }
    }
}

/// The logistic function.
fn logistic(number: f32) -> f32 {
    1.0 / (1.0 + (-number).exp())
}

/// Adds a candidate, if it is a box.
fn add(candidates: &mut Vec<Candidate>, corners: Corners, score: f32, label: u16) {
    if corners.is_box() {
        candidates.push(Candidate { corners, score, label });
    }
}

/// One of the tensors that a layout reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it is.
    pub role: &'static str,
    /// Its shape for one image.
    pub shape: Vec<usize>,
}

/// Roles of the tensors.
pub mod role {
    /// Rows or columns with everything in them.
    pub const PREDICTIONS: &str = "predictions";
    /// Four numbers a box.
    pub const BOXES: &str = "boxes";
    /// A score for each box, and each class where classes are not answered.
    pub const SCORES: &str = "scores";
    /// A class for each box.
    pub const CLASSES: &str = "classes";
    /// How many boxes there are.
    pub const COUNT: &str = "count";
    /// How much each place is the centre of an object of a class.
    pub const HEAT: &str = "heat";
    /// Width and height of the object whose centre a place is.
    pub const SIZE: &str = "size";
    /// Where in its cell the centre is.
    pub const OFFSET: &str = "offset";
}

/// How a network's answer is laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// Rows with objectness.
    Cells(Cells),
    /// Columns without.
    Columns(Columns),
    /// Boxes and scores.
    Boxes(Boxes),
    /// Maps.
    Centre(Centre),
    /// Boxes that are final.
    Ended(Ended),
}

impl Layout {
    /// The roles of the tensors that it reads, in the order in which [`decode`](Self::decode) takes them.
    pub fn roles(&self) -> Vec<&'static str> {
        match self {
            Self::Cells(cells) => vec![role::PREDICTIONS; cells.tensors()],
            Self::Columns(_) => vec![role::PREDICTIONS],
            Self::Boxes(_) => vec![role::BOXES, role::SCORES],
            Self::Centre(_) => vec![role::HEAT, role::SIZE, role::OFFSET],
            Self::Ended(ended) => ended.roles(),
        }
    }

    /// The tensors that it reads for an image of this size, in the same order.
    pub fn answers(&self, size: Size, classes: usize) -> Result<Vec<Answer>, Misfit> {
        let shapes = match self {
            Self::Cells(cells) => cells.shapes(size, classes)?,
            Self::Columns(columns) => vec![columns.shape(size, classes)?],
            Self::Boxes(boxes) => boxes.shapes(size, classes)?,
            Self::Centre(centre) => centre.shapes(size, classes)?,
            Self::Ended(ended) => ended.shapes(),
        };
        let together = self.roles().into_iter().zip(shapes);
        Ok(together.map(|(role, shape)| Answer { role, shape }).collect())
    }

    /// Reads the tensors of one image, which have the shapes of [`answers`](Self::answers), into candidates, which are cleared.
    pub fn decode(
        &self,
        tensors: &[&[f32]],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Misfit> {
        candidates.clear();
        match self {
            Self::Cells(cells) => cells.decode(tensors, size, scoring, candidates)?,
            Self::Columns(columns) => columns.decode(tensors[0], size, scoring, candidates),
            Self::Boxes(boxes) => boxes.decode(tensors[0], tensors[1], size, scoring, candidates),
            Self::Centre(centre) => centre.decode(tensors, size, scoring, candidates)?,
            Self::Ended(ended) => ended.decode(tensors, size, scoring, candidates)?,
        }
        Ok(())
    }
}
