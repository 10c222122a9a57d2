//! Stored images: show and label them.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use foretell_store::time::{Micros, parse_time};

/// Which stored image.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// File that shows the image; or the name that it is stored under.
    #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub path: Option<PathBuf>,
    /// Number of the record.
    #[arg(long, value_name = "NUMBER")]
    pub record: Option<i64>,
}

/// `foretell-medical show`
#[derive(Debug, Args)]
pub struct Show {
    /// Which image.
    #[command(flatten)]
    pub target: Target,
    /// Predictions that are listed, the latest ones.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: u32,
}

/// `foretell-medical label`
#[derive(Debug, Args)]
#[command(
    after_help = "A label is never changed: a later one overrules an earlier one from the time when it was known.\n  \
                  foretell-medical label film.png --set finding=pneumonia"
)]
pub struct Label {
    /// Which image.
    #[command(flatten)]
    pub target: Target,
    /// What it was found to show: `finding=pneumonia`, or where: `outline=[[0.5,0.4],[0.6,0.4],[0.6,0.5]]`, points in fractions
    /// of width and height. Can be given for both.
    #[arg(long = "set", value_name = "NAME=VALUE", required = true, value_parser = parse_label)]
    pub set: Vec<(String, String)>,
    /// When that was known; now, if not said.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub known_at: Option<Micros>,
    /// Who found out.
    #[arg(long, default_value = "review")]
    pub source: String,
}

fn parse_label(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("expected a label and its value, such as `finding=pneumonia`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_a_name_and_a_value() {
        assert_eq!(parse_label("finding=a=b"), Ok(("finding".to_owned(), "a=b".to_owned())));
        assert!(["finding", "finding=", "=pneumonia"].iter().all(|text| parse_label(text).is_err()));
    }
}
