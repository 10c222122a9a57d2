//! `foretell-vehicle evaluate detections`

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::detection::DetectionReport;
use foretell_insight::report::Estimate;
use foretell_jobs::{Answer, Live, Shown};
use foretell_store::deployment::Role;
use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, exit, format_count};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::super::{DETECTOR, Session};
use crate::arguments::EvaluateDetections;
use crate::asked::{Asked, asked};
use crate::coco::Truth;
use crate::evaluation::{self, Classes, LeftOut, MappedClass};
use crate::footage::{Footage, Refused};
use crate::found::{Found, list};
use crate::watch::{batches_at_once, score_failure, watch};

/// The setting that is lowered, of plugins that have it.
const SCORE: &str = "score";
/// The setting that is raised.
const BOXES_MAX: &str = "boxes_max";
/// Boxes of an image that COCO's figures count.
const BOXES_COUNTED: u64 = 100;
/// Where images lie, seen from their annotations.
const IMAGES: &str = "images";

#[derive(Serialize)]
struct Document<'a> {
    truth: String,
    model: String,
    /// The runs whose answers were evaluated.
    runs: &'a [i64],
    score_min: f64,
    mapped: &'a [MappedClass],
    left_out: &'a [LeftOut],
    not_in_truth: &'a [String],
    refused: &'a [Refused],
    report: &'a DetectionReport,
}

/// An image of the truth that is stored.
struct Stored {
    place: usize,
    record: i64,
    size: (u32, u32),
}

pub(super) async fn run(session: &Session<'_>, command: &EvaluateDetections) -> Result<u8, Failure> {
    let truth = Truth::read(&command.truth)?;
    let models = sensitive(session, command).await?;
    let labels = &models.plugin.manifest().output.labels;
    let classes = Classes::new(&truth, labels, &command.map).map_err(|error| {
        Failure::new(&error).hint(Some("say which label a class has with `--map THEIRS=OURS`"))
    })?;
    let folder = folder(&truth, command)?;
    let footage = footage(&truth, &command.truth, &folder)?;
    let (stored, mut refused) = import(session, &footage).await?;
    let (found, runs) = answers(session, &models, &footage, &truth, command, &stored, &mut refused).await?;
    let bootstrap = (command.resamples > 0).then(|| Bootstrap {
        replicates: command.resamples,
        seed: command.seed,
        ..Bootstrap::default()
    });
    let report = evaluation::detections(&truth, &classes, &found, bootstrap.as_ref()).map_err(|error| {
        let first = refused.first().map(|Refused { file, reason }| format!("`{file}`: {reason}"));
        Failure::new(&error).hint(first)
    })?;
    let document = Document {
        truth: command.truth.display().to_string(),
        model: models.plugin.name(),
        runs: &runs,
        score_min: command.score_min,
        mapped: &classes.mapped,
        left_out: &classes.left_out,
        not_in_truth: &classes.not_in_truth,
        refused: &refused,
        report: &report,
    };
    session.output.show(&document, |output| draw(output, &document));
    Ok(if refused.is_empty() { exit::DONE } else { exit::SOME_REJECTED })
}

/// The plugin, opened so that it also answers what it is not sure of. Its answers are stored for comparison alone.
async fn sensitive(session: &Session<'_>, command: &EvaluateDetections) -> Result<Models, Failure> {
    let models = session.models(command.model.as_deref(), DETECTOR).await?;
    let settings = models.settings();
    let mut changes = Vec::new();
    // A plugin without such a setting would refuse it; its answers are evaluated as they are.
    if settings.contains_key(SCORE) {
        changes.push((SCORE.to_owned(), command.score_min.into()));
    }
    let boxes = settings.get(BOXES_MAX).and_then(serde_json::Value::as_u64);
    if boxes.is_some_and(|boxes| boxes < BOXES_COUNTED) {
        changes.push((BOXES_MAX.to_owned(), BOXES_COUNTED.into()));
    }
    let mut models = models.configured(session.place, changes)?;
    models.role = Role::Challenger;
    Ok(models)
}

