//! `foretell-vehicle track`

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, check_absent, exit, format_count};
use serde::Serialize;

use super::{DETECTOR, Session, TRACKER, check_drawn, show_refused};
use crate::arguments;
use crate::canvas::{Canvas, redraw};
use crate::counting::{Counter, Counts, Directions, LineCounts, ZoneCounts};
use crate::draw;
use crate::follow::{Detected, Followed, detector_score, follow};
use crate::footage::{Footage, Options, Refused, content_name};
use crate::found::{Found, Tracked, list};
use crate::lines::Lines;
use crate::mot::{self, BadLine};
use crate::watch::{Gone, watch};

/// A clip, in `--json`.
#[derive(Serialize)]
struct Document<'a> {
    clip: &'a str,
    /// Null where detections of a file were followed.
    model: Option<String>,
    tracker: String,
    frames: u64,
    known_frames: u64,
    seconds: f64,
    frames_per_second: f64,
    /// Tracks of each label.
    tracks: BTreeMap<&'a str, usize>,
    parts: usize,
    /// What lines and zones counted; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<&'a Counts>,
    refused: &'a [Refused],
    /// Lines of a file of detections that are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    bad_lines: &'a [BadLine],
}

/// A frame, in `--lines`.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    frame: usize,
    tracks: &'a [Tracked],
}

/// What was found in a clip, and followed through it.
struct Tracking {
    followed: Followed,
    gone: Gone,
    bad_lines: Vec<BadLine>,
    counts: Option<Counts>,
    time: Duration,
}

pub(super) async fn run(session: &Session<'_>, command: &arguments::Track) -> Result<u8, Failure> {
    let saved = &command.saved;
    for file in [&saved.lines, &command.mot].into_iter().flatten() {
        check_absent(file, saved.force)?;
    }
    check_names(command)?;
    let (clips, detector, given) = match &command.detections {
        Some(file) => {
            let (footage, given) = given(command, file)?;
            (vec![footage], None, Some(given))
        }
        None => {
            let clips = session.footage(&command.source).await?;
            (clips, Some(session.models(command.model.as_deref(), DETECTOR).await?), None)
        }
    };
    check_drawn(saved, &clips)?;
    if let (Some(_), Some(_)) = (&command.mot, clips.get(1)) {
        return Err(Failure::words("`--mot` writes one clip, and there are several inputs")
            .hint(Some("track each in a command of its own")));
    }
    let tracker = session.models(command.tracker.as_deref(), TRACKER).await?;
    let mut lines = Lines::of(saved)?;
    let mut given = given;
    let mut tracked = Vec::with_capacity(clips.len());
    for footage in &clips {
        let mut tracking = match (&detector, given.take()) {
            (Some(detector), _) => one(session, detector, &tracker, footage).await?,
            (None, given) => {
                follow_given(session, command, &tracker, footage, given.unwrap_or_default()).await?
            }
        };
        tracking.counts = count_shapes(command, footage, &tracking.followed);
        if let Some(lines) = &mut lines {
            for (frame, tracks) in tracking.followed.frames.iter().enumerate() {
                lines.add(&Line { clip: &footage.clip, frame, tracks })?;
            }
        }
        if let Some(file) = &command.mot {
            foretell_terminal::save(file, mot::text(&tracking.followed.frames).as_bytes(), saved.force)?;
        }
        if let Some(canvas) = session.canvas(saved, footage)? {
            draw_tracks(session, command, footage, &tracking.followed, canvas)?;
        }
        tracked.push(tracking);
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    let documents: Vec<Document<'_>> = clips
        .iter()
        .zip(&tracked)
        .map(|(footage, tracking)| Document {
            clip: &footage.clip,
            model: detector.as_ref().map(|detector| detector.plugin.name()),
            tracker: tracker.plugin.name(),
            frames: tracking.gone.frames,
            known_frames: tracking.gone.known,
            seconds: tracking.time.as_secs_f64(),
            frames_per_second: tracking.gone.frames as f64 / tracking.time.as_secs_f64(),
            tracks: tracking.followed.labels(),
            parts: tracking.followed.parts,
            counts: tracking.counts.as_ref(),
            refused: &tracking.gone.refused,
            bad_lines: &tracking.bad_lines,
        })
        .collect();
    session.output.show(&documents, |output| {
        for document in &documents {
            let tracks: Vec<String> =
                document.tracks.iter().map(|(label, count)| format!("{count} {label}")).collect();
            let tracks = if tracks.is_empty() { "nothing".to_owned() } else { tracks.join(", ") };
            output.line(&format!(
                "{}: {} frames in {:.1} s, {:.1} a second; followed {tracks}",
                document.clip,
                format_count(document.frames),
                document.seconds,
                document.frames_per_second
            ));
            if document.parts > 1 {
                output.line(&format!(
                    "  the clip is long, and was followed in {} parts; nothing is followed from one to the next",
                    document.parts
                ));
            }
            if let Some(counts) = document.counts {
                draw_counts(output, counts);
            }
            show_refused(output, document.refused);
            for bad in document.bad_lines {
                output.line(&format!("  set aside {bad}"));
            }
        }
    });
    let is_whole =
        documents.iter().all(|document| document.refused.is_empty() && document.bad_lines.is_empty());
    Ok(if is_whole { exit::DONE } else { exit::SOME_REJECTED })
}

/// Detects and tracks in one clip.
async fn one(
    session: &Session<'_>,
    detector: &Models,
    tracker: &Models,
    footage: &Footage,
) -> Result<Tracking, Failure> {
    let bar = Bar::new("detecting", "frames", footage.count, session.output.is_json());
    let begun = Instant::now();
    let lives = [session.live(detector, footage).await?];
    let (mut found, mut refused): (Vec<Vec<Found>>, _) = (Vec::new(), Vec::new());
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        let frame = usize::try_from(watched.index).unwrap_or(usize::MAX);
        // Frames that could not be read have nothing in them.
        found.resize(frame, Vec::new());
        found.push(list(&watched.answers[0]).unwrap_or_else(|reason| {
            refused.push(Refused { file: format!("{}, frame {frame}", footage.clip), reason });
            Vec::new()
        }));
        bar.set(watched.index + 1);
        Ok(())
    })
    .await?;
    gone.refused.append(&mut refused);
    session.finish(lives).await?;
    let detected = Detected { frames: &found, detector_score: detector_score(&detector.plugin) };
    let followed = follow(&session.store, tracker, footage, detected).await?;
    bar.finish();
    Ok(Tracking { followed, gone, bad_lines: Vec::new(), counts: None, time: begun.elapsed() })
}

