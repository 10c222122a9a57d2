//! Every golden DICOM file: stored samples, and pictures where the script says what is seen.

use crate::golden::{Folder, distance, shape, stored, text, values};
use foretell_media::dicom::{File, dataset::Instance};
use foretell_media::{Media, MediaErrorKind, SampleType};

#[test]
fn stored_samples_are_those_that_pydicom_reads() {
    let folder = Folder::open("dicom");
    let mut files = 0;
    for (name, entry) in folder.files() {
        let expected = &entry["stored"];
        let file = File::open(&folder.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut found = Vec::new();
        let mut kind = "";
        for frame in 1..=file.frames() {
            let frame = file.stored(frame).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (samples, name) = stored(&frame.samples);
            found.extend(samples);
            kind = name;
        }
        let mut size = shape(expected);
        if file.frames() > 1 {
            assert_eq!(size.remove(0), u64::from(file.frames()), "{name}");
        }
        assert_eq!((size[1], size[0]), (file.size().0.into(), file.size().1.into()), "{name}");
        let tolerance = entry["tolerance"].as_f64().expect("a tolerance");
        if tolerance == 0.0 {
            assert_eq!(kind, text(expected, "type"), "{name}");
        }
        let distance = distance(&found, &folder.samples(expected), name);
        assert!(distance <= tolerance, "{name}: a sample differs by {distance}, allowed are {tolerance}");
        files += 1;
    }
    assert!(files > 40, "{files} files");
}

#[test]
fn an_image_is_the_same_in_eight_transfer_syntaxes() {
    let folder = Folder::open("dicom");
    let names =
        ["implicit", "explicit", "big_endian", "deflated", "rle", "jpeg_lossless", "jpeg_ls", "jpeg_2000"];
    let images: Vec<File> = names
        .iter()
        .map(|name| File::open(&folder.bytes(&format!("signed_{name}.dcm"))).expect("it opens"))
        .collect();
    for (image, name) in images.iter().zip(names) {
        assert_eq!(image.stored(1), images[0].stored(1), "{name}");
        for sample in [SampleType::U8, SampleType::U16, SampleType::F32] {
            assert_eq!(image.picture(1, sample), images[0].picture(1, sample), "{name}");
        }
    }
}

#[test]
fn pictures_are_those_that_pydicom_shows() {
    let folder = Folder::open("dicom");
    let mut pictures = 0;
    for (name, entry) in folder.files().filter(|(_, entry)| entry.get("picture").is_some()) {
        let expected = &entry["picture"];
        let media = Media::open(&folder.bytes(name)).expect("it opens");
        let sample = if text(expected, "type") == "uint16" { SampleType::U16 } else { SampleType::U8 };
        let picture = media.picture(1, sample).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(picture.channels, 3, "{name}");
        // What JPEG loses is in the tolerance; a colour transform adds rounding.
        let tolerance = entry["tolerance"].as_f64().expect("a tolerance");
        let tolerance = if tolerance > 0.0 { tolerance + 1.0 } else { 0.0 };
        let distance = distance(&values(&picture.samples), &folder.samples(expected), name);
        assert!(distance <= tolerance, "{name}: a sample differs by {distance}, allowed are {tolerance}");
        pictures += 1;
    }
    assert!(pictures >= 7, "{pictures} pictures");
}

#[test]
fn a_file_is_found_without_its_preamble_and_without_its_header() {
    let folder = Folder::open("dicom");
    let bytes = folder.bytes("signed_explicit.dcm");
    let whole = Media::open(&bytes).expect("it opens");
    let expected = whole.picture(1, SampleType::U8);
    let dataset =
        whole.dicom().expect("DICOM").dataset().to_bytes(whole.dicom().expect("DICOM").instance().encoding);
    for (bytes, what) in [
        (bytes[128..].to_vec(), "without a preamble"),
        (bytes[132..].to_vec(), "without a signature"),
        (dataset.expect("it is written"), "without a header"),
    ] {
        let media = Media::open(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(media.media_type(), "application/dicom");
        assert_eq!(media.picture(1, SampleType::U8), expected, "{what}");
    }
}

#[test]
fn frames_are_counted_from_one() {
    let folder = Folder::open("dicom");
    for name in ["movie_explicit.dcm", "movie_table.dcm"] {
        let media = Media::open(&folder.bytes(name)).expect("it opens");
        assert_eq!((media.frames(), media.size()), (3, (11, 9)));
        for asked in [0, 4] {
            let error = media.picture(asked, SampleType::U8).expect_err("there is no such frame");
            assert_eq!(error.kind, MediaErrorKind::NoFrame { asked, frames: 3 });
        }
    }
}

#[test]
fn a_report_opens_and_is_no_image() {
    let mut instance =
        Instance::parse(&Folder::open("dicom").bytes("signed_explicit.dcm")).expect("it opens");
    instance.dataset = instance.dataset.into_iter().filter(|element| element.tag.group() != 0x7FE0).collect();
    let bytes = instance.to_bytes().expect("it is written");
    assert_eq!(File::open(&bytes).expect("it opens").frames(), 0);
    assert_eq!(Media::open(&bytes).expect_err("it has none").kind, MediaErrorKind::NoPixels);
}
