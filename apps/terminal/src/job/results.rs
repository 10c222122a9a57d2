//! `results`

use foretell_store::job::JobKind;
use foretell_store::prediction::{DecisionSummary, TopPrediction};
use foretell_store::record::{RejectFilter, RejectReason};
use serde::Serialize;

use super::list::{Document, tally};
use super::{App, find, fit, read_failure};
use crate::{Failure, Time, exit, format_count};

/// What came out of a job.
#[derive(Serialize)]
struct Results {
    #[serde(flatten)]
    job: Document,
    decisions: Vec<DecisionSummary>,
    highest: Vec<TopPrediction>,
    set_aside: Vec<RejectReason>,
}

pub(super) async fn results(app: &App<'_>, id: i64, limit: u32) -> Result<u8, Failure> {
    let store = app.place.open_read_only().await?;
    let job = find(app, &store, id).await?;
    if job.kind == JobKind::Fit {
        return fit::show_done(app, &store, &job).await;
    }
    let fail = |error| read_failure(&error);
    let results = Results {
        job: Document::from(&job),
        decisions: store.decisions(job.run_id, limit).await.map_err(fail)?,
        highest: store.highest_scores(job.run_id, limit).await.map_err(fail)?,
        set_aside: store.reject_reasons(RejectFilter::Run(job.run_id), limit).await.map_err(fail)?,
    };
    app.output.show(&results, |output| {
        output.line(&format!("job {}, {}: {}", job.id, job.state, tally(&job, app.unit)));
        output.line("");
        output.table(
            &["decision", "records#", "lowest score#", "mean score#", "highest score#"],
            results.decisions.iter().map(|decision| {
                let score = |score: Option<f64>| score.map(|score| format!("{score:.6}")).unwrap_or_default();
                vec![
                    decision.label.clone().unwrap_or_default(),
                    format_count(decision.records),
                    score(decision.lowest),
                    score(decision.mean),
                    score(decision.highest),
                ]
            }),
        );
        output.line("");
        output.table(
            &["record#", "name", "event time", "score#", "decision"],
            results.highest.iter().map(|prediction| {
                vec![
                    prediction.record_id.to_string(),
                    prediction.external_id.clone().unwrap_or_default(),
                    Time(prediction.event_time).to_string(),
                    format!("{:.6}", prediction.score),
                    prediction.label.clone().unwrap_or_default(),
                ]
            }),
        );
        if !results.set_aside.is_empty() {
            output.line("");
            output.table(
                &["set aside#", "field", "reason"],
                results.set_aside.iter().map(|reason| {
                    vec![
                        format_count(reason.records),
                        reason.field.clone().unwrap_or_default(),
                        reason.reason.clone(),
                    ]
                }),
            );
        }
        output.line("");
        output.line(&format!(
            "`foretell record export FILE --domain {} --run {}` writes all of it to a file",
            job.domain, job.run_id
        ));
    });
    Ok(exit::DONE)
}
