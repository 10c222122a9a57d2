//! A drive: tracks and lanes of a clip and the car's speed as one record, and the warnings that a plugin answers to it.

mod speed;

use foretell_jobs::Answer;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_terminal::Failure;
use foretell_terminal::job::Models;
use serde::{Deserialize, Serialize};

use crate::DOMAIN;
use crate::follow::parts;
use crate::footage::{Footage, KEYS, external_id};
use crate::found::{Tracked, list};
use crate::lane::Lane;
use crate::watch::{append_failure, score_failure};

pub use speed::{SPEED_MAX, Speed, SpeedError, SpeedErrorKind};

/// What stands between the clip and the first frame in the name of a record of a drive.
const PART: &str = "/drive/";
/// Widest lane that is passed on, and farthest from its middle: what is beyond is no lane but a fit that went astray.
const LANE_METRES_MAX: f64 = 50.0;
/// Tightest bend that is, per metre.
const CURVATURE_MAX: f64 = 1.0;

/// What a decision is made from. Lists have an entry for each box of a track, and for each frame with a lane.
#[derive(Debug, Default, Serialize)]
struct Payload<'a> {
    clip: &'a str,
    frame_rate: f64,
    image_width: u32,
    image_height: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    camera: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    speed: Vec<f64>,
    frame: Vec<usize>,
    track: Vec<i64>,
    x: Vec<f32>,
    y: Vec<f32>,
    width: Vec<f32>,
    height: Vec<f32>,
    score: Vec<f32>,
    label: Vec<&'a str>,
    lane_frame: Vec<usize>,
    lane_offset: Vec<f64>,
    lane_width: Vec<f64>,
    lane_curvature: Vec<f64>,
}

/// What was seen in a clip.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Tracks of each frame.
    pub tracks: &'a [Vec<Tracked>],
    /// The lane of each frame that has one.
    pub lanes: &'a [Option<Lane>],
    /// How fast the car is, where that is known.
    pub speed: Option<&'a Speed>,
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    /// What of, such as `forward-collision`.
    pub kind: String,
    /// Which object, by its track; 0 is the car itself.
    pub track: i64,
    /// From which frame on it holds, counted from 0.
    pub first: u64,
    /// Up to which frame.
    pub last: u64,
    /// How urgent it is, from 0 to 1.
    pub score: f64,
    /// Why.
    pub reason: String,
}

impl Warning {
    /// Whether it holds in a frame.
    pub fn holds(&self, frame: u64) -> bool {
        (self.first..=self.last).contains(&frame)
    }
}

/// As a ranking has it.
#[derive(Debug, Deserialize)]
struct Ranked {
    item: String,
    score: f64,
    reason: Option<String>,
}

impl Ranked {
    /// `KIND/TRACK/FIRST-LAST`, frames counted from the drive's `before`.
    fn warning(self, before: u64) -> Result<Warning, String> {
        let mut places = self.item.splitn(3, '/');
        let parsed = (|| {
            let (kind, track, frames) = (places.next()?, places.next()?, places.next()?);
            let (first, last) = frames.split_once('-')?;
            let first: u64 = first.parse().ok()?;
            let last: u64 = last.parse().ok()?;
            Some((
                kind.to_owned(),
                track.parse().ok()?,
                first.checked_add(before)?,
                last.checked_add(before)?,
            ))
        })();
        let (kind, track, first, last) = parsed
            .ok_or_else(|| format!("the answer has `{}`; expected `KIND/TRACK/FIRST-LAST`", self.item))?;
        let reason = self.reason.unwrap_or_default();
        Ok(Warning { kind, track, first, last, score: self.score, reason })
    }
}

/// Stores what was seen as a record of the clip, and has a plugin decide what to warn of; the most urgent first. A long clip is
/// decided on in parts, and no warning goes on from one to the next.
///
/// # Errors
/// The database can't be written, the plugin refuses the drive, or its answer holds no warnings.
pub async fn decide(
    store: &Store,
    decision: &Models,
    footage: &Footage,
    seen: &Seen<'_>,
) -> Result<Vec<Warning>, Failure> {
    let name = footage.path.display().to_string();
    let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
    let keys = KEYS.map(str::to_owned).to_vec();
    let mut appender = Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)?;
    let (mut warnings, mut first) = (Vec::new(), 0);
    for part in parts(seen.tracks) {
        let outcomes =
            appender.append(vec![record(footage, first, part, seen)]).await.map_err(append_failure)?;
        let ids: Vec<i64> = outcomes.into_iter().map(|outcome| outcome.record_id()).collect();
        let (_, answers) =
            foretell_jobs::answer(store, &decision.plugin, &decision.program, decision.role, &ids)
                .await
                .map_err(|error| score_failure(&error))?;
        for (_, answer) in &answers {
            let told = read(answer, first as u64);
            warnings.extend(
                told.map_err(|reason| Failure::words(format!("the drive was not judged: {reason}")))?,
            );
        }
        first += part.len();
    }
    appender.finish().await.map_err(append_failure)?;
    warnings.sort_by(|one: &Warning, other| other.score.total_cmp(&one.score));
    Ok(warnings)
}

/// The warnings of an answer, frames counted from `before`.
fn read(answer: &Answer, before: u64) -> Result<Vec<Warning>, String> {
    list::<Ranked>(answer)?.into_iter().map(|ranked| ranked.warning(before)).collect()
}

