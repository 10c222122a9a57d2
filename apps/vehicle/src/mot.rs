//! Tracks as MOTChallenge text (Leal-Taixé et al., "MOTChallenge 2015", arXiv 1504.01942, section 3.3): a line for each box, with
//! frames from 1.

mod rows;

use std::fmt::Write;

use crate::found::Tracked;

pub use rows::{BadLine, Detections, FRAME_MAX, Row, TEXT_BYTES_MAX, detections, rows, text_of};

/// `frame,track,x,y,width,height,score,-1,-1,-1`, a line for each box.
pub fn text(frames: &[Vec<Tracked>]) -> String {
    let mut text = String::new();
    for tracked in frames.iter().flatten() {
        let Tracked { found, track, frame } = tracked;
        let (x, y, width, height, score) = (found.x, found.y, found.width, found.height, found.score);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{},{track},{x},{y},{width},{height},{score},-1,-1,-1", u64::from(*frame) + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::Found;

    #[test]
    fn a_box_is_a_line() {
        let found = Found { x: 1.5, y: 2.0, width: 3.0, height: 4.0, label: "car".to_owned(), score: 0.5 };
        let frames = [vec![], vec![Tracked { found, track: 7, frame: 1 }]];
        assert_eq!(text(&frames), "2,7,1.5,2,3,4,0.5,-1,-1,-1\n");
    }
}
