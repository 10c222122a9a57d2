//! What a plugin reads is what stands in the records: nulls, empty texts and lists, and parts of longer batches.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use proptest::prelude::*;

use crate::Instance;
use crate::host::{Host, Records, import};

type Text = Option<String>;

/// A record: its note, its lists, and its past.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) note: Text,
    pub(crate) items: Option<Vec<String>>,
    pub(crate) sizes: Option<Vec<i64>>,
    /// In quarters, so that sums are exact.
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) flags: Option<Vec<bool>>,
    pub(crate) past: Vec<Text>,
}

impl Record {
    /// Every text of the record in the order in which the plugin reads them.
    pub(crate) fn texts(&self) -> Vec<Text> {
        let items = self.items.iter().flatten().cloned().map(Some);
        self.past.iter().cloned().chain([self.note.clone()]).chain(items).collect()
    }

    fn score(&self) -> f32 {
        let sizes = self.sizes.as_ref().map_or(-1000.0, |sizes| sizes.iter().sum::<i64>() as f64);
        let weights = self.weights.as_ref().map_or(-0.5, |weights| weights.iter().sum());
        let set = |flags: &Vec<bool>| flags.iter().filter(|flag| **flag).count() as i64;
        (sizes + weights + 10_000.0 * self.flags.as_ref().map_or(-100, set) as f64) as f32
    }
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let text = || prop_oneof![3 => "[a-zé]{0,5}".prop_map(Some), 1 => Just(None)];
    let items = proptest::option::of(proptest::collection::vec("[a-zé]{0,5}", 0..4));
    let sizes = proptest::option::of(proptest::collection::vec(-9..9i64, 0..4));
    let quarter = (-9..9i64).prop_map(|quarters| quarters as f64 / 4.0);
    let weights = proptest::option::of(proptest::collection::vec(quarter, 0..4));
    let flags = proptest::option::of(proptest::collection::vec(any::<bool>(), 0..11));
    (text(), items, sizes, weights, flags, proptest::collection::vec(text(), 0..4)).prop_map(
        |(note, items, sizes, weights, flags, past)| Record { note, items, sizes, weights, flags, past },
    )
}

/// The records as the columns that the plugin asks for.
pub(crate) fn columns(records: &[Record]) -> StructArray {
    let event = Fields::from(vec![
        Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("item", DataType::Utf8, true),
    ]);
    let builders: Vec<Box<dyn ArrayBuilder>> =
        vec![Box::new(TimestampMicrosecondBuilder::new()), Box::new(StringBuilder::new())];
    let mut items = ListBuilder::new(StringBuilder::new());
    let mut sizes = ListBuilder::new(Int64Builder::new());
    let mut weights = ListBuilder::new(Float64Builder::new());
    let mut flags = ListBuilder::new(BooleanBuilder::new());
    let mut past = ListBuilder::new(StructBuilder::new(event, builders));
    for record in records {
        items.append_option(record.items.as_ref().map(|items| items.iter().map(Some)));
        sizes.append_option(record.sizes.as_ref().map(|sizes| sizes.iter().copied().map(Some)));
        weights.append_option(record.weights.as_ref().map(|weights| weights.iter().copied().map(Some)));
        flags.append_option(record.flags.as_ref().map(|flags| flags.iter().copied().map(Some)));
        for item in &record.past {
            let events = past.values();
            events.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_value(7);
            events.field_builder::<StringBuilder>(1).unwrap().append_option(item.as_ref());
            events.append(true);
        }
        past.append(true);
    }
    let notes: StringArray = records.iter().map(|record| record.note.clone()).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("items", Arc::new(items.finish())),
        ("note", Arc::new(notes)),
        ("sizes", Arc::new(sizes.finish())),
        ("weights", Arc::new(weights.finish())),
        ("flags", Arc::new(flags.finish())),
        ("bought", Arc::new(past.finish())),
    ];
    let fields: Vec<_> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    StructArray::new(fields.into(), columns.into_iter().map(|(_, column)| column).collect(), None)
}

