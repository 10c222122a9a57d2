//! Reads a clip and says what it is and how fast it was read; writes it again, if a second path is given.
//!
//! ```text
//! convert CLIP [NEW-CLIP]
//! ```
//! Where the second path ends in `.rgb`, the samples of all frames are written one after the other, for comparison with what other
//! programs decode.

use foretell_media::Samples;
use foretell_video::{Clip, Ffmpeg, Options, Writer};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or("name a clip")?;
    let target = arguments.next();
    let ffmpeg = Ffmpeg::find();
    let start = Instant::now();
    let clip = Clip::open(&path, &ffmpeg)?;
    let info = clip.info().clone();
    let mut output = std::io::stdout().lock();
    writeln!(output, "{info:?}")?;

    let size = (info.width, info.height);
    let is_raw = target.as_ref().is_some_and(|path| path.extension() == Some("rgb".as_ref()));
    let mut raw = target.as_ref().filter(|_| is_raw).map(File::create).transpose()?;
    let target = target.filter(|_| !is_raw);
    let options = Options::default();
    let writer = target.map(|path| Writer::create(path, size, info.frame_rate, &ffmpeg, options));
    let mut writer = writer.transpose()?;
    let mut frames = 0_u64;
    for frame in clip {
        let frame = frame?;
        frames += 1;
        if let (Some(raw), Samples::U8(samples)) = (&mut raw, &frame.picture.samples) {
            raw.write_all(samples)?;
        }
        if let Some(writer) = &mut writer {
            writer.write(frame.picture)?;
        }
    }
    if let Some(writer) = writer {
        writeln!(output, "{:?}", writer.finish()?)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    writeln!(output, "{frames} frames in {seconds:.3} s: {:.0} a second", frames as f64 / seconds)?;
    Ok(())
}
