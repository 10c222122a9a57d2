//! The detections of a clip through a tracker.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use foretell_runtime::plugin::Plugin;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, Outcome, SourceInfo, SourceKind};
use foretell_terminal::Failure;
use foretell_terminal::job::Models;
use serde::Serialize;

use crate::DOMAIN;
use crate::footage::{Footage, KEYS, external_id};
use crate::found::{Found, Tracked, list};
use crate::watch::{append_failure, score_failure};

/// Detections that are followed together: some 10 MB of JSON. A longer clip is followed in parts, and nothing is followed from
/// one part to the next.
pub const PART_DETECTIONS_MAX: usize = 200_000;

/// What stands between the clip and the first frame in the name of a record of detections.
const PART: &str = "/detections/";

/// The setting from which score on a detector reports an object.
const SCORE: &str = "score";
/// Which scores a tracker takes for that. From 0 on, everything is reported, and nothing is known of what is sure.
pub const DETECTOR_SCORES: RangeInclusive<f64> = 0.001..=0.999;

/// From which score on a detector reports an object, where its settings say so.
pub fn detector_score(detector: &Plugin) -> Option<f64> {
    score_of(detector.config())
}

/// The same of settings as JSON.
fn score_of(settings: &str) -> Option<f64> {
    let settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    settings.get(SCORE)?.as_f64().filter(|score| DETECTOR_SCORES.contains(score))
}

/// The first frame of a record of detections, by its name.
///
/// ```
/// use foretell_vehicle::follow::first_frame;
/// assert_eq!(first_frame("road/detections/120/0a1b2c3d"), Some(120));
/// assert_eq!(first_frame("road/120/0a1b2c3d"), None);
/// ```
pub fn first_frame(external_id: &str) -> Option<u64> {
    let (_, part) = external_id.rsplit_once(PART)?;
    part.split('/').next()?.parse().ok()
}

/// What a tracker is given: the detections of a clip, frame after frame, in columns.
#[derive(Debug, Default, Serialize)]
struct Payload<'a> {
    clip: &'a str,
    frames: usize,
    frame_rate: f64,
    image_width: u32,
    image_height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    detector_score: Option<f64>,
    frame: Vec<usize>,
    x: Vec<f32>,
    y: Vec<f32>,
    width: Vec<f32>,
    height: Vec<f32>,
    score: Vec<f32>,
    label: Vec<&'a str>,
}

/// What a detector found in the frames of a clip.
#[derive(Clone, Copy, Debug)]
pub struct Detected<'a> {
    /// Boxes of each frame.
    pub frames: &'a [Vec<Found>],
    /// From which score on the detector reports an object, where that is known: trackers take scores by what they are beside it.
    pub detector_score: Option<f64>,
}

/// Tracks of a clip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Followed {
    /// Boxes of each frame.
    pub frames: Vec<Vec<Tracked>>,
    /// In how many parts the clip was followed.
    pub parts: usize,
}

impl Followed {
    /// Tracks of each label. One track has one label.
    pub fn labels(&self) -> BTreeMap<&str, usize> {
        let (mut seen, mut labels) = (HashSet::new(), BTreeMap::new());
        for tracked in self.frames.iter().flatten() {
            if seen.insert(tracked.track) {
                *labels.entry(tracked.found.label.as_str()).or_default() += 1;
            }
        }
        labels
    }
}

