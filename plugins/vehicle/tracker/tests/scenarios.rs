//! Clips by formula, of which it is known who is who: each object is to keep its number, and nobody else to get it.

use std::collections::BTreeMap;

use foretell_plugin_tracker::{
    camera::common_shift,
    clip::{Clip, Columns, certainty},
    rectangle::Rectangle,
    report::Tracked,
    settings::Settings,
    track,
};

/// A detection: whose it is, in which frame, where, how sure, and what it is taken for.
#[derive(Clone, Debug)]
struct Seen {
    object: usize,
    frame: i64,
    corner: [f64; 2],
    size: [f64; 2],
    score: f64,
    label: &'static str,
}

const RATE: f64 = 25.0;
const FRAMES: i64 = 75;

/// An object of 40 x 80 pixels that is seen in each frame at `corner` of the seconds.
fn moving(object: usize, corner: impl Fn(f64) -> [f64; 2]) -> Vec<Seen> {
    let seen = |frame| Seen {
        object,
        frame,
        corner: corner(frame as f64 / RATE),
        size: [40.0, 80.0],
        score: 0.9,
        label: "person",
    };
    (0..FRAMES).map(seen).collect()
}

/// The detections in the order of frames, and the tracks of each.
fn follow(mut seen: Vec<Seen>, settings: &Settings) -> (Vec<Seen>, Vec<Tracked>) {
    seen.sort_by_key(|seen| seen.frame);
    let tracked = with_clip(&seen, None, |clip| track(clip, settings).unwrap());
    (seen, tracked)
}

