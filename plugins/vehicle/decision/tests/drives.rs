//! Drives by formula: each is to lead to exactly the warnings that are meant, at the right time and for the right reason.

mod simulation;

use foretell_plugin_decision::{drive::Columns, rules::Warning, rules::warnings, settings::Settings};
use simulation::{RATE, Simulation, camera};

/// The kinds of warnings with their tracks, in alphabetical order.
fn kinds(warnings: &[Warning]) -> Vec<String> {
    let mut kinds: Vec<String> =
        warnings.iter().map(|warning| format!("{}/{}", warning.kind, warning.track)).collect();
    kinds.sort();
    kinds
}

fn expect(name: &str, simulation: &Simulation, expected: &[&str]) -> Vec<Warning> {
    let warnings = simulation.warnings(&Settings::default());
    assert_eq!(kinds(&warnings), expected, "{name}: {warnings:#?}");
    for warning in &warnings {
        assert!((0.0..=1.0).contains(&warning.score) && warning.first <= warning.last, "{warning:?}");
        assert!(warning.reason.contains(" m"), "{warning:?}");
    }
    assert!(warnings.windows(2).all(|two| two[0].score >= two[1].score), "the most urgent first");
    warnings
}

/// The lead keeps its speed for a second, and then brakes with 4 m/s2; the own car does not.
fn braking(simulation: Simulation) -> Simulation {
    simulation.object(7, "car", 5.0, 0.0, |seconds| [30.0 - 2.0 * (seconds - 1.0).max(0.0).powi(2), 0.0])
}

#[test]
fn nothing_happens() {
    let drive = || Simulation::at(25.0);
    for (name, simulation) in [
        ("an empty road", drive()),
        ("an empty road with a lane", drive().lane(5.0, 0.0, |seconds| 0.2 * seconds.sin())),
        ("a car far ahead at the same speed", drive().object(1, "car", 5.0, 0.0, |_| [40.0, 0.0])),
        ("a car that gets away", drive().object(1, "car", 5.0, 0.0, |seconds| [28.0 + 5.0 * seconds, 0.0])),
        (
            "an oncoming car in its lane",
            drive().object(1, "car", 2.0, 0.0, |seconds| [75.0 - 40.0 * seconds, -3.5]),
        ),
        (
            "a parked car at the side",
            drive().object(1, "car", 2.0, 0.0, |seconds| [60.0 - 25.0 * seconds, 3.0]),
        ),
        (
            "a person on the pavement",
            drive().object(1, "person", 2.0, 0.0, |seconds| [60.0 - 25.0 * seconds, 5.0]),
        ),
        (
            "a sign over the road",
            drive().object(1, "traffic sign", 2.0, 0.0, |seconds| [60.0 - 25.0 * seconds, 0.0]),
        ),
        ("a car ahead of a standing one", Simulation::at(0.0).object(1, "car", 5.0, 0.0, |_| [3.0, 0.0])),
        (
            "a person ahead of a standing car",
            Simulation::at(0.0).object(1, "person", 5.0, 0.0, |_| [4.0, 0.0]),
        ),
        ("boxes that tremble", drive().object(1, "car", 20.0, 1.5, |_| [32.0, 0.0])),
        ("drifting while parking", Simulation::at(2.0).lane(5.0, 0.0, |seconds| 0.3 * seconds)),
    ] {
        expect(name, &simulation, &[]);
    }
}

#[test]
fn a_car_ahead_brakes() {
    for (name, simulation) in [
        ("at a known speed", braking(Simulation::at(15.0))),
        ("at an unknown speed", braking(Simulation::default())),
        ("with a lane", braking(Simulation::at(15.0)).lane(5.0, 0.0, |_| 0.3)),
    ] {
        let warnings = expect(name, &simulation, &["forward-collision/7"]);
        let seconds = warnings[0].first as f64 / RATE;
        // Distance over closing speed is 2.5 s at 3.12 s, which a fit over the last .8 s sees a little later.
        assert!((3.1..3.5).contains(&seconds), "{name} from {seconds} s on");
        assert!(warnings[0].score > 0.8, "{warnings:?}");
    }
}

#[test]
fn standing_traffic_is_seen_first_and_then_near() {
    let simulation =
        Simulation::at(20.0).object(7, "truck", 5.0, 0.0, |seconds| [77.5 - 20.0 * seconds, 0.3]);
    let warnings = expect("a queue", &simulation, &["forward-collision/7", "stopped-traffic/7"]);
    let [collision, stopped] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(stopped.first < collision.first);
    // 2.5 s are 50 m, which is passed after 1.38 s.
    assert_eq!(
        (collision.first, collision.item()),
        (28, format!("forward-collision/7/28-{}", collision.last))
    );
    assert_eq!(
        collision.reason,
        "truck 7 is 2.5 m ahead and comes nearer at 20.0 m/s: 0.1 s to collision (0.1 s by the growth of its box)"
    );
    // At an unknown speed nobody knows that it stands.
    expect("no speed", &Simulation { speed: Vec::new(), ..simulation }, &["forward-collision/7"]);
}

