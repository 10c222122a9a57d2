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

/// Reads a number of bytes, as `4096`, `512MiB` or `2GiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, &'static str> {
    /// Units, and how far a number of them is shifted.
    const UNITS: [(&str, u32); 4] = [("", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, shift)| *shift);
    let bytes = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or("expected bytes, such as `512MiB` or `2GiB`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_their_unit() {
        for (text, expected) in [("1", 1), ("7KiB", 7 << 10), ("512MiB", 512 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "0GiB", "GiB", "2gib", "2 GiB", "-1", "1.5GiB", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
