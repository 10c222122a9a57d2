//! `foretell-vehicle drive`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use foretell_media::Picture;
use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, check_absent, exit, format_count, format_percent};
use foretell_video::FrameRate;
use serde::Serialize;

use super::lanes::{GUESSED, medians};
use super::{DECISION, DETECTOR, LANES, SIGNS, Session, TRACKER, check_drawn, show_refused};
use crate::canvas::{Canvas, redraw};
use crate::drive::{Seen, Speed, Warning, decide};
use crate::follow::{Detected, Followed, detector_score, follow};
use crate::footage::{Footage, Refused};
use crate::found::{Found, Tracked, list};
use crate::lane::Lane;
use crate::lines::Lines;
use crate::lookout::{Lookout, Summary};
use crate::sign::{Sign, best_boxes, read};
use crate::watch::{Gone, watch};
use crate::{NOTICE, arguments, draw, mot};

/// The most warnings that are listed for people.
const WARNINGS_SHOWN_MAX: usize = 50;
/// The most warnings that are drawn on a frame.
const WARNINGS_DRAWN_MAX: usize = 3;
/// Stands where nobody has said how fast the car is.
const NO_SPEED: &str =
    "without `--speed` or `--speed-file` there is no warning of gaps and of standing traffic";

/// The whole answer, in `--json`.
#[derive(Serialize)]
struct Document<'a> {
    notice: &'static str,
    clips: Vec<ClipDocument<'a>>,
}

/// A clip.
#[derive(Serialize)]
struct ClipDocument<'a> {
    clip: &'a str,
    /// By what they do.
    plugins: &'a BTreeMap<&'static str, String>,
    /// Whether nobody has said which camera it is: then metres are guesses.
    camera_guessed: bool,
    speed_known: bool,
    frames: u64,
    known_frames: u64,
    seconds: f64,
    frames_per_second: f64,
    frame_rate: f64,
    /// Tracks of each label.
    tracks: BTreeMap<&'a str, usize>,
    /// In how many parts a long clip was followed and judged.
    parts: usize,
    lanes: Summary,
    /// Traffic signs that were read, by track.
    signs: &'a BTreeMap<i64, Sign>,
    warnings: &'a [Warning],
    refused: &'a [Refused],
}

/// A frame, in `--lines`.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    frame: usize,
    tracks: &'a [Tracked],
    lane: Option<&'a Lane>,
    warnings: Vec<&'a Warning>,
}

/// The plugins, by what they do.
struct Crew {
    detector: Models,
    lanes: Models,
    tracker: Models,
    decision: Models,
    signs: Option<Models>,
}

impl Crew {
    async fn of(session: &Session<'_>, command: &arguments::Drive) -> Result<Crew, Failure> {
        Ok(Crew {
            detector: session.models(command.model.as_deref(), DETECTOR).await?,
            lanes: session.models(command.lanes.as_deref(), LANES).await?,
            tracker: session.models(command.tracker.as_deref(), TRACKER).await?,
            decision: session.models(command.decision.as_deref(), DECISION).await?,
            signs: match command.signs {
                true => Some(session.models(command.sign_model.as_deref(), SIGNS).await?),
                false => None,
            },
        })
    }

    fn names(&self) -> BTreeMap<&'static str, String> {
        let usual = [
            ("detection", &self.detector),
            ("lanes", &self.lanes),
            ("tracking", &self.tracker),
            ("decision", &self.decision),
        ];
        let signs = self.signs.as_ref().map(|signs| ("signs", signs));
        usual.into_iter().chain(signs).map(|(what, models)| (what, models.plugin.name())).collect()
    }
}

/// What was seen in a clip, and what it means.
struct Driven {
    lookout: Lookout,
    followed: Followed,
    /// Of each frame.
    lanes: Vec<Option<Lane>>,
    signs: BTreeMap<i64, Sign>,
    warnings: Vec<Warning>,
    gone: Gone,
    time: Duration,
}

