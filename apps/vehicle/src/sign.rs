//! Traffic signs: cutting them out of frames, and reading which ones they are.
//!
//! A crop is stored as a record of its own, a PNG file with the box that it was cut from, so that another classifier can be asked
//! about it in a job.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foretell_jobs::{Answer, Live, Shown};
use foretell_media::draw::to_png;
use foretell_media::{Picture, Samples};
use foretell_runtime::manifest::{NOVELTY, UNFAMILIAR};
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewMedium, NewRecord, SourceInfo, SourceKind};
use foretell_terminal::Failure;
use foretell_video::Ffmpeg;
use serde::Serialize;
use serde_json::Value;

use crate::DOMAIN;
use crate::footage::{Footage, Frame, IMAGE, KEYS, Payload, external_id};
use crate::found::{Found, Tracked};
use crate::watch::{append_failure, score_failure};

/// The label under which a detector reports traffic signs.
pub const TRAFFIC_SIGN: &str = "traffic sign";
/// What is cut around a box on each side, as a share of its width and height: the crops that sign classifiers learn from have it.
pub const MARGIN_SHARE: f32 = 0.1;
/// What stands behind the name of a sign that is unlike everything that the plugin has learnt.
pub const UNFAMILIAR_MARK: &str = "(unfamiliar)";
/// Crops that are predicted together.
const BATCH_CROPS: usize = 64;
/// What a crop is stored as.
const PNG: &str = "image/png";

/// Which sign a crop shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sign {
    /// Its name.
    pub sign: String,
    /// How sure that is, from 0 to 1.
    pub score: f64,
    /// How far the crop is from what the plugin has learnt, where it says so.
    pub novelty: Option<f64>,
    /// Whether that is too far: then it may well be another sign, or none.
    pub unfamiliar: bool,
}

impl Sign {
    /// Reads what a classifier of signs answers.
    ///
    /// # Errors
    /// The reason why it refused the crop, or what in the answer is missing.
    pub fn read(answer: &Answer) -> Result<Sign, String> {
        let predicted = match answer {
            Answer::Predicted(predicted) => predicted,
            Answer::Refused { field: Some(field), reason } => return Err(format!("`{field}`: {reason}")),
            Answer::Refused { field: None, reason } => return Err(reason.clone()),
        };
        let (Some(sign), Some(score)) = (predicted.label.clone(), predicted.score) else {
            return Err("the answer names no sign".to_owned());
        };
        let output = predicted.output.as_deref().map(serde_json::from_str::<Value>);
        let output = output.transpose().map_err(|_| "the answer is no JSON")?.unwrap_or_default();
        let novelty = output.get(NOVELTY).and_then(Value::as_f64);
        let unfamiliar = output.get(UNFAMILIAR).and_then(Value::as_bool).unwrap_or(false);
        Ok(Sign { sign, score, novelty, unfamiliar })
    }

    /// Its name, never without the mark where it is unfamiliar.
    pub fn words(&self) -> String {
        match self.unfamiliar {
            true => format!("{} {UNFAMILIAR_MARK}", self.sign),
            false => self.sign.clone(),
        }
    }
}

/// A crop, and where in the frame it is: left, top, width and height in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    /// What it shows.
    pub picture: Picture,
    /// Where it is from.
    pub place: [u32; 4],
}

/// Cuts a box with its [margin](MARGIN_SHARE) out of a frame of 8 bits; `None` where nothing of it is in the frame.
pub fn cut(picture: &Picture, found: &Found) -> Option<Crop> {
    let Samples::U8(samples) = &picture.samples else { return None };
    let (across, down) = (found.width * MARGIN_SHARE, found.height * MARGIN_SHARE);
    // A cast ends at 0 by itself, and NaN is 0.
    let side = |begin: f32, end: f32, length: u32| {
        let (begin, end) = (begin.floor() as u32, end.ceil() as u32);
        (begin.min(length), end.min(length))
    };
    let (left, right) = side(found.x - across, found.x + found.width + across, picture.width);
    let (top, bottom) = side(found.y - down, found.y + found.height + down, picture.height);
    if left >= right || top >= bottom {
        return None;
    }
    let channels = picture.channels as usize;
    let stride = picture.width as usize * channels;
    let columns = left as usize * channels..right as usize * channels;
    let rows = samples.chunks_exact(stride).skip(top as usize).take((bottom - top) as usize);
    let samples: Vec<u8> = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
    let (width, height) = (right - left, bottom - top);
    let picture = Picture { width, height, channels: picture.channels, samples: Samples::U8(samples) };
    Some(Crop { picture, place: [left, top, width, height] })
}

