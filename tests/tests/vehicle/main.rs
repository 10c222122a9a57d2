//! `foretell-vehicle` as its user runs it: clips and pictures in, detections and tracks out, and what goes wrong.
//!
//! The clips are made up. The networks that ship see in them what they see: what is tested is that it is stored, followed, repeated
//! and told, and never what it says.

mod broken;
mod clip;
mod follow;
mod vast;

use std::path::{Path, PathBuf};

use foretell_media::{Picture, Samples};
use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::RecordFilter;
use foretell_tests::{Finished, Workshop, build_directory};
use foretell_video::{Ffmpeg, FrameRate, Options, Writer};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const SOME_REJECTED: Option<i32> = Some(3);

/// Frames of a clip.
const FRAMES: u64 = 20;

fn vehicle(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell-vehicle", arguments, "")
}

/// Runs a command that must end with this code, and reads its JSON.
#[track_caller]
fn told(workshop: &Workshop, code: Option<i32>, arguments: &[&str]) -> Value {
    let finished = vehicle(workshop, &[arguments, &["--json"]].concat());
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
    let finished = vehicle(workshop, arguments);
    assert_eq!(finished.code, FAILED, "{arguments:?}: {finished:?}");
    for words in expected {
        assert!(finished.told().contains(words), "{arguments:?}: {}", finished.told());
    }
}

/// A workshop with the plugins that ship.
fn garage() -> Workshop {
    let workshop = Workshop::default();
    for plugin in
        ["vehicle-detector", "vehicle-tracker", "vehicle-signs", "vehicle-lanes", "vehicle-decision"]
    {
        let installed = workshop.registry().install(&plugin_folder(plugin), Existing::Keep);
        assert!(
            installed.is_ok(),
            "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
            installed.unwrap_err()
        );
    }
    workshop
}

fn plugin_folder(plugin: &str) -> PathBuf {
    build_directory().join("plugins").join(plugin)
}

/// The ffmpeg that the tests run with.
fn ffmpeg() -> Ffmpeg {
    let ffmpeg = Ffmpeg::find();
    assert!(
        ffmpeg.path().is_some(),
        "there is no ffmpeg; `cargo xtask test` fetches one and says where it is"
    );
    ffmpeg
}

/// A road of sorts: sky above, asphalt below, and a block that moves to the right.
fn frame(number: u64) -> Picture {
    let (width, height) = (160_u32, 96_u32);
    let block = 8 + 4 * number as u32;
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let samples = pixels.flat_map(|(x, y)| {
        let is_block = (block..block + 40).contains(&x) && (40..64).contains(&y);
        match (is_block, y < 48) {
            (true, _) => [180, 20, 30],
            (false, true) => [120, 170, 230],
            (false, false) => [90, 90, 90 + (x % 8) as u8],
        }
    });
    Picture { width, height, channels: 3, samples: Samples::U8(samples.collect()) }
}

/// Writes a clip of [`FRAMES`] frames; what it is follows from its name.
fn clip(workshop: &Workshop, name: &str, frame: impl Fn(u64) -> Picture) -> PathBuf {
    let path = workshop.path(name);
    let size = (frame(0).width, frame(0).height);
    let rate = FrameRate::of(10.0).unwrap();
    let mut writer = Writer::create(&path, size, rate, &ffmpeg(), Options::default()).unwrap();
    for number in 0..FRAMES {
        writer.write(frame(number)).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How many frames and clips the workshop's database has.
fn records(workshop: &Workshop) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(workshop.database()).await.unwrap();
        store.count(&RecordFilter::domain("vehicle")).await.unwrap()
    })
}

#[test]
fn every_command_says_what_it_does() {
    let workshop = Workshop::default();
    for command in [
        "",
        "detect",
        "track",
        "signs",
        "lanes",
        "drive",
        "calibrate",
        "adapt",
        "evaluate",
        "batch",
        "completions",
    ] {
        let mut words: Vec<_> = command.split_whitespace().collect();
        words.push("--help");
        let finished = vehicle(&workshop, &words);
        assert_eq!(finished.code, DONE, "{finished:?}");
        assert!(finished.stdout.contains("Usage: foretell-vehicle"), "{finished:?}");
        let wrong = vehicle(&workshop, &[command, "--no-such-flag"]);
        assert_eq!(wrong.code, WRONG_COMMAND_LINE, "{wrong:?}");
    }
    assert!(vehicle(&workshop, &["--help"]).stdout.contains("Not a safety system"));
}
