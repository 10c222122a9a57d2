//! `foretell-medical export`

use std::path::Path;

use foretell_media::MediaError;
use foretell_media::dicom::report::{Finding, Report};
use foretell_media::dicom::segmentation::{self, Segmentation};
use foretell_media::dicom::{Algorithm, SourceImage};
use foretell_runtime::manifest::{Fitting, Manifest, Task};
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use foretell_store::prediction::{Prediction, PredictionFilter};
use foretell_store::record::Record;
use foretell_terminal::{Failure, Output, Place, check_absent, exit, save};
use serde::Serialize;

use crate::card::{Mask, Opinion, novelty_sentence};
use crate::payload::{Identifiers, Payload};
use crate::{NOTICE, arguments, locate};

/// Media type of the images that can be referred to.
const DICOM: &str = "application/dicom";

#[derive(Serialize)]
struct Exported {
    notice: &'static str,
    record: i64,
    files: Vec<File>,
    /// Whether the image, and so what is written, says whose it is.
    has_identifiers: bool,
}

#[derive(Serialize)]
struct File {
    /// `report` or `segmentation`.
    kind: &'static str,
    file: String,
    plugin: String,
    run: i64,
    bytes: usize,
    /// What it says, in a sentence.
    says: String,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Export) -> Result<u8, Failure> {
    for file in command.sr.iter().chain(&command.seg) {
        check_absent(file, command.force)?;
    }
    let store = place.open_read_only().await?;
    let record = locate::stored(place, &store, &command.target).await?;
    let image = Image::read(&store, &record).await?;
    let mut files = Vec::new();
    // Both are made before either is written.
    if let Some(file) = &command.sr {
        let stored =
            Stored::latest(&store, record.id, command.run, "classification", is_classification).await?;
        files.push((file, stored.report(&image)?));
    }
    if let Some(file) = &command.seg {
        let stored = Stored::latest(&store, record.id, command.run, "segmentation", is_segmentation).await?;
        files.push((file, stored.segmentation(&image)?));
    }
    let mut written = Vec::new();
    for (path, (mut file, bytes)) in files {
        save(path, &bytes, command.force)?;
        file.file = path.display().to_string();
        file.bytes = bytes.len();
        written.push(file);
    }
    let exported = Exported {
        notice: NOTICE,
        record: record.id,
        files: written,
        has_identifiers: image.has_identifiers,
    };
    output.show(&exported, |output| draw(output, &exported));
    Ok(exit::DONE)
}

fn draw(output: Output, exported: &Exported) {
    for file in &exported.files {
        output.line(&format!(
            "{}: {} of {}, run {}: {}",
            file.file, file.kind, file.plugin, file.run, file.says
        ));
    }
    if exported.has_identifiers {
        output.line(
            "the image was imported with the identifiers of its patient, and so these files have them too",
        );
    }
    output.line(NOTICE);
}

/// The stored image that results refer to.
struct Image {
    source: SourceImage,
    /// From 1; none where there is one alone.
    frame: Option<u32>,
    has_identifiers: bool,
}

impl Image {
    async fn read(store: &Store, record: &Record) -> Result<Image, Failure> {
        let payload = Payload::read(record)?;
        if payload.format != DICOM {
            let found = format!(
                "record {} is of type {}; only of an image that came as DICOM can results be written as DICOM, since they \
                 refer to it",
                record.id, payload.format
            );
            return Err(Failure::words(found)
                .hint(Some("`predict` with `--html` or `--png` writes a card of any image")));
        }
        let (hash, frame) = payload.blob();
        let bytes =
            store.read_blob(hash).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
        let source = SourceImage::read(&bytes).map_err(|error| media_failure(&error))?;
        let frame = (source.frames > 1).then_some(frame);
        Ok(Image { source, frame, has_identifiers: payload.identifiers == Some(Identifiers::Kept) })
    }
}

fn media_failure(error: &MediaError) -> Failure {
    Failure::new(error)
}

fn is_classification(task: Task) -> bool {
    matches!(task, Task::BinaryClassification | Task::MulticlassClassification)
}

fn is_segmentation(task: Task) -> bool {
    task == Task::Segmentation
}

/// A stored prediction with what made it.
struct Stored {
    prediction: Prediction,
    run: Run,
    manifest: Manifest,
}

impl Stored {
    /// The latest prediction of a record of a kind of task that answered somebody; or that of a run, whoever it answered.
    async fn latest(
        store: &Store,
        record: i64,
        wanted: Option<i64>,
        kind: &str,
        is_kind: fn(Task) -> bool,
    ) -> Result<Stored, Failure> {
        let predictions = store
            .predictions(PredictionFilter::Record(record), u32::MAX)
            .await
            .map_err(|error| Failure::new(&error).hint(error.hint()))?;
        for prediction in predictions.into_iter().rev() {
            if wanted.is_some_and(|wanted| wanted != prediction.run_id) {
                continue;
            }
            let run = store
                .run(prediction.run_id)
                .await
                .map_err(|error| Failure::new(&error).hint(error.hint()))?;
            let Some(run) = run.filter(|run| wanted.is_some() || !run.shadow) else { continue };
            let origin = format!("manifest of {} in the database", run.plugin.name);
            let manifest = Manifest::parse(&run.plugin.manifest, Path::new(&origin))
                .map_err(|error| Failure::new(&error))?;
            if is_kind(manifest.plugin.task) {
                return Ok(Stored { prediction, run, manifest });
            }
        }
        let of = wanted.map(|run| format!(" in run {run}")).unwrap_or_default();
        Err(Failure::words(format!("record {record} has no stored {kind}{of}"))
            .hint(Some("`foretell-medical show` lists what is stored, `foretell-medical predict` predicts")))
    }

