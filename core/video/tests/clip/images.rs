//! Directories, patterns and lists of images.

use super::{RATE, directory, number, picture, read, write};
use foretell_video::{Clip, FRAMES_AHEAD, Ffmpeg, FrameRate, Kind, Options, Still, VideoErrorKind, Writer};
use std::fs;
use std::time::Duration;

const SIZE: (u32, u32) = (64, 48);

#[test]
fn a_directory_is_read_in_the_order_of_its_numbers() {
    let (_guard, directory) = directory();
    let written = write(&directory.join("frames"), 12, SIZE, RATE, &Ffmpeg::none());
    assert_eq!((written.frames, written.encoder), (12, "jpeg"));
    // Names without leading zeros, and files that are no frames.
    let other = directory.join("other");
    fs::create_dir(&other).unwrap();
    for frame in 1..=12 {
        fs::copy(directory.join(format!("frames/{frame:06}.jpg")), other.join(format!("f{frame}.JPG")))
            .unwrap();
    }
    for name in ["notes.txt", "._f1.JPG"] {
        fs::write(other.join(name), "no image").unwrap();
    }
    for path in ["frames", "other", "other/f*.JPG", "frames/%06d.jpg", "frames/%d.jpg"] {
        let clip = Clip::open(directory.join(path), &Ffmpeg::none()).unwrap();
        let info = clip.info();
        assert_eq!(
            (info.kind, info.width, info.height, info.frames),
            (Kind::Images, 64, 48, Some(12)),
            "{path}"
        );
        assert_eq!(info.seconds, Some(0.48));
        let frames: Vec<_> = clip.map(Result::unwrap).collect();
        let numbers: Vec<_> = frames.iter().map(number).collect();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>(), "{path}");
        assert!(frames.iter().all(|frame| (frame.time - frame.index as f64 / 25.0).abs() < 1e-9));
    }
}

#[test]
fn png_loses_nothing_and_one_image_is_a_clip() {
    let (_guard, directory) = directory();
    let options = Options { still: Still::Png, ..Options::default() };
    let path = directory.join("frames/");
    let mut writer = Writer::create(&path, SIZE, RATE, &Ffmpeg::none(), options).unwrap();
    writer.write(picture(3, SIZE)).unwrap();
    assert_eq!(writer.finish().unwrap().encoder, "png");
    for path in [path.clone(), path.join("000001.png")] {
        let (frames, error) = read(&path, &Ffmpeg::none());
        assert!(error.is_none());
        assert_eq!(frames.iter().map(|frame| &frame.picture).collect::<Vec<_>>(), [&picture(3, SIZE)]);
    }
}

#[test]
fn lists_have_the_rate_that_they_are_given() {
    let (_guard, directory) = directory();
    write(&directory.join("frames"), 3, SIZE, RATE, &Ffmpeg::none());
    let paths = [3, 1].map(|frame| directory.join(format!("frames/{frame:06}.jpg")));
    let clip = Clip::of_images(paths.to_vec(), FrameRate::of(2.0).unwrap()).unwrap();
    assert_eq!((clip.info().frames, clip.info().seconds), (Some(2), Some(1.0)));
    let frames: Vec<_> = clip.map(Result::unwrap).map(|frame| (number(&frame), frame.time)).collect();
    assert_eq!(frames, [(2, 0.0), (0, 0.5)]);
    let error = Clip::of_images(Vec::new(), RATE).unwrap_err();
    assert!(matches!(error.kind, VideoErrorKind::NoFrames), "{error}");
}

#[test]
fn frames_are_passed_over() {
    let (_guard, directory) = directory();
    write(&directory.join("frames"), 14, SIZE, RATE, &Ffmpeg::none());
    let mut clip = Clip::open(directory.join("frames"), &Ffmpeg::none()).unwrap();
    clip.pass_over(3);
    let mut seen = Vec::new();
    while let Some(frame) = clip.next() {
        let frame = frame.unwrap();
        assert_eq!(u64::from(number(&frame)), frame.index);
        seen.push(frame.index);
        clip.pass_over(4);
    }
    assert_eq!(seen, [3, 8, 13]);
}

/// The thread waits for the caller: what is behind the frames that it holds was not read yet.
#[test]
fn few_frames_are_decoded_ahead() {
    let (_guard, directory) = directory();
    let frames = directory.join("frames");
    write(&frames, 15, SIZE, RATE, &Ffmpeg::none());
    let mut clip = Clip::open(&frames, &Ffmpeg::none()).unwrap();
    clip.next().unwrap().unwrap();
    // Long enough to decode all of them.
    std::thread::sleep(Duration::from_millis(300));
    fs::copy(frames.join("000001.jpg"), frames.join("000015.jpg")).unwrap();
    let numbers: Vec<_> = clip.map(|frame| number(&frame.unwrap())).collect();
    let expected: Vec<_> = (1..14).chain([0]).collect();
    assert_eq!(numbers, expected, "frame 14 was read when {FRAMES_AHEAD} should wait");
}

#[test]
fn what_is_wrong_with_an_image_is_said_of_its_file() {
    let (_guard, directory) = directory();
    let frames = directory.join("frames");
    write(&frames, 3, SIZE, RATE, &Ffmpeg::none());
    write(&directory.join("larger"), 1, (80, 48), RATE, &Ffmpeg::none());

    fs::copy(directory.join("larger/000001.jpg"), frames.join("000003.jpg")).unwrap();
    let (read_before, error) = read(&frames, &Ffmpeg::none());
    let error = error.unwrap().to_string();
    assert_eq!(read_before.len(), 2);
    for part in ["frame 2 (`000003.jpg`)", "80 x 48", "64 x 48"] {
        assert!(error.contains(part), "{error}");
    }

    fs::write(frames.join("000002.jpg"), b"\xff\xd8\xff no image").unwrap();
    let (read_before, error) = read(&frames, &Ffmpeg::none());
    let error = error.unwrap().to_string();
    assert_eq!(read_before.len(), 1);
    assert!(error.contains("frame 1 (`000002.jpg`)"), "{error}");

    let empty = directory.join("empty");
    fs::create_dir(&empty).unwrap();
    let error = Clip::open(&empty, &Ffmpeg::none()).unwrap_err();
    assert!(matches!(error.kind, VideoErrorKind::NoFrames) && error.to_string().contains(".png"), "{error}");
}
