//! The newest record of each key value, and the order of records in time.

use std::collections::BTreeMap;

use foretell_store::members::Members;
use foretell_store::record::{Appender, NewRecord, NewestRecord, Outcome};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::{AssertSqlSafe, Row};

use crate::shop::{Shop, source};

/// A record as the tests make them: whose, when, and which item, if any.
#[derive(Clone, Debug)]
struct Event {
    who: Option<&'static str>,
    time: i64,
    item: Option<u8>,
    /// Whether an item that is not there is a null of JSON.
    is_null: bool,
    is_elsewhere: bool,
}

fn event() -> impl Strategy<Value = Event> {
    let who = prop_oneof![Just(None), Just(Some("ann")), Just(Some("bob")), Just(Some("7"))];
    let item = prop::option::weighted(0.7, 0..5_u8);
    (who, 0..12_i64, item, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(who, time, item, is_null, is_elsewhere)| Event { who, time, item, is_null, is_elsewhere })
}

fn payload(event: &Event) -> String {
    let mut payload = serde_json::json!({});
    match event.who {
        // A key that is a number in the payload is a text as a key.
        Some("7") => payload["who"] = 7.into(),
        Some(who) => payload["who"] = who.into(),
        None => (),
    }
    match event.item {
        Some(item) if item % 2 == 0 => payload["item"] = i64::from(item).into(),
        Some(item) => payload["item"] = item.to_string().into(),
        None if event.is_null => payload["item"] = serde_json::Value::Null,
        None => (),
    }
    payload.to_string()
}

/// A shop with these records; their ids, in order.
async fn stored(events: &[Event]) -> (Shop, Vec<i64>) {
    let shop = Shop::new().await;
    let mut ids = Vec::new();
    for event in events {
        let domain = if event.is_elsewhere { "lab" } else { "shop" };
        let mut appender = Appender::begin(&shop.store, domain, vec!["who".into()], source()).await.unwrap();
        let record = NewRecord {
            external_id: None,
            event_time: event.time,
            payload: payload(event),
            keys: vec![event.who.map(str::to_owned)],
            labels: Vec::new(),
            media: vec![],
        };
        ids.extend(appender.append(vec![record]).await.unwrap().into_iter().map(Outcome::record_id));
    }
    (shop, ids)
}

async fn newest(shop: &Shop) -> Vec<NewestRecord> {
    let mut all = Vec::new();
    let mut newest = shop.store.newest("shop", "who").await.unwrap();
    while let Some(page) = newest.next().await.unwrap() {
        all.extend(page);
    }
    all
}

#[test]
fn newest_records_and_the_order_of_time_are_those_of_a_plain_reading() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let world = prop::collection::vec(event(), 0..30);
    let outcome = runner.run(&world, |events| {
        runtime.block_on(async {
            let (shop, ids) = stored(&events).await;
            let mut order: Vec<usize> =
                (0..events.len()).filter(|place| !events[*place].is_elsewhere).collect();
            order.sort_by_key(|place| (events[*place].time, ids[*place]));
            let mut last: BTreeMap<&str, usize> = BTreeMap::new();
            for place in &order {
                events[*place].who.map(|who| last.insert(who, *place));
            }
            let expected = last.into_iter().map(|(who, place)| NewestRecord {
                value: who.to_owned(),
                record_id: ids[place],
                event_time: events[place].time,
                payload: payload(&events[place]),
            });
            prop_assert_eq!(newest(&shop).await, expected.collect::<Vec<_>>());

            let members: Members = ids.iter().copied().filter(|id| id % 3 > 0).collect();
            let mut expected: Vec<usize> = (0..events.len()).filter(|place| ids[*place] % 3 > 0).collect();
            expected.sort_by_key(|place| (events[*place].time, ids[*place]));
            let expected: Vec<i64> = expected.into_iter().map(|place| ids[place]).collect();
            prop_assert_eq!(shop.store.ids_by_time(&members).await.unwrap(), expected);
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    const RECORDS: i64 = 20_000;
    let shop = Shop::new().await;
    let keys = vec!["who".to_owned()];
    let mut appender = Appender::begin(&shop.store, "shop", keys, source()).await.unwrap();
    let record = |number: i64| NewRecord {
        external_id: None,
        // Many at the same time, so that pages end between them.
        event_time: number / 1_000,
        payload: format!(r#"{{"who":"{}","item":"{number}"}}"#, number % 5_000),
        keys: vec![Some((number % 5_000).to_string())],
        labels: Vec::new(),
        media: vec![],
    };
    appender.append((0..RECORDS).map(record).collect()).await.unwrap();
    let newest = newest(&shop).await;
    assert_eq!(newest.len(), 5_000);
    assert!(newest.iter().all(|one| one.record_id > RECORDS - 5_000), "{newest:?}");
    assert!(newest.is_sorted_by(|one, other| one.value < other.value));
}

#[tokio::test]
async fn the_readers_of_keys_use_an_index() {
    let shop = Shop::new().await;
    let queries = [
        "SELECT value, (SELECT record_id FROM record_key WHERE entity_id = entity.id
                        ORDER BY event_time DESC, record_id DESC LIMIT 1)
         FROM entity WHERE domain = 'a' AND name = 'b' AND value >= 'c' AND (value > 'c' OR 0) ORDER BY value LIMIT 5",
        "SELECT id FROM record NOT INDEXED WHERE id > 5 AND domain = 'a' AND event_time < 7 ORDER BY id LIMIT 1",
    ];
    for query in queries {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        for step in sqlx::query(sql).fetch_all(&mut shop.other().await).await.unwrap() {
            let step: &str = step.get("detail");
            assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{query}: {step}");
        }
    }
}
