//! Motion-JPEG, without ffmpeg and beside it.

use super::{difference, directory, ffmpeg, number, picture, read, write};
use foretell_video::{Clip, Ffmpeg, FrameRate, Kind, VideoErrorKind};
use std::fs;
use std::process::Command;

const SIZE: (u32, u32) = (160, 90);

/// The most mean difference in levels between a picture of [`picture`] and its JPEG: colours are stored at half the resolution.
const JPEG_LEVELS_MAX: f64 = 3.0;

#[test]
fn clips_come_back_without_ffmpeg() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.avi");
    let rate = FrameRate::of(29.97).unwrap();
    let written = write(&path, 20, SIZE, rate, &Ffmpeg::none());
    assert_eq!((written.frames, written.encoder, &written.path), (20, "jpeg", &path));

    let clip = Clip::open(&path, &Ffmpeg::none()).unwrap();
    let info = clip.info().clone();
    assert_eq!((info.kind, info.width, info.height, info.frames), (Kind::MotionJpeg, 160, 90, Some(20)));
    assert_eq!(info.frame_rate, rate);
    for (index, frame) in (0..20).zip(clip) {
        let frame = frame.unwrap();
        assert_eq!((number(&frame), frame.time), (index, f64::from(index) * 1_001.0 / 30_000.0));
        let levels = difference(&frame.picture, &picture(index, SIZE));
        assert!(levels < JPEG_LEVELS_MAX, "frame {index} differs by {levels} levels");
    }
}

#[test]
fn frames_are_passed_over_and_the_end_stays_the_end() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.avi");
    write(&path, 20, SIZE, FrameRate::OF_IMAGES, &Ffmpeg::none());
    let mut clip = Clip::open(&path, &Ffmpeg::none()).unwrap();
    clip.pass_over(17);
    assert_eq!(clip.next().unwrap().unwrap().index, 17);
    clip.pass_over(u64::MAX);
    assert!(clip.next().is_none() && clip.next().is_none());
}

#[test]
fn a_clip_that_is_cut_off_gives_its_whole_frames_first() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.avi");
    write(&path, 20, SIZE, FrameRate::OF_IMAGES, &Ffmpeg::none());
    let bytes = fs::read(&path).unwrap();
    for part in [3, 5, 9] {
        fs::write(&path, &bytes[..bytes.len() * part / 10]).unwrap();
        let (frames, error) = read(&path, &Ffmpeg::none());
        let error = error.expect("it is cut off");
        assert!((1..20).contains(&frames.len()), "{}", frames.len());
        assert!(frames.iter().all(|frame| u64::from(number(frame)) == frame.index));
        let VideoErrorKind::Broken { frames: told, .. } = error.kind else { panic!("{error}") };
        assert_eq!(told, frames.len() as u64);
    }
    // A frame that is there and damaged.
    let mut damaged = bytes.clone();
    let third = bytes.windows(4).enumerate().filter(|(_, id)| id == b"00dc").nth(2 + 1).unwrap().0;
    damaged[third + 8..third + 400].fill(0);
    fs::write(&path, &damaged).unwrap();
    let (frames, error) = read(&path, &Ffmpeg::none());
    assert!(matches!(error.unwrap().kind, VideoErrorKind::Broken { frames: 2, .. }), "{}", frames.len());
    assert_eq!(frames.len(), 2);
}

/// ffmpeg decodes what is written here, and what ffmpeg writes is decoded here: the same pictures.
#[test]
fn ffmpeg_reads_and_writes_the_same_format() {
    let (_guard, directory) = directory();
    let ffmpeg = ffmpeg();
    let ours = directory.join("ours.avi");
    write(&ours, 20, SIZE, FrameRate::of(29.97).unwrap(), &ffmpeg);
    let theirs = directory.join("theirs.avi");
    let copied = directory.join("copied.mkv");
    for target in [&theirs, &copied] {
        let mut command = Command::new(ffmpeg.path().unwrap());
        command.args(["-nostdin", "-loglevel", "error", "-xerror", "-i"]).arg(&ours).args(["-c", "copy"]);
        let output = command.arg(target).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let (expected, _) = read(&ours, &Ffmpeg::none());
    let (frames, error) = read(&theirs, &Ffmpeg::none());
    assert!(error.is_none() && frames == expected);

    let clip = Clip::open(&copied, &ffmpeg).unwrap();
    assert_eq!(clip.info().kind, Kind::Video);
    let frames: Vec<_> = clip.map(Result::unwrap).collect();
    assert_eq!(frames.len(), expected.len());
    for (frame, expected) in frames.iter().zip(&expected) {
        // The containers count time in different units, and colours are brought to full resolution by other rules.
        assert!((frame.time - expected.time).abs() < 0.001, "{} {}", frame.time, expected.time);
        assert!(difference(&frame.picture, &expected.picture) < JPEG_LEVELS_MAX);
    }
}
