//! `foretell verify`

use foretell_jobs::{Difference, Repeated, VerifyError, VerifyOptions, VerifyReport, verify};
use foretell_store::open::Store;
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::{score, unknown_run, unread};
use crate::arguments::Verify;

#[derive(Serialize)]
struct Document {
    /// Whether every prediction came out equal.
    holds: bool,
    tolerance: f64,
    #[serde(flatten)]
    report: VerifyReport,
}

pub(super) async fn run(place: &Place, output: Output, command: &Verify) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let stored = count(&store, command.run).await?;
    let report = match stored {
        // Without predictions, neither plugins nor ONNX Runtime are needed.
        0 => VerifyReport::default(),
        _ => repeat(place, &store, output, command, stored).await?,
    };
    let holds = report.equal == report.predictions;
    let document = Document { holds, tolerance: command.tolerance, report };
    output.show(&document, |output| document.draw(output));
    Ok(if holds { exit::DONE } else { exit::NOT_EQUAL })
}

/// Predictions that are stored for a run, or for all.
async fn count(store: &Store, run: Option<i64>) -> Result<u64, Failure> {
    let runs = match run {
        Some(run) => vec![store.run(run).await.map_err(unread)?.ok_or_else(|| unknown_run(run))?],
        None => store.runs(None).await.map_err(unread)?,
    };
    let mut stored = 0;
    for run in runs {
        stored += store.count_predictions(run.id).await.map_err(unread)?;
    }
    Ok(stored)
}

async fn repeat(
    place: &Place,
    store: &Store,
    output: Output,
    command: &Verify,
    stored: u64,
) -> Result<VerifyReport, Failure> {
    let registry = place.registry()?;
    let runtime = place.runtime()?;
    let options = VerifyOptions { run: command.run, limit: command.limit, tolerance: command.tolerance };
    let total = stored.min(u64::from(command.limit));
    let bar = Bar::new("verifying", "predictions", Some(total), output.is_json());
    let report = verify(store, &registry, &runtime, options, |done| bar.set(done)).await;
    bar.finish();
    report.map_err(|error| {
        let hint = match &error {
            VerifyError::Read(error) => error.hint(),
            VerifyError::Score { source, .. } => source.hint(),
            _ => None,
        };
        Failure::new(&error).hint(hint)
    })
}

impl Document {
    fn draw(&self, output: Output) {
        let VerifyReport { predictions, equal, runs, largest_difference, differences } = &self.report;
        if *predictions == 0 {
            return output.line("no prediction is stored, so there is nothing to verify");
        }
        output.facts(&[
            ("runs", format_count(*runs)),
            ("predictions", format_count(*predictions)),
            ("equal", format!("{} within {:?}", format_count(*equal), self.tolerance)),
            ("not equal", format_count(predictions - equal)),
            (
                "largest difference",
                if *largest_difference == 0.0 { "0".to_owned() } else { format!("{largest_difference:.2e}") },
            ),
        ]);
        if differences.is_empty() {
            return;
        }
        output.line("");
        output.table(&["run#", "record#", "stored#", "now#", "otherwise"], differences.iter().map(row));
        let left_out = predictions - equal - differences.len() as u64;
        if left_out > 0 {
            output.line(&format!("... and {} more", format_count(left_out)));
        }
    }
}

fn row(difference: &Difference) -> Vec<String> {
    let (now, otherwise) = match &difference.repeated {
        Repeated::Score(now) => (score(*now), String::new()),
        Repeated::Label(label) => {
            (score(difference.stored), format!("the label is {}", label.as_deref().unwrap_or("none")))
        }
        Repeated::Output(difference_there) => (score(difference.stored), difference_there.clone()),
        Repeated::Refused(reason) => (String::new(), format!("refused: {reason}")),
    };
    vec![difference.run.to_string(), difference.record.to_string(), score(difference.stored), now, otherwise]
}
