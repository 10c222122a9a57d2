//! `foretell-vehicle detect`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use foretell_terminal::{Bar, Failure, check_absent, exit, format_count};
use serde::Serialize;

use super::{DETECTOR, Session, check_drawn, show_refused};
use crate::arguments;
use crate::canvas::Canvas;
use crate::coco;
use crate::draw;
use crate::footage::{Footage, Payload, Refused};
use crate::found::{Found, list};
use crate::lines::Lines;
use crate::watch::{Gone, watch};

/// A clip, in `--json`.
#[derive(Serialize)]
struct Document<'a> {
    clip: &'a str,
    run: i64,
    model: String,
    frames: u64,
    known_frames: u64,
    seconds: f64,
    frames_per_second: f64,
    /// Boxes of each label.
    found: &'a BTreeMap<String, u64>,
    refused: &'a [Refused],
}

/// A frame, in `--lines`.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    frame: u64,
    record: i64,
    detections: &'a [Found],
}

/// What was found in a clip.
struct Detected {
    found: BTreeMap<String, u64>,
    gone: Gone,
    run: i64,
    time: Duration,
}

/// What is written frame by frame.
struct Written<'a> {
    lines: &'a mut Option<Lines>,
    results: &'a mut Option<coco::Results>,
}

pub(super) async fn run(session: &Session<'_>, command: &arguments::Detect) -> Result<u8, Failure> {
    for file in [&command.saved.lines, &command.coco].into_iter().flatten() {
        check_absent(file, command.saved.force)?;
    }
    let models = session.models(command.model.as_deref(), DETECTOR).await?;
    let clips = session.footage(&command.source).await?;
    check_drawn(&command.saved, &clips)?;
    // Only now: where an input can't be opened, no empty file is left.
    let mut lines = Lines::of(&command.saved)?;
    let mut results =
        command.coco.as_ref().map(|_| coco::Results::new(&models.plugin.manifest().output.labels));
    let mut documents = Vec::new();
    for footage in &clips {
        let written = Written { lines: &mut lines, results: &mut results };
        documents.push(one(session, command, &models, footage, written).await?);
    }
    if let (Some(file), Some(results)) = (&command.coco, results) {
        foretell_terminal::save(file, results.json().as_bytes(), command.saved.force)?;
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    let documents: Vec<Document<'_>> = clips
        .iter()
        .zip(&documents)
        .map(|(footage, detected)| {
            let seconds = detected.time.as_secs_f64();
            Document {
                clip: &footage.clip,
                run: detected.run,
                model: models.plugin.name(),
                frames: detected.gone.frames,
                known_frames: detected.gone.known,
                seconds,
                frames_per_second: detected.gone.frames as f64 / seconds,
                found: &detected.found,
                refused: &detected.gone.refused,
            }
        })
        .collect();
    session.output.show(&documents, |output| {
        for document in &documents {
            let found: Vec<String> = document
                .found
                .iter()
                .map(|(label, count)| format!("{} {label}", format_count(*count)))
                .collect();
            let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
            output.line(&format!(
                "{}: {} frames in {:.1} s, {:.1} a second; found {found}",
                document.clip,
                format_count(document.frames),
                document.seconds,
                document.frames_per_second
            ));
            show_refused(output, document.refused);
        }
    });
    let is_whole = documents.iter().all(|document| document.refused.is_empty());
    Ok(if is_whole { exit::DONE } else { exit::SOME_REJECTED })
}

async fn one(
    session: &Session<'_>,
    command: &arguments::Detect,
    models: &foretell_terminal::job::Models,
    footage: &Footage,
    written: Written<'_>,
) -> Result<Detected, Failure> {
    let Written { lines, results } = written;
    let labels = &models.plugin.manifest().output.labels;
    let live = session.live(models, footage).await?;
    let saved = &command.saved;
    let mut canvas = session.canvas(saved, footage)?;
    let bar = Bar::new("detecting", "frames", footage.count, session.output.is_json());
    let begun = Instant::now();
    let (mut found, mut refused, mut done) = (BTreeMap::new(), Vec::new(), 0);
    let run = live.run();
    let lives = [live];
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        done += 1;
        bar.set(done);
        let detections = match list::<Found>(&watched.answers[0]) {
            Ok(detections) => detections,
            Err(reason) => {
                refused.push(Refused { file: format!("{}, frame {}", footage.clip, watched.index), reason });
                return Ok(());
            }
        };
        for found_here in &detections {
            *found.entry(found_here.label.clone()).or_default() += 1;
        }
        if let Some(lines) = lines {
            let (clip, frame, record) = (&*footage.clip, watched.index, watched.record);
            lines.add(&Line { clip, frame, record, detections: &detections })?;
        }
        if let Some(results) = results {
            let payload: Payload = serde_json::from_str(&watched.payload)
                .map_err(|error| Failure::words(format!("record {} is no frame: {error}", watched.record)))?;
            results.add(payload, (watched.picture.width, watched.picture.height), &detections);
        }
        if let Some(canvas) = &mut canvas {
            let drawn = draw::detections(&watched.picture, &detections, labels);
            canvas.add(drawn.map_err(|error| Failure::new(&error))?)?;
        }
        Ok(())
    })
    .await?;
    bar.finish();
    gone.refused.append(&mut refused);
    session.finish(lives).await?;
    canvas.map(Canvas::finish).transpose()?;
    Ok(Detected { found, gone, run, time: begun.elapsed() })
}
