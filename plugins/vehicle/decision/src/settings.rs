//! The plugin's settings, as `[config]` of `plugin.toml` lists them.

use foretell_sdk::SettingsError;
use serde::Deserialize;

/// When to warn. Names end in their unit; a speed is in metres per second.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What an unknown camera sees from the left to the right edge of the image.
    pub view_degrees: f64,
    /// How high above the road an unknown camera is.
    pub height_metres: f64,
    /// How far down an unknown camera looks; negative is up.
    pub pitch_degrees: f64,
    /// How far the car's front is ahead of the camera.
    pub front_metres: f64,
    /// How wide the car is.
    pub car_metres: f64,
    /// How far ahead distances are believed.
    pub far_metres: f64,
    /// Classes that are traffic.
    pub traffic: Vec<String>,
    /// Classes that are people on foot.
    pub pedestrians: Vec<String>,
    /// Score below which a box is passed over, 0 to 1.
    pub score: f64,
    /// Over how many seconds of the past speeds are fitted.
    pub window_seconds: f64,
    /// How many frames a fit needs, at least 2.
    pub window_frames: usize,
    /// How wide the corridor ahead is where no lane is known.
    pub corridor_metres: f64,
    /// For how long a lane is taken to go on after it was last found.
    pub lane_seconds: f64,
    /// For how long a rule must hold without a break before it becomes a warning.
    pub sustain_seconds: f64,
    /// How long it may fail to hold within one warning.
    pub release_seconds: f64,
    /// By what factor a measure must leave its limit for a warning to end, at least 1.
    pub hysteresis: f64,
    /// `forward-collision`: limit of the time to collision.
    pub collision_seconds: f64,
    /// `forward-collision`: slowest approach that counts.
    pub collision_speed: f64,
    /// `following-distance`: limit of the time gap.
    pub following_seconds: f64,
    /// `following-distance`: slowest own speed at which it counts.
    pub following_speed: f64,
    /// `following-distance`: for how long it must hold, in the place of `sustain_seconds`.
    pub following_sustain_seconds: f64,
    /// `following-distance`: the highest score that it can have, 0 to 1.
    pub following_weight: f64,
    /// `lane-departure`: limit of the time until a wheel is on the line.
    pub departure_seconds: f64,
    /// `lane-departure`: how far from the line a side of the car is taken to be on it; negative: beyond it.
    pub departure_metres: f64,
    /// `lane-departure`: slowest drift that counts.
    pub departure_drift: f64,
    /// `lane-departure`: slowest own speed at which it counts, where the speed is known.
    pub departure_speed: f64,
    /// `lane-departure`: the highest score that it can have, 0 to 1.
    pub departure_weight: f64,
    /// `pedestrian-ahead`: limit of the time until the person is reached.
    pub pedestrian_seconds: f64,
    /// `pedestrian-ahead`: limit of the distance where the own speed is not known.
    pub pedestrian_metres: f64,
    /// `pedestrian-ahead`: by how much the corridor is wider on either side.
    pub pedestrian_margin_metres: f64,
    /// `stopped-traffic`: limit of the time until it is reached.
    pub stopped_seconds: f64,
    /// `stopped-traffic`: fastest that counts as standing.
    pub stopped_speed: f64,
    /// `stopped-traffic`: slowest own speed at which it counts.
    pub stopped_own_speed: f64,
    /// `stopped-traffic`: the highest score that it can have, 0 to 1.
    pub stopped_weight: f64,
}

/// Most classes that a setting lists.
pub const CLASSES_MAX: usize = 1000;

