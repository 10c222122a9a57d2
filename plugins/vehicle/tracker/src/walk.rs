//! The first pass: frame after frame, each detection goes to a track or begins one.
//!
//! In each frame there are three rounds, each an optimal assignment among what the rounds before left over:
//!
//! 1. sure detections and all tracks, by the overlap with the predicted box and by direction;
//! 2. unsure detections and the tracks that were seen in the frame before (ByteTrack: Zhang et al., ECCV 2022, section 3);
//! 3. sure detections and the tracks' last seen boxes, for an object that stopped while it was hidden.
//!
//! Direction and the re-update after a gap follow OC-SORT (Cao et al., CVPR 2023, section 4): a hidden object is predicted
//! along a straight line; once it is seen again, what it did in between is known better, and its filter is run again from
//! where it was last seen, along the line to where it is now.
//!
//! Boxes are placed where they would be had the camera not moved otherwise than before (see [`mod@crate::camera`]), so nothing
//! but the first look at a frame has to know that it did.

use crate::assignment::{Pair, assign};
use crate::camera::common_shift;
use crate::clip::{Clip, Detection};
use crate::motion::{Degenerate, Motion, State};
use crate::rectangle::Rectangle;
use crate::settings::Settings;

/// Most tracks that wait for their objects at a time; beyond, those that have waited longest are given up.
pub const WAITING_TRACKS_MAX: usize = 4096;

/// What pairs of a round have in common, added to each affinity: as many pairs as possible are wanted before good ones.
const PAIR_WORTH: f64 = 1.0;

/// A track: its detections, as positions in the clip, frames ascending, one a frame.
pub type Hits = Vec<usize>;

/// Tracks of a clip.
#[derive(Clone, Debug)]
pub struct Walked {
    /// Tracks, in the order of their first detections.
    pub tracks: Vec<Hits>,
    /// For each frame, how far the camera has moved otherwise than expected since the first one, in pixels.
    pub camera: Vec<[f64; 2]>,
}

impl Walked {
    /// Where a detection would be had the camera not moved.
    pub fn place(&self, detection: &Detection) -> Rectangle {
        detection.rectangle.moved(self.camera[detection.frame].map(|shift| -shift))
    }
}

/// Follows the objects of a clip from its first frame to its last.
///
/// # Errors
/// [`Degenerate`].
pub fn walk(clip: &Clip<'_>, settings: &Settings) -> Result<Walked, Degenerate> {
    let mut walk = Walk {
        settings,
        motion: Motion::new(settings, clip.frame_seconds()),
        waiting: Vec::new(),
        walked: Walked { tracks: Vec::new(), camera: Vec::with_capacity(clip.frames()) },
        direction_frames: clip.frames_in(settings.direction_seconds).max(1),
        lost_frames: clip.frames_in(settings.lost_seconds),
    };
    let mut first = 0;
    for frame in 0..clip.frames() {
        let rest = &clip.detections()[first..];
        let count = rest.partition_point(|detection| detection.frame <= frame);
        walk.frame(frame, first, &rest[..count])?;
        first += count;
    }
    Ok(walk.walked)
}

/// Which detections and tracks a round brings together.
#[derive(Clone, Copy, PartialEq)]
enum Round {
    Sure,
    Unsure,
    LastSeen,
}

/// A detection of the frame at hand, placed.
struct Seen {
    index: usize,
    place: Rectangle,
    class: usize,
    is_sure: bool,
    /// Whether it is sure enough to begin a track.
    is_birth: bool,
}

/// A track that waits for its object.
struct Waiting {
    /// Position among the tracks.
    track: usize,
    /// Predicted for the frame at hand.
    state: State,
    /// As it was when the object was last seen.
    anchor: State,
    /// Frame in which that was.
    frame: usize,
    /// Frames and places in which it was seen of late, the last one last.
    past: Vec<(usize, Rectangle)>,
    /// How often which class was seen, in the order of first sight.
    votes: Vec<(usize, usize)>,
}

/// The class with the most votes; of equal ones, the one that was seen first.
pub(crate) fn elected(votes: &[(usize, usize)]) -> usize {
    let first = votes[0];
    votes.iter().fold(first, |best, &vote| if vote.1 > best.1 { vote } else { best }).0
}

