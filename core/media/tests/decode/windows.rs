//! Rescale, windows, tables and inversion, on data sets that are made here.

use crate::golden::{Folder, text};
use foretell_media::dicom::dataset::{Dataset, Instance};
use foretell_media::{Media, SampleType, Samples};

use dicom_core::VR;
use dicom_dictionary_std::tags;

/// A grey image of one row of signed values.
fn image(values: &[i16]) -> Dataset {
    let mut dataset = Dataset::new();
    dataset.set_text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.7");
    dataset.set_text(tags::SOP_INSTANCE_UID, "2.25.1");
    dataset.set_text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
    dataset.set_u16(tags::SAMPLES_PER_PIXEL, &[1]);
    dataset.set_u16(tags::ROWS, &[1]);
    dataset.set_u16(tags::COLUMNS, &[values.len() as u16]);
    dataset.set_u16(tags::BITS_ALLOCATED, &[16]);
    dataset.set_u16(tags::BITS_STORED, &[16]);
    dataset.set_u16(tags::HIGH_BIT, &[15]);
    dataset.set_u16(tags::PIXEL_REPRESENTATION, &[1]);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    dataset.set_bytes(tags::PIXEL_DATA, VR::OW, bytes);
    dataset
}

fn windowed(dataset: &mut Dataset, centre: &str, width: &str, function: &str) {
    dataset.set_text(tags::WINDOW_CENTER, centre);
    dataset.set_text(tags::WINDOW_WIDTH, width);
    dataset.set_text(tags::VOILUT_FUNCTION, function);
}

fn open(dataset: Dataset) -> Media {
    let bytes = Instance::explicit(dataset).to_bytes().expect("it is written");
    Media::open(&bytes).expect("it opens")
}

fn seen(dataset: Dataset) -> Vec<u8> {
    match open(dataset).picture(1, SampleType::U8).expect("it is decoded").samples {
        Samples::U8(samples) => samples,
        other => panic!("{other:?}"),
    }
}

fn values(dataset: Dataset) -> Vec<f32> {
    match open(dataset).picture(1, SampleType::F32).expect("it is decoded").samples {
        Samples::F32(samples) => samples,
        other => panic!("{other:?}"),
    }
}

fn table(first: i16, bits: u16, values: &[u16]) -> Dataset {
    let mut item = Dataset::new();
    item.set_u16(tags::LUT_DESCRIPTOR, &[values.len() as u16, first as u16, bits]);
    item.set_u16(tags::LUT_DATA, values);
    item
}

#[test]
fn windows_give_the_brightness_that_pydicom_gives() {
    let folder = Folder::open("dicom");
    let cases = folder.expected["windows"].as_array().expect("a list");
    assert!(cases.len() > 10);
    for case in cases {
        let list = |key: &str| {
            case[key].as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number"))
        };
        let stored: Vec<i16> = list("values").map(|value| value as i16).collect();
        let expected: Vec<u8> = list("brightness").map(|value| (value * 255.0 + 0.5).floor() as u8).collect();
        let mut dataset = image(&stored);
        windowed(&mut dataset, text(case, "centre"), text(case, "width"), text(case, "function"));
        assert_eq!(seen(dataset.clone()), expected, "{case}");
        // MONOCHROME1 is inverted after the window, not before.
        dataset.set_text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME1");
        let inverted: Vec<u8> =
            list("brightness").map(|value| ((1.0 - value) * 255.0 + 0.5).floor() as u8).collect();
        assert_eq!(seen(dataset), inverted, "inverted {case}");
    }
}

#[test]
fn the_first_of_several_windows_is_shown() {
    let mut several = image(&[0, 100, 200]);
    windowed(&mut several, "100\\0", "201\\3", "LINEAR");
    let mut one = image(&[0, 100, 200]);
    windowed(&mut one, "100", "201", "LINEAR");
    assert_eq!(seen(several), seen(one));
}

#[test]
fn a_window_of_no_width_is_none() {
    for (width, function) in
        [("0", "LINEAR"), ("0.5", "LINEAR"), ("-3", "SIGMOID"), ("0", "LINEAR_EXACT"), ("x", "LINEAR")]
    {
        let mut dataset = image(&[-10, 0, 10]);
        windowed(&mut dataset, "0", width, function);
        assert_eq!(seen(dataset), [0, 128, 255], "{width} {function}");
    }
}

#[test]
fn rescaled_values_are_windowed() {
    let mut dataset = image(&[0, 1000, 1024, 1124]);
    dataset.set_text(tags::RESCALE_SLOPE, "2");
    dataset.set_text(tags::RESCALE_INTERCEPT, "-1024");
    assert_eq!(values(dataset.clone()), [-1024.0, 976.0, 1024.0, 1224.0]);
    windowed(&mut dataset, "1000", "101", "LINEAR_EXACT");
    // (976 - 1000) / 101 + 0.5 of 255, and so on.
    assert_eq!(seen(dataset), [0, 67, 188, 255]);
}