#[test]
fn the_car_ahead_is_near() {
    let simulation = Simulation::at(25.0).object(7, "car", 5.0, 0.0, |_| [20.0, 0.0]);
    let warnings = expect("a gap of 0.8 s", &simulation, &["following-distance/7"]);
    assert_eq!(warnings[0].reason, "car 7 is 20.0 m ahead at 25.0 m/s: a gap of 0.8 s");
    assert!((warnings[0].score - 0.6 * (1.0 - 0.8 / 1.2)).abs() < 1e-6);
    expect("no speed", &Simulation { speed: Vec::new(), ..simulation.clone() }, &[]);
    let many = Simulation { speed: vec![25.0; 100], ..simulation.clone() };
    expect("a speed for each frame", &many, &["following-distance/7"]);
    // Of two, one behind the other, the near one counts.
    let two = simulation.object(8, "car", 5.0, 0.0, |_| [22.0, 0.0]);
    expect("two", &two, &["following-distance/7"]);
    let trembling = Simulation::at(25.0).object(7, "car", 10.0, 1.0, |_| [20.0, 0.0]);
    expect("boxes that tremble", &trembling, &["following-distance/7"]);
    let flicker = Simulation::at(25.0).object(7, "car", 0.9, 0.0, |_| [20.0, 0.0]);
    expect("less than a second", &flicker, &[]);
}

#[test]
fn a_car_cuts_in() {
    let side = |seconds: f64| 3.5 - 3.5 * (seconds - 2.0).clamp(0.0, 1.0);
    let simulation = Simulation::at(25.0).object(4, "car", 6.0, 0.0, |seconds| [12.0, side(seconds)]);
    let warnings = expect("from the right", &simulation, &["following-distance/4"]);
    // Its middle is in the corridor from 2.57 s on.
    assert!((51..=60).contains(&warnings[0].first), "{warnings:?}");
}

#[test]
fn people_cross() {
    let crossing = |speed, from: f64| move |seconds: f64| [38.0 - 10.0 * seconds, from + speed * seconds];
    let drive = || Simulation::at(10.0);
    let right = drive().object(3, "person", 3.0, 0.0, crossing(-1.5, 6.0));
    let warnings = expect("from the right", &right, &["pedestrian-ahead/3"]);
    assert!(warnings[0].first <= 6, "before the person is on the road: {warnings:?}");
    expect(
        "from the left",
        &drive().object(3, "person", 3.0, 0.0, crossing(1.5, -6.0)),
        &["pedestrian-ahead/3"],
    );
    expect("away", &drive().object(3, "person", 3.0, 0.0, crossing(1.5, 3.5)), &[]);
    expect(
        "standing on the road",
        &drive().object(3, "person", 3.0, 0.0, crossing(0.0, 0.5)),
        &["pedestrian-ahead/3"],
    );
    let unknown = Simulation::default().object(3, "person", 3.0, 0.0, crossing(0.0, 0.5));
    expect("at an unknown speed", &unknown, &["pedestrian-ahead/3"]);
    let near = Simulation::default().object(3, "person", 3.0, 0.0, |_| [6.0, 0.5]);
    expect("near, at an unknown speed", &near, &["pedestrian-ahead/3"]);
}

#[test]
fn the_lane_is_left() {
    // 3.5 m less a car of 1.8 m leave 0.85 m on either side.
    for (sign, side) in [(1.0, "right"), (-1.0, "left")] {
        let drift = |seconds: f64| sign * 0.3 * seconds;
        let simulation = Simulation::at(20.0).lane(4.0, 0.0, drift);
        let warnings = expect(side, &simulation, &["lane-departure/0"]);
        // The line is crossed at 2.83 s, and that is 0.6 s away from 2.23 s on.
        assert_eq!(warnings[0].first, 45);
        let expected =
            format!("the car's {side} side is 0.01 m beyond the {side} line and drifts there at 0.30 m/s");
        assert_eq!(warnings[0].reason, expected);
        assert!((warnings[0].score - 0.7).abs() < 1e-6);
        expect("no speed", &Simulation { speed: Vec::new(), ..simulation }, &["lane-departure/0"]);
    }
    // On the other side of the line is another lane, whose middle is 3.5 m further.
    let change = |seconds: f64| 0.7 * seconds - if 0.7 * seconds > 1.75 { 3.5 } else { 0.0 };
    let warnings =
        expect("a change of lanes", &Simulation::at(20.0).lane(5.0, 0.0, change), &["lane-departure/0"]);
    assert!(warnings[0].reason.contains("right") && warnings[0].last <= 50, "{warnings:?}");
}