/// The detections of a file, as a clip that has no frames, and what is in each of them.
fn given(command: &arguments::Track, file: &Path) -> Result<(Footage, mot::Detections), Failure> {
    let text = mot::text_of(file)?;
    let given = mot::detections(file, &text, &command.label);
    if given.frames.is_empty() {
        let first = given.bad.first().map_or_else(|| "it has no lines".to_owned(), BadLine::to_string);
        return Err(Failure::words(format!("there are no detections in `{}`: {first}", file.display())).hint(Some(
            "expected MOTChallenge text, a line `frame,id,x,y,width,height,score` for each box, frames from 1",
        )));
    }
    let source = &command.source;
    let clip = source.clip.clone().unwrap_or_else(|| content_name(file, text.as_bytes()));
    let options = Options { frame_rate: source.frame_rate, start: source.start, ..Options::default() };
    let size = command.size.unwrap_or_else(|| {
        let edge = |edge: fn(&Found) -> f32| {
            given.frames.iter().flatten().map(edge).fold(1.0f32, f32::max).ceil() as u32
        };
        (edge(|found| found.x + found.width), edge(|found| found.y + found.height))
    });
    Ok((Footage::unseen(file, clip, size, &options), given))
}

/// Tracks the detections of a file.
async fn follow_given(
    session: &Session<'_>,
    command: &arguments::Track,
    tracker: &Models,
    footage: &Footage,
    given: mot::Detections,
) -> Result<Tracking, Failure> {
    let bar = Bar::waiting("tracking", session.output.is_json());
    let begun = Instant::now();
    let detected = Detected { frames: &given.frames, detector_score: command.detector_score };
    let followed = follow(&session.store, tracker, footage, detected).await?;
    bar.finish();
    let gone = Gone { frames: given.frames.len() as u64, ..Gone::default() };
    Ok(Tracking { followed, gone, bad_lines: given.bad, counts: None, time: begun.elapsed() })
}

