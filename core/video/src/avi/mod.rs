//! Motion-JPEG in the container AVI: RIFF chunks, whose lengths are in front.
//!
//! After "AVI RIFF File Reference" (Microsoft, DirectShow) and "OpenDML AVI File Format Extensions" (OpenDML AVI M-JPEG File
//! Format Subcommittee, version 1.02).

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::{Found, Index, read};
pub(crate) use write::{AviWriter, SIDE_PIXELS_MAX};

/// Compression names of JPEG frames, in upper case.
const MOTION_JPEG: [&[u8; 4]; 4] = [b"MJPG", b"JPEG", b"AVRN", b"DMB1"];

/// The four bytes of `list` at `offset` as a number.
fn number(list: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*list.get(offset..)?.first_chunk()?))
}
