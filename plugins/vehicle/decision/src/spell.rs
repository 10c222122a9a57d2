//! For how long a rule holds: from measures that flicker to spells that a person would call one.

/// How a rule stands in a frame. The number is how urgent it is, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// It holds.
    On(f64),
    /// It would not begin to hold, but goes on where it did.
    Hold(f64),
    /// It does not hold.
    Off,
}

impl Level {
    /// The level of a measure that must not be less than `limit`, and is on hold up to `limit * hysteresis`: as urgent as it
    /// is below that, 1 at 0.
    ///
    /// ```
    /// use foretell_plugin_decision::spell::Level;
    /// assert_eq!(Level::of(Some(1.0), 2.0, 2.0), Level::On(0.75));
    /// assert_eq!(Level::of(Some(3.0), 2.0, 2.0), Level::Hold(0.25));
    /// assert_eq!(Level::of(None, 2.0, 2.0), Level::Off);
    /// ```
    pub fn of(measure: Option<f64>, limit: f64, hysteresis: f64) -> Self {
        let end = limit * hysteresis;
        match measure {
            Some(measure) if measure <= limit => Self::On((1.0 - measure / end).clamp(0.0, 1.0)),
            Some(measure) if measure <= end => Self::Hold((1.0 - measure / end).clamp(0.0, 1.0)),
            _ => Self::Off,
        }
    }

    /// The same level, so many times as urgent.
    pub fn times(self, weight: f64) -> Self {
        match self {
            Self::On(urgency) => Self::On(urgency * weight),
            Self::Hold(urgency) => Self::Hold(urgency * weight),
            Self::Off => Self::Off,
        }
    }

    /// How urgent it is, where it is not off.
    pub fn urgency(self) -> Option<f64> {
        match self {
            Self::On(urgency) | Self::Hold(urgency) => Some(urgency),
            Self::Off => None,
        }
    }
}

/// A stretch of frames in which a rule holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// Its first frame.
    pub first: usize,
    /// Its last frame.
    pub last: usize,
    /// Which of the levels is the most urgent, the first one of several.
    pub worst: usize,
    /// How urgent that is, 0 to 1.
    pub urgency: f64,
    is_sustained: bool,
}

/// Spells of a rule, given its level in frames that ascend; where a frame is missing, the rule is off. A spell begins once
/// the rule was on for `sustain` frames, and ends where it was off for more than `release`.
pub fn spells(levels: &[(usize, Level)], sustain: usize, release: usize) -> Vec<Spell> {
    let mut spells = Vec::new();
    let mut at: Option<Spell> = None;
    for (place, &(frame, level)) in levels.iter().enumerate() {
        if let Some(spell) = at.filter(|spell| frame - spell.last > release + 1) {
            spells.extend(spell.is_sustained.then_some(spell));
            at = None;
        }
        let Some(urgency) = level.urgency() else {
            // What did not last is forgotten at once.
            at = at.filter(|spell| spell.is_sustained);
            continue;
        };
        let is_on = matches!(level, Level::On(_));
        at = match at {
            Some(spell) if spell.is_sustained || (is_on && frame - spell.last <= release + 1) => {
                let (worst, urgency) =
                    if urgency > spell.urgency { (place, urgency) } else { (spell.worst, spell.urgency) };
                Some(Spell { last: frame, worst, urgency, ..spell })
            }
            _ if is_on => {
                Some(Spell { first: frame, last: frame, worst: place, urgency, is_sustained: false })
            }
            _ => None,
        };
        if let Some(spell) = &mut at {
            spell.is_sustained |= frame + 1 - spell.first >= sustain;
        }
    }
    spells.extend(at.filter(|spell| spell.is_sustained));
    spells
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#` on, `+` on hold, `.` off, ` ` a frame that is missing.
    fn of(levels: &str, sustain: usize, release: usize) -> Vec<(usize, usize)> {
        let levels: Vec<(usize, Level)> = levels
            .chars()
            .enumerate()
            .filter_map(|(frame, letter)| match letter {
                '#' => Some((frame, Level::On(0.5))),
                '+' => Some((frame, Level::Hold(0.1))),
                '.' => Some((frame, Level::Off)),
                _ => None,
            })
            .collect();
        spells(&levels, sustain, release).iter().map(|spell| (spell.first, spell.last)).collect()
    }

    #[test]
    fn a_spell_lasts_and_has_no_short_breaks() {
        for (levels, sustain, release, expected) in [
            ("", 1, 0, &[][..]),
            ("...", 1, 0, &[]),
            (".#.", 1, 0, &[(1, 1)]),
            (".##.", 3, 0, &[]),
            (".###.", 3, 0, &[(1, 3)]),
            ("##.##", 3, 2, &[]),
            ("###.##", 3, 1, &[(0, 5)]),
            ("###..##", 3, 1, &[(0, 2)]),
            ("###..###", 3, 1, &[(0, 2), (5, 7)]),
            ("###  ###", 3, 2, &[(0, 7)]),
            ("###   ###", 3, 2, &[(0, 2), (6, 8)]),
            ("+++", 1, 0, &[]),
            ("+##++", 2, 0, &[(1, 4)]),
            ("#+#", 3, 0, &[]),
        ] {
            assert_eq!(of(levels, sustain, release), expected, "{levels}");
        }
    }

    #[test]
    fn the_first_of_the_most_urgent_frames_is_remembered() {
        let levels = [(0, Level::On(0.2)), (1, Level::On(0.9)), (2, Level::Hold(0.9)), (3, Level::On(0.1))];
        let spells = spells(&levels, 2, 0);
        assert_eq!((spells.len(), spells[0].worst, spells[0].urgency), (1, 1, 0.9));
    }
}
