//! `foretell-medical evaluate`

use std::sync::Arc;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::report::Estimate;
use foretell_runtime::manifest::Task;
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::prediction::RunSelection;
use foretell_store::selection::Selection;
use foretell_terminal::{Failure, Output, Place, exit, format_count, format_percent};
use serde::Serialize;

use crate::evaluation::{Evaluation, Figures, Rows};
use crate::finding::{Answers, Source, read_in_pieces};
use crate::{DOMAIN, FINDING, NOTICE, OUTLINE, arguments};

#[derive(Serialize)]
struct Document {
    notice: &'static str,
    evaluations: Vec<Evaluation>,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Evaluate) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let records = store.selected(&selection(command)).await.map_err(|error| {
        let hint = error.kind.hint().map(str::to_owned);
        Failure::new(&error).hint(hint)
    })?;
    let bootstrap = (command.resamples > 0).then(|| Bootstrap {
        replicates: command.resamples,
        seed: command.seed,
        ..Bootstrap::default()
    });
    let runs: Vec<RunSelection> = match command.run {
        Some(run) => vec![RunSelection::Run(run)],
        None => command.model.plugins().into_iter().map(of_plugin).collect(),
    };
    let (mut evaluations, mut unlabelled) = (Vec::new(), 0);
    for runs in &runs {
        let Some((rows, source, ids)) = rows(&store, runs, &records).await? else { continue };
        unlabelled += rows.unlabelled();
        if !rows.is_empty() {
            evaluations.push(rows.evaluate(&source.manifest, ids, bootstrap)?);
        }
    }
    if evaluations.is_empty() {
        return Err(nothing(records.len(), unlabelled));
    }
    let document = Document { notice: NOTICE, evaluations };
    output.show(&document, |output| {
        for evaluation in &document.evaluations {
            draw(output, evaluation);
        }
        output.line(NOTICE);
    });
    Ok(exit::DONE)
}

fn of_plugin(wanted: &str) -> RunSelection {
    let (name, version) = match wanted.split_once('@') {
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (wanted, None),
    };
    RunSelection::Plugin { name: name.to_owned(), version }
}

fn selection(command: &arguments::Evaluate) -> Selection {
    let files = command.files.as_ref().map(|prefix| {
        let quoted = prefix.replace('\'', "''");
        format!("substr(file, 1, {}) = '{quoted}'", prefix.chars().count())
    });
    let condition = match (files, &command.condition) {
        (Some(files), Some(condition)) => Some(format!("{files} AND ({condition})")),
        (files, condition) => files.or(condition.clone()),
    };
    Selection {
        from: command.within.from,
        to: command.within.to,
        key: command.within.key.clone(),
        source: command.source,
        condition,
        ..Selection::domain(DOMAIN)
    }
}

/// What was predicted of these records and what they show, with the latest run and the ids of all; nothing where nothing
/// was predicted.
async fn rows(
    store: &Store,
    runs: &RunSelection,
    records: &Members,
) -> Result<Option<(Rows, Arc<Source>, Vec<i64>)>, Failure> {
    let (mut rows, mut latest, mut ids) = (Rows::default(), None::<Arc<Source>>, Vec::new());
    // The task says which label is the truth, and any answer says the task.
    let mut label = FINDING;
    for attempt in [FINDING, OUTLINE] {
        if attempt != label {
            continue;
        }
        let mut is_outline = false;
        read_in_pieces(store, runs, records, label, |answers: &Answers| {
            for source in answers.runs.values() {
                if latest.as_ref().is_none_or(|latest| latest.run.id < source.run.id) {
                    latest = Some(Arc::clone(source));
                }
                if !ids.contains(&source.run.id) {
                    ids.push(source.run.id);
                }
            }
            is_outline |=
                latest.as_ref().is_some_and(|latest| latest.manifest.plugin.task == Task::Segmentation);
            if is_outline && label == FINDING {
                return Ok(());
            }
            rows.refused += answers.unanswered.len();
            let mut answered: Vec<_> = answers.answered.values().collect();
            answered.sort_by_key(|answer| answer.record_id);
            for answer in answered {
                let manifest = &answers.runs[&answer.run_id].manifest;
                if let Some(opinion) = answers.opinion(answer.record_id)? {
                    rows.add(manifest, &opinion, answer.label.as_ref(), answer.record_id)?;
                }
            }
            Ok(())
        })
        .await?;
        if is_outline {
            label = OUTLINE;
        }
    }
    ids.sort_unstable();
    Ok(latest.map(|latest| (rows, latest, ids)))
}

