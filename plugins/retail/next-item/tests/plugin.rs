//! The plugin as the host runs it, with the shipped network. These tests need ONNX Runtime, and say so when it is
//! missing.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Fields};
use foretell_plugin_next_item::items::Items;
use foretell_plugin_next_item::sequence::LENGTH_MAX;
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

fn runtime() -> Arc<Runtime> {
    Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"))
}

/// The library of this build, which lies beside the running test.
fn library() -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let test = std::env::current_exe().unwrap();
    test.with_file_name(format!("{DLL_PREFIX}foretell_plugin_next_item{DLL_SUFFIX}"))
}

/// The plugin's directory, as it would be installed.
fn directory() -> TempDir {
    let place = TempDir::new().unwrap();
    std::fs::create_dir(place.path().join("model")).unwrap();
    for file in ["plugin.toml", "model/network.onnx", "model/items.bin"] {
        std::fs::copy(Path::new(PACKAGE).join(file), place.path().join(file)).unwrap();
    }
    std::fs::copy(library(), place.path().join(library().file_name().unwrap())).unwrap();
    place
}

fn load(settings: Value) -> Plugin {
    let Value::Object(config) = settings else { panic!("settings are an object") };
    let directory = directory();
    let verified = Verified::trusting(directory.path()).unwrap();
    let options = LoadOptions { config, ..LoadOptions::default() };
    Plugin::load(&runtime(), verified, &options).unwrap()
}

fn plugin() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| load(json!({})))
}

/// The shipped items.
fn items() -> &'static Items<Vec<u8>> {
    static ITEMS: OnceLock<Items<Vec<u8>>> = OnceLock::new();
    ITEMS.get_or_init(|| {
        Items::read(std::fs::read(Path::new(PACKAGE).join("model/items.bin")).unwrap()).unwrap()
    })
}

fn name(item: usize) -> String {
    items().name(item as u32 % items().len() as u32).to_owned()
}

#[derive(Clone, Debug, Default)]
struct Question {
    bought: Vec<Option<String>>,
    item: Option<String>,
    items: Option<Vec<String>>,
    count: Option<i64>,
}

/// Items that were bought.
fn bought(items: impl IntoIterator<Item = String>) -> Question {
    Question { bought: items.into_iter().map(Some).collect(), ..Question::default() }
}

fn batch(questions: &[Question]) -> RecordBatch {
    let schema = plugin().schema();
    let column = |name: &str| -> ArrayRef {
        let kind = schema.field_with_name(name).unwrap().data_type();
        match name {
            // After all that is bought: nobody looks at what is later than a record.
            "event_time" => Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX; questions.len()])),
            "item" => {
                Arc::new(questions.iter().map(|question| question.item.clone()).collect::<StringArray>())
            }
            "count" => Arc::new(questions.iter().map(|question| question.count).collect::<Int64Array>()),
            "items" => {
                let DataType::List(field) = kind else { panic!("{kind}") };
                let mut lists = ListBuilder::new(StringBuilder::new()).with_field(field.clone());
                for question in questions {
                    lists.append_option(question.items.as_ref().map(|list| list.iter().map(Some)));
                }
                Arc::new(lists.finish())
            }
            "bought" => history(kind, questions),
            _ => arrow_array::new_null_array(kind, questions.len()),
        }
    };
    let columns = schema.fields().iter().map(|field| column(field.name())).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

fn history(kind: &DataType, questions: &[Question]) -> ArrayRef {
    let DataType::List(field) = kind else { panic!("{kind}") };
    let DataType::Struct(fields) = field.data_type() else { panic!("{kind}") };
    let fields: &Fields = fields;
    let events: usize = questions.iter().map(|question| question.bought.len()).sum();
    let items: StringArray = questions.iter().flat_map(|question| question.bought.clone()).collect();
    let columns = fields.iter().map(|field| match field.name().as_str() {
        "item" => Arc::new(items.clone()) as ArrayRef,
        _ => Arc::new(TimestampMicrosecondArray::from_iter_values(0..events as i64)),
    });
    let events = StructArray::new(fields.clone(), columns.collect(), None);
    let lengths = OffsetBuffer::from_lengths(questions.iter().map(|question| question.bought.len()));
    Arc::new(ListArray::new(field.clone(), lengths, Arc::new(events), None))
}

type Answer = Vec<(String, f32, String)>;

