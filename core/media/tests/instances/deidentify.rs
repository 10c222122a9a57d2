//! Removing identifiers: what was planted in a file is not found in what comes out, and the pixels are.

use dicom_core::{Tag, VR, dictionary::DataDictionary as _};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use foretell_media::dicom::{
    SourceImage,
    dataset::{Dataset, Element, Encoding, Instance, Item, Value},
    deidentify::{Action, Reason, Salt, Warning, deidentify},
};
use proptest::prelude::*;

use crate::{golden, samples};

const SALT: Salt = Salt([7; 32]);
const PROFILE: &str = include_str!("../../src/dicom/deidentify/profile.txt");

/// Every attribute that the profile lists.
fn listed() -> Vec<Tag> {
    let lines = PROFILE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let number = |text: &str| u16::from_str_radix(text, 16).expect("a hexadecimal number");
            Tag(number(&line[0..4]), number(&line[5..9]))
        })
        .collect()
}

/// Attributes that are not listed and must lose their value all the same: private, unknown, in groups about the
/// patient, graphics, names, addresses, times, free text, and UIDs that are not the standard's.
const UNLISTED: [Tag; 19] = [
    Tag(0x0009, 0x0010),
    Tag(0x0009, 0x1001),
    Tag(0x0011, 0x1002),
    Tag(0x0008, 0x7777),
    Tag(0x0010, 0x7777),
    tags::PATIENT_BIRTH_DATE_IN_ALTERNATIVE_CALENDAR,
    tags::PATIENT_BREED_DESCRIPTION,
    // StudyStatusID, retired.
    Tag(0x0032, 0x000A),
    Tag(0x5002, 0x3000),
    Tag(0x6000, 0x3000),
    Tag(0x6002, 0x4000),
    tags::EVALUATOR_NAME,
    tags::RETRIEVE_URL,
    tags::EXPIRY_DATE,
    tags::SEGMENT_DESCRIPTION,
    tags::PARTIAL_VIEW_DESCRIPTION,
    tags::CODING_SCHEME_UID,
    tags::ENCRYPTED_CONTENT,
    tags::REFERENCED_FILE_ID,
];

/// Sequences that stay, in which something may be hidden.
const KEPT_SEQUENCES: [Tag; 4] = [
    tags::REFERENCED_IMAGE_SEQUENCE,
    tags::SOURCE_IMAGE_SEQUENCE,
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::VIEW_CODE_SEQUENCE,
];

fn vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).and_then(|entry| entry.vr.exact()).unwrap_or(VR::UN)
}

/// An attribute that holds the secret, in an item of a sequence where it is one.
fn planted(tag: Tag, secret: &str) -> Element {
    let value = match vr(tag) {
        VR::SQ => {
            let mut item = Dataset::new();
            item.set_text(tags::PATIENT_NAME, secret);
            item.set_bytes(Tag(0x0019, 0x1001), VR::UN, secret.as_bytes().to_vec());
            Value::Items(vec![Item::from(item)])
        }
        _ => Value::Bytes(secret.as_bytes().to_vec().into()),
    };
    Element { tag, vr: vr(tag), value }
}

/// Puts attributes into a sequence in a sequence ...
fn nested(mut dataset: Dataset, depth: usize) -> Dataset {
    for level in 0..depth {
        let mut outer = Dataset::new();
        outer.set_items(KEPT_SEQUENCES[level % KEPT_SEQUENCES.len()], [dataset]);
        dataset = outer;
    }
    dataset
}

fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// The file with the secret in its preamble and its header.
fn with_header(file: &[u8], secret: &str) -> Vec<u8> {
    let mut header = Dataset::new();
    header.set_text(tags::SOURCE_APPLICATION_ENTITY_TITLE, secret);
    header.set_bytes(tags::PRIVATE_INFORMATION, VR::OB, secret.as_bytes().to_vec());
    let header = header.to_bytes(Encoding::EXPLICIT).expect("short values");
    let length = u32::from_le_bytes(file[140..144].try_into().expect("four bytes")) as usize;
    let mut with = file.to_vec();
    with[..secret.len()].copy_from_slice(secret.as_bytes());
    with.splice(144 + length..144 + length, header.iter().copied());
    with[140..144].copy_from_slice(&((length + header.len()) as u32).to_le_bytes());
    with
}

