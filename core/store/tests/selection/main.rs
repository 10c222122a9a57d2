//! Which records are selected, and which conditions are refused.

mod property;

use foretell_store::lineage::{NewRun, PluginVersion};
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, Reject, SourceInfo, SourceKind,
};
use foretell_store::selection::{
    CONDITION_BYTES_MAX, ConditionError, FUNCTIONS, SelectedLabel, Selection, SelectionErrorKind, Unscored,
};
use foretell_store::time::{DAY, HOUR, parse_time};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// Orders of two customers, one on each day from 2018-07-25 on: amounts 10, 20, 30, 40.
struct Shop {
    store: Store,
    _directory: TempDir,
    ids: Vec<i64>,
    source: i64,
}

impl Shop {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
        let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await.unwrap();
        let orders = (0..4).map(|day| {
            let customer = if day % 2 == 0 { "O'Neill" } else { "596" };
            NewRecord {
                external_id: Some(format!("order-{day}")),
                event_time: start() + day * DAY,
                payload: serde_json::json!({ "customer": customer, "amount": 10 * (day + 1) }).to_string(),
                keys: vec![Some(customer.to_owned())],
                labels: vec![NewRecordLabel {
                    name: "returned".into(),
                    value: LabelValue::Bool(day == 3),
                    known_at: start() + 7 * DAY,
                }],
                media: vec![],
            }
        });
        let outcomes = appender.append(orders.collect()).await.unwrap();
        let ids = outcomes.iter().map(|outcome| outcome.record_id()).collect();
        Self { store, _directory: directory, ids, source: appender.source_id() }
    }

    /// A second connection to the same file, as another process would have it.
    async fn other(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.store.path()).connect().await.unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.other().await).await.unwrap();
    }

    async fn count(&self, selection: &Selection) -> u64 {
        self.store.count_selected(selection).await.unwrap()
    }

    /// How many orders a condition is true for.
    async fn meeting(&self, condition: &str) -> u64 {
        let found = self.store.count_selected(&condition_of_shop(condition)).await;
        found.unwrap_or_else(|error| panic!("`{condition}` was refused: {:?}", error.kind))
    }

    /// Why a condition is refused.
    async fn refusal(&self, condition: &str) -> ConditionError {
        match self.store.count_selected(&condition_of_shop(condition)).await {
            Ok(count) => panic!("`{condition}` selected {count} records"),
            Err(error) => match error.kind {
                SelectionErrorKind::Condition(error) => error,
                kind => panic!("`{condition}` was refused for another reason: {kind:?}"),
            },
        }
    }
}

fn start() -> i64 {
    parse_time("2018-07-25").unwrap()
}

fn condition_of_shop(condition: &str) -> Selection {
    Selection { condition: Some(condition.into()), ..Selection::domain("shop") }
}

#[tokio::test]
async fn each_criterion_narrows() {
    let shop = Shop::new().await;
    let all = Selection::domain("shop");
    assert_eq!(shop.count(&all).await, 4);
    assert_eq!(shop.count(&Selection::domain("lab")).await, 0);

    let second = start() + DAY;
    assert_eq!(shop.count(&Selection { from: Some(second), ..all.clone() }).await, 3);
    assert_eq!(shop.count(&Selection { to: Some(second), ..all.clone() }).await, 1);
    assert_eq!(shop.count(&Selection { from: Some(second), to: Some(second), ..all.clone() }).await, 0);

    let customer = |value: &str| Selection { key: Some(("customer".into(), value.into())), ..all.clone() };
    assert_eq!(shop.count(&customer("O'Neill")).await, 2);
    assert_eq!(shop.count(&Selection { from: Some(second), ..customer("O'Neill") }).await, 1);
    assert_eq!(shop.count(&customer("O'Neil")).await, 0);

    let label = |name: &str, value| Selection {
        label: Some(SelectedLabel { name: name.into(), value }),
        ..all.clone()
    };
    assert_eq!(shop.count(&label("returned", None)).await, 4);
    assert_eq!(shop.count(&label("returned", Some(LabelValue::Bool(true)))).await, 1);
    assert_eq!(shop.count(&label("returned", Some(LabelValue::Number(0.0)))).await, 3);
    assert_eq!(shop.count(&label("late", None)).await, 0);

    assert_eq!(shop.count(&Selection { source: Some(shop.source), ..all.clone() }).await, 4);
    assert_eq!(shop.count(&Selection { source: Some(shop.source + 1), ..all }).await, 0);
}

