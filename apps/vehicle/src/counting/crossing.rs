//! What crosses a line.

use std::collections::{BTreeMap, HashMap};

use super::shape::Line;
use super::{Directions, LineCounts, Point};

/// A side of a line, as somebody sees it who goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A line, and what crossed it so far.
#[derive(Clone, Debug)]
pub(super) struct Crossings {
    line: Line,
    tracks: HashMap<i64, Seen>,
    labels: BTreeMap<String, Directions>,
}

/// What was seen of a track.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The side on which it was clearly last.
    side: Option<Side>,
    /// Where it was when it was last beside the line, be it ever so little, and how far from it.
    last: Option<(Point, f64)>,
    /// Whether it was between the line's ends when it last passed over it.
    is_between: bool,
}

impl Crossings {
    /// `line` is in pixels.
    pub(super) fn new(line: &Line) -> Crossings {
        Crossings { line: line.clone(), tracks: HashMap::new(), labels: BTreeMap::new() }
    }

    /// Sees a track at a place, that is clearly beside the line when it is further away than `band` pixels.
    pub(super) fn add(&mut self, track: i64, label: &str, place: Point, band: f64) {
        let distance = self.distance(place);
        let seen = self.tracks.entry(track).or_default();
        if distance != 0.0 {
            if let Some((before, far)) = seen.last
                && (far < 0.0) != (distance < 0.0)
            {
                seen.is_between = is_between(&self.line, before, place);
            }
            seen.last = Some((place, distance));
        }
        let side = match distance {
            distance if distance > band => Side::Right,
            distance if distance < -band => Side::Left,
            _ => return,
        };
        let before = seen.side.replace(side);
        if before.is_none_or(|before| before == side) || !seen.is_between {
            return;
        }
        let directions = self.labels.entry(label.to_owned()).or_default();
        match side {
            Side::Right => directions.left_to_right += 1,
            Side::Left => directions.right_to_left += 1,
        }
    }

    /// How far a place is to the right of the line, in pixels. Rows are counted downwards, so right is where the cross product of
    /// the line and the way to the place is above 0.
    fn distance(&self, place: Point) -> f64 {
        let Line { from, to, .. } = &self.line;
        let (x, y) = (to.x - from.x, to.y - from.y);
        (x * (place.y - from.y) - y * (place.x - from.x)) / x.hypot(y)
    }

    pub(super) fn counts(&self) -> LineCounts {
        LineCounts { name: self.line.name.clone(), labels: self.labels.clone() }
    }
}

/// Whether the way from `a` to `b`, which are on either side, meets the line between its ends: then these are on either side of the way,
/// or on it.
fn is_between(line: &Line, a: Point, b: Point) -> bool {
    let beside = |end: Point| (b.x - a.x) * (end.y - a.y) - (b.y - a.y) * (end.x - a.x);
    beside(line.from) * beside(line.to) <= 0.0
}