pub(super) async fn run(session: &Session<'_>, command: &arguments::Drive) -> Result<u8, Failure> {
    let saved = &command.saved;
    if let Some(file) = &command.mot {
        check_absent(file, saved.force)?;
    }
    let speed = speed(command)?;
    let clips = session.footage(&command.source).await?;
    check_drawn(saved, &clips)?;
    if let (true, Some(_)) = (command.mot.is_some() || command.speed_file.is_some(), clips.get(1)) {
        return Err(Failure::words(
            "`--mot` and `--speed-file` are about one clip, and there are several inputs",
        )
        .hint(Some("look at each in a command of its own")));
    }
    let crew = Crew::of(session, command).await?;
    let mut lines = Lines::of(saved)?;
    let mut drives = Vec::with_capacity(clips.len());
    for footage in &clips {
        let driven = one(session, command, &crew, footage, speed.as_ref()).await?;
        if let Some(lines) = &mut lines {
            write(lines, footage, &driven)?;
        }
        if let Some(file) = &command.mot {
            foretell_terminal::save(file, mot::text(&driven.followed.frames).as_bytes(), saved.force)?;
        }
        if let Some(canvas) = session.canvas(saved, footage)? {
            draw(session, footage, &driven, canvas)?;
        }
        drives.push(driven);
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    let plugins = crew.names();
    let clips = clips.iter().zip(&drives);
    let documents =
        clips.clone().map(|(footage, driven)| document(footage, driven, &plugins, speed.is_some()));
    let document = Document { notice: NOTICE, clips: documents.collect() };
    session.output.show(&document, |output| {
        for (document, (footage, _)) in document.clips.iter().zip(clips) {
            show(output, document, footage.frame_rate);
        }
        if speed.is_none() {
            output.line(NO_SPEED);
        }
        if document.clips.iter().any(|clip| clip.camera_guessed) {
            output.line(GUESSED);
        }
        output.line(&format!("\n{NOTICE}"));
    });
    let is_whole = drives.iter().all(|driven| driven.gone.refused.is_empty());
    Ok(if is_whole { exit::DONE } else { exit::SOME_REJECTED })
}

/// How fast the car is, where the user says it.
fn speed(command: &arguments::Drive) -> Result<Option<Speed>, Failure> {
    let table = command.speed_file.as_deref().map(Speed::read).transpose();
    let table = table.map_err(|error| {
        Failure::new(&error)
            .hint(Some("a table begins with the line `frame,speed_m_per_s`, frames from 0, speeds in m/s"))
    })?;
    Ok(table.or(command.speed.map(Speed::Constant)))
}

/// Looks at each frame of a clip once, and judges the whole.
async fn one(
    session: &Session<'_>,
    command: &arguments::Drive,
    crew: &Crew,
    footage: &Footage,
    speed: Option<&Speed>,
) -> Result<Driven, Failure> {
    let lookout = Lookout::new(&crew.lanes.plugin, footage)?;
    let bar = Bar::new("driving", "frames", footage.count, session.output.is_json());
    let begun = Instant::now();
    let lives = [session.live(&crew.detector, footage).await?, session.live(&crew.lanes, footage).await?];
    let (mut found, mut lanes): (Vec<Vec<Found>>, Vec<Option<Lane>>) = (Vec::new(), Vec::new());
    let mut refused = Vec::new();
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        bar.set(watched.index + 1);
        let frame = usize::try_from(watched.index).unwrap_or(usize::MAX);
        // Frames that could not be read have nothing in them.
        found.resize(frame, Vec::new());
        lanes.resize(frame, None);
        let mut set_aside = |what: &str, reason| {
            refused.push(Refused { file: format!("{}, {what} of frame {frame}", footage.clip), reason });
        };
        found.push(list(&watched.answers[0]).unwrap_or_else(|reason| {
            set_aside("objects", reason);
            Vec::new()
        }));
        let lane = lookout.lane(&watched.answers[1]).unwrap_or_else(|reason| {
            set_aside("the lane", reason);
            None
        });
        lanes.push(lane.filter(|lane| lane.confidence >= command.confidence_min));
        Ok(())
    })
    .await?;
    bar.finish();
    session.finish(lives).await?;
    let detected = Detected { frames: &found, detector_score: detector_score(&crew.detector.plugin) };
    let followed = follow(&session.store, &crew.tracker, footage, detected).await?;
    let signs = match &crew.signs {
        Some(models) => signs(session, models, footage, &followed, &mut refused).await?,
        None => BTreeMap::new(),
    };
    let seen = Seen { tracks: &followed.frames, lanes: &lanes, speed };
    let warnings = match followed.frames.is_empty() {
        true => Vec::new(),
        false => decide(&session.store, &crew.decision, footage, &seen).await?,
    };
    gone.refused.append(&mut refused);
    Ok(Driven { lookout, followed, lanes, signs, warnings, gone, time: begun.elapsed() })
}