/// Where the images are: the first of the places in which one of them is.
fn folder(truth: &Truth, command: &EvaluateDetections) -> Result<PathBuf, Failure> {
    let truth_file = std::path::absolute(&command.truth).unwrap_or_else(|_| command.truth.clone());
    let above: Vec<&Path> = truth_file.ancestors().skip(1).take(2).collect();
    let places = match (&command.images, &above[..]) {
        (Some(images), _) => vec![images.clone()],
        (None, [beside, above @ ..]) => {
            let above = above.iter().map(|above| above.join(IMAGES));
            [(*beside).to_owned(), beside.join(IMAGES)].into_iter().chain(above).collect()
        }
        (None, []) => Vec::new(),
    };
    let has_image = |place: &&PathBuf| truth.images.iter().any(|image| place.join(&image.file).is_file());
    match places.iter().find(has_image) {
        Some(place) => Ok(place.clone()),
        None => {
            let looked: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
            let words = match truth.images.first() {
                Some(image) => {
                    format!("none of the images, such as `{}`, is in {}", image.file, looked.join(", "))
                }
                None => format!("`{}` names no images", command.truth.display()),
            };
            Err(Failure::words(words).hint(Some("say where they are with `--images DIR`")))
        }
    }
}

/// The images of the truth as a clip.
fn footage(truth: &Truth, file: &Path, folder: &Path) -> Result<Footage, Failure> {
    let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(outside) = truth.images.iter().find(|image| !inside(Path::new(&image.file))) {
        return Err(Failure::words(format!(
            "`{}` names the image `{}`; expected a name within the folder of images",
            file.display(),
            outside.file
        )));
    }
    let files = truth.images.iter().map(|image| folder.join(&image.file)).collect();
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut named = whole.ancestors().filter_map(Path::file_name).map(|name| name.to_string_lossy());
    let set = named.find(|name| name != IMAGES).unwrap_or_default().into_owned();
    let part = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Footage::of_images(folder, format!("{set}/{part}"), files))
}

/// Stores the images that are not stored yet.
async fn import(session: &Session<'_>, footage: &Footage) -> Result<(Vec<Stored>, Vec<Refused>), Failure> {
    let bar = Bar::new("storing", "images", footage.count, session.output.is_json());
    let mut stored = Vec::new();
    let gone = watch(&session.store, footage, &session.ffmpeg, &[], |watched| {
        bar.set(watched.index + 1);
        let size = (watched.picture.width, watched.picture.height);
        stored.push(Stored { place: watched.index as usize, record: watched.record, size });
        Ok(())
    })
    .await?;
    bar.finish();
    Ok((stored, gone.refused))
}

/// What the plugin says of each image of the truth, asked now where it was not asked before; and the runs of the answers.
async fn answers(
    session: &Session<'_>,
    models: &Models,
    footage: &Footage,
    truth: &Truth,
    command: &EvaluateDetections,
    stored: &[Stored],
    refused: &mut Vec<Refused>,
) -> Result<(Vec<Option<Vec<Found>>>, Vec<i64>), Failure> {
    let records = stored.iter().map(|image| image.record).collect();
    let Asked { mut answers, mut runs } = asked(&session.store, &models.plugin, &records).await?;
    let waiting: Vec<Shown> =
        records.iter().filter(|record| !answers.contains_key(record)).map(Shown::from).collect();
    if !waiting.is_empty() {
        let live = session.live(models, footage).await?;
        runs.push(live.run());
        predict(session, &live, &waiting, &mut answers).await?;
        session.finish([live]).await?;
    }
    let mut found = vec![None; truth.images.len()];
    for image in stored {
        let file = &truth.images[image.place].file;
        let mut refuse = |reason| refused.push(Refused { file: file.clone(), reason });
        match truth.images[image.place].size {
            Some(size) if size != image.size => {
                let ((width, height), (found_width, found_height)) = (size, image.size);
                refuse(format!(
                    "it has {found_width} x {found_height} pixels, and its boxes were drawn in {width} x {height}"
                ));
            }
            _ => match answers
                .get(&image.record)
                .map_or_else(|| Err("there is no answer".to_owned()), list::<Found>)
            {
                Ok(mut boxes) => {
                    boxes.retain(|found| f64::from(found.score) >= command.score_min);
                    found[image.place] = Some(boxes);
                }
                Err(reason) => refuse(reason),
            },
        }
    }
    Ok((found, runs))
}

