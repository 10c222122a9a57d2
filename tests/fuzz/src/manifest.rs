//! Manifests: any bytes at all, and the shipped ones after a few changes.

use std::path::Path;

use foretell_runtime::manifest::{MANIFEST_BYTES_MAX, Manifest};

use crate::choice::Choices;

/// Every manifest in this repository that is shipped.
const SHIPPED: [&str; 14] = [
    include_str!("../../../plugins/fraud/plugin.toml"),
    include_str!("../../../plugins/medical/brain-outline/plugin.toml"),
    include_str!("../../../plugins/medical/brain-tumor/plugin.toml"),
    include_str!("../../../plugins/medical/chest-xray/plugin.toml"),
    include_str!("../../../plugins/retail/demand/plugin.toml"),
    include_str!("../../../plugins/retail/item-knn/plugin.toml"),
    include_str!("../../../plugins/retail/next-item/plugin.toml"),
    include_str!("../../../plugins/standard/classifier/plugin.toml"),
    include_str!("../../../plugins/standard/tabular/plugin.toml"),
    include_str!("../../../plugins/vehicle/decision/plugin.toml"),
    include_str!("../../../plugins/vehicle/detector/plugin.toml"),
    include_str!("../../../plugins/vehicle/lanes/plugin.toml"),
    include_str!("../../../plugins/vehicle/signs/plugin.toml"),
    include_str!("../../../plugins/vehicle/tracker/plugin.toml"),
];

/// Values that somebody may get wrong.
const VALUES: [&str; 40] = [
    "\"\"",
    "[]",
    "{}",
    "true",
    "0",
    "-1",
    "1e400",
    "nan",
    "-inf",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "1.5",
    "[[]]",
    "[{}]",
    "\"..\"",
    "\"../../a\"",
    "\"a/b\"",
    "\"C:\\\\a\"",
    "\"image\"",
    "\"list<image>\"",
    "\"list<utf8>\"",
    "\"utf8\"",
    "\"timestamp\"",
    "\"bool\"",
    "\"99999999999999999999d\"",
    "\"9223372036854775807us\"",
    "\"0s\"",
    "\"1.0\"",
    "\"4294967296.0\"",
    "\"1.0.0-rc+b\"",
    "\"@1.0.0\"",
    "\"\\u0000\\u001b[2J\"",
    "\"\u{e4}\u{1f600}\u{202e}\"",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "[\"a\", \"a\"]",
    "[nan]",
    "'''\n'''",
    "{ width = 0, height = 99999 }",
];

/// Lines that somebody may write in the wrong place.
const LINES: [&str; 24] = [
    "[plugin]",
    "[[plugin]]",
    "[record]",
    "[[input]]",
    "[input]",
    "[[history]]",
    "[[label]]",
    "[[model]]",
    "[fit]",
    "[output]",
    "[output.novelty]",
    "[limits]",
    "[config]",
    "[config.a.b.c]",
    "[a.a.a.a]",
    "name = \"event_time\"",
    "format = \"data\"",
    "allowed = [\"a\", \"b\"]",
    "minimum = 5",
    "maximum = 4",
    "required = false",
    "positive = \"a\"",
    "\"\" = 1",
    "\"a.b[0]\" = 1",
];

/// Changes of one manifest.
const CHANGES_MAX: usize = 12;
/// Times that a part is repeated.
const REPEATS: [usize; 4] = [1, 2, 16, 200];
/// Longest message about a manifest: 64 problems of at most 1,000 letters, and the words around them.
const MESSAGE_BYTES_MAX: usize = 65 * 4 * 1_200;

/// Reads a manifest, and asks for everything that is shown of one.
pub(crate) fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    match choices.below(SHIPPED.len() + 1) {
        0 => read(choices.rest()),
        place => {
            let mut lines: Vec<String> = SHIPPED[place - 1].lines().map(str::to_owned).collect();
            // The shipped ones hold as they are.
            let mut changes = 0;
            while !choices.is_used_up() && changes < CHANGES_MAX {
                change(&mut lines, &mut choices);
                changes += 1;
            }
            let read = read(lines.join("\n").as_bytes());
            assert!(read || changes > 0, "a shipped manifest is refused");
            read
        }
    };
}

