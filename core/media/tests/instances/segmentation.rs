//! Segmentations.

use dicom_dictionary_std::tags;
use foretell_media::dicom::{
    SourceImage,
    dataset::{Dataset, Encoding, Instance},
    deidentify::{Salt, deidentify},
    segmentation::{Mask, Segmentation},
};
use proptest::prelude::*;

use crate::{golden, samples};

fn source(dataset: Dataset) -> SourceImage {
    SourceImage::read(&samples::file(dataset)).expect("an image")
}

/// The class of each pixel, from the bits of a file's frames.
fn classes(file: &[u8]) -> Vec<u8> {
    let dataset = Instance::parse(file).expect("a file").dataset;
    let number = |tag| usize::from(dataset.u16(tag, Encoding::EXPLICIT).expect("a number"));
    let pixels = number(tags::ROWS) * number(tags::COLUMNS);
    let bits = dataset.bytes(tags::PIXEL_DATA).expect("pixels");
    let frames: usize = dataset.text(tags::NUMBER_OF_FRAMES).expect("frames").parse().expect("a number");
    let mut classes = vec![0; pixels];
    for frame in 0..frames {
        for (pixel, class) in classes.iter_mut().enumerate() {
            let place = frame * pixels + pixel;
            if bits[place / 8] >> (place % 8) & 1 == 1 {
                assert_eq!(*class, 0, "pixel {pixel} has two classes");
                *class = frame as u8 + 1;
            }
        }
    }
    classes
}

#[test]
fn other_readers_see_the_mask() {
    for (name, dataset) in [("radiograph", samples::radiograph()), ("slice", samples::slice())] {
        let clean = deidentify(&samples::file(dataset), &Salt([7; 32])).expect("a valid file");
        let source = SourceImage::read(&clean.bytes).expect("an image");
        let expected = &golden::results()[name]["segmentation"];
        golden::assert_same_data_set(&samples::segmentation(&source), expected);

        assert_eq!(golden::text(&expected["study"]), source.study_instance_uid);
        assert_eq!(golden::text(&expected["series"]), source.series_instance_uid);
        assert_eq!(golden::text(&expected["image"]), source.sop_instance_uid);
        let rows =
            expected["mask"].as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("a row"));
        let mask: Vec<_> = rows.map(|class| class.as_u64().expect("a class") as u8).collect();
        assert_eq!(mask, samples::CLASSES);
        assert_eq!(expected["labels"], serde_json::json!(["inner", "outer", "absent"]));
        assert_eq!(expected["algorithms"], serde_json::json!(["shape-finder"; 3].map(|name| name)));
        let orientation = expected["orientation"].as_array().map(Vec::len);
        assert_eq!(orientation, (name == "slice").then_some(6), "a radiograph has no place in space");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_mask_is_in_the_bits(
        (width, height, classes) in (1_u16..20, 1_u16..20).prop_flat_map(|(width, height)| {
            let pixels = usize::from(width) * usize::from(height);
            (Just(width), Just(height), proptest::collection::vec(0_u8..4, pixels))
        }),
    ) {
        let mut dataset = samples::radiograph();
        dataset.set_u16(tags::ROWS, &[height]);
        dataset.set_u16(tags::COLUMNS, &[width]);
        let mask = Mask { height: height.into(), width: width.into(), classes: &classes };
        let labels = ["a", "b", "c"].map(str::to_owned);
        let algorithm = samples::algorithm();
        let segmentation = Segmentation { frame: None, mask, labels: &labels, algorithm: &algorithm, time_us: 0 };
        let file = segmentation.to_bytes(&source(dataset)).expect("a valid mask");
        prop_assert_eq!(self::classes(&file), classes);
    }
}

#[test]
fn a_slice_of_several_takes_the_place_of_its_frame() {
    let position = |at: &str| {
        let mut item = Dataset::new();
        item.set_text(tags::IMAGE_POSITION_PATIENT, at);
        let mut frame = Dataset::new();
        frame.set_items(tags::PLANE_POSITION_SEQUENCE, [item]);
        frame
    };
    let mut dataset = samples::slice();
    dataset.set_text(tags::NUMBER_OF_FRAMES, "2");
    dataset.set_items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, [position("1\\2\\3"), position("4\\5\\6")]);
    let source = source(dataset);
    let labels = ["inner", "outer"].map(str::to_owned);
    let algorithm = samples::algorithm();
    let mask = Mask { height: 5, width: 6, classes: &samples::CLASSES };
    let segmentation =
        Segmentation { frame: Some(2), mask, labels: &labels, algorithm: &algorithm, time_us: 0 };
    let file = Instance::parse(&segmentation.to_bytes(&source).expect("a valid mask")).expect("a file");
    let frames = file.dataset.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).expect("frames");
    assert_eq!(frames.len(), 2, "one for each segment");
    for frame in frames {
        let place = &frame.dataset.items(tags::PLANE_POSITION_SEQUENCE).expect("a place")[0].dataset;
        assert_eq!(place.text(tags::IMAGE_POSITION_PATIENT).as_deref(), Some("4\\5\\6"));
        let derivation = &frame.dataset.items(tags::DERIVATION_IMAGE_SEQUENCE).expect("a source")[0].dataset;
        let image = &derivation.items(tags::SOURCE_IMAGE_SEQUENCE).expect("a source")[0].dataset;
        assert_eq!(image.text(tags::REFERENCED_FRAME_NUMBER).as_deref(), Some("2"));
    }
    let error =
        Segmentation { frame: None, ..segmentation }.to_bytes(&source).expect_err("which frame?").to_string();
    assert!(error.contains("the image has 2 frames; say which one the mask is of"), "{error}");
}

#[test]
fn what_does_not_fit_the_image_is_refused() {
    let source = source(samples::slice());
    let algorithm = samples::algorithm();
    let labels = ["inner", "outer"].map(str::to_owned);
    let many = vec!["label".to_owned(); 256];
    let empty = ["".to_owned(), "outer".to_owned()];
    let good = Segmentation {
        frame: None,
        mask: Mask { height: 5, width: 6, classes: &samples::CLASSES },
        labels: &labels,
        algorithm: &algorithm,
        time_us: 0,
    };
    assert!(good.to_bytes(&source).is_ok());
    let classes = &samples::CLASSES;
    let cases = [
        (
            Segmentation { mask: Mask { height: 6, width: 5, classes }, ..good.clone() },
            "the mask has 5 x 6 pixels, the image 6 x 5; scale the mask to the image first",
        ),
        (
            Segmentation { mask: Mask { height: 5, width: 6, classes: &classes[1..] }, ..good.clone() },
            "29 classes for 6 x 5 pixels",
        ),
        (
            Segmentation { labels: &labels[..1], ..good.clone() },
            "the mask has class 2, and there are labels for 1 classes",
        ),
        (Segmentation { labels: &[], ..good.clone() }, "there is no segment"),
        (Segmentation { labels: &many, ..good.clone() }, "segments: 256 is beyond the limit of 255"),
        (Segmentation { labels: &empty, ..good.clone() }, "a segment's label has 0 characters"),
        (Segmentation { frame: Some(2), ..good.clone() }, "there is no frame 2"),
        (Segmentation { time_us: i64::MAX, ..good.clone() }, "no time between the years 1 and 9999"),
    ];
    for (segmentation, expected) in cases {
        let error = segmentation.to_bytes(&source).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
