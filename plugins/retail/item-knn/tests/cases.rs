//! Single cases: what is asked at the edges, and what the words of errors say.

use foretell_plugin_item_knn::{
    counts::{Counts, Event, Learned, PAST_MAX, UNIT},
    neighbours::Neighbours,
    rank::{Ranker, Reason},
    settings::Settings,
};

fn events<'a>(items: &[&'a str]) -> impl Iterator<Item = Event<'a>> + Clone {
    items.iter().map(|item| Event { time: 0, item }).collect::<Vec<_>>().into_iter()
}

/// Learns the purchases of customers, each a list of items, oldest first.
fn learn(customers: &[&[&str]]) -> Learned {
    let mut counts = Counts::default();
    for items in customers {
        for (place, item) in items.iter().enumerate() {
            let before: Vec<&str> = items[..place].iter().rev().copied().collect();
            counts.learn(Event { time: place as i64, item }, events(&before), events(&[])).unwrap();
        }
    }
    counts.finish()
}

fn shop(settings: Settings) -> Neighbours {
    let customers: [&[&str]; 4] =
        [&["tea", "cup", "milk"], &["tea", "cup"], &["nail", "hammer"], &["tea", "biscuit"]];
    Neighbours::new(learn(&customers), settings)
}

/// The names and reasons of the answer to a session, oldest first.
fn ask(neighbours: &Neighbours, session: &[&str], count: usize) -> Vec<(String, String)> {
    let latest_first: Vec<&str> = session.iter().rev().copied().collect();
    let mut ranker = Ranker::default();
    let mut sequence = ranker.begin(neighbours, 0);
    sequence.in_turn(events(&latest_first));
    let name = |item| neighbours.item(item).id.to_string();
    let ranked = sequence.rank(count).iter().map(|ranked| {
        let reason = match ranked.reason {
            Reason::Bought(item) => name(item),
            Reason::Popular => "popular".to_owned(),
        };
        (name(ranked.item), reason)
    });
    ranked.collect()
}

fn names(answer: &[(String, String)]) -> Vec<&str> {
    answer.iter().map(|(item, _)| item.as_str()).collect()
}

/// What was learned of two items, in this order.
fn pair(learned: &Learned, earlier: &str, later: &str) -> Option<(u64, u64)> {
    let name = |item: u32| &*learned.items[item as usize].id;
    let mut pairs = learned.pairs.iter();
    let found = pairs.find(|pair| name(pair.earlier) == earlier && name(pair.later) == later);
    found.map(|pair| (pair.together, pair.nearness))
}

#[test]
fn similar_items_of_one_item() {
    let answer = ask(&shop(Settings::default()), &["nail"], 1);
    assert_eq!(answer, [("hammer".to_owned(), "nail".to_owned())]);
    let answer = ask(&shop(Settings::default()), &["hammer"], 1);
    assert_eq!(answer, [("nail".to_owned(), "hammer".to_owned())], "before is as near as after");
}

#[test]
fn only_what_came_after_when_directed() {
    let neighbours = shop(Settings { directed: 1.0, together: 0.0, fill: false, ..Settings::default() });
    assert_eq!(names(&ask(&neighbours, &["nail"], 9)), ["hammer"]);
    assert_eq!(ask(&neighbours, &["hammer"], 9), []);
}

#[test]
fn a_customer_of_whom_nothing_is_known_gets_popular_items() {
    let neighbours = shop(Settings::default());
    for session in [&[][..], &["never sold"][..]] {
        let answer = ask(&neighbours, session, 3);
        assert_eq!(names(&answer)[0], "tea");
        assert!(answer.iter().all(|(_, reason)| reason == "popular"), "{answer:?}");
        assert_eq!(answer.len(), 3);
    }
    assert_eq!(ask(&shop(Settings { fill: false, ..Settings::default() }), &[], 3), []);
}

#[test]
fn an_unknown_item_is_passed_over_and_takes_no_step() {
    let neighbours = shop(Settings::default());
    let with_unknown = ask(&neighbours, &["tea", "never sold", "cup", "never sold"], 9);
    assert_eq!(with_unknown, ask(&neighbours, &["tea", "cup"], 9));
}

#[test]
fn an_item_that_is_named_twice_counts_where_it_stands_last() {
    let neighbours = shop(Settings::default());
    assert_eq!(ask(&neighbours, &["tea", "nail", "tea"], 9), ask(&neighbours, &["nail", "tea"], 9));
}

#[test]
fn more_than_there_are() {
    let neighbours = shop(Settings::default());
    assert_eq!(ask(&neighbours, &["tea"], 1_000_000).len(), 5, "all six but the one in the session");
    let again = shop(Settings { repeat: true, ..Settings::default() });
    assert_eq!(ask(&again, &["tea"], 1_000_000).len(), 6);
}

#[test]
fn nothing_learned_answers_nothing() {
    assert!(Learned::default().write().is_empty());
    let neighbours = Neighbours::new(Learned::read(&[]).unwrap(), Settings::default());
    assert!(neighbours.is_empty());
    assert_eq!(ask(&neighbours, &["tea"], 10), []);
}

