//! The events of one entity that are still in some window, as the records of the entity go by in time order.
//!
//! Times only grow, so the bounds of a window only move forward: each event is passed once by each bound, however many
//! records look at it. A label is applied when the clock reaches the time at which it became known, and later ones
//! overwrite earlier ones, so at any moment the events say what was known then.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::label::{Labels, Value};
use super::plan::Key;
use super::series::{Cell, Series, drop_front};
use crate::time::Micros;

/// Fewer events than these are not worth dropping by themselves.
const DEAD_EVENTS_MIN: usize = 8;

/// Where the values of one field of new events come from.
pub(super) enum Feed<'c> {
    Integers(&'c [i64], Option<&'c NullBuffer>),
    Floats(&'c [f64], Option<&'c NullBuffer>),
    Bits(&'c BooleanArray),
    Texts(&'c StringArray),
    Labels(&'c Labels),
}

impl<'c> Feed<'c> {
    /// **Invariant:** `column` has the type of a [`FieldKind`](super::FieldKind).
    pub(super) fn new(column: &'c ArrayRef) -> Self {
        match column.data_type() {
            DataType::Int64 => Self::Integers(column.as_primitive::<Int64Type>().values(), column.nulls()),
            DataType::Timestamp(..) => {
                Self::Integers(column.as_primitive::<TimestampMicrosecondType>().values(), column.nulls())
            }
            DataType::Float64 => Self::Floats(column.as_primitive::<Float64Type>().values(), column.nulls()),
            DataType::Boolean => Self::Bits(column.as_boolean()),
            _ => Self::Texts(column.as_string()),
        }
    }

    /// The value at `row`. For labels that is null: none is known until the clock says so.
    fn cell(&self, row: usize) -> Cell<'c> {
        let valid = |nulls: &Option<&NullBuffer>| nulls.is_none_or(|nulls| nulls.is_valid(row));
        match self {
            Self::Integers(values, nulls) if valid(nulls) => Cell::Word(values[row].cast_unsigned()),
            Self::Floats(values, nulls) if valid(nulls) => Cell::Word(values[row].to_bits()),
            Self::Bits(values) if values.is_valid(row) => Cell::Bit(values.value(row)),
            Self::Texts(values) if values.is_valid(row) => Cell::Text(values.value(row)),
            _ => Cell::Null,
        }
    }
}

/// The past of one entity.
#[derive(Debug)]
pub(super) struct Past {
    times: Vec<Micros>,
    /// One for each of [`Key::fields`].
    series: Vec<Series>,
    /// One for each of [`Key::windows`].
    bounds: Vec<Range<usize>>,
    /// Events that were dropped before the first one here.
    dropped: usize,
    /// Labels that are not known yet, in the order in which they will be.
    pending: VecDeque<Pending>,
}

/// A label that will be known.
#[derive(Debug)]
struct Pending {
    known_at: Micros,
    /// The event, counted from the first one ever.
    event: usize,
    field: usize,
    value: Value,
}

impl Past {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            times: Vec::new(),
            series: key.fields.iter().map(|field| Series::new(field.kind)).collect(),
            bounds: vec![0..0; key.windows.len()],
            dropped: 0,
            pending: VecDeque::new(),
        }
    }

    pub(super) fn times(&self) -> &[Micros] {
        &self.times
    }

    pub(super) fn series(&self, field: usize) -> &Series {
        &self.series[field]
    }

    /// The events in a window, as of the last [`advance`](Self::advance).
    pub(super) fn range(&self, window: usize) -> Range<usize> {
        self.bounds[window].clone()
    }

    /// Moves the clock to `time`, which is never before the time of the last call or of the last event.
    pub(super) fn advance(&mut self, key: &Key, time: Micros) {
        while let Some(label) = self.pending.pop_front_if(|label| label.known_at <= time) {
            if let Some(index) = label.event.checked_sub(self.dropped) {
                self.series[label.field].set(index, label.value.cell(key.fields[label.field].kind));
            }
        }
        for (bounds, window) in self.bounds.iter_mut().zip(&key.windows) {
            let (after, until) = (time.saturating_sub(window.length), time.saturating_sub(window.delay));
            while self.times.get(bounds.start).is_some_and(|event| *event <= after) {
                bounds.start += 1;
            }
            bounds.end = bounds.end.max(bounds.start);
            while self.times.get(bounds.end).is_some_and(|event| *event <= until) {
                bounds.end += 1;
            }
        }
        self.drop_dead_events();
    }

    /// Adds the record at `row` as the latest event.
    pub(super) fn push(&mut self, key: &Key, feeds: &[Feed<'_>], row: usize, time: Micros) {
        let event = self.dropped + self.times.len();
        let end = time.saturating_add(key.length_max());
        self.times.push(time);
        for (field, (feed, series)) in feeds.iter().zip(&mut self.series).enumerate() {
            series.push(feed.cell(row));
            if let Feed::Labels(labels) = feed {
                // What becomes known when the event has left every window is never seen.
                for (known_at, value) in labels.of(row).filter(|(known_at, _)| *known_at < end) {
                    // Most labels become known in the order of their events, so this is the end, or near it. Labels
                    // of an event that become known at the same time stay in the order in which they overrule.
                    let after =
                        self.pending.iter().rev().take_while(|label| label.known_at > known_at).count();
                    let pending = Pending { known_at, event, field, value: value.clone() };
                    self.pending.insert(self.pending.len() - after, pending);
                }
            }
        }
    }

    /// Reads what the next call of [`advance`](Self::advance) and the next copy will read first, and adds it up into
    /// something meaningless.
    ///
    /// An entity seldom is in the processor's cache when its turn comes, and what it keeps stands in many places. Done
    /// for several entities in a row, these reads wait for the memory together; each by itself would wait alone.
    pub(super) fn touch(&self) -> u64 {
        let ends = self.times.last().copied().unwrap_or_default()
            ^ self.pending.front().map_or(0, |label| label.known_at);
        self.bounds.iter().fold(ends.cast_unsigned(), |sum, bounds| {
            let time = self.times.get(bounds.start).copied().unwrap_or_default().cast_unsigned();
            self.series.iter().fold(sum ^ time, |sum, series| sum ^ series.touch(bounds.start))
        })
    }

    /// Drops events that no window holds any more, once they are at least half of all.
    fn drop_dead_events(&mut self) {
        let dead = self.bounds.iter().map(|bounds| bounds.start).min().unwrap_or(0);
        if dead < DEAD_EVENTS_MIN || 2 * dead < self.times.len() {
            return;
        }
        drop_front(&mut self.times, dead);
        self.series.iter_mut().for_each(|series| series.drop_front(dead));
        for bounds in &mut self.bounds {
            *bounds = bounds.start - dead..bounds.end - dead;
        }
        self.dropped += dead;
    }
}
