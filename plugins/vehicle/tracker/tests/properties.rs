//! What must hold of any clip and any settings.

use std::collections::BTreeSet;

use foretell_plugin_tracker::{
    assignment::{Pair, assign},
    clip::Columns,
    report::Tracked,
    settings::Settings,
    track,
};
use proptest::prelude::*;

/// The lists of a clip.
#[derive(Clone, Debug, Default)]
struct Lists {
    frame: Vec<i64>,
    numbers: [Vec<f64>; 5],
    label: Vec<&'static str>,
}

const FRAMES: i64 = 24;
const LABELS: [&str; 3] = ["car", "truck", "person"];

/// Objects that walk with some noise, now and then undetected, and now and then something that is nobody.
fn lists() -> impl Strategy<Value = Lists> {
    let object = (
        prop::array::uniform2(0..400i32),
        prop::array::uniform2(-8..=8i32),
        prop::array::uniform2(10..60i32),
        0..3usize,
    );
    let seen = (any::<prop::sample::Index>(), 0..FRAMES, prop::array::uniform2(-3..=3i32), 0..=20i32);
    let others = (0..FRAMES, prop::array::uniform4(1..400i32), 0..=20i32, 0..3usize);
    (
        prop::collection::vec(object, 1..5),
        prop::collection::vec(seen, 0..80),
        prop::collection::vec(others, 0..10),
    )
        .prop_map(|(objects, seen, others)| {
            let mut rows = Vec::new();
            for (object, frame, noise, score) in seen {
                let (at, step, [width, height], class) = objects[object.index(objects.len())];
                let place = |axis: usize| f64::from(at[axis] + step[axis] * frame as i32 + noise[axis]);
                let numbers =
                    [place(0), place(1), f64::from(width), f64::from(height), f64::from(score) / 20.0];
                rows.push((frame, numbers, LABELS[class]));
            }
            for (frame, [x, y, width, height], score, class) in others {
                let numbers = [x, y, width, height, score].map(f64::from);
                rows.push((
                    frame,
                    [numbers[0], numbers[1], numbers[2], numbers[3], numbers[4] / 20.0],
                    LABELS[class],
                ));
            }
            rows.sort_by_key(|row| row.0);
            Lists {
                frame: rows.iter().map(|row| row.0).collect(),
                numbers: [0, 1, 2, 3, 4].map(|list| rows.iter().map(|row| row.1[list]).collect()),
                label: rows.iter().map(|row| row.2).collect(),
            }
        })
}

fn follow(lists: &Lists, settings: &Settings, rate: f64) -> Vec<Tracked> {
    let [x, y, width, height, score] = &lists.numbers;
    let columns = Columns {
        frames: Some(FRAMES),
        frame_rate: Some(rate),
        frame: &lists.frame,
        x,
        y,
        width,
        height,
        score,
        label: lists.label.clone(),
        ..Columns::default()
    };
    track(&columns.read().unwrap(), settings).unwrap()
}

fn settings() -> impl Strategy<Value = Settings> {
    let scores = (0.0..=0.3f64, 0.0..=0.3f64, 0.0..=0.4f64);
    let overlaps = (0.01..=1.0f64, 0.01..=1.0f64, 0.0..=1.0f64, 0.01..=1.0f64);
    let seconds = (0.0..=2.0f64, 0.0..=2.0f64, 0.0..=2.0f64, 0.0..=2.0f64);
    let motion = (-3.0..=1.0f64, -3.0..=2.0f64, -3.0..=2.0f64);
    let others =
        (0.0..=1.0f64, 1..5usize, 0.0..=10.0f64, any::<bool>(), prop_oneof![Just(0usize), 2..6usize]);
    (scores, overlaps, seconds, motion, others).prop_map(|(scores, overlaps, seconds, motion, others)| {
        Settings {
            low_score: scores.0,
            high_score: scores.0 + scores.1,
            birth_score: scores.0 + scores.1 + scores.2,
            overlap: overlaps.0,
            low_overlap: overlaps.1,
            other_class: overlaps.2,
            same_overlap: overlaps.3,
            direction_seconds: seconds.0,
            lost_seconds: seconds.1,
            link_seconds: seconds.2,
            fill_seconds: seconds.3,
            position_noise: 10f64.powf(motion.0),
            acceleration: 10f64.powf(motion.1),
            speed: 10f64.powf(motion.2),
            direction: others.0,
            hits: others.1,
            link_deviations: others.2,
            smooth: others.3,
            camera_objects: others.4,
        }
    })
}