/// Stores the detections of each frame as a record of the clip, and has the tracker follow them.
///
/// # Errors
/// The database can't be written, or the tracker refuses the clip.
pub async fn follow(
    store: &Store,
    tracker: &Models,
    footage: &Footage,
    detected: Detected<'_>,
) -> Result<Followed, Failure> {
    let Detected { frames: found, detector_score } = detected;
    let name = footage.path.display().to_string();
    let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
    let keys = KEYS.map(str::to_owned).to_vec();
    let mut appender = Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)?;
    let mut followed = Followed { frames: Vec::with_capacity(found.len()), parts: 0 };
    let mut last_track = 0;
    for part in parts(found) {
        let first = followed.frames.len();
        let record = record(footage, first, Detected { frames: part, detector_score });
        let outcomes = appender.append(vec![record]).await.map_err(append_failure)?;
        let ids: Vec<i64> = outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Stored(id) | Outcome::AlreadyStored(id) | Outcome::Conflict(id) => id,
            })
            .collect();
        let (_, answers) =
            foretell_jobs::answer(store, &tracker.plugin, &tracker.program, tracker.role, &ids)
                .await
                .map_err(|error| score_failure(&error))?;
        followed.frames.extend(part.iter().map(|_| Vec::new()));
        let before = last_track;
        for (_, answer) in &answers {
            let refused = |reason| Failure::words(format!("the clip was not tracked: {reason}"));
            for mut tracked in list::<Tracked>(answer).map_err(refused)? {
                tracked.track += before;
                last_track = last_track.max(tracked.track);
                let frame = first + tracked.frame as usize;
                tracked.frame = u32::try_from(frame).unwrap_or(u32::MAX);
                if let Some(boxes) = followed.frames.get_mut(frame) {
                    boxes.push(tracked);
                }
            }
        }
        followed.parts += 1;
    }
    appender.finish().await.map_err(append_failure)?;
    Ok(followed)
}

/// The frames in parts of at most [`PART_DETECTIONS_MAX`], or of one frame. A clip without frames has one part, too.
pub(crate) fn parts<T>(found: &[Vec<T>]) -> Vec<&[Vec<T>]> {
    let (mut parts, mut first, mut detections) = (Vec::new(), 0, 0);
    for (frame, boxes) in found.iter().enumerate() {
        if frame > first && detections + boxes.len() > PART_DETECTIONS_MAX {
            parts.push(&found[first..frame]);
            (first, detections) = (frame, 0);
        }
        detections += boxes.len();
    }
    parts.push(&found[first..]);
    parts
}

/// What is stored of the detections of a part, whose first frame is the clip's `first`.
fn record(footage: &Footage, first: usize, part: Detected<'_>) -> NewRecord {
    let mut payload = Payload {
        clip: &footage.clip,
        frames: part.frames.len(),
        detector_score: part.detector_score,
        frame_rate: footage.frame_rate.value(),
        image_width: footage.size.0,
        image_height: footage.size.1,
        ..Payload::default()
    };
    for (frame, boxes) in part.frames.iter().enumerate() {
        for found in boxes {
            payload.frame.push(frame);
            payload.x.push(found.x);
            payload.y.push(found.y);
            payload.width.push(found.width);
            payload.height.push(found.height);
            payload.score.push(found.score);
            payload.label.push(&found.label);
        }
    }
    let payload = serde_json::to_string(&payload).expect("a payload is texts and finite numbers");
    let event_time = footage.time_of(footage.frame_rate.seconds(first as u64));
    NewRecord {
        external_id: Some(external_id(&format!("{}{PART}{first}", footage.clip), &payload, event_time)),
        event_time,
        payload,
        keys: vec![Some(footage.clip.clone())],
        labels: Vec::new(),
        media: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_of_a_detector_is_in_its_settings() {
        for (settings, expected) in [
            (r#"{"layout": "yolox", "score": 0.25}"#, Some(0.25)),
            (r#"{"score": 0}"#, None),
            (r#"{"score": "high"}"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(score_of(settings), expected, "{settings}");
        }
    }

    #[test]
    fn a_long_clip_is_followed_in_parts() {
        let boxes = |count| {
            let label = "car".to_owned();
            vec![Found { x: 0.0, y: 0.0, width: 1.0, height: 1.0, label, score: 0.5 }; count]
        };
        let sizes = |counts: &[usize]| {
            let found: Vec<_> = counts.iter().map(|count| boxes(*count)).collect();
            parts(&found).iter().map(|part| part.len()).collect::<Vec<_>>()
        };
        let half = PART_DETECTIONS_MAX / 2;
        assert_eq!(sizes(&[]), [0]);
        assert_eq!(sizes(&[0, 0]), [2]);
        assert_eq!(sizes(&[half, half, 1]), [2, 1]);
        assert_eq!(sizes(&[PART_DETECTIONS_MAX + 1, 1, 1]), [1, 2]);
    }
}
