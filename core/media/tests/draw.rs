//! Drawings pixel by pixel, and what must hold for any of them.

use foretell_media::draw::{
    BOXES_MAX, CONTOUR_TOLERANCE_PIXELS, Colour, ColourMap, DRAWING_PIXELS_MAX, DrawError, HeatMapOptions,
    LabelledBox, PANELS_MAX, Panel, boxes, class_colour, colour_bar, contours, heat_map, outline, panels,
    to_png,
};
use foretell_media::{Picture, Samples};
use proptest::prelude::*;

fn grey(width: u32, height: u32, sample: u8) -> Picture {
    let samples = Samples::U8(vec![sample; (width * height) as usize]);
    Picture { width, height, channels: 1, samples }
}

fn samples(picture: &Picture) -> &[u8] {
    let Samples::U8(samples) = &picture.samples else { panic!("a drawing has 8 bits") };
    assert_eq!(picture.channels, 3);
    assert_eq!(samples.len(), (picture.width * picture.height * 3) as usize);
    samples
}

fn colours(picture: &Picture) -> Vec<Colour> {
    samples(picture).chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// One character for each pixel, a line for each row: ` ` for what has the colour `ground`, `#` for the rest.
fn seen(picture: &Picture, ground: Colour) -> Vec<String> {
    let mark = |&colour: &Colour| if colour == ground { ' ' } else { '#' };
    colours(picture).chunks(picture.width as usize).map(|row| row.iter().map(mark).collect()).collect()
}

/// The classes of a mask: `#` is 1, anything else 0.
fn mask(rows: &[&str]) -> (Vec<u8>, usize, usize) {
    (rows.concat().bytes().map(|mark| u8::from(mark == b'#')).collect(), rows.len(), rows[0].len())
}

#[test]
fn colours_of_both_maps() {
    for (map, share, expected) in [
        (ColourMap::Sequential, 0.0, [0x0d, 0x08, 0x87]),
        (ColourMap::Sequential, 1.0, [0xf0, 0xf9, 0x21]),
        (ColourMap::Sequential, 1.0 / 9.0, [0x46, 0x03, 0x9f]),
        (ColourMap::Sequential, -7.0, [0x0d, 0x08, 0x87]),
        (ColourMap::Sequential, f32::INFINITY, [0xf0, 0xf9, 0x21]),
        (ColourMap::Sequential, f32::NAN, [0x0d, 0x08, 0x87]),
        (ColourMap::Diverging, 0.0, [0, 114, 178]),
        (ColourMap::Diverging, 0.5, [255, 255, 255]),
        (ColourMap::Diverging, 0.125, [43, 147, 206]),
        (ColourMap::Diverging, 1.0, [213, 94, 0]),
    ] {
        assert_eq!(map.colour(share), expected, "{map:?} {share}");
    }
    let classes: Vec<Colour> = (0..7).map(class_colour).collect();
    for (place, colour) in classes.iter().enumerate() {
        assert!(!classes[..place].contains(colour));
        assert_eq!(class_colour(place + 7), *colour);
    }
    assert_eq!(class_colour(usize::MAX), classes[usize::MAX % 7]);
}

/// Relative luminance of sRGB (WCAG 2.2, "relative luminance"): what is left of a colour without its hue.
fn luminance(colour: Colour) -> f64 {
    let linear = |sample: u8| {
        let share = f64::from(sample) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

#[test]
fn the_sequential_map_gets_lighter_all_the_way() {
    let shades: Vec<f64> =
        (0..=100).map(|share| luminance(ColourMap::Sequential.colour(share as f32 / 100.0))).collect();
    assert!(shades.windows(2).all(|pair| pair[0] <= pair[1]), "{shades:?}");
    assert!(shades[100] - shades[0] > 0.8);
}

#[test]
fn strength_is_opacity() {
    let picture = grey(6, 1, 100);
    let values = [0.0, 1.0, 2.0, -2.0, f32::NAN, f32::INFINITY];
    let same = [100; 3];
    let options = HeatMapOptions { opacity: 0.5, ..HeatMapOptions::default() };
    assert_eq!(options.full_scale(&values), 2.0);
    let half = ColourMap::Sequential.colour(0.5);
    let blend = |colour: Colour, opacity: f32| {
        colour.map(|sample| (100.0 + (f32::from(sample) - 100.0) * opacity).round() as u8)
    };
    let full = blend([0xf0, 0xf9, 0x21], 0.5);
    let found = heat_map(&picture, &values, &options).expect("a drawing");
    assert_eq!(colours(&found), [same, blend(half, 0.25), full, same, same, same]);

    let signed = HeatMapOptions { colours: ColourMap::Diverging, opacity: 1.0, full: Some(1.0) };
    let found = heat_map(&picture, &values, &signed).expect("a drawing");
    assert_eq!(colours(&found), [same, [213, 94, 0], [213, 94, 0], [0, 114, 178], same, same]);

    // Nothing above 0, or no opacity: the picture as it is.
    let cold = heat_map(&picture, &[0.0, -1.0, f32::NAN, 0.0, -0.0, f32::NEG_INFINITY], &options);
    assert_eq!(colours(&cold.expect("a drawing")), [same; 6]);
    let clear = heat_map(&picture, &values, &HeatMapOptions { opacity: 0.0, ..options });
    assert_eq!(colours(&clear.expect("a drawing")), [same; 6]);
}

#[test]
fn colour_and_sixteen_bits_can_be_drawn_on() {
    let nothing = |picture: &Picture| {
        let pixels = (picture.width * picture.height) as usize;
        colours(&heat_map(picture, &vec![0.0; pixels], &HeatMapOptions::default()).expect("a drawing"))
    };
    let wide = |channels, samples: &[u16]| Picture {
        width: samples.len() as u32 / channels,
        height: 1,
        channels,
        samples: Samples::U16(samples.to_vec()),
    };
    assert_eq!(
        nothing(&wide(1, &[0, 128, 129, 32_768, 65_535])),
        [0, 0, 1, 128, 255].map(|sample| [sample; 3])
    );
    assert_eq!(nothing(&wide(3, &[0, 257, 65_535])), [[0, 1, 255]]);
    let colour = Picture { width: 1, height: 1, channels: 3, samples: Samples::U8(vec![1, 2, 3]) };
    assert_eq!(nothing(&colour), [[1, 2, 3]]);
}

#[test]
fn outlines_lie_inside() {
    let rows = ["#####  ", "#####  ", "#####  ", "#####  ", "     ##"];
    let (classes, height, width) = mask(&rows);
    let picture = grey(width as u32, height as u32, 9);
    let found = outline(&picture, &classes, 1, [255, 0, 0]).expect("a drawing");
    assert_eq!(seen(&found, [9; 3]), ["#####  ", "#   #  ", "#   #  ", "#####  ", "     ##"]);
    assert_eq!(colours(&found)[0], [255, 0, 0]);
    let none = outline(&picture, &classes, 7, [255, 0, 0]).expect("a drawing");
    assert_eq!(colours(&none), vec![[9; 3]; width * height]);
}

#[test]
fn boxes_are_as_large_as_they_say() {
    let picture = grey(10, 8, 0);
    let around = |left: f32, top: f32, right: f32, bottom: f32| LabelledBox {
        left,
        top,
        right,
        bottom,
        class: 1,
        label: String::new(),
    };
    for (shown, expected) in [
        (around(0.2, 0.25, 0.7, 0.75), ["", "", "  #####", "  #   #", "  #   #", "  #####", "", ""]),
        // To the nearest pixels, and never thinner than one.
        (around(0.23, 0.3, 0.71, 0.3), ["", "", "  #####", "", "", "", "", ""]),
        // Beyond the edges, the lines are at the edge.
        (around(-3.0, -1e30, 0.3, 1e30), ["###", "# #", "# #", "# #", "# #", "# #", "# #", "###"]),
        (around(1.0, 0.0, 1.5, 1.0), [""; 8]),
        (around(-2.0, 0.0, -1.0, 1.0), [""; 8]),
        (around(0.5, 0.5, 0.5, 0.5), ["", "", "", "", "     #", "", "", ""]),
    ] {
        let found = boxes(&picture, std::slice::from_ref(&shown)).expect("a drawing");
        let rows = seen(&found, [0; 3]);
        assert_eq!(rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>(), expected, "{shown:?}");
    }
}

/// The label is on a ground of the class's colour, above the box.
#[test]
fn labels_are_letters() {
    let picture = grey(16, 24, 0);
    let shown =
        LabelledBox { left: 0.0, top: 0.75, right: 1.0, bottom: 1.0, class: 3, label: "T7".to_owned() };
    let found = boxes(&picture, &[shown]).expect("a drawing");
    let ground = class_colour(3);
    let rows = seen(&found, ground);
    // The ground is two letters wide with a pixel on each side, and has room for letters that hang.
    let expected = [
        "             ###",
        " ##### ##### ###",
        "   #       # ###",
        "   #      #  ###",
        "   #     #   ###",
        "   #    #    ###",
        "   #    #    ###",
        "   #    #    ###",
        "             ###",
        "             ###",
        "             ###",
    ];
    assert_eq!(rows[7..18], expected);
    assert_eq!(rows[18].trim(), "");
    // Black letters on a light ground.
    assert_eq!(colours(&found)[8 * 16 + 1], [0; 3]);
}

#[test]
fn panels_stand_beside_each_other() {
    let (low, high) = (grey(4, 2, 10), grey(6, 5, 200));
    let page = panels(&[Panel { picture: &low, caption: "" }, Panel { picture: &high, caption: "" }]);
    let page = page.expect("a drawing");
    assert_eq!((page.width, page.height), (4 + 4 + 4 + 6 + 4, 4 + 5 + 4));
    let mut expected = vec![[255; 3]; 22 * 13];
    for (columns, rows, sample) in [(4..8, 4..6, 10), (12..18, 4..9, 200)] {
        for row in rows {
            expected[row * 22..][columns.clone()].fill([sample; 3]);
        }
    }
    assert_eq!(colours(&page), expected);

    let wide = grey(40, 3, 255);
    let page = panels(&[Panel { picture: &wide, caption: "a bee is i" }]).expect("a drawing");
    let rows = seen(&page, [255; 3]);
    assert_eq!(page.height, 4 + 3 + 4 + 2 * 11 + 4);
    // "a bee" is the first line: six letters have room. The second line has dots above both of its `i`, and nothing
    // below them.
    let written: Vec<&str> = rows.iter().map(|row| row.trim_end()).filter(|row| !row.is_empty()).collect();
    assert_eq!(written.len(), 7 + 6);
    assert_eq!(written[..2], ["                #", "                #"]);
    assert_eq!(written[7], "      #                 #");
}

#[test]
fn a_colour_bar_runs_from_bottom_to_top() {
    for (map, bottom) in [(ColourMap::Sequential, 0.0f32), (ColourMap::Diverging, -4.0)] {
        let bar = colour_bar(map, 4.0, 120).expect("a drawing");
        assert_eq!(bar.height, 120);
        let pixels = colours(&bar);
        let width = bar.width as usize;
        let column: Vec<Colour> = (0..120).map(|row| pixels[row * width]).collect();
        let ends = (column[3], column[116]);
        assert_eq!((column[2], column[117]), ([255; 3], [255; 3]));
        for (found, share) in [(ends.0, 1.0), (ends.1, 0.0)] {
            let expected = map.colour(share);
            let near = found.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= 2);
            assert!(near, "{map:?}: {found:?} and {expected:?}");
        }
        // The number at the bottom: `0`, or `-4` with its bar at half height.
        let number = 12 + 2 * 3;
        let middle: Vec<bool> = (0..5).map(|x| pixels[116 * width + number + x] != [255; 3]).collect();
        assert_eq!(
            middle,
            if bottom < 0.0 { [true; 5] } else { [true, false, true, false, true] },
            "{map:?}"
        );
    }
    for height in 1..20 {
        assert_eq!(colour_bar(ColourMap::Sequential, 1e-9, height).expect("a drawing").height, height);
    }
}

#[test]
fn png_keeps_every_sample() {
    let ramp: Vec<u16> = (0..6).map(|place| place * 13_107).collect();
    for picture in [
        Picture { width: 3, height: 2, channels: 1, samples: Samples::U8(vec![0, 1, 2, 253, 254, 255]) },
        Picture { width: 1, height: 2, channels: 3, samples: Samples::U8(vec![9, 8, 7, 6, 5, 4]) },
        Picture { width: 2, height: 3, channels: 1, samples: Samples::U16(ramp.clone()) },
        Picture { width: 2, height: 1, channels: 3, samples: Samples::U16(ramp) },
    ] {
        let png = to_png(&picture).expect("a file");
        let read = image::load_from_memory(&png).expect("an image");
        assert_eq!((read.width(), read.height()), (picture.width, picture.height));
        let (channels, samples) = match read {
            image::DynamicImage::ImageLuma8(read) => (1, Samples::U8(read.into_raw())),
            image::DynamicImage::ImageRgb8(read) => (3, Samples::U8(read.into_raw())),
            image::DynamicImage::ImageLuma16(read) => (1, Samples::U16(read.into_raw())),
            image::DynamicImage::ImageRgb16(read) => (3, Samples::U16(read.into_raw())),
            other => panic!("{:?}", other.color()),
        };
        assert_eq!((channels, samples), (picture.channels, picture.samples));
    }
}

#[test]
fn contours_of_known_shapes() {
    type Ring<'a> = &'a [(f32, f32)];
    let cases: [(&str, &[&str], &[Ring<'_>]); 7] = [
        ("nothing", &["....", "...."], &[]),
        ("everything", &["####", "####"], &[&[(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)]]),
        ("a pixel", &["....", ".#..", "...."], &[&[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]]),
        ("a rectangle", &[".....", ".###.", ".###."], &[&[(1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)]]),
        (
            "a hole, the other way round",
            &["####", "#..#", "#..#", "####"],
            &[
                &[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)],
                &[(1.0, 3.0), (3.0, 3.0), (3.0, 1.0), (1.0, 1.0)],
            ],
        ),
        (
            "two pixels that touch with a corner",
            &["#.", ".#"],
            &[
                &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)],
                &[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)],
            ],
        ),
        (
            // The steps of the slope are left out: each is 0.71 away.
            "a triangle",
            &["#.......", "##......", "###.....", "####....", "#####...", "######..", "#######.", "########"],
            &[&[(0.0, 0.0), (8.0, 8.0), (0.0, 8.0)]],
        ),
    ];
    for (name, rows, expected) in cases {
        let (classes, height, width) = mask(rows);
        let found = contours(&classes, height, width, 1).expect("contours");
        let pixels: Vec<Vec<(f32, f32)>> = found
            .iter()
            .map(|ring| ring.iter().map(|&(x, y)| (x * width as f32, y * height as f32)).collect())
            .collect();
        // Which corner of a ring comes first is of no meaning, but for this test.
        let turned = |ring: &[(f32, f32)]| {
            let first = (0..ring.len()).min_by(|&a, &b| {
                (ring[a].1, ring[a].0).partial_cmp(&(ring[b].1, ring[b].0)).expect("finite corners")
            });
            let mut ring = ring.to_vec();
            ring.rotate_left(first.unwrap_or(0));
            ring
        };
        let found: Vec<_> = pixels.iter().map(|ring| turned(ring)).collect();
        let expected: Vec<_> = expected.iter().map(|ring| turned(ring)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// A disc: few corners, none farther from the circle than the tolerance and the half of a pixel's diagonal.
#[test]
fn a_disc_is_simplified_within_the_tolerance() {
    let (side, radius) = (101usize, 40.0f64);
    let from_middle = |x: f64, y: f64| (x - side as f64 / 2.0).hypot(y - side as f64 / 2.0);
    let classes: Vec<u8> = (0..side * side)
        .map(|place| ((place % side) as f64 + 0.5, (place / side) as f64 + 0.5))
        .map(|(x, y)| if from_middle(x, y) <= radius { 4 } else { 0 })
        .collect();
    let found = contours(&classes, side, side, 4).expect("contours");
    assert_eq!(found.len(), 1);
    assert!((20..140).contains(&found[0].len()), "{}", found[0].len());
    for &(x, y) in &found[0] {
        let off = (from_middle(f64::from(x) * side as f64, f64::from(y) * side as f64) - radius).abs();
        assert!(off < CONTOUR_TOLERANCE_PIXELS + 0.71, "{off}");
    }
    // The background is the rest of the square: its outside, and the disc as a hole.
    assert_eq!(contours(&classes, side, side, 0).expect("contours").len(), 2);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let picture = grey(3, 2, 1);
    let options = HeatMapOptions::default();
    let floats = Picture { samples: Samples::F32(vec![0.0; 6]), ..grey(3, 2, 1) };
    let lying = Picture { width: 4, ..grey(3, 2, 1) };
    let empty = Picture { width: 0, ..grey(3, 2, 1) };
    let huge = Picture { width: u32::MAX, height: u32::MAX, ..grey(3, 2, 1) };
    let two = Picture { channels: 2, ..grey(3, 2, 1) };
    let around = |left: f32, right: f32| LabelledBox {
        left,
        top: 0.0,
        right,
        bottom: 1.0,
        class: 0,
        label: String::new(),
    };
    let scale = |full: f32| HeatMapOptions { full: Some(full), ..options };
    let nothing = [0.0; 6];
    let cases: [(&str, Result<(), DrawError>); 22] = [
        ("in 8 or 16 bits", heat_map(&floats, &nothing, &options).map(drop)),
        ("in 8 or 16 bits", to_png(&floats).map(drop)),
        ("expected 8 samples, found 6", to_png(&lying).map(drop)),
        ("found 0 x 2", to_png(&empty).map(drop)),
        ("found 4294967295 x 4294967295", boxes(&huge, &[]).map(drop)),
        ("1 or 3 channels, found 2", outline(&two, &[0; 6], 1, [0; 3]).map(drop)),
        ("6 values of the heat map, found 5", heat_map(&picture, &[0.0; 5], &options).map(drop)),
        (
            "opacity from 0 to 1, found 1.5",
            heat_map(&picture, &nothing, &HeatMapOptions { opacity: 1.5, ..options }).map(drop),
        ),
        (
            "opacity from 0 to 1, found NaN",
            heat_map(&picture, &nothing, &HeatMapOptions { opacity: f32::NAN, ..options }).map(drop),
        ),
        ("above 0 for the strongest colour, found 0", heat_map(&picture, &nothing, &scale(0.0)).map(drop)),
        ("found -1", heat_map(&picture, &nothing, &scale(-1.0)).map(drop)),
        ("found inf", heat_map(&picture, &nothing, &scale(f32::INFINITY)).map(drop)),
        ("found NaN", colour_bar(ColourMap::Sequential, f32::NAN, 10).map(drop)),
        ("found 59 x 0", colour_bar(ColourMap::Sequential, 1.0, 0).map(drop)),
        ("6 classes of the mask, found 7", outline(&picture, &[0; 7], 1, [0; 3]).map(drop)),
        ("6 classes of the mask, found 7", contours(&[0; 7], 2, 3, 1).map(drop)),
        ("found 3 x 0", contours(&[], 0, 3, 1).map(drop)),
        ("side of a box, found NaN", boxes(&picture, &[around(0.0, f32::NAN)]).map(drop)),
        ("come last, found 0.25", boxes(&picture, &[around(0.5, 0.25)]).map(drop)),
        ("10001 boxes", boxes(&picture, &vec![around(0.0, 1.0); BOXES_MAX + 1]).map(drop)),
        ("0 panels", panels(&[]).map(drop)),
        ("65 panels", panels(&[Panel { picture: &picture, caption: "" }; PANELS_MAX + 1]).map(drop)),
    ];
    for (expected, found) in cases {
        let message = found.expect_err(expected).to_string();
        assert!(message.contains(expected), "expected `{expected}` in `{message}`");
    }
    assert!(contours(&[], DRAWING_PIXELS_MAX, 2, 1).is_err());
}

fn any_values() -> impl Strategy<Value = (u32, u32, Vec<f32>)> {
    (1u32..20, 1u32..20).prop_flat_map(|(width, height)| {
        let special = prop_oneof![
            Just(f32::NAN),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            Just(f32::MAX),
            Just(f32::MIN),
            Just(f32::MIN_POSITIVE / 8.0),
            Just(-0.0),
            any::<f32>(),
            -1.0f32..1.0,
        ];
        (Just(width), Just(height), prop::collection::vec(special, (width * height) as usize))
    })
}

fn any_mask() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    (1usize..24, 1usize..24).prop_flat_map(|(height, width)| {
        (Just(height), Just(width), prop::collection::vec(0u8..3, height * width))
    })
}

/// Mostly boxes that can be drawn, some of them outside the picture.
fn any_sides() -> impl Strategy<Value = [f32; 4]> {
    let line = (-1.0f32..1.5, 0.0f32..1.0);
    prop_oneof![
        4 => (line.clone(), line).prop_map(|(x, y)| [x.0, y.0, x.0 + x.1, y.0 + y.1]),
        1 => prop::array::uniform4(prop_oneof![any::<f32>(), Just(f32::NAN), Just(f32::INFINITY)]),
    ]
}

proptest! {
    #[test]
    fn any_values_can_be_drawn(
        (width, height, values) in any_values(),
        opacity in 0.0f32..=1.0,
        full in prop::option::of(1e-30f32..1e30),
    ) {
        let picture = grey(width, height, 77);
        for colours_of in [ColourMap::Sequential, ColourMap::Diverging] {
            let options = HeatMapOptions { colours: colours_of, opacity, full };
            let drawn = heat_map(&picture, &values, &options).expect("a drawing");
            let scale = options.full_scale(&values);
            for (pixel, value) in colours(&drawn).into_iter().zip(&values) {
                prop_assert!(value.is_finite() || pixel == [77; 3], "{:?} for {}", pixel, value);
            }
            prop_assert!(scale.is_finite() && scale >= 0.0);
            if scale > 0.0 {
                let bar = colour_bar(colours_of, scale, height).expect("a bar");
                prop_assert_eq!(bar.height, height);
            }
        }
    }

    #[test]
    fn any_boxes_can_be_drawn(
        sides in prop::collection::vec((any_sides(), "\\PC{0,30}", any::<usize>()), 0..6),
        width in 1u32..300,
        height in 1u32..300,
    ) {
        let shown: Vec<LabelledBox> = sides.into_iter().map(|([left, top, right, bottom], label, class)| {
            LabelledBox { left, top, right, bottom, class, label }
        }).collect();
        let orderly = |shown: &LabelledBox| {
            let LabelledBox { left, top, right, bottom, .. } = *shown;
            [left, top, right, bottom].iter().all(|side| side.is_finite()) && left <= right && top <= bottom
        };
        let picture = grey(width, height, 3);
        prop_assert_eq!(boxes(&picture, &shown).is_ok(), shown.iter().all(orderly));
    }

    #[test]
    fn any_captions_can_be_written(captions in prop::collection::vec("\\PC{0,200}", 1..4), width in 1u32..60) {
        let picture = grey(width, 5, 3);
        let shown: Vec<Panel<'_>> = captions.iter().map(|caption| Panel { picture: &picture, caption }).collect();
        prop_assert!(panels(&shown).is_ok());
    }

    /// An outline changes pixels of the class alone, and leaves none of its border out.
    #[test]
    fn outlines_are_the_border((height, width, classes) in any_mask()) {
        let drawn = outline(&grey(width as u32, height as u32, 3), &classes, 1, [255, 0, 0]).expect("a drawing");
        let pixels = colours(&drawn);
        let inside = |row: usize, column: usize| row < height && column < width && classes[row * width + column] == 1;
        for row in 0..height {
            for column in 0..width {
                let rows = [row.wrapping_sub(1), row, row + 1];
                let columns = [column.wrapping_sub(1), column, column + 1];
                let within = rows.iter().all(|&row| columns.iter().all(|&column| inside(row, column)));
                let border = inside(row, column) && !within;
                prop_assert_eq!(pixels[row * width + column] == [255, 0, 0], border);
            }
        }
    }

    /// Corners are on the grid and within the picture; every shape has a ring, and rings enclose about as much as it
    /// has.
    #[test]
    fn contours_enclose_their_class((height, width, classes) in any_mask()) {
        let rings = contours(&classes, height, width, 1).expect("contours");
        prop_assert_eq!(rings.is_empty(), !classes.contains(&1));
        let (mut area, mut perimeter) = (0.0, 0.0);
        for ring in &rings {
            prop_assert!(ring.len() >= 3);
            for (place, &(x, y)) in ring.iter().enumerate() {
                prop_assert!((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y));
                let next = ring[(place + 1) % ring.len()];
                let [x, y, to_x, to_y] = [(x, width), (y, height), (next.0, width), (next.1, height)]
                    .map(|(share, side)| f64::from(share) * side as f64);
                prop_assert!((x - x.round()).abs() < 1e-4 && (y - y.round()).abs() < 1e-4);
                area += (x * to_y - to_x * y) / 2.0;
                perimeter += (x - to_x).hypot(y - to_y);
            }
        }
        let pixels = classes.iter().filter(|&&class| class == 1).count() as f64;
        prop_assert!((area - pixels).abs() <= perimeter * CONTOUR_TOLERANCE_PIXELS + 1e-3, "{} of {}", area, pixels);
    }
}