#[test]
fn the_popular_ones_alone() {
    let neighbours = shop(Settings { only_popular: true, ..Settings::default() });
    // Tea three times and cup twice; of what was bought once, milk came last, and nail first.
    assert_eq!(names(&ask(&neighbours, &[], 9)), ["tea", "cup", "milk", "biscuit", "hammer", "nail"]);
    assert_eq!(names(&ask(&neighbours, &["cup"], 2)), ["tea", "milk"]);
}

#[test]
fn distance_counts_items_between() {
    let learned = learn(&[&["a", "b", "c", "d"]]);
    let near = |earlier, later| pair(&learned, earlier, later).unwrap();
    assert_eq!([near("a", "b"), near("a", "c"), near("a", "d")], [(1, UNIT), (1, UNIT / 2), (1, UNIT / 3)]);
    assert_eq!(pair(&learned, "b", "a"), None);
}

#[test]
fn a_purchase_again_comes_nearer_and_is_no_other_customer() {
    let learned = learn(&[&["a", "b", "a"]]);
    assert_eq!(pair(&learned, "a", "b"), Some((1, UNIT)));
    assert_eq!(pair(&learned, "b", "a"), Some((0, UNIT)));
    assert_eq!(learned.items[0].purchases, 2);
    assert_eq!((learned.items[0].first, learned.items[0].last), (0, 2));
}

#[test]
fn a_basket_has_no_order_and_what_was_before_stays_near() {
    let mut counts = Counts::default();
    let none = || events(&[]);
    counts.learn(Event { time: 1, item: "before" }, none(), none()).unwrap();
    counts.learn(Event { time: 2, item: "one" }, events(&["before"]), none()).unwrap();
    counts.learn(Event { time: 2, item: "two" }, events(&["one", "before"]), events(&["one"])).unwrap();
    let learned = counts.finish();
    assert_eq!(pair(&learned, "one", "two"), Some((1, UNIT)));
    assert_eq!(pair(&learned, "two", "one"), Some((0, UNIT)));
    assert_eq!(pair(&learned, "before", "two"), Some((1, UNIT)), "next to the whole basket");
}

#[test]
fn what_one_customer_can_cost_is_bounded() {
    let names: Vec<String> = (0..PAST_MAX + 5).map(|number| number.to_string()).collect();
    let past: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut counts = Counts::default();
    counts.learn(Event { time: 1, item: "x" }, events(&past), events(&[])).unwrap();
    // The oldest ones are no part of a pair, and yet `x` is known to have been bought before.
    let with_x: Vec<&str> = past.iter().copied().chain(["x"]).collect();
    counts.learn(Event { time: 2, item: "x" }, events(&with_x), events(&[])).unwrap();
    let learned = counts.finish();
    assert_eq!(learned.pairs.len(), PAST_MAX);
    assert!(learned.pairs.iter().all(|pair| pair.together == 1));
}

#[test]
fn recent_purchases_weigh_more_with_a_half_life() {
    let learned = learn(&[&["old", "with old"], &["new", "with new"]]);
    let day = 86_400_000_000;
    let settings = Settings { half_life_days: 1.0, decay: 1.0, ..Settings::default() };
    let neighbours = Neighbours::new(learned, settings);
    let mut ranker = Ranker::default();
    let mut sequence = ranker.begin(&neighbours, 10 * day);
    let bought = [Event { time: 10 * day, item: "new" }, Event { time: 9 * day, item: "old" }];
    sequence.in_turn(bought.into_iter());
    let answer = sequence.rank(2);
    assert_eq!(&*neighbours.item(answer[0].item).id, "with new");
    assert_eq!(answer[1].score, answer[0].score / 2.0);
}

#[test]
fn a_damaged_file_says_what_is_wrong() {
    let bytes = learn(&[&["a", "b"]]).write();
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Learned::read(&bytes).unwrap_err().to_string()
    };
    let cases = [
        (with(|bytes| bytes[0] = b'x'), "expected `item-knn`, found xtem-knn"),
        (with(|bytes| bytes[8] = 9), "expected version 1, found 9"),
        (with(|bytes| bytes[15] = 255), "items in so many bytes, found"),
        (with(|bytes| bytes[23] = 255), "pairs in so many bytes, found"),
        (with(|bytes| bytes[25] = 0xff), "expected an item's name in UTF-8, found other bytes"),
        (with(|bytes| bytes[25] = b'b'), "expected each item once, found `b` again"),
        (with(|bytes| bytes.push(0)), "expected the end of the file, found 1 bytes more"),
        (with(|bytes| bytes.truncate(30)), "of an item's first purchase, found the end of the file"),
    ];
    for (error, words) in cases {
        assert!(error.contains(words) && error.contains("hint: fit anew"), "{error}");
    }
}

#[test]
fn the_manifest_has_the_default_settings_and_an_empty_model() {
    let manifest = include_str!("../plugin.toml");
    let config = manifest.split_once("\n[config]\n").unwrap().1.split_once("\n[limits]").unwrap().0;
    let lines = config.lines().filter(|line| !line.starts_with('#'));
    let pairs: Vec<String> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    assert_eq!(Settings::read(&format!("{{{}}}", pairs.join(","))).unwrap(), Settings::default());
    assert!(include_bytes!("../model/neighbours.bin").is_empty());
}
