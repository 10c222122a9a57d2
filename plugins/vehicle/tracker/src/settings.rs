//! The plugin's settings, as `[config]` of `plugin.toml` lists them.

use foretell_sdk::SettingsError;
use serde::Deserialize;

/// How detections become tracks.
///
/// Times are in seconds and lengths in *sizes*, the square root of the area of the object at hand, so that neither the frame
/// rate nor how far away an object is changes what a setting means. Scores are those of a detector that reports an object from
/// 0.5 on; others are brought to that scale by [`certainty`](crate::clip::certainty).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Score from which a detection is sure enough to begin a track, 0 to 1.
    pub birth_score: f64,
    /// Score from which a detection is matched in the first round, 0 to 1.
    pub high_score: f64,
    /// Score below which a detection is passed over, 0 to 1.
    pub low_score: f64,
    /// Overlap, intersection over union, that a detection needs with the predicted box in the first round, 0 to 1.
    pub overlap: f64,
    /// The same for a detection between `low_score` and `high_score`, in the second round.
    pub low_overlap: f64,
    /// What overlap is taken off where a detection has another class than the track, 0 to 1; 1: they never go together.
    pub other_class: f64,
    /// Overlap with a box that was matched from which an unmatched one is the same object again and begins no track, 0 to 1.
    pub same_overlap: f64,
    /// How much going on in the same direction counts beside the overlap, 0 to 1.
    pub direction: f64,
    /// Over how many seconds a direction is taken.
    pub direction_seconds: f64,
    /// How many detections a track must have to be reported, at least 1.
    pub hits: usize,
    /// How long a track waits for its object while frames are walked through.
    pub lost_seconds: f64,
    /// How long the gap between two tracks may be that are joined afterwards; 0: none are joined.
    pub link_seconds: f64,
    /// How far two such tracks may be from continuing each other, in standard deviations of the motion.
    pub link_deviations: f64,
    /// Longest gap in a track that is filled in; 0: none is.
    pub fill_seconds: f64,
    /// Whether boxes are smoothed over time; if not, they stay where they were detected.
    pub smooth: bool,
    /// Standard deviation of a detected coordinate, in sizes.
    pub position_noise: f64,
    /// How much the speed of an object changes in a second: standard deviation, in sizes per second.
    pub acceleration: f64,
    /// How fast an object is: standard deviation, in sizes per second.
    pub speed: f64,
    /// How many objects must be seen to have moved alike for the camera to have moved; 0: that is not looked for.
    pub camera_objects: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            birth_score: 0.6,
            high_score: 0.6,
            low_score: 0.1,
            overlap: 0.3,
            low_overlap: 0.5,
            other_class: 0.3,
            same_overlap: 0.8,
            direction: 0.1,
            direction_seconds: 0.3,
            hits: 3,
            lost_seconds: 0.8,
            link_seconds: 2.0,
            link_deviations: 2.5,
            fill_seconds: 1.0,
            smooth: true,
            position_noise: 0.1,
            acceleration: 0.35,
            speed: 1.5,
            camera_objects: 4,
        }
    }
}

