//! The views in which the analysts of a shop read what it sells.

use foretell_store::lineage::PluginVersion;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::{Appender, NewRecord, Outcome};
use foretell_store::selection::Selection;
use foretell_store::time::parse_time;
use sqlx::{AssertSqlSafe, Row};

use crate::shop::{Shop, plugin, run, source};

/// Appends records to a domain with these keys; their ids.
async fn append(shop: &Shop, domain: &str, keys: &[&str], records: &[(&str, serde_json::Value)]) -> Vec<i64> {
    let names = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut appender = Appender::begin(&shop.store, domain, names, source()).await.unwrap();
    let record = |(time, payload): &(&str, serde_json::Value)| NewRecord {
        external_id: None,
        event_time: parse_time(time).unwrap(),
        payload: payload.to_string(),
        keys: keys.iter().map(|key| payload[*key].as_str().map(str::to_owned)).collect(),
        labels: Vec::new(),
        media: vec![],
    };
    let outcomes = appender.append(records.iter().map(record).collect()).await.unwrap();
    outcomes.into_iter().map(Outcome::record_id).collect()
}

/// Two purchases and a question, and a catalogue in which tea was described twice; predictions of two runs and a trial.
async fn goods() -> (Shop, Vec<i64>, i64) {
    let shop = Shop::new().await;
    let described = [
        (
            "2026-01-02",
            serde_json::json!({"item": "1", "title": "Green tea", "price": 3.5, "in_stock": true,
            "brand": "Leaf", "category": "Food > Tea"}),
        ),
        ("2026-01-01", serde_json::json!({"item": "1", "title": "Tea"})),
    ];
    append(&shop, "retail-catalogue", &["item"], &described).await;
    let bought = [
        (
            "2026-02-01T10:00:00Z",
            serde_json::json!({"customer": "ann", "item": "1", "basket": "b1", "quantity": 2,
            "price": 3.5}),
        ),
        ("2026-02-02", serde_json::json!({"customer": "ann", "item": "unknown"})),
        ("2026-02-03", serde_json::json!({"customer": "ann", "items": ["1"], "count": 5})),
    ];
    let ids = append(&shop, "retail", &["customer", "item", "basket"], &bought).await;
    let plugin = PluginVersion { domain: "retail".into(), task: "ranking".into(), ..plugin("1.0.0") };
    let plugin_version_id = shop.store.plugin_version(&plugin).await.unwrap();
    let mut latest = 0;
    for (item, shadow) in [("7", false), ("8", false), ("9", true)] {
        let run = foretell_store::lineage::NewRun { shadow, ..run(plugin_version_id, vec![]) };
        let begun = shop.store.begin_run(&run).await.unwrap();
        latest = if shadow { latest } else { begun };
        let prediction = NewPrediction {
            record_id: ids[0],
            score: Some(0.5),
            label: Some(item.into()),
            output: Some(format!(r#"[{{"item":"{item}","score":0.5}}]"#)),
        };
        shop.store.write_predictions(begun, &[prediction], &[]).await.unwrap();
    }
    (shop, ids, latest)
}

#[tokio::test]
async fn purchases_are_shown_with_the_newest_title_and_what_was_recommended_last() {
    let (shop, ids, run_id) = goods().await;
    let rows = sqlx::query("SELECT * FROM retail_purchase ORDER BY record_id")
        .fetch_all(&mut shop.other().await)
        .await
        .unwrap();
    assert_eq!(rows.len(), 3, "the catalogue is not in it");
    let first = &rows[0];
    assert_eq!((first.get::<i64, _>("record_id"), first.get::<i64, _>("run_id")), (ids[0], run_id));
    assert_eq!(first.get::<&str, _>("time"), "2026-02-01T10:00:00.000Z");
    assert_eq!((first.get::<&str, _>("customer"), first.get::<&str, _>("item")), ("ann", "1"));
    assert_eq!((first.get::<&str, _>("title"), first.get::<&str, _>("basket")), ("Green tea", "b1"));
    assert_eq!((first.get::<i64, _>("quantity"), first.get::<f64, _>("price")), (2, 3.5));
    assert_eq!((first.get::<&str, _>("recommended"), first.get::<f64, _>("score")), ("8", 0.5));
    assert_eq!(rows[1].get::<Option<&str>, _>("title"), None, "nobody has described it");
    assert_eq!(
        (rows[2].get::<Option<&str>, _>("item"), rows[2].get::<Option<i64>, _>("run_id")),
        (None, None)
    );
}

#[tokio::test]
async fn the_newest_description_of_an_item_is_marked() {
    let (shop, ..) = goods().await;
    let rows = sqlx::query("SELECT * FROM retail_item ORDER BY record_id")
        .fetch_all(&mut shop.other().await)
        .await
        .unwrap();
    let newest: Vec<(String, i64)> = rows.iter().map(|row| (row.get("title"), row.get("newest"))).collect();
    assert_eq!(newest, [("Green tea".into(), 1), ("Tea".into(), 0)]);
    let first = &rows[0];
    assert_eq!((first.get::<&str, _>("brand"), first.get::<&str, _>("category")), ("Leaf", "Food > Tea"));
    assert_eq!((first.get::<f64, _>("price"), first.get::<i64, _>("in_stock")), (3.5, 1));
}

#[tokio::test]
async fn conditions_are_about_the_views_of_the_shop() {
    let (shop, ..) = goods().await;
    let count = async |domain: &str, condition: &str| {
        let selection = Selection { condition: Some(condition.into()), ..Selection::domain(domain) };
        shop.store.count_selected(&selection).await.unwrap()
    };
    assert_eq!(count("retail", "item IS NULL").await, 1);
    assert_eq!(count("retail", "title LIKE 'Green%' AND recommended = '8'").await, 1);
    assert_eq!(count("retail-catalogue", "newest = 1 AND in_stock = 1").await, 1);
}

#[tokio::test]
async fn the_views_never_scan_a_table_for_one_record() {
    let shop = Shop::new().await;
    for (view, condition) in [
        ("retail_purchase", "record_id = 1"),
        ("retail_purchase", "event_time BETWEEN 1 AND 2 ORDER BY event_time"),
        ("retail_item", "record_id = 1"),
        ("retail_item", "event_time BETWEEN 1 AND 2 ORDER BY event_time"),
    ] {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE {condition}"));
        for step in sqlx::query(sql).fetch_all(&mut shop.other().await).await.unwrap() {
            let step: &str = step.get("detail");
            assert!(
                !step.starts_with("SCAN") && !step.contains("TEMP B-TREE"),
                "{view}, {condition}: {step}"
            );
        }
    }
}
