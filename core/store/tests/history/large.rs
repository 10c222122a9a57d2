//! Records with long lists in their payloads, such as what was found in a film.

use super::*;

/// Entries of a long list: some 10 MB of JSON with those beside it.
const ENTRIES: usize = 200_000;

/// The fields of a film in which `count` cars and buses were found.
fn film(count: usize) -> Value {
    let numbers = |step: f64| (0..count).map(|entry| json!(entry as f64 * step)).collect::<Vec<_>>();
    let labels: Vec<&str> = (0..count).map(|entry| if entry % 3 == 0 { "bus" } else { "car" }).collect();
    json!({
        "frame": (0..count).map(|entry| entry / 20).collect::<Vec<_>>(),
        "x": numbers(0.003_125),
        "score": numbers(1.0 / ENTRIES as f64),
        "label": labels,
    })
}

fn film_inputs() -> SchemaRef {
    let list = |name: &str, item| {
        Field::new(name, DataType::List(Arc::new(Field::new_list_field(item, false))), name != "score")
    };
    Arc::new(Schema::new(vec![
        list("frame", DataType::Int64),
        list("x", DataType::Float64),
        list("score", DataType::Float64),
        list("label", DataType::Utf8),
    ]))
}

async fn looked_up(shop: &Shop, ids: &[i64]) -> Result<HistoryBatch, HistoryErrorKind> {
    lookup(&shop.store, DOMAIN, &film_inputs(), &[], ids, None).await.map_err(|error| error.kind)
}

#[tokio::test]
async fn two_hundred_thousand_entries_are_one_record() {
    let shop = Shop::open(vec![vec![Order::at(1, film(ENTRIES))]]).await;
    let batch = looked_up(&shop, &shop.ids).await.unwrap();
    let list = |column: usize| batch.records.column(column).as_list::<i32>().value(0);
    assert_eq!(list(0).as_primitive::<Int64Type>().value(ENTRIES - 1), (ENTRIES as i64 - 1) / 20);
    let x = list(1);
    let x = x.as_primitive::<Float64Type>().values();
    assert!((0..ENTRIES).all(|entry| x[entry] == entry as f64 * 0.003_125), "numbers are exact");
    assert_eq!(list(3).as_string::<i32>().value(ENTRIES - 1), "car");
    assert_eq!(shop.walk(WalkOptions::new(DOMAIN, film_inputs(), Vec::new())).await, [batch]);
}

#[tokio::test]
async fn large_records_among_small_ones_are_walked_in_order() {
    // Of a few bytes, some more than are joined in a row, and some more than a chunk aims at.
    const LARGE: usize = 130_000;
    let counts = [1, 2, 700, 0, LARGE, 3, 700, LARGE, LARGE, 1, 1];
    let orders = (0..counts.len()).map(|time| Order::at(time as i64, film(counts[time]))).collect();
    let shop = Shop::open(vec![orders]).await;
    let walked = shop.walk(WalkOptions::new(DOMAIN, film_inputs(), Vec::new())).await;
    let ids: Vec<i64> = walked.iter().flat_map(|batch| batch.ids.clone()).collect();
    assert_eq!(ids, shop.ids);
    for batch in walked {
        let items = batch.records.column(0).as_list::<i32>().values().len();
        assert!(items < 2 * LARGE, "a chunk ends after a large record");
        for (row, &id) in batch.ids.iter().enumerate() {
            let alone = looked_up(&shop, &[id]).await.unwrap();
            assert_eq!(alone.records, batch.records.slice(row, 1), "record {id}");
        }
    }
}

#[tokio::test]
async fn more_than_a_batch_may_hold_is_looked_up_in_parts() {
    let shop = Shop::open(vec![(0..5).map(|time| Order::at(time, film(ENTRIES))).collect()]).await;
    let kind = looked_up(&shop, &shop.ids).await.unwrap_err();
    assert!(matches!(kind, HistoryErrorKind::Full { records: 5 }), "{kind:?}");
    assert!(kind.hint().is_some());
    assert_eq!(looked_up(&shop, &shop.ids[..2]).await.unwrap().ids, shop.ids[..2]);
}

#[tokio::test]
async fn a_payload_has_a_limit() {
    let shop = Shop::open(Vec::new()).await;
    let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&shop.store, DOMAIN, Vec::new(), source).await.unwrap();
    let record = |bytes: usize| NewRecord {
        external_id: None,
        event_time: 0,
        payload: format!("{{\"note\":\"{}\"}}", "x".repeat(bytes - r#"{"note":""}"#.len())),
        keys: Vec::new(),
        labels: Vec::new(),
        media: Vec::new(),
    };
    let (longest, longer) = (record(PAYLOAD_BYTES_MAX), record(PAYLOAD_BYTES_MAX + 1));
    let kind = appender.append(vec![longer]).await.unwrap_err().kind;
    let expected =
        format!("it has {} bytes, and at most {PAYLOAD_BYTES_MAX} are kept", PAYLOAD_BYTES_MAX + 1);
    assert!(kind.to_string().ends_with(&expected), "{kind}");
    appender.append(vec![longest]).await.unwrap();
}
