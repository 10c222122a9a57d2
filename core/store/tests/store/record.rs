use std::collections::HashMap;
use std::future::Future;
use std::task::{Context, Waker};

use foretell_store::record::{
    AppendErrorKind, Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, RecordFilter, Reject,
    RejectFilter,
};
use proptest::prelude::*;

use crate::shop::{Shop, order, source};

#[tokio::test]
async fn a_record_is_read_back_as_it_was_stored() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 10)]).await;
    let record = shop.store.record(ids[0]).await.unwrap().unwrap();
    assert_eq!(record.external_id.as_deref(), Some("order-1"));
    assert_eq!(record.event_time, 10);
    assert_eq!(record.payload, r#"{"customer":"ann","amount":1.5}"#);
    assert_eq!(record.domain, "shop");
    assert_eq!(shop.store.record_by_external_id("shop", "order-1").await.unwrap(), Some(record.clone()));
    assert_eq!(shop.store.record_by_external_id("warehouse", "order-1").await.unwrap(), None);
    assert_eq!(shop.store.record(999).await.unwrap(), None);

    let source = shop.store.source(record.source_id).await.unwrap().unwrap();
    assert_eq!(
        (source.kind.as_str(), source.name.as_str(), source.hash.as_deref()),
        ("file", "orders.csv", Some("aa"))
    );
    assert_eq!(source.finished_at, None, "the appender was dropped, not finished");
}

#[tokio::test]
async fn a_finished_source_is_marked() {
    let shop = Shop::new().await;
    shop.appender().await.finish().await.unwrap();
    let sources = shop.store.sources("shop").await.unwrap();
    assert!(sources[0].finished_at.unwrap() >= sources[0].started_at);
}

#[tokio::test]
async fn appending_again_stores_nothing_and_tells_a_repetition_from_a_conflict() {
    // More than one statement long, so that the comparison covers full and partial ones.
    let orders: Vec<_> = (0..1_300).map(|number| order(number, "ann", number)).collect();
    let (shop, ids) = Shop::with(orders.clone()).await;
    let mut again = orders;
    again[3].event_time += 1;
    again[700].payload = r#"{"customer":"bob"}"#.into();
    again.push(order(5_000, "bob", 1));

    let outcomes = shop.appender().await.append(again).await.unwrap();
    for (position, outcome) in outcomes.iter().enumerate() {
        match position {
            3 | 700 => assert_eq!(*outcome, Outcome::Conflict(ids[position])),
            1_300 => assert!(matches!(outcome, Outcome::Stored(id) if !ids.contains(id))),
            _ => assert_eq!(*outcome, Outcome::AlreadyStored(ids[position])),
        }
    }
    assert_eq!(shop.count("record").await, 1_301);
    assert_eq!(shop.count("label").await, 1_301);
    assert_eq!(shop.count("record_key").await, 1_301);
    assert_eq!(
        shop.store.record(ids[700]).await.unwrap().unwrap().payload,
        r#"{"customer":"ann","amount":700.5}"#
    );
}

#[tokio::test]
async fn a_batch_may_repeat_itself_and_records_without_a_name_are_never_the_same() {
    let shop = Shop::new().await;
    let nameless = NewRecord { external_id: None, ..order(1, "ann", 10) };
    let changed = NewRecord { event_time: 11, ..order(1, "ann", 10) };
    let batch = vec![order(1, "ann", 10), nameless.clone(), order(1, "ann", 10), nameless, changed];
    let outcomes = shop.appender().await.append(batch).await.unwrap();
    let id = outcomes[0].record_id();
    assert!(matches!(outcomes[0], Outcome::Stored(_)));
    assert!(matches!(outcomes[1], Outcome::Stored(_)));
    assert_eq!(outcomes[2], Outcome::AlreadyStored(id));
    assert!(matches!(outcomes[3], Outcome::Stored(other) if other != outcomes[1].record_id()));
    assert_eq!(outcomes[4], Outcome::Conflict(id));
}

