//! Taking files apart and putting them together.

use std::io::Write as _;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use flate2::{Compression, write::DeflateEncoder};
use foretell_media::dicom::dataset::{Dataset, Encoding, Instance};
use proptest::prelude::*;

use crate::samples;

const BIG: Encoding = Encoding { explicit: true, big_endian: true };

fn written(dataset: Dataset, encoding: Encoding, transfer_syntax: &str) -> Vec<u8> {
    let mut instance = Instance::explicit(dataset);
    instance.encoding = encoding;
    instance.transfer_syntax = transfer_syntax.to_owned();
    instance.to_bytes().expect("a valid data set")
}

/// Where the data set begins.
fn behind_header(file: &[u8]) -> usize {
    144 + u32::from_le_bytes(file[140..144].try_into().expect("four bytes")) as usize
}

/// Values of text, bytes, sequences in sequences, and fragments.
fn rich() -> Dataset {
    let mut inner = Dataset::new();
    inner.set_text(tags::CODE_VALUE, "R-10206");
    let mut item = Dataset::new();
    item.set_items(tags::VIEW_MODIFIER_CODE_SEQUENCE, [inner.clone(), Dataset::new(), inner]);
    let mut dataset = samples::slice();
    dataset.set_items(tags::VIEW_CODE_SEQUENCE, [item]);
    dataset.set_bytes(Tag(0x0009, 0x1001), VR::UN, vec![1, 2, 3, 4]);
    dataset
}

/// What a data set says, whatever its padding and its places.
fn content(dataset: &Dataset) -> Vec<u8> {
    dataset.to_bytes(Encoding::EXPLICIT).expect("short values")
}

#[test]
fn every_encoding_gives_the_same_back() {
    for (encoding, transfer_syntax) in [
        (Encoding::EXPLICIT, "1.2.840.10008.1.2.1"),
        (Encoding::IMPLICIT, "1.2.840.10008.1.2"),
        (BIG, "1.2.840.10008.1.2.2"),
    ] {
        let file = written(rich(), encoding, transfer_syntax);
        let read = Instance::parse(&file).expect("a file");
        assert_eq!((read.encoding, read.transfer_syntax.as_str()), (encoding, transfer_syntax));
        assert!(read.to_bytes().expect("a valid data set") == file, "{transfer_syntax}");
        assert!(content(&read.dataset) == content(&rich()));
    }
}

#[test]
fn a_header_is_not_needed() {
    let explicit = rich().to_bytes(Encoding::EXPLICIT).expect("short values");
    let implicit = rich().to_bytes(Encoding::IMPLICIT).expect("short values");
    let file = samples::file(rich());
    for (name, bytes) in [
        ("explicit alone", explicit.as_slice()),
        ("implicit alone", &implicit),
        ("no preamble", &file[128..]),
        ("no prefix", &file[132..]),
        ("zeros at the end", &[file.as_slice(), &[0; 7]].concat()),
    ] {
        let read = Instance::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(content(&read.dataset) == content(&rich()), "{name}");
    }
}

#[test]
fn a_deflated_data_set_is_inflated() {
    let file = written(rich(), Encoding::EXPLICIT, "1.2.840.10008.1.2.1.99");
    let behind = behind_header(&file);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&file[behind..]).expect("memory");
    let deflated = [&file[..behind], &encoder.finish().expect("memory")].concat();
    let read = Instance::parse(&deflated).expect("a file");
    assert_eq!(read.transfer_syntax, "1.2.840.10008.1.2.1");
    assert!(content(&read.dataset) == content(&rich()));
    let error = Instance::parse(&deflated[..deflated.len() - 30]).expect_err("cut off").to_string();
    assert!(error.contains("can't be inflated") || error.contains("ends too early"), "{error}");
}

#[test]
fn a_header_that_names_another_encoding_is_seen_through() {
    let explicit = written(rich(), Encoding::EXPLICIT, "1.2.840.10008.1.2.1");
    let implicit = written(rich(), Encoding::IMPLICIT, "1.2.840.10008.1.2");
    for (header, data_set) in [(&explicit, &implicit), (&implicit, &explicit)] {
        let mixed = [&header[..behind_header(header)], &data_set[behind_header(data_set)..]].concat();
        let read = Instance::parse(&mixed).expect("a file");
        // Written as the header says, it is a valid file.
        assert!(&read.to_bytes().expect("a valid data set") == header);
    }
}