fn encoded(dataset: Dataset, encoding: Encoding) -> Vec<u8> {
    let transfer_syntax = match (encoding.explicit, encoding.big_endian) {
        (false, _) => "1.2.840.10008.1.2",
        (true, false) => "1.2.840.10008.1.2.1",
        (true, true) => "1.2.840.10008.1.2.2",
    };
    let mut instance = Instance::explicit(dataset);
    instance.encoding = encoding;
    instance.transfer_syntax = transfer_syntax.to_owned();
    instance.to_bytes().expect("a valid data set")
}

/// Four characters and more, none of which is in a number, in a dummy or in the standard's words.
fn secret() -> impl Strategy<Value = String> {
    "[qxzjkvwy]{4,12}"
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![
        Just(Encoding::EXPLICIT),
        Just(Encoding::IMPLICIT),
        Just(Encoding { explicit: true, big_endian: true })
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_planted_survives(
        secret in secret(),
        encoding in encoding(),
        picked in proptest::sample::subsequence([listed(), UNLISTED.to_vec()].concat(), 1..60),
        depth in 0_usize..6,
    ) {
        let hidden: Dataset = picked.iter().map(|&tag| planted(tag, &secret)).collect();
        let mut dataset = samples::radiograph();
        for element in nested(hidden, depth) {
            // The header's own copy of it is planted below.
            if element.tag.group() != 0x0002 {
                dataset.set(element);
            }
        }
        let file = with_header(&encoded(dataset, encoding), &secret);
        prop_assert!(contains(&file, &secret));
        let clean = deidentify(&file, &SALT).expect("a valid file");
        prop_assert!(!contains(&clean.bytes, &secret), "{} survived; planted in {:?} at depth {}", secret, picked, depth);
        // Nor does it in what is said about it.
        let said = format!("{:?} {:?}", clean.removals, clean.attributes);
        prop_assert!(!said.contains(&secret), "{}", said);
        let pixels = |bytes: &[u8]| Instance::parse(bytes).expect("a file").dataset.get(tags::PIXEL_DATA).cloned();
        prop_assert_eq!(pixels(&clean.bytes), pixels(&file));
        // Doing it again finds nothing to remove, only what it put there itself.
        let again = deidentify(&clean.bytes, &SALT).expect("a valid file");
        prop_assert!(again.removals.iter().all(|removal| removal.action != Action::Removed), "{:?}", again.removals);
    }

    #[test]
    fn damaged_files_are_errors(
        cut in 0_usize..2_000,
        changes in proptest::collection::vec((0_usize..2_000, any::<u8>()), 0..20),
        encoding in encoding(),
    ) {
        let mut file = encoded(nested(samples::slice(), 0), encoding);
        file.truncate(file.len().saturating_sub(cut % 700));
        for (place, byte) in changes {
            if let Some(found) = file.get_mut(place) {
                *found = byte;
            }
        }
        if let Err(error) = deidentify(&file, &SALT) {
            prop_assert!(!error.to_string().contains("Mustermann"), "{}", error);
        }
    }
}

#[test]
fn every_listed_attribute_loses_its_value_on_its_own() {
    for tag in [listed(), UNLISTED.to_vec()].concat().into_iter().filter(|tag| tag.group() != 0x0002) {
        let secret = "qzxjkvqzxjkv";
        let mut dataset = samples::radiograph();
        dataset.set(planted(tag, secret));
        let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
        assert!(!contains(&clean.bytes, secret), "{tag}");
        // Of a sequence that stays, what was in it is listed.
        let noted = if KEPT_SEQUENCES.contains(&tag) { Tag(0x0019, 0x1001) } else { tag };
        assert!(
            clean.removals.iter().any(|removal| removal.tag == noted),
            "{tag} is not in the list of removals"
        );
    }
}

#[test]
fn a_radiograph_keeps_what_the_profile_allows() {
    let clean = deidentify(&samples::file(samples::radiograph()), &SALT).expect("a valid file");
    let instance = Instance::parse(&clean.bytes).expect("a file");
    let expected = [
        (tags::PATIENT_NAME, None),
        (tags::PATIENT_BIRTH_DATE, None),
        (tags::PATIENT_SEX, None),
        (tags::STUDY_DATE, None),
        (tags::CONTENT_DATE, Some("19000101")),
        (tags::INSTITUTION_NAME, Some("ANONYMIZED")),
        (tags::MODALITY, Some("CR")),
        (tags::MANUFACTURER, Some("Maker")),
        (tags::PATIENT_IDENTITY_REMOVED, Some("YES")),
        (tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, Some("REMOVED")),
    ];
    for (tag, value) in expected {
        assert_eq!(instance.dataset.text(tag).as_deref(), value, "{tag}");
    }
    assert!(instance.dataset.get(tags::PATIENT_NAME).is_some(), "type 2: empty, but there");
    assert!(instance.dataset.get(tags::PATIENT_AGE).is_none(), "type 3: removed");
    let code =
        &instance.dataset.items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).expect("a sequence")[0].dataset;
    assert_eq!(code.text(tags::CODE_VALUE).as_deref(), Some("113100"));
    assert!(clean.bytes[..128].iter().all(|&byte| byte == 0), "the preamble is empty");
    let own = instance.dataset.text(tags::SOP_INSTANCE_UID).expect("a UID");
    assert_eq!(instance.meta.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID).as_deref(), Some(own.as_ref()));

    let attributes = &clean.attributes;
    assert_eq!(attributes.modality.as_deref(), Some("CR"));
    assert_eq!(attributes.body_part_examined.as_deref(), Some("CHEST"));
    assert_eq!(attributes.view_position.as_deref(), Some("PA"));
    assert_eq!(attributes.photometric_interpretation.as_deref(), Some("MONOCHROME1"));
    assert_eq!(
        (attributes.rows, attributes.columns, attributes.number_of_frames),
        (Some(5), Some(6), Some(1))
    );
    assert_eq!(attributes.sop_instance_uid.as_deref(), Some(own.as_ref()));
    assert_eq!(attributes.study_instance_uid, Some(SALT.uid("1.2.826.0.1.3680043.8.498.2")));
    assert_eq!(clean.warnings, []);
    let name = clean.removals.iter().find(|removal| removal.tag == tags::PATIENT_NAME).expect("listed");
    assert_eq!(
        (name.keyword.as_str(), name.action, name.reason, name.count),
        ("PatientName", Action::Emptied, Reason::Listed, 1)
    );
}