#[tokio::test]
async fn what_is_predicted_or_rejected_is_not_unscored() {
    let shop = Shop::new().await;
    let plugin = PluginVersion {
        name: "returns".into(),
        version: "1.0.0".into(),
        domain: "shop".into(),
        task: "binary-classification".into(),
        library_hash: "library".into(),
        manifest_hash: "manifest".into(),
        manifest: String::new(),
    };
    let run = NewRun {
        plugin_version_id: shop.store.plugin_version(&plugin).await.unwrap(),
        model_ids: vec![],
        config: "{}".into(),
        onnxruntime: "1.32.0".into(),
        threads: 1,
        program: "tests".into(),
        author: "clerk".into(),
        selection: "{}".into(),
        shadow: false,
    };
    let first = shop.store.begin_run(&run).await.unwrap();
    let second = shop.store.begin_run(&run).await.unwrap();
    let prediction = |place: usize| NewPrediction { record_id: shop.ids[place], ..NewPrediction::default() };
    let reject = Reject { record_id: Some(shop.ids[1]), reason: "no amount".into(), ..Reject::default() };
    shop.store.write_predictions(first, &[prediction(0)], &[reject]).await.unwrap();
    shop.store.write_predictions(second, &[prediction(3)], &[]).await.unwrap();

    let unscored = |runs: &[i64], after| Selection {
        unscored: Some(Unscored { runs: runs.to_vec(), after }),
        ..Selection::domain("shop")
    };
    assert_eq!(shop.count(&unscored(&[], 0)).await, 4);
    assert_eq!(shop.count(&unscored(&[first], 0)).await, 2);
    assert_eq!(shop.count(&unscored(&[second], 0)).await, 3);
    assert_eq!(shop.count(&unscored(&[first, second], 0)).await, 1);
    // Taken at its word: nothing up to that id is looked at.
    assert_eq!(shop.count(&unscored(&[first], shop.ids[2])).await, 1);
    assert_eq!(shop.count(&unscored(&[], shop.ids[3])).await, 0);
}