/// The box of each traffic sign that was followed from which it is best read, and whose it is: the largest and surest one. Both have
/// a list for each frame.
pub fn best_boxes(frames: &[Vec<Tracked>]) -> (Vec<Vec<Found>>, Vec<Vec<i64>>) {
    let worth = |found: &Found| found.width.min(found.height) * found.score;
    let mut best: BTreeMap<i64, (usize, &Found)> = BTreeMap::new();
    for (frame, tracked) in frames.iter().enumerate() {
        for Tracked { found, track, .. } in
            tracked.iter().filter(|tracked| tracked.found.label == TRAFFIC_SIGN)
        {
            let so_far = best.entry(*track).or_insert((frame, found));
            if worth(found) > worth(so_far.1) {
                *so_far = (frame, found);
            }
        }
    }
    let (mut boxes, mut tracks) = (vec![Vec::new(); frames.len()], vec![Vec::new(); frames.len()]);
    for (track, (frame, found)) in best {
        boxes[frame].push(found.clone());
        tracks[frame].push(track);
    }
    (boxes, tracks)
}

/// What is stored of a crop.
#[derive(Debug, Serialize)]
struct CropPayload<'a> {
    image: String,
    file: &'a str,
    clip: &'a str,
    frame: u64,
    #[serde(rename = "box")]
    place: [u32; 4],
}

/// The record of a crop.
fn record(frame: &Frame, crop: &Crop) -> Result<NewRecord, Failure> {
    let of: Payload = serde_json::from_str(&frame.record.payload)
        .map_err(|error| Failure::words(format!("a frame has no payload of one: {error}")))?;
    let png = to_png(&crop.picture).map_err(|error| Failure::new(&error))?;
    let medium = NewMedium { field: IMAGE.to_owned(), media_type: PNG.to_owned(), data: png.into() };
    let payload = CropPayload {
        image: medium.hash(),
        file: &of.file,
        clip: &of.clip,
        frame: of.frame,
        place: crop.place,
    };
    let payload = serde_json::to_string(&payload).expect("a payload is texts and numbers");
    let [left, top, width, height] = crop.place;
    let name = format!("{}/{}/{left},{top},{width},{height}", of.clip, of.frame);
    let event_time = frame.record.event_time;
    Ok(NewRecord {
        external_id: Some(external_id(&name, &payload, event_time)),
        event_time,
        payload,
        keys: vec![Some(of.clip)],
        labels: Vec::new(),
        media: vec![medium],
    })
}

/// A crop that waits to be read: which of the wanted ones of which frame.
struct Waiting {
    frame: usize,
    number: usize,
    record: NewRecord,
    picture: Arc<Picture>,
}

/// What came out for a box.
pub type Read = Result<Sign, String>;

/// Goes through a clip again, cuts the wanted boxes of each frame out, stores them as records, and has a classifier read them.
/// The answer has a list for each frame of `wanted`, in its order. `progress` hears of the frames that are done.
///
/// # Errors
/// The clip can't be read any more, the database not be written, or the classifier not predict at all.
pub async fn read(
    store: &Store,
    live: &Live,
    footage: &Footage,
    ffmpeg: &Ffmpeg,
    wanted: &[Vec<Found>],
    mut progress: impl FnMut(u64),
) -> Result<Vec<Vec<Read>>, Failure> {
    let unread = || Err("its frame could not be read a second time".to_owned());
    let mut signs: Vec<Vec<Read>> =
        wanted.iter().map(|wanted| wanted.iter().map(|_| unread()).collect()).collect();
    let Some(last) = wanted.iter().rposition(|wanted| !wanted.is_empty()) else { return Ok(signs) };
    let name = footage.path.display().to_string();
    let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
    let keys = KEYS.map(str::to_owned).to_vec();
    let mut appender = Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)?;
    let mut waiting = Vec::new();
    // What can't be read was told when the clip was looked at.
    for frame in footage.frames(ffmpeg)?.flatten() {
        let index = usize::try_from(frame.index).unwrap_or(usize::MAX);
        if index > last {
            break;
        }
        for (number, found) in wanted[index].iter().enumerate() {
            match cut(&frame.picture, found) {
                Some(crop) => {
                    let record = record(&frame, &crop)?;
                    waiting.push(Waiting { frame: index, number, record, picture: Arc::new(crop.picture) });
                }
                None => signs[index][number] = Err("its box is not in the frame".to_owned()),
            }
        }
        progress(frame.index + 1);
        if waiting.len() >= BATCH_CROPS {
            ask(&mut appender, live, std::mem::take(&mut waiting), &mut signs).await?;
        }
    }
    ask(&mut appender, live, waiting, &mut signs).await?;
    appender.finish().await.map_err(append_failure)?;
    Ok(signs)
}

