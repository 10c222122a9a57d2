//! Decodes DICOM files and prints one line of JSON for each: what `tests/bench/dicom/compare.py` compares with pydicom.
//!
//! ```text
//! decode [--raw DIRECTORY] FILE...
//! ```
//! With `--raw`, the stored samples of all frames of the file number `n` are written to `DIRECTORY/n`, little endian.

use foretell_media::dicom::{File, StoredSamples};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let mut raw = None;
    if arguments.peek().is_some_and(|argument| argument == "--raw") {
        arguments.next();
        raw = arguments.next().map(PathBuf::from);
    }
    let mut output = std::io::stdout().lock();
    for (number, path) in arguments.enumerate() {
        let path = PathBuf::from(path);
        let target = raw.as_ref().map(|directory| directory.join(number.to_string()));
        let result =
            decode(&path, target.as_deref()).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        let mut line = json!({ "path": path.display().to_string() });
        if let (Some(line), Value::Object(result)) = (line.as_object_mut(), result) {
            line.extend(result);
        }
        writeln!(output, "{line}")?;
    }
    Ok(())
}

fn decode(path: &Path, target: Option<&Path>) -> Result<Value, Box<dyn std::error::Error>> {
    let file = File::open(&std::fs::read(path)?)?;
    let mut bytes = Vec::new();
    let mut shape = (0, 0, 0);
    let mut name = "none";
    for frame in 1..=file.frames() {
        let stored = file.stored(frame)?;
        shape = (stored.height, stored.width, stored.channels);
        name = append(&mut bytes, &stored.samples);
    }
    if file.frames() == 0 {
        return Err("it has no pixel data".into());
    }
    if let Some(target) = target {
        std::fs::write(target, &bytes)?;
    }
    let digest = blake3::hash(&bytes).to_hex().to_string();
    let (height, width, channels) = shape;
    Ok(json!({ "frames": file.frames(), "shape": [height, width, channels], "type": name, "blake3": digest }))
}

/// The name of the type.
fn append(bytes: &mut Vec<u8>, samples: &StoredSamples) -> &'static str {
    match samples {
        StoredSamples::U8(samples) => bytes.extend_from_slice(samples),
        StoredSamples::I8(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::U16(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::I16(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::U32(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::I32(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::F32(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        StoredSamples::F64(samples) => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
    }
    match samples {
        StoredSamples::U8(_) => "uint8",
        StoredSamples::I8(_) => "int8",
        StoredSamples::U16(_) => "uint16",
        StoredSamples::I16(_) => "int16",
        StoredSamples::U32(_) => "uint32",
        StoredSamples::I32(_) => "int32",
        StoredSamples::F32(_) => "float32",
        StoredSamples::F64(_) => "float64",
    }
}
