//! `foretell-vehicle lanes`

use std::time::{Duration, Instant};

use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, check_absent, exit, format_count, format_percent};
use serde::Serialize;

use super::{LANES, Session, check_drawn, show_refused};
use crate::arguments;
use crate::canvas::Canvas;
use crate::footage::{Footage, Payload, Refused};
use crate::lane::Lane;
use crate::lines::Lines;
use crate::lookout::{Lookout, Summary, bend, side};
use crate::sheet::Sheet;
use crate::watch::{Gone, watch};

/// The most pictures that are listed for people.
const PICTURES_SHOWN_MAX: usize = 64;
/// Stands below metres of an unknown camera.
pub(super) const GUESSED: &str = "the camera is not known, so metres are guesses: `--camera FILE` names a camera file, `foretell-vehicle \
                                  calibrate` makes one";

/// A clip, in `--json`.
#[derive(Serialize)]
struct Document<'a> {
    clip: &'a str,
    run: i64,
    model: String,
    /// Whether nobody has said which camera it is: then metres are guesses.
    camera_guessed: bool,
    frames: u64,
    known_frames: u64,
    seconds: f64,
    frames_per_second: f64,
    lanes: Summary,
    /// Each picture, where they are no video.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pictures: &'a [Still],
    refused: &'a [Refused],
}

/// A picture that is no frame of a video.
#[derive(Serialize)]
struct Still {
    file: String,
    lane: Option<Lane>,
}

/// A frame, in `--lines`.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    file: &'a str,
    frame: u64,
    record: i64,
    lane: Option<&'a Lane>,
}

/// What was seen in a clip.
struct Looked {
    lanes: Summary,
    stills: Vec<Still>,
    is_guessed: bool,
    gone: Gone,
    run: i64,
    time: Duration,
}

/// What is written frame by frame.
struct Written<'a> {
    lines: &'a mut Option<Lines>,
    sheet: &'a mut Option<Sheet>,
}

pub(super) async fn run(session: &Session<'_>, command: &arguments::Lanes) -> Result<u8, Failure> {
    let saved = &command.saved;
    if let Some(file) = &command.sheet {
        check_absent(file, saved.force)?;
    }
    let models = session.models(command.model.as_deref(), LANES).await?;
    let clips = session.footage(&command.source).await?;
    check_drawn(saved, &clips)?;
    let mut lines = Lines::of(saved)?;
    let mut sheet = command.sheet.as_ref().map(|_| Sheet::default());
    let mut looked = Vec::with_capacity(clips.len());
    for footage in &clips {
        let written = Written { lines: &mut lines, sheet: &mut sheet };
        looked.push(one(session, command, &models, footage, written).await?);
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    if let (Some(file), Some(sheet)) = (&command.sheet, &sheet) {
        sheet.save(file, saved.force)?;
    }
    let documents: Vec<Document<'_>> = clips
        .iter()
        .zip(&looked)
        .map(|(footage, looked)| {
            let seconds = looked.time.as_secs_f64();
            Document {
                clip: &footage.clip,
                run: looked.run,
                model: models.plugin.name(),
                camera_guessed: looked.is_guessed,
                frames: looked.gone.frames,
                known_frames: looked.gone.known,
                seconds,
                frames_per_second: looked.gone.frames as f64 / seconds,
                lanes: looked.lanes,
                pictures: &looked.stills,
                refused: &looked.gone.refused,
            }
        })
        .collect();
    session.output.show(&documents, |output| {
        draw(output, &documents);
        if let Some(sheet) = &sheet {
            sheet.tell(output);
        }
    });
    let is_whole = documents.iter().all(|document| document.refused.is_empty());
    Ok(if is_whole { exit::DONE } else { exit::SOME_REJECTED })
}

/// Looks for the lane in each frame of a clip.
async fn one(
    session: &Session<'_>,
    command: &arguments::Lanes,
    models: &Models,
    footage: &Footage,
    written: Written<'_>,
) -> Result<Looked, Failure> {
    let Written { lines, sheet } = written;
    let saved = &command.saved;
    let lookout = Lookout::new(&models.plugin, footage)?;
    let mut canvas = session.canvas(saved, footage)?;
    let live = session.live(models, footage).await?;
    let bar = Bar::new("lanes", "frames", footage.count, session.output.is_json());
    let begun = Instant::now();
    let middle = footage.count.unwrap_or(0) / 2;
    let (mut lanes, mut stills, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let run = live.run();
    let lives = [live];
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        bar.set(watched.index + 1);
        let payload: Payload = serde_json::from_str(&watched.payload)
            .map_err(|error| Failure::words(format!("record {} is no frame: {error}", watched.record)))?;
        let lane = match lookout.lane(&watched.answers[0]) {
            Ok(lane) => lane.filter(|lane| lane.confidence >= command.confidence_min),
            Err(reason) => {
                refused.push(Refused { file: format!("{}, frame {}", footage.clip, watched.index), reason });
                return Ok(());
            }
        };
        if let Some(lines) = lines {
            let (clip, frame, record) = (&*footage.clip, watched.index, watched.record);
            lines.add(&Line { clip, file: &payload.file, frame, record, lane: lane.as_ref() })?;
        }
        let on_sheet = sheet.as_mut().filter(|_| !footage.is_video() || watched.index == middle);
        if canvas.is_some() || on_sheet.is_some() {
            let drawn =
                lookout.draw(&watched.picture, lane.as_ref()).map_err(|error| Failure::new(&error))?;
            if let Some(sheet) = on_sheet {
                sheet
                    .add(&drawn, caption(&payload.file, lane.as_ref()))
                    .map_err(|error| Failure::new(&error))?;
            }
            if let Some(canvas) = &mut canvas {
                canvas.add(drawn)?;
            }
        }
        if !footage.is_video() {
            stills.push(Still { file: payload.file, lane });
        }
        lanes.push(lane);
        Ok(())
    })
    .await?;
    bar.finish();
    gone.refused.append(&mut refused);
    session.finish(lives).await?;
    canvas.map(Canvas::finish).transpose()?;
    let lanes = Summary::of(lanes.iter().map(Option::as_ref));
    Ok(Looked { lanes, stills, is_guessed: lookout.is_guessed(), gone, run, time: begun.elapsed() })
}

