//! `foretell-fraud` as its user runs it: the way from a transaction to an evaluated score, and what goes wrong on it.

use foretell_jobs::{VerifyOptions, verify};
use foretell_store::open::Store;
use foretell_tests::{Finished, Workshop, onnx_runtime};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const SOME_REJECTED: Option<i32> = Some(3);

fn fraud(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell-fraud", arguments, "")
}

/// A workshop with a plugin and 60 simulated days.
fn simulated() -> Workshop {
    let workshop = Workshop::default();
    workshop.install_fraud();
    let simulated = fraud(
        &workshop,
        &["simulate", "--customers", "60", "--terminals", "80", "--days", "60", "--seed", "7", "--json"],
    );
    assert_eq!(simulated.code, DONE, "{simulated:?}");
    workshop
}

const TRANSACTION: &str = r#"{"transaction_id":"t-1","event_time":"2018-06-01T09:30:00Z","customer_id":"5","terminal_id":"9","amount":57.16}"#;

#[test]
fn from_transactions_to_an_evaluated_score() {
    let workshop = simulated();
    let scored = fraud(&workshop, &["score", "--json"]).json();
    let count = scored["scored"].as_u64().unwrap();
    assert!(count > 5_000, "{scored}");
    assert_eq!(scored["rejected"], 0);

    let again = fraud(&workshop, &["score", "--json"]).json();
    assert_eq!(again["scored"], 0, "everything was scored before");
    let evaluated = fraud(&workshop, &["evaluate", "--json", "--resamples", "20"]);
    assert_eq!(evaluated.code, DONE, "{evaluated:?}");
    let evaluated = evaluated.json();
    assert_eq!(evaluated["rows"].as_u64().unwrap(), count);
    assert!(evaluated["roc_auc"]["value"].as_f64().unwrap() > 0.6, "{evaluated}");
    assert!(evaluated["card_precision"]["mean"].is_number(), "{evaluated}");
    let table = fraud(&workshop, &["evaluate", "--resamples", "0"]).stdout;
    assert!(table.contains("ROC AUC") && table.contains("Card Precision@100"), "{table}");

    let shown = fraud(&workshop, &["show", "100"]);
    assert_eq!(shown.code, DONE, "{shown:?}");
    assert!(shown.stdout.contains("the customer in the 30 days before"), "{shown:?}");
    let shown = fraud(&workshop, &["show", "100", "--json"]).json();
    assert_eq!(shown["predictions"].as_array().unwrap().len(), 1);
}

#[test]
fn simulating_twice_stores_nothing_twice() {
    let workshop = simulated();
    let arguments =
        ["simulate", "--customers", "60", "--terminals", "80", "--days", "60", "--seed", "7", "--json"];
    let again = fraud(&workshop, &arguments).json();
    assert_eq!(again["stored"], 0);
    assert_eq!(again["already_stored"], again["transactions"]);
    let other = fraud(
        &workshop,
        &["simulate", "--customers", "60", "--terminals", "80", "--days", "60", "--seed", "8"],
    );
    assert_eq!(other.code, FAILED);
    assert!(other.told().contains("into a database of its own"), "{other:?}");
}

#[test]
fn online_and_batch_give_the_same_scores() {
    let workshop = simulated();
    assert_eq!(fraud(&workshop, &["score"]).code, DONE);
    let options = VerifyOptions { run: None, limit: 500, tolerance: 1e-6 };
    let report = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(workshop.database()).await.unwrap();
        verify(&store, &workshop.registry(), &onnx_runtime(), options, |_| {}).await.unwrap()
    });
    assert_eq!((report.predictions, report.equal), (500, 500), "{report:?}");
}

#[test]
fn a_given_transaction_is_stored_then_scored() {
    let workshop = simulated();
    let line = workshop.run("foretell-fraud", &["score", "-", "--json"], TRANSACTION);
    assert_eq!(line.code, DONE, "{line:?}");
    let first = line.json();
    let score = first["score"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&score), "{first}");
    let shown = fraud(&workshop, &["show", "t-1", "--json"]).json();
    assert_eq!(
        shown["payload"],
        serde_json::json!({"customer_id": "5", "terminal_id": "9", "amount": 57.16})
    );
    assert_eq!(shown["predictions"][0]["score"].as_f64().unwrap(), score);

    let spread = serde_json::to_string_pretty(&serde_json::from_str::<Value>(TRANSACTION).unwrap()).unwrap();
    let again = workshop.run("foretell-fraud", &["score", "-", "--json"], &spread).json();
    assert_eq!(again["record"], first["record"], "the same transaction is the same record");
    assert_eq!(again["score"], first["score"]);

    let labelled = fraud(&workshop, &["label", "t-1", "fraud", "--known-at", "2018-06-03T00:00:00Z"]);
    assert_eq!(labelled.code, DONE, "{labelled:?}");
    let shown = fraud(&workshop, &["show", "t-1", "--json"]).json();
    assert_eq!(shown["labels"][0]["source"], "review");
}

