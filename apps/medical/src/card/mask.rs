//! Which class each pixel belongs to, as a segmentation is stored.

use serde::Deserialize;

/// The most pixels of a mask.
const MASK_PIXELS_MAX: usize = 1 << 24;

/// Which class each pixel belongs to, over the whole image, in the resolution of the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Row by row, the place of each pixel's class in `labels`.
    pub classes: Vec<u8>,
    /// The classes; the first one is the background.
    pub labels: Vec<String>,
}

/// A stored segmentation that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// It is no JSON of the form that is stored.
    #[error("the stored segmentation cannot be read: {0}")]
    Json(String),
    /// It has no pixels, or too many.
    #[error("the stored segmentation has {width} x {height} pixels; expected 1 to {MASK_PIXELS_MAX}")]
    Pixels {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The lengths of its runs do not sum up to its pixels.
    #[error("the stored segmentation has runs for {found} pixels; expected {expected}")]
    Runs {
        /// Width times height.
        expected: usize,
        /// The sum of the runs.
        found: usize,
    },
    /// A class without a label.
    #[error("the stored segmentation has class {found}; the plugin has {labels} labels")]
    Class {
        /// The class.
        found: u8,
        /// How many labels there are.
        labels: usize,
    },
}

/// As it is stored: see `foretell_jobs::Predicted`.
#[derive(Deserialize)]
struct Stored {
    height: usize,
    width: usize,
    classes: Vec<(u8, usize)>,
}

impl Mask {
    /// Reads a stored segmentation, `{"height":2,"width":3,"classes":[[0,4],[1,2]]}`: row by row, how many pixels after each
    /// other have which class.
    ///
    /// # Errors
    /// [`MaskError`]: what is stored is no segmentation, or not one of these labels.
    pub fn read(output: &str, labels: &[String]) -> Result<Mask, MaskError> {
        let Stored { height, width, classes: runs } =
            serde_json::from_str(output).map_err(|error| MaskError::Json(error.to_string()))?;
        let expected = match height.checked_mul(width) {
            Some(pixels @ 1..=MASK_PIXELS_MAX) => pixels,
            _ => return Err(MaskError::Pixels { width, height }),
        };
        let found = runs.iter().fold(0_usize, |sum, run| sum.saturating_add(run.1));
        if found != expected {
            return Err(MaskError::Runs { expected, found });
        }
        if let Some(&(found, _)) = runs.iter().find(|run| usize::from(run.0) >= labels.len()) {
            return Err(MaskError::Class { found, labels: labels.len() });
        }
        let classes = runs.iter().flat_map(|&(class, count)| std::iter::repeat_n(class, count)).collect();
        Ok(Mask { height, width, classes, labels: labels.to_vec() })
    }

    /// The mask in another size: each pixel has the class of the one whose place its middle is in. No class appears that was
    /// not there.
    #[must_use]
    pub fn resized(&self, height: usize, width: usize) -> Mask {
        // The middle of pixel `new` of `length` is at `(new + 0.5) / length`; of the old ones, it lies in this one.
        let place = |new: usize, length: usize, old: usize| (2 * new + 1) * old / (2 * length);
        let columns: Vec<usize> = (0..width).map(|column| place(column, width, self.width)).collect();
        let rows = (0..height).map(|row| place(row, height, self.height) * self.width);
        let classes = rows.flat_map(|row| columns.iter().map(move |column| self.classes[row + column]));
        Mask { height, width, classes: classes.collect(), labels: self.labels.clone() }
    }

    /// The share of the image that belongs to a class, 0 to 1.
    pub fn share(&self, class: u8) -> f64 {
        let pixels = self.classes.iter().filter(|&&found| found == class).count();
        pixels as f64 / self.classes.len().max(1) as f64
    }

    /// The classes that are something: all but the background, with their labels.
    pub fn foreground(&self) -> impl Iterator<Item = (u8, &str)> {
        (1_u8..).zip(self.labels.iter().skip(1).map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        vec!["background".to_owned(), "tumor".to_owned()]
    }

    #[test]
    fn a_stored_segmentation_is_read() {
        let mask = Mask::read(r#"{"height":2,"width":3,"classes":[[0,4],[1,2]]}"#, &labels()).unwrap();
        assert_eq!((mask.height, mask.width, &mask.classes[..]), (2, 3, &[0, 0, 0, 0, 1, 1][..]));
        assert_eq!(mask.foreground().collect::<Vec<_>>(), [(1, "tumor")]);
        assert_eq!((mask.share(1), mask.share(2)), (2.0 / 6.0, 0.0));
    }

    #[test]
    fn what_is_no_segmentation_is_refused_with_the_reason() {
        for (stored, expected) in [
            ("{}", "cannot be read"),
            (r#"{"height":0,"width":3,"classes":[]}"#, "3 x 0 pixels"),
            (r#"{"height":4294967296,"width":4294967296,"classes":[]}"#, "expected 1 to 16777216"),
            (r#"{"height":2,"width":3,"classes":[[0,5]]}"#, "runs for 5 pixels; expected 6"),
            (r#"{"height":1,"width":1,"classes":[[0,18446744073709551615],[1,2]]}"#, "expected 1"),
            (r#"{"height":1,"width":1,"classes":[[2,1]]}"#, "class 2; the plugin has 2 labels"),
        ] {
            let error = Mask::read(stored, &labels()).unwrap_err().to_string();
            assert!(error.contains(expected), "{stored}: {error}");
        }
    }

    #[test]
    fn a_resized_mask_takes_the_nearest_pixel() {
        let mask = Mask { height: 2, width: 2, classes: vec![0, 1, 1, 0], labels: labels() };
        assert_eq!(mask.resized(2, 2), mask);
        let wide = mask.resized(1, 4);
        // The middle of one row lies between two: the lower one has it.
        assert_eq!(wide.classes, [1, 1, 0, 0]);
        let large = mask.resized(4, 4);
        assert_eq!(large.classes, [0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0]);
        assert_eq!(large.resized(2, 2), mask);
    }
}