fn ask(plugin: &Plugin, questions: &[Question]) -> Vec<Answer> {
    let predictions = plugin.predict(&batch(questions)).unwrap();
    let lists = predictions.columns().column(0).as_list::<i32>();
    (0..lists.len())
        .map(|row| {
            let answer = lists.value(row);
            let answer = answer.as_struct();
            let (items, scores, reasons) = (answer.column(0), answer.column(1), answer.column(2));
            let (items, reasons) = (items.as_string::<i32>(), reasons.as_string::<i32>());
            let scores = scores.as_primitive::<Float32Type>();
            (0..answer.len())
                .map(|place| {
                    (items.value(place).to_owned(), scores.value(place), reasons.value(place).to_owned())
                })
                .collect()
        })
        .collect()
}

fn one(question: Question) -> Answer {
    ask(plugin(), &[question]).remove(0)
}

/// Same items and reasons, scores within the rounding of a product of other shape.
fn assert_same(left: &Answer, right: &Answer) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert_eq!((&left.0, &left.2), (&right.0, &right.2));
        assert!((left.1 - right.1).abs() <= 1e-6 * right.1.abs().max(1.0), "{left:?} {right:?}");
    }
}

fn is_well_formed(answer: &Answer, own: &[String], count: usize) {
    assert_eq!(answer.len(), count);
    assert!(answer.windows(2).all(|pair| pair[0].1 >= pair[1].1), "best first");
    let distinct: HashSet<_> = answer.iter().map(|(item, ..)| item).collect();
    assert_eq!(distinct.len(), count);
    for (item, _, reason) in answer {
        assert!(!own.contains(item), "{item} is in the sequence");
        let (word, because) = reason.split_once(' ').unwrap();
        assert!(["bought", "brand", "category"].contains(&word), "{reason}");
        assert!(own.iter().any(|own| own == because), "{reason}");
    }
}

#[derive(serde::Deserialize)]
struct Case {
    sequence: Vec<String>,
    answer: Vec<Scored>,
}

#[derive(serde::Deserialize)]
struct Scored {
    item: String,
    score: f32,
}

/// `golden.json` is what the torch network recommends, written by `training/golden.py`.
#[test]
fn answers_are_those_of_the_torch_network() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let answer = one(bought(case.sequence));
        assert_eq!(answer.len(), case.answer.len());
        for ((item, score, _), expected) in answer.into_iter().zip(case.answer) {
            assert_eq!(item, expected.item);
            assert!((score - expected.score).abs() <= 1e-4, "{score} {}", expected.score);
        }
    }
}

#[test]
fn past_purchases_give_ten_items_with_reasons() {
    let own = vec![name(3), name(1), name(20)];
    is_well_formed(&one(bought(own.clone())), &own, 10);
}

#[test]
fn a_sequence_may_stand_in_the_past_the_record_or_its_list() {
    let own = [name(3), name(1), name(20)];
    let expected = one(bought(own.clone()));
    let split = Question {
        item: Some(own[1].clone()),
        items: Some(vec![own[2].clone()]),
        ..bought([own[0].clone()])
    };
    assert_same(&one(split), &expected);
    assert_same(&one(Question { items: Some(own.to_vec()), ..Question::default() }), &expected);
}

#[test]
fn the_order_of_a_sequence_matters() {
    let forward = one(bought([name(3), name(1), name(20)]));
    assert_ne!(forward, one(bought([name(20), name(1), name(3)])));
}

#[test]
fn what_is_unknown_or_null_is_passed_over() {
    let expected = one(bought([name(3), name(1)]));
    let mut question = bought([name(3), "never heard of".to_owned(), name(1)]);
    question.bought.insert(1, None);
    assert_same(&one(question), &expected);
}

#[test]
fn an_item_listed_twice_counts_twice_and_is_left_out_once() {
    let own = vec![name(3), name(1), name(3)];
    let answer = one(Question { items: Some(own.clone()), ..Question::default() });
    is_well_formed(&answer, &own, 10);
}

#[test]
fn who_is_unknown_gets_what_is_popular() {
    let popular: Vec<_> =
        items().popular().take(10).map(|(item, share)| (items().name(item).to_owned(), share)).collect();
    for question in [
        Question::default(),
        Question { items: Some(Vec::new()), ..Question::default() },
        bought(["never heard of".to_owned()]),
    ] {
        let answer = one(question);
        assert!(answer.iter().all(|(_, _, reason)| reason == "popular"));
        let found: Vec<_> = answer.into_iter().map(|(item, score, _)| (item, score)).collect();
        assert_eq!(found, popular);
    }
}