impl Default for Settings {
    fn default() -> Self {
        let classes = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            view_degrees: 60.0,
            height_metres: 1.2,
            pitch_degrees: -2.0,
            front_metres: 1.5,
            car_metres: 1.8,
            far_metres: 80.0,
            traffic: classes(&["car", "truck", "bus", "motorcycle", "bicycle"]),
            pedestrians: classes(&["person"]),
            score: 0.3,
            window_seconds: 0.8,
            window_frames: 5,
            corridor_metres: 3.0,
            lane_seconds: 1.0,
            sustain_seconds: 0.2,
            release_seconds: 0.4,
            hysteresis: 1.2,
            collision_seconds: 2.5,
            collision_speed: 1.0,
            following_seconds: 1.0,
            following_speed: 8.0,
            following_sustain_seconds: 1.0,
            following_weight: 0.6,
            departure_seconds: 0.6,
            departure_metres: 0.0,
            departure_drift: 0.15,
            departure_speed: 8.0,
            departure_weight: 0.7,
            pedestrian_seconds: 4.0,
            pedestrian_metres: 8.0,
            pedestrian_margin_metres: 1.0,
            stopped_seconds: 6.0,
            stopped_speed: 1.0,
            stopped_own_speed: 3.0,
            stopped_weight: 0.5,
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
    /// use foretell_plugin_decision::settings::Settings;
    /// let error = Settings::read(r#"{"car_metres": 2.0}"#).unwrap_err().to_string();
    /// assert!(error.contains("missing field `view_degrees`"), "{error}");
    /// ```
    pub fn read(json: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_json::from_str(json).map_err(SettingsError::form)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        for (name, classes) in [("traffic", &self.traffic), ("pedestrians", &self.pedestrians)] {
            let found = classes.len();
            if found > CLASSES_MAX {
                let (found, expected) =
                    (format!("a list of {found} classes"), format!("at most {CLASSES_MAX}"));
                return Err(SettingsError::value(name, found, expected));
            }
        }
        let mut ranges = self.ranges().into_iter();
        ranges
            .try_for_each(|(name, found, least, most)| SettingsError::check_range(name, found, least..=most))
    }

    /// Each number with the least and the most that it may be.
    fn ranges(&self) -> [(&'static str, f64, f64, f64); 32] {
        [
            ("view_degrees", self.view_degrees, 1.0, 170.0),
            ("height_metres", self.height_metres, 0.1, 10.0),
            ("pitch_degrees", self.pitch_degrees, -45.0, 45.0),
            ("front_metres", self.front_metres, 0.0, 10.0),
            ("car_metres", self.car_metres, 0.1, 5.0),
            ("far_metres", self.far_metres, 1.0, 1000.0),
            ("score", self.score, 0.0, 1.0),
            ("window_seconds", self.window_seconds, 0.05, 10.0),
            ("window_frames", self.window_frames as f64, 2.0, 1000.0),
            ("corridor_metres", self.corridor_metres, 0.1, 20.0),
            ("lane_seconds", self.lane_seconds, 0.0, 60.0),
            ("sustain_seconds", self.sustain_seconds, 0.0, 60.0),
            ("release_seconds", self.release_seconds, 0.0, 60.0),
            ("hysteresis", self.hysteresis, 1.0, 10.0),
            ("collision_seconds", self.collision_seconds, 0.1, 60.0),
            ("collision_speed", self.collision_speed, 0.01, 100.0),
            ("following_seconds", self.following_seconds, 0.1, 60.0),
            ("following_speed", self.following_speed, 0.01, 100.0),
            ("following_sustain_seconds", self.following_sustain_seconds, 0.0, 60.0),
            ("following_weight", self.following_weight, 0.0, 1.0),
            ("departure_seconds", self.departure_seconds, 0.01, 60.0),
            ("departure_metres", self.departure_metres, -5.0, 5.0),
            ("departure_drift", self.departure_drift, 0.001, 10.0),
            ("departure_speed", self.departure_speed, 0.0, 100.0),
            ("departure_weight", self.departure_weight, 0.0, 1.0),
            ("pedestrian_seconds", self.pedestrian_seconds, 0.1, 60.0),
            ("pedestrian_metres", self.pedestrian_metres, 0.0, 1000.0),
            ("pedestrian_margin_metres", self.pedestrian_margin_metres, 0.0, 20.0),
            ("stopped_seconds", self.stopped_seconds, 0.1, 60.0),
            ("stopped_speed", self.stopped_speed, 0.0, 100.0),
            ("stopped_own_speed", self.stopped_own_speed, 0.01, 100.0),
            ("stopped_weight", self.stopped_weight, 0.0, 1.0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_settings_are_in_range_and_what_is_not_is_named() {
        let shipped = Settings::default;
        assert!(shipped().check().is_ok());
        for (settings, words) in [
            (Settings { view_degrees: 0.0, ..shipped() }, "`view_degrees` is 0; expected 1 to 170"),
            (Settings { car_metres: -1.0, ..shipped() }, "`car_metres` is -1; expected 0.1 to 5"),
            (Settings { window_frames: 1, ..shipped() }, "`window_frames` is 1; expected 2 to 1000"),
            (Settings { hysteresis: 0.9, ..shipped() }, "`hysteresis` is 0.9; expected 1 to 10"),
            (Settings { collision_seconds: f64::NAN, ..shipped() }, "`collision_seconds` is NaN"),
            (Settings { following_weight: 1.5, ..shipped() }, "`following_weight` is 1.5; expected 0 to 1"),
            (Settings { stopped_seconds: f64::INFINITY, ..shipped() }, "`stopped_seconds` is inf"),
            (
                Settings { traffic: vec![String::new(); 1001], ..shipped() },
                "`traffic` is a list of 1001 classes; expected at most 1000",
            ),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
