//! Clips as pictures in order, and pictures as clips.
//!
//! ```
//! use foretell_media::{Picture, Samples};
//! use foretell_video::{Clip, Ffmpeg, FrameRate, Options, Writer};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("night.avi");
//! // Ten frames that grow brighter, as Motion-JPEG: that needs no other program.
//! let rate = FrameRate::of(29.97).ok_or("no rate")?;
//! let mut writer = Writer::create(&path, (32, 24), rate, &Ffmpeg::none(), Options::default())?;
//! for level in 0..10 {
//!     let samples = Samples::U8(vec![level * 20; 32 * 24 * 3]);
//!     writer.write(Picture { width: 32, height: 24, channels: 3, samples })?;
//! }
//! assert_eq!(writer.finish()?.frames, 10);
//!
//! // And back. `Ffmpeg::find()` would make this a reader of any video.
//! let mut clip = Clip::open(&path, &Ffmpeg::none())?;
//! assert_eq!((clip.info().width, clip.info().height, clip.info().frames), (32, 24, Some(10)));
//! clip.pass_over(8);
//! for frame in clip {
//!     let frame = frame?;
//!     assert_eq!(frame.time, frame.index as f64 * 1001.0 / 30000.0);
//!     let Samples::U8(samples) = frame.picture.samples else { unreachable!("frames have 8 bits") };
//!     assert!(samples[0].abs_diff(frame.index as u8 * 20) <= 2, "JPEG loses a little");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//! - A **[`Clip`]** is opened by its path: a video of any kind that ffmpeg decodes, a Motion-JPEG AVI file, a directory of images, or a
//!   pattern such as `frame-%06d.jpg`. It is an iterator of [`Frame`]s.
//! - A **[`Frame`]** has its index from 0, its time in seconds after the first frame, and its picture in red, green and blue.
//! - A **[`Writer`]** takes pictures. The ending of its path says what becomes of them.
//! - **[`Ffmpeg`]** is the program ffmpeg, if there is one: what `FORETELL_FFMPEG` names, or the first on the search path. It is run, not
//!   linked, so that a crash or a flaw in one of its hundreds of decoders stays in another process, and so that foretell can be installed
//!   without it. ffprobe is not needed.
//!
//! # Contract
//! Frames come in the order in which they are shown, each once: a varying rate repeats and drops none, rotation is applied. Decoding goes
//! on while the caller works, a few frames ahead ([`FRAMES_AHEAD`]) and no more. Of a clip that is cut off, every frame that can be decoded
//! comes first, and then the error which says so ([`VideoErrorKind::Broken`]). Colours are those of ffmpeg's own conversion, which are also
//! those of OpenCV's `VideoCapture`.
//!
//! - **Invariant:** dropping a clip or a writer ends its thread, and its ffmpeg, even one that hangs.
//! - **Invariant:** ffmpeg may open the file that was named and nothing else: no network, no playlist, no list of other files.
//! - **Invariant:** at the path of a writer stands a whole clip or what stood there before.
//! - **Invariant:** bytes that are no clip give an error, never a panic; what a file announces is compared with named limits and with the
//!   bytes that are there.
//!
//! # Pitfalls
//! - How many frames a video has is not known before its last one, as containers guess: [`ClipInfo::frames`] is `None`. An estimate for
//!   a progress bar is [`ClipInfo::seconds`] times the rate.
//! - [`Frame::time`] is exact, and index divided by rate is not where the rate varies, as telephones record it.
//! - A directory of images has no rate: it is taken for 25 a second, unless [`Clip::with_frame_rate`] says otherwise.
//! - JPEG stores colours at half the resolution in most clips. Decoders bring them back by different rules, so a Motion-JPEG clip differs
//!   by some levels at edges of colours from what OpenCV makes of it; one that ffmpeg decodes does not.
//! - A damaged frame in the middle of a video is concealed by ffmpeg as well as it can; the error comes at the end, with ffmpeg's words.

mod avi;
mod clip;
mod error;
mod ffmpeg;
mod rate;
mod writer;

pub use clip::{
    Clip, ClipInfo, FRAME_PIXELS_MAX, FRAMES_AHEAD, FRAMES_MAX, Frame, Kind, WAIT_SECONDS_MAX, images,
};
pub use error::{VideoError, VideoErrorKind};
pub use ffmpeg::{FFMPEG_VARIABLE, Ffmpeg};
pub use rate::{FRAME_RATE_MAX, FRAME_SECONDS_MAX, FrameRate};
pub use writer::{JPEG_QUALITY, Options, Still, Writer, Written};
