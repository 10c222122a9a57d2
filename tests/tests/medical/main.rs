//! `foretell-medical` as its user runs it: from files to a worklist, a card, an explanation, an export, and what goes wrong.
//!
//! The images are made up. The networks that ship see in them what they see: what is tested is that it is stored, marked, explained
//! and repeated, and never what it says.

mod dicom;
mod import;
mod network;
mod predict;

use std::io::Cursor;
use std::path::PathBuf;

use foretell_runtime::registry::Existing;
use foretell_tests::{Finished, Workshop, build_directory};
use image::{GrayImage, ImageFormat, Luma};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const SOME_REJECTED: Option<i32> = Some(3);

const NOTICE: &str = "Research use only. Not a medical device; never a diagnosis.";

fn medical(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell-medical", arguments, "")
}

/// Runs a command that must end with this code, and reads its JSON.
#[track_caller]
fn told(workshop: &Workshop, code: Option<i32>, arguments: &[&str]) -> Value {
    let finished = medical(workshop, &[arguments, &["--json"]].concat());
    assert_eq!(finished.code, code, "{arguments:?}: {finished:?}");
    finished.json()
}

/// Runs a command that must be done, and reads its JSON.
#[track_caller]
fn json(workshop: &Workshop, arguments: &[&str]) -> Value {
    told(workshop, DONE, arguments)
}

/// Runs a command that must fail, and checks that its words say why, and what to do.
#[track_caller]
fn refused(workshop: &Workshop, arguments: &[&str], expected: &[&str]) {
    let finished = medical(workshop, arguments);
    assert_eq!(finished.code, FAILED, "{arguments:?}: {finished:?}");
    for words in expected {
        assert!(finished.told().contains(words), "{arguments:?}: {}", finished.told());
    }
}

/// A workshop with the plugins that ship.
fn clinic() -> Workshop {
    let workshop = Workshop::default();
    for plugin in ["medical-chest-xray", "medical-brain-tumor", "medical-brain-outline"] {
        let installed =
            workshop.registry().install(&build_directory().join("plugins").join(plugin), Existing::Keep);
        assert!(
            installed.is_ok(),
            "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
            installed.unwrap_err()
        );
    }
    workshop
}

/// A grey picture with a pattern of its own.
fn picture(number: u32, width: u32, height: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| {
        Luma([(x * 3 + y * 5 + number * 37 + (x * y) % (7 + number)) as u8])
    })
}

fn encoded(picture: &GrayImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A folder with so many pictures, in two folders named after what they show.
fn films(workshop: &Workshop, count: u32) -> PathBuf {
    let folder = workshop.path("films");
    for number in 0..count {
        let class = folder.join(if number % 3 == 0 { "pneumonia" } else { "normal" });
        std::fs::create_dir_all(&class).unwrap();
        let png = encoded(&picture(number, 90 + number, 80), ImageFormat::Png);
        std::fs::write(class.join(format!("{number:03}.png")), png).unwrap();
    }
    folder
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_command_says_what_it_does() {
    let workshop = Workshop::default();
    for command in
        ["", "import", "predict", "explain", "evaluate", "show", "label", "export", "batch", "completions"]
    {
        let mut words: Vec<_> = command.split_whitespace().collect();
        words.push("--help");
        let finished = medical(&workshop, &words);
        assert_eq!(finished.code, DONE, "{finished:?}");
        assert!(finished.stdout.contains("Usage: foretell-medical"), "{finished:?}");
        let wrong = medical(&workshop, &[command, "--no-such-flag"]);
        assert_eq!(wrong.code, WRONG_COMMAND_LINE, "{wrong:?}");
    }
    assert!(medical(&workshop, &["--help"]).stdout.contains(NOTICE));
}
