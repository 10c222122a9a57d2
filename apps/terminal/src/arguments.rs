//! What several apps take on their command lines.

use std::path::PathBuf;

use clap::Args;
use foretell_store::time::{Micros, parse_time};

/// Which records, by what every record has.
#[derive(Clone, Debug, Args)]
pub struct Within {
    /// From this time on, such as `2018-07-25` or `2018-07-25T09:15:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<Micros>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<Micros>,
    /// Only records with this value of a key, such as `customer_id=596`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_key)]
    pub key: Option<(String, String)>,
}

/// Reads the value of a key, as `customer_id=596`.
fn parse_key(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected the name of a key and its value, such as `customer_id=596`"),
    }
}

/// Reads another file for a model slot, as `network=model.onnx`.
pub fn parse_model(text: &str) -> Result<(String, PathBuf), &'static str> {
    match text.split_once('=') {
        Some((slot, file)) if !slot.is_empty() && !file.is_empty() => Ok((slot.to_owned(), file.into())),
        _ => Err("expected a slot of the manifest and a file, such as `network=model.onnx`"),
    }
}
