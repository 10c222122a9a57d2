//! The past of records, as the definition in the docs of `history` reads it.
//!
//! `expected` in `property` is that definition, written down as plainly as it goes: for each record, look at every other
//! one. The property test holds both ways of the store against it.

mod large;
mod property;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ListArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::concat::concat_batches;
use foretell_store::history::{
    FieldKind, HistoryBatch, HistoryErrorKind, HistoryField, HistorySpec, Portion, Walk, WalkOptions,
    Watermarks, arrow_type, lookup,
};
use foretell_store::label::{Label, NewLabel};
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, PAYLOAD_BYTES_MAX, SourceInfo, SourceKind,
};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const DOMAIN: &str = "shop";
const KEYS: [&str; 2] = ["customer", "branch"];
const LABELS: [&str; 2] = ["returned", "class"];

/// A store with records, and what was put into it.
struct Shop {
    store: Store,
    ids: Vec<i64>,
    _directory: TempDir,
}

impl Shop {
    /// Appends each batch in a transaction of its own; ids are in the order of the records.
    async fn open(batches: Vec<Vec<Order>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        let mut shop = Self { store, ids: Vec::new(), _directory: directory };
        for orders in batches {
            shop.append(&orders).await;
        }
        shop
    }

    async fn append(&mut self, orders: &[Order]) {
        let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
        let keys = KEYS.map(str::to_owned).to_vec();
        let mut appender = Appender::begin(&self.store, DOMAIN, keys, source).await.unwrap();
        let outcomes = appender.append(orders.iter().map(Order::record).collect()).await.unwrap();
        self.ids.extend(outcomes.iter().map(|outcome| outcome.record_id()));
    }

    async fn lookup(&self, specs: &[HistorySpec], ids: &[i64]) -> HistoryBatch {
        lookup(&self.store, DOMAIN, &inputs(), specs, ids, None).await.unwrap()
    }

    async fn walk(&self, options: WalkOptions) -> Vec<HistoryBatch> {
        let mut walk = Walk::new(&self.store, options).await.unwrap();
        let mut batches = Vec::new();
        while let Some(batch) = walk.next().await.unwrap() {
            batches.push(batch);
        }
        batches
    }

    /// The records of one portion after the other, in one walk.
    async fn walk_portions(&self, options: WalkOptions, portions: &[Portion]) -> Vec<HistoryBatch> {
        let mut walk = Walk::new(&self.store, options).await.unwrap();
        let mut batches = Vec::new();
        for portion in portions {
            while let Some(batch) = walk.next_of(portion).await.unwrap() {
                let rejected = batch.rejects.iter().filter_map(|reject| reject.record_id);
                assert!(batch.ids.iter().copied().chain(rejected).all(|id| portion.members.contains(id)));
                batches.push(batch);
            }
        }
        batches
    }
}

/// A record to be stored.
#[derive(Clone, Debug)]
struct Order {
    time: i64,
    keys: [Option<String>; 2],
    fields: Map<String, Value>,
    labels: Vec<(&'static str, LabelValue, i64)>,
}

impl Order {
    /// An order of customer `a`.
    fn at(time: i64, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        Self { time, keys: [Some("a".into()), None], fields, labels: Vec::new() }
    }

    fn label(mut self, name: &'static str, value: LabelValue, known_at: i64) -> Self {
        self.labels.push((name, value, known_at));
        self
    }

    fn payload(&self) -> Value {
        let keys = KEYS.iter().zip(&self.keys).filter_map(|(name, value)| Some((*name, value.as_ref()?)));
        let keys = keys.map(|(name, value)| (name.to_owned(), json!(value)));
        Value::Object(keys.chain(self.fields.clone()).collect())
    }

    fn record(&self) -> NewRecord {
        let label = |(name, value, known_at): &(&str, LabelValue, i64)| NewRecordLabel {
            name: (*name).into(),
            value: value.clone(),
            known_at: *known_at,
        };
        NewRecord {
            external_id: None,
            event_time: self.time,
            payload: self.payload().to_string(),
            keys: self.keys.to_vec(),
            labels: self.labels.iter().map(label).collect(),
            media: vec![],
        }
    }
}

fn inputs() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("customer", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, false),
    ]))
}

fn spec(window: i64, delay: i64, fields: Vec<HistoryField>) -> HistorySpec {
    HistorySpec { name: "past".into(), key: "customer".into(), window, delay, fields }
}

