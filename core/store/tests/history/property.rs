//! The property test: both ways of the store against the definition, written down plainly.

use super::*;

/// A record as it is stored, for the plain reading of the definition.
struct Stored {
    id: i64,
    order: Order,
    labels: Vec<Label>,
}

/// The list of `record`, by the definition.
fn expected(
    all: &[Stored],
    record: &Stored,
    spec: &HistorySpec,
    watermarks: Option<Watermarks>,
) -> Vec<Event> {
    let key = KEYS.iter().position(|key| *key == spec.key).unwrap();
    let t = record.order.time;
    let mut past: Vec<&Stored> = all
        .iter()
        .filter(|event| event.order.keys[key].is_some() && event.order.keys[key] == record.order.keys[key])
        .filter(|event| (event.order.time, event.id) < (t, record.id))
        .filter(|event| t - spec.window < event.order.time && event.order.time <= t - spec.delay)
        .filter(|event| watermarks.is_none_or(|watermarks| event.id <= watermarks.record))
        .collect();
    past.sort_by_key(|event| (event.order.time, event.id));
    let value = |event: &Stored, field: &HistoryField| match field {
        HistoryField::Record { name, kind } => {
            event.order.payload().get(name).map_or(Value::Null, |v| fit(v, *kind))
        }
        HistoryField::Label { name, kind } => event
            .labels
            .iter()
            .filter(|label| label.name == *name && label.known_at <= t)
            .filter(|label| watermarks.is_none_or(|watermarks| label.id <= watermarks.label))
            .max_by_key(|label| (label.known_at, label.id))
            .map_or(Value::Null, |label| fit_label(&label.value, *kind)),
    };
    past.into_iter()
        .map(|event| (event.order.time, spec.fields.iter().map(|field| value(event, field)).collect()))
        .collect()
}

fn fit(value: &Value, kind: FieldKind) -> Value {
    match kind {
        FieldKind::Float64 => json!(value.as_f64()),
        FieldKind::Int64 | FieldKind::Timestamp => json!(value.as_i64()),
        FieldKind::Bool => json!(value.as_bool()),
        FieldKind::Utf8 => match value {
            Value::Bool(_) | Value::Number(_) => json!(value.to_string()),
            value => json!(value.as_str()),
        },
    }
}

fn fit_label(value: &LabelValue, kind: FieldKind) -> Value {
    match (kind, value) {
        (FieldKind::Bool, LabelValue::Bool(value)) => json!(value),
        (FieldKind::Int64 | FieldKind::Timestamp, LabelValue::Bool(value)) => json!(i64::from(*value)),
        (FieldKind::Float64, value) => json!(value.as_number()),
        (FieldKind::Utf8, LabelValue::Text(value)) => json!(value),
        _ => Value::Null,
    }
}