#[test]
fn given_transactions_that_are_not_in_order_are_refused_one_by_one() {
    let workshop = simulated();
    let replaced = |from: &str, to: &str| TRANSACTION.replace(from, to);
    for (input, field, reason) in [
        (replaced("57.16", "\"much\""), "amount", "is not a number"),
        (replaced("57.16", "-1"), "amount", "-1"),
        (replaced("57.16", "NaN"), "", "JSON"),
        (replaced("57.16", "1e999"), "", "number out of range"),
        (replaced("\"amount\":57.16", "\"amount\":null"), "amount", "missing"),
        (replaced(",\"amount\":57.16", ""), "amount", "missing"),
        (replaced("2018-06-01T09:30:00Z", "yesterday"), "event_time", "time"),
        (replaced("2018-06-01T09:30:00Z", "12018-06-01T09:30:00Z"), "event_time", ""),
        ("{".to_owned(), "", "JSON"),
        ("[1]".to_owned(), "", "object"),
    ] {
        let finished = workshop.run("foretell-fraud", &["score", "-", "--json"], &input);
        assert_eq!(finished.code, SOME_REJECTED, "{input}: {finished:?}");
        let line = finished.json();
        assert_eq!(line["field"].as_str().unwrap_or(""), field, "{input}: {line}");
        assert!(line["reason"].as_str().unwrap().contains(reason), "{input}: {line}");
        assert!(line["score"].is_null(), "{input}: {line}");
    }
    let lines = format!("{TRANSACTION}\n\n{}\n{}\n", replaced("t-1", "t-2"), replaced("57.16", "57.17"));
    let finished = workshop.run("foretell-fraud", &["score", "-", "--json"], &lines);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let lines = finished.json();
    assert!(lines[0]["score"].is_number() && lines[1]["score"].is_number(), "{lines}");
    assert_eq!(lines[1]["line"], 3, "empty lines count");
    assert!(lines[2]["reason"].as_str().unwrap().contains("is taken by record"), "{lines}");
    let empty = workshop.run("foretell-fraud", &["score", "-"], " \n");
    assert_eq!(empty.code, FAILED);
    assert!(empty.told().contains("no transaction in the input"), "{empty:?}");
}

const HEAD: &str = "transaction_id,event_time,customer_id,terminal_id,amount\n";
const ROW: &str = "1,2018-06-01T09:30:00Z,5,9,57.16\n";

#[test]
fn bad_rows_are_listed_and_kept_and_good_ones_go_in() {
    let workshop = Workshop::default();
    let file = format!(
        "{HEAD}{ROW}2,2018-06-01T09:31:00Z,5,9\n3,2018-06-01T09:32:00Z,5,9,much\n4,-5,5,9,1\n1,2018-06-01T09:33:00Z,5,9,2\n\
         5,2018-06-01T09:34:00Z,5,9,NaN\n6,2018-06-01T09:35:00Z,5,9,3.5\n"
    );
    let path = workshop.write("rows.csv", file);
    let rejects = workshop.path("rejects.jsonl");
    let arguments = ["import", path.to_str().unwrap(), "--json", "--rejects", rejects.to_str().unwrap()];
    let finished = fraud(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(2), Some(5)), "{report}");
    let mut lines: Vec<_> =
        report["rejects"].as_array().unwrap().iter().map(|reject| reject["line"].as_i64().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [3, 4, 5, 6, 7], "{report}");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 5);

    let again = fraud(&workshop, &arguments).json();
    assert_eq!((again["stored"].as_u64(), again["already_stored"].as_u64()), (Some(0), Some(2)), "{again}");
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let workshop = Workshop::default();
    let mut bomb = b"PAR1".to_vec();
    bomb.extend_from_slice(&[0; 64]);
    bomb.extend_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    bomb.extend_from_slice(b"PAR1");
    for (name, content, expected) in [
        ("empty.csv", Vec::new(), "is empty"),
        (
            "short.csv",
            b"transaction_id,event_time,customer_id,amount\n1,2,3,4\n".to_vec(),
            "no column `terminal_id`",
        ),
        ("huge.parquet", bomb, "footer"),
        ("text.parquet", b"this is a text that is long enough".to_vec(), "not parquet"),
        ("rows.xlsx", b"PK".to_vec(), "CSV"),
    ] {
        let path = workshop.write(name, content);
        let finished = fraud(&workshop, &["import", path.to_str().unwrap()]);
        assert_eq!(finished.code, FAILED, "{name}: {finished:?}");
        assert!(finished.told().contains(expected), "{name}: {}", finished.told());
        assert!(finished.told().contains(name), "{name}: {}", finished.told());
    }
    let finished = fraud(&workshop, &["import", "nowhere.csv"]);
    assert_eq!(finished.code, FAILED);
    assert!(finished.told().contains("nowhere.csv"), "{finished:?}");
    let finished = fraud(&workshop, &["import", "rows.csv", "--mapping", "nomapping"]);
    assert_eq!(finished.code, FAILED);
    assert!(finished.told().contains("transaction, labelled and handbook"), "{finished:?}");
}