/// Asks about records, several batches at once, and stores what is said.
async fn predict(
    session: &Session<'_>,
    live: &Live,
    waiting: &[Shown],
    answers: &mut HashMap<i64, Answer>,
) -> Result<(), Failure> {
    let bar = Bar::new("detecting", "images", Some(waiting.len() as u64), session.output.is_json());
    let mut done = 0;
    let batches = waiting.chunks(live.records_at_once()).map(|batch| live.predict(batch));
    let mut said = futures::stream::iter(batches).buffered(batches_at_once());
    while let Some(said) = said.try_next().await.map_err(|error| score_failure(&error))? {
        live.write(&said).await.map_err(|error| score_failure(&error))?;
        let before = answers.len();
        answers.extend(said.answers());
        done += (answers.len() - before) as u64;
        bar.set(done);
    }
    bar.finish();
    Ok(())
}

fn draw(output: Output, document: &Document<'_>) {
    let Document { report, .. } = document;
    let count = |count: usize| format_count(count as u64);
    output.facts(&[
        ("plugin", document.model.clone()),
        ("images", count(report.images)),
        ("boxes drawn", count(report.truths)),
        (
            "boxes found",
            format!("{} with a score of at least {}", count(report.detections), document.score_min),
        ),
    ]);
    let renamed: Vec<String> = document
        .mapped
        .iter()
        .filter(|mapped| mapped.class != mapped.label)
        .map(|MappedClass { class, label }| format!("`{class}` is `{label}`"))
        .collect();
    tell(output, "classes of the truth by another name", &renamed);
    let left_out: Vec<String> = document
        .left_out
        .iter()
        .map(|LeftOut { class, boxes }| format!("`{class}` ({} boxes)", count(*boxes)))
        .collect();
    tell(output, "classes of the truth that the plugin does not know, left out", &left_out);
    tell(output, "labels that the truth does not know, left out", document.not_in_truth);
    output.line("");
    let plain = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let rows = [
        ("mAP (AP at 0.50 to 0.95)", estimate(report.map)),
        ("AP50", estimate(report.ap50)),
        ("AP75", plain(report.ap75)),
        (
            "AP of small, medium, large",
            [report.ap_small, report.ap_medium, report.ap_large].map(plain).join(", "),
        ),
        ("AR with 1, 10, 100 boxes", [report.ar1, report.ar10, report.ar100].map(plain).join(", ")),
    ];
    output.table(&["figure", "value#"], rows.map(|(name, value)| vec![name.to_owned(), value]));
    output.line("");
    let rows = report.classes.iter().map(|class| {
        vec![
            class.label.clone(),
            count(class.truths),
            count(class.detections),
            estimate(class.ap),
            plain(class.ap50),
            plain(class.ar100),
        ]
    });
    output.table(&["class", "drawn#", "found#", "AP#", "AP50#", "AR#"], rows);
    for Refused { file, reason } in document.refused {
        output.line(&format!("set aside `{file}`: {reason}"));
    }
}

fn tell(output: Output, what: &str, which: &[String]) {
    if !which.is_empty() {
        output.line(&format!("{what}: {}", which.join(", ")));
    }
}

fn estimate(figure: Option<Estimate>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(Estimate { value, interval: None }) => format!("{value:.4}"),
        Some(Estimate { value, interval: Some(interval) }) => {
            format!("{value:.4} ({:.4} to {:.4})", interval.low, interval.high)
        }
    }
}