/// Refuses two lines, or two zones, of one name.
fn check_names(command: &arguments::Track) -> Result<(), Failure> {
    let lines: Vec<&str> = command.line.iter().map(|line| &*line.name).collect();
    let zones: Vec<&str> = command.zone.iter().map(|zone| &*zone.name).collect();
    for (what, names) in [("line", lines), ("zone", zones)] {
        let mut seen = HashSet::new();
        if let Some(twice) = names.into_iter().find(|name| !seen.insert(*name)) {
            return Err(Failure::words(format!("there are several {what}s called `{twice}`"))
                .hint(Some("give each a name of its own")));
        }
    }
    Ok(())
}

/// Whether anything is to be counted.
fn has_shapes(command: &arguments::Track) -> bool {
    !(command.line.is_empty() && command.zone.is_empty())
}

fn counter(command: &arguments::Track, footage: &Footage) -> Counter {
    Counter::new(&command.line, &command.zone, footage.size, footage.frame_rate.value())
}

/// What lines and zones count in a whole clip, if there are any.
fn count_shapes(command: &arguments::Track, footage: &Footage, followed: &Followed) -> Option<Counts> {
    if !has_shapes(command) {
        return None;
    }
    let mut counter = counter(command, footage);
    followed.frames.iter().for_each(|tracked| counter.add(tracked));
    Some(counter.counts())
}

fn draw_counts(output: Output, counts: &Counts) {
    for LineCounts { name, labels } in &counts.lines {
        let each = labels.iter().map(|(label, Directions { left_to_right, right_to_left })| {
            format!("{label} {left_to_right} left to right, {right_to_left} right to left")
        });
        output.line(&format!("  line `{name}`: {}", words(each)));
    }
    for ZoneCounts { name, entered, mean_stay_seconds, mean_at_once, most_at_once, .. } in &counts.zones {
        let each = words(entered.iter().map(|(label, count)| format!("{count} {label}")));
        let stay =
            mean_stay_seconds.map(|seconds| format!("; {seconds:.1} s each on average")).unwrap_or_default();
        let at_once = mean_at_once.unwrap_or(0.0);
        output.line(&format!(
            "  zone `{name}`: {each} entered{stay}; {at_once:.1} at once on average, {most_at_once} at most"
        ));
    }
}

fn words(each: impl Iterator<Item = String>) -> String {
    let each: Vec<String> = each.collect();
    if each.is_empty() { "nothing".to_owned() } else { each.join("; ") }
}

/// Draws the tracks on the frames, which are read a second time, and what was counted up to each.
fn draw_tracks(
    session: &Session<'_>,
    command: &arguments::Track,
    footage: &Footage,
    followed: &Followed,
    canvas: Canvas,
) -> Result<(), Failure> {
    let bar = Bar::new("drawing", "frames", footage.count, session.output.is_json());
    let mut counter = counter(command, footage);
    let mut counted = 0;
    redraw(footage, &session.ffmpeg, canvas, |frame, picture| {
        bar.set(frame + 1);
        let frame = usize::try_from(frame).unwrap_or(usize::MAX);
        // Frames that can't be read count, too: nothing is in them.
        while let Some(tracked) = followed.frames.get(counted).filter(|_| counted <= frame) {
            counter.add(tracked);
            counted += 1;
        }
        let tracks = followed.frames.get(frame).map_or(&[][..], Vec::as_slice);
        let drawn = draw::tracks(picture, tracks);
        let drawn = match has_shapes(command) {
            true => drawn.and_then(|drawn| draw::counted(&drawn, &command.line, &command.zone, &counter)),
            false => drawn,
        };
        drawn.map_err(|error| Failure::new(&error))
    })?;
    bar.finish();
    Ok(())
}
