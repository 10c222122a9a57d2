//! `foretell record`

use foretell_tests::Workshop;
use serde_json::{Value, json};

use super::{DONE, FAILED, foretell, install_moody, orders, score_all};

fn ids(records: &Value) -> Vec<i64> {
    records["records"].as_array().unwrap().iter().map(|record| record["id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_listed_latest_first() {
    let workshop = Workshop::default();
    orders(&workshop, 30).await.close().await;
    let list = |more: &[&str]| {
        let finished =
            foretell(&workshop, &[&["record", "list", "--domain", "shop", "--json"], more].concat());
        assert_eq!(finished.code, DONE, "{finished:?}");
        finished.json()
    };
    let listed = list(&["--limit", "3"]);
    assert_eq!((ids(&listed), &listed["total"]), (vec![30, 29, 28], &json!(30)));
    assert_eq!(
        listed["records"][0],
        json!({
            "id": 30,
            "domain": "shop",
            "external_id": "order-29",
            "event_time": "1970-01-30T00:00:00Z",
            "payload": {"mood": "calm", "customer": "bob", "amount": 0.9},
            "source": 1,
            "received_at": listed["records"][0]["received_at"],
        })
    );
    let ann = list(&["--key", "customer=ann", "--from", "1970-01-10", "--to", "1970-01-13"]);
    assert_eq!((ids(&ann), &ann["total"]), (vec![11], &json!(1)));
    assert_eq!(ids(&list(&["--key", "customer=eve"])), [0; 0]);

    let table = foretell(&workshop, &["record", "list", "--domain", "shop", "--limit", "3"]).stdout;
    insta::assert_snapshot!(table, @"
    record  event_time            external_id  mood  customer  amount
        30  1970-01-30T00:00:00Z  order-29     calm  bob          0.9
        29  1970-01-29T00:00:00Z  order-28     calm  ann          0.8
        28  1970-01-28T00:00:00Z  order-27     calm  bob          0.7
    3 of 30 records; `--limit` shows more
    ");
    let none = foretell(&workshop, &["record", "list", "--domain", "ship"]);
    assert_eq!((none.code, none.stdout.as_str()), (DONE, "no record of domain `ship` matches\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_shown_with_all_that_is_known_of_it() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let store = orders(&workshop, 12).await;
    let run = score_all(&workshop, &store).await;
    store.close().await;
    let shown = foretell(&workshop, &["record", "show", "7", "--json"]).json();
    assert_eq!(shown["record"]["external_id"], "order-6");
    assert_eq!(shown["source"]["name"], "till");
    assert_eq!(shown["labels"][0]["value"], true);
    assert_eq!(shown["labels"][0]["known_at"], "1970-01-14T00:00:00Z");
    let score = shown["predictions"][0]["score"].as_f64().unwrap();
    assert!((score - 0.6).abs() < 1e-6, "{shown}");
    assert_eq!(shown["predictions"][0]["run"], run);
    let words = foretell(&workshop, &["record", "show", "7"]).stdout;
    for expected in
        [r#"{"mood":"calm","customer":"ann","amount":0.6}"#, "returned  true", "0.600000", "1, live `till`"]
    {
        assert!(words.contains(expected), "{words}");
    }
    for arguments in [["record", "show", "4711"], ["prediction", "show", "4711"]] {
        let unknown = foretell(&workshop, &arguments);
        assert_eq!(unknown.code, FAILED);
        assert!(
            unknown.told().starts_with("there is no record 4711 help: `foretell record list"),
            "{}",
            unknown.told()
        );
    }
}

/// How the columns of an export become transactions again.
const MAPPING: &str = r#"
schema = 1
external_id = "external_id"
event_time = { column = "event_time" }
field = [
    { name = "customer_id", type = "utf8", key = true },
    { name = "terminal_id", type = "utf8", key = true },
    { name = "amount", type = "float64" },
]
label = [{ name = "fraud", column = "label.fraud", known_at = { column = "label.fraud.known_at" } }]
"#;

#[test]
fn what_is_exported_can_be_imported_and_is_the_same() {
    let workshop = Workshop::default();
    let simulated = workshop.run(
        "foretell-fraud",
        &["simulate", "--customers", "5", "--terminals", "9", "--days", "20", "--seed", "3", "--json"],
        "",
    );
    let count = simulated.json()["stored"].as_u64().unwrap();
    assert!(count > 50, "{simulated:?}");
    let mapping = workshop.write("export.toml", MAPPING);
    for ending in ["csv", "jsonl", "parquet"] {
        let (first, second) = (format!("first.{ending}"), format!("second.{ending}"));
        let exported = foretell(&workshop, &["record", "export", "--domain", "fraud", &first, "--json"]);
        assert_eq!(exported.code, DONE, "{exported:?}");
        assert_eq!(exported.json()["records"], count);

        let other = format!("{ending}.db");
        let arguments = ["import", &first, "--mapping", mapping.to_str().unwrap(), "--db", &other, "--json"];
        let imported = workshop.run("foretell-fraud", &arguments, "");
        assert_eq!(imported.code, DONE, "{imported:?}");
        assert_eq!(imported.json()["stored"], count);
        let again = foretell(&workshop, &["record", "export", "--domain", "fraud", &second, "--db", &other]);
        assert_eq!(again.code, DONE, "{again:?}");

        // The order of fields in the payload may differ, so the contents are compared as sorted columns.
        let (csv, another) = (sorted(&workshop, "foretell.db"), sorted(&workshop, &other));
        assert_eq!(csv, another, "{ending}");
        assert_eq!(csv.len(), 1 + count as usize);
    }
}

/// All transactions as CSV on standard output, the columns of each line in the order of their names.
fn sorted(workshop: &Workshop, database: &str) -> Vec<Vec<String>> {
    let arguments = ["record", "export", "--domain", "fraud", "-", "--format", "csv", "--db", database];
    let exported = foretell(workshop, &arguments);
    assert_eq!(exported.code, DONE, "{exported:?}");
    let rows: Vec<Vec<_>> =
        exported.stdout.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let mut order: Vec<usize> = (0..rows[0].len()).collect();
    order.sort_by_key(|&column| &rows[0][column]);
    rows.iter().map(|row| order.iter().map(|&column| row[column].clone()).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_selection_and_replaces_nothing_by_accident() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let store = orders(&workshop, 12).await;
    let run = score_all(&workshop, &store).await.to_string();
    store.close().await;
    let export =
        |more: &[&str]| foretell(&workshop, &[&["record", "export", "--domain", "shop"], more].concat());

    assert_eq!(export(&["orders.csv", "--key", "customer=bob", "--to", "1970-01-05"]).code, DONE);
    let text = std::fs::read_to_string(workshop.path("orders.csv")).unwrap();
    assert_eq!(
        text,
        format!(
            "external_id,event_time,mood,customer,amount,label.returned,label.returned.known_at,prediction.run_id,\
             prediction.score,prediction.label\n\
             order-1,1970-01-02T00:00:00Z,calm,bob,0.1,false,1970-01-09T00:00:00Z,{run},0.10000000149011612,kept\n\
             order-3,1970-01-04T00:00:00Z,calm,bob,0.3,true,1970-01-11T00:00:00Z,{run},0.30000001192092896,kept\n"
        )
    );
    let there = export(&["orders.csv"]);
    assert_eq!(there.code, FAILED);
    assert!(there.told().contains("--replace"), "{}", there.told());
    assert_eq!(std::fs::read_to_string(workshop.path("orders.csv")).unwrap(), text);
    assert_eq!(export(&["orders.csv", "--replace", "--run", &run]).code, DONE);
    assert_eq!(std::fs::read_to_string(workshop.path("orders.csv")).unwrap().lines().count(), 13);

    for (arguments, expected) in [
        (&["orders.xlsx"][..], "--format csv"),
        (&["-"], "--format jsonl"),
        (&["nowhere/orders.csv"], "nowhere/orders.csv"),
        (&["more.csv", "--run", "99"], "there is no run 99"),
    ] {
        let failed = export(arguments);
        assert_eq!(failed.code, FAILED, "{arguments:?}: {failed:?}");
        assert!(failed.told().contains(expected), "{arguments:?}: {}", failed.told());
    }
}

#[test]
fn rejects_are_listed_with_their_reasons() {
    let workshop = Workshop::default();
    let head = "transaction_id,event_time,customer_id,terminal_id,amount";
    let file = workshop.write(
        "rows.csv",
        format!("{head}\n1,2018-06-01T09:30:00Z,5,9,57.16\n2,2018-06-01T09:31:00Z,5,9,much\n3,noon,5,9,1\n"),
    );
    let imported = workshop.run("foretell-fraud", &["import", file.to_str().unwrap(), "--json"], "");
    let source = imported.json()["source"].to_string();
    let rejects = foretell(&workshop, &["record", "rejects", "--source", &source, "--json"]).json();
    assert_eq!(rejects["total"], 2);
    let first = &rejects["rejects"][0];
    assert_eq!((&first["line"], &first["field"]), (&json!(3), &json!("amount")), "{first}");
    assert_eq!(first["content"], "2,2018-06-01T09:31:00Z,5,9,much");
    let table = foretell(&workshop, &["record", "rejects", "--limit", "1"]).stdout;
    assert!(table.contains("much") && table.contains("1 of 2 rejects"), "{table}");
    for (option, number) in [("--run", "7"), ("--source", "8")] {
        let unknown = foretell(&workshop, &["record", "rejects", option, number]);
        assert_eq!(unknown.code, FAILED);
        assert!(
            unknown.told().contains(&format!("there is no {} {number}", &option[2..])),
            "{}",
            unknown.told()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_refused_is_no_error() {
    let workshop = Workshop::default();
    orders(&workshop, 1).await.close().await;
    let rejects = foretell(&workshop, &["record", "rejects"]);
    assert_eq!((rejects.code, rejects.stdout.as_str()), (DONE, "nothing was refused\n"));
}