/// What stands below a picture on the sheet.
fn caption(file: &str, lane: Option<&Lane>) -> String {
    match lane {
        Some(lane) => format!(
            "{file}: {}; {} of the middle; {:.2} m wide; confidence {:.2}",
            bend(lane.curvature_per_m),
            side(lane.offset_m),
            lane.width_m,
            lane.confidence
        ),
        None => format!("{file}: no lane"),
    }
}

fn draw(output: Output, documents: &[Document<'_>]) {
    let pictures: Vec<&Still> = documents.iter().flat_map(|document| document.pictures).collect();
    if !pictures.is_empty() {
        let row = |still: &&Still| match &still.lane {
            Some(lane) => vec![
                still.file.clone(),
                side(lane.offset_m),
                format!("{:.2} m", lane.width_m),
                bend(lane.curvature_per_m),
                format!("{:.0} m", lane.far_m),
                format!("{:.2}", lane.confidence),
            ],
            None => vec![still.file.clone(), "no lane".to_owned()]
                .into_iter()
                .chain((0..4).map(|_| String::new()))
                .collect(),
        };
        let head = ["picture", "of the middle", "width#", "bend", "seen to#", "confidence#"];
        output.table(&head, pictures.iter().take(PICTURES_SHOWN_MAX).map(row));
        if let Some(more) = pictures.len().checked_sub(PICTURES_SHOWN_MAX).filter(|more| *more > 0) {
            output.line(&format!("and {} more; `--lines FILE` writes all", format_count(more as u64)));
        }
    }
    for document in documents {
        let Summary { frames, with_lane, .. } = document.lanes;
        if document.pictures.is_empty() || frames > 1 {
            output.line(&format!(
                "{}: {} frames in {:.1} s, {:.1} a second; a lane in {} of {} ({})",
                document.clip,
                format_count(document.frames),
                document.seconds,
                document.frames_per_second,
                format_count(with_lane),
                format_count(frames),
                format_percent(document.lanes.share())
            ));
            if let Some(words) = medians(&document.lanes) {
                output.line(&format!("  {words}"));
            }
        }
        show_refused(output, document.refused);
    }
    if documents.iter().any(|document| document.camera_guessed && document.lanes.with_lane > 0) {
        output.line(GUESSED);
    }
}

/// The numbers in the middle, in words, where there is a lane.
pub(super) fn medians(summary: &Summary) -> Option<String> {
    let (offset, width) = (summary.median_offset_m?, summary.median_width_m?);
    let (curvature, confidence) = (summary.median_curvature_per_m?, summary.median_confidence?);
    Some(format!(
        "in the median {} of the middle, {width:.2} m wide, bend {}, confidence {confidence:.2}",
        side(offset),
        bend(curvature)
    ))
}
