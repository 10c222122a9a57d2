//! The rules: what is worth a warning, how urgent it is, and why.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use crate::drive::Drive;
use crate::lane::{Departure, Side, departures};
use crate::scene::{Situation, situations};
use crate::settings::Settings;
use crate::spell::{Level, Spell, spells};

/// Most warnings of a drive; of more, the most urgent ones are given.
pub const WARNINGS_MAX: usize = 10_000;

/// Own speed below which the car stands, in m/s.
const STANDING_SPEED: f64 = 0.5;

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Traffic ahead is reached soon at the present speeds.
    ForwardCollision,
    /// A person on foot is in the way, or will be when the car gets there.
    PedestrianAhead,
    /// A side of the car is on the line of its lane, or soon will be.
    LaneDeparture,
    /// The car ahead is near for the own speed.
    FollowingDistance,
    /// Traffic ahead stands.
    StoppedTraffic,
}

impl Display for Kind {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ForwardCollision => "forward-collision",
            Self::PedestrianAhead => "pedestrian-ahead",
            Self::LaneDeparture => "lane-departure",
            Self::FollowingDistance => "following-distance",
            Self::StoppedTraffic => "stopped-traffic",
        })
    }
}

/// Something to be warned of.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub kind: Kind,
    /// Which object; 0: the car itself.
    pub track: i64,
    /// Its first frame.
    pub first: usize,
    /// Its last frame.
    pub last: usize,
    /// How urgent it is at its worst, 0 to 1.
    pub score: f64,
    /// Why, at its worst: one sentence with numbers and units.
    pub reason: String,
}

impl Warning {
    /// How an answer names it: `KIND/TRACK/FIRST-LAST`.
    pub fn item(&self) -> String {
        let Self { kind, track, first, last, .. } = self;
        format!("{kind}/{track}/{first}-{last}")
    }
}

/// The warnings of a drive, the most urgent one first.
pub fn warnings(drive: &Drive<'_>, settings: &Settings) -> Vec<Warning> {
    let rules = Rules { drive, settings };
    let mut warnings = Vec::new();
    rules.objects(&mut warnings);
    rules.departures(&mut warnings);
    warnings.sort_by(|one, other| {
        let order = |warning: &Warning| (warning.first, warning.kind, warning.track);
        other.score.total_cmp(&one.score).then(order(one).cmp(&order(other)))
    });
    warnings.truncate(WARNINGS_MAX);
    warnings
}

struct Rules<'a> {
    drive: &'a Drive<'a>,
    settings: &'a Settings,
}

