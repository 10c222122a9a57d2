//! The online way: a few records, answered at once.

use std::collections::HashMap;

use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::Reject;

use crate::batch::records_at_once;
use crate::columns::history_specs;
use crate::isolate::Answer;
use crate::lineage::{Program, register, watermarks};
use crate::outcome::Predicted;
use crate::read::LOOKUP_RECORDS;
use crate::score::{ScoreError, Scored, repeat};

/// Scores a few records at once, online: looks their past up, predicts, stores, and returns the answers in the order of
/// `ids`, with the run that they stand under. A record that is named twice is scored once.
pub async fn answer(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    role: Role,
    ids: &[i64],
) -> Result<(i64, Vec<(i64, Answer)>), ScoreError> {
    let manifest = plugin.manifest();
    let specs = history_specs(manifest)?;
    let mut run =
        register(store, plugin.verified(), plugin.config(), program, role == Role::Challenger).await?;
    run.selection = serde_json::json!({ "records": ids.len() }).to_string();
    let run = store.begin_run(&run).await?;
    let begun = store.run(run).await?.expect("a run that was just stored");
    let mut scored = Scored::default();
    let mut waiting: Vec<i64> = ids.to_vec();
    waiting.sort_unstable();
    waiting.dedup();
    for ids in waiting.chunks(LOOKUP_RECORDS.min(records_at_once(manifest))) {
        let batch = repeat(store, plugin, &specs, ids, watermarks(&begun)).await?;
        scored.add_batch(plugin, &batch)?;
    }
    store.write_predictions(run, &scored.predictions, &scored.rejects).await?;
    store.finish_run(run).await?;
    let predicted =
        scored.predictions.into_iter().map(|NewPrediction { record_id, score, label, output }| {
            (record_id, Answer::Predicted(Predicted { score, label, output }))
        });
    let refused = scored.rejects.into_iter().filter_map(|Reject { record_id, field, reason, .. }| {
        Some((record_id?, Answer::Refused { field, reason }))
    });
    let answers: HashMap<i64, Answer> = predicted.chain(refused).collect();
    Ok((run, ids.iter().filter_map(|id| Some((*id, answers.get(id)?.clone()))).collect()))
}