/// Which track is in which frame.
fn numbers(tracked: &[Tracked]) -> Vec<(usize, usize)> {
    tracked.iter().map(|tracked| (tracked.frame, tracked.track)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_track_is_in_a_frame_once_and_numbers_go_by_first_sight(
        lists in lists(),
        settings in settings(),
        rate in prop_oneof![Just(1.0), Just(10.0), Just(25.0)],
    ) {
        let tracked = follow(&lists, &settings, rate);
        prop_assert!(numbers(&tracked).windows(2).all(|two| two[0] < two[1]), "twice, or out of order");
        let mut known = BTreeSet::new();
        for tracked in &tracked {
            // A new number is the next one.
            let is_new = known.insert(tracked.track);
            prop_assert!(!is_new || tracked.track == known.len(), "{:?}", tracked);
            prop_assert!((0.0..=1.0).contains(&tracked.score));
            prop_assert!(tracked.rectangle.centre.iter().all(|place| place.is_finite()));
            prop_assert!(tracked.rectangle.size.iter().all(|side| *side > 0.0 && side.is_finite()));
        }
        for track in known {
            let own: Vec<_> = tracked.iter().filter(|tracked| tracked.track == track).collect();
            prop_assert!(own.len() >= settings.hits);
            prop_assert!(own.iter().all(|tracked| tracked.class == own[0].class), "one class a track");
        }
    }

    #[test]
    fn the_same_clip_has_the_same_tracks(lists in lists(), other in lists(), settings in settings()) {
        let tracked = follow(&lists, &settings, 10.0);
        follow(&other, &settings, 25.0);
        prop_assert_eq!(follow(&lists, &settings, 10.0), tracked);
    }

    #[test]
    fn boxes_stay_where_they_were_detected_unless_smoothed(lists in lists()) {
        let settings = Settings { smooth: false, fill_seconds: 0.0, ..Settings::default() };
        for tracked in follow(&lists, &settings, 10.0) {
            let [x, y] = tracked.rectangle.corner();
            let is_here = |entry: usize| {
                let at = |list: usize| lists.numbers[list][entry];
                lists.frame[entry] as usize == tracked.frame
                    && (at(0) - x).abs() < 1e-9
                    && (at(1) - y).abs() < 1e-9
                    && at(4) == tracked.score
            };
            prop_assert!((0..lists.frame.len()).any(is_here), "{:?}", tracked);
        }
    }

    #[test]
    fn moving_or_scaling_the_image_changes_no_number(
        lists in lists(),
        shift in prop::array::uniform2(-500..500i32),
        scale in prop_oneof![Just(0.5), Just(1.0), Just(4.0)],
    ) {
        // A box never gets narrower than a pixel, which a scale would change: these are all much wider.
        let settings = Settings::default();
        let mut moved = lists.clone();
        for (axis, shift) in shift.map(f64::from).into_iter().enumerate() {
            for place in &mut moved.numbers[axis] {
                *place = (*place + shift) * scale;
            }
            for side in &mut moved.numbers[2 + axis] {
                *side *= scale;
            }
        }
        let (before, after) = (follow(&lists, &settings, 10.0), follow(&moved, &settings, 10.0));
        prop_assert_eq!(numbers(&before), numbers(&after));
        for (before, after) in before.iter().zip(&after) {
            for (axis, shift) in shift.map(f64::from).into_iter().enumerate() {
                let expected = (before.rectangle.centre[axis] + shift) * scale;
                prop_assert!((after.rectangle.centre[axis] - expected).abs() < 1e-6 * (1.0 + expected.abs()));
            }
        }
    }

    #[test]
    fn nothing_between_objects_far_apart(lists in lists(), settings in settings()) {
        // A copy far away is followed like the original: as many boxes again.
        let settings = Settings { camera_objects: 0, ..settings };
        let mut both = Lists::default();
        for entry in 0..lists.frame.len() {
            for far in [0.0, 1e5] {
                both.frame.push(lists.frame[entry]);
                both.label.push(lists.label[entry]);
                for list in 0..5 {
                    both.numbers[list].push(lists.numbers[list][entry] + if list < 2 { far } else { 0.0 });
                }
            }
        }
        let (one, two) = (follow(&lists, &settings, 10.0), follow(&both, &settings, 10.0));
        let near = two.iter().filter(|tracked| tracked.rectangle.centre[0] < 5e4).count();
        // Joining may reach far where the motion is set to be unknown.
        if settings.link_seconds == 0.0 || settings.speed.max(settings.acceleration) < 10.0 {
            prop_assert_eq!((near, two.len()), (one.len(), 2 * one.len()));
        }
    }

    #[test]
    fn an_assignment_is_the_best_one(
        affinities in prop::collection::vec(prop::collection::vec(-5..10i32, 4), 0..5),
    ) {
        let pairs: Vec<Pair> = affinities.iter().enumerate().flat_map(|(left, row)| {
            row.iter().enumerate().map(move |(right, &affinity)| Pair { left, right, affinity: f64::from(affinity) })
        }).collect();
        let assigned = assign(&pairs);
        let distinct = |side: fn(&(usize, usize)) -> usize| assigned.iter().map(side).collect::<BTreeSet<_>>().len();
        prop_assert_eq!((distinct(|pair| pair.0), distinct(|pair| pair.1)), (assigned.len(), assigned.len()));
        let total: i32 = assigned.iter().map(|&(left, right)| affinities[left][right]).sum();
        prop_assert!(assigned.iter().all(|&(left, right)| affinities[left][right] > 0));
        // The best of all, tried one by one.
        fn best(rows: &[Vec<i32>], taken: u32) -> i32 {
            let Some((row, rest)) = rows.split_first() else { return 0 };
            let with = (0..4).filter(|right| taken >> right & 1 == 0);
            let with = with.map(|right| row[right] + best(rest, taken | 1 << right)).max().unwrap_or(0);
            with.max(best(rest, taken))
        }
        prop_assert_eq!(total, best(&affinities, 0));
    }
}
