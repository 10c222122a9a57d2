//! Frames as a video that ffmpeg encodes.

use super::Encoder;
use crate::error::VideoErrorKind;
use crate::ffmpeg::process::{Ender, Process};
use crate::ffmpeg::{Ffmpeg, file_url};
use crate::rate::FrameRate;
use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};

/// An encoder of ffmpeg, and how it is set. The first that a build has is taken.
type Setting = (&'static str, &'static [&'static str]);

/// Visually near to the original at a speed at which an analysis does not wait.
const H264: [Setting; 3] = [
    ("libx264", &["-preset", "veryfast", "-crf", "20"]),
    ("libopenh264", &["-b:v", "8M"]),
    ("mpeg4", &["-q:v", "3"]),
];
const VP: [Setting; 2] = [
    ("libvpx-vp9", &["-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-crf", "30", "-b:v", "0"]),
    ("libvpx", &["-deadline", "realtime", "-cpu-used", "8", "-crf", "10", "-b:v", "8M"]),
];

pub(super) struct Program {
    encoder: &'static str,
    process: Process,
    stdin: Option<ChildStdin>,
}

impl Program {
    /// Writes into the file at `path`, which is there and empty.
    pub(super) fn new(
        path: &Path,
        ending: &str,
        (width, height): (u32, u32),
        rate: FrameRate,
        ffmpeg: &Ffmpeg,
    ) -> Result<Program, VideoErrorKind> {
        let (settings, format): (&[Setting], _) = match ending {
            "webm" => (&VP, "webm"),
            "mkv" => (&H264, "matroska"),
            "mov" => (&H264, "mov"),
            _ => (&H264, "mp4"),
        };
        let names: Vec<_> = settings.iter().map(|(name, _)| *name).collect();
        let encoder = ffmpeg.encoder(&names)?;
        let setting =
            settings.iter().find(|(name, _)| *name == encoder).map_or(&[][..], |(_, setting)| setting);

        let mut command = ffmpeg.command()?;
        command.args(["-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s"]).arg(format!("{width}x{height}"));
        command.arg("-framerate").arg(rate.to_string()).args(["-i", "pipe:0", "-an"]);
        if width % 2 == 1 || height % 2 == 1 {
            command.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]);
        }
        command.args(["-c:v", encoder]).args(setting).args(["-pix_fmt", "yuv420p"]);
        if ["mp4", "mov"].contains(&format) {
            // The index in front: the file can be shown before all of it is there.
            command.args(["-movflags", "+faststart"]);
        }
        command.args(["-f", format]).arg(file_url(path)).stdin(Stdio::piped());
        let (process, pipes) = Process::start(command)?;
        Ok(Program { encoder, process, stdin: pipes.stdin })
    }

    /// What ffmpeg says after it has closed its input or failed.
    fn failure(&mut self) -> VideoErrorKind {
        self.stdin = None;
        VideoErrorKind::Ffmpeg(self.process.wait(true).reason())
    }
}

impl Encoder for Program {
    fn name(&self) -> &'static str {
        self.encoder
    }

    fn add(&mut self, samples: &[u8]) -> Result<(), VideoErrorKind> {
        let written = self.stdin.as_mut().map(|stdin| stdin.write_all(samples));
        if matches!(written, Some(Ok(()))) { Ok(()) } else { Err(self.failure()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), VideoErrorKind> {
        // It encodes what it holds, for as long as that takes.
        self.stdin = None;
        let outcome = self.process.wait(false);
        if outcome.is_success() { Ok(()) } else { Err(VideoErrorKind::Ffmpeg(outcome.reason())) }
    }

    fn ender(&self) -> Option<Ender> {
        Some(self.process.ender())
    }
}
