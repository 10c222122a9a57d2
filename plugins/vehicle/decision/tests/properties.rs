//! What must hold of any drive.

mod simulation;

use foretell_plugin_decision::{
    drive::Columns,
    rules::{Kind, warnings},
    settings::Settings,
};
use proptest::prelude::*;
use simulation::{RATE, Simulation};

/// Left and upper edge, width and height, score.
type Row = ([f64; 2], [f64; 2], f64);
/// Offset, width, curvature.
type LaneRow = (f64, f64, f64);

/// The highest score of a kind of warning, 0 where there is none.
fn score(simulation: &Simulation, kind: Kind) -> f64 {
    let warnings = simulation.warnings(&Settings::default());
    warnings.iter().filter(|warning| warning.kind == kind).map(|warning| warning.score).fold(0.0, f64::max)
}

const SECONDS: f64 = 2.0;
/// When its last frame is.
const LAST: f64 = SECONDS - 1.0 / RATE;
/// What two fits of the same line may differ by.
const ROUNDING: f64 = 1e-9;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn nearer_or_faster_is_never_less_urgent(
        near in 2.5..30.0f64,
        more_distance in 0.0..30.0f64,
        slow in 0.0..20.0f64,
        more_speed in 0.0..20.0f64,
        own_speed in prop_oneof![Just(None), (0.0..40.0f64).prop_map(Some)],
        label in prop_oneof![Just("car"), Just("person")],
    ) {
        // What is compared are the same moments, so distances are those at the end.
        let drive = |last: f64, closing: f64| {
            let simulation = Simulation { speed: own_speed.into_iter().collect(), ..Simulation::default() };
            simulation.object(1, label, SECONDS, 0.0, move |seconds| [last + closing * (LAST - seconds), 0.0])
        };
        let (near, far, slow, fast) = (near, near + more_distance, slow, slow + more_speed);
        let farthest = Settings::default().far_metres - 2.0;
        prop_assume!(far + fast * SECONDS < farthest);
        for kind in [Kind::ForwardCollision, Kind::PedestrianAhead] {
            let score = |last, closing| score(&drive(last, closing), kind);
            prop_assert!(score(near, slow) >= score(far, slow) - ROUNDING, "{} nearer", kind);
            prop_assert!(score(near, fast) >= score(near, slow) - ROUNDING, "{} faster", kind);
        }
        let following = |last| score(&drive(last, 0.0), Kind::FollowingDistance);
        prop_assert!(following(near) >= following(far) - ROUNDING, "following nearer");
    }

    #[test]
    fn drifting_faster_or_nearer_to_the_line_is_never_less_urgent(
        start in 0.0..0.8f64,
        more in 0.0..0.5f64,
        slow in 0.0..0.5f64,
        more_speed in 0.0..0.5f64,
    ) {
        let of = |start: f64, drift: f64| {
            let simulation = Simulation::at(20.0).lane(SECONDS, 0.0, move |seconds| start + drift * seconds);
            score(&simulation, Kind::LaneDeparture)
        };
        prop_assert!(of(start + more, slow) >= of(start, slow) - ROUNDING);
        prop_assert!(of(start, slow + more_speed) >= of(start, slow) - ROUNDING);
    }

    #[test]
    fn left_and_right_are_alike(
        place in prop::array::uniform2(-5.0..5.0f64),
        speed in -3.0..3.0f64,
        closing in 0.0..15.0f64,
        label in prop_oneof![Just("car"), Just("person")],
        curvature in -0.005..0.005f64,
    ) {
        let of = |sign: f64| {
            let simulation = Simulation::at(12.0).lane(SECONDS, sign * curvature, |seconds| sign * place[1] / 5.0 * seconds);
            let simulation = simulation.object(1, label, SECONDS, 0.0, |seconds| {
                [35.0 - closing * seconds, sign * (place[0] + speed * seconds)]
            });
            let warnings = simulation.warnings(&Settings::default());
            warnings.iter().map(|warning| (warning.item(), (warning.score * 1e6).round())).collect::<Vec<_>>()
        };
        prop_assert_eq!(of(1.0), of(-1.0));
    }

    #[test]
    fn any_numbers_are_judged_or_refused(
        rows in prop::collection::btree_map(
            (0..40i64, 0..4i64),
            (prop::array::uniform2(-50.0..1300.0f64), prop::array::uniform2(-0.5..400.0f64), 0.0..=1.0f64),
            0..60,
        ),
        lanes in prop::collection::vec((-3.0..3.0f64, 0.05..6.0f64, -0.5..0.5f64), 0..40),
        speed in prop::collection::vec(-1.0..60.0f64, 0..3),
    ) {
        let (keys, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let list = |of: fn(&Row) -> f64| values.iter().map(of).collect::<Vec<f64>>();
        let lane = |of: fn(&LaneRow) -> f64| lanes.iter().map(of).collect::<Vec<f64>>();
        let columns = Columns {
            frame_rate: Some(10.0),
            image_width: Some(1280),
            image_height: Some(720),
            camera: &[],
            speed: &speed,
            frame: &keys.iter().map(|key| key.0).collect::<Vec<_>>(),
            track: &keys.iter().map(|key| key.1).collect::<Vec<_>>(),
            x: &list(|row| row.0[0]),
            y: &list(|row| row.0[1]),
            width: &list(|row| row.1[0]),
            height: &list(|row| row.1[1]),
            score: &list(|row| row.2),
            label: keys.iter().map(|key| if key.1 == 0 { "person" } else { "car" }).collect(),
            lane_frame: &(0..lanes.len() as i64).collect::<Vec<_>>(),
            lane_offset: &lane(|lane| lane.0),
            lane_width: &lane(|lane| lane.1),
            lane_curvature: &lane(|lane| lane.2),
        };
        // Nothing is sure to last long enough here, unless what lasts a frame counts.
        let settings = Settings {
            window_frames: 2,
            window_seconds: 2.0,
            sustain_seconds: 0.0,
            following_sustain_seconds: 0.0,
            ..Settings::default()
        };
        let again = columns.clone().read(&settings).map(|drive| warnings(&drive, &settings));
        match columns.read(&settings) {
            Ok(drive) => {
                let warnings = warnings(&drive, &settings);
                for warning in &warnings {
                    prop_assert!((0.0..=1.0).contains(&warning.score), "{:?}", warning);
                    prop_assert!(!warning.reason.contains("NaN") && !warning.reason.contains("inf"), "{:?}", warning);
                }
                prop_assert_eq!(again, Ok(warnings));
            }
            Err(error) => prop_assert!(error.to_string().contains("expected"), "{}", error),
        }
    }
}