#[test]
fn sequences_may_have_lengths() {
    // An item of one element, with lengths and with delimiters, also as `UN`, where it is implicit (PS3.5 section 6.2.2).
    let element = [0x08, 0, 0, 1, b'S', b'H', 2, 0, b'A', b'B'];
    let implicit = [0x08, 0, 0, 1, 2, 0, 0, 0, b'A', b'B'];
    let undefined = [0xFF; 4];
    let item = |length: [u8; 4]| [&[0xFE, 0xFF, 0, 0xE0][..], &length].concat();
    let head = |vr: &[u8; 2], length: [u8; 4]| [&[0x54, 0, 0x20, 2][..], vr, &[0, 0], &length].concat();
    let item_end = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
    let end = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
    let cases = [
        ("both", [head(b"SQ", [18, 0, 0, 0]), item([10, 0, 0, 0]), element.to_vec()].concat()),
        ("item", [head(b"SQ", undefined), item([10, 0, 0, 0]), element.to_vec(), end.to_vec()].concat()),
        (
            "sequence",
            [head(b"SQ", [26, 0, 0, 0]), item(undefined), element.to_vec(), item_end.to_vec()].concat(),
        ),
        ("unknown", [head(b"UN", [18, 0, 0, 0]), item([10, 0, 0, 0]), implicit.to_vec()].concat()),
        (
            "unknown, no length",
            [head(b"UN", undefined), item([10, 0, 0, 0]), implicit.to_vec(), end.to_vec()].concat(),
        ),
    ];
    let start =
        samples::file(samples::slice().into_iter().filter(|element| element.tag.group() < 0x20).collect());
    for (name, sequence) in cases {
        let read = Instance::parse(&[start.as_slice(), &sequence].concat())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let items =
            read.dataset.items(tags::VIEW_CODE_SEQUENCE).unwrap_or_else(|| panic!("{name}: no items"));
        assert_eq!(items[0].dataset.text(tags::CODE_VALUE).as_deref(), Some("AB"), "{name}");
        assert_eq!(items.len(), 1, "{name}");
    }
    // Bytes that are no sequence stay bytes.
    let bytes = [head(b"UN", [4, 0, 0, 0]), vec![1, 2, 3, 4]].concat();
    let read = Instance::parse(&[start.as_slice(), &bytes].concat()).expect("a file");
    assert_eq!(read.dataset.bytes(tags::VIEW_CODE_SEQUENCE), Some(&[1, 2, 3, 4][..]));
}

#[test]
fn damage_is_named() {
    let start =
        samples::file(samples::slice().into_iter().filter(|element| element.tag.group() < 0x20).collect());
    let cases: [(&[u8], &str); 7] = [
        (&[0x28, 0, 0x10, 0, b'U', b'S', 9, 0, 1, 0], "the value of (0028,0010)"),
        (
            &[0x28, 0, 0x10, 0, b'u', b's', 2, 0, 1, 0],
            "(0028,0010) names no value representation of two letters",
        ),
        (&[0x28, 0, 0x10, 0, b'U', b'T', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], "(0028,0010) (UT) has no length"),
        (&[0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0], "(FFFE,E000), which stands between items"),
        (
            &[0x54, 0, 0x20, 2, b'S', b'Q', 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0],
            "where an item of a sequence should begin",
        ),
        (
            &[0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 0, 0, 0, 0],
            "where a fragment of pixels should begin",
        ),
        (&[0x28, 0, 0x10], "an element"),
    ];
    for (bytes, expected) in cases {
        let error = Instance::parse(&[start.as_slice(), bytes].concat()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_belongs_into_a_header_is_not_read_behind_it() {
    let mut dataset = Dataset::new();
    dataset.set_text(tags::SOURCE_APPLICATION_ENTITY_TITLE, "NORTH");
    let behind = dataset.to_bytes(Encoding::EXPLICIT).expect("short values");
    let read = Instance::parse(&[samples::file(rich()), behind].concat()).expect("a file");
    assert!(read.dataset.get(tags::SOURCE_APPLICATION_ENTITY_TITLE).is_none());
    assert!(content(&read.dataset) == content(&rich()));
}

#[test]
fn what_has_no_room_is_not_written() {
    let mut dataset = samples::slice();
    dataset.set_bytes(tags::MANUFACTURER, VR::LO, vec![b'x'; 70_000]);
    let error = Instance::explicit(dataset).to_bytes().expect_err("too long").to_string();
    assert!(error.contains("short length: 70000 is beyond the limit of 65535"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        changes in proptest::collection::vec((0_usize..1_500, any::<u8>()), 0..12),
    ) {
        let _ = Instance::parse(&bytes);
        let mut file = samples::file(rich());
        for (place, byte) in changes {
            if let Some(found) = file.get_mut(place) {
                *found = byte;
            }
        }
        // What can be read can be written, and is the same when it is read again.
        if let Ok(read) = Instance::parse(&file)
            && let Ok(bytes) = read.to_bytes()
        {
            let again = Instance::parse(&bytes).expect("what was written here");
            prop_assert!(again.to_bytes().expect("the same data set") == bytes);
        }
    }
}