fn field(name: &str, kind: FieldKind) -> HistoryField {
    HistoryField::Record { name: name.into(), kind }
}

fn label(name: &str, kind: FieldKind) -> HistoryField {
    HistoryField::Label { name: name.into(), kind }
}

/// A past event as plain values: its time, then the fields.
type Event = (i64, Vec<Value>);

fn events(list: &ListArray, row: usize) -> Vec<Event> {
    let items = list.value(row);
    let items = items.as_struct();
    let times = items.column(0).as_primitive::<TimestampMicrosecondType>();
    let fields = |index| items.columns()[1..].iter().map(|column| plain(column, index)).collect();
    (0..items.len()).map(|index| (times.value(index), fields(index))).collect()
}

fn plain(column: &dyn Array, index: usize) -> Value {
    match column.data_type() {
        _ if column.is_null(index) => Value::Null,
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(index)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(index)),
        DataType::Boolean => json!(column.as_boolean().value(index)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(index)),
        _ => json!(column.as_primitive::<TimestampMicrosecondType>().value(index)),
    }
}

fn times(list: &ListArray, row: usize) -> Vec<i64> {
    events(list, row).into_iter().map(|(time, _)| time).collect()
}

/// Both ways, which must agree; rows in the order of (event time, id).
async fn both(shop: &Shop, spec: HistorySpec) -> HistoryBatch {
    let batches = shop.walk(WalkOptions::new(DOMAIN, inputs(), vec![spec.clone()])).await;
    let [batch] = batches.try_into().expect("few records make one batch");
    let rejected = batch.rejects.iter().filter_map(|reject| reject.record_id);
    let ids: Vec<i64> = rejected.chain(batch.ids.iter().copied()).collect();
    assert_eq!(shop.lookup(&[spec], &ids).await, batch);
    batch
}

#[tokio::test]
async fn a_window_is_open_at_its_far_end_and_closed_at_its_near_end() {
    let orders = [0, 1, 60, 61, 100].map(|time| Order::at(time, json!({ "amount": 1 })));
    let shop = Shop::open(vec![orders.to_vec()]).await;
    let batch = both(&shop, spec(100, 40, vec![])).await;
    // At 100 the window is (0, 60]: 0 is out, 60 is in, 61 is out.
    assert_eq!(times(&batch.history[0], 4), [1, 60]);
    assert_eq!(times(&batch.history[0], 3), [0, 1]);
}

#[tokio::test]
async fn records_at_the_same_time_are_ordered_by_id_and_none_is_in_its_own_past() {
    let orders = [1.0, 2.0, 3.0].map(|amount| Order::at(10, json!({ "amount": amount })));
    let shop = Shop::open(vec![orders.to_vec()]).await;
    let batch = both(&shop, spec(5, 0, vec![field("amount", FieldKind::Float64)])).await;
    assert_eq!(batch.ids, shop.ids);
    assert_eq!(events(&batch.history[0], 0), []);
    assert_eq!(events(&batch.history[0], 1), [(10, vec![json!(1.0)])]);
    assert_eq!(events(&batch.history[0], 2), [(10, vec![json!(1.0)]), (10, vec![json!(2.0)])]);
}

#[tokio::test]
async fn a_label_counts_from_the_moment_it_is_known_until_a_later_one_overrules_it() {
    let order = |time| Order::at(time, json!({ "amount": 1 }));
    let first = order(0)
        .label("returned", LabelValue::Bool(false), 30)
        .label("returned", LabelValue::Bool(true), 20)
        .label("returned", LabelValue::Bool(true), 30);
    let shop = Shop::open(vec![vec![first, order(19), order(20), order(29), order(30)]]).await;
    let batch = both(&shop, spec(100, 0, vec![label("returned", FieldKind::Bool)])).await;
    let known = |row| events(&batch.history[0], row)[0].1[0].clone();
    assert_eq!(known(1), Value::Null);
    assert_eq!(known(2), json!(true), "known at exactly the time of the record");
    assert_eq!(known(3), json!(true));
    assert_eq!(known(4), json!(true), "at the same time the later id holds");

    let overruling = NewLabel {
        record_id: shop.ids[0],
        name: "returned".into(),
        value: LabelValue::Bool(false),
        known_at: 25,
        source: "review".into(),
    };
    shop.store.add_labels(&[overruling]).await.unwrap();
    let batch = both(&shop, spec(100, 0, vec![label("returned", FieldKind::Bool)])).await;
    let known: Vec<Value> = (1..5).map(|row| events(&batch.history[0], row)[0].1[0].clone()).collect();
    assert_eq!(known, [Value::Null, json!(true), json!(false), json!(true)]);
}

