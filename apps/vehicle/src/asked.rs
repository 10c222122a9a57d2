//! What a plugin was asked before, with the very same models and settings.

use std::collections::HashMap;

use foretell_jobs::{Answer, Predicted};
use foretell_runtime::plugin::Plugin;
use foretell_store::lineage::Run;
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::prediction::{AnsweredFilter, RunSelection, ScoredError};
use foretell_terminal::Failure;

use crate::DOMAIN;

/// Answers of the past.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The answers, by record.
    pub answers: HashMap<i64, Answer>,
    /// The runs that gave them.
    pub runs: Vec<i64>,
}

/// What a plugin has said of some records; of several times the latest. Versions, models and settings must be those that it has now.
///
/// # Errors
/// The database cannot be read.
pub async fn asked(store: &Store, plugin: &Plugin, records: &Members) -> Result<Asked, Failure> {
    let runs = store.runs(Some(DOMAIN)).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let mut asked = Asked::default();
    for run in runs.iter().filter(|run| is_alike(run, plugin)) {
        let waiting: Members = records.iter().filter(|record| !asked.answers.contains_key(record)).collect();
        if waiting.is_empty() {
            break;
        }
        let before = asked.answers.len();
        let (domain, label) = (DOMAIN.to_owned(), String::new());
        let filter = AnsweredFilter { domain, runs: RunSelection::Run(run.id), records: waiting, label };
        for answered in store.answered(&filter).await.map_err(read_failure)? {
            let (score, label, output) = (answered.score, answered.decision, answered.output);
            asked.answers.insert(answered.record_id, Answer::Predicted(Predicted { score, label, output }));
        }
        for unanswered in store.unanswered(&filter).await.map_err(read_failure)? {
            let refused = Answer::Refused { field: unanswered.field, reason: unanswered.reason };
            asked.answers.entry(unanswered.record_id).or_insert(refused);
        }
        if asked.answers.len() > before {
            asked.runs.push(run.id);
        }
    }
    Ok(asked)
}

/// Whether a run was that of a plugin as it is loaded now.
fn is_alike(run: &Run, plugin: &Plugin) -> bool {
    let verified = plugin.verified();
    let mut theirs: Vec<(&str, &str)> =
        run.models.iter().map(|model| (model.name.as_str(), model.hash.as_str())).collect();
    let hashes: Vec<String> = verified.models().iter().map(|model| model.hash.to_string()).collect();
    let mut ours: Vec<(&str, &str)> = verified
        .models()
        .iter()
        .zip(&hashes)
        .map(|(model, hash)| (model.name.as_str(), hash.as_str()))
        .collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    run.plugin.library_hash == verified.library_hash().to_string()
        && run.plugin.manifest_hash == verified.manifest_hash().to_string()
        && run.config == plugin.config()
        && theirs == ours
}

fn read_failure(error: ScoredError) -> Failure {
    Failure::new(&error).hint(error.kind.hint())
}
