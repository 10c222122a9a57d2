//! Comparing: what two runs said of the same records.

use std::path::Path;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::comparison::{Columns, Comparison, ComparisonError, Decisions, most_moved};
use foretell_runtime::manifest::{MANIFEST_FILE, Manifest, Task};
use foretell_store::fault::ReadError;
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use foretell_store::prediction::{CLASSES_MAX, Paired, PairedError, PairedFilter};
use foretell_store::time::format_time;
use serde::Serialize;
use thiserror::Error;

/// The most records that a comparison lists one by one.
pub const MOVED_MAX: usize = 1_000;

/// Resamples for the intervals of metrics; fewer where there are many labelled records.
const REPLICATES: u32 = 200;

/// A numeric label above this is taken for true.
const LABEL_TRUE_ABOVE: f64 = 0.5;

/// Why two runs cannot be compared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There is no such run.
    #[error("there is no run {0}; `foretell prediction runs` lists them")]
    UnknownRun(i64),
    /// The runs are about records of different kinds.
    #[error(
        "run {old_run} is of domain `{old}`, and run {new_run} of domain `{new}`; expected two runs of one domain"
    )]
    Domains {
        /// The run that is compared with.
        old_run: i64,
        /// Its domain.
        old: String,
        /// The run that is compared.
        new_run: i64,
        /// Its domain.
        new: String,
    },
    /// The scores of the runs mean different things.
    #[error("run {old_run} does {old}, and run {new_run} does {new}; expected two runs of one task")]
    Tasks {
        /// The run that is compared with.
        old_run: i64,
        /// Its task.
        old: String,
        /// The run that is compared.
        new_run: i64,
        /// Its task.
        new: String,
    },
    /// A label was asked for, and the scores are not about true or false.
    #[error("both runs do {task}, and a label is compared with the scores of {expected} alone", expected = Task::BinaryClassification)]
    LabelOfTask {
        /// What both do.
        task: String,
    },
    /// The predictions of the task are no scores.
    #[error("both runs do {task}, whose predictions have no score to compare")]
    NoScores {
        /// What both do.
        task: String,
    },
    /// No record was scored by both.
    #[error(
        "runs {old_run} and {new_run} have no record in common: only the first scored {only_old}, and only the second {only_new}"
    )]
    NothingInCommon {
        /// The run that is compared with.
        old_run: i64,
        /// The run that is compared.
        new_run: i64,
        /// Records that only the old run scored.
        only_old: u64,
        /// Records that only the new run scored.
        only_new: u64,
    },
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The predictions could not be read.
    #[error(transparent)]
    Pairs(#[from] PairedError),
    /// The scores cannot be compared.
    #[error(transparent)]
    Compare(#[from] ComparisonError),
    /// The thread that computes ended before it was done.
    #[error("the comparing thread stopped before the end; this is a defect of foretell, please report it")]
    Stopped,
}

impl CompareError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Domains { .. } | Self::Tasks { .. } => {
                Some("list the runs of the domain, and choose two of one task")
            }
            Self::LabelOfTask { .. } => Some("compare without a label"),
            Self::NothingInCommon { .. } => Some("score the records of one run with the plugin of the other"),
            Self::Read(error) => error.hint(),
            Self::Pairs(error) => error.kind.hint(),
            _ => None,
        }
    }
}

/// What to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareOptions {
    /// The run that is compared with.
    pub old_run: i64,
    /// The run that is compared.
    pub new_run: i64,
    /// The name of the label that says what was true, of a binary classification. A number counts as true above 0.5.
    pub label: Option<String>,
    /// How many of the records that moved most are listed; at most [`MOVED_MAX`].
    pub moved: usize,
    /// Seed of the resampling that makes intervals.
    pub seed: u64,
}

/// What comparing found. New minus old, wherever there is a difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompareReport {
    /// The domain of both runs.
    pub domain: String,
    /// The task of both runs.
    pub task: String,
    /// What of each prediction is compared, where that is not all of it: `first item`, `first step`, `surest box`.
    pub by: Option<&'static str>,
    /// The run that is compared with.
    pub old: ComparedRun,
    /// The run that is compared.
    pub new: ComparedRun,
    /// What both runs have in common.
    pub same: Same,
    /// The name of the label, if one was asked for.
    pub label: Option<String>,
    /// Records that only the old run scored; they are not compared.
    pub only_old: u64,
    /// Records that only the new run scored; they are not compared.
    pub only_new: u64,
    /// Agreement, shift, and metrics, of the records that both scored.
    pub comparison: Comparison,
    /// The records whose scores moved most, the greatest move first; of equally great ones the earlier stored.
    pub moved: Vec<Moved>,
}