fn nothing(records: u64, unlabelled: usize) -> Failure {
    let (why, hint) = match (records, unlabelled) {
        (0, _) => ("no image is selected", "`foretell record list --domain medical` lists some"),
        (_, 0) => {
            ("no image that is selected has been predicted", "predict first: `foretell-medical predict PATH`")
        }
        _ => (
            "no predicted image has a label",
            "labels come with an import (`--labels`, `--folder-labels`, `--outlines`), or from `foretell-medical label`",
        ),
    };
    Failure::words(format!("there is nothing to evaluate: {why}")).hint(Some(hint))
}

fn draw(output: Output, evaluation: &Evaluation) {
    let runs: Vec<String> = evaluation.runs.iter().map(i64::to_string).collect();
    let mut facts = vec![
        ("plugin", evaluation.plugin.clone()),
        ("runs", runs.join(", ")),
        ("images", format_count(evaluation.images as u64)),
    ];
    let mut count = |name, count: usize| {
        if count > 0 {
            facts.push((name, format_count(count as u64)));
        }
    };
    count("unlabelled", evaluation.unlabelled);
    count("other labels", evaluation.other_labels.values().sum());
    count("set aside", evaluation.refused);
    if let (Some(unfamiliar), Some(share)) = (evaluation.unfamiliar, evaluation.unfamiliar_share) {
        facts.push((
            "UNFAMILIAR",
            format!(
                "{} ({}): outside of what the model was trained on",
                format_count(unfamiliar as u64),
                format_percent(share)
            ),
        ));
    }
    output.facts(&facts);
    output.line("");
    let mut rows = lines(&evaluation.all);
    let mut head = vec!["figure", "all images#"];
    if let Some(familiar) = &evaluation.familiar {
        head.push("without unfamiliar ones#");
        for (row, (_, value)) in rows.iter_mut().zip(lines(familiar)) {
            row.1 = format!("{}\u{0}{value}", row.1);
        }
    }
    let rows = rows.into_iter().map(|(name, values)| {
        std::iter::once(name).chain(values.split('\u{0}').map(str::to_owned)).collect()
    });
    output.table(&head, rows);
    draw_confusion(output, &evaluation.all);
    output.line("");
}

/// Names of figures, and their values in words.
fn lines(figures: &Figures) -> Vec<(String, String)> {
    let line = |name: &str, figure: Option<Estimate>| (name.to_owned(), estimate(figure));
    match figures {
        Figures::BinaryClassification { positive, classification, decisions } => vec![
            ("positive class".to_owned(), positive.clone()),
            (
                "positive images".to_owned(),
                format!("{} of {}", classification.positives, classification.rows),
            ),
            line("ROC AUC", classification.roc_auc),
            line("average precision", classification.average_precision),
            ("threshold".to_owned(), format!("{:.4}", decisions.threshold)),
            line("accuracy", decisions.accuracy),
            line("sensitivity", decisions.sensitivity),
            line("specificity", decisions.specificity),
            line("precision", decisions.precision),
            line("Brier score", classification.brier_score),
        ],
        Figures::MulticlassClassification(report) => {
            let mut lines = vec![
                ("images".to_owned(), report.rows.to_string()),
                line("macro ROC AUC", report.macro_auc),
                line("accuracy", Some(report.accuracy)),
                line("macro recall", report.macro_recall),
            ];
            lines.extend(report.classes.iter().map(|class| {
                (format!("recall of {} ({})", class.label, class.rows), estimate(class.recall))
            }));
            lines
        }
        Figures::Segmentation(report) => vec![
            ("images".to_owned(), report.images.to_string()),
            line("Dice, mean", report.dice),
            line("Dice, median", report.dice_median),
            line("IoU, mean", report.intersection_over_union),
            line("IoU, median", report.intersection_over_union_median),
            ("missed entirely".to_owned(), report.missed.to_string()),
        ],
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

fn draw_confusion(output: Output, figures: &Figures) {
    let (labels, confusion) = match figures {
        Figures::BinaryClassification { positive, decisions, .. } => {
            let c = decisions.confusion;
            let labels = vec![format!("not {positive}"), positive.clone()];
            (
                labels,
                vec![vec![c.true_negatives, c.false_positives], vec![c.false_negatives, c.true_positives]],
            )
        }
        Figures::MulticlassClassification(report) => {
            (report.classes.iter().map(|class| class.label.clone()).collect(), report.confusion.clone())
        }
        Figures::Segmentation(_) => return,
    };
    output.line("");
    let heads: Vec<String> = labels.iter().map(|label| format!("decided: {label}#")).collect();
    let heads: Vec<&str> = std::iter::once("labelled").chain(heads.iter().map(String::as_str)).collect();
    let rows = labels.iter().zip(&confusion).map(|(label, counts)| {
        std::iter::once(label.clone()).chain(counts.iter().map(|count| format_count(*count))).collect()
    });
    output.table(&heads, rows);
}
