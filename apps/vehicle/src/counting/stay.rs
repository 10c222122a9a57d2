//! What is in a zone.

use std::collections::{BTreeMap, HashMap};

use super::shape::Zone;
use super::{Point, ZoneCounts};

/// A zone, and what was in it so far.
#[derive(Clone, Debug)]
pub(super) struct Stays {
    zone: Zone,
    /// In how many frames a track was in it.
    tracks: HashMap<i64, u64>,
    entered: BTreeMap<String, u64>,
    most_at_once: u64,
    now: u64,
}

impl Stays {
    /// `zone` is in pixels.
    pub(super) fn new(zone: &Zone) -> Stays {
        Stays {
            zone: zone.clone(),
            tracks: HashMap::new(),
            entered: BTreeMap::new(),
            most_at_once: 0,
            now: 0,
        }
    }

    /// Sees the tracks of a frame: which one, of which label, and where.
    pub(super) fn add<'a>(&mut self, tracked: impl Iterator<Item = (i64, &'a str, Point)>) {
        self.now = 0;
        for (track, label, place) in tracked {
            if !self.zone.contains(place) {
                continue;
            }
            self.now += 1;
            let frames = self.tracks.entry(track).or_default();
            if *frames == 0 {
                *self.entered.entry(label.to_owned()).or_default() += 1;
            }
            *frames += 1;
        }
        self.most_at_once = self.most_at_once.max(self.now);
    }

    /// What was counted in so many frames.
    pub(super) fn counts(&self, frames: u64, frame_rate: f64) -> ZoneCounts {
        let inside = self.tracks.values().sum::<u64>() as f64;
        let per = |count: u64| (count > 0).then(|| inside / count as f64);
        ZoneCounts {
            name: self.zone.name.clone(),
            entered: self.entered.clone(),
            mean_stay_seconds: per(self.tracks.len() as u64).map(|frames| frames / frame_rate),
            mean_at_once: per(frames),
            most_at_once: self.most_at_once,
            now: self.now,
        }
    }
}
