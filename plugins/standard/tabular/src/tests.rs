use foretell_convert::{Activation, Linear, Takes};
use foretell_sdk::testing::{Array, Rehearsal};

use super::*;

const ANSWER: &str = r#""answer":{"task":"regression","gives":"value"}"#;

/// Four records with everything that a column can be.
fn records() -> Rehearsal {
    Rehearsal::default()
        .numbers("amount", [Some(10.0), Some(30.0), None, Some(-10.0)])
        .whole_numbers("count", [1, 2, 3, 4].map(Some))
        .flags("new", [true, false, true, false].map(Some))
        .texts("channel", [Some("web"), Some("shop"), Some("fax"), None])
        .times("event_time", [0; 4].map(Some))
}

/// What the network is shown.
fn shown(records: Rehearsal, config: &str) -> Result<Vec<Array>, String> {
    let (send, receive) = std::sync::mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let rehearsal = records.config(config).network("network", move |inputs| {
        send.lock().unwrap().send(inputs.to_vec()).unwrap();
        vec![Array::new(&inputs[0].shape[..1], vec![0.0; inputs[0].shape[0]])]
    });
    rehearsal.predict::<Tabular>().map_err(|error| error.to_string())?;
    Ok(receive.recv().unwrap())
}

#[test]
fn columns_become_the_numbers_that_the_manifest_says() {
    let amount = r#"{"name":"amount","mean":10,"scale":20,"missing":50}"#;
    let channel = r#"{"name":"channel","categories":["shop","web"],"unknown":"zeros"}"#;
    let config =
        format!(r#"{{"column":[{channel},{amount},{{"name":"new","type":"bool","scale":-1}}],{ANSWER}}}"#);
    let matrix = [0.0, 1.0, 0.0, -1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, -1.0, 0.0, 0.0, -1.0, 0.0];
    assert_eq!(shown(records(), &config).unwrap(), [Array::new(&[4, 4], matrix)]);

    let config = format!(
        r#"{{"tensor":"columns","element":"float64","column":[{amount},{{"name":"count","type":"int64","element":"int64"}},{channel}],{ANSWER}}}"#
    );
    let columns = [
        Array::new(&[4, 1], [0.0, 1.0, 2.0, -1.0]),
        Array::new(&[4, 1], [1.0, 2.0, 3.0, 4.0]),
        Array::new(&[4, 2], [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    assert_eq!(shown(records(), &config).unwrap(), columns);
}

#[test]
fn settings_that_do_not_fit_the_inputs_are_refused_when_it_is_opened() {
    for (columns, expected) in [
        (
            r#"{"name":"colour"}"#,
            "the setting `name` of column `colour` is unknown; expected an input of the manifest",
        ),
        (r#"{"name":"event_time"}"#, "column `event_time` of the records is Timestamp; expected Float64"),
        (r#"{"name":"amount"}"#, "the setting `missing` of column `amount` is not stated; expected a number"),
        (
            r#"{"name":"count","type":"int64","scale":0}"#,
            "the setting `scale` of column `count` is 0; expected a finite number",
        ),
        (r#"{"name":"count","categories":["1"]}"#, "column `count` of the records is Int64; expected Utf8"),
        (
            r#"{"name":"channel","categories":[]}"#,
            "the setting `categories` of column `channel` is a list of 0; expected 1 to 10000 texts",
        ),
        (
            r#"{"name":"channel","categories":["a","b","a"]}"#,
            "is a list of 3; expected 1 to 10000 texts that are all different",
        ),
        (
            r#"{"name":"channel","categories":["a"],"mean":1}"#,
            "the setting `mean` of column `channel` is 1; expected none for a text",
        ),
        (
            r#"{"name":"count","type":"int64","element":"int64"}"#,
            "the setting `element` of column `count` is there; expected none, since one tensor",
        ),
        (r#"{"name":"count"}"#, "column `count` of the records is Int64; expected Float64"),
        (
            r#"{"name":"count","type":"int64","unknown":"zeros"}"#,
            "the setting `unknown` of column `count` is there; expected none",
        ),
        (
            r#"{"name":"channel","type":"bool","categories":["a"]}"#,
            "the setting `type` of column `channel` is there; expected none",
        ),
        (r#"{"name":"count","mena":1}"#, "unknown field `mena`"),
    ] {
        let error = shown(records(), &format!(r#"{{"column":[{columns}],{ANSWER}}}"#)).unwrap_err();
        assert!(error.contains(expected), "{columns}: {error}");
    }
    let error = shown(records(), &format!(r#"{{"column":[],{ANSWER}}}"#)).unwrap_err();
    assert!(error.contains("the setting `column` is a list of 0; expected 1 to 4096 columns"), "{error}");
    for (config, missing) in [
        ("{}".to_owned(), "column"),
        (format!("{{{ANSWER}}}"), "column"),
        (r#"{"column":[]}"#.to_owned(), "answer"),
    ] {
        assert!(
            shown(records(), &config).unwrap_err().contains(&format!("missing field `{missing}`")),
            "{config}"
        );
    }
}

/// Each column may have so many categories, and not all of them together.
#[test]
fn a_record_has_so_many_numbers_and_no_more() {
    let categories: Vec<String> = (0..10_000).map(|category| format!("\"c{category}\"")).collect();
    let channel =
        format!(r#"{{"name":"channel","unknown":"zeros","categories":[{}]}}"#, categories.join(","));
    let config =
        |columns: usize| format!(r#"{{"column":[{}],{ANSWER}}}"#, vec![&*channel; columns].join(","));
    assert_eq!(shown(records(), &config(6)).unwrap()[0].shape, [4, 60_000]);
    let error = shown(records(), &config(7)).unwrap_err();
    let expected =
        "the setting `column` is 70000 numbers; expected 65536 numbers at most, with one for each category";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_a_network_cannot_take_is_named_without_its_value() {
    let one = |number: f64| Rehearsal::default().numbers("amount", [Some(0.0), Some(number)]);
    for (element, number) in [
        ("float32", f64::NAN),
        ("float32", 1e300),
        ("float64", f64::INFINITY),
        ("int64", 0.5),
        ("int64", 1e17),
    ] {
        let config = format!(r#"{{"element":"{element}","column":[{{"name":"amount"}}],{ANSWER}}}"#);
        let error = shown(one(number), &config).unwrap_err();
        assert_eq!(error, "column `amount` has no number that the network can take in row 1", "{element}");
    }
    // Whole numbers that float64 does not tell from their neighbours.
    let whole = |number: i64| Rehearsal::default().whole_numbers("count", [Some(0), Some(number)]);
    let config = format!(r#"{{"element":"int64","column":[{{"name":"count","type":"int64"}}],{ANSWER}}}"#);
    for largest in [1i64 << 53, -(1i64 << 53)] {
        let taken = shown(whole(largest), &config).unwrap();
        assert_eq!(taken, [Array::new(&[2, 1], [0.0, largest as f64])]);
        for number in [largest + largest.signum(), i64::MAX, i64::MIN] {
            let error = shown(whole(number), &config).unwrap_err();
            assert_eq!(error, "column `count` has no number that the network can take in row 1", "{number}");
        }
    }
    let config = format!(r#"{{"column":[{{"name":"channel","categories":["web","shop"]}}],{ANSWER}}}"#);
    let error = shown(records(), &config).unwrap_err();
    assert_eq!(error, "column `channel` has none of its categories in row 2");
}

/// The network that is shipped is this formula; set UPDATE_MODELS=1 and run this test to write it anew.
#[test]
fn the_shipped_network_is_the_formula_of_its_card() {
    let weights = [vec![-0.8, 1.6, -1.0, 0.5]];
    let network = Linear {
        takes: Takes::Numbers(4),
        weights: &weights,
        biases: &[0.1],
        activation: Activation::Identity,
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/model/network.onnx");
    if std::env::var_os("UPDATE_MODELS").is_some() {
        std::fs::write(path, network.onnx("standard-tabular")).unwrap();
    }
    assert!(std::fs::read(path).unwrap_or_default() == network.onnx("standard-tabular"), "{path}");
}