/// Reads the best crop of each traffic sign that was followed.
async fn signs(
    session: &Session<'_>,
    models: &Models,
    footage: &Footage,
    followed: &Followed,
    refused: &mut Vec<Refused>,
) -> Result<BTreeMap<i64, Sign>, Failure> {
    let (boxes, tracks) = best_boxes(&followed.frames);
    let mut signs = BTreeMap::new();
    if boxes.iter().all(Vec::is_empty) {
        return Ok(signs);
    }
    let bar = Bar::new("signs", "frames", Some(boxes.len() as u64), session.output.is_json());
    let live = session.live(models, footage).await?;
    let read = read(&session.store, &live, footage, &session.ffmpeg, &boxes, |done| bar.set(done)).await?;
    session.finish([live]).await?;
    bar.finish();
    for (track, read) in tracks.into_iter().flatten().zip(read.into_iter().flatten()) {
        match read {
            Ok(sign) => {
                signs.insert(track, sign);
            }
            Err(reason) => {
                refused.push(Refused { file: format!("{}, traffic sign {track}", footage.clip), reason });
            }
        }
    }
    Ok(signs)
}

/// Writes the lines of a clip.
fn write(lines: &mut Lines, footage: &Footage, driven: &Driven) -> Result<(), Failure> {
    for (frame, tracks) in driven.followed.frames.iter().enumerate() {
        let lane = driven.lanes.get(frame).and_then(Option::as_ref);
        let warnings = driven.warnings.iter().filter(|warning| warning.holds(frame as u64)).collect();
        lines.add(&Line { clip: &footage.clip, frame, tracks, lane, warnings })?;
    }
    Ok(())
}

/// Draws everything on the frames, which are read a second time.
fn draw(session: &Session<'_>, footage: &Footage, driven: &Driven, canvas: Canvas) -> Result<(), Failure> {
    let bar = Bar::new("drawing", "frames", footage.count, session.output.is_json());
    redraw(footage, &session.ffmpeg, canvas, |frame, picture| {
        bar.set(frame + 1);
        drawn(driven, frame, picture).map_err(|error| Failure::new(&error))
    })?;
    bar.finish();
    Ok(())
}

/// A frame with the lane, the tracks, and the warnings that hold in it.
fn drawn(driven: &Driven, frame: u64, picture: &Picture) -> Result<Picture, foretell_media::draw::DrawError> {
    let place = usize::try_from(frame).unwrap_or(usize::MAX);
    let tracks = driven.followed.frames.get(place).map_or(&[][..], Vec::as_slice);
    let with_lane = match driven.lanes.get(place).and_then(Option::as_ref) {
        Some(lane) => Some(driven.lookout.draw(picture, Some(lane))?),
        None => None,
    };
    let with_tracks = draw::named_tracks(with_lane.as_ref().unwrap_or(picture), tracks, |tracked| {
        driven.signs.get(&tracked.track).map_or_else(|| tracked.found.label.clone(), Sign::words)
    })?;
    draw::banner(&with_tracks, &banner(&driven.warnings, frame), NOTICE)
}

