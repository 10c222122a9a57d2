//! `compare`

use foretell_insight::comparison::{Change, Comparison, DecisionChange, LabelledChange};
use foretell_insight::report::Estimate;
use foretell_jobs::{CompareError, CompareOptions, CompareReport, ComparedRun, compare as compare_runs};
use foretell_store::job::JobKind;

use super::arguments::Compare;
use super::{App, find};
use crate::{Bar, Failure, Output, exit, format_count, format_percent};

pub(super) async fn compare(app: &App<'_>, command: &Compare) -> Result<u8, Failure> {
    let store = app.place.open_read_only().await?;
    let old = find(app, &store, command.old).await?;
    let new = find(app, &store, command.new).await?;
    if let Some(fit) = [&old, &new].into_iter().find(|job| job.kind == JobKind::Fit) {
        return Err(Failure::words(format!("job {} is a fit, which predicts nothing", fit.id))
            .hint(Some("compare two jobs that scored with the models that were fitted")));
    }
    let options = CompareOptions {
        old_run: old.run_id,
        new_run: new.run_id,
        label: command.label.clone(),
        moved: command.moved,
        seed: command.seed,
    };
    let bar = Bar::waiting("comparing", app.output.is_json());
    let report = compare_runs(&store, options).await;
    bar.finish();
    let report = report.map_err(|error: CompareError| Failure::new(&error).hint(error.hint()))?;
    app.output.show(&report, |output| draw(output, app.unit, &report));
    Ok(exit::DONE)
}

fn draw(output: Output, unit: &str, report: &CompareReport) {
    let name = |run: &ComparedRun| {
        let models: Vec<String> =
            run.models.iter().map(|model| format!("{} {:.12}", model.name, model.hash)).collect();
        format!("{} ({}), run {}", run.plugin, models.join(", "), run.run)
    };
    let Comparison { records, correlation, shift, decisions, labelled, .. } = &report.comparison;
    let number = |number: Option<f64>| number.map_or("undefined".to_owned(), |number| format!("{number:.4}"));
    output.facts(&[
        ("old", name(&report.old)),
        ("new", name(&report.new)),
        ("compared", format!("{} {unit} that both scored", format_count(*records as u64))),
        ("only old", format_count(report.only_old)),
        ("only new", format_count(report.only_new)),
        ("Spearman's rho", number(correlation.spearman)),
        ("Kendall's tau-b", number(correlation.kendall)),
        ("Pearson's r", number(correlation.pearson)),
        ("score shift", format!("mean {:+.6}, mean absolute {:.6}", shift.mean, shift.mean_absolute)),
        ("Kolmogorov-Smirnov", format!("{:.4}", shift.kolmogorov_smirnov)),
    ]);
    if let Some(part) = report.by {
        output.line(&format!("compared by the {part} of each prediction, and its score"));
    }
    if report.same.plugin && report.same.models && report.same.settings {
        output.line(
            "both are the same plugin, models and settings: differences come from what history could see",
        );
    }
    output.line("");
    output.table(
        &["share of records#", "score moved by at most#"],
        shift
            .quantiles
            .iter()
            .map(|quantile| vec![format_percent(quantile.share), format!("{:+.6}", quantile.difference)]),
    );
    if let Some(decisions) = decisions {
        draw_decisions(output, decisions);
    }
    if let Some(labelled) = labelled {
        draw_metrics(output, report.label.as_deref().unwrap_or_default(), labelled);
    }
    if !report.moved.is_empty() {
        output.line("");
        output.table(
            &["record#", "name", "event time", "old score#", "new score#", "old", "new"],
            report.moved.iter().map(|moved| {
                vec![
                    moved.record.to_string(),
                    moved.external_id.clone().unwrap_or_default(),
                    moved.event_time.clone(),
                    format!("{:.6}", moved.old_score),
                    format!("{:.6}", moved.new_score),
                    moved.old_decision.clone().unwrap_or_default(),
                    moved.new_decision.clone().unwrap_or_default(),
                ]
            }),
        );
    }
}

fn draw_decisions(output: Output, decisions: &DecisionChange) {
    output.line("");
    let agreement = decisions.agreement.map_or("undefined".to_owned(), format_percent);
    output.line(&format!("agreement {agreement}, {} decisions flipped", format_count(decisions.flipped)));
    if !decisions.flips.is_empty() {
        output.table(
            &["from", "to", "records#"],
            decisions
                .flips
                .iter()
                .map(|flip| vec![flip.from.clone(), flip.to.clone(), format_count(flip.records)]),
        );
    }
    if let Some(positive) = &decisions.positive
        && let (Some(right), Some(wrong)) = (positive.right, positive.wrong)
    {
        let (right, wrong) = (format_count(right), format_count(wrong));
        output.line(&format!("of the flips with a label, {right} were right and {wrong} wrong"));
    }
}

fn draw_metrics(output: Output, label: &str, labelled: &LabelledChange) {
    output.line("");
    output.line(&format!(
        "{} records with label `{label}`, {} of them positive",
        format_count(labelled.rows as u64),
        format_count(labelled.positives as u64)
    ));
    let cell = |estimate: &Option<Estimate>, signed: bool| match estimate {
        None => "undefined".to_owned(),
        Some(Estimate { value, interval }) => {
            let value = if signed { format!("{value:+.4}") } else { format!("{value:.4}") };
            let interval = interval.as_ref().map(|ends| format!(" [{:.4}, {:.4}]", ends.low, ends.high));
            value + &interval.unwrap_or_default()
        }
    };
    let row = |name: &str, change: &Change| {
        vec![
            name.to_owned(),
            cell(&change.old, false),
            cell(&change.new, false),
            cell(&change.difference, true),
        ]
    };
    output.table(
        &["metric", "old", "new", "new - old"],
        [
            row("ROC AUC", &labelled.roc_auc),
            row("average precision", &labelled.average_precision),
            row("log loss", &labelled.log_loss),
            row("Brier score", &labelled.brier_score),
        ],
    );
}
