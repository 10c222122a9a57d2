//! `foretell db`

use foretell_store::open::{APPLICATION_ID, schema_version};
use foretell_tests::Workshop;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::{DOES_NOT_HOLD, DONE, FAILED, foretell, orders};

/// Puts a database in the place that has the first version of the schema, as an older foretell would have left it.
async fn age(workshop: &Workshop) {
    std::fs::remove_file(workshop.database()).unwrap();
    let options = SqliteConnectOptions::new().filename(workshop.database()).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let name = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(AssertSqlSafe(name)).execute(&mut connection).await.unwrap();
    sqlx::migrate!("../migrations").run_to(1, &mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_made_and_brought_up_to_date() {
    let workshop = Workshop::default();
    let migrate = || {
        let finished = foretell(&workshop, &["db", "migrate", "--json"]);
        assert_eq!(finished.code, DONE, "{finished:?}");
        let document = finished.json();
        assert_eq!(document["version"], schema_version());
        document["before"].clone()
    };
    assert_eq!(migrate(), Value::Null);
    assert_eq!(migrate(), schema_version());
    age(&workshop).await;

    let old = foretell(&workshop, &["record", "list", "--domain", "shop"]);
    assert_eq!(old.code, FAILED);
    assert!(old.told().contains("help: bring it up to date: `foretell db migrate`"), "{}", old.told());
    let doctor = foretell(&workshop, &["doctor", "--json"]).json();
    assert_eq!(
        (&doctor["database"]["state"], &doctor["database"]["schema_version"]),
        (&json!("unusable"), &json!(1))
    );

    let backup = foretell(&workshop, &["db", "backup", "old.db"]);
    assert_eq!(backup.code, DONE, "{backup:?}");
    assert_eq!(migrate(), 1);
    assert_eq!(foretell(&workshop, &["record", "list", "--domain", "shop"]).code, DONE);
    assert_eq!(foretell(&workshop, &["db", "check"]).code, DONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database_of_its_own() {
    let workshop = Workshop::default();
    let store = orders(&workshop, 500).await;
    // The store is still open: a backup is made while the database is in use.
    let backup = foretell(&workshop, &["db", "backup", "copy.db", "--json"]);
    store.close().await;
    assert_eq!(backup.code, DONE, "{backup:?}");
    let bytes = std::fs::metadata(workshop.path("copy.db")).unwrap().len();
    assert_eq!(backup.json()["bytes"], bytes);
    let count = |database: &str| {
        let list = ["record", "list", "--domain", "shop", "--limit", "500", "--json", "--db", database];
        foretell(&workshop, &list).json()
    };
    assert_eq!(count("copy.db"), count("foretell.db"));
    assert_eq!(foretell(&workshop, &["db", "check", "--db", "copy.db"]).code, DONE);

    let there = foretell(&workshop, &["db", "backup", "copy.db"]);
    assert_eq!(there.code, FAILED);
    assert!(there.told().contains("the file exists help: choose another name"), "{}", there.told());
    let vacuumed = foretell(&workshop, &["db", "vacuum", "--json"]).json();
    assert_eq!(vacuumed["bytes_after"], bytes, "a backup is as compact");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found() {
    let workshop = Workshop::default();
    orders(&workshop, 500).await.close().await;
    let sound = foretell(&workshop, &["db", "check", "--json"]);
    assert_eq!(sound.code, DONE, "{sound:?}");
    assert_eq!(sound.json()["sound"], true);
    assert_eq!(foretell(&workshop, &["db", "backup", "sound.db"]).code, DONE);

    /// Bytes of a page of SQLite, whose header stands at its beginning.
    const PAGE_BYTES: usize = 4096;
    const HEADER_BYTES: usize = 8;
    let whole = std::fs::read(workshop.path("sound.db")).unwrap();
    let pages = whole.chunks(PAGE_BYTES).enumerate();
    let full = pages.filter(|(_, page)| page.windows(6).any(|text| text == b"order-")).map(|(page, _)| page);
    let full: Vec<_> = full.collect();
    for page in [full[0], full[full.len() / 2], full[full.len() - 1]] {
        let mut bytes = whole.clone();
        bytes[page * PAGE_BYTES + HEADER_BYTES..][..PAGE_BYTES / 2].fill(0xa5);
        workshop.write("damaged.db", &bytes);
        let damaged = foretell(&workshop, &["db", "check", "--json", "--db", "damaged.db"]);
        assert_eq!(damaged.code, DOES_NOT_HOLD, "page {page}: {damaged:?}");
        let document = damaged.json();
        assert_eq!(document["sound"], false);
        assert_eq!(document["problems"][0]["check"], "file", "page {page}: {document}");
        assert_eq!(document["checks"], sound.json()["checks"], "every check is made");
        let words = foretell(&workshop, &["db", "check", "--db", "damaged.db"]);
        assert!(words.stdout.starts_with("`damaged.db` is damaged"), "{words:?}");
        assert!(words.stdout.contains("restore a backup"), "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_no_json_is_found() {
    let workshop = Workshop::default();
    orders(&workshop, 3).await.close().await;
    let address = format!("sqlite://{}", workshop.database().display());
    let mut connection = SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql("UPDATE record SET payload = 'oops' WHERE id = 2").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let damaged = foretell(&workshop, &["db", "check", "--json"]);
    assert_eq!(damaged.code, DOES_NOT_HOLD, "{damaged:?}");
    let problem = &damaged.json()["problems"][0];
    assert_eq!((&problem["check"], &problem["example"]), (&json!("payload"), &json!(2)));
    let listed = foretell(&workshop, &["record", "list", "--domain", "shop", "--json"]).json();
    assert_eq!(listed["records"][1]["payload"], "oops", "what is no JSON is printed as a text");
    assert_eq!(foretell(&workshop, &["record", "list", "--domain", "shop"]).code, DONE);
}

#[test]
fn what_is_no_database_says_why() {
    let workshop = Workshop::default();
    let text =
        workshop.write("text.db", "a text that is long enough to be taken for a database ".repeat(100));
    workshop.write("empty.db", "");
    for (database, expected) in [
        ("nowhere.db", "there is no such file"),
        ("text.db", "not a SQLite database"),
        ("empty.db", "not one of foretell"),
        (".", "it is a directory"),
    ] {
        for arguments in [["db", "check"], ["db", "vacuum"], ["prediction", "runs"]] {
            let finished = foretell(&workshop, &[&arguments[..], &["--db", database]].concat());
            assert_eq!(finished.code, FAILED, "{database}: {finished:?}");
            let told = finished.told();
            assert!(told.contains(expected) && told.contains("help: "), "{database}: {told}");
        }
    }
    assert!(std::fs::read_to_string(text).unwrap().starts_with("a text"));
    let migrated = foretell(&workshop, &["db", "migrate", "--db", "nowhere/foretell.db"]);
    assert_eq!(migrated.code, FAILED);
    assert!(migrated.told().contains("`nowhere` is not a directory"), "{}", migrated.told());
}