#[tokio::test]
async fn a_late_arrival_changes_the_past_of_later_records_except_under_watermarks() {
    let order = |time| Order::at(time, json!({ "amount": time }));
    let mut shop = Shop::open(vec![vec![order(10), order(30)]]).await;
    let options = WalkOptions::new(DOMAIN, inputs(), vec![spec(100, 0, vec![])]);
    let watermarks = Walk::new(&shop.store, options.clone()).await.unwrap().watermarks();
    let before = shop.walk(options.clone()).await;

    shop.append(&[order(20)]).await;
    let after = both(&shop, spec(100, 0, vec![])).await;
    assert_eq!(after.event_times, [10, 20, 30]);
    assert_eq!(times(&after.history[0], 2), [10, 20]);

    let again = shop.walk(WalkOptions { watermarks: Some(watermarks), ..options }).await;
    assert_eq!(times(&again[0].history[0], 2), [10], "as before the late arrival");
    assert_eq!(times(&before[0].history[0], 1), [10]);
    let ids = &after.ids;
    let online =
        lookup(&shop.store, DOMAIN, &inputs(), &[spec(100, 0, vec![])], ids, Some(watermarks)).await.unwrap();
    assert_eq!(online, again[0]);
}

#[tokio::test]
async fn what_does_not_fit_is_set_aside_and_is_a_null_in_the_past_of_others() {
    let orders = vec![
        Order::at(1, json!({ "amount": "many", "items": 3 })),
        Order::at(2, json!({ "items": 5.5 })),
        Order::at(3, json!({ "amount": null, "items": 7.0 })),
        Order::at(4, json!({ "amount": "57.16", "items": "2" })),
        Order::at(5, json!({ "amount": 1, "items": [1] })),
    ];
    let shop = Shop::open(vec![orders]).await;
    let fields = vec![field("amount", FieldKind::Float64), field("items", FieldKind::Int64)];
    let batch = both(&shop, spec(100, 0, fields)).await;

    assert_eq!(batch.event_times, [4, 5]);
    let reasons: Vec<_> = batch
        .rejects
        .iter()
        .map(|reject| (reject.record_id.unwrap(), reject.field.as_deref().unwrap(), reject.reason.as_str()))
        .collect();
    let missing = "expected a number, found nothing";
    let misfit = "expected a number, found `\"many\"`";
    assert_eq!(
        reasons,
        [(shop.ids[0], "amount", misfit), (shop.ids[1], "amount", missing), (shop.ids[2], "amount", missing)]
    );
    let past = [
        (1, vec![Value::Null, json!(3)]),
        (2, vec![Value::Null, Value::Null]),
        (3, vec![Value::Null, json!(7)]),
        (4, vec![json!(57.16), json!(2)]),
    ];
    assert_eq!(events(&batch.history[0], 1), past);
}

#[tokio::test]
async fn input_fields_come_in_the_order_of_the_schema_with_the_time_of_the_record() {
    let order = Order::at(7, json!({ "amount": 2.5, "event_time": 1 }));
    let shop = Shop::open(vec![vec![order]]).await;
    let batch = both(&shop, spec(5, 0, vec![])).await;
    assert_eq!(batch.records.schema(), inputs());
    let row: Vec<Value> = batch.records.columns().iter().map(|column| plain(column, 0)).collect();
    assert_eq!(row, [json!(7), json!("a"), json!(2.5)]);
}

#[tokio::test]
async fn a_walk_without_specs_or_inputs_still_counts_records() {
    let shop = Shop::open(vec![(0..5).map(|time| Order::at(time, json!({}))).collect()]).await;
    let mut options = WalkOptions::new(DOMAIN, Arc::new(Schema::empty()), vec![]);
    (options.from, options.to, options.batch_rows) = (Some(1), Some(4), 2);
    let batches = shop.walk(options).await;
    let rows: Vec<usize> = batches.iter().map(|batch| batch.records.num_rows()).collect();
    assert_eq!(rows, [2, 1]);
}

