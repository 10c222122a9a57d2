//! A video that ffmpeg decodes.

use super::{Clip, ClipInfo, Decoder, Frame, Kind, State, WAIT_SECONDS_MAX, check_size};
use crate::error::VideoErrorKind;
use crate::ffmpeg::nut::{Header, Nut};
use crate::ffmpeg::process::{Announced, Ender, Process};
use crate::ffmpeg::{Ffmpeg, file_url};
use crate::rate::FrameRate;
use foretell_media::{Picture, Samples};
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What ffmpeg may take a file for: containers of video alone. Lists of other files, scripts, sources of signals and text that it
/// would draw are not among them.
const CONTAINERS: &str = "3g2,3gp,amv,anm,apng,asf,asf_o,av1,avi,avs2,avs3,cavsvideo,dirac,dnxhd,dv,evc,ffm,flic,flv,gif,\
                          gxf,h261,h263,h264,hevc,iff,ipu,ivf,ivr,live_flv,m4v,matroska,mj2,mjpeg,mjpeg_2000,mov,mp4,mpeg,\
                          mpegts,mpegtsraw,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,pva,r3d,rm,swf,vc1,vc1test,vvc,webm,\
                          webp_anim,wtv,xmv,yuv4mpegpipe";
/// How long ffmpeg's remarks may lag behind its first frame, in milliseconds.
const REMARKS_MILLISECONDS: u64 = 500;

/// From how many missing seconds on a clip is taken for cut off. Containers round.
const MISSING_SECONDS_MIN: f64 = 1.0;

/// Names of the option that keeps every frame and repeats none: the newer one, and that of versions before 5.1.
const RATE_OPTIONS: [&str; 2] = ["-fps_mode", "-vsync"];

struct Program {
    nut: Nut<ChildStdout>,
    process: Process,
    index: u64,
    /// When the first frame is shown, in the file's own time.
    start: f64,
    /// When the last frame is shown, in seconds after the first, and the longest time between two.
    last: f64,
    longest: f64,
    /// How long the pictures are, if that was said of them alone.
    seconds: Option<f64>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Program").field("index", &self.index).finish_non_exhaustive()
    }
}

pub(super) fn open(path: &Path, ffmpeg: &Ffmpeg) -> Result<Clip, VideoErrorKind> {
    let mut option = RATE_OPTIONS.into_iter();
    let mut tried = option.next();
    loop {
        let name = tried.unwrap_or_default();
        tried = option.next();
        match started(path, ffmpeg, name) {
            Err(VideoErrorKind::NotVideo(reason))
                if reason.contains(name.trim_start_matches('-')) && tried.is_some() => {}
            other => return other,
        }
    }
}

fn started(path: &Path, ffmpeg: &Ffmpeg, rate_option: &str) -> Result<Clip, VideoErrorKind> {
    let mut command = ffmpeg.command()?;
    command.arg("-nostdin").args(["-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS]);
    command.arg("-i").arg(file_url(path));
    command.args(["-map", "0:v:0", "-map_metadata", "-1", "-an", "-sn", "-dn", rate_option, "passthrough"]);
    command.args(["-c:v", "rawvideo", "-pix_fmt", "rgb24", "-f", "nut", "pipe:1"]);
    command.stdout(Stdio::piped());
    let (mut process, pipes) = Process::start(command)?;
    let pipe = pipes.stdout.ok_or_else(|| VideoErrorKind::Ffmpeg("it has no output".to_owned()))?;

    let Some(nut) = opened(pipe)? else {
        let outcome = process.wait(true);
        return Err(match (outcome.is_success(), &outcome.error) {
            (true, None) => VideoErrorKind::NoFrames,
            _ => VideoErrorKind::NotVideo(plain(outcome.reason())),
        });
    };
    let Header { width, height, frame_rate } = nut.header();
    check_size(width, height)?;
    let Announced { seconds, has_sound } = process.announced(Duration::from_millis(REMARKS_MILLISECONDS));
    let frame_rate = frame_rate.unwrap_or(FrameRate::OF_IMAGES);
    let info = ClipInfo { kind: Kind::Video, width, height, frame_rate, frames: None, seconds };
    let own = seconds.filter(|_| !has_sound);
    let program = Program { nut, process, index: 0, start: 0.0, last: 0.0, longest: 0.0, seconds: own };
    Ok(Clip { path: path.to_owned(), info, next: 0, state: State::Ready(Box::new(program)) })
}

/// ffmpeg's words, or plainer ones where these speak of the arguments that it was given.
fn plain(reason: String) -> String {
    const PLAINER: [(&str, &str); 2] = [
        ("Format not on whitelist", "its format is none of those of videos"),
        ("matches no streams", "there are no moving pictures in it"),
    ];
    let plainer = PLAINER.iter().find(|(words, _)| reason.contains(words));
    plainer.map_or(reason, |(_, plainer)| (*plainer).to_owned())
}

/// Reads the headers, which ffmpeg writes once it has decoded a frame: on another thread, since it may never do so.
fn opened(pipe: ChildStdout) -> Result<Option<Nut<ChildStdout>>, VideoErrorKind> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody takes it when the time was up.
        let _ = sender.send(Nut::open(pipe));
    });
    receiver.recv_timeout(Duration::from_secs(WAIT_SECONDS_MAX)).unwrap_or_else(|error| match error {
        // The process is dropped with this error, which ends the thread.
        RecvTimeoutError::Timeout => Err(VideoErrorKind::Hung { seconds: WAIT_SECONDS_MAX }),
        RecvTimeoutError::Disconnected => Ok(None),
    })
}

impl Program {
    /// Containers whose frames say for themselves how long they are can be cut between two of them, which ffmpeg takes for their
    /// end: what was announced is not there then.
    fn missing(&self) -> Option<VideoErrorKind> {
        let seconds = self.seconds?;
        // The last frame may be shown as long as any other.
        let end = self.last + self.longest;
        (seconds - end > MISSING_SECONDS_MIN.max(self.longest)).then(|| VideoErrorKind::Broken {
            frames: self.index,
            reason: format!("{seconds:.1} s were announced, and it ends after {end:.1} s"),
        })
    }
}

impl Decoder for Program {
    fn next(&mut self, from: u64, decoded: &AtomicU64) -> Result<Option<Frame>, VideoErrorKind> {
        let Header { width, height, .. } = self.nut.header();
        while let Some(raw) = self.nut.next(self.index >= from)? {
            decoded.fetch_add(1, Ordering::Relaxed);
            let index = self.index;
            self.index += 1;
            if index == 0 {
                self.start = raw.time;
            }
            let time = raw.time - self.start;
            self.longest = self.longest.max(time - self.last);
            self.last = time;
            if index >= from {
                let picture = Picture { width, height, channels: 3, samples: Samples::U8(raw.samples) };
                return Ok(Some(Frame { index, time, picture }));
            }
        }
        let outcome = self.process.wait(true);
        match (outcome.is_success(), &outcome.error) {
            (true, None) => self.missing().map_or(Ok(None), Err),
            _ => Err(VideoErrorKind::Broken { frames: self.index, reason: outcome.reason() }),
        }
    }

    fn ender(&self) -> Option<Ender> {
        Some(self.process.ender())
    }

    fn set_frame_rate(&mut self, _rate: FrameRate) {}
}
