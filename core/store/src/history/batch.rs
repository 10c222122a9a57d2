//! A batch in the making: which records of a chunk are in it, and their lists.

use super::HistoryBatch;
use super::chunk::Chunk;
use super::column::{Limits, ListColumn, Room};
use super::past::Past;
use super::plan::Plan;
use crate::record::Reject;

/// Takes records of one chunk, in the order of the chunk.
pub(super) struct Assembly<'c> {
    plan: &'c Plan,
    chunk: &'c Chunk,
    lists: Vec<ListColumn>,
    kept: Vec<bool>,
    rejects: Vec<Reject>,
}

impl<'c> Assembly<'c> {
    /// `items` says for each list how many items to expect.
    pub(super) fn new(plan: &'c Plan, chunk: &'c Chunk, limits: Limits, items: &[usize]) -> Self {
        let rows = chunk.ids.len();
        let lists = plan
            .lists
            .iter()
            .zip(items)
            .map(|(list, items)| ListColumn::new(&plan.keys[list.key], list, limits, rows, *items))
            .collect();
        Self { plan, chunk, lists, kept: vec![false; rows], rejects: Vec::new() }
    }

    /// Items of each list so far.
    pub(super) fn items(&self) -> Vec<usize> {
        self.lists.iter().map(ListColumn::items).collect()
    }

    /// Adds the record at `row`, or its reject. `past` gives the past of its entity for each key, if it has that key.
    ///
    /// Returns whether the record was dealt with; if not, the batch is full, and the record belongs in the next one.
    #[must_use]
    pub(super) fn add<'p>(&mut self, row: usize, past: impl Fn(usize) -> Option<&'p Past>) -> bool {
        if let Some(reject) = self.chunk.misfit(self.plan, row) {
            self.rejects.push(reject);
            return true;
        }
        let plan = self.plan;
        for (list, column) in plan.lists.iter().zip(&self.lists) {
            let room =
                past(list.key).map_or(Room::Enough, |past| column.room(list, past, &past.range(list.window)));
            match room {
                Room::Enough => {}
                Room::Full => return false,
                Room::Never => {
                    let reason =
                        "its past is longer than one record may have; choose a shorter window".to_owned();
                    let (record_id, field) = (Some(self.chunk.ids[row]), Some(list.name.clone()));
                    self.rejects.push(Reject { record_id, field, reason, ..Reject::default() });
                    return true;
                }
            }
        }
        for (list, column) in plan.lists.iter().zip(&mut self.lists) {
            match past(list.key) {
                Some(past) => column.append(list, past, past.range(list.window)),
                None => column.append_empty(),
            }
        }
        self.kept[row] = true;
        true
    }

    pub(super) fn finish(self) -> HistoryBatch {
        let kept = |values: &[i64]| {
            values
                .iter()
                .zip(&self.kept)
                .filter_map(|(value, kept)| kept.then_some(*value))
                .collect::<Vec<_>>()
        };
        HistoryBatch {
            ids: kept(&self.chunk.ids),
            event_times: kept(&self.chunk.times),
            history: self
                .lists
                .into_iter()
                .zip(&self.plan.lists)
                .map(|(column, list)| column.finish(list))
                .collect(),
            records: self.chunk.records(self.plan, self.kept),
            rejects: self.rejects,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Schema;

    use super::*;
    use crate::history::decode::Decoder;
    use crate::history::{FieldKind, HistoryField, HistorySpec};

    /// Goes through six records of one entity, each with all of those before it in its past. Returns the ids in each
    /// batch, and those that were rejected.
    fn batches(limits: Limits) -> (Vec<Vec<i64>>, Vec<i64>) {
        let note = HistoryField::Record { name: "note".into(), kind: FieldKind::Utf8 };
        let spec =
            HistorySpec { name: "past".into(), key: "who".into(), window: 100, delay: 0, fields: vec![note] };
        let plan = Plan::new(&Arc::new(Schema::empty()), &[spec]).unwrap();
        let payloads = [r#"{"who":"a","note":"ten  bytes"}"#; 6].join("\n");
        let ids: Vec<i64> = (1..=6).collect();
        let decoded = Decoder::new(plan.payload.clone()).unwrap().decode(&payloads, &ids).unwrap();
        let chunk = Chunk { times: ids.clone(), ids, decoded, labels: Vec::new() };
        let (key, feeds) = (&plan.keys[0], chunk.feeds(&plan.keys[0]));

        let (mut batches, mut rejected) = (Vec::new(), Vec::new());
        let mut past = Past::new(key);
        let mut batch = Assembly::new(&plan, &chunk, limits, &[0]);
        for row in 0..6 {
            past.advance(key, chunk.times[row]);
            if !batch.add(row, |_| Some(&past)) {
                batches
                    .push(std::mem::replace(&mut batch, Assembly::new(&plan, &chunk, limits, &[0])).finish());
                assert!(batch.add(row, |_| Some(&past)), "an empty batch has room");
            }
            past.push(key, &feeds, row, chunk.times[row]);
        }
        batches.push(batch.finish());
        rejected
            .extend(batches.iter().flat_map(|batch| &batch.rejects).filter_map(|reject| reject.record_id));
        (batches.into_iter().map(|batch| batch.ids).collect(), rejected)
    }

    #[test]
    fn a_batch_ends_before_its_lists_grow_too_long() {
        let limits = Limits { items_max: 4, ..Limits::default() };
        assert_eq!(batches(limits), (vec![vec![1, 2, 3], vec![4], vec![5]], vec![6]));
        let limits = Limits { text_bytes_max: 40, ..Limits::default() };
        assert_eq!(batches(limits), (vec![vec![1, 2, 3], vec![4], vec![5]], vec![6]));
        assert_eq!(batches(Limits::default()), (vec![vec![1, 2, 3, 4, 5, 6]], vec![]));
    }
}