impl Rules<'_> {
    fn objects(&self, warnings: &mut Vec<Warning>) {
        let situations = situations(self.drive, self.settings);
        // Who is the nearest in the corridor, by frame.
        let mut leads: BTreeMap<usize, f64> = BTreeMap::new();
        for situation in situations.iter().filter(|situation| self.is_in_the_way(situation)) {
            let lead = leads.entry(situation.frame).or_insert(f64::INFINITY);
            *lead = lead.min(situation.distance);
        }
        let is_lead = |situation: &Situation<'_>| {
            self.is_in_the_way(situation) && leads.get(&situation.frame) == Some(&situation.distance)
        };
        for track in situations.chunk_by(|one, other| one.track == other.track) {
            let mut judge = |kind, sustain, level: &dyn Fn(&Situation<'_>) -> Level| {
                let levels: Vec<_> =
                    track.iter().map(|situation| (situation.frame, level(situation))).collect();
                for spell in self.spells(&levels, sustain) {
                    let worst = &track[spell.worst];
                    let reason = self.reason(kind, worst);
                    warnings.push(warning(kind, worst.track, &spell, reason));
                }
            };
            let Settings { sustain_seconds: sustain, following_sustain_seconds: following, .. } =
                *self.settings;
            judge(Kind::ForwardCollision, sustain, &|situation| self.forward_collision(situation));
            judge(Kind::PedestrianAhead, sustain, &|situation| self.pedestrian_ahead(situation));
            judge(Kind::FollowingDistance, following, &|situation| {
                if is_lead(situation) { self.following_distance(situation) } else { Level::Off }
            });
            judge(Kind::StoppedTraffic, sustain, &|situation| {
                if is_lead(situation) { self.stopped_traffic(situation) } else { Level::Off }
            });
        }
    }

    fn departures(&self, warnings: &mut Vec<Warning>) {
        let settings = self.settings;
        for side in Side::BOTH {
            let departures = departures(self.drive, settings, side);
            let level = |departure: &Departure| {
                let is_slow =
                    self.drive.speed(departure.frame).is_some_and(|speed| speed < settings.departure_speed);
                let crossing = departure.crossing.filter(|_| !is_slow);
                Level::of(crossing, settings.departure_seconds, settings.hysteresis)
                    .times(settings.departure_weight)
            };
            let levels: Vec<_> =
                departures.iter().map(|departure| (departure.frame, level(departure))).collect();
            for spell in self.spells(&levels, settings.sustain_seconds) {
                let reason = departure_reason(side, &departures[spell.worst]);
                warnings.push(warning(Kind::LaneDeparture, 0, &spell, reason));
            }
        }
    }

    fn spells(&self, levels: &[(usize, Level)], sustain_seconds: f64) -> Vec<Spell> {
        let frames = |seconds| self.drive.frames_in(seconds);
        spells(levels, frames(sustain_seconds), frames(self.settings.release_seconds))
    }

    fn is_in_the_way(&self, situation: &Situation<'_>) -> bool {
        situation.is_inside(0.0) && self.settings.traffic.iter().any(|class| class == situation.label)
    }

    fn forward_collision(&self, situation: &Situation<'_>) -> Level {
        let settings = self.settings;
        if !self.is_in_the_way(situation) || situation.closing < settings.collision_speed {
            return Level::Off;
        }
        Level::of(situation.collision, settings.collision_seconds, settings.hysteresis)
    }

    fn following_distance(&self, situation: &Situation<'_>) -> Level {
        let settings = self.settings;
        let speed = self.drive.speed(situation.frame).filter(|speed| *speed >= settings.following_speed);
        let gap = speed.map(|speed| situation.distance / speed);
        Level::of(gap, settings.following_seconds, settings.hysteresis).times(settings.following_weight)
    }

    fn pedestrian_ahead(&self, situation: &Situation<'_>) -> Level {
        let settings = self.settings;
        let margin = settings.pedestrian_margin_metres;
        if settings.pedestrians.iter().all(|class| class != situation.label) {
            return Level::Off;
        }
        let reached = self.reached(situation);
        let will_be = reached.is_some_and(|seconds| situation.is_inside_after(seconds, margin));
        if !situation.is_inside(margin) && !will_be {
            return Level::Off;
        }
        let by_time = Level::of(reached, settings.pedestrian_seconds, settings.hysteresis);
        if self.drive.speed(situation.frame).is_some() {
            return by_time;
        }
        let by_distance =
            Level::of(Some(situation.distance), settings.pedestrian_metres, settings.hysteresis);
        more_urgent(by_time, by_distance)
    }

    /// Seconds until a person is reached: at the own speed, since people hardly move along the road; at the closing speed
    /// where the own one is not known.
    fn reached(&self, situation: &Situation<'_>) -> Option<f64> {
        match self.drive.speed(situation.frame) {
            Some(speed) => (speed >= STANDING_SPEED).then(|| situation.distance / speed),
            None => situation.collision.filter(|_| situation.closing >= self.settings.collision_speed),
        }
    }

    fn stopped_traffic(&self, situation: &Situation<'_>) -> Level {
        let settings = self.settings;
        let speed = self.drive.speed(situation.frame).filter(|speed| *speed >= settings.stopped_own_speed);
        let stands = speed.filter(|speed| (speed - situation.closing).abs() <= settings.stopped_speed);
        let reached = stands.map(|speed| situation.distance / speed);
        Level::of(reached, settings.stopped_seconds, settings.hysteresis).times(settings.stopped_weight)
    }

    fn reason(&self, kind: Kind, situation: &Situation<'_>) -> String {
        let Situation { label, track, distance, closing, collision, by_growth, beside, .. } = situation;
        let speed = self.drive.speed(situation.frame).unwrap_or_default();
        let seconds = collision.unwrap_or_default();
        match kind {
            Kind::ForwardCollision => {
                let growth =
                    by_growth.map_or(String::new(), |by| format!(" ({by:.1} s by the growth of its box)"));
                format!(
                    "{label} {track} is {distance:.1} m ahead and comes nearer at {closing:.1} m/s: {seconds:.1} s to collision{growth}"
                )
            }
            Kind::FollowingDistance => {
                let gap = distance / speed;
                format!("{label} {track} is {distance:.1} m ahead at {speed:.1} m/s: a gap of {gap:.1} s")
            }
            Kind::StoppedTraffic => {
                let seconds = distance / speed;
                format!("{label} {track} stands {distance:.1} m ahead: {seconds:.1} s at {speed:.1} m/s")
            }
            // A departure has a reason of its own.
            Kind::PedestrianAhead | Kind::LaneDeparture => {
                let side = if *beside < 0.0 { Side::Left } else { Side::Right }.name();
                let beside = beside.abs();
                let reached = self.reached(situation);
                let reached = reached.map_or(String::new(), |seconds| format!(", reached in {seconds:.1} s"));
                format!(
                    "{label} {track} is {distance:.1} m ahead, {beside:.1} m {side} of the middle of the path{reached}"
                )
            }
        }
    }
}

fn warning(kind: Kind, track: i64, spell: &Spell, reason: String) -> Warning {
    Warning { kind, track, first: spell.first, last: spell.last, score: spell.urgency, reason }
}

fn more_urgent(one: Level, other: Level) -> Level {
    let is_on = |level: Level| matches!(level, Level::On(_));
    let urgencies = one.urgency().into_iter().chain(other.urgency());
    match urgencies.reduce(f64::max) {
        Some(urgency) if is_on(one) || is_on(other) => Level::On(urgency),
        Some(urgency) => Level::Hold(urgency),
        None => Level::Off,
    }
}

fn departure_reason(side: Side, departure: &Departure) -> String {
    let (side, metres) = (side.name(), departure.margin.abs());
    let place = if departure.margin < 0.0 { "beyond" } else { "from" };
    let mut reason = format!("the car's {side} side is {metres:.2} m {place} the {side} line");
    if let Some(drift) = departure.drift.filter(|drift| *drift > 0.0) {
        reason += &format!(" and drifts there at {drift:.2} m/s");
    }
    if let Some(seconds) = departure.crossing.filter(|seconds| *seconds > 0.0) {
        reason += &format!(": {seconds:.1} s to crossing");
    }
    reason
}
