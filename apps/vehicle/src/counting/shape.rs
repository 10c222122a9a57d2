//! Lines and zones, as the user types them.

use super::Point;

/// The most corners of a zone.
pub const CORNERS_MAX: usize = 100;
/// The most characters of a name: more would not fit on a picture.
pub const NAME_CHARACTERS_MAX: usize = 40;
/// The greatest coordinate in pixels, on both sides of zero.
const COORDINATE_MAX: f64 = 1e6;
/// The fewest corners of a zone.
const CORNERS_MIN: usize = 3;

/// A line that tracks cross, from one point to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Where it begins, in pixels or in shares of the frame.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
    is_share: bool,
}

/// A part of the frame, a polygon.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// What it is called.
    pub name: String,
    /// Its corners in order, in pixels or in shares of the frame.
    pub corners: Vec<Point>,
    is_share: bool,
}

/// What is wrong with the text of a line or a zone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// There is no name, or a long one.
    #[error("expected a name of 1 to {NAME_CHARACTERS_MAX} characters before `=`, such as `gate=`")]
    Name,
    /// A coordinate is none.
    #[error("expected numbers from -1,000,000 to 1,000,000, found `{0}`")]
    Number(String),
    /// There are too few or too many coordinates.
    #[error("expected {expected}, found {found} numbers")]
    Count {
        /// What was expected.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// A line is a point.
    #[error("the line begins where it ends")]
    Point,
}

impl Line {
    /// Reads `NAME=x1,y1,x2,y2`. Numbers are pixels, or shares of the frame's width and height where all are from 0 to 1.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn parse(text: &str) -> Result<Line, ShapeError> {
        let (name, points, is_share) = parse(text)?;
        match points[..] {
            [from, to] if from == to => Err(ShapeError::Point),
            [from, to] => Ok(Line { name, from, to, is_share }),
            _ => {
                let expected = "two points `x1,y1,x2,y2`".to_owned();
                Err(ShapeError::Count { expected, found: 2 * points.len() })
            }
        }
    }

    /// The line in pixels of a frame of this size.
    pub fn within(&self, size: (u32, u32)) -> Line {
        let [from, to] = [self.from, self.to].map(|point| placed(point, self.is_share, size));
        Line { name: self.name.clone(), from, to, is_share: false }
    }
}

impl Zone {
    /// Reads `NAME=x1,y1,x2,y2,x3,y3,...`. Numbers are pixels, or shares of the frame's width and height where all are from 0 to 1.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn parse(text: &str) -> Result<Zone, ShapeError> {
        let (name, corners, is_share) = parse(text)?;
        if !(CORNERS_MIN..=CORNERS_MAX).contains(&corners.len()) {
            let expected = format!("{CORNERS_MIN} to {CORNERS_MAX} corners `x1,y1,x2,y2,x3,y3`");
            return Err(ShapeError::Count { expected, found: 2 * corners.len() });
        }
        Ok(Zone { name, corners, is_share })
    }

    /// The zone in pixels of a frame of this size.
    pub fn within(&self, size: (u32, u32)) -> Zone {
        let corners = self.corners.iter().map(|corner| placed(*corner, self.is_share, size)).collect();
        Zone { name: self.name.clone(), corners, is_share: false }
    }

    /// Whether a point is inside, by the even-odd rule.
    pub(super) fn contains(&self, point: Point) -> bool {
        let ends = self.corners.iter().cycle().skip(1);
        let mut inside = false;
        for (a, b) in self.corners.iter().zip(ends) {
            // Of an edge, one end belongs to it, so that a ray through a corner meets one edge there or two.
            if (a.y > point.y) != (b.y > point.y) {
                let across = (b.x - a.x) * ((point.y - a.y) / (b.y - a.y));
                inside ^= point.x - a.x < across;
            }
        }
        inside
    }
}

fn placed(point: Point, is_share: bool, (width, height): (u32, u32)) -> Point {
    match is_share {
        true => Point { x: point.x * f64::from(width), y: point.y * f64::from(height) },
        false => point,
    }
}

/// The name, the points, and whether these are shares.
fn parse(text: &str) -> Result<(String, Vec<Point>, bool), ShapeError> {
    let (name, numbers) = text.split_once('=').ok_or(ShapeError::Name)?;
    let name = name.trim();
    if !(1..=NAME_CHARACTERS_MAX).contains(&name.chars().count()) {
        return Err(ShapeError::Name);
    }
    let numbers: Vec<f64> = numbers
        .split(',')
        .map(|text| {
            let number = text.trim().parse().ok().filter(|number: &f64| number.abs() <= COORDINATE_MAX);
            number.ok_or_else(|| ShapeError::Number(text.trim().to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ShapeError::Count {
            expected: "two numbers for each point".to_owned(),
            found: numbers.len(),
        });
    }
    let is_share = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    Ok((name.to_owned(), pairs.iter().map(|&[x, y]| Point { x, y }).collect(), is_share))
}
