//! Tracks and truths of clips, as columns.

use std::path::Path;

use foretell_insight::boxes::BoundingBox;
use foretell_insight::tracking::Tracks;

use super::bounds;
use crate::found::Tracked;
use crate::mot::Row;

/// The least confidence of a row of truth that counts; benchmarks mark with 0 what is to be passed over.
const CONFIDENCE_MIN: f64 = 1.0;

/// Boxes with ids, in columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Boxes {
    frames: Vec<i64>,
    ids: Vec<i64>,
    boxes: Vec<BoundingBox>,
}

impl Boxes {
    /// The columns.
    pub fn tracks(&self) -> Tracks<'_> {
        Tracks { frames: &self.frames, ids: &self.ids, boxes: &self.boxes, labels: None }
    }

    /// How many boxes there are.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// Adds a box of something followed.
    pub fn add(&mut self, tracked: &Tracked) {
        self.frames.push(i64::from(tracked.frame) + 1);
        self.ids.push(tracked.track);
        self.boxes.push(bounds(&tracked.found));
    }
}

impl FromIterator<Row> for Boxes {
    fn from_iter<T: IntoIterator<Item = Row>>(rows: T) -> Boxes {
        let mut boxes = Boxes::default();
        for Row { frame, id, x, y, width, height, .. } in rows {
            boxes.frames.push(frame);
            boxes.ids.push(id);
            boxes.boxes.push(BoundingBox { x, y, width, height });
        }
        boxes
    }
}

/// Rows of a truth that count.
pub fn truths(rows: Vec<Row>) -> Boxes {
    rows.into_iter().filter(|row| row.score.is_none_or(|score| score >= CONFIDENCE_MIN)).collect()
}

/// The name of a sequence by that of its file of truth: benchmarks call all of them `gt.txt`, or `gt/gt.txt`, in a folder of the
/// sequence's name.
///
/// ```
/// use foretell_vehicle::evaluation::sequence_name;
/// for path in ["TUD-Campus/gt.txt", "mot/TUD-Campus/gt/gt.txt", "truth/TUD-Campus.txt"] {
///     assert_eq!(sequence_name(path.as_ref()), "TUD-Campus");
/// }
/// assert_eq!(sequence_name("gt.txt".as_ref()), "gt");
/// ```
pub fn sequence_name(path: &Path) -> String {
    const USUAL: &str = "gt";
    let own = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if own != USUAL {
        return own;
    }
    let mut folders =
        path.ancestors().skip(1).filter_map(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    folders.find(|name| name != USUAL).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_to_be_passed_over_are_no_truth() {
        let text = "1,1,0,0,5,5,1,-1,-1,-1\n1,2,0,0,5,5,0,-1,-1,-1\n2,1,0,0,5,5\n";
        let (rows, bad) = crate::mot::rows(Path::new("gt.txt"), text);
        assert_eq!(bad, []);
        let boxes = truths(rows.clone());
        assert_eq!((boxes.tracks().frames, boxes.tracks().ids), (&[1, 2][..], &[1, 1][..]));
        assert_eq!(rows.into_iter().collect::<Boxes>().len(), 3);
    }
}
