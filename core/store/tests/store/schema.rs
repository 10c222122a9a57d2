use foretell_store::lineage::PluginVersion;
use foretell_store::open::schema_version;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::Appender;
use foretell_store::time::parse_time;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::shop::{Shop, order, plugin, run, source};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Every table, index and view, as SQLite keeps it.
async fn schema(connection: &mut SqliteConnection) -> String {
    let rows =
        sqlx::query("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
            .fetch_all(connection)
            .await
            .unwrap();
    let mut text = String::new();
    for row in rows {
        let (kind, name, sql): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        text += &format!("-- {kind} {name}\n{sql};\n\n");
    }
    text
}

async fn memory() -> SqliteConnection {
    SqliteConnectOptions::new().in_memory(true).connect().await.unwrap()
}

#[tokio::test]
async fn a_fresh_schema_is_the_sum_of_the_migrations() {
    let fresh = schema(&mut Shop::new().await.other().await).await;
    let mut connection = memory().await;
    for version in 1..=schema_version() {
        MIGRATIONS.run_to(version, &mut connection).await.unwrap();
    }
    assert_eq!(fresh, schema(&mut connection).await);
    assert_eq!(
        fresh,
        include_str!("schema.txt"),
        "the schema has changed: add a migration instead of editing one, then bring `schema.txt` up to date"
    );
}

#[test]
fn migrations_are_numbered_without_gaps() {
    assert!(MIGRATIONS.iter().map(|migration| migration.version).eq(1..=schema_version()));
}

/// Two transactions of the card domain: the first scored twice and labelled, the second not.
async fn cards() -> (Shop, Vec<i64>, i64) {
    let shop = Shop::new().await;
    let keys = vec!["customer_id".to_owned(), "terminal_id".to_owned()];
    let mut appender = Appender::begin(&shop.store, "fraud", keys, source()).await.unwrap();
    let card = |number: i64, time: &str| {
        let mut record = order(number, "596", parse_time(time).unwrap());
        record.payload = format!(r#"{{"customer_id":"596","terminal_id":"3156","amount":{number}.25}}"#);
        record.keys.push(Some("3156".into()));
        record.labels[0].name = "fraud".into();
        record
    };
    let mut second = card(2, "1969-12-31T23:59:59.999Z");
    second.labels.clear();
    let outcomes = appender.append(vec![card(1, "2018-07-25T09:15:00.250Z"), second]).await.unwrap();
    let ids: Vec<_> = outcomes.into_iter().map(|outcome| outcome.record_id()).collect();
    let plugin = PluginVersion { domain: "fraud".into(), ..plugin("1.0.0") };
    let plugin_version_id = shop.store.plugin_version(&plugin).await.unwrap();
    let mut latest = 0;
    for (score, label) in [(0.25, "review"), (0.75, "decline")] {
        latest = shop.store.begin_run(&run(plugin_version_id, vec![])).await.unwrap();
        let prediction =
            NewPrediction { record_id: ids[0], score: Some(score), label: Some(label.into()), output: None };
        shop.store.write_predictions(latest, &[prediction], &[]).await.unwrap();
    }
    (shop, ids, latest)
}

#[tokio::test]
async fn the_card_view_shows_the_latest_prediction_and_label() {
    let (shop, ids, run_id) = cards().await;
    shop.appender().await.append(vec![order(1, "ann", 0)]).await.unwrap();
    let rows: Vec<_> = sqlx::query("SELECT * FROM fraud_transaction ORDER BY record_id")
        .fetch_all(&mut shop.other().await)
        .await
        .unwrap();
    assert_eq!(rows.len(), 2, "orders of the shop are not in it");
    let first = &rows[0];
    assert_eq!(first.get::<i64, _>("record_id"), ids[0]);
    assert_eq!(first.get::<&str, _>("transaction_id"), "order-1");
    assert_eq!(first.get::<&str, _>("time"), "2018-07-25T09:15:00.250Z");
    assert_eq!((first.get::<&str, _>("customer_id"), first.get::<&str, _>("terminal_id")), ("596", "3156"));
    assert_eq!(first.get::<f64, _>("amount"), 1.25);
    assert_eq!(first.get::<i64, _>("fraud"), 0);
    assert_eq!((first.get::<f64, _>("score"), first.get::<&str, _>("decision")), (0.75, "decline"));
    assert_eq!(first.get::<i64, _>("run_id"), run_id);
    let second = &rows[1];
    assert_eq!(second.get::<&str, _>("time"), "1969-12-31T23:59:59.999Z");
    assert_eq!((second.get::<Option<i64>, _>("fraud"), second.get::<Option<f64>, _>("score")), (None, None));
}

#[tokio::test]
async fn the_card_view_never_scans_a_table_for_one_transaction() {
    let shop = Shop::new().await;
    for condition in
        ["record_id = 1", "transaction_id = 'x'", "event_time BETWEEN 1 AND 2 ORDER BY event_time"]
    {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM fraud_transaction WHERE {condition}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut shop.other().await).await.unwrap();
        for step in plan {
            let step: &str = step.get("detail");
            assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{condition}: {step}");
        }
    }
}

#[tokio::test]
async fn the_frequent_queries_use_an_index() {
    let shop = Shop::new().await;
    let queries = [
        "SELECT value FROM label WHERE record_id = 1 AND name = 'a' AND known_at <= 5
         ORDER BY known_at DESC, id DESC LIMIT 1",
        "SELECT max(run_id) FROM prediction WHERE record_id = 1 AND run_id IN (1, 2)",
        "SELECT id FROM record WHERE domain = 'shop' AND event_time >= 5 ORDER BY event_time DESC, id DESC",
        "SELECT id FROM record WHERE domain = 'shop' AND external_id IN (SELECT value FROM json_each('[]'))",
    ];
    for query in queries {
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        for step in sqlx::query(sql).fetch_all(&mut shop.other().await).await.unwrap() {
            let step: &str = step.get("detail");
            let scans = step.starts_with("SCAN") && !step.contains("json_each");
            assert!(!scans && !step.contains("TEMP B-TREE"), "{query}: {step}");
        }
    }
}
