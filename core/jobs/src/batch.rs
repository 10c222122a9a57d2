//! From what the store serves to what a plugin takes: inputs, then history, with images decoded.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use foretell_media::Picture;
use foretell_runtime::manifest::{Channels, Image, Manifest, Sample};
use foretell_store::history::HistoryBatch;
use foretell_store::open::Store;
use foretell_store::record::Reject;
use foretell_store::time::Micros;

use crate::clips::Clips;
use crate::films::Films;
use crate::picture::{Decoded, Size, decode};
use crate::score::ScoreError;

/// Records of one batch. Their past should fit into the processor's cache, together with what the plugin makes of it.
const BATCH_RECORDS: usize = 1_024;

/// First images of records that are decoded already, by record.
pub(crate) type Pictures = HashMap<i64, Arc<Picture>>;

/// Records as a plugin takes them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) ids: Vec<i64>,
    pub(crate) event_times: Vec<Micros>,
    /// In the columns that the plugin asks for.
    pub(crate) records: RecordBatch,
    /// The size that the first image of each record had before it was resized; empty where there are no images.
    pub(crate) originals: Vec<Size>,
    /// Records that don't fit the plugin's inputs.
    pub(crate) rejects: Vec<Reject>,
}

/// Makes batches of one plugin.
#[derive(Clone)]
pub(crate) struct Assembler {
    store: Store,
    schema: SchemaRef,
    /// Columns that are images: their place, name and form.
    images: Vec<(usize, String, Image)>,
    /// The video that is being read.
    clips: Clips,
    /// The file with several frames that is being read.
    films: Films,
}

/// How many records of a plugin are dealt with at once.
pub(crate) fn records_at_once(manifest: &Manifest) -> usize {
    manifest.images_at_once().map_or(BATCH_RECORDS, |images| images.min(manifest.limits.rows_max))
}

impl Assembler {
    /// `schema` is the one that the plugin was opened with.
    pub(crate) fn new(store: &Store, manifest: &Manifest, schema: &SchemaRef) -> Self {
        let images = manifest.inputs.iter().enumerate();
        let images = images.filter_map(|(place, input)| Some((place, input.name.clone(), input.picture()?)));
        let (store, schema) = (store.clone(), Arc::clone(schema));
        Self { store, schema, images: images.collect(), clips: Clips::default(), films: Films::default() }
    }

    /// Puts a batch of the store together as the plugin takes it. A record whose image can't be read is set aside.
    pub(crate) async fn assemble(&self, batch: HistoryBatch) -> Result<Batch, ScoreError> {
        self.assemble_shown(batch, &Pictures::new()).await
    }

    /// As [`Assembler::assemble`], with the first images of some records, which are decoded already.
    pub(crate) async fn assemble_shown(
        &self,
        batch: HistoryBatch,
        pictures: &Pictures,
    ) -> Result<Batch, ScoreError> {
        let HistoryBatch { ids, event_times, records, history, mut rejects } = batch;
        let mut columns: Vec<ArrayRef> = records.columns().to_vec();
        columns.extend(history.into_iter().map(|list| Arc::new(list) as ArrayRef));
        let mut kept = vec![true; ids.len()];
        let mut originals = Vec::new();
        for (place, name, image) in &self.images {
            // Only the first image of a record can be at hand, and only in the form in which it came: grey, or with more than 8 bits,
            // an image may be decoded to something else than what becomes of its colours.
            let is_plain = image.channels == Channels::Rgb && image.sample == Sample::U8;
            let at_hand = |id| pictures.get(id).filter(|_| is_plain && originals.is_empty()).cloned();
            let at_hand = ids.iter().map(at_hand).collect();
            let Decoded { column, sizes, faults } =
                decode(&self.store, &self.clips, &self.films, columns[*place].as_ref(), at_hand, image)
                    .await?;
            columns[*place] = column;
            if originals.is_empty() {
                originals = sizes;
            }
            for (row, reason) in faults {
                // One reason is enough for a record.
                if std::mem::take(&mut kept[row]) {
                    let (record_id, field) = (Some(ids[row]), Some(name.clone()));
                    rejects.push(Reject { record_id, field, reason, ..Reject::default() });
                }
            }
        }
        if kept.iter().all(|kept| *kept) {
            let records = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
            return Ok(Batch { ids, event_times, records, originals, rejects });
        }
        let fields = self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let nullable = Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()));
        let filter = BooleanArray::from(kept);
        let all = filter_record_batch(&RecordBatch::try_new(nullable, columns)?, &filter)?;
        let records = RecordBatch::try_new(Arc::clone(&self.schema), all.columns().to_vec())?;
        let (ids, event_times) = (left(ids, &filter), left(event_times, &filter));
        let originals = left(originals, &filter);
        Ok(Batch { ids, event_times, records, originals, rejects })
    }
}

/// The values of rows that are kept.
fn left<T>(values: Vec<T>, filter: &BooleanArray) -> Vec<T> {
    let both = values.into_iter().zip(filter.values());
    both.filter_map(|(value, kept)| kept.then_some(value)).collect()
}
