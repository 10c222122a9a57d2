//! PNG, JPEG, TIFF, BMP and WebP as Pillow reads them.

use crate::golden::{Folder, distance, shape, text, values};
use foretell_media::{Channels, Media, MediaErrorKind, SampleType, Samples, View};

#[test]
fn images_are_those_that_pillow_reads() {
    let folder = Folder::open("raster");
    let mut files = 0;
    for (name, entry) in folder.files() {
        let media = Media::open(&folder.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let size = shape(entry);
        assert_eq!((u64::from(media.size().1), u64::from(media.size().0)), (size[0], size[1]), "{name}");
        let sample = if text(entry, "type") == "uint16" { SampleType::U16 } else { SampleType::U8 };
        let picture = media.picture(1, sample).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(u64::from(picture.channels), size.get(2).copied().unwrap_or(1), "{name}");
        let distance = distance(&values(&picture.samples), &folder.samples(entry), name);
        let tolerance = entry["tolerance"].as_f64().expect("a tolerance");
        assert!(distance <= tolerance, "{name}: a sample differs by {distance}, allowed are {tolerance}");
        files += 1;
    }
    assert!(files > 25, "{files} files");
}

#[test]
fn media_types_are_found_by_content() {
    let folder = Folder::open("raster");
    for (name, expected) in [
        ("rgb.png", "image/png"),
        ("grey.jpg", "image/jpeg"),
        ("rgb.tiff", "image/tiff"),
        ("rgb.bmp", "image/bmp"),
        ("rgb.webp", "image/webp"),
    ] {
        let media = Media::open(&folder.bytes(name)).expect("it opens");
        assert_eq!((media.media_type(), media.frames()), (expected, 1));
        assert!(media.dicom().is_none());
    }
}

#[test]
fn the_brightness_of_a_jpeg_is_the_grey_of_its_colours() {
    let folder = Folder::open("raster");
    for name in ["rgb_444.jpg", "rgb_420.jpg", "grey.jpg", "progressive.jpg"] {
        let media = Media::open(&folder.bytes(name)).expect("it opens");
        let direct = media.view(1, &View::new(SampleType::U8)).expect("it is decoded");
        let colours = media.picture(1, SampleType::U8).expect("it is decoded");
        let grey = colours.view(&View::new(SampleType::U8)).expect("it is grey");
        let distance = distance(&values(&direct.samples), &values(&grey.samples), name);
        assert!(distance <= 1.0, "{name}: {distance}");
    }
}

#[test]
fn sample_types_keep_black_and_white() {
    let folder = Folder::open("raster");
    let deep = Media::open(&folder.bytes("deep.png")).expect("it opens");
    let (Samples::U16(whole), Samples::U8(narrow), Samples::F32(real)) = (
        deep.picture(1, SampleType::U16).expect("u16").samples,
        deep.picture(1, SampleType::U8).expect("u8").samples,
        deep.picture(1, SampleType::F32).expect("f32").samples,
    ) else {
        panic!("other types than asked for")
    };
    for ((whole, narrow), real) in whole.into_iter().zip(narrow).zip(real) {
        assert_eq!(f64::from(narrow), (f64::from(whole) / 257.0).round());
        assert_eq!(f64::from(real), f64::from(whole));
    }
    let shallow = Media::open(&folder.bytes("grey.png")).expect("it opens");
    let wide = shallow.picture(1, SampleType::U16).expect("u16");
    let narrow = wide.clone().into_type(SampleType::U8).expect("u8");
    assert_eq!(narrow, shallow.picture(1, SampleType::U8).expect("u8"));
    let error =
        wide.into_type(SampleType::F32).expect("f32").into_type(SampleType::U8).expect_err("no way back");
    assert!(matches!(error.kind, MediaErrorKind::View(_)), "{error}");
}

#[test]
fn colour_is_repeated_and_grey_is_weighed() {
    let folder = Folder::open("raster");
    let view = View { channels: Channels::Rgb, ..View::new(SampleType::U8) };
    let grey = Media::open(&folder.bytes("grey.png")).expect("it opens");
    let (one, three) = (grey.picture(1, SampleType::U8).expect("u8"), grey.view(1, &view).expect("rgb"));
    assert_eq!(three.channels, 3);
    let repeated: Vec<f64> = values(&one.samples).into_iter().flat_map(|value| [value; 3]).collect();
    assert_eq!(values(&three.samples), repeated);
}

/// A PNG that announces `width` by `height` pixels and has none.
fn announced(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [&chunk[..], b"IDAT"] {
        bytes.extend((chunk.len() as u32 - 4).to_be_bytes());
        bytes.extend(chunk);
        bytes.extend(checksum(chunk).to_be_bytes());
    }
    bytes
}

/// CRC-32 as PNG has it (its annex D).
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, &byte| {
        (0..8).fold(
            sum ^ u32::from(byte),
            |sum, _| if sum & 1 == 1 { 0xEDB8_8320 ^ (sum >> 1) } else { sum >> 1 },
        )
    })
}

#[test]
fn lies_about_sizes_are_found_before_memory_is_taken() {
    let kind = |bytes: &[u8]| Media::open(bytes).expect_err("it is refused").kind;
    assert!(matches!(kind(&announced(200_000, 200_000)), MediaErrorKind::Limit { .. }));
    assert!(matches!(kind(&announced(11_000, 11_000)), MediaErrorKind::Truncated(_)));
    assert!(matches!(kind(&announced(0, 10)), MediaErrorKind::Damaged(_)));
}

#[test]
fn other_bytes_are_no_image() {
    for (bytes, start) in [(&b""[..], "nothing"), (b"%PDF-1.7", "25 50 44 46"), (b"GIF89a", "47 49 46 38")] {
        let error = Media::open(bytes).expect_err("it is refused");
        assert_eq!(error.kind, MediaErrorKind::UnknownFormat { start: start.to_owned() });
    }
}

#[test]
fn a_jpeg_that_is_cut_off_is_refused() {
    let bytes = Folder::open("raster").bytes("rgb_444.jpg");
    let media = Media::open(&bytes[..bytes.len() - 40]).expect("its header is whole");
    let error = media.picture(1, SampleType::U8).expect_err("its pixels are not");
    assert!(matches!(error.kind, MediaErrorKind::Truncated(_)), "{error}");
}