/// What the property test puts in and asks for.
#[derive(Clone, Debug)]
struct Case {
    batches: Vec<Vec<Order>>,
    later_labels: Vec<(Index, &'static str, LabelValue, i64)>,
    specs: Vec<HistorySpec>,
    from: Option<i64>,
    to: Option<i64>,
    /// Records that are asked for in portions of so many, instead of all in a range of time.
    members: Option<(Vec<Index>, usize)>,
    watermarks: Option<(Index, Index)>,
    batch_rows: usize,
}

fn label_value() -> impl Strategy<Value = LabelValue> {
    prop_oneof![
        3 => any::<bool>().prop_map(LabelValue::Bool),
        1 => label_number().prop_map(LabelValue::Number),
        1 => "[a-b\\n\",é ]{0,3}".prop_map(LabelValue::Text),
    ]
}

/// A number of a size that is read back exactly, with all its digits.
fn label_number() -> impl Strategy<Value = f64> {
    let powers = prop_oneof![Just(0), -190..190];
    (-2.0..2.0, powers).prop_map(|(number, power): (f64, i32)| number * 2_f64.powi(power))
}

fn payload_fields() -> impl Strategy<Value = Map<String, Value>> {
    let number = (proptest::num::f64::NORMAL | proptest::num::f64::ZERO).prop_map(|v| json!(v));
    let amount = prop_oneof![12 => number, 1 => Just(json!("many")), 1 => Just(Value::Null)];
    let items = prop_oneof![any::<i64>().prop_map(|v| json!(v)), Just(json!(0.5)), Just(Value::Null)];
    let note = prop_oneof!["[a-c\\n\"é]{0,4}".prop_map(|v| json!(v)), Just(json!(7)), Just(json!([1]))];
    let urgent = prop_oneof![any::<bool>().prop_map(|v| json!(v)), Just(json!("yes"))];
    let seen = prop_oneof![(-9_i64..9).prop_map(|v| json!(v)), Just(json!("when"))];
    let all = (amount, items, note, urgent, seen).prop_map(|(amount, items, note, urgent, seen)| {
        vec![("amount", amount), ("items", items), ("note", note), ("urgent", urgent), ("seen", seen)]
    });
    let some =
        all.prop_flat_map(|fields| (subsequence(fields[1..].to_vec(), 0..=4), Just(fields[0].clone())));
    some.prop_map(|(mut fields, amount)| {
        fields.push(amount);
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

fn order() -> impl Strategy<Value = Order> {
    let key = || proptest::option::weighted(0.8, "[ab\"é]".prop_map(String::from));
    let label = (proptest::sample::select(LABELS.to_vec()), label_value(), -10_i64..40);
    (0_i64..60, [key(), key()], payload_fields(), proptest::collection::vec(label, 0..4)).prop_map(
        |(time, keys, fields, labels)| {
            let labels = labels.into_iter().map(|(name, value, later)| (name, value, time + later)).collect();
            Order { time, keys, fields, labels }
        },
    )
}

fn history_spec() -> impl Strategy<Value = HistorySpec> {
    let kinds = || {
        let kinds =
            [FieldKind::Int64, FieldKind::Float64, FieldKind::Bool, FieldKind::Utf8, FieldKind::Timestamp];
        proptest::sample::select(kinds.to_vec())
    };
    let fields = vec![
        field("amount", FieldKind::Float64),
        field("items", FieldKind::Int64),
        field("note", FieldKind::Utf8),
        field("urgent", FieldKind::Bool),
        field("seen", FieldKind::Timestamp),
    ];
    let window = (1_i64..50).prop_flat_map(|window| (Just(window), prop_oneof![Just(0), 0..window]));
    let fields = (subsequence(fields, 0..=5), subsequence(LABELS.to_vec(), 0..=2), kinds());
    (proptest::sample::select(KEYS.to_vec()), window, fields).prop_map(
        |(key, (window, delay), (mut fields, labels, kind))| {
            fields.extend(labels.into_iter().map(|name| label(name, kind)));
            HistorySpec { name: "past".into(), key: key.into(), window, delay, fields }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    use proptest::collection::vec;
    use proptest::option::of;
    let later = (any::<Index>(), proptest::sample::select(LABELS.to_vec()), label_value(), -10_i64..99);
    let members = (vec(any::<Index>(), 1..60), 1_usize..20);
    let orders = vec(vec(order(), 0..40), 1..4);
    let range = (of(-5_i64..70), of(-5_i64..70));
    let ask =
        (vec(history_spec(), 1..4), range, of(members), of((any::<Index>(), any::<Index>())), 1_usize..50);
    (orders, vec(later, 0..9), ask).prop_map(|(batches, later_labels, ask)| {
        let (specs, (from, to), members, watermarks, batch_rows) = ask;
        Case { batches, later_labels, specs, from, to, members, watermarks, batch_rows }
    })
}

/// One batch out of many, for comparison.
fn join(batches: &[HistoryBatch], specs: &[HistorySpec]) -> HistoryBatch {
    let list = |index| {
        let empty = arrow_array::new_empty_array(&arrow_type(&specs[index]));
        let lists = batches.iter().map(|batch| &batch.history[index] as &dyn Array);
        arrow_select::concat::concat(&std::iter::once(&*empty).chain(lists).collect::<Vec<_>>()).unwrap()
    };
    HistoryBatch {
        ids: batches.iter().flat_map(|batch| batch.ids.clone()).collect(),
        event_times: batches.iter().flat_map(|batch| batch.event_times.clone()).collect(),
        records: concat_batches(&inputs(), batches.iter().map(|batch| &batch.records)).unwrap(),
        history: (0..specs.len()).map(|index| list(index).as_list::<i32>().clone()).collect(),
        rejects: batches.iter().flat_map(|batch| batch.rejects.clone()).collect(),
    }
}

async fn check(case: Case) -> Result<(), TestCaseError> {
    let orders: Vec<Order> = case.batches.concat();
    let shop = Shop::open(case.batches).await;
    let later: Vec<NewLabel> = case
        .later_labels
        .into_iter()
        .filter(|_| !shop.ids.is_empty())
        .map(|(index, name, value, known_at)| {
            let record_id = *index.get(&shop.ids);
            NewLabel { record_id, name: name.into(), value, known_at, source: "review".into() }
        })
        .collect();
    shop.store.add_labels(&later).await.unwrap();
    let mut all = Vec::new();
    for (id, order) in shop.ids.iter().zip(orders) {
        all.push(Stored { id: *id, order, labels: shop.store.labels(*id).await.unwrap() });
    }
    let labels: usize = all.iter().map(|record| record.labels.len()).sum();
    let watermarks = case.watermarks.map(|(record, label)| Watermarks {
        record: record.index(all.len() + 1) as i64,
        label: label.index(labels + 1) as i64,
    });

    let mut options = WalkOptions::new(DOMAIN, inputs(), case.specs.clone());
    (options.from, options.to, options.watermarks) = (case.from, case.to, watermarks);
    options.batch_rows = case.batch_rows;
    let mut wanted: Vec<&Stored> = match &case.members {
        Some((picks, _)) if !all.is_empty() => {
            let ids: Members = picks.iter().map(|index| *index.get(&shop.ids)).collect();
            all.iter().filter(|record| ids.contains(record.id)).collect()
        }
        _ => all
            .iter()
            .filter(|record| case.from.is_none_or(|from| from <= record.order.time))
            .filter(|record| case.to.is_none_or(|to| record.order.time < to))
            .collect(),
    };
    wanted.sort_by_key(|record| (record.order.time, record.id));
    let wanted_ids: Vec<i64> = wanted.iter().map(|record| record.id).collect();
    let chunks = wanted.clone();
    let fits = |record: &Stored| !fit(&record.order.payload()["amount"], FieldKind::Float64).is_null();
    let (given, rejected): (Vec<&Stored>, Vec<&Stored>) = wanted.into_iter().partition(|record| fits(record));

    let place = |record: &Stored| (record.order.time, record.id);
    let batches = match &case.members {
        Some((_, size)) if !all.is_empty() => {
            let portions: Vec<Portion> = chunks
                .chunks(*size)
                .map(|chunk| Portion {
                    first: place(chunk[0]),
                    last: place(chunk[chunk.len() - 1]),
                    members: chunk.iter().map(|record| record.id).collect(),
                })
                .collect();
            (options.from, options.to) = (Some(portions[0].first.0), None);
            shop.walk_portions(options, &portions).await
        }
        _ => shop.walk(options).await,
    };
    prop_assert!(batches.iter().all(|batch| batch.ids.len() <= case.batch_rows));
    let walked = join(&batches, &case.specs);
    prop_assert_eq!(&walked.ids, &given.iter().map(|record| record.id).collect::<Vec<_>>());
    let rejected_ids: Vec<_> = walked.rejects.iter().filter_map(|reject| reject.record_id).collect();
    prop_assert_eq!(rejected_ids, rejected.iter().map(|record| record.id).collect::<Vec<_>>());
    for (spec, list) in case.specs.iter().zip(&walked.history) {
        for (row, record) in given.iter().enumerate() {
            prop_assert_eq!(
                events(list, row),
                expected(&all, record, spec, watermarks),
                "record {}",
                record.id
            );
        }
    }
    let online = lookup(&shop.store, DOMAIN, &inputs(), &case.specs, &wanted_ids, watermarks).await.unwrap();
    prop_assert_eq!(online, walked);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_give_the_past_by_its_definition(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check(case))?;
    }
}