#[test]
fn other_readers_see_the_same() {
    for (name, dataset) in [("radiograph", samples::radiograph()), ("slice", samples::slice())] {
        let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
        let expected = &golden::results()[name]["clean"];
        golden::assert_same_data_set(&clean.bytes, expected);
        let dataset = Instance::parse(&clean.bytes).expect("a file").dataset;
        let texts = expected["texts"].as_object().expect("texts by keyword");
        assert!(texts.len() > 15, "{texts:?}");
        for (keyword, text) in texts {
            let text = text.as_str().expect("text");
            // Several values are a list there.
            let text =
                text.trim_matches(['[', ']']).replace("', '", "\\").replace(", ", "\\").replace('\'', "");
            let tag = StandardDataDictionary.by_name(keyword).expect("an attribute").tag.inner();
            let own = dataset.text(tag).expect("a value").into_owned();
            assert_eq!(own.replace(", ", "\\"), text, "{name}: {keyword}");
        }
    }
}

#[test]
fn files_of_a_series_and_a_patient_stay_together() {
    let with = |instance: &str, id: &str, issuer: &str| {
        let mut dataset = samples::radiograph();
        dataset.set_text(tags::SOP_INSTANCE_UID, instance);
        dataset.set_text(tags::PATIENT_ID, id);
        dataset.set_text(tags::ISSUER_OF_PATIENT_ID, issuer);
        samples::file(dataset)
    };
    let attributes = |file: &[u8], salt| deidentify(file, &salt).expect("a valid file").attributes;
    let first = attributes(&with("1.2.3", "1", "north"), SALT);
    let second = attributes(&with("1.2.4", "1 ", "north"), SALT);
    assert_eq!(first.series_instance_uid, second.series_instance_uid);
    assert_eq!(first.patient_key, second.patient_key);
    assert_ne!(first.sop_instance_uid, second.sop_instance_uid);
    for other in
        [attributes(&with("1.2.3", "2", "north"), SALT), attributes(&with("1.2.3", "1", "south"), SALT)]
    {
        assert_ne!(first.patient_key, other.patient_key);
    }
    let salted = attributes(&with("1.2.3", "1", "north"), Salt([8; 32]));
    assert_ne!(first.patient_key, salted.patient_key);
    assert_ne!(first.study_instance_uid, salted.study_instance_uid);
    assert_eq!(attributes(&with("1.2.3", "", "north"), SALT).patient_key, None);
}

