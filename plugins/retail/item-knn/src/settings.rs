//! The plugin's settings, as `[config]` of `plugin.toml` lists them.

use foretell_sdk::SettingsError;
use serde::Deserialize;

/// How similarity and score are made of what was learned. A change needs no new fit.
///
/// With `c` the customers that bought both items, in either order, and `n` their nearness (see [`crate::counts`]), how
/// similar `i` is to `j` is
///
/// ```text
/// S(j, i) = c / (c + shrink) * (n + together * c) / (purchases of j ^ history_exponent * purchases of i ^ candidate_exponent)
/// ```
///
/// The first factor is the shrinkage of Bell and Koren (*Scalable Collaborative Filtering with Jointly Derived Neighborhood
/// Interpolation Weights*, 2007, section 3): two items that one customer happened to buy are no neighbours yet. With both
/// exponents 0.5 and `shrink = 0` the part of `together` is the cosine of Sarwar, Karypis, Konstan and Riedl (*Item-Based
/// Collaborative Filtering Recommendation Algorithms*, 2001, section 3.1.1). A smaller `candidate_exponent` favours what
/// many buy.
///
/// A candidate's score is the sum over the sequence of `decay ^ age * 2 ^ (-days / half_life_days) * S(j, i)`: the item
/// bought last has age 0, the one before 1.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Items of an answer when the record does not say, at least 1.
    pub count: usize,
    /// What each step back in the sequence leaves of an item's weight, above 0 and at most 1.
    pub decay: f64,
    /// After how many days a purchase weighs half; 0: time does not matter.
    pub half_life_days: f64,
    /// Weight of having been bought by the same customer at all, beside the nearness.
    pub together: f64,
    /// How many customers must have bought both items for half of their similarity to count.
    pub shrink: f64,
    /// How much the popularity of the item in the sequence takes from the similarity, 0 to 1.
    pub history_exponent: f64,
    /// How much the popularity of the candidate takes from the similarity, 0 to 1.
    pub candidate_exponent: f64,
    /// 0: what was bought before an item is as near to it as what was bought after. 1: only what was bought after.
    pub directed: f64,
    /// How many of an item's neighbours are kept, the most similar ones; 0: all.
    pub neighbours: usize,
    /// Whether popular items follow where the sequence leads to fewer than are wanted.
    pub fill: bool,
    /// Whether items of the sequence may be in the answer.
    pub repeat: bool,
    /// Whether everybody is answered with the popular items: the baseline that each recommender must beat.
    pub only_popular: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            count: 10,
            decay: 0.65,
            half_life_days: 0.0,
            together: 0.3,
            shrink: 2.0,
            history_exponent: 0.4,
            candidate_exponent: 0.2,
            directed: 0.0,
            neighbours: 200,
            fill: true,
            repeat: false,
            only_popular: false,
        }
    }
}

impl Settings {
    /// Reads the settings from the JSON object that the host hands over.
    ///
    /// ```
    /// use foretell_plugin_item_knn::settings::Settings;
    /// let error = Settings::read(r#"{"decay": 0.5}"#).unwrap_err().to_string();
    /// assert!(error.contains("missing field `count`"), "{error}");
    /// ```
    pub fn read(json: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_json::from_str(json).map_err(SettingsError::form)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let fraction = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            ("count", self.count as f64, self.count > 0, "1 or more"),
            ("decay", self.decay, self.decay > 0.0 && self.decay <= 1.0, "more than 0 and at most 1"),
            ("half_life_days", self.half_life_days, not_negative(self.half_life_days), "0 or more"),
            ("together", self.together, not_negative(self.together), "0 or more"),
            ("shrink", self.shrink, not_negative(self.shrink), "0 or more"),
            ("history_exponent", self.history_exponent, fraction(self.history_exponent), "0 to 1"),
            ("candidate_exponent", self.candidate_exponent, fraction(self.candidate_exponent), "0 to 1"),
            ("directed", self.directed, fraction(self.directed), "0 to 1"),
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
            (Settings { count: 0, ..shipped() }, "`count` is 0; expected 1 or more"),
            (Settings { decay: 0.0, ..shipped() }, "`decay` is 0; expected more than 0"),
            (Settings { half_life_days: -1.0, ..shipped() }, "`half_life_days` is -1; expected 0 or more"),
            (Settings { together: f64::INFINITY, ..shipped() }, "`together` is inf"),
            (Settings { shrink: f64::NAN, ..shipped() }, "`shrink` is NaN"),
            (Settings { history_exponent: 2.0, ..shipped() }, "`history_exponent` is 2; expected 0 to 1"),
            (Settings { candidate_exponent: -0.5, ..shipped() }, "`candidate_exponent` is -0.5"),
            (Settings { directed: 1.5, ..shipped() }, "`directed` is 1.5"),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