#[test]
fn the_record_says_how_many_items_it_wants() {
    let own = vec![name(3)];
    let ask = |count| one(Question { count: Some(count), ..bought(own.clone()) });
    is_well_formed(&ask(1), &own, 1);
    is_well_formed(&ask(33), &own, 33);
    is_well_formed(&ask(1_000_000), &own, items().len() - 1);
    let popular = one(Question { count: Some(1_000_000), ..Question::default() });
    assert_eq!(popular.len(), items().popular().count());
}

#[test]
fn settings_change_count_and_repeats() {
    let repeating = load(json!({"count": items().len(), "repeat": true}));
    let answer = ask(&repeating, &[bought([name(3)])]).remove(0);
    assert_eq!(answer.len(), items().len());
    let directory = directory();
    for (settings, word) in [(json!({"count": 0}), "`count` is 0"), (json!({"cuont": 3}), "cuont")] {
        let Value::Object(config) = settings else { unreachable!() };
        let verified = Verified::trusting(directory.path()).unwrap();
        let error = Plugin::load(&runtime(), verified, &LoadOptions { config, ..LoadOptions::default() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn only_the_newest_items_are_looked_at_but_none_is_recommended() {
    let long: Vec<_> = (0..LENGTH_MAX + 10).map(name).collect();
    let answer = one(bought(long.clone()));
    is_well_formed(&answer, &long, 10);
    let newest = one(Question { count: Some(40), ..bought(long[10..].to_vec()) });
    let newest: Vec<_> = newest.into_iter().filter(|(item, ..)| !long.contains(item)).take(10).collect();
    assert_same(&answer, &newest);
}

#[test]
fn a_model_that_has_learned_nothing_answers_empty_lists() {
    let directory = directory();
    let empty = directory.path().join("empty.bin");
    std::fs::write(&empty, []).unwrap();
    let verified = Verified::trusting(directory.path()).unwrap().with_model("items", &empty, None).unwrap();
    let plugin = Plugin::load(&runtime(), verified, &LoadOptions::default()).unwrap();
    assert_eq!(ask(&plugin, &[bought([name(1)]), Question::default()]), [vec![], vec![]]);
    assert_eq!(plugin.predict(&batch(&[])).unwrap().len(), 0);
}

#[test]
fn broken_or_foreign_items_are_refused() {
    let directory = directory();
    let path = directory.path().join("other.bin");
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let verified =
            Verified::trusting(directory.path()).unwrap().with_model("items", &path, None).unwrap();
        Plugin::load(&runtime(), verified, &LoadOptions::default())
    };
    let error = load(b"PK\x03\x04").unwrap_err().to_string();
    assert!(error.contains("`items.bin` can't be read"), "{error}");
    // One item with a vector of one number: well written, but not the items of this network.
    let numbers: Vec<u8> = [1u32, 1, 1, 1, 1, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect();
    let error = load(&[&b"FTITEMS\0"[..], &numbers, b"\x7fa"].concat()).unwrap_err().to_string();
    assert!(error.contains("does not score the 1 items"), "{error}");
}

fn question() -> impl Strategy<Value = Question> {
    let named = || any::<prop::sample::Index>().prop_map(|index| name(index.index(items().len() + 1)));
    let count = prop::option::of(1i64..30);
    let lists = prop::collection::vec(named(), 0..60);
    (lists, prop::option::of(named()), count).prop_map(|(past, item, count)| Question {
        item,
        count,
        ..bought(past)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_answer_does_not_depend_on_the_other_records(questions in prop::collection::vec(question(), 1..40)) {
        let together = ask(plugin(), &questions);
        for (question, answer) in questions.into_iter().zip(together) {
            let alone = one(question);
            prop_assert_eq!(alone.len(), answer.len());
            let near = |place: usize, score: f32| {
                answer.get(place).is_some_and(|other: &(String, f32, String)| (other.1 - score).abs() <= 1e-5)
            };
            for (place, (alone, other)) in alone.iter().zip(&answer).enumerate() {
                prop_assert!((alone.1 - other.1).abs() <= 1e-6 * other.1.abs().max(1.0), "{:?} {:?}", alone, other);
                // Rounding may swap two items whose scores are all but equal, the last with one that is not there.
                let may_swap = place + 1 == answer.len()
                    || near(place + 1, other.1)
                    || place.checked_sub(1).is_some_and(|before| near(before, other.1));
                prop_assert!(may_swap || (&alone.0, &alone.2) == (&other.0, &other.2), "{:?} {:?}", alone, other);
            }
        }
    }
}