#[tokio::test]
async fn conditions_are_sql_over_the_view() {
    let shop = Shop::new().await;
    let cases = [
        ("payload ->> '$.amount' > 25", 2),
        ("(payload ->> 'amount') / 10 % 2 = 0", 2),
        ("(payload->>'$.amount' + 5) * 2 >= 50", 3),
        ("100 - payload ->> '$.amount' * 2 > payload -> '$' ->> 'amount' + 5", 3),
        ("payload ->> 'customer' = 'O''Neill'", 2),
        ("json_extract(payload, '$.customer') = 'O''Neill' AND NOT external_id = 'order-0'", 1),
        ("payload -> '$.amount' = '10'", 1),
        ("external_id IN ('order-1', 'order-2', 'order-9')", 2),
        ("external_id NOT IN ('order-1')", 3),
        ("external_id LIKE 'ORDER-_'", 4),
        ("external_id LIKE 'order!-%' ESCAPE '!'", 4),
        ("external_id NOT LIKE '%-3'", 3),
        ("external_id GLOB 'ORDER*'", 0),
        ("external_id GLOB 'order-[12]'", 2),
        ("\"external_id\" = 'order-1' OR `external_id` = 'order-2' OR [external_id] = 'order-3'", 3),
        ("EXTERNAL_ID = 'order-1'", 1),
        ("readable_record.external_id = 'order-1'", 1),
        ("time >= '2018-07-27' AND time < '2018-07-28'", 1),
        ("event_time - 1532476800000000 BETWEEN 1 AND 90000000000", 1),
        ("score IS NULL AND label IS NULL AND payload IS NOT NULL", 4),
        ("score > 0.5 IS NOT TRUE", 4),
        ("score IS NOT DISTINCT FROM NULL", 4),
        ("score = NULL", 0),
        ("NULL", 0),
        ("TRUE", 4),
        ("1 - -1", 4),
        ("record_id /* which */ > 0 -- all", 4),
        ("CASE payload ->> 'amount' WHEN 10 THEN 1 WHEN 20 THEN 1 ELSE 0 END", 2),
        ("iif(payload ->> 'amount' > 10, 1, 0)", 3),
        ("CAST(substr(external_id, 7) AS INTEGER) >= 2", 2),
        ("substr(external_id, 1, 5) = 'order' AND length(trim(external_id, 'o')) = 6", 4),
        ("instr(external_id, '-3') > 0", 1),
        ("upper(external_id) = 'ORDER-1' AND lower('A') = 'a' AND typeof(score) = 'null'", 1),
        ("coalesce(score, 0) = 0 AND ifnull(score, 1) = 1 AND nullif(1, 1) IS NULL", 4),
        ("min(payload ->> 'amount', 25) = 25 AND max(payload ->> 'amount', 35) = 35", 1),
        ("abs(-1) = 1 AND round(1.26, 1) = 1.3 AND rtrim('a ') = 'a' AND ltrim(' a') = 'a'", 4),
        ("date(event_time / 1000000, 'unixepoch', '+1 day') = '2018-07-26'", 1),
        (
            "strftime('%d', time) = '27' AND datetime(time) = '2018-07-27 00:00:00' AND time(time) = '00:00:00'",
            1,
        ),
        ("unixepoch(time) * 1000000 = event_time AND julianday(time) > 2458326.4", 2),
        ("event_time & 0 = 0 AND (1 | 2) = 3 AND ~0 = -1 AND 1e3 = 1_000", 4),
        ("record_id == record_id AND record_id != -1 AND record_id <> -1", 4),
        ("external_id\n=\n'order-1'", 1),
        ("domain = 'lab'", 0),
    ];
    for (condition, expected) in cases {
        assert_eq!(shop.meeting(condition).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn every_column_of_the_view_can_be_named() {
    let shop = Shop::new().await;
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('readable_record')")
        .fetch_all(&mut shop.other().await)
        .await
        .unwrap();
    for column in &columns {
        assert_eq!(shop.meeting(&format!("{column} IS NULL OR {column} IS NOT NULL")).await, 4, "{column}");
        assert_eq!(shop.meeting(&format!("coalesce({column}, 1) = 'nobody'")).await, 0, "{column}");
    }
    assert!(columns.len() > 5, "{columns:?}");
}

#[tokio::test]
async fn what_is_not_an_expression_is_refused_with_its_place() {
    let shop = Shop::new().await;
    let cases = [
        ("", 1),
        ("1) OR (1", 2),
        ("1; DROP TABLE record", 2),
        ("1 FROM record", 3),
        ("record_id > 0 UNION SELECT 1", 15),
        ("record_id = 1 ORDER BY record_id", 15),
        ("record_id > 0, 1", 14),
        ("record_id >", 12),
        ("external_id = 'order", 15),
        ("record_id > 0 /* and", 21),
        ("ATTACH 'other.db' AS other", 8),
        ("PRAGMA query_only = 0", 8),
        ("DELETE FROM record", 8),
        ("abs(score) FILTER (WHERE 1) > 0", 12),
        ("score NOT NULL", 7),
        ("record_id = record_id record_id", 23),
    ];
    for (condition, expected) in cases {
        match shop.refusal(condition).await {
            ConditionError::Syntax { line: 1, column, .. } => assert_eq!(column, expected, "{condition}"),
            other => panic!("`{condition}`: {other:?}"),
        }
    }
    assert!(matches!(
        shop.refusal("record_id >\n 'O''Neill' 'x'").await,
        ConditionError::Syntax { line: 2, column: 13, .. }
    ));
    assert_eq!(shop.meeting("TRUE").await, 4, "nothing was dropped");
}

#[tokio::test]
async fn unknown_names_are_refused_with_those_there_are() {
    let shop = Shop::new().await;
    let cases = [
        ("amount > 5", "amount"),
        ("external_id = \"order-1\"", "order-1"),
        ("record.id > 0", "record.id"),
        ("r.id > 0", "r.id"),
        ("readable.record_id > 0", "readable.record_id"),
        ("main.readable_record.record_id > 0", "main.readable_record.record_id"),
        ("rowid > 0", "rowid"),
    ];
    for (condition, name) in cases {
        let error = shop.refusal(condition).await;
        let ConditionError::UnknownColumn { name: found, columns } = &error else {
            panic!("`{condition}`: {error:?}")
        };
        assert_eq!(found, name);
        assert!(columns.iter().any(|column| column == "external_id"));
        assert!(error.to_string().contains("event_time, time, payload"), "{error}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn only_the_functions_of_the_list_can_be_called() {
    let shop = Shop::new().await;
    let unknown = [
        "load_extension('/tmp/evil.so')",
        "randomblob(1000000000)",
        "zeroblob(1000000000)",
        "printf('%1000000d', 1)",
        "replace(payload, 'a', payload)",
        "hex(payload)",
        "random()",
        "count(*)",
        "sum(score)",
        "group_concat(payload)",
        "row_number() OVER ()",
        "sqlite_version()",
        "writefile('/tmp/x', 'x')",
        "regexp('a', payload)",
        "likelihood(1, 0.5)",
        "main.abs(1)",
        "current_timestamp",
        "json_each(payload)",
        "quote(payload)",
        "like('%', payload)",
    ];
    for condition in unknown {
        let error = shop.refusal(condition).await;
        assert!(matches!(error, ConditionError::UnknownFunction { .. }), "{condition}: {error:?}");
        assert!(error.to_string().contains("abs, coalesce"), "{error}");
    }
    let arguments = [
        "max(score) > 0",
        "min(score) > 0",
        "abs() = 0",
        "abs(1, 2) = 0",
        "abs(*) = 0",
        "date() = '2018'",
        "strftime('%s') > 0",
        "strftime(external_id, time) > 0",
        "date(time, external_id) > 0",
        "instr(payload, payload) > 0",
        "trim(payload, payload) = ''",
        "json_extract(payload, '$', '$') > 0",
        "json_extract(payload, external_id) > 0",
        "payload ->> external_id = 1",
        "payload -> -1 = 1",
        "payload -> (payload) = 1",
        "payload -> external_id + 1 = 1",
        "payload LIKE payload",
        "payload GLOB external_id",
        "payload LIKE '%' ESCAPE 'ab'",
        "payload LIKE '%' ESCAPE external_id",
        "CAST(payload AS BLOB) = 1",
    ];
    for condition in arguments {
        let error = shop.refusal(condition).await;
        assert!(matches!(error, ConditionError::Arguments { .. }), "{condition}: {error:?}");
    }
    assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
}

#[tokio::test]
async fn the_rest_of_sql_is_refused() {
    let shop = Shop::new().await;
    let cases = [
        "record_id IN (SELECT id FROM record)",
        "record_id NOT IN (SELECT id FROM record)",
        "EXISTS (SELECT 1 FROM record)",
        "(SELECT max(id) FROM record) > 0",
        "record_id > (SELECT 1)",
        "record_id = ?",
        "record_id = ?1",
        "record_id = :id",
        "record_id = $id",
        "external_id COLLATE NOCASE = 'ORDER-1'",
        "payload || payload || payload = ''",
        "external_id REGEXP 'a+'",
        "external_id MATCH 'a'",
        "external_id ILIKE 'a'",
        "(record_id, event_time) = (1, 2)",
        "x'00' = external_id",
        "abs(score) OVER () > 0",
        "abs(DISTINCT score) > 0",
        "date('now') > time",
        "date(' NOW ') > time",
        "date('subsec') > time",
        "date(time, 'localtime') > time",
        "strftime('%s', coalesce(score, 'now')) > 0",
        "TRIM(BOTH 'a' FROM external_id) = ''",
        "EXTRACT(year FROM time) = 2018",
        "external_id::text = 'a'",
        "external_id = 'a\0b'",
    ];
    for condition in cases {
        let error = shop.refusal(condition).await;
        assert!(matches!(error, ConditionError::NotAllowed { .. }), "{condition}: {error:?}");
    }
    // Fine where no time is read.
    assert_eq!(shop.meeting("external_id <> 'now'").await, 4);
}

#[tokio::test]
async fn conditions_are_bounded() {
    let shop = Shop::new().await;
    let long = format!("record_id = '{}'", "a".repeat(CONDITION_BYTES_MAX));
    assert!(matches!(shop.refusal(&long).await, ConditionError::TooLong { .. }));

    let repeated = |start: &str, part: &str, end: &str| {
        format!("{start}{}{end}", part.repeat((CONDITION_BYTES_MAX - start.len() - end.len()) / part.len()))
    };
    let deep = [
        repeated("1", "+1", ""),
        repeated("1", " OR 1", ""),
        repeated("1", " IS NULL", ""),
        repeated("1", " IN (1)", ""),
        repeated("", "- ", "1"),
        repeated("", "~ ", "1"),
        format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}1{}", "abs(".repeat(800), ")".repeat(800)),
        format!("{}1{}", "CAST(".repeat(250), " AS INT)".repeat(250)),
        format!("{}1{}", "1 IN (".repeat(500), ")".repeat(500)),
    ];
    for condition in deep {
        let error = shop.refusal(&condition).await;
        assert!(matches!(error, ConditionError::TooDeep), "{}: {error:?}", &condition[..20]);
    }
    // Whatever the parser tries twice, it gives up soon.
    for part in [
        "(",
        "abs(",
        "CASE ",
        "IF(",
        "case-",
        "[",
        "{",
        "x.",
        "x->",
        "NOT x.",
        "DATE(",
        "x GLOB ",
        "INTERVAL ",
    ] {
        shop.refusal(&repeated("", part, "")).await;
    }
    shop.refusal(&repeated("", "NOT ", "1")).await;
    shop.refusal(&format!("{}1{}", "CASE WHEN ".repeat(180), " THEN 1 END".repeat(180))).await;

    let broad = format!("record_id IN ({})", vec!["1234567"; 500].join(","));
    assert_eq!(shop.meeting(&broad).await, 0);
    let terms = vec!["record_id = 1"; 100].join(" OR ");
    assert_eq!(shop.meeting(&terms).await, 1);
    let nested = format!("{}record_id = 1{}", "(".repeat(20), ")".repeat(20));
    assert_eq!(shop.meeting(&nested).await, 1);
}

#[tokio::test]
async fn a_condition_that_fails_on_a_record_says_so() {
    let shop = Shop::new().await;
    let malformed = shop.refusal("external_id ->> '$.amount' = 1").await;
    assert!(matches!(&malformed, ConditionError::Failed { reason } if reason.contains("malformed JSON")));
    assert!(!malformed.to_string().contains("order-"), "{malformed}");
    assert!(malformed.hint().is_some());
    let overflow = shop.refusal("abs(-9223372036854775807 - record_id) > 0").await;
    assert!(matches!(overflow, ConditionError::Failed { .. }));
}

#[tokio::test]
async fn texts_of_a_condition_do_not_get_into_messages() {
    let shop = Shop::new().await;
    let cases = [
        "external_id = 'Smith' 'Smith'",
        "external_id 'Smith'",
        "abs('Smith', 'Smith')",
        "x'Smith'",
        "'Smith",
    ];
    for condition in cases {
        let error = shop.refusal(condition).await;
        assert!(!error.to_string().contains("Smith"), "{error}");
    }
}

#[tokio::test]
async fn a_domain_with_a_view_of_its_own_is_asked_in_its_words() {
    let shop = Shop::new().await;
    shop.execute(
        "CREATE VIEW \"shop \"\"orders\"\"\" AS
         SELECT id AS record_id, payload ->> 'amount' AS amount, payload ->> 'customer' AS \"the customer\"
         FROM record WHERE domain = 'shop' AND payload ->> 'amount' < 35",
    )
    .await;
    shop.execute("INSERT INTO readable_view (domain, name) VALUES ('shop', 'shop \"orders\"')").await;

    assert_eq!(shop.meeting("amount > 10").await, 2, "the view leaves an order out");
    assert_eq!(shop.meeting("\"the customer\" = 'O''Neill'").await, 2);
    assert_eq!(shop.meeting("\"shop \"\"orders\"\"\".amount > 10").await, 2);
    assert!(matches!(shop.refusal("external_id = 'order-1'").await, ConditionError::UnknownColumn { .. }));
    let of_customer = Selection {
        key: Some(("customer".into(), "596".into())),
        from: Some(start() + HOUR),
        ..condition_of_shop("amount >= 20")
    };
    assert_eq!(shop.count(&of_customer).await, 1);

    shop.execute("DROP VIEW \"shop \"\"orders\"\"\"").await;
    let error = shop.store.count_selected(&condition_of_shop("amount > 10")).await.unwrap_err();
    assert!(matches!(&error.kind, SelectionErrorKind::View { name } if name == "shop \"orders\""));
    assert!(error.kind.hint().is_some());
    // Without a condition nobody asks for the view.
    assert_eq!(shop.count(&Selection::domain("shop")).await, 4);
}

#[tokio::test]
async fn the_general_view_shows_only_the_domain() {
    let shop = Shop::new().await;
    let source = SourceInfo { kind: SourceKind::Live, name: "bench".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&shop.store, "lab", vec![], source).await.unwrap();
    let sample = NewRecord {
        external_id: None,
        event_time: start(),
        payload: "{\"amount\":99}".into(),
        keys: vec![],
        labels: vec![],
        media: vec![],
    };
    appender.append(vec![sample]).await.unwrap();
    assert_eq!(shop.meeting("payload ->> 'amount' > 30").await, 1);
    assert_eq!(shop.meeting("1 OR domain = 'lab'").await, 4);
}

#[test]
fn as_json_a_selection_has_only_what_narrows_it() {
    let json = |selection: &Selection| serde_json::to_string(selection).unwrap();
    assert_eq!(json(&Selection::domain("shop")), r#"{"domain":"shop"}"#);

    let full = Selection {
        domain: "shop".into(),
        from: Some(1),
        to: Some(2),
        key: Some(("customer".into(), "596".into())),
        label: Some(SelectedLabel { name: "returned".into(), value: Some(LabelValue::Bool(true)) }),
        source: Some(3),
        after: Some(4),
        records: Some([5, 6, 9].into_iter().collect()),
        condition: Some("score > 0.5".into()),
        unscored: Some(Unscored { runs: vec![1, 2], after: 7 }),
    };
    let text = r#"{"domain":"shop","from":1,"to":2,"key":["customer","596"],"label":{"name":"returned","value":true},"source":3,"after":4,"records":[[5,6],[9,9]],"condition":"score > 0.5","unscored":{"runs":[1,2],"after":7}}"#;
    assert_eq!(json(&full), text);
    assert_eq!(serde_json::from_str::<Selection>(text).unwrap(), full);
    for value in [LabelValue::Number(2.5), LabelValue::Text("late".into()), LabelValue::Bool(false)] {
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<LabelValue>(&text).unwrap(), value);
    }
    // A criterion of a later version must not be passed over: more records would be meant than were asked for.
    assert!(serde_json::from_str::<Selection>(r#"{"domain":"shop","terminal":"1"}"#).is_err());
}

#[test]
fn a_person_can_read_a_selection_in_one_line() {
    assert_eq!(Selection::domain("shop").describe(), "domain shop");
    let full = Selection {
        domain: "shop".into(),
        from: Some(start()),
        to: Some(start() + DAY),
        key: Some(("customer".into(), "596".into())),
        label: Some(SelectedLabel { name: "returned".into(), value: Some(LabelValue::Bool(true)) }),
        source: Some(3),
        after: Some(4),
        records: Some([5, 6, 9].into_iter().collect()),
        condition: Some("score > 0.5\nOR score < \u{1b}[0.1".into()),
        unscored: Some(Unscored { runs: vec![1, 2], after: 7 }),
    };
    assert_eq!(
        full.describe(),
        "domain shop, from 2018-07-25T00:00:00Z, before 2018-07-26T00:00:00Z, key customer = 596, \
         label returned = true, source 3, stored after record 4, 3 records by their ids, where score > 0.5 OR score <  [0.1, \
         not scored by 2 earlier runs, stored after record 7"
    );
}