/// What made one side's predictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedRun {
    /// The run.
    pub run: i64,
    /// `name@version`.
    pub plugin: String,
    /// BLAKE3 of its library, hexadecimal.
    pub library_hash: String,
    /// Its models, by name.
    pub models: Vec<ComparedModel>,
    /// BLAKE3 of its settings, hexadecimal.
    pub settings_hash: String,
    /// When it began, as RFC 3339.
    pub started_at: String,
    /// When it was complete, as RFC 3339; null while it runs, and for one that stopped half way.
    pub finished_at: Option<String>,
}

/// A model of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ComparedModel {
    /// The slot that it fills.
    pub name: String,
    /// BLAKE3 of its file, hexadecimal.
    pub hash: String,
}

/// What two runs have in common. Where all is the same, scores differ by what history could see, or by ONNX Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Same {
    /// Name, version, library and manifest, to the byte.
    pub plugin: bool,
    /// All models, to the byte.
    pub models: bool,
    /// The settings.
    pub settings: bool,
}

/// A record whose score moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// The record.
    pub record: i64,
    /// The name that the user's own system gives it.
    pub external_id: Option<String>,
    /// When it happened, as RFC 3339.
    pub event_time: String,
    /// Score of the old run.
    pub old_score: f64,
    /// Score of the new run.
    pub new_score: f64,
    /// What the old run decided.
    pub old_decision: Option<String>,
    /// What the new run decided.
    pub new_decision: Option<String>,
    /// What is known to be true; null where nothing is, and if no label was asked for.
    pub label: Option<f64>,
}

/// Compares what two runs said of the records that both scored.
///
/// All scores are in memory while it works, about 130 bytes a record with a label and 80 without; the computing is done on a thread of its
/// own.
pub async fn compare(store: &Store, options: CompareOptions) -> Result<CompareReport, CompareError> {
    let (old_run, new_run) = (options.old_run, options.new_run);
    let old = store.run(old_run).await?.ok_or(CompareError::UnknownRun(old_run))?;
    let new = store.run(new_run).await?.ok_or(CompareError::UnknownRun(new_run))?;
    check(&old, &new, &options)?;
    let filter = PairedFilter { label: options.label.clone(), ..PairedFilter::new(old_run, new_run) };
    let paired = store.paired(&filter).await?;
    if paired.is_empty() {
        let Paired { only_old, only_new, .. } = paired;
        return Err(CompareError::NothingInCommon { old_run, new_run, only_old, only_new });
    }
    let (positive, seed, count) = (positive_class(&old, &new), options.seed, options.moved.min(MOVED_MAX));
    let compute = move || {
        let comparison = compute(&paired, positive, seed)?;
        let rows = most_moved(&paired.old_scores, &paired.new_scores, count);
        Ok::<_, ComparisonError>((paired, comparison, rows))
    };
    let (paired, comparison, rows) =
        tokio::task::spawn_blocking(compute).await.map_err(|_| CompareError::Stopped)??;
    let (old_side, new_side) = (ComparedRun::new(&old), ComparedRun::new(&new));
    Ok(CompareReport {
        same: Same {
            plugin: old.plugin == new.plugin,
            models: old_side.models == new_side.models,
            settings: old.config == new.config,
        },
        by: part(&new.plugin.task),
        domain: new.plugin.domain,
        task: new.plugin.task,
        old: old_side,
        new: new_side,
        label: options.label,
        only_old: paired.only_old,
        only_new: paired.only_new,
        comparison,
        moved: moved(store, &paired, &rows).await?,
    })
}

