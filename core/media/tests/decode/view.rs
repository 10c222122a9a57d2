//! Resizing as Pillow does it.

use crate::golden::{Folder, distance, shape, text, values};
use foretell_media::{
    Channels, Filter, Fit, MediaErrorKind, Picture, Placement, SampleType, Samples, VIEW_PIXELS_MAX, View,
};
use serde_json::Value;

fn picture(folder: &Folder, entry: &Value) -> Picture {
    let size = shape(entry);
    let samples = folder.samples(entry);
    let samples = match text(entry, "type") {
        "uint8" => Samples::U8(samples.into_iter().map(|value| value as u8).collect()),
        "uint16" => Samples::U16(samples.into_iter().map(|value| value as u16).collect()),
        _ => Samples::F32(samples.into_iter().map(|value| value as f32).collect()),
    };
    let channels = size.get(2).copied().unwrap_or(1) as u32;
    Picture { width: size[1] as u32, height: size[0] as u32, channels, samples }
}

#[test]
fn pictures_are_resized_as_pillow_does() {
    let folder = Folder::open("resize");
    let cases = folder.expected["cases"].as_array().expect("a list");
    assert!(cases.len() > 20);
    for case in cases {
        let source = picture(&folder, &folder.expected[text(case, "source")]);
        let size = shape(case);
        let filter = match text(case, "filter") {
            "nearest" => Filter::Nearest,
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let fit = match text(case, "fit") {
            "stretch" => Fit::Stretch,
            "crop" => Fit::Crop,
            _ => Fit::Letterbox { pad: 114.0 },
        };
        let sample = source.samples.sample_type();
        let channels = if source.channels == 1 { Channels::Grey } else { Channels::Rgb };
        let size = Some((size[1] as u32, size[0] as u32));
        let seen = source.view(&View { channels, sample, size, fit, filter }).expect("it is resized");
        let expected = folder.samples(case);
        let expected = match sample {
            // Pillow's reference for 16 bits is in floating point, which goes beyond black and white.
            SampleType::U16 => expected.into_iter().map(|value| value.clamp(0.0, 65_535.0)).collect(),
            _ => expected,
        };
        let allowed = match sample {
            SampleType::U8 => 1.0,
            SampleType::U16 => 2.0,
            // Of values between -1,000 and 2,000.
            SampleType::F32 => 0.001,
        };
        let distance = distance(&values(&seen.samples), &expected, text(case, "raw"));
        assert!(distance <= allowed, "{case}: a sample differs by {distance}, allowed are {allowed}");
    }
}

#[test]
fn grey_is_pillows_luma() {
    let folder = Folder::open("resize");
    let grey =
        picture(&folder, &folder.expected["rgb"]).view(&View::new(SampleType::U8)).expect("it is grey");
    assert_eq!(values(&grey.samples), folder.samples(&folder.expected["luma"]));
}

#[test]
fn pictures_lie_where_they_are_said_to() {
    let place = |fit, size, picture: (u32, u32)| {
        View { size: Some(size), fit, ..View::new(SampleType::U8) }.placement(picture.0, picture.1)
    };
    let placement = |left, top, width, height| Placement { left, top, width, height };
    let letterbox = Fit::Letterbox { pad: 0.0 };
    assert_eq!(place(Fit::Stretch, (10, 20), (3, 5)), placement(0.0, 0.0, 10.0, 20.0));
    // An odd bar is wider below.
    assert_eq!(place(letterbox, (10, 10), (10, 5)), placement(0.0, 2.0, 10.0, 5.0));
    assert_eq!(place(letterbox, (10, 10), (1, 1_000)), placement(4.0, 0.0, 1.0, 10.0));
    let corner = Fit::Corner { pad: 0.0 };
    assert_eq!(place(corner, (10, 10), (10, 5)), placement(0.0, 0.0, 10.0, 5.0));
    assert_eq!(place(corner, (10, 20), (1_000, 1)), placement(0.0, 0.0, 10.0, 1.0));
    assert_eq!(place(Fit::Crop, (10, 10), (40, 20)), placement(-5.0, 0.0, 20.0, 10.0));
    let as_it_is = View { size: None, fit: letterbox, ..View::new(SampleType::U8) };
    assert_eq!(as_it_is.placement(7, 9), placement(0.0, 0.0, 7.0, 9.0));
}

#[test]
fn a_picture_in_the_corner_has_its_bars_to_the_right_and_below() {
    let picture = Picture { width: 2, height: 1, channels: 1, samples: Samples::U8(vec![1, 2]) };
    let view = View {
        size: Some((2, 2)),
        fit: Fit::Corner { pad: 114.0 },
        filter: Filter::Nearest,
        ..View::new(SampleType::U8)
    };
    assert_eq!(picture.view(&view).expect("it fits").samples, Samples::U8(vec![1, 2, 114, 114]));
}

#[test]
fn views_that_make_no_sense_are_refused() {
    let picture = |samples| Picture { width: 2, height: 1, channels: 1, samples };
    let view = |size| View { size: Some(size), ..View::new(SampleType::U8) };
    let kind = |picture: &Picture, view| picture.view(&view).expect_err("it is refused").kind;
    let whole = picture(Samples::U8(vec![1, 2]));
    assert!(matches!(kind(&whole, view((0, 3))), MediaErrorKind::View(_)));
    let found = u64::from(u32::MAX) * u64::from(u32::MAX);
    let limit = MediaErrorKind::Limit { what: "a view of pixels:", found, allowed: VIEW_PIXELS_MAX };
    assert_eq!(kind(&whole, view((u32::MAX, u32::MAX))), limit);
    assert!(matches!(kind(&picture(Samples::U8(vec![1])), view((2, 2))), MediaErrorKind::View(_)));
    assert!(matches!(kind(&picture(Samples::F32(vec![1.0, 2.0])), view((2, 2))), MediaErrorKind::View(_)));
}