/// What is stored of a part, whose first frame is the clip's `first`.
fn record(footage: &Footage, first: usize, part: &[Vec<Tracked>], seen: &Seen<'_>) -> NewRecord {
    let payload = payload(footage, first, part, seen);
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

fn payload<'a>(footage: &'a Footage, first: usize, part: &'a [Vec<Tracked>], seen: &Seen<'_>) -> Payload<'a> {
    let mut payload = Payload {
        clip: &footage.clip,
        frame_rate: footage.frame_rate.value(),
        image_width: footage.size.0,
        image_height: footage.size.1,
        camera: footage.camera().map(|camera| camera.numbers().to_vec()).unwrap_or_default(),
        speed: seen.speed.map(|speed| speed.of(first, part.len())).unwrap_or_default(),
        ..Payload::default()
    };
    for (frame, tracks) in part.iter().enumerate() {
        for Tracked { found, track, .. } in tracks {
            payload.frame.push(frame);
            payload.track.push(*track);
            payload.x.push(found.x);
            payload.y.push(found.y);
            payload.width.push(found.width);
            payload.height.push(found.height);
            payload.score.push(found.score);
            payload.label.push(&found.label);
        }
    }
    let lanes = seen.lanes.iter().skip(first).take(part.len()).enumerate();
    let is_plausible = |lane: &&Lane| {
        let metres = [lane.offset_m, lane.width_m];
        metres.iter().all(|metres| metres.abs() <= LANE_METRES_MAX)
            && lane.curvature_per_m.abs() <= CURVATURE_MAX
    };
    for (frame, lane) in lanes.filter_map(|(frame, lane)| Some((frame, lane.as_ref().filter(is_plausible)?)))
    {
        payload.lane_frame.push(frame);
        payload.lane_offset.push(lane.offset_m);
        payload.lane_width.push(lane.width_m);
        payload.lane_curvature.push(lane.curvature_per_m);
    }
    payload
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use foretell_jobs::Predicted;

    use super::*;
    use crate::footage::Options;
    use crate::found::Found;

    fn answer(output: &str) -> Answer {
        Answer::Predicted(Predicted { score: None, label: None, output: Some(output.to_owned()) })
    }

    #[test]
    fn warnings_are_read_from_a_ranking() {
        let ranked = r#"[{"item":"forward-collision/7/37-52","score":0.8,"reason":"car 7 is near"},
            {"item":"lane-departure/0/3-3","score":0.25}]"#;
        let warnings = read(&answer(ranked), 100).unwrap();
        assert_eq!(warnings.len(), 2);
        assert_eq!((&*warnings[0].kind, warnings[0].track), ("forward-collision", 7));
        assert_eq!((warnings[0].first, warnings[0].last, &*warnings[0].reason), (137, 152, "car 7 is near"));
        assert_eq!([136, 137, 152, 153].map(|frame| warnings[0].holds(frame)), [false, true, true, false]);
        assert_eq!((warnings[1].track, warnings[1].first), (0, 103));
        assert_eq!(read(&answer("[]"), 0).unwrap(), []);
        for item in
            ["forward-collision", "a/b/1-2", "a/1/2", "a/1/2-x", "a/1/-2-3", "a/1/18446744073709551615-3"]
        {
            let ranked = format!(r#"[{{"item":"{item}","score":1}}]"#);
            assert!(read(&answer(&ranked), 1).unwrap_err().contains(item), "{item}");
        }
        let refused = Answer::Refused { field: Some("speed".to_owned()), reason: "is -1".to_owned() };
        assert_eq!(read(&refused, 0).unwrap_err(), "`speed`: is -1");
    }

    #[test]
    fn a_part_of_a_drive_counts_its_frames_from_its_beginning() {
        let footage =
            Footage::unseen(Path::new("road.mp4"), "road".to_owned(), (640, 360), &Options::default());
        let tracked = |track, frame| Tracked {
            found: Found { x: 1.0, y: 2.0, width: 3.0, height: 4.0, label: "car".to_owned(), score: 0.5 },
            track,
            frame,
        };
        let lane = Lane {
            offset_m: 0.25,
            width_m: 3.5,
            curvature_per_m: 0.001,
            radius_m: Some(1000.0),
            left: [0.0; 3],
            right: [3.5, 0.0, 0.0],
            near_m: 5.0,
            far_m: 30.0,
            pitch_rad: 0.0,
            confidence: 0.5,
        };
        let tracks = [vec![tracked(1, 0)], vec![tracked(1, 1), tracked(2, 1)], vec![]];
        let lanes = [None, None, Some(lane)];
        let speed = Speed::Constant(12.5);
        let seen = Seen { tracks: &tracks, lanes: &lanes, speed: Some(&speed) };
        let json = serde_json::to_value(payload(&footage, 1, &tracks[1..], &seen)).unwrap();
        assert_eq!(
            (&json["frame"], &json["track"]),
            (&serde_json::json!([0, 0]), &serde_json::json!([1, 2]))
        );
        assert_eq!(json["lane_frame"], serde_json::json!([1]));
        assert_eq!((&json["speed"], &json["clip"]), (&serde_json::json!([12.5]), &serde_json::json!("road")));
        assert!(json.get("camera").is_none(), "{json}");
        let seen = Seen { speed: None, lanes: &[], ..seen };
        let json = serde_json::to_value(payload(&footage, 0, &tracks[..1], &seen)).unwrap();
        assert!(json.get("speed").is_none() && json["lane_frame"] == serde_json::json!([]), "{json}");
        let record = record(&footage, 1, &tracks[1..], &seen);
        assert!(record.external_id.unwrap().starts_with("road/drive/1/"));
    }
}
