//! Reads what `tests/golden/make.py` wrote.

use foretell_media::Samples;
use foretell_media::dicom::StoredSamples;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A directory of golden files.
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) expected: Value,
}

impl Folder {
    pub(crate) fn open(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let expected = std::fs::read(path.join("expected.json")).expect("golden files are committed");
        let expected = serde_json::from_slice(&expected).expect("the script writes JSON");
        Folder { path, expected }
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The samples of an entry of `expected.json`, as numbers.
    pub(crate) fn samples(&self, entry: &Value) -> Vec<f64> {
        let bytes = self.bytes(text(entry, "raw"));
        match text(entry, "type") {
            "uint8" => bytes.iter().map(|&byte| f64::from(byte)).collect(),
            "uint16" => numbers(&bytes, |bytes| f64::from(u16::from_le_bytes(bytes))),
            "int16" => numbers(&bytes, |bytes| f64::from(i16::from_le_bytes(bytes))),
            "uint32" => numbers(&bytes, |bytes| f64::from(u32::from_le_bytes(bytes))),
            "float32" => numbers(&bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
            "float64" => numbers(&bytes, f64::from_le_bytes),
            other => panic!("samples of type {other}"),
        }
    }

    /// The files and their entries.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &Value)> {
        let files = self.expected.as_object().expect("an object").iter();
        files.filter(|(name, _)| name.contains('.')).map(|(name, entry)| (name.as_str(), entry))
    }
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| read(bytes)).collect()
}

pub(crate) fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {entry}"))
}

pub(crate) fn shape(entry: &Value) -> Vec<u64> {
    entry["shape"]
        .as_array()
        .expect("a shape")
        .iter()
        .map(|length| length.as_u64().expect("a length"))
        .collect()
}

/// Samples as numbers.
pub(crate) fn values(samples: &Samples) -> Vec<f64> {
    match samples {
        Samples::U8(samples) => samples.iter().map(|&sample| sample.into()).collect(),
        Samples::U16(samples) => samples.iter().map(|&sample| sample.into()).collect(),
        Samples::F32(samples) => samples.iter().map(|&sample| sample.into()).collect(),
    }
}

/// Stored samples as numbers, and the name of their type.
pub(crate) fn stored(samples: &StoredSamples) -> (Vec<f64>, &'static str) {
    match samples {
        StoredSamples::U8(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "uint8"),
        StoredSamples::I8(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "int8"),
        StoredSamples::U16(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "uint16"),
        StoredSamples::I16(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "int16"),
        StoredSamples::U32(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "uint32"),
        StoredSamples::I32(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "int32"),
        StoredSamples::F32(samples) => (samples.iter().map(|&sample| sample.into()).collect(), "float32"),
        StoredSamples::F64(samples) => (samples.clone(), "float64"),
    }
}

/// The greatest distance between two lists of the same length.
#[track_caller]
pub(crate) fn distance(found: &[f64], expected: &[f64], name: &str) -> f64 {
    assert_eq!(found.len(), expected.len(), "{name}: the number of samples");
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
}
