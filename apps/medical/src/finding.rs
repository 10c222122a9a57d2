//! What plugins found in an image, as a [`Card`] shows it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use foretell_media::{Media, Picture, SampleType};
use foretell_runtime::manifest::Manifest;
use foretell_store::lineage::Run;
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::prediction::{
    Answered, AnsweredFilter, Prediction, RunSelection, ScoredError, ScoredErrorKind, Unanswered,
};
use foretell_store::record::{LabelValue, Record};
use foretell_terminal::Failure;
use tokio::task::spawn_blocking;

use crate::card::{Card, Opinion};
use crate::payload::{Identifiers, Payload};
use crate::{DOMAIN, FINDING, OUTLINE};

/// Records whose answers are in memory at the same time while they are read: masks are large as JSON.
const READ_TOGETHER: usize = 256;

/// The card of a record, without opinions.
///
/// # Errors
/// The record is no image, or the database cannot be read. An image that can't be decoded has no picture.
pub async fn card(store: &Store, record: &Record) -> Result<Card, Failure> {
    let picture = picture(store, record).await?;
    Ok(Card { picture: picture.ok(), ..bare_card(store, record).await? })
}

/// The card of a record, without opinions and without its picture.
///
/// # Errors
/// The record is no image, or the database cannot be read.
pub async fn bare_card(store: &Store, record: &Record) -> Result<Card, Failure> {
    let labels = store.labels(record.id).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    // The one that holds comes last.
    let holding: HashMap<String, LabelValue> =
        labels.into_iter().map(|label| (label.name, label.value)).collect();
    let mut card = labelled_card(record, holding.get(FINDING))?;
    if holding.contains_key(OUTLINE) {
        card.facts.push(("outline".to_owned(), "drawn by hand".to_owned()));
    }
    Ok(card)
}

/// The card of a record that was found to show something, without opinions and without its picture.
///
/// # Errors
/// The record is no image.
pub fn labelled_card(record: &Record, finding: Option<&LabelValue>) -> Result<Card, Failure> {
    let payload = Payload::read(record)?;
    let mut facts = facts(&payload);
    if let Some(LabelValue::Text(finding)) = finding {
        facts.push(("labelled".to_owned(), finding.clone()));
    }
    Ok(Card { record: record.id, title: title(record, &payload), facts, picture: None, opinions: Vec::new() })
}

/// What an image is called: by its file, else by its id.
pub fn title(record: &Record, payload: &Payload) -> String {
    let name = payload.file.clone().or_else(|| record.external_id.clone());
    name.unwrap_or_else(|| format!("record {}", record.id))
}

fn facts(payload: &Payload) -> Vec<(String, String)> {
    let (_, frame) = payload.blob();
    let identifiers = payload.identifiers.map(|identifiers| match (identifiers, payload.removed_count) {
        (Identifiers::Removed, Some(count)) => format!("removed ({count} values)"),
        (Identifiers::Removed, None) => "removed".to_owned(),
        (Identifiers::Kept, _) => "KEPT".to_owned(),
    });
    let facts = [
        ("format", Some(payload.format.clone())),
        ("size", Some(format!("{} x {} pixels", payload.width, payload.height))),
        ("frame", (frame > 1).then(|| frame.to_string())),
        ("modality", payload.modality.clone()),
        ("body part", payload.body_part.clone()),
        ("view", payload.view_position.clone()),
        ("patient", payload.patient.clone()),
        ("study", payload.study.clone()),
        ("identifiers", identifiers),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect()
}

/// The picture of a record as a person is shown it, or why it can't be shown.
///
/// # Errors
/// The record is no image.
pub async fn picture(store: &Store, record: &Record) -> Result<Result<Picture, String>, Failure> {
    let payload = Payload::read(record)?;
    let (hash, frame) = payload.blob();
    let bytes = match store.read_blob(hash).await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(format!("{error}: {}", error.kind))),
    };
    let decoded = spawn_blocking(move || Media::open_owned(bytes)?.picture(frame, SampleType::U8));
    let decoded = decoded.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    Ok(decoded.map_err(|error| error.to_string()))
}

