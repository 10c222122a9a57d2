//! The second pass: tracks that continue each other are joined.
//!
//! While frames are walked through, a hidden object is only predicted forwards. Now that the whole clip is at hand, the
//! track after the gap is predicted backwards as well, and both must meet in the middle.

use crate::assignment::{Pair, assign};
use crate::clip::Clip;
use crate::motion::{Degenerate, Motion, State};
use crate::settings::Settings;
use crate::walk::{Hits, Walked, elected, vote};

/// One end of a track: how the object moves there, away from the track.
struct End {
    track: usize,
    frame: usize,
    state: State,
    /// Size of the object, in pixels.
    side: f64,
    class: usize,
}

/// Joins tracks of the same class that are too far apart in time for the first pass. Tracks with fewer detections than are
/// reported are left alone: their motion is not known well enough.
///
/// # Errors
/// [`Degenerate`].
pub fn link(clip: &Clip<'_>, settings: &Settings, walked: &mut Walked) -> Result<(), Degenerate> {
    let motion = Motion::new(settings, clip.frame_seconds());
    let reach = clip.frames_in(settings.link_seconds);
    if reach == 0 {
        return Ok(());
    }
    let (mut ends, mut starts) = (Vec::new(), Vec::new());
    for (track, hits) in walked.tracks.iter().enumerate().filter(|(_, hits)| hits.len() >= settings.hits) {
        ends.push(end(clip, &motion, walked, track, hits.iter().copied())?);
        starts.push(end(clip, &motion, walked, track, hits.iter().rev().copied())?);
    }
    // The tracks stand in the order of their beginnings.
    let mut pairs = Vec::new();
    for end in &ends {
        let after = starts.partition_point(|start| start.frame <= end.frame);
        for start in starts[after..].iter().take_while(|start| start.frame - end.frame <= reach) {
            if start.class == end.class {
                let affinity = settings.link_deviations - distance(&motion, end, start);
                pairs.push(Pair { left: end.track, right: start.track, affinity });
            }
        }
    }
    join(&mut walked.tracks, &assign(&pairs));
    Ok(())
}

/// The state at the last of `hits`, of which the frames ascend or descend.
fn end(
    clip: &Clip<'_>,
    motion: &Motion,
    walked: &Walked,
    track: usize,
    hits: impl Iterator<Item = usize>,
) -> Result<End, Degenerate> {
    let mut votes = Vec::new();
    let mut at: Option<(usize, State)> = None;
    for hit in hits {
        let detection = &clip.detections()[hit];
        vote(&mut votes, detection.class);
        let place = walked.place(detection);
        let state = match at {
            None => motion.begin(&place),
            Some((frame, mut state)) => {
                for _ in 0..frame.abs_diff(detection.frame) {
                    state = motion.predict(&state);
                }
                motion.update(&state, &place)?
            }
        };
        at = Some((detection.frame, state));
    }
    let (frame, state) = at.expect("a track has a detection");
    Ok(End { track, frame, side: state.rectangle().side(), state, class: elected(&votes) })
}

/// How far the end of a track and the start of a later one are from meeting in the middle between them, in standard
/// deviations: the root of the sum of squares over centre and size.
fn distance(motion: &Motion, end: &End, start: &End) -> f64 {
    let gap = start.frame - end.frame;
    let later = |state: &State, frames: usize| {
        let mut state = state.clone();
        state.hold_size();
        (0..frames).fold(state, |state, _| motion.predict(&state))
    };
    let (one, other) = (later(&end.state, gap / 2), later(&start.state, gap - gap / 2));
    let deviation = (end.side * start.side * (one.variance() + other.variance())).sqrt();
    let (one, other) = (one.rectangle(), other.rectangle());
    let apart = |axis: usize| {
        (one.centre[axis] - other.centre[axis]).hypot(one.size[axis] - other.size[axis]) / deviation
    };
    apart(0).hypot(apart(1))
}

/// Puts the detections of each `(end, start)` into one track.
fn join(tracks: &mut Vec<Hits>, links: &[(usize, usize)]) {
    let mut next = vec![None; tracks.len()];
    let mut is_joined = vec![false; tracks.len()];
    for &(end, start) in links {
        next[end] = Some(start);
        is_joined[start] = true;
    }
    let mut joined = Vec::new();
    for first in (0..tracks.len()).filter(|&track| !is_joined[track]) {
        let mut hits = std::mem::take(&mut tracks[first]);
        let mut last = first;
        while let Some(following) = next[last] {
            hits.append(&mut tracks[following]);
            last = following;
        }
        joined.push(hits);
    }
    *tracks = joined;
}