/// The most urgent warnings that hold in a frame, in words.
fn banner(warnings: &[Warning], frame: u64) -> Vec<String> {
    let hold = warnings.iter().filter(|warning| warning.holds(frame)).take(WARNINGS_DRAWN_MAX);
    hold.map(|warning| format!("{} {:.2}: {}", warning.kind, warning.score, warning.reason)).collect()
}

fn document<'a>(
    footage: &'a Footage,
    driven: &'a Driven,
    plugins: &'a BTreeMap<&'static str, String>,
    speed_known: bool,
) -> ClipDocument<'a> {
    let seconds = driven.time.as_secs_f64();
    ClipDocument {
        clip: &footage.clip,
        plugins,
        camera_guessed: driven.lookout.is_guessed(),
        speed_known,
        frames: driven.gone.frames,
        known_frames: driven.gone.known,
        seconds,
        frames_per_second: driven.gone.frames as f64 / seconds,
        frame_rate: footage.frame_rate.value(),
        tracks: driven.followed.labels(),
        parts: driven.followed.parts,
        lanes: Summary::of(driven.lanes.iter().map(Option::as_ref)),
        signs: &driven.signs,
        warnings: &driven.warnings,
        refused: &driven.gone.refused,
    }
}

fn show(output: Output, document: &ClipDocument<'_>, frame_rate: FrameRate) {
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
    let lanes = medians(&document.lanes).map(|words| format!("; {words}")).unwrap_or_default();
    output.line(&format!("  a lane in {} of the frames{lanes}", format_percent(document.lanes.share())));
    for (track, sign) in document.signs {
        output.line(&format!("  traffic sign {track}: {} ({:.2})", sign.words(), sign.score));
    }
    if document.parts > 1 {
        output.line(&format!(
            "  the clip is long, and was followed and judged in {} parts; nothing goes on from one to the next",
            document.parts
        ));
    }
    show_refused(output, document.refused);
    if document.warnings.is_empty() {
        output.line("  nothing to warn of");
        return;
    }
    output.line("");
    let row = |warning: &Warning| {
        let [from, to] = [warning.first, warning.last].map(|frame| frame_rate.seconds(frame));
        let track = if warning.track == 0 { "-".to_owned() } else { warning.track.to_string() };
        let (kind, reason) = (warning.kind.clone(), warning.reason.clone());
        vec![kind, track, format!("{from:.2} to {to:.2} s"), format!("{:.2}", warning.score), reason]
    };
    let head = ["warning", "track#", "when", "score#", "why"];
    output.table(&head, document.warnings.iter().take(WARNINGS_SHOWN_MAX).map(row));
    if let Some(more) = document.warnings.len().checked_sub(WARNINGS_SHOWN_MAX).filter(|more| *more > 0) {
        output.line(&format!("and {} more; `--json` has all", format_count(more as u64)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_has_the_most_urgent_warnings_of_the_frame() {
        let warning = |kind: &str, first, last, score| Warning {
            kind: kind.to_owned(),
            track: 7,
            first,
            last,
            score,
            reason: "car 7 is near".to_owned(),
        };
        let warnings = [
            warning("a", 0, 9, 0.9),
            warning("b", 5, 6, 0.8),
            warning("c", 0, 9, 0.7),
            warning("d", 0, 9, 0.6),
        ];
        let kinds =
            |frame| banner(&warnings, frame).iter().map(|words| words[..1].to_owned()).collect::<String>();
        assert_eq!((kinds(4), kinds(5), kinds(10)), ("acd".to_owned(), "abc".to_owned(), String::new()));
        assert_eq!(banner(&warnings, 0)[0], "a 0.90: car 7 is near");
    }
}
