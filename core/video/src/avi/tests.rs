//! What is written is read again, and what is damaged is read as far as it is whole.

use super::read::{Found, Index, read};
use super::write::AviWriter;
use crate::rate::FrameRate;
use proptest::prelude::*;
use std::io::Cursor;

/// A part of this size holds a few of the frames below.
const PART_BYTES: u64 = 2_500;

/// Stands for JPEG images, of odd and even lengths: nothing here looks into them.
fn frames() -> Vec<Vec<u8>> {
    (0..40_u8).map(|number| vec![number; 100 + usize::from(number) * 7]).collect()
}

fn written(part_bytes: u64) -> Vec<u8> {
    let rate = FrameRate::of(29.97).expect("it is a rate");
    let mut writer = AviWriter::with_parts(Cursor::new(Vec::new()), 64, 48, rate, part_bytes).unwrap();
    for frame in frames() {
        writer.add(&frame).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn index(bytes: &[u8]) -> Option<Index> {
    match read(&mut Cursor::new(bytes)).ok()? {
        Found::Another => None,
        Found::MotionJpeg(index) => Some(index),
    }
}

fn content(bytes: &[u8], (offset, length): (u64, u32)) -> &[u8] {
    &bytes[offset as usize..][..length as usize]
}

#[test]
fn frames_are_found_where_they_were_written() {
    for part_bytes in [PART_BYTES, super::write::PART_BYTES_MAX] {
        let bytes = written(part_bytes);
        let index = index(&bytes).expect("it is Motion-JPEG");
        let found: Vec<_> = index.frames.iter().map(|&frame| content(&bytes, frame).to_vec()).collect();
        assert_eq!(found, frames());
        assert_eq!((index.width, index.height, index.cut), (64, 48, None));
        assert_eq!(index.frame_rate, FrameRate::new(30_000, 1_001).unwrap());
        let parts = bytes.windows(4).filter(|window| window == b"AVIX").count();
        assert_eq!(parts > 2, part_bytes == PART_BYTES, "{parts}");
    }
}

/// The index at the end of a part names each frame by its chunk's head, from the letters `movi` on.
#[test]
fn the_old_index_points_to_chunks() {
    let bytes = written(super::write::PART_BYTES_MAX);
    let find = |id: &[u8]| bytes.windows(4).position(|window| window == id).unwrap();
    let (movie, index) = (find(b"movi"), find(b"idx1"));
    for (number, frame) in frames().iter().enumerate() {
        let entry = &bytes[index + 8 + number * 16..][..16];
        let numbers: Vec<_> = (0..4).map(|at| super::number(entry, at * 4).unwrap()).collect();
        let chunk = movie + numbers[2] as usize;
        assert_eq!(&bytes[chunk..chunk + 4], b"00dc");
        assert_eq!(numbers[3] as usize, frame.len());
        assert_eq!(&bytes[chunk + 8..][..frame.len()], frame.as_slice());
    }
}

#[test]
fn a_file_that_is_cut_off_has_the_frames_before() {
    for part_bytes in [PART_BYTES, super::write::PART_BYTES_MAX] {
        let bytes = written(part_bytes);
        let whole = index(&bytes).unwrap().frames;
        for length in (0..bytes.len()).step_by(61) {
            let expected =
                whole.iter().filter(|&&(offset, count)| offset + u64::from(count) <= length as u64);
            match index(&bytes[..length]) {
                Some(index) => {
                    assert_eq!(index.frames, expected.copied().collect::<Vec<_>>(), "{length}");
                    assert_eq!(index.cut.is_some(), index.frames.len() < whole.len(), "{length}");
                }
                None => assert!(length < 5_000, "its headers are whole at {length} bytes"),
            }
        }
    }
}

/// What a program leaves that was ended while it wrote: lengths and counts of 0, and no index.
#[test]
fn a_file_that_was_never_finished_is_walked_to_its_end() {
    let mut bytes = written(super::write::PART_BYTES_MAX);
    let find = |bytes: &[u8], id: &[u8]| bytes.windows(4).position(|window| window == id).unwrap();
    let end = find(&bytes, b"ix00");
    bytes.truncate(end);
    let (movie, stream) = (find(&bytes, b"movi"), find(&bytes, b"strh"));
    for place in [4, movie - 4, stream + 8 + 32] {
        bytes[place..place + 4].fill(0);
    }
    let index = index(&bytes).expect("it is Motion-JPEG");
    assert_eq!((index.frames.len(), index.cut), (frames().len(), None));
}

#[test]
fn a_frame_without_bytes_is_the_one_before() {
    let rate = FrameRate::OF_IMAGES;
    let mut writer = AviWriter::new(Cursor::new(Vec::new()), 8, 8, rate).unwrap();
    for frame in [b"".as_slice(), b"one", b"", b"two"] {
        writer.add(frame).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let index = index(&bytes).unwrap();
    let found: Vec<_> = index.frames.iter().map(|&frame| content(&bytes, frame)).collect();
    assert_eq!(found, [b"one", b"one", b"two"]);
}

#[test]
fn other_files_are_left_to_others() {
    let mut other = written(PART_BYTES);
    let at = other.windows(4).rposition(|window| window == b"MJPG").unwrap();
    other[at..at + 4].copy_from_slice(b"H264");
    let cases: [&[u8]; 6] =
        [b"", b"RIFF", b"RIFF\0\0\0\0WEBP", b"RIFF\xff\xff\xff\xffAVI ", b"\xff\xd8\xff", &other];
    for bytes in cases {
        assert!(index(bytes).is_none(), "{:?}", &bytes[..bytes.len().min(16)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Numbers anywhere in the file, as large as they can be: an error or frames that are there, and never a panic.
    #[test]
    fn damage_is_survived(
        changes in prop::collection::vec((0_usize..8_000, prop_oneof![any::<u32>(), Just(0), Just(u32::MAX), 0_u32..64]), 1..6),
        length in 0_usize..40_000,
    ) {
        let mut bytes = written(PART_BYTES);
        for (at, number) in changes {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes.truncate(length.max(100));
        if let Some(index) = index(&bytes) {
            for &(offset, count) in &index.frames {
                prop_assert!(offset + u64::from(count) <= bytes.len() as u64);
            }
        }
    }

    /// Chunks that nobody wrote on purpose.
    #[test]
    fn noise_is_survived(noise in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut bytes = written(PART_BYTES);
        let movie = bytes.windows(4).position(|window| window == b"movi").unwrap() + 4;
        bytes.truncate(movie);
        bytes.extend(&noise);
        let index = index(&bytes).expect("its headers are whole");
        for &(offset, count) in &index.frames {
            prop_assert!(offset + u64::from(count) <= bytes.len() as u64);
        }
    }
}