#[tokio::test]
async fn specs_that_contradict_themselves_are_refused() {
    let shop = Shop::open(vec![]).await;
    let amount = |kind| field("amount", kind);
    let cases = [
        (spec(10, 10, vec![]), "Window"),
        (spec(10, -1, vec![]), "Window"),
        (spec(10, 0, vec![field("event_time", FieldKind::Timestamp)]), "Reserved"),
        (spec(10, 0, vec![amount(FieldKind::Float64), amount(FieldKind::Float64)]), "Repeated"),
        (spec(10, 0, vec![amount(FieldKind::Int64)]), "FieldType"),
        (HistorySpec { key: "amount".into(), ..spec(10, 0, vec![]) }, "FieldType"),
    ];
    for (spec, expected) in cases {
        let online =
            lookup(&shop.store, DOMAIN, &inputs(), std::slice::from_ref(&spec), &[], None).await.unwrap_err();
        let batch = Walk::new(&shop.store, WalkOptions::new(DOMAIN, inputs(), vec![spec])).await.unwrap_err();
        for error in [online, batch] {
            assert!(format!("{:?}", error.kind).starts_with(expected), "{error:?}");
        }
    }
    let missing = lookup(&shop.store, DOMAIN, &inputs(), &[], &[1], None).await.unwrap_err();
    assert!(matches!(missing.kind, HistoryErrorKind::NoRecord(1)), "{missing:?}");
}

#[tokio::test]
async fn lists_of_a_payload_are_input_columns_like_others() {
    let mut shop = Shop::open(Vec::new()).await;
    let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&shop.store, DOMAIN, vec!["customer".into()], source).await.unwrap();
    let payloads = [
        r#"{"customer":"a","items":["tea","milk"],"sizes":[1.5]}"#,
        r#"{"customer":"a","items":[]}"#,
        r#"{"customer":"a","items":null,"sizes":null}"#,
        r#"{"customer":"a","items":"tea"}"#,
        r#"{"customer":"a","items":["tea"],"sizes":["much"]}"#,
        r#"{"customer":"a","sizes":[2,3]}"#,
    ];
    let record = |(time, payload): (usize, &&str)| NewRecord {
        external_id: None,
        event_time: time as i64,
        payload: (*payload).to_owned(),
        keys: vec![Some("a".into())],
        labels: Vec::new(),
        media: vec![],
    };
    let outcomes = appender.append(payloads.iter().enumerate().map(record).collect()).await.unwrap();
    shop.ids.extend(outcomes.iter().map(|outcome| outcome.record_id()));

    let list =
        |name: &str, item| Field::new(name, DataType::List(Arc::new(Field::new("item", item, false))), true);
    let inputs: SchemaRef =
        Arc::new(Schema::new(vec![list("items", DataType::Utf8), list("sizes", DataType::Float64)]));
    let past = HistorySpec {
        name: "past".into(),
        key: "customer".into(),
        window: 100,
        delay: 0,
        fields: Vec::new(),
    };
    let online =
        lookup(&shop.store, DOMAIN, &inputs, std::slice::from_ref(&past), &shop.ids, None).await.unwrap();
    let kept: Vec<i64> = [0, 1, 2, 5].map(|place| shop.ids[place]).to_vec();
    assert_eq!(online.ids, kept);
    let items = online.records.column(0).as_list::<i32>();
    let lengths: Vec<Option<i32>> =
        (0..items.len()).map(|row| items.is_valid(row).then(|| items.value_length(row))).collect();
    assert_eq!(lengths, [Some(2), Some(0), None, None]);
    assert_eq!(items.value(0).as_string::<i32>().value(1), "milk");
    let sizes = online.records.column(1).as_list::<i32>();
    assert_eq!(sizes.value(3).as_primitive::<Float64Type>().values(), &[2.0, 3.0]);
    let rejects: Vec<_> =
        online.rejects.iter().map(|reject| (reject.field.as_deref(), reject.reason.as_str())).collect();
    let expected = [
        (Some("items"), "expected a list of texts, found `\"tea\"`"),
        (Some("sizes"), "expected a list of numbers, found `\"much\"` as item 1"),
    ];
    assert_eq!(rejects, expected);
    // What was set aside is still in the past of what came after.
    assert_eq!(online.history[0].value_length(3), 5);

    let walked = shop.walk(WalkOptions::new(DOMAIN, inputs, vec![past])).await;
    assert_eq!(walked, [online]);
}
