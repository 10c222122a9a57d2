//! Opens bytes as an image, and decodes what opens in every way that there is.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd core/media
//! RUSTC_BOOTSTRAP=1 cargo fuzz run -s none open SEEDS -- -timeout=10 -rss_limit_mb=4096 -max_len=200000
//! ```
//! `-s none` and `RUSTC_BOOTSTRAP` make it run on the stable toolchain, without AddressSanitizer: the crate has no unsafe code.

#![no_main]

use foretell_media::{Channels, Filter, Fit, Media, SampleType, View};
use libfuzzer_sys::fuzz_target;

/// Larger frames are slow for no gain.
const PIXELS_MAX: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(media) = Media::open(bytes) else { return };
    let (width, height) = media.size();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return;
    }
    for frame in [1, media.frames()] {
        for sample in [SampleType::U8, SampleType::F32] {
            if let Ok(picture) = media.picture(frame, sample) {
                let count = picture.width as usize * picture.height as usize * picture.channels as usize;
                assert_eq!(picture.samples.len(), count);
                assert_eq!((picture.width, picture.height), (width, height));
            }
        }
        if let Some(file) = media.dicom() {
            let _ = file.stored(frame);
        }
    }
    let fit = Fit::Letterbox { pad: 114.0 };
    let size = Some((17, 11));
    let view = View { channels: Channels::Grey, sample: SampleType::U16, size, fit, filter: Filter::Bicubic };
    if let Ok(picture) = media.view(1, &view) {
        assert_eq!(picture.samples.len(), 17 * 11);
    }
});