/// Runs statements on the database beside the product, as another program would.
fn beside(workshop: &Workshop, statements: &'static [&'static str], meanwhile: impl FnOnce()) {
    use sqlx::{Connection, SqliteConnection};
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let address = format!("sqlite://{}", workshop.database().display());
        let mut connection = SqliteConnection::connect(&address).await.unwrap();
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
        }
        meanwhile();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_locked_database_is_told_and_nothing_is_lost() {
    let workshop = Workshop::default();
    let path = workshop.write("rows.csv", format!("{HEAD}{ROW}"));
    assert_eq!(fraud(&workshop, &["import", path.to_str().unwrap()]).code, DONE);
    let more = workshop.write("more.csv", format!("{HEAD}{}", ROW.replace("1,", "2,")));
    beside(&workshop, &["BEGIN IMMEDIATE"], || {
        let finished = fraud(&workshop, &["import", more.to_str().unwrap()]);
        assert_eq!(finished.code, FAILED);
        assert!(finished.told().contains("another"), "{}", finished.told());
        assert!(!finished.told().contains("database is locked"), "{}", finished.told());
        assert_eq!(fraud(&workshop, &["show", "1"]).code, DONE, "reading goes on");
    });
    assert_eq!(fraud(&workshop, &["import", more.to_str().unwrap()]).code, DONE);
    assert_eq!(fraud(&workshop, &["show", "2"]).code, DONE);
}

#[test]
fn databases_that_cannot_be_used_say_why() {
    let workshop = Workshop::default();
    let missing = fraud(&workshop, &["show", "1"]);
    assert_eq!(missing.code, FAILED);
    assert!(missing.told().contains("foretell.db"), "{}", missing.told());

    let path = workshop.write("rows.csv", format!("{HEAD}{ROW}"));
    let unwritable = fraud(&workshop, &["import", path.to_str().unwrap(), "--db", "/proc/foretell.db"]);
    assert_eq!(unwritable.code, FAILED);
    assert!(unwritable.told().contains("/proc"), "{}", unwritable.told());

    let text =
        workshop.write("text.db", "this is no database, and long enough to be looked at as one".repeat(20));
    let foreign = fraud(&workshop, &["show", "1", "--db", text.to_str().unwrap()]);
    assert_eq!(foreign.code, FAILED);
    assert!(foreign.told().contains("text.db"), "{}", foreign.told());

    assert_eq!(fraud(&workshop, &["import", path.to_str().unwrap()]).code, DONE);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'future', 1, x'00', 1)";
    beside(&workshop, Box::leak(Box::new([newer])), || {});
    let finished = fraud(&workshop, &["show", "1"]);
    assert_eq!(finished.code, FAILED);
    assert!(finished.told().contains("9999") && finished.told().contains("update"), "{}", finished.told());
}

#[test]
fn without_a_plugin_the_fix_is_told() {
    let workshop = Workshop::default();
    let finished = workshop.run("foretell-fraud", &["score", "-"], TRANSACTION);
    assert_eq!(finished.code, FAILED);
    assert!(
        finished.told().contains("is not installed") && finished.told().contains("plugin install"),
        "{}",
        finished.told()
    );
    workshop.install_fraud();
    // The variable that the workshop sets counts before the option.
    let finished =
        workshop.run("foretell-fraud", &["score", "-", "--onnxruntime", "nowhere.so"], TRANSACTION);
    assert_eq!(finished.code, DONE, "{finished:?}");
}

#[test]
fn nothing_is_written_to_the_users_own_directories() {
    let workshop = Workshop::default();
    workshop.install_fraud();
    workshop.run("foretell-fraud", &["simulate", "--customers", "5", "--terminals", "9", "--days", "3"], "");
    let scored = workshop.run("foretell-fraud", &["score"], "");
    assert_eq!(scored.code, Some(0), "{scored:?}");
    let home = workshop.user_home();
    assert!(!home.exists(), "ONNX Runtime keeps its telemetry there, or something else keeps something");
}