fn with_clip<T>(seen: &[Seen], detector_score: Option<f64>, then: impl FnOnce(&Clip<'_>) -> T) -> T {
    let frame: Vec<i64> = seen.iter().map(|seen| seen.frame).collect();
    let numbers = |of: fn(&Seen) -> f64| seen.iter().map(of).collect::<Vec<f64>>();
    let columns = Columns {
        frames: Some(FRAMES),
        frame_rate: Some(RATE),
        detector_score,
        frame: &frame,
        x: &numbers(|seen| seen.corner[0]),
        y: &numbers(|seen| seen.corner[1]),
        width: &numbers(|seen| seen.size[0]),
        height: &numbers(|seen| seen.size[1]),
        score: &numbers(|seen| seen.score),
        label: seen.iter().map(|seen| seen.label).collect(),
        ..Columns::default()
    };
    then(&columns.read().unwrap())
}

/// The numbers that each object got, with how often: by the track whose box lies on its detection.
fn numbers(seen: &[Seen], tracked: &[Tracked]) -> BTreeMap<usize, BTreeMap<usize, usize>> {
    let mut numbers: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for seen in seen {
        let place = Rectangle::from_corner(seen.corner[0], seen.corner[1], seen.size[0], seen.size[1]);
        let of_frame = tracked.iter().filter(|tracked| tracked.frame as i64 == seen.frame);
        let nearest = of_frame
            .max_by(|one, other| one.rectangle.overlap(&place).total_cmp(&other.rectangle.overlap(&place)));
        if let Some(nearest) = nearest.filter(|nearest| nearest.rectangle.overlap(&place) > 0.5) {
            *numbers.entry(seen.object).or_default().entry(nearest.track).or_default() += 1;
        }
    }
    numbers
}

/// Whether each of the objects has a number of its own, and no other.
fn keep_their_numbers(seen: &[Seen], tracked: &[Tracked], objects: usize) -> bool {
    let numbers = numbers(seen, tracked);
    let own: Vec<usize> = numbers.values().filter_map(|counts| counts.keys().next().copied()).collect();
    let mut distinct = own.clone();
    distinct.sort_unstable();
    distinct.dedup();
    own.len() == objects && distinct.len() == objects && numbers.values().all(|counts| counts.len() == 1)
}

#[test]
fn objects_keep_their_numbers() {
    let left_to_right = |seconds: f64| [100.0 + 60.0 * seconds, 100.0];
    let right_to_left = |seconds: f64| [280.0 - 60.0 * seconds, 112.0];
    let hidden = |from: i64, to: i64| move |seen: &Seen| !(from..to).contains(&seen.frame);
    let cases: Vec<(&str, usize, Vec<Seen>)> = vec![
        ("one that stands", 1, moving(0, |_| [50.0, 50.0])),
        ("one that walks", 1, moving(0, left_to_right)),
        ("two that cross", 2, [moving(0, left_to_right), moving(1, right_to_left)].concat()),
        (
            "two that cross, the far one hidden meanwhile",
            2,
            [moving(0, left_to_right), moving(1, right_to_left).into_iter().filter(hidden(28, 48)).collect()]
                .concat(),
        ),
        (
            "one that is hidden for a second and a half",
            1,
            moving(0, left_to_right).into_iter().filter(hidden(20, 58)).collect(),
        ),
        (
            "one that stops while it is hidden",
            1,
            moving(0, |seconds| [100.0 + 60.0 * seconds.min(1.0), 100.0])
                .into_iter()
                .filter(hidden(25, 32))
                .collect(),
        ),
        (
            "one that grows like a car that is approached",
            1,
            moving(0, |seconds| [320.0 - 60.0 / (4.0 - seconds), 240.0])
                .into_iter()
                .map(|seen| {
                    let side = 120.0 / (4.0 - seen.frame as f64 / RATE);
                    Seen { size: [side, side], ..seen }
                })
                .collect(),
        ),
        (
            "one that is taken for a truck in every fourth frame",
            1,
            moving(0, left_to_right)
                .into_iter()
                .map(|seen| Seen { label: if seen.frame % 4 == 1 { "truck" } else { "car" }, ..seen })
                .collect(),
        ),
        (
            "one of which the detector is unsure for a second",
            1,
            moving(0, left_to_right)
                .into_iter()
                .map(|seen| Seen { score: if (25..50).contains(&seen.frame) { 0.3 } else { 0.9 }, ..seen })
                .collect(),
        ),
        (
            "a row of five that the camera pans over, with a jolt",
            5,
            (0..5)
                .flat_map(|object| {
                    moving(object, move |seconds| {
                        let jolt = if seconds > 1.5 { 110.0 } else { 0.0 };
                        [
                            90.0 * object as f64 - 30.0 * seconds + jolt,
                            100.0 + 7.0 * object as f64 - jolt / 2.0,
                        ]
                    })
                })
                .collect(),
        ),
    ];
    for (name, objects, seen) in cases {
        let (seen, tracked) = follow(seen, &Settings::default());
        assert!(keep_their_numbers(&seen, &tracked, objects), "{name}: {:?}", numbers(&seen, &tracked));
    }
}

#[test]
fn tracks_begin_with_their_first_detection_and_gaps_are_filled() {
    let seen = moving(0, |seconds| [100.0 + 60.0 * seconds, 100.0]);
    let seen: Vec<Seen> = seen.into_iter().filter(|seen| !(30..40).contains(&seen.frame)).collect();
    for smooth in [true, false] {
        let (_, tracked) = follow(seen.clone(), &Settings { smooth, ..Settings::default() });
        assert_eq!(tracked.len(), FRAMES as usize);
        for (frame, tracked) in tracked.iter().enumerate() {
            assert_eq!((tracked.frame, tracked.track), (frame, 1));
            let expected = 100.0 + 60.0 * frame as f64 / RATE;
            let off = (tracked.rectangle.corner()[0] - expected).abs();
            assert!(off < if smooth { 0.5 } else { 1e-9 }, "{off} in frame {frame}");
        }
    }
    let (_, tracked) = follow(seen, &Settings { fill_seconds: 0.2, ..Settings::default() });
    assert_eq!(tracked.len(), FRAMES as usize - 10);
    assert!(tracked.iter().all(|tracked| !(30..40).contains(&tracked.frame)));
}

#[test]
fn what_is_not_believed_is_not_reported() {
    let seen = moving(0, |seconds| [100.0 + 60.0 * seconds, 100.0]);
    let with = |change: &dyn Fn(Seen) -> Option<Seen>| {
        let seen = seen.clone().into_iter().filter_map(change).collect();
        follow(seen, &Settings::default()).1.len()
    };
    assert_eq!(with(&|seen| (seen.frame < 2).then_some(seen)), 0, "two detections");
    assert_eq!(with(&|seen| (seen.frame < 3).then_some(seen)), 3, "three detections");
    assert_eq!(with(&|seen| Some(Seen { score: 0.55, ..seen })), 0, "never sure enough to begin");
    assert_eq!(with(&|seen| Some(Seen { score: 0.05, ..seen })), 0, "below the lowest score");
    assert_eq!(with(&|seen| Some(Seen { size: [0.0, 80.0], ..seen })), 0, "no area");
    let alternate = |seen: Seen| Seen { corner: [900.0 * (seen.frame % 2) as f64, 100.0], ..seen };
    let jumping = Settings { lost_seconds: 0.0, link_seconds: 0.0, ..Settings::default() };
    assert!(
        follow(seen.clone().into_iter().map(alternate).collect(), &jumping).1.is_empty(),
        "one that jumps"
    );
}

#[test]
fn one_object_with_two_classes_in_a_frame_is_one_track() {
    let car = moving(0, |seconds| [100.0 + 60.0 * seconds, 100.0]);
    let car: Vec<Seen> = car.into_iter().map(|seen| Seen { label: "car", ..seen }).collect();
    let truck = car.clone().into_iter().filter(|seen| seen.frame > 5);
    let truck =
        truck.map(|seen| Seen { corner: [seen.corner[0] + 1.0, 101.0], label: "truck", score: 0.8, ..seen });
    let seen: Vec<Seen> = car.into_iter().chain(truck).collect();
    let (_, tracked) = follow(seen.clone(), &Settings::default());
    assert_eq!(tracked.len(), FRAMES as usize);
    assert!(tracked.iter().all(|tracked| (tracked.track, tracked.class) == (1, 0)), "{tracked:?}");
    let (_, tracked) = follow(seen, &Settings { same_overlap: 1.0, ..Settings::default() });
    assert_eq!(tracked.iter().map(|tracked| tracked.track).max(), Some(2));
}

#[test]
fn boxes_are_cut_at_the_edges_of_a_known_image() {
    // It walks out of the image on the right, and is gone after frame 5.
    let frame: Vec<i64> = (0..10).collect();
    let x: Vec<f64> = frame.iter().map(|&frame| 70.0 + 6.0 * frame as f64).collect();
    let [y, width, height, score] = [10.0, 20.0, 20.0, 0.9].map(|value| vec![value; 10]);
    let columns = |image_width| Columns {
        frames: Some(10),
        frame_rate: Some(RATE),
        image_width,
        image_height: Some(50),
        detector_score: None,
        frame: &frame,
        x: &x,
        y: &y,
        width: &width,
        height: &height,
        score: &score,
        label: vec!["person"; 10],
    };
    let settings = Settings { smooth: false, ..Settings::default() };
    let tracked = |image_width| track(&columns(image_width).read().unwrap(), &settings).unwrap();
    assert_eq!(tracked(None).len(), 10);
    let cut = tracked(Some(100));
    assert_eq!(cut.len(), 5);
    assert!(
        (cut[4].rectangle.corner()[0] - 94.0).abs() < 1e-9 && (cut[4].rectangle.size[0] - 6.0).abs() < 1e-9
    );
}

#[test]
fn a_jolt_of_the_camera_is_found_among_other_movements() {
    let predicted: Vec<Rectangle> = (0..8)
        .map(|place| {
            Rectangle::from_corner(f64::from(place * (60 + 11 * place)), 5.0 * f64::from(place), 40.0, 80.0)
        })
        .collect();
    let moved = |jolt: [f64; 2]| -> Vec<Rectangle> {
        let own = |place: usize| if place < 2 { [35.0, -20.0] } else { [0.0, 0.0] };
        let steps = predicted.iter().enumerate().map(|(place, one)| one.moved(own(place)).moved(jolt));
        steps.collect()
    };
    for (jolt, found) in [
        ([0.0, 0.0], [0.0, 0.0]),
        ([2.0, 1.0], [0.0, 0.0]),
        ([9.0, 0.0], [9.0, 0.0]),
        ([-70.0, 300.0], [-70.0, 300.0]),
    ] {
        let shift = common_shift(&predicted, &moved(jolt), 4);
        assert!((0..2).all(|axis| (shift[axis] - found[axis]).abs() < 1e-9), "{jolt:?}: {shift:?}");
    }
    assert_eq!(common_shift(&predicted, &moved([-70.0, 300.0]), 0), [0.0, 0.0]);
}

#[test]
fn what_is_no_clip_is_refused() {
    let frame = [0, 1, 1];
    let (good, label) = ([1.0, 2.0, 3.0], vec!["car"; 3]);
    let score = [0.5; 3];
    let fine = || Columns {
        frames: Some(2),
        frame_rate: Some(RATE),
        image_width: Some(640),
        image_height: None,
        detector_score: Some(0.25),
        frame: &frame,
        x: &good,
        y: &good,
        width: &good,
        height: &good,
        score: &score,
        label: label.clone(),
    };
    assert!(fine().read().is_ok());
    let (nan, negative, far, crowd) =
        ([1.0, f64::NAN, 2.0], [1.0, -2.0, 3.0], [1.0, 2.0, 1e7], vec![0; 1001]);
    let many = vec![1.0; 1001];
    for (columns, words) in [
        (Columns { frames: None, ..fine() }, "`frames` is missing; expected a number"),
        (Columns { frames: Some(-1), ..fine() }, "`frames` is -1; expected 0 to 1000000"),
        (
            Columns { frames: Some(1), ..fine() },
            "`frame` is 1 in entry 1; expected 0 to 0, as the clip has 1 frames",
        ),
        (Columns { frame_rate: None, ..fine() }, "`frame_rate` is missing"),
        (Columns { frame_rate: Some(0.0), ..fine() }, "`frame_rate` is 0; expected 0.1 to 1000"),
        (Columns { frame_rate: Some(f64::NAN), ..fine() }, "`frame_rate` is NaN"),
        (Columns { detector_score: Some(0.0), ..fine() }, "`detector_score` is 0; expected 0.001 to 0.999"),
        (Columns { detector_score: Some(f64::NAN), ..fine() }, "`detector_score` is NaN"),
        (Columns { image_width: Some(0), ..fine() }, "`image_width` is 0; expected 1 to 1000000 pixels"),
        (
            Columns { frame: &[1, 1, 0], ..fine() },
            "`frame` is 0 in entry 2, after 1; expected frames in ascending",
        ),
        (Columns { frame: &[-1, 0, 0], ..fine() }, "`frame` is -1 in entry 0; expected 0 to 1"),
        (Columns { frame: &[0, 1], ..fine() }, "`label` has 3 entries; expected 2, as many as `frame` has"),
        (Columns { x: &good[..2], ..fine() }, "`x` has 2 entries; expected 3"),
        (Columns { y: &nan, ..fine() }, "`y` is NaN in entry 1; expected -1000000 to 1000000 pixels"),
        (Columns { width: &negative, ..fine() }, "`width` is -2 in entry 1; expected 0 to 1000000 pixels"),
        (Columns { height: &far, ..fine() }, "`height` is 10000000 in entry 2"),
        (Columns { score: &good, ..fine() }, "`score` is 2 in entry 1; expected 0 to 1"),
        (
            Columns {
                frame: &crowd,
                x: &many,
                y: &many,
                width: &many,
                height: &many,
                score: &many,
                label: vec!["car"; 1001],
                ..fine()
            },
            "`frame` has 1001 entries of one frame; expected at most 1000\n  hint: keep fewer",
        ),
    ] {
        let error = columns.read().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// A detector that is as sure of the same objects, but says so in other scores, is followed alike once it is known where it begins.
#[test]
fn scores_count_by_their_odds_beside_those_of_the_detector() {
    let walk = |object| moving(object, move |seconds| [60.0 * seconds, 40.0 + 200.0 * object as f64]);
    let scored = |seen: Seen| {
        let score = match seen.object {
            0 => [0.9, 0.62, 0.55, 0.3][seen.frame as usize % 4],
            _ => 0.58,
        };
        Seen { score, ..seen }
    };
    let seen: Vec<Seen> = [0, 1].into_iter().flat_map(walk).map(scored).collect();
    let (seen, expected) = follow(seen, &Settings::default());
    assert!(!expected.is_empty() && expected.iter().all(|tracked| tracked.track == 1));
    for detector_score in [0.05, 0.25, 0.45, 0.9] {
        // So many times the odds of the detector's own score as the odds of the score beside 0.5.
        let modest =
            |seen: &Seen| Seen { score: certainty(seen.score, 1.0 - detector_score), ..seen.clone() };
        let modest: Vec<Seen> = seen.iter().map(modest).collect();
        let tracked =
            with_clip(&modest, Some(detector_score), |clip| track(clip, &Settings::default()).unwrap());
        let places = |tracked: &[Tracked]| -> Vec<(usize, usize, Rectangle)> {
            tracked.iter().map(|tracked| (tracked.frame, tracked.track, tracked.rectangle)).collect()
        };
        assert_eq!(places(&tracked), places(&expected), "{detector_score}");
        // What is reported is what the detector said.
        let scores: Vec<f64> = modest.iter().map(|seen| seen.score).collect();
        assert!(tracked.iter().all(|tracked| scores.contains(&tracked.score)), "{detector_score}");
    }
    // Taken as they are, scores of a modest detector begin nothing.
    let modest = seen.into_iter().map(|seen| Seen { score: certainty(seen.score, 0.95), ..seen }).collect();
    assert_eq!(follow(modest, &Settings::default()).1, []);
}

#[test]
fn a_clip_without_objects_has_no_tracks() {
    for frames in [0, 1, 1000] {
        let columns = Columns { frames: Some(frames), frame_rate: Some(RATE), ..Columns::default() };
        assert_eq!(track(&columns.read().unwrap(), &Settings::default()).unwrap(), []);
    }
}

#[test]
fn the_manifest_has_the_default_settings() {
    let manifest = include_str!("../plugin.toml");
    let config = manifest.split_once("\n[config]\n").unwrap().1.split_once("\n[limits]").unwrap().0;
    let lines = config.lines().filter(|line| !line.starts_with('#'));
    let pairs: Vec<String> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    assert_eq!(Settings::read(&format!("{{{}}}", pairs.join(","))).unwrap(), Settings::default());
}