/// Changes the lines of a manifest in one way.
fn change(lines: &mut Vec<String>, choices: &mut Choices<'_>) {
    if lines.is_empty() {
        lines.push(String::new());
    }
    let at = choices.below(lines.len());
    match choices.below(10) {
        0 => {
            let line = &mut lines[at];
            let key = line.split('=').next().unwrap_or_default().to_owned();
            *line = format!("{key}= {}", choices.of(&VALUES));
        }
        1 => drop(lines.remove(at)),
        2 => lines.insert(at, choices.of(&LINES).to_owned()),
        3 => {
            let other = choices.below(lines.len());
            lines.swap(at, other);
        }
        4 => {
            let end = (at + 1 + choices.below(12)).min(lines.len());
            let part = lines[at..end].to_vec();
            let times = choices.of(&REPEATS);
            lines.splice(end..end, part.iter().cloned().cycle().take(part.len() * times));
        }
        5 => {
            let other: Vec<_> = SHIPPED[choices.below(SHIPPED.len())].lines().collect();
            let from = choices.below(other.len());
            let part = other[from..].iter().take(1 + choices.below(12));
            lines.splice(at..at, part.map(|line| (*line).to_owned()));
        }
        6 => {
            let mut bytes = std::mem::take(&mut lines[at]).into_bytes();
            let place = choices.below(bytes.len() + 1);
            let end = (place + choices.below(4)).min(bytes.len());
            bytes.splice(place..end, choices.bytes(16).iter().copied());
            lines[at] = String::from_utf8_lossy(&bytes).into_owned();
        }
        7 => {
            let depth = choices.below(400);
            let key = choices.of(&["a", "config", "input"]);
            lines.insert(
                at,
                match choices.below(4) {
                    0 => format!("{key} = {}{}", "[".repeat(depth), "]".repeat(depth)),
                    1 => format!("[{key}{}]", ".a".repeat(depth)),
                    2 => format!("{key}{} = 1", ".a".repeat(depth)),
                    _ => format!("{key} = {}1{}", "{ a = ".repeat(depth), " }".repeat(depth)),
                },
            );
        }
        8 => {
            let long = choices.of(&["a", "\u{e4}", "\\n"]).repeat(1 + choices.below(4_000));
            lines[at] = match choices.below(3) {
                0 => format!("\"{long}\" = 1"),
                1 => format!("name = \"{long}\""),
                _ => format!("[config.\"{long}\"]"),
            };
        }
        _ => lines.truncate(at),
    }
}

/// Reads the bytes as a manifest; whether they are one.
fn read(bytes: &[u8]) -> bool {
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        return false;
    }
    match Manifest::from_bytes(bytes, Path::new("plugin.toml")) {
        Ok(manifest) => {
            show(&manifest);
            true
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= MESSAGE_BYTES_MAX, "a message of {} bytes", message.len());
            false
        }
    }
}

/// What `plugin inspect` shows, and what loading and planning ask for.
fn show(manifest: &Manifest) {
    let records = manifest.records_schema();
    assert_eq!(records.fields().len(), manifest.inputs.len() + manifest.histories.len());
    assert_eq!(manifest.input_schema().fields().len(), manifest.stored_schema().fields().len());
    assert_eq!(records.fields()[..manifest.inputs.len()], manifest.input_schema().fields()[..]);
    for history in &manifest.histories {
        assert!(history.fields.iter().all(|field| manifest.history_field(field).is_some()));
        assert!(history.delay < history.window, "{history:?}");
    }
    let predictions = manifest.prediction_schema();
    assert!(!predictions.fields().is_empty());
    assert!(manifest.plugin.abi.to_string().contains('.'));
    assert!(!manifest.library_file().contains(['/', '\\']), "{}", manifest.library_file());
    for model in &manifest.models {
        let path = Path::new(&model.file);
        assert!(path.is_relative() && !model.file.contains(".."), "{}", model.file);
    }
    if let Some((positive, threshold)) = manifest.decision() {
        assert!((0.0..=1.0).contains(&threshold));
        assert_eq!(manifest.decide(f32::INFINITY), Some(positive));
        assert!(manifest.decide(f32::NAN).is_some_and(|label| label != positive));
    }
    let config = serde_json::Value::Object(manifest.config_json()).to_string();
    assert!(serde_json::from_str::<serde_json::Value>(&config).is_ok(), "{config}");
    assert!(format!("{} {predictions} {records}", manifest.plugin.task).len() > 2);
}
