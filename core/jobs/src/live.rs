//! A run that predicts records as they come.

use std::collections::HashMap;
use std::sync::Arc;

use foretell_media::Picture;
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::Reject;
use tokio::task::spawn_blocking;

use crate::batch::{Batch, Pictures, records_at_once};
use crate::isolate::{Answer, Lost};
use crate::lineage::{Program, register, watermarks};
use crate::lots::Lots;
use crate::outcome::Predicted;
use crate::read::LOOKUP_RECORDS;
use crate::score::{Recall, ScoreError, Scored};

/// A stored record, with its first image where that is decoded already.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The record.
    pub record: i64,
    /// Its image in red, green and blue of 8 bits, as its file holds it; where there is none, the store's is decoded.
    pub picture: Option<Arc<Picture>>,
}

impl From<i64> for Shown {
    fn from(record: i64) -> Shown {
        Shown { record, picture: None }
    }
}

/// What a plugin said of some records, not stored yet.
#[derive(Debug, Default)]
pub struct Said(Scored);

impl Said {
    /// The answers, in no particular order.
    pub fn answers(&self) -> impl Iterator<Item = (i64, Answer)> {
        let predicted = self.0.predictions.iter().map(|prediction| {
            let NewPrediction { record_id, score, label, output } = prediction.clone();
            (record_id, Answer::Predicted(Predicted { score, label, output }))
        });
        let refused = self.0.rejects.iter().filter_map(|reject| {
            let Reject { record_id, field, reason, .. } = reject.clone();
            Some((record_id?, Answer::Refused { field, reason }))
        });
        predicted.chain(refused)
    }
}

/// A run that predicts records as they come: a question now, or the frames of a clip.
///
/// Records are stored before they are asked about, and what was said of them is stored when the caller has it in the order that
/// it likes: [`Live::predict`] may run several times at once, so that one batch is decoded while another is predicted.
///
/// **Invariant:** what is said of a record is the same whether its image came along or was decoded from the store.
pub struct Live {
    store: Store,
    plugin: Arc<Plugin>,
    recall: Recall,
    run: Run,
}

impl Live {
    /// Begins a run of a plugin. `selection` says, as JSON, what it is about.
    ///
    /// # Errors
    /// The plugin asks for what stored records don't have, or the database cannot be written.
    pub async fn begin(
        store: &Store,
        plugin: &Arc<Plugin>,
        program: &Program,
        role: Role,
        selection: &serde_json::Value,
    ) -> Result<Live, ScoreError> {
        let recall = Recall::new(store, plugin)?;
        let is_shadow = role == Role::Challenger;
        let mut run = register(store, plugin.verified(), plugin.config(), program, is_shadow).await?;
        run.selection = selection.to_string();
        let run = store.begin_run(&run).await?;
        let run = store.run(run).await?.expect("a run that was just stored");
        Ok(Live { store: store.clone(), plugin: Arc::clone(plugin), recall, run })
    }

    /// The run.
    pub fn run(&self) -> i64 {
        self.run.id
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// How many records are best asked about together.
    pub fn records_at_once(&self) -> usize {
        LOOKUP_RECORDS.min(records_at_once(self.plugin.manifest()))
    }

    /// Asks about records, each once; nothing is stored yet.
    ///
    /// # Errors
    /// The store cannot be read, or no record can be predicted. A record that the plugin refuses is no error.
    pub async fn predict(&self, shown: &[Shown]) -> Result<Said, ScoreError> {
        let ids: Vec<i64> = shown.iter().map(|shown| shown.record).collect();
        let pictures: Pictures = shown
            .iter()
            .filter_map(|shown| Some((shown.record, Arc::clone(shown.picture.as_ref()?))))
            .collect();
        let mut lots = Lots::new(&ids, self.records_at_once());
        let mut scored = Scored::default();
        while let Some(ids) = lots.next() {
            match self.recall.records(ids, watermarks(&self.run), &pictures).await {
                Ok(batch) => scored = self.add(scored, batch).await?,
                Err(error) => lots.halve(ids, error)?,
            }
        }
        Ok(Said(scored))
    }

    /// Predicts a batch on a thread that may take its time.
    async fn add(&self, mut scored: Scored, batch: Batch) -> Result<Scored, ScoreError> {
        let plugin = Arc::clone(&self.plugin);
        let predicted =
            spawn_blocking(move || scored.add_batch(&plugin, &batch, &mut Lost::default()).map(|()| scored))
                .await;
        predicted.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Stores what was said.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn write(&self, said: &Said) -> Result<(), ScoreError> {
        Ok(self.store.write_predictions(self.run.id, &said.0.predictions, &said.0.rejects).await?)
    }

    /// Ends the run.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn finish(self) -> Result<i64, ScoreError> {
        self.store.finish_run(self.run.id).await?;
        Ok(self.run.id)
    }
}

/// Scores a few records at once, online: looks their past up, predicts, stores, and returns the answers in the order of
/// `ids`, with the run that they stand under. A record that is named twice is scored once.
pub async fn answer(
    store: &Store,
    plugin: &Arc<Plugin>,
    program: &Program,
    role: Role,
    ids: &[i64],
) -> Result<(i64, Vec<(i64, Answer)>), ScoreError> {
    let selection = serde_json::json!({ "records": ids.len() });
    let live = Live::begin(store, plugin, program, role, &selection).await?;
    let mut waiting: Vec<i64> = ids.to_vec();
    waiting.sort_unstable();
    waiting.dedup();
    let shown: Vec<Shown> = waiting.into_iter().map(Shown::from).collect();
    let said = live.predict(&shown).await?;
    live.write(&said).await?;
    let run = live.finish().await?;
    let answers: HashMap<i64, Answer> = said.answers().collect();
    Ok((run, ids.iter().filter_map(|id| Some((*id, answers.get(id)?.clone()))).collect()))
}
