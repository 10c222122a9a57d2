//! The entities of one key that are in some window, each with its past.

use std::collections::HashMap;

use super::past::Past;
use super::plan::Key;
use crate::time::Micros;

/// How often per window entities without events are looked for. Between two looks, memory holds at most so much more
/// than the windows need.
const SWEEPS_PER_WINDOW: Micros = 4;

/// Where an entity is kept.
pub(super) type Slot = usize;

/// Entities by the value of their key.
#[derive(Debug, Default)]
pub(super) struct Entities {
    slots: HashMap<Box<str>, Slot>,
    pasts: Vec<Past>,
    /// Slots whose entity was forgotten.
    free: Vec<Slot>,
    sweep_at: Option<Micros>,
}

impl Entities {
    pub(super) fn past(&self, slot: Slot) -> &Past {
        &self.pasts[slot]
    }

    pub(super) fn past_mut(&mut self, slot: Slot) -> &mut Past {
        &mut self.pasts[slot]
    }

    /// Finds the slots of the entities with these values. They hold until the next call.
    ///
    /// `time` is that of the first record; no later call goes back in time.
    pub(super) fn find<'v>(
        &mut self,
        key: &Key,
        values: impl Iterator<Item = Option<&'v str>>,
        time: Micros,
    ) -> Vec<Option<Slot>> {
        if self.sweep_at.is_none_or(|sweep_at| sweep_at <= time) {
            self.sweep(key, time);
        }
        values.map(|value| value.map(|value| self.find_or_add(key, value))).collect()
    }

    fn find_or_add(&mut self, key: &Key, value: &str) -> Slot {
        if let Some(slot) = self.slots.get(value) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.pasts.push(Past::new(key));
            self.pasts.len() - 1
        });
        self.slots.insert(value.into(), slot);
        slot
    }

    /// Forgets the entities that no later record can see.
    fn sweep(&mut self, key: &Key, time: Micros) {
        self.sweep_at = Some(time.saturating_add((key.length_max() / SWEEPS_PER_WINDOW).max(1)));
        self.slots.retain(|_, slot| {
            let past = &mut self.pasts[*slot];
            past.advance(key, time);
            let over = past.is_over(key, time);
            if over {
                *past = Past::new(key);
                self.free.push(*slot);
            }
            !over
        });
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
    fn entities_without_events_are_forgotten() {
        let spec =
            HistorySpec { name: "past".into(), key: "who".into(), window: 100, delay: 0, fields: vec![] };
        let plan = Plan::new(&Arc::new(Schema::empty()), &[spec]).unwrap();
        let key = &plan.keys[0];
        let mut entities = Entities::default();
        for time in 0..10_000 {
            let passer_by = time.to_string();
            let slots = entities.find(key, [Some(passer_by.as_str()), Some("regular")].into_iter(), time);
            for slot in slots.into_iter().flatten() {
                entities.past_mut(slot).advance(key, time);
                entities.past_mut(slot).push(key, &[], 0, time);
            }
            let regular = entities.find(key, std::iter::once(Some("regular")), time)[0].unwrap();
            assert_eq!(entities.past(regular).range(0).len() as Micros, time.min(99));
        }
        assert!(entities.slots.len() <= 127, "{} entities", entities.slots.len());
        assert!(entities.pasts.len() <= 127, "{} pasts", entities.pasts.len());
    }
}