/// The rankings of each record: items, scores, reasons.
fn rows(answer: &StructArray) -> Vec<Vec<(String, f32, Text)>> {
    let lists = answer.column(0).as_list::<i32>();
    let row = |row| {
        let items = lists.value(row);
        let items = items.as_struct();
        let (texts, reasons) = (items.column(0).as_string::<i32>(), items.column(2).as_string::<i32>());
        let scores = items.column(1).as_primitive::<Float32Type>();
        let reason = |place| reasons.is_valid(place).then(|| reasons.value(place).to_owned());
        let item = |place| (texts.value(place).to_owned(), scores.value(place), reason(place));
        (0..items.len()).map(item).collect()
    };
    (0..answer.len()).map(row).collect()
}

proptest! {
    #[test]
    fn every_part_of_a_batch_is_read_as_it_is(
        records in proptest::collection::vec(record(), 0..12),
        cut in 0.0..1.0f64,
        length in 0.0..=1.0f64,
    ) {
        let host = Host::new(b"");
        let from = (cut * records.len() as f64) as usize;
        let count = (length * (records.len() - from) as f64) as usize;
        let part = columns(&records).slice(from, count);
        let lent = Records::new(&part);
        let (instance, schema) = Instance::open(&host, lent.schema()).unwrap();
        let answer = import(instance.predict(lent.array()).unwrap(), schema);
        let expected: Vec<Vec<_>> = records[from..from + count]
            .iter()
            .map(|record| {
                let row = |text: Text| (text.clone().unwrap_or_default(), record.score(), text);
                record.texts().into_iter().map(row).collect()
            })
            .collect();
        prop_assert_eq!(rows(&answer), expected);
    }
}

#[test]
fn columns_of_another_kind_are_refused_by_name() {
    let host = Host::new(b"");
    let refusal = |change: &dyn Fn(&str) -> Option<DataType>| {
        let fields: Vec<_> = columns(&[]).fields().iter().map(|field| field.as_ref().clone()).collect();
        let changed = fields.into_iter().filter_map(|field| {
            let kind = change(field.name())?;
            Some(if kind == DataType::Null { field } else { field.with_data_type(kind) })
        });
        let records = Records::new(&StructArray::new_null(changed.collect(), 0));
        Instance::open(&host, records.schema()).err().unwrap().1
    };
    let list = |kind| DataType::List(Arc::new(Field::new("item", kind, false)));
    let exchange = |wanted: &'static str, kind: DataType| {
        move |name: &str| Some(if name == wanted { kind.clone() } else { DataType::Null })
    };
    for (change, expected) in [
        (
            exchange("items", list(DataType::Int64)),
            "column `items` of the records is List(Field { name: \"item\", kind: Int64, nullable: false }); expected a list of Utf8",
        ),
        (
            exchange("weights", list(DataType::Int64)),
            "column `weights` of the records is List(Field { name: \"item\", kind: Int64, nullable: false }); expected a list of Float64",
        ),
        (exchange("items", DataType::Utf8), "column `items` of the records is Utf8; expected a list of Utf8"),
        (
            exchange("bought", list(DataType::Utf8)),
            "column `bought` is List(Field { name: \"item\", kind: Utf8, nullable: false }); expected a history, a list of structs",
        ),
        (exchange("note", DataType::Boolean), "column `note` of the records is Bool; expected Utf8"),
    ] {
        assert_eq!(refusal(&change), expected);
    }
    let without = |name: &str| (name != "items").then_some(DataType::Null);
    assert_eq!(
        refusal(&without),
        "column `items` is not among the records: note, sizes, weights, flags, bought"
    );
}

#[test]
fn a_host_without_data_is_told_to_be_updated() {
    let records = Records::new(&columns(&[]));
    let (_, words) = Instance::open(&Host::without_capabilities(), records.schema()).err().unwrap();
    assert_eq!(words, "the host has no `foretell.data/1`; update foretell");
}