/// Answers of the past, each with the run that gave it.
#[derive(Debug, Default)]
pub struct Answers {
    /// What was predicted, by record.
    pub answered: HashMap<i64, Answered>,
    /// What was set aside, and has no prediction, by record.
    pub unanswered: HashMap<i64, Unanswered>,
    /// The runs of both, by id.
    pub runs: HashMap<i64, Arc<Source>>,
}

/// What gave an answer.
#[derive(Debug)]
pub struct Source {
    /// The run.
    pub run: Run,
    /// The manifest of its plugin.
    pub manifest: Manifest,
}

impl Source {
    /// The run with this id, and what it says of itself.
    ///
    /// # Errors
    /// The database cannot be read, or the manifest that it has is of another version.
    pub async fn load(store: &Store, run_id: i64) -> Result<Self, Failure> {
        let run = store.run(run_id).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
        let run = run.ok_or_else(|| Failure::words(format!("there is no run {run_id}")))?;
        let origin = format!("the manifest that is stored with run {run_id}");
        let manifest = Manifest::parse(&run.plugin.manifest, Path::new(&origin))
            .map_err(|error| Failure::new(&error))?;
        Ok(Self { run, manifest })
    }
}

impl Answers {
    /// The latest answers of some runs for some records, beside the label of this name; none where the plugin was never
    /// asked.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn read(
        store: &Store,
        runs: &RunSelection,
        records: &Members,
        label: &str,
    ) -> Result<Self, Failure> {
        let mut answers = Self::default();
        let filter = |records| AnsweredFilter {
            domain: DOMAIN.to_owned(),
            runs: runs.clone(),
            records,
            label: label.to_owned(),
        };
        match store.unanswered(&filter(records.clone())).await {
            Ok(unanswered) => {
                answers.unanswered.extend(unanswered.into_iter().map(|aside| (aside.record_id, aside)));
            }
            Err(ScoredError { kind: ScoredErrorKind::NoRun, .. }) => return Ok(answers),
            Err(error) => return Err(Failure::new(&error).hint(error.kind.hint())),
        }
        let answered = store.answered(&filter(records.clone())).await;
        let answered = answered.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
        for answer in answered {
            // What was set aside once and predicted later is predicted; and the other way round.
            match answers.unanswered.get(&answer.record_id) {
                Some(aside) if aside.run_id > answer.run_id => (),
                _ => {
                    answers.unanswered.remove(&answer.record_id);
                    answers.answered.insert(answer.record_id, answer);
                }
            }
        }
        let mut ids: Vec<i64> = answers.answered.values().map(|answer| answer.run_id).collect();
        ids.extend(answers.unanswered.values().map(|aside| aside.run_id));
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            answers.runs.insert(id, Arc::new(Source::load(store, id).await?));
        }
        Ok(answers)
    }

    /// The opinion on a record; none where nobody was asked.
    ///
    /// # Errors
    /// What is stored is not what the manifest says.
    pub fn opinion(&self, record: i64) -> Result<Option<Opinion>, Failure> {
        if let Some(answer) = self.answered.get(&record) {
            return opinion(&self.runs[&answer.run_id], answer).map(Some);
        }
        let Some(aside) = self.unanswered.get(&record) else { return Ok(None) };
        let field = aside.field.as_deref().map(|field| format!("`{field}`: ")).unwrap_or_default();
        let refused = Some(format!("{field}{}", aside.reason));
        Ok(Some(Opinion { refused, ..Opinion::default() }.of_run(&self.runs[&aside.run_id].run)))
    }
}

/// Reads answers a few hundred records at a time, and hands them on.
///
/// # Errors
/// As [`Answers::read`], and those of `each`.
pub async fn read_in_pieces(
    store: &Store,
    runs: &RunSelection,
    records: &Members,
    label: &str,
    mut each: impl FnMut(&Answers) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let ids: Vec<i64> = records.iter().collect();
    for ids in ids.chunks(READ_TOGETHER) {
        let answers = Answers::read(store, runs, &ids.iter().copied().collect(), label).await?;
        each(&answers)?;
    }
    Ok(())
}

/// A stored answer in the words of its plugin's manifest.
///
/// # Errors
/// What is stored is not what the manifest says: another program wrote it.
pub fn opinion(source: &Source, answer: &Answered) -> Result<Opinion, Failure> {
    let Answered { record_id, score, ref decision, ref output, .. } = *answer;
    read(source, record_id, score, decision.as_deref(), output.as_deref())
}