#[tokio::test]
async fn records_join_the_past_of_their_entities() {
    let mut nobody = order(3, "ann", 30);
    nobody.keys = vec![None];
    let (shop, ids) =
        Shop::with(vec![order(1, "ann", 10), order(2, "bob", 20), nobody, order(4, "ann", 5)]).await;
    let of_ann =
        RecordFilter { key: Some(("customer".into(), "ann".into())), ..RecordFilter::domain("shop") };
    let found = |filter: RecordFilter| {
        let store = shop.store.clone();
        async move {
            let records = store.records(&filter, 10).await.unwrap();
            assert_eq!(store.count(&filter).await.unwrap(), records.len() as u64);
            records.into_iter().map(|record| record.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(found(of_ann.clone()).await, [ids[3], ids[0]]);
    assert_eq!(found(RecordFilter { newest_first: true, ..of_ann.clone() }).await, [ids[0], ids[3]]);
    assert_eq!(found(RecordFilter { from: Some(6), ..of_ann.clone() }).await, [ids[0]]);
    assert_eq!(found(RecordFilter { to: Some(10), ..of_ann }).await, [ids[3]]);

    let all = RecordFilter::domain("shop");
    assert_eq!(found(all.clone()).await, [ids[3], ids[0], ids[1], ids[2]]);
    assert_eq!(found(RecordFilter { from: Some(10), to: Some(30), ..all.clone() }).await, [ids[0], ids[1]]);
    assert_eq!(
        shop.store.records(&RecordFilter { newest_first: true, ..all }, 1).await.unwrap()[0].id,
        ids[2]
    );
    assert_eq!(found(RecordFilter::domain("warehouse")).await, [0_i64; 0]);
}

#[tokio::test]
async fn a_bad_record_refuses_the_whole_batch_and_is_named() {
    let shop = Shop::new().await;
    let mut appender = shop.appender().await;
    let label = |value| vec![NewRecordLabel { name: "returned".into(), value, known_at: 1 }];
    let bad = |change: &dyn Fn(&mut NewRecord)| {
        let mut record = order(2, "ann", 10);
        change(&mut record);
        record
    };
    let payloads = ["", "[]", "\"{}\"", "{", "{\"a\":1}\n", "{\"a\":\n1}", "{\"a\":NaN}", "{} {}"];
    for payload in payloads {
        let kind = refused(&mut appender, bad(&|record| record.payload = payload.into())).await;
        assert!(matches!(kind, AppendErrorKind::Payload { index: 1, .. }), "{payload:?}: {kind:?}");
    }
    let secret = bad(&|record| record.payload = r#"{"card":"4929 0000 1111 2222",}"#.into());
    assert!(
        !refused(&mut appender, secret).await.to_string().contains("4929"),
        "payloads stay out of messages"
    );

    let kind = refused(&mut appender, bad(&|record| record.event_time = i64::MAX)).await;
    assert!(matches!(kind, AppendErrorKind::Time { index: 1, time: i64::MAX }));
    let kind = refused(&mut appender, bad(&|record| record.keys.clear())).await;
    assert!(matches!(kind, AppendErrorKind::KeyCount { index: 1, expected: 1, found: 0 }));
    let kind = refused(&mut appender, bad(&|record| record.keys = vec![Some("a\0b".into())])).await;
    assert!(matches!(kind, AppendErrorKind::Nul { index: 1, field } if field == "customer"));
    let kind = refused(&mut appender, bad(&|record| record.external_id = Some("\0".into()))).await;
    assert!(matches!(kind, AppendErrorKind::Nul { index: 1, field } if field == "external id"));
    for value in [f64::NAN, f64::INFINITY] {
        let kind =
            refused(&mut appender, bad(&|record| record.labels = label(LabelValue::Number(value)))).await;
        assert!(matches!(kind, AppendErrorKind::LabelNotFinite { index: 1, name } if name == "returned"));
    }
    assert_eq!(shop.count("record").await, 0);
    appender.append(vec![order(1, "ann", 10)]).await.unwrap();
}

async fn refused(appender: &mut Appender, record: NewRecord) -> AppendErrorKind {
    appender.append(vec![order(1, "ann", 10), record]).await.unwrap_err().kind
}

#[tokio::test]
async fn a_key_cannot_be_named_twice() {
    let shop = Shop::new().await;
    let keys = vec!["customer".into(), "shop".into(), "customer".into()];
    let error = Appender::begin(&shop.store, "shop", keys, source()).await.unwrap_err();
    assert!(matches!(error.kind, AppendErrorKind::KeyRepeated(name) if name == "customer"));
}

#[tokio::test]
async fn rejects_are_kept_as_they_came() {
    let shop = Shop::new().await;
    let mut appender = shop.appender().await;
    let reject = Reject {
        record_id: None,
        line: Some(17),
        field: Some("amount".into()),
        reason: "expected a number, found `abc`".into(),
        content: Some("1,abc".into()),
    };
    appender.append_with_rejects(vec![order(1, "ann", 10)], vec![reject.clone()]).await.unwrap();
    appender.reject(vec![Reject { line: Some(18), ..reject.clone() }]).await.unwrap();

    let filter = RejectFilter::Source(appender.source_id());
    let kept = shop.store.rejects(filter, 10).await.unwrap();
    assert_eq!(shop.store.count_rejects(filter).await.unwrap(), 2);
    assert_eq!(kept[0].reason, reject.reason);
    assert_eq!((kept[0].line, kept[1].line), (Some(17), Some(18)));
    assert_eq!((kept[0].field.as_deref(), kept[0].content.as_deref()), (Some("amount"), Some("1,abc")));
    assert_eq!(shop.store.count_rejects(RejectFilter::Source(999)).await.unwrap(), 0);
    assert_eq!(shop.store.rejects(RejectFilter::All, 1).await.unwrap().len(), 1);
}

/// Polls a future `polls` times and drops it.
async fn abandon<F: Future>(future: F, polls: usize) -> bool {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        // The connection works on a thread of its own: let it get on.
        tokio::time::sleep(std::time::Duration::from_micros(300)).await;
    }
    false
}

#[tokio::test]
async fn an_append_that_is_abandoned_leaves_nothing_or_everything() {
    let shop = Shop::new().await;
    let mut appender = shop.appender().await;
    let mut stored = 0;
    for polls in 0..40 {
        let first = polls * 3_000;
        let batch = (first..first + 3_000)
            .map(|number| order(number, &format!("customer-{number}"), number))
            .collect();
        abandon(appender.append(batch), usize::try_from(polls).unwrap()).await;
        // The next write waits for the abandoned one to be undone.
        let after = appender.append(vec![order(1_000_000 + polls, "ann", 1)]).await.unwrap();
        assert!(matches!(after[0], Outcome::Stored(_)));
        let records = shop.count("record").await - polls - 1;
        assert!(records % 3_000 == 0, "{records} records after an abandoned append");
        assert_eq!(shop.count("label").await, records + polls + 1);
        assert_eq!(shop.count("record_key").await, records + polls + 1);
        stored = records;
    }
    assert!(stored < 40 * 3_000, "no append was abandoned half way: the test shows nothing");
    assert!(shop.store.check().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_failed_append_does_not_remember_entities_that_were_undone() {
    let shop = Shop::new().await;
    let mut appender = shop.appender().await;
    let trigger = "CREATE TRIGGER stop BEFORE INSERT ON record_key BEGIN SELECT raise(ABORT, 'stop'); END";
    sqlx::raw_sql(trigger).execute(&mut shop.other().await).await.unwrap();
    assert!(appender.append(vec![order(1, "ann", 10)]).await.is_err());
    sqlx::raw_sql("DROP TRIGGER stop").execute(&mut shop.other().await).await.unwrap();
    assert_eq!(shop.count("entity").await, 0);

    appender.append(vec![order(2, "bob", 10), order(3, "ann", 20)]).await.unwrap();
    assert!(shop.store.check().await.unwrap().is_sound());
    let of_bob =
        RecordFilter { key: Some(("customer".into(), "bob".into())), ..RecordFilter::domain("shop") };
    assert_eq!(shop.store.records(&of_bob, 10).await.unwrap()[0].external_id.as_deref(), Some("order-2"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is appended, in whatever batches: the database holds the first record of each name, in the past of
    /// exactly its own entity.
    #[test]
    fn appending_keeps_the_first_of_each_name(
        orders in prop::collection::vec((0_i64..40, 0_u8..5, 0_i64..3), 0..120),
        batch in 1_usize..50,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::new().await;
            let mut appender = shop.appender().await;
            let orders: Vec<_> = orders.into_iter().map(|(n, c, time)| order(n, &format!("c{c}"), time)).collect();
            let mut first: HashMap<String, NewRecord> = HashMap::new();
            for batch in orders.chunks(batch) {
                let outcomes = appender.append(batch.to_vec()).await.unwrap();
                for (record, outcome) in batch.iter().zip(outcomes) {
                    let name = record.external_id.clone().unwrap();
                    match (first.get(&name), outcome) {
                        (None, Outcome::Stored(_)) => drop(first.insert(name, record.clone())),
                        (Some(stored), Outcome::AlreadyStored(_)) => assert_eq!(stored, record),
                        (Some(stored), Outcome::Conflict(_)) => assert_ne!(stored, record),
                        (stored, outcome) => panic!("{outcome:?} for {record:?}, stored is {stored:?}"),
                    }
                }
            }
            assert_eq!(shop.count("record").await, i64::try_from(first.len()).unwrap());
            for record in first.values() {
                let value = record.keys[0].clone().unwrap();
                let key = Some(("customer".to_owned(), value));
                let past = shop.store.records(&RecordFilter { key, ..RecordFilter::domain("shop") }, 1_000).await.unwrap();
                assert!(past.iter().any(|stored| stored.external_id == record.external_id
                    && stored.payload == record.payload && stored.event_time == record.event_time));
                assert!(past.is_sorted_by_key(|stored| (stored.event_time, stored.id)));
            }
            assert!(shop.store.check().await.unwrap().is_sound());
        });
    }
}

#[tokio::test]
async fn media_are_stored_with_their_records_each_content_once() {
    use foretell_store::record::NewMedium;
    let shop = Shop::new().await;
    let medium =
        |data: &[u8]| NewMedium { field: "photo".into(), media_type: "image/png".into(), data: data.into() };
    let with = |number, data: &[u8]| NewRecord { media: vec![medium(data)], ..order(number, "ann", number) };
    let orders = vec![with(1, b"one"), with(2, b"two"), with(3, b"one")];
    let outcomes = shop.appender().await.append(orders.clone()).await.unwrap();
    assert_eq!(shop.count("blob").await, 2);
    for (order, outcome) in orders.iter().zip(&outcomes) {
        let hash = order.media[0].hash();
        let blobs = shop.store.record_blobs(outcome.record_id()).await.unwrap();
        assert_eq!(blobs, [("photo".to_owned(), hash.clone())]);
        assert_eq!(shop.store.read_blob(&hash).await.unwrap(), order.media[0].data.as_ref());
    }

    // What is not stored leaves nothing behind: an order that is there already, and a batch that is refused.
    let again = NewRecord { media: vec![medium(b"three")], ..order(1, "ann", 1) };
    let outcomes = shop.appender().await.append(vec![again]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::AlreadyStored(_)]));
    let timeless = NewRecord { event_time: i64::MAX, ..with(4, b"four") };
    shop.appender().await.append(vec![timeless]).await.unwrap_err();
    assert_eq!((shop.count("blob").await, shop.count("record_blob").await), (2, 3));
}
