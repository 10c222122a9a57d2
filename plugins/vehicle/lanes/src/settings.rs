//! The plugin's settings.

use foretell_camera::Mount;
use foretell_sdk::SettingsError;
use serde::Deserialize;

/// The settings, as `[config]` of `plugin.toml` lists and explains them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What an unknown camera sees from the left to the right edge of the image.
    pub view_degrees: f64,
    /// How high an unknown camera is mounted.
    pub height_metres: f64,
    /// How far down an unknown camera looks; negative is up.
    pub pitch_degrees: f64,
    /// How far the pitch of an unknown camera may be from that.
    pub pitch_guess_degrees: f64,
    /// How far the pitch may be from what a known camera says: the car nods.
    pub pitch_nod_degrees: f64,
    /// How far the lane may run beside the direction that the camera says is ahead.
    pub yaw_degrees: f64,
    /// How far ahead lines are looked for.
    pub far_metres: f64,
    /// The tightest bend.
    pub radius_metres: f64,
    /// How wide a painted line is.
    pub line_metres: f64,
    /// The narrowest lane.
    pub lane_metres_least: f64,
    /// The widest lane.
    pub lane_metres_most: f64,
    /// How much a line must stand out of the road on both sides of it.
    pub contrast_levels: f64,
    /// How many metres of road must show a piece of a line for it to be one.
    pub support_metres: f64,
    /// How much of what is within reach of a line's width must lie on the line itself.
    pub purity: f64,
}

impl Settings {
    /// The settings from the host's JSON.
    ///
    /// # Errors
    /// What cannot be read, and the first setting out of its range, by name.
    pub fn read(json: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_json::from_str(json).map_err(SettingsError::form)?;
        for (name, found, least, most) in [
            ("view_degrees", settings.view_degrees, 10.0, 150.0),
            ("height_metres", settings.height_metres, 0.2, 10.0),
            ("pitch_degrees", settings.pitch_degrees, -30.0, 60.0),
            ("pitch_guess_degrees", settings.pitch_guess_degrees, 0.0, 10.0),
            ("pitch_nod_degrees", settings.pitch_nod_degrees, 0.0, 10.0),
            ("yaw_degrees", settings.yaw_degrees, 1.0, 20.0),
            ("far_metres", settings.far_metres, 10.0, 200.0),
            ("radius_metres", settings.radius_metres, 20.0, 10_000.0),
            ("line_metres", settings.line_metres, 0.05, 0.5),
            ("lane_metres_least", settings.lane_metres_least, 1.0, settings.lane_metres_most),
            ("lane_metres_most", settings.lane_metres_most, settings.lane_metres_least, 10.0),
            ("contrast_levels", settings.contrast_levels, 1.0, 200.0),
            ("support_metres", settings.support_metres, 1.0, 50.0),
            ("purity", settings.purity, 0.0, 1.0),
        ] {
            SettingsError::check_range(name, found, least..=most)?;
        }
        Ok(settings)
    }

    /// How an unknown camera is mounted.
    pub fn mount(&self) -> Mount {
        Mount { height: self.height_metres, pitch: self.pitch_degrees.to_radians(), yaw: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of the manifest, as the JSON that the host makes of them.
    fn shipped() -> String {
        let manifest = include_str!("../plugin.toml");
        let config = manifest.split_once("\n[config]\n").unwrap().1.split_once("\n[limits]").unwrap().0;
        let lines = config.lines().filter(|line| !line.starts_with('#'));
        let pairs: Vec<String> = lines
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", pairs.join(","))
    }

    #[test]
    fn the_settings_of_the_manifest_are_read() {
        let settings = Settings::read(&shipped()).unwrap();
        assert_eq!((settings.view_degrees, settings.purity), (60.0, 0.5));
        assert!((settings.mount().pitch + 0.0436).abs() < 1e-4);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (shipped_words, words, message) in [
            ("\"view_degrees\":60.0", "\"view_degrees\":0", "`view_degrees` is 0; expected 10 to 150"),
            (
                "\"lane_metres_most\":5.0",
                "\"lane_metres_most\":2",
                "`lane_metres_least` is 2.5; expected 1 to 2",
            ),
            ("\"purity\":0.5", "\"purity\":1.5", "`purity` is 1.5; expected 0 to 1"),
            ("\"far_metres\":60.0", "\"far_metres\":1e9", "`far_metres` is 1000000000; expected 10 to 200"),
            ("\"purity\"", "\"puritan\"", "unknown field `puritan`"),
        ] {
            let changed = shipped().replace(shipped_words, words);
            assert_ne!(changed, shipped(), "{shipped_words} is in the manifest");
            let error = Settings::read(&changed).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
