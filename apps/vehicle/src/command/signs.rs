//! `foretell-vehicle signs`

use std::time::{Duration, Instant};

use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, check_absent, exit, format_count};
use serde::Serialize;

use super::{DETECTOR, SIGNS, Session, check_drawn, show_refused};
use crate::arguments;
use crate::canvas::{Canvas, redraw};
use crate::draw;
use crate::footage::{Footage, Payload, Refused};
use crate::found::{Found, list};
use crate::lines::Lines;
use crate::sheet::Sheet;
use crate::sign::{Sign, TRAFFIC_SIGN, read};
use crate::watch::{Gone, watch};

/// The most signs that are listed for people.
const SIGNS_SHOWN_MAX: usize = 64;

/// A clip, in `--json`.
#[derive(Serialize)]
struct Document<'a> {
    clip: &'a str,
    model: String,
    /// Null where pictures are crops.
    detector: Option<String>,
    frames: u64,
    known_frames: u64,
    seconds: f64,
    frames_per_second: f64,
    unfamiliar: usize,
    signs: &'a [Shown],
    refused: &'a [Refused],
}

/// A sign that was read.
#[derive(Serialize)]
struct Shown {
    file: String,
    frame: u64,
    /// Where it is in the frame, where it was detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    detection: Option<Found>,
    #[serde(flatten)]
    sign: Sign,
}

/// A frame, in `--lines`.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    frame: u64,
    signs: &'a [Shown],
}

/// What was read in a clip.
struct Looked {
    signs: Vec<Shown>,
    gone: Gone,
    time: Duration,
}

/// The plugins that are asked.
struct Asked {
    signs: Models,
    detector: Option<Models>,
}

/// What is written beside the store.
struct Written<'a> {
    lines: &'a mut Option<Lines>,
    sheet: &'a mut Option<Sheet>,
}

