//! Files that were cut off or changed: they are errors or images, and never a panic.

use crate::golden::Folder;
use dicom_dictionary_std::tags;
use foretell_media::dicom::dataset::{Element, Instance, Value};
use foretell_media::{Media, MediaErrorKind, SampleType};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Every golden file with its name.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for folder in ["dicom", "raster"] {
        let folder = Folder::open(folder);
        files.extend(folder.files().map(|(name, _)| (name.to_owned(), folder.bytes(name))));
    }
    files
});

/// Decodes all that can be decoded; whether everything could.
fn decode(bytes: &[u8]) -> bool {
    let Ok(media) = Media::open(bytes) else { return false };
    let mut whole = true;
    // A changed number of frames may be large.
    for frame in 1..=media.frames().min(4) {
        whole &= media.picture(frame, SampleType::U8).is_ok();
        whole &= media.picture(frame, SampleType::F32).is_ok();
        whole &= media.dicom().is_none_or(|file| file.stored(frame).is_ok());
    }
    whole
}

#[test]
fn files_that_are_cut_off_are_no_panic_and_no_image() {
    /// A prime, so that cuts fall on all places of words and elements.
    const STEP_BYTES: usize = 37;
    for (name, bytes) in FILES.iter() {
        assert!(decode(bytes), "{name} itself");
        for length in (0..bytes.len()).step_by(STEP_BYTES) {
            let whole = decode(&bytes[..length]);
            // What follows the pixels of a camera's image may be missing: remarks, padding, an index.
            assert!(
                !whole || (!name.ends_with(".dcm") && length > bytes.len() / 2),
                "{name} cut to {length} bytes"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn files_with_changed_bytes_are_no_panic(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = FILES[file].1.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        decode(&bytes);
    }

    #[test]
    fn noise_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0..5_usize) {
        let start: &[u8] = [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"II*\0", b"BM", b"\x08\0\x05\0CS\x0a\0"][start];
        decode(&[start, &bytes].concat());
    }
}

#[test]
fn frames_that_are_cut_off_are_errors() {
    let folder = Folder::open("dicom");
    for name in [
        "signed_rle.dcm",
        "signed_jpeg_lossless.dcm",
        "signed_jpeg_ls.dcm",
        "signed_jpeg_2000.dcm",
        "twelve_jpeg_extended.dcm",
        "eight_jpeg.dcm",
        "rgb_jpeg_ls_interleave_0.dcm",
        "rgb_jpeg_ls_interleave_1.dcm",
        "rgb_jpeg_ls_interleave_2.dcm",
    ] {
        let instance = Instance::parse(&folder.bytes(name)).expect("it opens");
        for part in [1, 2, 3] {
            let mut cut = instance.clone();
            let element = cut.dataset.get(tags::PIXEL_DATA).cloned().expect("pixels");
            let Value::Fragments(mut fragments) = element.value else { panic!("{name} has no fragments") };
            let last = fragments.last_mut().expect("a fragment");
            last.truncate(last.len() * part / 4 / 2 * 2);
            cut.dataset.set(Element { value: Value::Fragments(fragments), ..element });
            let media =
                Media::open(&cut.to_bytes().expect("it is written")).expect("its attributes are whole");
            let error = media.picture(1, SampleType::U8).expect_err("its frame is not");
            let kind = error.kind;
            assert!(
                matches!(kind, MediaErrorKind::Damaged(_) | MediaErrorKind::Truncated(_)),
                "{name}: {kind}"
            );
        }
    }
}

/// The value of a 16-bit attribute of an explicit little endian file.
fn patched(bytes: &[u8], element: u16, value: u16) -> Vec<u8> {
    let mut head = vec![0x28, 0x00];
    head.extend(element.to_le_bytes());
    head.extend(b"US\x02\0");
    let at = bytes.windows(head.len()).position(|window| window == head).expect("the attribute is there");
    let mut bytes = bytes.to_vec();
    bytes[at + 8..at + 10].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn lies_about_sizes_are_found_before_memory_is_taken() {
    let folder = Folder::open("dicom");
    let (rows, allocated) = (0x0010, 0x0100);
    // Uncompressed: the bytes are counted when the file is opened.
    let bytes = folder.bytes("signed_explicit.dcm");
    let kind = |bytes: &[u8]| Media::open(bytes).expect_err("it is refused").kind;
    assert!(matches!(kind(&patched(&bytes, rows, u16::MAX)), MediaErrorKind::Truncated(_)));
    assert!(matches!(kind(&patched(&bytes, rows, 0)), MediaErrorKind::Damaged(_)));
    assert!(matches!(kind(&patched(&bytes, allocated, 12)), MediaErrorKind::Unsupported(_)));
    // Compressed: the encoded frame says its own size, or is too short for what the attributes say.
    for name in ["jpeg_lossless", "jpeg_ls", "jpeg_2000", "rle"] {
        let bytes = patched(&folder.bytes(&format!("signed_{name}.dcm")), rows, u16::MAX);
        let error = Media::open(&bytes).expect("its attributes are plausible").picture(1, SampleType::U8);
        let kind = error.expect_err("its frame is not").kind;
        assert!(matches!(kind, MediaErrorKind::Damaged(_) | MediaErrorKind::Truncated(_)), "{name}: {kind}");
    }
}

#[test]
fn no_message_shows_a_value_of_the_file() {
    let bytes = Folder::open("dicom").bytes("signed_explicit.dcm");
    // What stands in a text attribute may be anybody's name.
    let at = bytes.windows(11).position(|window| window == b"MONOCHROME2").expect("the attribute is there");
    let mut named = bytes;
    named[at..at + 11].copy_from_slice(b"Doe^Jane^Q.");
    let message = Media::open(&named).expect_err("it is refused").to_string();
    assert!(!message.contains("Doe"), "{message}");
    assert!(message.contains("(0028,0004)"), "{message}");
}
