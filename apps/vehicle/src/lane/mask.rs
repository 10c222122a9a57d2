//! The stored answer of a lane plugin.

use serde::Deserialize;

/// The most pixels of a mask.
pub const MASK_PIXELS_MAX: usize = 1 << 24;

/// Class of the left line.
pub const LEFT: u8 = 1;

/// Class of the right line.
pub const RIGHT: u8 = 2;

/// Class of the surface between them.
pub const SURFACE: u8 = 3;

/// For each pixel of the image that the plugin saw: background, left line, right line or surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width` classes, row by row.
    pub classes: Vec<u8>,
}

/// Why a stored answer is no mask of a lane.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// Not the JSON of a mask.
    #[error("the stored mask can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Too large.
    #[error("a mask of {width} x {height} pixels; at most {MASK_PIXELS_MAX} are read")]
    Pixels {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// More or fewer pixels in its runs than it has.
    #[error("the runs of the mask have {found} pixels; expected {expected}")]
    Runs {
        /// As many as the mask has.
        expected: usize,
        /// As many as the runs have, or more.
        found: usize,
    },
    /// A class that lanes do not have.
    #[error(
        "class {found} in the mask; expected 0 to {SURFACE}: background, left line, right line, lane. Is it the answer of a lane plugin?"
    )]
    Class {
        /// The class.
        found: u64,
    },
}

/// As it is stored.
#[derive(Deserialize)]
struct Stored {
    height: usize,
    width: usize,
    /// Class and how many pixels in a row have it.
    classes: Vec<(u64, usize)>,
}

impl Mask {
    /// The mask of a stored answer: `{"height": 2, "width": 3, "classes": [[0, 4], [1, 2]]}`.
    ///
    /// # Errors
    /// [`MaskError`].
    pub fn parse(json: &str) -> Result<Mask, MaskError> {
        let Stored { height, width, classes: runs } = serde_json::from_str(json)?;
        let expected = width
            .checked_mul(height)
            .filter(|pixels| *pixels <= MASK_PIXELS_MAX)
            .ok_or(MaskError::Pixels { width, height })?;
        let mut classes = Vec::with_capacity(expected);
        for (class, length) in runs {
            let found = classes.len().saturating_add(length);
            if found > expected {
                return Err(MaskError::Runs { expected, found });
            }
            let known = u8::try_from(class).ok().filter(|class| *class <= SURFACE);
            classes.resize(found, known.ok_or(MaskError::Class { found: class })?);
        }
        if classes.len() != expected {
            return Err(MaskError::Runs { expected, found: classes.len() });
        }
        Ok(Mask { width, height, classes })
    }

    /// The rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.classes.chunks_exact(self.width.max(1))
    }

    /// The middle of a line in each row that shows all of its width, as `[x, y]` in pixels of the mask.
    pub(super) fn middles(&self, class: u8) -> Vec<[f64; 2]> {
        let middle = |(y, row): (usize, &[u8])| {
            let first = row.iter().position(|found| *found == class)?;
            let last = row.iter().rposition(|found| *found == class)?;
            // Of a line that the edge of the image cuts, nobody knows how wide it is.
            let is_whole = first > 0 && last + 1 < row.len();
            is_whole.then_some([(first + last) as f64 / 2.0, y as f64])
        };
        self.rows().enumerate().filter_map(middle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_become_classes() {
        let mask =
            Mask::parse(r#"{"height":2,"width":5,"classes":[[0,1],[1,2],[3,1],[0,1],[2,3],[0,2]]}"#).unwrap();
        assert_eq!((mask.width, mask.height), (5, 2));
        assert_eq!(mask.classes, [0, 1, 1, 3, 0, 2, 2, 2, 0, 0]);
        assert_eq!(mask.middles(LEFT), [[1.5, 0.0]]);
        assert!(mask.middles(RIGHT).is_empty(), "the edge cuts it");
        let nothing = Mask::parse(r#"{"height":0,"width":0,"classes":[]}"#).unwrap();
        assert!(nothing.middles(LEFT).is_empty());
    }

    #[test]
    fn what_is_no_mask_is_an_error() {
        for (json, message) in [
            ("{}", "missing field `height`"),
            (r#"{"height":1,"width":2,"classes":[[0,1]]}"#, "1 pixels; expected 2"),
            (r#"{"height":1,"width":2,"classes":[[0,3]]}"#, "3 pixels; expected 2"),
            (r#"{"height":1,"width":2,"classes":[[0,18446744073709551615],[0,2]]}"#, "expected 2"),
            (r#"{"height":1,"width":1,"classes":[[4,1]]}"#, "class 4 in the mask"),
            (r#"{"height":1,"width":1,"classes":[[257,1]]}"#, "class 257 in the mask"),
            (r#"{"height":4000000000,"width":4000000000,"classes":[]}"#, "at most"),
        ] {
            let error = Mask::parse(json).unwrap_err().to_string();
            assert!(error.contains(message), "{json}: {error}");
        }
    }
}