/// Counts a vote.
pub(crate) fn vote(votes: &mut Vec<(usize, usize)>, class: usize) {
    match votes.iter_mut().find(|(voted, _)| *voted == class) {
        Some((_, count)) => *count += 1,
        None => votes.push((class, 1)),
    }
}

impl Waiting {
    fn last(&self) -> &Rectangle {
        &self.past[self.past.len() - 1].1
    }

    /// Where it was at least `frames` before it was last seen, or as far back as is known.
    fn before(&self, frames: usize) -> &Rectangle {
        let earlier = self.past.iter().rev().find(|(frame, _)| frame + frames <= self.frame);
        &earlier.unwrap_or(&self.past[0]).1
    }
}

struct Walk<'a> {
    settings: &'a Settings,
    motion: Motion,
    waiting: Vec<Waiting>,
    walked: Walked,
    direction_frames: usize,
    lost_frames: usize,
}

impl Walk<'_> {
    /// Looks at a frame, with its detections, which stand in the clip from `first` on.
    fn frame(&mut self, frame: usize, first: usize, detections: &[Detection]) -> Result<(), Degenerate> {
        for waiting in &mut self.waiting {
            if waiting.frame + 1 < frame {
                waiting.state.hold_size();
            }
            waiting.state = self.motion.predict(&waiting.state);
        }
        let seen = self.look(frame, first, detections);
        let mut free_tracks: Vec<usize> = (0..self.waiting.len()).collect();
        let mut free_seen: Vec<usize> = (0..seen.len()).collect();
        let mut taken = Vec::new();
        for round in [Round::Sure, Round::Unsure, Round::LastSeen] {
            let pairs = self.pairs(round, frame, &seen, &free_tracks, &free_seen);
            let found = assign(&pairs);
            let (mut has_hit, mut is_taken) = (vec![false; self.waiting.len()], vec![false; seen.len()]);
            for &(track, place) in &found {
                (has_hit[track], is_taken[place]) = (true, true);
            }
            free_tracks.retain(|&track| !has_hit[track]);
            free_seen.retain(|&place| !is_taken[place]);
            taken.extend(found);
        }
        for &(track, place) in &taken {
            self.hit(track, frame, &seen[place])?;
        }
        for place in free_seen {
            let again = |&(_, other): &(usize, usize)| {
                seen[place].place.overlap(&seen[other].place) >= self.settings.same_overlap
            };
            if seen[place].is_birth && !taken.iter().any(again) {
                self.begin(frame, &seen[place]);
            }
        }
        self.give_up(frame);
        Ok(())
    }

    /// Finds out how the camera moved, and places the detections.
    fn look(&mut self, frame: usize, first: usize, detections: &[Detection]) -> Vec<Seen> {
        let before = self.walked.camera.last().copied().unwrap_or_default();
        let place =
            |detection: &Detection, camera: [f64; 2]| detection.rectangle.moved(camera.map(|shift| -shift));
        let predicted: Vec<_> = self.waiting.iter().filter(|waiting| waiting.frame + 1 == frame).collect();
        let predicted: Vec<_> = predicted.iter().map(|waiting| waiting.state.rectangle()).collect();
        let sure = detections.iter().filter(|detection| detection.certainty >= self.settings.high_score);
        let sure: Vec<_> = sure.map(|detection| place(detection, before)).collect();
        let shift = common_shift(&predicted, &sure, self.settings.camera_objects);
        let camera = [before[0] + shift[0], before[1] + shift[1]];
        self.walked.camera.push(camera);
        // A box without an area overlaps with nothing.
        let counts = |detection: &Detection| {
            detection.certainty >= self.settings.low_score && detection.rectangle.area() > 0.0
        };
        let numbered = detections.iter().enumerate().filter(|(_, detection)| counts(detection));
        let seen = numbered.map(|(number, detection)| Seen {
            index: first + number,
            place: place(detection, camera),
            class: detection.class,
            is_sure: detection.certainty >= self.settings.high_score,
            is_birth: detection.certainty >= self.settings.birth_score,
        });
        seen.collect()
    }

    /// Which of the free tracks and detections may go together in a round.
    fn pairs(
        &self,
        round: Round,
        frame: usize,
        seen: &[Seen],
        free_tracks: &[usize],
        free_seen: &[usize],
    ) -> Vec<Pair> {
        let needed = if round == Round::Unsure { self.settings.low_overlap } else { self.settings.overlap };
        let mut pairs = Vec::new();
        for &left in free_tracks {
            let waiting = &self.waiting[left];
            if round == Round::Unsure && waiting.frame + 1 != frame {
                continue;
            }
            let expected = if round == Round::LastSeen { *waiting.last() } else { waiting.state.rectangle() };
            let class = elected(&waiting.votes);
            for &right in free_seen.iter().filter(|&&right| seen[right].is_sure != (round == Round::Unsure)) {
                let other_class = if seen[right].class == class { 0.0 } else { self.settings.other_class };
                let overlap = expected.overlap(&seen[right].place) - other_class;
                if overlap < needed {
                    continue;
                }
                let direction = if round == Round::Sure {
                    self.settings.direction * self.direction(waiting, &seen[right].place)
                } else {
                    0.0
                };
                pairs.push(Pair { left, right, affinity: PAIR_WORTH + overlap + direction });
            }
        }
        pairs
    }

    /// How well the step to `place` goes on in the direction of the track: 0.5 straight on, -0.5 straight back, and less of
    /// either where the object has hardly moved, so that its direction is noise.
    fn direction(&self, waiting: &Waiting, place: &Rectangle) -> f64 {
        let step = |from: &Rectangle, to: &Rectangle| [0, 1].map(|axis| to.centre[axis] - from.centre[axis]);
        let before = step(waiting.before(self.direction_frames), waiting.last());
        let now = step(waiting.last(), place);
        let length = before[0].hypot(before[1]);
        let lengths = length * now[0].hypot(now[1]);
        if lengths == 0.0 {
            return 0.0;
        }
        let angle = ((before[0] * now[0] + before[1] * now[1]) / lengths).clamp(-1.0, 1.0).acos();
        let noise = self.settings.position_noise * place.side();
        (0.5 - angle / std::f64::consts::PI) * length / (length + noise)
    }

    fn hit(&mut self, track: usize, frame: usize, seen: &Seen) -> Result<(), Degenerate> {
        let waiting = &mut self.waiting[track];
        let gap = frame - waiting.frame;
        if gap == 1 {
            waiting.state = self.motion.update(&waiting.state, &seen.place)?;
        } else {
            let last = *waiting.last();
            waiting.state = waiting.anchor.clone();
            for step in 1..=gap {
                let between = last.towards(&seen.place, step as f64 / gap as f64);
                waiting.state = self.motion.update(&self.motion.predict(&waiting.state), &between)?;
            }
        }
        waiting.anchor = waiting.state.clone();
        waiting.frame = frame;
        let oldest = frame.saturating_sub(2 * self.direction_frames);
        waiting.past.retain(|(then, _)| *then >= oldest);
        waiting.past.push((frame, seen.place));
        vote(&mut waiting.votes, seen.class);
        self.walked.tracks[waiting.track].push(seen.index);
        Ok(())
    }

    fn begin(&mut self, frame: usize, seen: &Seen) {
        let state = self.motion.begin(&seen.place);
        self.waiting.push(Waiting {
            track: self.walked.tracks.len(),
            anchor: state.clone(),
            state,
            frame,
            past: vec![(frame, seen.place)],
            votes: vec![(seen.class, 1)],
        });
        self.walked.tracks.push(vec![seen.index]);
    }

    fn give_up(&mut self, frame: usize) {
        self.waiting.retain(|waiting| frame - waiting.frame <= self.lost_frames);
        let too_many = self.waiting.len().saturating_sub(WAITING_TRACKS_MAX);
        if too_many > 0 {
            self.waiting.sort_by_key(|waiting| (waiting.frame, waiting.track));
            self.waiting.drain(..too_many);
            self.waiting.sort_by_key(|waiting| waiting.track);
        }
    }
}