#[test]
fn the_corridor_bends_with_the_lane() {
    let beside = 21.5f64.powi(2) / 200.0;
    let drive = |right: f64| Simulation::at(25.0).object(5, "car", 5.0, 0.0, move |_| [20.0, right]);
    let bend = |simulation: Simulation| simulation.lane(5.0, 0.01, |_| 0.0);
    expect("a lead in the bend", &bend(drive(beside)), &["following-distance/5"]);
    expect("a car beside the bend", &bend(drive(0.0)), &[]);
    expect("without lanes, straight ahead", &drive(beside), &[]);
    expect("a lane to the left of it", &drive(1.9).lane(5.0, 0.0, |_| -0.4), &["following-distance/5"]);
    // A lane that was lost is taken to go on for a second, and no longer.
    expect("a lane that was lost", &drive(beside).lane(1.0, 0.01, |_| 0.0), &["following-distance/5"]);
}

#[test]
fn several_things_at_once_come_in_order() {
    let simulation = braking(Simulation::at(15.0))
        .object(9, "person", 5.0, 0.0, |seconds| [90.0 - 15.0 * seconds, 0.0])
        .lane(5.0, 0.0, |seconds| 0.2 * seconds);
    let warnings =
        expect("all", &simulation, &["forward-collision/7", "lane-departure/0", "pedestrian-ahead/9"]);
    assert_eq!(warnings[0].track, 7);
}

#[test]
fn an_unknown_camera_is_guessed_from_the_size_of_the_image() {
    let simulation = Simulation { is_camera_unknown: true, ..braking(Simulation::at(15.0)) };
    // The guess has other distances, and the same growth of the box.
    let settings = Settings { pitch_degrees: 0.0, ..Settings::default() };
    assert_eq!(kinds(&simulation.warnings(&settings)), ["forward-collision/7"]);
}

#[test]
fn what_is_no_drive_is_refused() {
    let settings = Settings::default();
    let simulation = Simulation::at(25.0).object(7, "car", 0.2, 0.0, |_| [20.0, 0.0]).lane(0.2, 0.0, |_| 0.0);
    let camera = camera();
    let fine = || simulation.columns(&camera);
    assert!(fine().read(&settings).is_ok());
    let (nan, far, negative) = ([f64::NAN; 4], [1e9; 4], [-1.0; 4]);
    for (columns, words) in [
        (Columns { frame_rate: None, ..fine() }, "`frame_rate` is missing; expected frames per second"),
        (Columns { frame_rate: Some(-1.0), ..fine() }, "`frame_rate` is -1; expected 0.1 to 1000"),
        (Columns { image_width: Some(0), ..fine() }, "`image_width` is 0; expected 1 to 1000000"),
        (Columns { camera: &camera[..5], ..fine() }, "`camera` can't be used: expected 12 numbers"),
        (
            Columns { camera: &[], image_height: None, ..fine() },
            "`camera` is missing; expected 12 numbers of the camera, or",
        ),
        (
            Columns { frame: &[0, 1, 2], ..fine() },
            "`track` has 4 entries; expected 3, as many as `frame` has",
        ),
        (Columns { frame: &[0, 1, 2, -3], ..fine() }, "`frame` is -3 in entry 3; expected 0 to"),
        (Columns { frame: &[0, 1, 2, 2], ..fine() }, "`track` has 7 twice in frame 2"),
        (Columns { x: &nan, ..fine() }, "`x` is NaN in entry 0; expected -1000000 to 1000000"),
        (Columns { width: &negative, ..fine() }, "`width` is -1 in entry 0; expected 0 to 1000000"),
        (Columns { height: &far[..3], ..fine() }, "`height` has 3 entries; expected 4"),
        (Columns { score: &far, ..fine() }, "`score` is 1000000000 in entry 0; expected 0 to 1"),
        (Columns { label: vec!["car"], ..fine() }, "`label` has 1 entries; expected 4"),
        (Columns { lane_frame: &[0, 1, 1, 2], ..fine() }, "`lane_frame` is 1 in entry 2, after 1"),
        (Columns { lane_width: &negative, ..fine() }, "`lane_width` is -1 in entry 0; expected 0.1 to 50"),
        (
            Columns { lane_offset: &nan[..2], ..fine() },
            "`lane_offset` has 2 entries; expected 4, as many as `lane_frame`",
        ),
        (
            Columns { lane_curvature: &far, ..fine() },
            "`lane_curvature` is 1000000000 in entry 0; expected -1 to 1",
        ),
        (
            Columns { speed: &[1.0, 2.0], ..fine() },
            "`speed` has 2 entries; expected none, 1, or one for each of 4 frames",
        ),
        (Columns { speed: &negative, ..fine() }, "`speed` is -1 in entry 0; expected 0 to 200"),
    ] {
        let error = columns.read(&settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let empty = Columns { frame_rate: Some(RATE), ..Columns::default() };
    assert_eq!(warnings(&empty.read(&settings).unwrap(), &settings), []);
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
