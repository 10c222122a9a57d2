//! Lines and zones: what is typed, and what is counted.

use proptest::prelude::*;

use super::*;

/// A box whose foot is at a place.
fn standing(track: i64, x: f32, y: f32) -> Tracked {
    let found =
        Found { x: x - 5.0, y: y - 20.0, width: 10.0, height: 20.0, label: "car".to_owned(), score: 0.9 };
    Tracked { found, track, frame: 0 }
}

/// What a single track with feet at these places does to a line.
fn crossed(line: &str, places: &[(f32, f32)]) -> (u64, u64) {
    let mut counter = Counter::new(&[Line::parse(line).unwrap()], &[], (200, 100), 25.0);
    for &(x, y) in places {
        counter.add(&[standing(1, x, y)]);
    }
    let Directions { left_to_right, right_to_left } = counter.lines()[0].all();
    (left_to_right, right_to_left)
}

#[test]
fn texts_are_read_or_refused() {
    for (text, words) in [
        ("100,0,100,100", "name"),
        ("=100,0,100,100", "name"),
        ("gate=100,0,100", "two numbers for each point, found 3"),
        ("gate=100,0", "two points `x1,y1,x2,y2`, found 2"),
        ("gate=1,2,3,4,5,6", "found 6"),
        ("gate=1,2,1,2", "begins where it ends"),
        ("gate=1,2,3,x", "`x`"),
        ("gate=1,2,3,nan", "`nan`"),
        ("gate=1,2,3,1e9", "`1e9`"),
    ] {
        let error = Line::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(Zone::parse("lot=1,2,3,4").unwrap_err().to_string().contains("3 to 100 corners"));
    let line = Line::parse(" gate = 0.5, 0, 0.5, 1").unwrap().within((200, 100));
    assert_eq!(
        (line.name.as_str(), line.from, line.to),
        ("gate", Point { x: 100.0, y: 0.0 }, Point { x: 100.0, y: 100.0 })
    );
    let zone = Zone::parse("lot=0,0,2,0,2,2").unwrap().within((200, 100));
    assert_eq!(zone.corners[2], Point { x: 2.0, y: 2.0 }, "a number above 1 makes all of them pixels");
}

#[test]
fn crossings_are_counted_once() {
    // Downwards: left of it is the right part of the picture.
    let line = "gate=100,10,100,90";
    let beside = [(60.0, 50.0), (140.0, 50.0)];
    for (places, expected) in [
        (vec![(140.0, 50.0), (60.0, 50.0)], (1, 0)),
        (beside.to_vec(), (0, 1)),
        (vec![(60.0, 50.0), (140.0, 50.0), (60.0, 50.0)], (1, 1)),
        // It trembles on the line, and goes on.
        (
            vec![(60.0, 50.0), (100.5, 50.0), (99.5, 50.0), (100.0, 50.0), (100.5, 50.0), (140.0, 50.0)],
            (0, 1),
        ),
        // It trembles on the line, and goes back.
        (vec![(60.0, 50.0), (100.5, 50.0), (99.5, 50.0), (100.5, 50.0), (60.0, 50.0)], (0, 0)),
        // It begins on the line.
        (vec![(100.0, 50.0), (140.0, 50.0)], (0, 0)),
        // It stands exactly on it for a while.
        (vec![(60.0, 50.0), (100.0, 50.0), (100.0, 50.0), (140.0, 50.0)], (0, 1)),
        // Round the end of the line, and back through it.
        (vec![(60.0, 95.0), (140.0, 95.0), (140.0, 50.0), (60.0, 50.0)], (1, 0)),
        (vec![(60.0, 95.0), (140.0, 95.0)], (0, 0)),
        (vec![(60.0, 50.0)], (0, 0)),
        (vec![], (0, 0)),
    ] {
        assert_eq!(crossed(line, &places), expected, "{places:?}");
    }
}

#[test]
fn tracks_and_labels_are_counted_apart() {
    let mut counter = Counter::new(&[Line::parse("gate=100,10,100,90").unwrap()], &[], (200, 100), 25.0);
    let mut bus = standing(2, 60.0, 50.0);
    bus.found.label = "bus".to_owned();
    counter.add(&[standing(1, 60.0, 40.0), bus.clone(), standing(3, 140.0, 60.0)]);
    bus.found.x += 80.0;
    counter.add(&[standing(1, 140.0, 40.0), bus, standing(3, 60.0, 60.0)]);
    let counts = counter.lines();
    assert_eq!(counts[0].labels["car"], Directions { left_to_right: 1, right_to_left: 1 });
    assert_eq!(counts[0].labels["bus"], Directions { left_to_right: 0, right_to_left: 1 });
    assert_eq!(counts[0].all(), Directions { left_to_right: 1, right_to_left: 2 });
}

#[test]
fn stays_are_counted_by_track() {
    // An L: the square at its upper right is not part of it.
    let zone = Zone::parse("lot=10,10,50,10,50,50,90,50,90,90,10,90").unwrap();
    let mut counter = Counter::new(&[], &[zone], (100, 100), 10.0);
    counter.add(&[standing(1, 30.0, 30.0), standing(2, 70.0, 30.0)]);
    counter.add(&[standing(1, 70.0, 30.0), standing(2, 70.0, 70.0)]);
    counter.add(&[standing(1, 30.0, 80.0), standing(2, 70.0, 70.0)]);
    counter.add(&[]);
    let counts = counter.zones();
    let expected = ZoneCounts {
        name: "lot".to_owned(),
        entered: BTreeMap::from([("car".to_owned(), 2)]),
        mean_stay_seconds: Some(0.2),
        mean_at_once: Some(1.0),
        most_at_once: 2,
        now: 0,
    };
    assert_eq!(counts, [expected]);
    let nothing = Counter::new(&[], &[Zone::parse("lot=0,0,1,0,1,1").unwrap()], (100, 100), 10.0).zones();
    assert_eq!(
        (nothing[0].mean_stay_seconds, nothing[0].mean_at_once, nothing[0].most_at_once),
        (None, None, 0)
    );
}

/// Quarters of pixels: sums of them are exact, so that nothing but the rules decides.
fn quarter(range: std::ops::Range<i32>) -> impl Strategy<Value = f32> {
    range.prop_map(|quarters| quarters as f32 / 4.0)
}

fn way() -> impl Strategy<Value = Vec<(f32, f32)>> {
    prop::collection::vec((quarter(0..800), quarter(0..400)), 0..40)
}

fn text(ends: [(f32, f32); 2]) -> String {
    let [(x1, y1), (x2, y2)] = ends;
    format!("gate={x1},{y1},{x2},{y2}")
}

proptest! {
    #[test]
    fn turning_a_line_round_exchanges_directions(
        from in (quarter(8..800), quarter(8..400)), to in (quarter(8..800), quarter(8..400)), way in way()
    ) {
        prop_assume!(from != to);
        let (there, back) = crossed(&text([from, to]), &way);
        prop_assert_eq!(crossed(&text([to, from]), &way), (back, there));
    }

    #[test]
    fn moving_everything_changes_nothing(
        from in (quarter(8..800), quarter(8..400)), to in (quarter(8..800), quarter(8..400)),
        corners in prop::collection::vec((quarter(8..800), quarter(8..400)), 3..8),
        way in way(), by in (quarter(0..4000), quarter(0..4000))
    ) {
        prop_assume!(from != to);
        let moved = |(x, y): (f32, f32)| (x + by.0, y + by.1);
        let count = |moved: &dyn Fn((f32, f32)) -> (f32, f32)| {
            let numbers: Vec<String> = corners.iter().map(|corner| {
                let (x, y) = moved(*corner);
                format!("{x},{y}")
            }).collect();
            let zone = Zone::parse(&format!("lot={}", numbers.join(","))).unwrap();
            let line = Line::parse(&text([from, to].map(moved))).unwrap();
            let mut counter = Counter::new(&[line], &[zone], (1, 1), 25.0);
            for place in &way {
                let (x, y) = moved(*place);
                counter.add(&[standing(1, x, y)]);
            }
            counter.counts()
        };
        prop_assert_eq!(count(&|place| place), count(&moved));
    }

    #[test]
    fn who_stays_on_one_side_never_crosses(way in way()) {
        let left: Vec<(f32, f32)> = way.iter().map(|&(x, y)| (x / 8.0, y)).collect();
        prop_assert_eq!(crossed("gate=100,0,100,100", &left), (0, 0));
    }

    #[test]
    fn directions_take_turns(way in way()) {
        let (there, back) = crossed("gate=100,-1000,100,1000", &way);
        prop_assert!(there.abs_diff(back) <= 1);
    }
}
