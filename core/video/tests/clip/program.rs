//! What ffmpeg decodes and encodes.

use super::{RATE, difference, directory, ffmpeg, number, picture, read, write, writer};
use foretell_video::{Clip, Ffmpeg, FrameRate, Kind, VideoErrorKind};
use std::fs;
use std::path::Path;
use std::process::Command;

const SIZE: (u32, u32) = (160, 96);
/// The most mean difference in levels between a picture of [`picture`] and what the codecs make of it.
const CODEC_LEVELS_MAX: f64 = 6.0;

/// Runs ffmpeg with words separated by spaces, in `directory`.
#[track_caller]
fn run(directory: &Path, arguments: &str) {
    let mut command = Command::new(ffmpeg().path().unwrap());
    command.current_dir(directory).args(["-nostdin", "-loglevel", "error", "-y"]);
    let output = command.args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn clips_of_all_endings_come_back() {
    let (_guard, directory) = directory();
    for (name, encoder) in
        [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")]
    {
        let path = directory.join(name);
        let rate = FrameRate::of(29.97).unwrap();
        let written = write(&path, 25, SIZE, rate, &ffmpeg());
        assert_eq!((written.frames, written.encoder), (25, encoder));
        let clip = Clip::open(&path, &ffmpeg()).unwrap();
        let info = clip.info();
        assert_eq!((info.kind, info.width, info.height, info.frames), (Kind::Video, 160, 96, None), "{name}");
        assert_eq!(info.frame_rate, rate, "{name}");
        assert!((info.seconds.unwrap() - 25.0 / 29.97).abs() < 0.05, "{name}: {:?}", info.seconds);
        let frames: Vec<_> = clip.map(Result::unwrap).collect();
        assert_eq!(frames.len(), 25, "{name}");
        for (index, frame) in (0..).zip(&frames) {
            // Matroska counts milliseconds.
            assert!((frame.time - rate.seconds(frame.index)).abs() < 0.001, "{name} {}", frame.time);
            assert_eq!(number(frame), index, "{name}");
            let levels = difference(&frame.picture, &picture(index, SIZE));
            assert!(levels < CODEC_LEVELS_MAX, "{name}: frame {index} differs by {levels} levels");
        }
    }
}

/// One pixel is added where a side is odd; one frame is a clip.
#[test]
fn odd_sizes_are_made_even() {
    let (_guard, directory) = directory();
    for (size, even) in
        [((161, 97), (162, 98)), ((161, 96), (162, 96)), ((160, 97), (160, 98)), ((1, 1), (2, 2))]
    {
        let path = directory.join(format!("{}x{}.mp4", size.0, size.1));
        write(&path, 1, size, RATE, &ffmpeg());
        let (frames, error) = read(&path, &ffmpeg());
        assert!(error.is_none());
        let sizes: Vec<_> = frames.iter().map(|frame| (frame.picture.width, frame.picture.height)).collect();
        assert_eq!(sizes, [even]);
    }
}

/// What a telephone that is held upright records: the size is that of the picture as it is shown.
#[test]
fn rotated_clips_are_turned() {
    let (_guard, directory) = directory();
    write(&directory.join("flat.mp4"), 5, SIZE, RATE, &ffmpeg());
    run(&directory, "-display_rotation 90 -i flat.mp4 -c copy turned.mp4");
    let clip = Clip::open(directory.join("turned.mp4"), &ffmpeg()).unwrap();
    assert_eq!((clip.info().width, clip.info().height), (96, 160));
    let frames: Vec<_> = clip.map(Result::unwrap).collect();
    assert_eq!(frames.len(), 5);
    assert!(frames.iter().all(|frame| (frame.picture.width, frame.picture.height) == (96, 160)));
}

/// Of a clip of varying rate, each frame comes once, at its own time.
#[test]
fn varying_rates_repeat_and_drop_nothing() {
    let (_guard, directory) = directory();
    write(&directory.join("even.mkv"), 30, SIZE, RATE, &ffmpeg());
    run(&directory, "-i even.mkv -vf select='lt(n,10)+not(mod(n,5))' -fps_mode vfr uneven.mp4");
    let (frames, error) = read(&directory.join("uneven.mp4"), &ffmpeg());
    assert!(error.is_none());
    let expected: Vec<u32> = (0..10).chain([10, 15, 20, 25]).collect();
    assert_eq!(frames.iter().map(number).collect::<Vec<_>>(), expected);
    for (frame, number) in frames.iter().zip(expected) {
        assert!((frame.time - f64::from(number) / 25.0).abs() < 1e-3, "{} {number}", frame.time);
    }
}

#[test]
fn frames_are_passed_over() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.mp4");
    write(&path, 40, SIZE, RATE, &ffmpeg());
    let mut clip = Clip::open(&path, &ffmpeg()).unwrap();
    clip.pass_over(7);
    let mut seen = Vec::new();
    while let Some(frame) = clip.next() {
        let frame = frame.unwrap();
        assert_eq!(u64::from(number(&frame)), frame.index);
        seen.push(frame.index);
        clip.pass_over(15);
    }
    assert_eq!(seen, [7, 23, 39]);
}

/// Containers say in different words, and some only by a frame that cannot be decoded, that they are cut off.
#[test]
fn a_video_that_is_cut_off_gives_what_could_be_decoded_first() {
    let (_guard, directory) = directory();
    write(&directory.join("clip.mkv"), 100, (320, 192), RATE, &ffmpeg());
    for name in ["cut.mkv", "cut.mp4", "cut.flv"] {
        run(&directory, &format!("-i clip.mkv -c copy -movflags +faststart {name}"));
        let path = directory.join(name);
        assert!(read(&path, &ffmpeg()).1.is_none(), "{name} is whole");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 7 / 10]).unwrap();
        let (frames, error) = read(&path, &ffmpeg());
        let error = error.unwrap_or_else(|| panic!("{name} is cut off, and {} frames came", frames.len()));
        assert!((40..100).contains(&frames.len()), "{name}: {} frames", frames.len());
        let words = error.to_string();
        let VideoErrorKind::Broken { frames: told, .. } = error.kind else { panic!("{name}: {words}") };
        assert_eq!(told, frames.len() as u64, "{name}");
        assert!(!words.contains("Nothing was written"), "{words}");
    }
}