pub(super) async fn run(session: &Session<'_>, command: &arguments::Signs) -> Result<u8, Failure> {
    let saved = &command.saved;
    if let Some(file) = &command.sheet {
        check_absent(file, saved.force)?;
    }
    let signs = session.models(command.model.as_deref(), SIGNS).await?;
    let detector = match command.detect {
        true => Some(session.models(command.detector.as_deref(), DETECTOR).await?),
        false => None,
    };
    check_detector(detector.as_ref())?;
    let asked = Asked { signs, detector };
    let clips = session.footage(&command.source).await?;
    check_drawn(saved, &clips)?;
    let mut lines = Lines::of(saved)?;
    let mut sheet = command.sheet.as_ref().map(|_| Sheet::default());
    let mut looked = Vec::with_capacity(clips.len());
    for footage in &clips {
        let written = Written { lines: &mut lines, sheet: &mut sheet };
        looked.push(match &asked.detector {
            Some(detector) => frames(session, command, (detector, &asked.signs), footage, written).await?,
            None => crops(session, command, &asked.signs, footage, written).await?,
        });
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    if let (Some(file), Some(sheet)) = (&command.sheet, &sheet) {
        sheet.save(file, saved.force)?;
    }
    let documents: Vec<Document<'_>> =
        clips.iter().zip(&looked).map(|(footage, looked)| document(footage, looked, &asked)).collect();
    session.output.show(&documents, |output| {
        show(output, &documents);
        if let Some(sheet) = &sheet {
            sheet.tell(output);
        }
    });
    let is_whole = documents.iter().all(|document| document.refused.is_empty());
    Ok(if is_whole { exit::DONE } else { exit::SOME_REJECTED })
}

/// Refuses a detector that never finds a sign.
fn check_detector(detector: Option<&Models>) -> Result<(), Failure> {
    let Some(detector) = detector else { return Ok(()) };
    let labels = &detector.plugin.manifest().output.labels;
    if labels.iter().any(|label| label == TRAFFIC_SIGN) {
        return Ok(());
    }
    let (name, labels) = (detector.plugin.name(), labels.join(", "));
    Err(Failure::words(format!("{name} detects no `{TRAFFIC_SIGN}`, only: {labels}"))
        .hint(Some("name another plugin with `--detector`")))
}

/// Reads pictures, each of which is a crop.
async fn crops(
    session: &Session<'_>,
    command: &arguments::Signs,
    models: &Models,
    footage: &Footage,
    written: Written<'_>,
) -> Result<Looked, Failure> {
    let Written { lines, sheet } = written;
    let saved = &command.saved;
    let mut canvas = session.canvas(saved, footage)?;
    let bar = Bar::new("reading", "crops", footage.count, session.output.is_json());
    let begun = Instant::now();
    let lives = [session.live(models, footage).await?];
    let (mut signs, mut refused) = (Vec::new(), Vec::new());
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        bar.set(watched.index + 1);
        let payload: Payload = serde_json::from_str(&watched.payload)
            .map_err(|error| Failure::words(format!("record {} is no picture: {error}", watched.record)))?;
        let sign = match Sign::read(&watched.answers[0]) {
            Ok(sign) => sign,
            Err(reason) => {
                refused.push(Refused { file: payload.file, reason });
                return Ok(());
            }
        };
        let shown = Shown { file: payload.file, frame: watched.index, detection: None, sign };
        if let Some(sheet) = sheet.as_mut() {
            let caption = format!("{}: {} {:.2}", shown.file, shown.sign.words(), shown.sign.score);
            sheet.add(&watched.picture, caption).map_err(|error| Failure::new(&error))?;
        }
        if let Some(canvas) = &mut canvas {
            let (width, height) = (watched.picture.width as f32, watched.picture.height as f32);
            let all = Found { x: 0.0, y: 0.0, width, height, label: TRAFFIC_SIGN.to_owned(), score: 1.0 };
            let drawn = draw::signs(&watched.picture, &[(all, shown.sign.words())]);
            canvas.add(drawn.map_err(|error| Failure::new(&error))?)?;
        }
        if let Some(lines) = lines {
            let signs = std::slice::from_ref(&shown);
            lines.add(&Line { clip: &footage.clip, frame: watched.index, signs })?;
        }
        signs.push(shown);
        Ok(())
    })
    .await?;
    bar.finish();
    gone.refused.append(&mut refused);
    session.finish(lives).await?;
    canvas.map(Canvas::finish).transpose()?;
    Ok(Looked { signs, gone, time: begun.elapsed() })
}