#[test]
fn without_a_window_the_frame_is_stretched() {
    assert_eq!(seen(image(&[-100, 0, 100])), [0, 128, 255]);
    assert_eq!(seen(image(&[7, 7])), [0, 0]);
    // A slope below zero turns the order of values around, and not what is bright.
    let mut falling = image(&[-100, 0, 100]);
    falling.set_text(tags::RESCALE_SLOPE, "-1");
    falling.set_text(tags::RESCALE_INTERCEPT, "0");
    assert_eq!(seen(falling), [255, 128, 0]);
}

#[test]
fn modality_tables_come_before_the_window() {
    let mut dataset = image(&[-3, -2, -1, 0, 5]);
    dataset.set_items(tags::MODALITY_LUT_SEQUENCE, [table(-2, 16, &[10, 20, 40])]);
    // What lies outside a table has its first or last value.
    assert_eq!(values(dataset.clone()), [10.0, 10.0, 20.0, 40.0, 40.0]);
    windowed(&mut dataset, "20", "40", "LINEAR_EXACT");
    assert_eq!(seen(dataset), [64, 64, 128, 255, 255]);
}

#[test]
fn a_table_of_interest_comes_before_windows() {
    let mut dataset = image(&[0, 1, 2, 9]);
    dataset.set_items(tags::VOILUT_SEQUENCE, [table(1, 8, &[0, 51, 255])]);
    windowed(&mut dataset, "0", "1", "LINEAR");
    assert_eq!(seen(dataset), [0, 0, 51, 255]);
}

#[test]
fn a_frames_own_window_comes_first() {
    let mut shared = Dataset::new();
    let mut rescale = Dataset::new();
    rescale.set_text(tags::RESCALE_SLOPE, "10");
    rescale.set_text(tags::RESCALE_INTERCEPT, "0");
    shared.set_items(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, [rescale]);
    let own = |centre: &str| {
        let mut window = Dataset::new();
        windowed(&mut window, centre, "10", "LINEAR_EXACT");
        let mut group = Dataset::new();
        group.set_items(tags::FRAME_VOILUT_SEQUENCE, [window]);
        group
    };
    let mut dataset = image(&[1, 1]);
    dataset.set_u16(tags::COLUMNS, &[1]);
    dataset.set_text(tags::NUMBER_OF_FRAMES, "2");
    windowed(&mut dataset, "-500", "1", "LINEAR_EXACT");
    dataset.set_items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared]);
    dataset.set_items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, [own("10"), own("100")]);
    let media = open(dataset);
    assert_eq!(media.picture(1, SampleType::U8).expect("frame 1").samples, Samples::U8(vec![128]));
    assert_eq!(media.picture(2, SampleType::U8).expect("frame 2").samples, Samples::U8(vec![0]));
    assert_eq!(media.picture(2, SampleType::F32).expect("frame 2").samples, Samples::F32(vec![10.0]));
}

#[test]
fn bits_beside_the_value_are_not_part_of_it() {
    // 12 bits, with something else in the four bits above, or in those below.
    for (high, stored) in [(11, [0xF001_u16, 0x3FFF]), (15, [0x001A, 0xFFFB])] {
        let mut dataset = image(&stored.map(|value| value as i16));
        dataset.set_u16(tags::BITS_STORED, &[12]);
        dataset.set_u16(tags::HIGH_BIT, &[high]);
        assert_eq!(values(dataset.clone()), [1.0, -1.0], "high bit {high}");
        dataset.set_u16(tags::PIXEL_REPRESENTATION, &[0]);
        assert_eq!(values(dataset), [1.0, 4095.0], "high bit {high}");
    }
}

#[test]
fn wide_samples_are_shown_too() {
    let mut dataset = image(&[]);
    dataset.set_u16(tags::COLUMNS, &[3]);
    dataset.set_u16(tags::BITS_ALLOCATED, &[32]);
    dataset.set_u16(tags::BITS_STORED, &[32]);
    dataset.set_u16(tags::HIGH_BIT, &[31]);
    let bytes: Vec<u8> =
        [-2_000_000_i32, 0, 2_000_000].iter().flat_map(|value| value.to_le_bytes()).collect();
    dataset.set_bytes(tags::PIXEL_DATA, VR::OW, bytes);
    assert_eq!(values(dataset.clone()), [-2e6, 0.0, 2e6]);
    assert_eq!(seen(dataset), [0, 128, 255]);
}