/// Cut between two frames, nothing is damaged: that the clip was announced to be longer is all that tells.
#[test]
fn a_video_that_is_cut_between_frames_is_cut_off_all_the_same() {
    let (_guard, directory) = directory();
    write(&directory.join("clip.mkv"), 100, SIZE, RATE, &ffmpeg());
    run(&directory, "-i clip.mkv -c copy cut.flv");
    let path = directory.join("cut.flv");
    let bytes = fs::read(&path).unwrap();
    // A header of 13 bytes; then tags, with the length of their data at 1, 11 bytes of head, and 4 behind.
    let mut end = 13;
    while end < bytes.len() * 6 / 10 {
        let length = u32::from_be_bytes([0, bytes[end + 1], bytes[end + 2], bytes[end + 3]]);
        end += 11 + length as usize + 4;
    }
    fs::write(&path, &bytes[..end]).unwrap();
    let (frames, error) = read(&path, &ffmpeg());
    let error = error.expect("it is cut off").to_string();
    assert!((20..80).contains(&frames.len()), "{} frames", frames.len());
    assert!(
        error.contains(&format!("after {} frames", frames.len())) && error.contains("announced"),
        "{error}"
    );
}

#[test]
fn what_is_no_video_is_said_to_be_none() {
    let (_guard, directory) = directory();
    run(&directory, "-f lavfi -i sine=d=1 sound.m4a");
    fs::copy(directory.join("sound.m4a"), directory.join("sound")).unwrap();
    run(&directory, "-i sound sound.wav");
    write(&directory.join("whole.mkv"), 30, SIZE, RATE, &ffmpeg());
    run(&directory, "-i whole.mkv -c copy late.mp4");
    // The index of this one is at its end.
    let bytes = fs::read(directory.join("late.mp4")).unwrap();
    fs::write(directory.join("late.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(directory.join("words.mp4"), "no video").unwrap();
    fs::write(directory.join("words.txt"), "ffmpeg would draw these words").unwrap();
    fs::write(directory.join("empty.mp4"), "").unwrap();
    // A list of other files, which may be anything.
    fs::write(directory.join("list.mp4"), "ffconcat version 1.0\nfile whole.mkv\n").unwrap();
    let cases = [
        ("sound.m4a", "there are no moving pictures in it"),
        ("sound.wav", "its format is none of those of videos"),
        ("late.mp4", "moov atom not found"),
        ("words.mp4", ""),
        ("words.txt", ""),
        ("empty.mp4", ""),
        ("list.mp4", ""),
    ];
    for (name, reason) in cases {
        let error = Clip::open(directory.join(name), &ffmpeg()).unwrap_err();
        let words = error.to_string();
        assert!(
            matches!(error.kind, VideoErrorKind::NotVideo(_)) && words.contains(reason),
            "{name}: {words}"
        );
        assert_eq!(words.matches(name).count(), 1, "{words}");
        assert!(!words.contains("file:"), "{words}");
    }
}

/// Names that ffmpeg would take for an option, another protocol or a pattern.
#[test]
fn strange_names_are_names() {
    let (_guard, directory) = directory();
    let clip = directory.join("clip.mkv");
    write(&clip, 3, SIZE, RATE, &ffmpeg());
    for name in ["-y.mkv", "concat:a|b.mkv", "a%03d.mkv", "ä b'\"$.mkv", "http:x.mkv"] {
        let path = directory.join(name);
        fs::copy(&clip, &path).unwrap();
        assert_eq!(read(&path, &ffmpeg()).0.len(), 3, "{name}");
        let written = directory.join(format!("w{name}"));
        write(&written, 2, SIZE, RATE, &ffmpeg());
        assert_eq!(read(&written, &ffmpeg()).0.len(), 2, "{name}");
    }
}

#[test]
fn without_ffmpeg_it_is_said_what_to_do() {
    let (_guard, directory) = directory();
    let path = directory.join("clip.mp4");
    write(&path, 3, SIZE, RATE, &ffmpeg());
    for (ffmpeg, tried) in [(Ffmpeg::none(), ""), (Ffmpeg::at("/no/such/program"), "`/no/such/program`")] {
        let error = Clip::open(&path, &ffmpeg).unwrap_err().to_string();
        for part in ["install ffmpeg", "FORETELL_FFMPEG", "Motion-JPEG", tried] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[cfg(unix)]
mod scripts {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::sync::mpsc;
    use std::time::Duration;

    /// How long a test waits for what should happen at once, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A program in the place of ffmpeg.
    fn script(directory: &Path, text: &str) -> Ffmpeg {
        let path = directory.join("script");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Ffmpeg::at(path)
    }

    fn real() -> PathBuf {
        ffmpeg().path().unwrap().to_owned()
    }

    /// It decodes, and never ends; what it has started hangs, too.
    #[test]
    fn a_hung_program_ends_with_the_clip() {
        let (_guard, directory) = directory();
        let (clip, fifo) = (directory.join("clip.mkv"), directory.join("fifo"));
        write(&clip, 3, SIZE, RATE, &ffmpeg());
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // It is open for as long as what was started runs.
        let (sender, receiver) = mpsc::channel();
        let text = format!("'{}' \"$@\"\nsleep 600 > '{}' &\nwait", real().display(), fifo.display());
        std::thread::spawn(move || {
            let mut file = fs::File::open(fifo).unwrap();
            sender.send("open").unwrap();
            let _ = file.read_to_end(&mut Vec::new());
            let _ = sender.send("closed");
        });
        let mut clip = Clip::open(&clip, &script(&directory, &text)).unwrap();
        for _ in 0..3 {
            clip.next().unwrap().unwrap();
        }
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok("open"));
        assert!(receiver.try_recv().is_err());
        drop(clip);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok("closed"), "what the program had started still runs");
    }

    /// Versions before 5.1 know the option under another name.
    #[test]
    fn older_versions_are_asked_in_their_words() {
        let (_guard, directory) = directory();
        let clip = directory.join("clip.mkv");
        write(&clip, 3, SIZE, RATE, &ffmpeg());
        let old = "case \"$*\" in *-fps_mode*) echo \"[error] Unrecognized option 'fps_mode'.\" >&2; \
                   echo '[fatal] Error splitting the argument list: Option not found' >&2; exit 1;; esac";
        let new_words =
            "for word; do shift; [ \"$word\" = -vsync ] && word=-fps_mode; set -- \"$@\" \"$word\"; done";
        let text = format!("{old}\n{new_words}\nexec '{}' \"$@\"", real().display());
        let (frames, error) = read(&clip, &script(&directory, &text));
        assert!(error.is_none());
        assert_eq!(frames.len(), 3);
    }

    #[test]
    fn a_build_without_h264_writes_another_codec() {
        let (_guard, directory) = directory();
        let text = format!(
            "case \"$*\" in *-encoders*) echo ' V.S..D mpeg4  MPEG-4 part 2';; *) exec '{}' \"$@\";; esac",
            real().display()
        );
        let path = directory.join("clip.mp4");
        let written = write(&path, 3, SIZE, RATE, &script(&directory, &text));
        assert_eq!(written.encoder, "mpeg4");
        assert_eq!(read(&path, &ffmpeg()).0.len(), 3);
        let error = writer(&directory.join("clip.webm"), SIZE, RATE, &script(&directory, &text)).unwrap_err();
        assert!(error.to_string().contains("none of the encoders libvpx-vp9, libvpx"), "{error}");
    }

    /// It fails in the middle: its words are told, and nothing is left.
    #[test]
    fn an_encoder_that_fails_is_quoted() {
        let (_guard, directory) = directory();
        let text = "case \"$*\" in *-encoders*) echo ' V..... libx264  x';; *) head -c 100000 > /dev/null; \
                    echo '[out @ 0x1] [error] No space left on device' >&2; exit 1;; esac";
        let ffmpeg = script(&directory, text);
        let mut begun = writer(&directory.join("clip.mp4"), SIZE, RATE, &ffmpeg).unwrap();
        let failed = (0..50).find_map(|number| begun.write(picture(number, SIZE)).err());
        let error = failed.or_else(|| begun.finish().err()).expect("it fails").to_string();
        assert!(error.contains("No space left on device"), "{error}");
        assert_eq!(super::super::names(&directory), ["script"]);
    }

    #[test]
    fn a_program_that_is_none_is_told() {
        let (_guard, directory) = directory();
        let clip = directory.join("clip.mp4");
        fs::write(&clip, "clip").unwrap();
        for (text, expected) in [
            ("exit 3", "exit status: 3"),
            ("echo I am something else altogether", "it is not the format"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let error = Clip::open(&clip, &script(&directory, text)).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