/// Detects signs in whole frames, and reads what is cut out of them.
async fn frames(
    session: &Session<'_>,
    command: &arguments::Signs,
    (detector, models): (&Models, &Models),
    footage: &Footage,
    written: Written<'_>,
) -> Result<Looked, Failure> {
    let bar = Bar::new("detecting", "frames", footage.count, session.output.is_json());
    let begun = Instant::now();
    let lives = [session.live(detector, footage).await?];
    let (mut wanted, mut files, mut refused) = (Vec::<Vec<Found>>::new(), Vec::<String>::new(), Vec::new());
    let mut gone = watch(&session.store, footage, &session.ffmpeg, &lives, |watched| {
        bar.set(watched.index + 1);
        let frame = usize::try_from(watched.index).unwrap_or(usize::MAX);
        // Frames that could not be read have nothing in them.
        wanted.resize(frame, Vec::new());
        let found = list::<Found>(&watched.answers[0]).unwrap_or_else(|reason| {
            refused.push(Refused { file: format!("{}, frame {frame}", footage.clip), reason });
            Vec::new()
        });
        let is_wanted =
            |found: &Found| found.label == TRAFFIC_SIGN && f64::from(found.score) >= command.score;
        wanted.push(found.into_iter().filter(is_wanted).collect());
        if !footage.is_video() {
            let payload: Payload = serde_json::from_str(&watched.payload)
                .map_err(|error| Failure::words(format!("record {} is no frame: {error}", watched.record)))?;
            files.resize(frame, String::new());
            files.push(payload.file);
        }
        Ok(())
    })
    .await?;
    bar.finish();
    session.finish(lives).await?;
    let bar = Bar::new("reading", "frames", Some(wanted.len() as u64), session.output.is_json());
    let live = session.live(models, footage).await?;
    let read = read(&session.store, &live, footage, &session.ffmpeg, &wanted, |done| bar.set(done)).await?;
    session.finish([live]).await?;
    bar.finish();
    let mut signs = Vec::new();
    let mut drawn: Vec<Vec<(Found, String)>> = vec![Vec::new(); wanted.len()];
    for (frame, (found, read)) in wanted.into_iter().zip(read).enumerate() {
        let before = signs.len();
        for (found, read) in found.into_iter().zip(read) {
            let file = files.get(frame).unwrap_or(&footage.clip);
            match read {
                Ok(sign) => {
                    drawn[frame].push((found.clone(), format!("{} {:.2}", sign.words(), sign.score)));
                    let detection = Some(found);
                    signs.push(Shown { file: file.clone(), frame: frame as u64, detection, sign });
                }
                Err(reason) => {
                    refused.push(Refused { file: format!("{file}, a sign of frame {frame}"), reason });
                }
            }
        }
        if let Some(lines) = written.lines {
            lines.add(&Line { clip: &footage.clip, frame: frame as u64, signs: &signs[before..] })?;
        }
    }
    gone.refused.append(&mut refused);
    let time = begun.elapsed();
    if let Some(canvas) = session.canvas(&command.saved, footage)? {
        let bar = Bar::new("drawing", "frames", footage.count, session.output.is_json());
        redraw(footage, &session.ffmpeg, canvas, |frame, picture| {
            bar.set(frame + 1);
            let signs = usize::try_from(frame).ok().and_then(|frame| drawn.get(frame));
            draw::signs(picture, signs.map_or(&[][..], Vec::as_slice)).map_err(|error| Failure::new(&error))
        })?;
        bar.finish();
    }
    Ok(Looked { signs, gone, time })
}

fn document<'a>(footage: &'a Footage, looked: &'a Looked, asked: &Asked) -> Document<'a> {
    let seconds = looked.time.as_secs_f64();
    Document {
        clip: &footage.clip,
        model: asked.signs.plugin.name(),
        detector: asked.detector.as_ref().map(|detector| detector.plugin.name()),
        frames: looked.gone.frames,
        known_frames: looked.gone.known,
        seconds,
        frames_per_second: looked.gone.frames as f64 / seconds,
        unfamiliar: looked.signs.iter().filter(|shown| shown.sign.unfamiliar).count(),
        signs: &looked.signs,
        refused: &looked.gone.refused,
    }
}

fn show(output: Output, documents: &[Document<'_>]) {
    let signs: Vec<&Shown> = documents.iter().flat_map(|document| document.signs).collect();
    if !signs.is_empty() {
        let row = |shown: &&Shown| {
            let novelty = shown.sign.novelty.map(|novelty| format!("{novelty:.2}")).unwrap_or_default();
            let score = format!("{:.2}", shown.sign.score);
            vec![shown.file.clone(), shown.frame.to_string(), shown.sign.words(), score, novelty]
        };
        let head = ["picture", "frame#", "sign", "score#", "novelty#"];
        output.table(&head, signs.iter().take(SIGNS_SHOWN_MAX).map(row));
        if let Some(more) = signs.len().checked_sub(SIGNS_SHOWN_MAX).filter(|more| *more > 0) {
            output.line(&format!("and {} more; `--lines FILE` writes all", format_count(more as u64)));
        }
    }
    for document in documents {
        let unfamiliar = match document.unfamiliar {
            0 => String::new(),
            count => format!(", {} of them unlike what the plugin has learnt", format_count(count as u64)),
        };
        output.line(&format!(
            "{}: {} {} in {:.1} s; read {} signs{unfamiliar}",
            document.clip,
            format_count(document.frames),
            if document.detector.is_some() { "frames" } else { "pictures" },
            document.seconds,
            format_count(document.signs.len() as u64)
        ));
        show_refused(output, document.refused);
    }
}
