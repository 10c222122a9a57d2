//! Pictures side by side, each with a caption.

use super::canvas::{Canvas, stroke};
use super::colour::{BLACK, WHITE};
use super::{DrawError, font};
use crate::Picture;

/// The most pictures beside each other.
pub const PANELS_MAX: usize = 64;

/// The most lines of a caption; what does not fit is cut off, and three points say so.
const CAPTION_LINES_MAX: usize = 4;

/// A picture and what is written below it.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// The picture, as large as it is to be drawn.
    pub picture: &'a Picture,
    /// At most four lines are shown, broken at spaces; may be empty. Characters beyond ASCII are drawn as `?`.
    pub caption: &'a str,
}

/// Pictures side by side from the left, their upper edges in line, captions below: black on white, for a page.
///
/// # Errors
/// [`DrawError`]: no panel or too many, a picture that cannot be drawn, or a drawing that would be too large.
pub fn panels(panels: &[Panel<'_>]) -> Result<Picture, DrawError> {
    if !(1..=PANELS_MAX).contains(&panels.len()) {
        return Err(DrawError::Many { what: "panels", found: panels.len(), most: PANELS_MAX });
    }
    let drawn =
        panels.iter().map(|panel| Canvas::of(panel.picture)).collect::<Result<Vec<Canvas>, DrawError>>()?;
    let largest = |side: fn(&Canvas) -> usize| drawn.iter().map(side).fold(0, usize::max);
    let (height, widest) = (largest(Canvas::height), largest(Canvas::width));
    let scale = stroke(widest, height);
    let gap = 4 * scale;
    let captions: Vec<Vec<String>> = panels
        .iter()
        .zip(&drawn)
        .map(|(panel, canvas)| {
            let columns = font::letters_in(canvas.width(), scale);
            font::wrapped(panel.caption, columns, CAPTION_LINES_MAX)
        })
        .collect();
    let lines = captions.iter().map(Vec::len).max().unwrap_or(0);
    let width = drawn.iter().map(|canvas| canvas.width() + gap).sum::<usize>() + gap;
    let below = if lines == 0 { 0 } else { gap + lines * font::LINE * scale };
    let mut canvas = Canvas::new(width, gap + height + below + gap, WHITE)?;
    let mut left = gap;
    for (picture, caption) in drawn.iter().zip(captions) {
        canvas.lay(left, gap, picture);
        for (number, line) in caption.iter().enumerate() {
            let top = gap + height + gap + number * font::LINE * scale;
            font::write(&mut canvas, left, top, scale, BLACK, line);
        }
        left += picture.width() + gap;
    }
    Ok(canvas.into_picture())
}