    /// What made it, with what it takes to make it again.
    fn algorithm(&self) -> Algorithm {
        let Run { plugin, models, config, .. } = &self.run;
        let mut parameters = vec![
            format!("record = {}", self.prediction.record_id),
            format!("run = {}", self.run.id),
            format!("library blake3 = {}", plugin.library_hash),
        ];
        parameters.extend(models.iter().map(|model| format!("model {} blake3 = {}", model.name, model.hash)));
        let threshold = self.manifest.decision();
        parameters.extend(threshold.map(|(label, threshold)| format!("threshold of {label} = {threshold}")));
        if config != "{}" {
            parameters.push(format!("config = {config}"));
        }
        parameters.push(format!("ONNX Runtime = {}", self.run.onnxruntime));
        parameters.push(format!("program = {}", self.run.program));
        Algorithm { name: plugin.name.clone(), version: plugin.version.clone(), parameters }
    }

    fn report(&self, image: &Image) -> Result<(File, Vec<u8>), Failure> {
        let Prediction { score, label, output, .. } = &self.prediction;
        let opinion =
            Opinion::read(&self.manifest, *score, label.as_deref(), output.as_deref()).map_err(|what| {
                Failure::words(format!(
                    "the prediction of run {} for record {} {what}",
                    self.run.id, self.prediction.record_id
                ))
            })?;
        let report = Report {
            frame: image.frame,
            algorithm: self.algorithm(),
            findings: findings(&self.manifest, &opinion),
            is_novel: opinion.novelty.map(|novelty| novelty.is_unfamiliar),
            notice: NOTICE.to_owned(),
            notes: opinion.novelty.iter().map(novelty_sentence).collect(),
            time_us: self.run.started_at,
        };
        let bytes = report.to_bytes(&image.source).map_err(|error| media_failure(&error))?;
        let says = opinion.decision.clone().unwrap_or_default();
        let says = if opinion.is_unfamiliar() { format!("{says}, though unfamiliar") } else { says };
        Ok((self.file("report", says), bytes))
    }

    fn segmentation(&self, image: &Image) -> Result<(File, Vec<u8>), Failure> {
        let labels = &self.manifest.output.labels;
        let seen = self.manifest.inputs.iter().find_map(|input| input.picture());
        if seen.is_some_and(|seen| seen.fit != Fitting::Stretch) {
            let found = format!("{} sees a part of the image or bars beside it", self.run.plugin.name);
            return Err(Failure::words(format!(
                "{found}, so its mask does not lie over the whole image; only one that does can be written"
            )));
        }
        let mask = Mask::read(self.prediction.output.as_deref().unwrap_or_default(), labels)
            .map_err(|error| Failure::new(&error))?;
        let (rows, columns) = (image.source.rows, image.source.columns);
        let mask = mask.resized(usize::from(rows), usize::from(columns));
        let segmentation = Segmentation {
            frame: image.frame,
            mask: segmentation::Mask {
                height: u32::from(rows),
                width: u32::from(columns),
                classes: &mask.classes,
            },
            labels: labels.get(1..).unwrap_or_default(),
            algorithm: &self.algorithm(),
            time_us: self.run.started_at,
        };
        let bytes = segmentation.to_bytes(&image.source).map_err(|error| media_failure(&error))?;
        let share = |(class, label): (u8, &str)| format!("{label} {:.1} %", 100.0 * mask.share(class));
        let says = mask.foreground().map(share).collect::<Vec<_>>().join(", ");
        Ok((self.file("segmentation", format!("{says} of {columns} x {rows} pixels")), bytes))
    }

    fn file(&self, kind: &'static str, says: String) -> File {
        let plugin = format!("{}@{}", self.run.plugin.name, self.run.plugin.version);
        File { kind, file: String::new(), plugin, run: self.run.id, bytes: 0, says }
    }
}

/// All classes: of a binary classification, the other one has the rest of the probability.
fn findings(manifest: &Manifest, opinion: &Opinion) -> Vec<Finding> {
    let score_of = |label: &String| {
        let own = opinion.scores.iter().find(|(scored, _)| scored == label).map(|(_, score)| *score);
        own.or_else(|| opinion.leading().map(|(_, score)| 1.0 - score))
    };
    let labels = manifest.output.labels.iter();
    let found = labels.filter_map(|label| {
        let is_predicted = opinion.decision.as_ref() == Some(label);
        Some(Finding { label: label.clone(), score: score_of(label)?, is_predicted })
    });
    found.collect()
}