#[test]
fn references_find_their_targets() {
    let mut reference = Dataset::new();
    reference.set_text(tags::REFERENCED_SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.1");
    reference.set_text(tags::REFERENCED_SOP_INSTANCE_UID, "1.2.3.4");
    let mut dataset = samples::slice();
    dataset.set_items(tags::SOURCE_IMAGE_SEQUENCE, [reference]);
    dataset.set_text(tags::FRAME_OF_REFERENCE_UID, "1.2.840.10008.1.4.1.1");
    let clean =
        Instance::parse(&deidentify(&samples::file(dataset), &SALT).expect("valid").bytes).expect("a file");
    let reference = &clean.dataset.items(tags::SOURCE_IMAGE_SEQUENCE).expect("kept")[0].dataset;
    assert_eq!(
        reference.text(tags::REFERENCED_SOP_INSTANCE_UID).as_deref(),
        Some(SALT.uid("1.2.3.4").as_str())
    );
    assert_eq!(reference.text(tags::REFERENCED_SOP_CLASS_UID).as_deref(), Some("1.2.840.10008.5.1.4.1.1.1"));
    // An atlas is nobody's.
    assert_eq!(clean.dataset.text(tags::FRAME_OF_REFERENCE_UID).as_deref(), Some("1.2.840.10008.1.4.1.1"));
}

#[test]
fn what_is_in_the_pixels_is_warned_of() {
    let mut dataset = samples::radiograph();
    dataset.set_text(tags::BURNED_IN_ANNOTATION, "YES");
    dataset.set_text(tags::RECOGNIZABLE_VISUAL_FEATURES, "YES");
    dataset.set_u16(Tag(0x6000, 0x0100), &[16]);
    let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
    let expected = [Warning::BurnedInAnnotation, Warning::RecognizableFeatures, Warning::OverlayInPixels];
    assert_eq!(clean.warnings, expected);
}

#[test]
fn compressed_pixels_stay_as_they_are() {
    let fragments = vec![Vec::new().into(), vec![0xFF, 0xD8, 1, 2, 3, 0xD9].into(), vec![9; 4].into()];
    let mut dataset = samples::radiograph();
    dataset.set(Element { tag: tags::PIXEL_DATA, vr: VR::OB, value: Value::Fragments(fragments) });
    let mut instance = Instance::explicit(dataset);
    instance.transfer_syntax = "1.2.840.10008.1.2.4.70".to_owned();
    let file = instance.to_bytes().expect("a valid data set");
    let clean = deidentify(&file, &SALT).expect("a valid file");
    let (before, after) =
        (Instance::parse(&file).expect("a file"), Instance::parse(&clean.bytes).expect("a file"));
    assert_eq!(before.dataset.get(tags::PIXEL_DATA), after.dataset.get(tags::PIXEL_DATA));
    assert_eq!(after.transfer_syntax, "1.2.840.10008.1.2.4.70");
}

#[test]
fn words_in_a_jpeg_stream_are_warned_of() {
    let start = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, b'J', b'F'];
    let comment = [0xFF, 0xFE, 0, 6, b'J', b'a', b'n', b'e'];
    let exif = [0xFF, 0xE1, 0, 4, b'E', b'x'];
    let picture = [0xFF, 0xDA, 0, 2, 1, 2, 0xFF, 0xFE, 0, 2];
    let cases: [(Vec<u8>, bool); 6] = [
        ([&start[..], &picture].concat(), false),
        ([&start[..], &comment, &picture].concat(), true),
        ([&start[..], &exif, &picture].concat(), true),
        ([&start[2..], &comment].concat(), false),
        ([&start[..], &[0xFF, 0xDB, 0xFF, 0xFF]].concat(), false),
        ([&start[..], &[0xFF, 0xDB, 0, 0], &comment].concat(), false),
    ];
    for (stream, expected) in cases {
        let mut dataset = samples::radiograph();
        let fragments = vec![Vec::new().into(), stream.clone().into()];
        dataset.set(Element { tag: tags::PIXEL_DATA, vr: VR::OB, value: Value::Fragments(fragments) });
        let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
        assert_eq!(clean.warnings.contains(&Warning::CommentInPixels), expected, "{stream:02x?}");
    }
}

