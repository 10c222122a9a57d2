//! The entities of one key, by the value of the key.
//!
//! This is done where payloads are decoded, ahead of those who keep the past of the entities. They see slots instead
//! of texts.

use std::collections::HashMap;

use super::plan::Key;
use crate::time::Micros;

/// How often per window entities without records are looked for. Between two looks, memory holds at most so much more
/// than the windows need.
const SWEEPS_PER_WINDOW: Micros = 4;

/// The number of an entity. Those of forgotten entities are given to new ones.
pub(super) type Slot = usize;

/// The entities with a record within the longest window.
#[derive(Debug, Default)]
pub(super) struct Names {
    slots: HashMap<Box<str>, Slot>,
    /// For each slot, when it last had a record.
    seen_at: Vec<Micros>,
    free: Vec<Slot>,
    sweep_at: Option<Micros>,
}

/// The entities of the records of a chunk.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The entity of each record that has the key.
    pub(super) slots: Vec<Option<Slot>>,
    /// Slots whose entity was forgotten just before. They may be in `slots` again, for others.
    pub(super) forgotten: Vec<Slot>,
    /// All slots are below this.
    pub(super) slots_end: Slot,
}

impl Names {
    /// Finds the entities of records, given the values of their key and their times. Times never go back, from call to
    /// call either.
    pub(super) fn find<'v>(
        &mut self,
        key: &Key,
        values: impl Iterator<Item = Option<&'v str>>,
        times: &[Micros],
    ) -> Found {
        let forgotten = match times.first() {
            Some(time) if self.sweep_at.is_none_or(|sweep_at| sweep_at <= *time) => self.sweep(key, *time),
            _ => Vec::new(),
        };
        let slots =
            values.zip(times).map(|(value, time)| value.map(|value| self.see(value, *time))).collect();
        Found { slots, forgotten, slots_end: self.seen_at.len() }
    }

    fn see(&mut self, value: &str, time: Micros) -> Slot {
        let slot = match self.slots.get(value) {
            Some(slot) => *slot,
            None => self.add(value),
        };
        self.seen_at[slot] = time;
        slot
    }

    fn add(&mut self, value: &str) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.seen_at.push(Micros::MIN);
            self.seen_at.len() - 1
        });
        self.slots.insert(value.into(), slot);
        slot
    }

    /// Forgets the entities whose events no record from `time` on can see, and returns their slots.
    fn sweep(&mut self, key: &Key, time: Micros) -> Vec<Slot> {
        self.sweep_at = Some(time.saturating_add((key.length_max() / SWEEPS_PER_WINDOW).max(1)));
        let over = time.saturating_sub(key.length_max());
        let forgotten: Vec<Slot> =
            self.slots.extract_if(|_, slot| self.seen_at[*slot] <= over).map(|(_, slot)| slot).collect();
        self.free.extend(&forgotten);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Schema;

    use super::*;
    use crate::history::HistorySpec;
    use crate::history::plan::Plan;

    #[test]
    fn entities_without_records_are_forgotten() {
        let spec =
            HistorySpec { name: "past".into(), key: "who".into(), window: 100, delay: 0, fields: vec![] };
        let plan = Plan::new(&Arc::new(Schema::empty()), &[spec]).unwrap();
        let mut names = Names::default();
        let mut forgotten = 0;
        for time in 0..10_000 {
            let passer_by = time.to_string();
            let values = [Some(passer_by.as_str()), None, Some("regular")];
            let found = names.find(&plan.keys[0], values.into_iter(), &[time; 3]);
            forgotten += found.forgotten.len();
            assert_eq!(found.slots[1..], [None, Some(1)], "the regular keeps its slot");
        }
        assert!(names.slots.len() <= 127, "{} entities", names.slots.len());
        assert!(names.seen_at.len() <= 127, "{} slots", names.seen_at.len());
        assert_eq!(forgotten + names.slots.len(), 10_001);
    }
}
