//! Clips that are written here, and read again: without ffmpeg, and with the one that `FORETELL_FFMPEG` names, as
//! `cargo xtask test` sets it.

mod images;
mod motion_jpeg;
mod program;
mod writing;

use foretell_media::{Picture, Samples};
use foretell_video::{Clip, FFMPEG_VARIABLE, Ffmpeg, Frame, FrameRate, Options, VideoError, Writer, Written};
use std::path::{Path, PathBuf};

/// The program that the tests run.
#[track_caller]
fn ffmpeg() -> Ffmpeg {
    let path = std::env::var_os(FFMPEG_VARIABLE).unwrap_or_default();
    let ffmpeg = Ffmpeg::at(&path);
    assert!(
        ffmpeg.path().is_some(),
        "`{FFMPEG_VARIABLE}` must name the program ffmpeg for this test, but is `{}`; run `cargo xtask test`, or \
         `cargo xtask fetch-ffmpeg` and set it to what that prints",
        path.display()
    );
    ffmpeg
}

/// A picture in which each frame is told from the others: a slope of colours, and a bright bar at row or column `number`.
fn picture(number: u32, (width, height): (u32, u32)) -> Picture {
    let mut samples = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let is_bar = x / 4 == number % (width / 4).max(1);
            let slope = (40 + x * 120 / width) as u8;
            samples.extend(if is_bar { [240, 240, 240] } else { [slope, (y * 120 / height) as u8, 90] });
        }
    }
    Picture { width, height, channels: 3, samples: Samples::U8(samples) }
}

/// Which picture a frame shows: the bar's place.
fn number(frame: &Frame) -> u32 {
    let Samples::U8(samples) = &frame.picture.samples else { panic!("frames have 8 bits") };
    let row = &samples[..(frame.picture.width * 3) as usize];
    let bars = row.chunks_exact(12).map(|bar| bar.iter().map(|&sample| u32::from(sample)).sum::<u32>());
    bars.zip(0..).max().expect("it has a bar").1
}

/// The mean difference of two pictures in levels.
fn difference(a: &Picture, b: &Picture) -> f64 {
    let (Samples::U8(x), Samples::U8(y)) = (&a.samples, &b.samples) else { panic!("frames have 8 bits") };
    assert_eq!((a.width, a.height, a.channels), (b.width, b.height, b.channels));
    x.iter().zip(y).map(|(&x, &y)| f64::from(x.abs_diff(y))).sum::<f64>() / x.len() as f64
}

const RATE: FrameRate = FrameRate::OF_IMAGES;

fn writer(path: &Path, size: (u32, u32), rate: FrameRate, ffmpeg: &Ffmpeg) -> Result<Writer, VideoError> {
    Writer::create(path, size, rate, ffmpeg, Options::default())
}

/// A clip of `frames` pictures.
#[track_caller]
fn write(path: &Path, frames: u32, size: (u32, u32), rate: FrameRate, ffmpeg: &Ffmpeg) -> Written {
    let mut writer = writer(path, size, rate, ffmpeg).unwrap();
    for number in 0..frames {
        writer.write(picture(number, size)).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads to the end: the frames, and the error at the end.
#[track_caller]
fn read(path: &Path, ffmpeg: &Ffmpeg) -> (Vec<Frame>, Option<VideoError>) {
    let mut frames = Vec::new();
    for (index, frame) in (0..).zip(Clip::open(path, ffmpeg).unwrap()) {
        match frame {
            Ok(frame) => {
                assert_eq!(frame.index, index);
                frames.push(frame);
            }
            Err(error) => return (frames, Some(error)),
        }
    }
    (frames, None)
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    (directory, path)
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let (_guard, directory) = directory();
    for name in ["clip.mp4", "clip.avi", "frames", "frame-%06d/a.jpg"] {
        let error = Clip::open(directory.join(name), &Ffmpeg::none()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("there is no such file"), "{error}");
    }
}