/// Whether the scores of the runs, and the label, mean the same thing.
fn check(old: &Run, new: &Run, options: &CompareOptions) -> Result<(), CompareError> {
    let (old_run, new_run) = (old.id, new.id);
    if old.plugin.domain != new.plugin.domain {
        let (old, new) = (old.plugin.domain.clone(), new.plugin.domain.clone());
        return Err(CompareError::Domains { old_run, old, new_run, new });
    }
    if old.plugin.task != new.plugin.task {
        let (old, new) = (old.plugin.task.clone(), new.plugin.task.clone());
        return Err(CompareError::Tasks { old_run, old, new_run, new });
    }
    if new.plugin.task == Task::Segmentation.to_string() {
        return Err(CompareError::NoScores { task: new.plugin.task.clone() });
    }
    if options.label.is_some() && new.plugin.task != Task::BinaryClassification.to_string() {
        return Err(CompareError::LabelOfTask { task: new.plugin.task.clone() });
    }
    Ok(())
}

/// What of a prediction its score and its label are about, where that is not all of it.
fn part(task: &str) -> Option<&'static str> {
    const PARTS: [(Task, &str); 4] = [
        (Task::Ranking, "first item"),
        (Task::Forecast, "first step"),
        (Task::Detection, "surest box"),
        (Task::Tracking, "surest box"),
    ];
    PARTS.into_iter().find(|(of, _)| of.to_string() == task).map(|(_, part)| part)
}

/// The class that a true label means, if both plugins call it the same.
fn positive_class(old: &Run, new: &Run) -> Option<String> {
    let of = |run: &Run| {
        // A manifest that this version cannot read names no class.
        Manifest::parse(&run.plugin.manifest, Path::new(MANIFEST_FILE)).ok()?.output.positive
    };
    of(old).filter(|class| of(new).as_ref() == Some(class))
}

fn compute(paired: &Paired, positive: Option<String>, seed: u64) -> Result<Comparison, ComparisonError> {
    let mut classes = paired.classes.clone();
    let positive = positive.and_then(|name| {
        let code = classes.iter().position(|class| *class == name).unwrap_or(classes.len());
        if code == classes.len() && code < CLASSES_MAX {
            // Neither run decided on it.
            classes.push(name);
        }
        u16::try_from(code).ok()
    });
    let decided = [&paired.old_decisions, &paired.new_decisions]
        .into_iter()
        .any(|column| column.iter().any(Option::is_some));
    let labels: Vec<Option<bool>> =
        paired.labels.iter().map(|label| label.map(|number| number > LABEL_TRUE_ABOVE)).collect();
    let columns = Columns {
        old: &paired.old_scores,
        new: &paired.new_scores,
        decisions: decided.then_some(Decisions {
            classes: &classes,
            old: &paired.old_decisions,
            new: &paired.new_decisions,
            positive,
        }),
        // The column is empty where no label was asked for, and there is a record.
        labels: (!labels.is_empty()).then_some(&labels),
    };
    Comparison::new(&columns, Some(Bootstrap { replicates: REPLICATES, seed, ..Bootstrap::default() }))
}

async fn moved(store: &Store, paired: &Paired, rows: &[usize]) -> Result<Vec<Moved>, ReadError> {
    let name = |code: Option<u16>| paired.classes.get(usize::from(code?)).cloned();
    let mut moved = Vec::with_capacity(rows.len());
    for &row in rows {
        // Records are never removed, so one that was predicted is there.
        let Some(record) = store.record(paired.record_ids[row]).await? else { continue };
        moved.push(Moved {
            record: record.id,
            external_id: record.external_id,
            event_time: format_time(record.event_time),
            old_score: paired.old_scores[row],
            new_score: paired.new_scores[row],
            old_decision: name(paired.old_decisions[row]),
            new_decision: name(paired.new_decisions[row]),
            label: paired.labels.get(row).copied().flatten(),
        });
    }
    Ok(moved)
}

impl ComparedRun {
    fn new(run: &Run) -> Self {
        let model = |model: &foretell_store::lineage::Model| ComparedModel {
            name: model.name.clone(),
            hash: model.hash.clone(),
        };
        let mut models: Vec<_> = run.models.iter().map(model).collect();
        models.sort_unstable();
        Self {
            run: run.id,
            plugin: format!("{}@{}", run.plugin.name, run.plugin.version),
            library_hash: run.plugin.library_hash.clone(),
            models,
            settings_hash: run.config_hash.clone(),
            started_at: format_time(run.started_at),
            finished_at: run.finished_at.map(format_time),
        }
    }
}