#[test]
fn values_in_the_wrong_representation_are_not_trusted() {
    let secret = "qzxjkv";
    let bytes = secret.as_bytes();
    let cases = [
        // A sequence written as bytes, a number written as text, and a name where the standard has a code.
        (tags::VIEW_CODE_SEQUENCE, VR::OB),
        (tags::ROWS, VR::LO),
        (tags::SCAN_OPTIONS, VR::PN),
        (tags::SCAN_OPTIONS, VR::LT),
    ];
    for (tag, vr) in cases {
        let mut dataset = samples::radiograph();
        dataset.set_bytes(tag, vr, bytes.to_vec());
        let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
        assert!(!contains(&clean.bytes, secret), "{tag} as {vr}");
    }
    // A sequence that somebody copied without knowing it is still one, and its items are looked at.
    let mut item = Dataset::new();
    item.set_text(tags::PATIENT_NAME, secret);
    item.set_text(tags::CODE_VALUE, "R-10206");
    let mut dataset = samples::radiograph();
    let items = Value::Items(vec![Item::from(item)]);
    dataset.set(Element { tag: tags::VIEW_CODE_SEQUENCE, vr: VR::UN, value: items });
    let clean = deidentify(&samples::file(dataset), &SALT).expect("a valid file");
    assert!(!contains(&clean.bytes, secret));
    assert!(contains(&clean.bytes, "R-10206"));
}

#[test]
fn a_structured_document_keeps_its_structure_alone() {
    let source = SourceImage::read(&samples::file(samples::radiograph())).expect("an image");
    let report = samples::report().to_bytes(&source).expect("a report");
    let clean = deidentify(&report, &SALT).expect("a valid file");
    for text in ["Mustermann", "threshold", "round", "research", "4711"] {
        assert!(contains(&report, text), "{text}");
        assert!(!contains(&clean.bytes, text), "{text}");
    }
    let instance = Instance::parse(&clean.bytes).expect("a file");
    let children = instance.dataset.items(tags::CONTENT_SEQUENCE).expect("a tree");
    assert_eq!(children[0].dataset.text(tags::VALUE_TYPE).as_deref(), Some("CODE"));
    assert_eq!(children[0].dataset.text(tags::RELATIONSHIP_TYPE).as_deref(), Some("HAS CONCEPT MOD"));
}

#[test]
fn what_is_no_image_file_is_refused() {
    let mut nameless = samples::radiograph().into_iter().collect::<Vec<_>>();
    nameless.retain(|element| element.tag != tags::SOP_INSTANCE_UID);
    let data_set_alone =
        nameless.into_iter().collect::<Dataset>().to_bytes(Encoding::EXPLICIT).expect("short values");
    let mut private = Instance::explicit(samples::radiograph());
    private.transfer_syntax = "1.2.3.4".to_owned();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("nothing", Vec::new(), "it begins with nothing"),
        ("a picture", b"\x89PNG\r\n\x1a\n".to_vec(), "it begins with 89 50 4e 47"),
        ("no UID", data_set_alone, "the data set has no SOP instance UID"),
        (
            "a private encoding",
            private.to_bytes().expect("a valid data set"),
            "a transfer syntax that is not the standard's",
        ),
        ("a cut file", samples::file(samples::radiograph())[..500].to_vec(), "it ends too early"),
    ];
    for (name, file, expected) in cases {
        let error = deidentify(&file, &SALT).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_deep_file_is_an_error_and_no_crash() {
    let mut deep = samples::file(samples::radiograph());
    for _ in 0..20_000 {
        deep.extend_from_slice(&[0x40, 0, 0x30, 0xA7, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        deep.extend_from_slice(&[0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    let error = deidentify(&deep, &SALT).expect_err("too deep").to_string();
    assert!(error.contains("depth of sequences within sequences: 33 is beyond the limit of 32"), "{error}");
}