impl Settings {
    /// Reads the settings from the JSON object that the host hands over.
    ///
    /// # Errors
    /// What can't be read, and the first setting out of its range, by name.
    ///
    /// ```
    /// use foretell_plugin_tracker::settings::Settings;
    /// let error = Settings::read(r#"{"overlap": 0.5}"#).unwrap_err().to_string();
    /// assert!(error.contains("missing field `birth_score`"), "{error}");
    /// ```
    pub fn read(json: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_json::from_str(json).map_err(SettingsError::form)?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether each setting is in its range. Those of the motion are bounded so that no variance gets lost in rounding.
    fn check(&self) -> Result<(), SettingsError> {
        let fraction = |name, value: f64| (name, value, (0.0..=1.0).contains(&value), "0 to 1");
        let overlap =
            |name, value: f64| (name, value, value > 0.0 && value <= 1.0, "more than 0 and at most 1");
        let seconds = |name, value: f64| (name, value, (0.0..=60.0).contains(&value), "0 to 60 seconds");
        let rules = [
            fraction("birth_score", self.birth_score),
            ("birth_score", self.birth_score, self.birth_score >= self.high_score, "`high_score` or more"),
            fraction("high_score", self.high_score),
            ("high_score", self.high_score, self.high_score >= self.low_score, "`low_score` or more"),
            fraction("low_score", self.low_score),
            overlap("overlap", self.overlap),
            overlap("low_overlap", self.low_overlap),
            fraction("other_class", self.other_class),
            overlap("same_overlap", self.same_overlap),
            fraction("direction", self.direction),
            seconds("direction_seconds", self.direction_seconds),
            ("hits", self.hits as f64, (1..=1000).contains(&self.hits), "1 to 1000"),
            seconds("lost_seconds", self.lost_seconds),
            seconds("link_seconds", self.link_seconds),
            (
                "link_deviations",
                self.link_deviations,
                (0.0..=100.0).contains(&self.link_deviations),
                "0 to 100",
            ),
            seconds("fill_seconds", self.fill_seconds),
            (
                "position_noise",
                self.position_noise,
                (0.001..=10.0).contains(&self.position_noise),
                "0.001 to 10 sizes",
            ),
            (
                "acceleration",
                self.acceleration,
                (0.001..=100.0).contains(&self.acceleration),
                "0.001 to 100 sizes",
            ),
            ("speed", self.speed, (0.001..=100.0).contains(&self.speed), "0.001 to 100 sizes per second"),
            (
                "camera_objects",
                self.camera_objects as f64,
                matches!(self.camera_objects, 0 | 2..=1000),
                "0, or 2 to 1000",
            ),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, found, _, expected)) => Err(SettingsError::value(name, found, expected)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        let shipped = Settings::default;
        assert!(shipped().check().is_ok());
        for (settings, words) in [
            (
                Settings { birth_score: 0.5, ..shipped() },
                "`birth_score` is 0.5; expected `high_score` or more",
            ),
            (Settings { birth_score: 1.5, ..shipped() }, "`birth_score` is 1.5; expected 0 to 1"),
            (Settings { low_score: 0.65, ..shipped() }, "`high_score` is 0.6; expected `low_score` or more"),
            (Settings { low_score: -0.1, ..shipped() }, "`low_score` is -0.1; expected 0 to 1"),
            (Settings { overlap: 0.0, ..shipped() }, "`overlap` is 0; expected more than 0"),
            (Settings { low_overlap: f64::NAN, ..shipped() }, "`low_overlap` is NaN"),
            (Settings { other_class: 2.0, ..shipped() }, "`other_class` is 2"),
            (Settings { same_overlap: 0.0, ..shipped() }, "`same_overlap` is 0"),
            (Settings { direction: -1.0, ..shipped() }, "`direction` is -1"),
            (Settings { direction_seconds: 61.0, ..shipped() }, "`direction_seconds` is 61"),
            (Settings { hits: 0, ..shipped() }, "`hits` is 0; expected 1 to 1000"),
            (Settings { lost_seconds: -1.0, ..shipped() }, "`lost_seconds` is -1; expected 0 to 60 seconds"),
            (Settings { link_seconds: f64::INFINITY, ..shipped() }, "`link_seconds` is inf"),
            (Settings { link_deviations: -1.0, ..shipped() }, "`link_deviations` is -1"),
            (Settings { fill_seconds: -0.5, ..shipped() }, "`fill_seconds` is -0.5"),
            (
                Settings { position_noise: 0.0, ..shipped() },
                "`position_noise` is 0; expected 0.001 to 10 sizes",
            ),
            (Settings { acceleration: 1e3, ..shipped() }, "`acceleration` is 1000"),
            (Settings { speed: 0.0, ..shipped() }, "`speed` is 0"),
            (Settings { camera_objects: 1, ..shipped() }, "`camera_objects` is 1; expected 0, or 2 to 1000"),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