/// [`opinion`], of a prediction as it is stored.
///
/// # Errors
/// As [`opinion`].
pub fn opinion_of(source: &Source, prediction: &Prediction) -> Result<Opinion, Failure> {
    let Prediction { record_id, score, ref label, ref output, .. } = *prediction;
    read(source, record_id, score, label.as_deref(), output.as_deref())
}

fn read(
    source: &Source,
    record: i64,
    score: Option<f64>,
    decision: Option<&str>,
    output: Option<&str>,
) -> Result<Opinion, Failure> {
    let Source { run, manifest } = source;
    let said = Opinion::read(manifest, score, decision, output).map_err(|what| {
        Failure::words(format!("the prediction of run {} for record {record} {what}", run.id))
    })?;
    Ok(said.of_run(run))
}

#[cfg(test)]
mod tests {
    use foretell_store::lineage::PluginVersion;

    use super::*;
    use crate::card::Novelty;

    fn source(manifest: &str) -> Source {
        let manifest = Manifest::parse(manifest, Path::new("plugin.toml")).unwrap();
        let plugin = PluginVersion {
            name: manifest.plugin.name.clone(),
            version: manifest.plugin.version.to_string(),
            domain: DOMAIN.into(),
            task: manifest.plugin.task.to_string(),
            library_hash: "a".into(),
            manifest_hash: "b".into(),
            manifest: String::new(),
        };
        let run = Run {
            id: 7,
            plugin_version_id: 1,
            plugin,
            models: vec![],
            config: "{}".into(),
            config_hash: "c".into(),
            onnxruntime: "1.32.0".into(),
            threads: 1,
            program: "tests".into(),
            author: "tests".into(),
            selection: "{}".into(),
            shadow: false,
            record_watermark: 1,
            label_watermark: 0,
            started_at: 0,
            finished_at: None,
        };
        Source { run, manifest }
    }

    fn answer(score: Option<f64>, decision: Option<&str>, output: Option<&str>) -> Answered {
        Answered {
            record_id: 3,
            run_id: 7,
            score,
            decision: decision.map(str::to_owned),
            output: output.map(str::to_owned),
            label: None,
        }
    }

    #[test]
    fn answers_are_told_in_the_words_of_the_manifest() {
        let chest = source(include_str!("../../../plugins/medical/chest-xray/plugin.toml"));
        let (_, threshold) = chest.manifest.decision().unwrap();
        let limit = chest.manifest.output.novelty.as_ref().unwrap().threshold;
        let seen = opinion(
            &chest,
            &answer(Some(0.75), Some("pneumonia"), Some(r#"{"novelty":2.5,"unfamiliar":true}"#)),
        );
        let seen = seen.unwrap();
        assert_eq!(seen.scores, [("pneumonia".to_owned(), 0.75)]);
        assert_eq!((seen.threshold, seen.run), (Some(threshold), Some(7)));
        assert_eq!(seen.novelty, Some(Novelty { distance: 2.5, limit, is_unfamiliar: true }));

        let tumor = source(include_str!("../../../plugins/medical/brain-tumor/plugin.toml"));
        let scores = r#"{"glioma":0.25,"meningioma":0.5,"pituitary":0.25,"novelty":1,"unfamiliar":false}"#;
        let seen = opinion(&tumor, &answer(Some(0.5), Some("meningioma"), Some(scores))).unwrap();
        assert_eq!(seen.leading(), Some(("meningioma", 0.5)));
        assert_eq!(seen.scores.len(), 3);
        let failure =
            opinion(&tumor, &answer(Some(0.5), Some("glioma"), Some(r#"{"glioma":0.5}"#))).unwrap_err();
        assert!(failure.to_string().contains("run 7 for record 3"), "{failure}");

        let outline = source(include_str!("../../../plugins/medical/brain-outline/plugin.toml"));
        let mask = r#"{"height":1,"width":4,"classes":[[0,1],[1,3]]}"#;
        let seen = opinion(&outline, &answer(None, None, Some(mask))).unwrap();
        assert_eq!(seen.mask.unwrap().classes, [0, 1, 1, 1]);
        assert!(opinion(&outline, &answer(None, None, Some("{}"))).is_err());
    }
}
