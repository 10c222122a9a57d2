//! The last pass: which tracks are reported, and with which boxes.

use crate::clip::{Clip, Detection};
use crate::motion::{Degenerate, Motion};
use crate::rectangle::Rectangle;
use crate::settings::Settings;
use crate::walk::{Walked, elected, vote};

/// An object in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracked {
    /// Frame, from 0.
    pub frame: usize,
    /// Number of the object, from 1.
    pub track: usize,
    /// Where, in pixels.
    pub rectangle: Rectangle,
    /// How sure the detector was; where nothing was detected, the lower one of the scores before and after.
    pub score: f64,
    /// What most of the track's detections were taken for, a position in [`Clip::classes`].
    pub class: usize,
}

/// The boxes of the tracks with enough detections: frames ascending, and in a frame by number. Numbers go by the first
/// detection.
///
/// # Errors
/// [`Degenerate`].
pub fn report(clip: &Clip<'_>, settings: &Settings, walked: &Walked) -> Result<Vec<Tracked>, Degenerate> {
    let motion = Motion::new(settings, clip.frame_seconds());
    let filled_max = clip.frames_in(settings.fill_seconds);
    let mut tracked = Vec::new();
    let enough = walked.tracks.iter().filter(|hits| hits.len() >= settings.hits);
    for (number, hits) in enough.enumerate() {
        let hits: Vec<&Detection> = hits.iter().map(|&hit| &clip.detections()[hit]).collect();
        let mut votes = Vec::new();
        for hit in &hits {
            vote(&mut votes, hit.class);
        }
        let (track, class) = (number + 1, elected(&votes));
        let path = path(&motion, settings, walked, &hits)?;
        let first = hits[0].frame;
        let mut add = |frame: usize, score| {
            let mut rectangle = path[frame - first].moved(walked.camera[frame]);
            if let Some(image) = clip.image() {
                let Some(cut) = rectangle.cut(image) else { return };
                rectangle = cut;
            }
            tracked.push(Tracked { frame, track, rectangle, score, class });
        };
        let mut before = hits[0];
        for hit in hits {
            let gap = before.frame + 1..hit.frame;
            if gap.len() <= filled_max {
                gap.for_each(|frame| add(frame, before.score.min(hit.score)));
            }
            add(hit.frame, hit.score);
            before = hit;
        }
    }
    tracked.sort_by_key(|tracked| (tracked.frame, tracked.track));
    Ok(tracked)
}

/// The box in each frame from the first detection to the last.
fn path(
    motion: &Motion,
    settings: &Settings,
    walked: &Walked,
    hits: &[&Detection],
) -> Result<Vec<Rectangle>, Degenerate> {
    let frames = hits[hits.len() - 1].frame + 1 - hits[0].frame;
    if settings.smooth {
        let mut seen = vec![None; frames];
        for hit in hits {
            seen[hit.frame - hits[0].frame] = Some(walked.place(hit));
        }
        return motion.smooth(&seen);
    }
    let mut path = Vec::with_capacity(frames);
    path.push(walked.place(hits[0]));
    for two in hits.windows(2) {
        let (from, to) = (walked.place(two[0]), walked.place(two[1]));
        let steps = two[1].frame - two[0].frame;
        path.extend((1..=steps).map(|step| from.towards(&to, step as f64 / steps as f64)));
    }
    Ok(path)
}