/// Stores crops, asks about them, and writes down what is said.
async fn ask(
    appender: &mut Appender,
    live: &Live,
    waiting: Vec<Waiting>,
    signs: &mut [Vec<Read>],
) -> Result<(), Failure> {
    if waiting.is_empty() {
        return Ok(());
    }
    let records: Vec<NewRecord> = waiting.iter().map(|waiting| waiting.record.clone()).collect();
    let outcomes = appender.append(records).await.map_err(append_failure)?;
    let ids: Vec<i64> = outcomes.into_iter().map(|outcome| outcome.record_id()).collect();
    let mut shown: Vec<Shown> = Vec::with_capacity(ids.len());
    for (record, waiting) in ids.iter().zip(&waiting) {
        // Two boxes may be cut at the same pixels; a record is asked about once.
        if !shown.iter().any(|shown| shown.record == *record) {
            shown.push(Shown { record: *record, picture: Some(Arc::clone(&waiting.picture)) });
        }
    }
    let said = live.predict(&shown).await.map_err(|error| score_failure(&error))?;
    live.write(&said).await.map_err(|error| score_failure(&error))?;
    let answers: HashMap<i64, Answer> = said.answers().collect();
    for (id, Waiting { frame, number, .. }) in ids.iter().zip(waiting) {
        signs[frame][number] =
            answers.get(id).map_or_else(|| Err("there is no answer".to_owned()), Sign::read);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use foretell_jobs::Predicted;

    use super::*;

    fn found(x: f32, y: f32, width: f32, height: f32) -> Found {
        Found { x, y, width, height, label: TRAFFIC_SIGN.to_owned(), score: 0.9 }
    }

    /// 30 x 20 pixels, each its own column and row as red and green.
    fn picture() -> Picture {
        let samples = (0..20).flat_map(|y| (0..30).flat_map(move |x| [x, y, 0])).collect();
        Picture { width: 30, height: 20, channels: 3, samples: Samples::U8(samples) }
    }

    #[test]
    fn a_crop_has_a_margin_and_ends_at_the_edges() {
        for (given, place) in [
            (found(10.0, 5.0, 10.0, 10.0), [9, 4, 12, 12]),
            (found(0.0, 0.0, 10.0, 5.0), [0, 0, 11, 6]),
            (found(25.0, 15.0, 100.0, 100.0), [15, 5, 15, 15]),
            (found(4.2, 4.2, 0.5, 0.5), [4, 4, 1, 1]),
        ] {
            let crop = cut(&picture(), &given).unwrap();
            assert_eq!(crop.place, place, "{given:?}");
            let Samples::U8(samples) = &crop.picture.samples else { panic!("bytes") };
            assert_eq!((crop.picture.width, crop.picture.height), (place[2], place[3]));
            assert_eq!(samples.len(), (place[2] * place[3] * 3) as usize);
            assert_eq!(samples[..3], [place[0] as u8, place[1] as u8, 0]);
            let end = [(place[0] + place[2] - 1) as u8, (place[1] + place[3] - 1) as u8, 0];
            assert_eq!(samples[samples.len() - 3..], end);
        }
        for given in [found(40.0, 5.0, 3.0, 3.0), found(-9.0, 5.0, 3.0, 3.0), found(f32::NAN, 5.0, 3.0, 3.0)]
        {
            assert_eq!(cut(&picture(), &given), None, "{given:?}");
        }
    }

    #[test]
    fn a_track_is_read_where_it_is_largest() {
        let tracked = |track, frame, side, label: &str| Tracked {
            found: Found { label: label.to_owned(), ..found(1.0, 1.0, side, side) },
            track,
            frame,
        };
        let frames = [
            vec![
                tracked(1, 0, 5.0, TRAFFIC_SIGN),
                tracked(2, 0, 8.0, TRAFFIC_SIGN),
                tracked(3, 0, 90.0, "car"),
            ],
            vec![],
            vec![tracked(1, 2, 9.0, TRAFFIC_SIGN), tracked(2, 2, 7.0, TRAFFIC_SIGN)],
        ];
        let (boxes, tracks) = best_boxes(&frames);
        assert_eq!(tracks, [vec![2], vec![], vec![1]]);
        let sides: Vec<Vec<f32>> =
            boxes.iter().map(|boxes| boxes.iter().map(|found| found.width).collect()).collect();
        assert_eq!(sides, [vec![8.0], vec![], vec![9.0]]);
    }

    #[test]
    fn an_unfamiliar_sign_is_never_named_without_the_mark() {
        let answer = |output: &str| {
            let (label, output) = (Some("yield".to_owned()), Some(output.to_owned()));
            Answer::Predicted(Predicted { score: Some(0.75), label, output })
        };
        let sign = Sign::read(&answer(r#"{"yield":0.75,"novelty":2.5,"unfamiliar":true}"#)).unwrap();
        assert_eq!((sign.score, sign.novelty), (0.75, Some(2.5)));
        assert_eq!(sign.words(), "yield (unfamiliar)");
        let familiar = Sign::read(&answer(r#"{"yield":0.75,"novelty":0.5,"unfamiliar":false}"#)).unwrap();
        assert_eq!(familiar.words(), "yield");
        assert_eq!(Sign::read(&answer("{}")).unwrap().novelty, None);
        let nothing = Answer::Predicted(Predicted::default());
        assert_eq!(Sign::read(&nothing).unwrap_err(), "the answer names no sign");
        let refused = Answer::Refused { field: None, reason: "it is cut off".to_owned() };
        assert_eq!(Sign::read(&refused).unwrap_err(), "it is cut off");
    }
}
