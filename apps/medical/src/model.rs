//! Which plugins look at an image.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Says whether a chest X-ray shows pneumonia.
pub const CHEST: &str = "medical-chest-xray";
/// Says which type of tumour a slice of a brain shows.
pub const BRAIN_TUMOR: &str = "medical-brain-tumor";
/// Says where the tumour is.
pub const BRAIN_OUTLINE: &str = "medical-brain-outline";

/// What the user calls the plugins that are to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// [`CHEST`].
    #[default]
    Chest,
    /// [`BRAIN_TUMOR`], then [`BRAIN_OUTLINE`].
    Brain,
    /// This plugin, `name` or `name@version`.
    Plugin(String),
}

impl Model {
    /// The plugins, `name` or `name@version`, the one that gives the score first.
    pub fn plugins(&self) -> Vec<&str> {
        match self {
            Self::Chest => vec![CHEST],
            Self::Brain => vec![BRAIN_TUMOR, BRAIN_OUTLINE],
            Self::Plugin(name) => vec![name],
        }
    }
}

impl FromStr for Model {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "chest" => Self::Chest,
            "brain" => Self::Brain,
            name => Self::Plugin(name.to_owned()),
        })
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Chest => "chest",
            Self::Brain => "brain",
            Self::Plugin(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_read_as_it_is_written() {
        for (text, plugins) in [
            ("chest", vec![CHEST]),
            ("brain", vec![BRAIN_TUMOR, BRAIN_OUTLINE]),
            ("lungs@1.0.0", vec!["lungs@1.0.0"]),
        ] {
            let Ok(model) = text.parse::<Model>();
            assert_eq!((model.to_string(), model.plugins()), (text.to_owned(), plugins));
        }
    }
}
