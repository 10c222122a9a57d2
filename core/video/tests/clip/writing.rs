//! What a writer leaves, and what it refuses.

use super::{RATE, directory, ffmpeg, names, number, picture, read, write, writer};
use foretell_media::{Picture, SampleType};
use foretell_video::{Ffmpeg, Options, VideoErrorKind, Writer};
use std::fs;

const SIZE: (u32, u32) = (64, 48);

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let (_guard, directory) = directory();
    let ffmpeg = ffmpeg();
    for name in ["clip.avi", "clip.mp4", "frames"] {
        let mut begun = writer(&directory.join(name), SIZE, RATE, &ffmpeg).unwrap();
        begun.write(picture(0, SIZE)).unwrap();
        assert!(!directory.join(name).exists(), "{name} stands there before it is whole");
        drop(begun);
        assert_eq!(names(&directory), Vec::<String>::new(), "{name}");
        let error = writer(&directory.join(name), SIZE, RATE, &ffmpeg).unwrap().finish().unwrap_err();
        assert!(matches!(error.kind, VideoErrorKind::NoFrames), "{error}");
        assert_eq!(names(&directory), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_is_there_is_replaced_only_if_that_was_said() {
    let (_guard, directory) = directory();
    let ffmpeg = ffmpeg();
    let replace = Options { replace: true, ..Options::default() };
    for name in ["clip.avi", "clip.mkv", "frames"] {
        let path = directory.join(name);
        write(&path, 4, SIZE, RATE, &ffmpeg);
        let error = writer(&path, SIZE, RATE, &ffmpeg).unwrap_err();
        assert!(matches!(error.kind, VideoErrorKind::Exists), "{error}");

        let mut again = Writer::create(&path, SIZE, RATE, &ffmpeg, replace).unwrap();
        for number in 7..9 {
            again.write(picture(number, SIZE)).unwrap();
        }
        assert_eq!(read(&path, &ffmpeg).0.len(), 4, "{name} stays until the new one is whole");
        again.finish().unwrap();
        let (frames, error) = read(&path, &ffmpeg);
        assert!(error.is_none());
        assert_eq!(frames.iter().map(number).collect::<Vec<_>>(), [7, 8], "{name}");
    }
    assert_eq!(names(&directory), ["clip.avi", "clip.mkv", "frames"]);
}

#[test]
fn other_files_of_a_directory_stay() {
    let (_guard, directory) = directory();
    let frames = directory.join("frames");
    fs::create_dir(&frames).unwrap();
    write(&frames, 3, SIZE, RATE, &Ffmpeg::none());
    fs::write(frames.join("notes.txt"), "notes").unwrap();
    let replace = Options { replace: true, ..Options::default() };
    let mut again = Writer::create(&frames, SIZE, RATE, &Ffmpeg::none(), replace).unwrap();
    again.write(picture(0, SIZE)).unwrap();
    again.finish().unwrap();
    assert_eq!(names(&frames), ["000001.jpg", "notes.txt"]);
    assert_eq!(names(&directory), ["frames"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.avi");
    let mut begun = writer(&path, SIZE, RATE, &Ffmpeg::none()).unwrap();
    begun.write(picture(0, SIZE)).unwrap();
    fs::write(&path, "somebody else's").unwrap();
    let error = begun.finish().unwrap_err();
    assert!(matches!(error.kind, VideoErrorKind::Exists), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
    assert_eq!(names(&directory), ["clip.avi"]);
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let (_guard, directory) = directory();
    let cases = [
        ("clip.gif", SIZE, "clips are not written as .gif"),
        ("clip.mp4", SIZE, "install ffmpeg"),
        ("clip.avi", (0, 48), "at least one pixel"),
        ("clip.avi", (70_000, 10), "70000 is beyond the limit of 65535"),
        ("clip.avi", (60_000, 60_000), "make the clip smaller"),
        ("no/such/clip.avi", SIZE, "make it first"),
    ];
    for (name, size, expected) in cases {
        let error = writer(&directory.join(name), size, RATE, &Ffmpeg::none()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
    }
    assert_eq!(names(&directory), Vec::<String>::new());
}

#[test]
fn a_picture_of_another_kind_is_not_added() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.avi");
    let mut writer = writer(&path, SIZE, RATE, &Ffmpeg::none()).unwrap();
    writer.write(picture(0, SIZE)).unwrap();
    let grey = Picture { channels: 1, ..picture(0, SIZE) };
    let deep = picture(0, SIZE).into_type(SampleType::U16).unwrap();
    for (wrong, found) in [(picture(0, (48, 64)), "48 x 64 x 3"), (grey, "64 x 48 x 1"), (deep, "of U16")] {
        let error = writer.write(wrong).unwrap_err().to_string();
        assert!(error.contains(found) && error.contains("frame 1"), "{error}");
    }
    writer.write(picture(1, SIZE)).unwrap();
    assert_eq!(writer.finish().unwrap().frames, 2);
    assert_eq!(read(&path, &Ffmpeg::none()).0.len(), 2);
}
