//! Exporting: the columns of a file, and that what goes out comes in again.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use foretell_store::export::{Export, ExportErrorKind, ExportReport};
use foretell_store::import::{Format, Import, Mapping};
use foretell_store::label::NewLabel;
use foretell_store::lineage::{NewRun, PluginVersion};
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, Record, RecordFilter, SourceInfo, SourceKind,
};
use foretell_store::time::{DAY, TIME_MAX};
use proptest::prelude::*;
use tempfile::TempDir;

struct Shop {
    directory: TempDir,
    store: Store,
}

impl Shop {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        Self { directory, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Vec<i64> {
        let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
        let mut appender =
            Appender::begin(&self.store, "shop", vec!["customer".into()], source).await.unwrap();
        appender.append(records).await.unwrap().into_iter().map(Outcome::record_id).collect()
    }

    async fn run(&self, predictions: &[NewPrediction]) -> i64 {
        let text = |text: &str| text.to_owned();
        let plugin = PluginVersion {
            name: text("returns"),
            version: text("1.0.0"),
            domain: text("shop"),
            task: text("binary-classification"),
            library_hash: text("l"),
            manifest_hash: text("m"),
            manifest: String::new(),
        };
        let run = NewRun {
            plugin_version_id: self.store.plugin_version(&plugin).await.unwrap(),
            model_ids: Vec::new(),
            config: text("{}"),
            onnxruntime: text("1.32.0"),
            threads: 1,
            program: text("test"),
            author: text("test"),
            selection: text("{}"),
            shadow: false,
        };
        let run_id = self.store.begin_run(&run).await.unwrap();
        self.store.write_predictions(run_id, predictions, &[]).await.unwrap();
        run_id
    }

    fn export(&self) -> Export<'_> {
        Export::new(&self.store, RecordFilter::domain("shop"))
    }

    async fn text(&self, export: Export<'_>, format: Format) -> String {
        let output = Output::default();
        export.to_writer(output.clone(), format, |_| {}).await.unwrap();
        String::from_utf8(output.0.lock().unwrap().clone()).unwrap()
    }

    async fn records(&self) -> Vec<Record> {
        self.store.records(&RecordFilter::domain("shop"), u32::MAX).await.unwrap()
    }
}

/// What was written, and can still be seen.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record(external_id: &str, event_time: i64, payload: &str) -> NewRecord {
    NewRecord {
        external_id: Some(external_id.to_owned()),
        event_time,
        payload: payload.to_owned(),
        keys: vec![None],
        labels: Vec::new(),
        media: vec![],
    }
}

fn label(value: LabelValue, known_at: i64) -> NewRecordLabel {
    NewRecordLabel { name: "returned".to_owned(), value, known_at }
}

/// Three records whose payloads differ, two labels on the first, and predictions of two runs.
async fn shop_with_everything() -> (Shop, [i64; 2]) {
    let shop = Shop::new().await;
    let mut first = record("a", 0, r#"{"customer":"Smith, \"Ann\"","amount":57.16,"gift":true}"#);
    first.labels = vec![label(LabelValue::Bool(false), DAY), label(LabelValue::Bool(true), 2 * DAY)];
    let mut second = record("b", 1, r#"{"amount":3,"extra":[1,{"x":null}],"event_time":5,"mixed":"text"}"#);
    second.external_id = None;
    let third = record("c", 1, r#"{"customer":"","mixed":7}"#);
    let ids = shop.append(vec![first, second, third]).await;
    let prediction = |id, score, output: Option<&str>| NewPrediction {
        record_id: id,
        score: Some(score),
        label: Some("kept".to_owned()),
        output: output.map(str::to_owned),
    };
    let old = shop.run(&[prediction(ids[0], 0.25, None), prediction(ids[1], 0.5, None)]).await;
    let new = shop.run(&[prediction(ids[0], 1.0, Some(r#"{"x": 0.50}"#))]).await;
    (shop, [old, new])
}

#[tokio::test]
async fn csv_has_a_column_for_everything() {
    let (shop, _) = shop_with_everything().await;
    assert_eq!(
        shop.text(shop.export(), Format::Csv).await,
        "external_id,event_time,customer,amount,gift,extra,payload.event_time,mixed,label.returned,\
         label.returned.known_at,prediction.run_id,prediction.score,prediction.label,prediction.output\n\
         a,1970-01-01T00:00:00Z,\"Smith, \"\"Ann\"\"\",57.16,true,,,,true,1970-01-03T00:00:00Z,2,1.0,kept,\"{\"\"x\"\":0.5}\"\n\
         ,1970-01-01T00:00:00.000001Z,,3.0,,\"[1,{\"\"x\"\":null}]\",5,text,,,1,0.5,kept,\n\
         c,1970-01-01T00:00:00.000001Z,\"\",,,,,7,,,,,,\n"
    );
}

#[tokio::test]
async fn json_lines_have_the_same_columns() {
    let (shop, [old, _]) = shop_with_everything().await;
    assert_eq!(
        shop.text(shop.export().with_run(old), Format::JsonLines).await.lines().next().unwrap(),
        concat!(
            r#"{"external_id":"a","event_time":"1970-01-01T00:00:00Z","customer":"Smith, \"Ann\"","amount":57.16,"gift":true,"#,
            r#""extra":null,"payload.event_time":null,"mixed":null,"label.returned":true,"#,
            r#""label.returned.known_at":"1970-01-03T00:00:00Z","prediction.run_id":1,"prediction.score":0.25,"prediction.label":"kept"}"#,
        )
    );
    let lines = shop.text(shop.export(), Format::JsonLines).await;
    assert!(lines.lines().nth(1).unwrap().contains(r#""extra":[1,{"x":null}],"#), "{lines}");
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[tokio::test]
async fn parquet_has_typed_columns() {
    let (shop, _) = shop_with_everything().await;
    let path = shop.path("orders.parquet");
    let report = shop.export().to_file(&path, |_| {}).await.unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let types: Vec<_> = reader.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
    let time = "Timestamp(µs, \"UTC\")";
    assert_eq!(
        types,
        [
            "Utf8", time, "Utf8", "Float64", "Boolean", "Utf8", "Int64", "Utf8", "Boolean", time, "Int64",
            "Float64", "Utf8", "Utf8"
        ]
    );
    let names: Vec<_> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, report.columns);
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.num_rows(), 3);
    let mixed = arrow_array::cast::AsArray::as_string::<i32>(batch.column(7));
    assert_eq!((mixed.value(1), mixed.value(2)), ("text", "7"));
}

#[tokio::test]
async fn a_filter_selects_and_orders() {
    let shop = Shop::new().await;
    let mut records: Vec<_> =
        (0..10).map(|time| record(&format!("r{time}"), time, "{\"customer\":\"x\"}")).collect();
    records[4].keys = vec![Some("x".to_owned())];
    records[6].keys = vec![Some("x".to_owned())];
    shop.append(records).await;
    let all = RecordFilter::domain("shop");
    let cases = [
        (RecordFilter { from: Some(3), to: Some(6), ..all.clone() }, "r3 r4 r5"),
        (RecordFilter { from: Some(7), newest_first: true, ..all.clone() }, "r9 r8 r7"),
        (
            RecordFilter { key: Some(("customer".into(), "x".into())), newest_first: true, ..all.clone() },
            "r6 r4",
        ),
        (RecordFilter { key: Some(("customer".into(), "x".into())), to: Some(6), ..all.clone() }, "r4"),
        (RecordFilter::domain("garden"), ""),
    ];
    for (filter, expected) in cases {
        let text = shop.text(Export::new(&shop.store, filter.clone()), Format::Csv).await;
        let ids: Vec<_> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(ids.join(" "), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_file_is_there_whole_or_not_at_all() {
    let (shop, _) = shop_with_everything().await;
    let path = shop.path("orders.csv");
    std::fs::write(&path, "precious").unwrap();
    let error = shop.export().to_file(&path, |_| {}).await.unwrap_err();
    assert!(matches!(error.kind, ExportErrorKind::Exists), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    shop.export().with_overwrite().to_file(&path, |_| {}).await.unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("external_id,"));

    let error = shop.export().to_file(shop.path("orders.doc"), |_| {}).await.unwrap_err();
    assert!(matches!(error.kind, ExportErrorKind::UnknownFormat), "{error:?}");
    let error = shop.export().with_run(99).to_file(shop.path("runs.csv"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind.to_string(), "there is no run 99");
    let error = shop.export().to_file(shop.path("absent/orders.csv"), |_| {}).await.unwrap_err();
    assert!(matches!(error.kind, ExportErrorKind::Write(_)), "{error:?}");

    // A payload that this program would not have written.
    overwrite_payload(&shop, "[1]").await;
    let error = shop.export().to_file(shop.path("broken.csv"), |_| {}).await.unwrap_err();
    assert!(matches!(error.kind, ExportErrorKind::Payload(1)), "{error:?}");
    let mut names: Vec<_> = std::fs::read_dir(shop.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("shop.db"))
        .collect();
    names.sort();
    assert_eq!(names, ["orders.csv"], "nothing half written is left behind");
}

async fn overwrite_payload(shop: &Shop, payload: &str) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(shop.path("shop.db"));
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE record SET payload = ? WHERE id = 1")
        .bind(payload)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_fails_ends_the_export() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (shop, _) = shop_with_everything().await;
    for format in Format::ALL {
        let error = shop.export().to_writer(Full, format, |_| {}).await.unwrap_err();
        assert!(matches!(error.kind, ExportErrorKind::Write(_) | ExportErrorKind::Parquet(_)), "{error:?}");
    }
}

#[tokio::test]
async fn nothing_is_exported_as_a_header() {
    let shop = Shop::new().await;
    assert_eq!(shop.text(shop.export(), Format::Csv).await, "external_id,event_time\n");
    assert_eq!(shop.text(shop.export(), Format::JsonLines).await, "");
}

#[tokio::test]
async fn pages_join_without_a_seam() {
    let shop = Shop::new().await;
    // Many records share a time, and their order is then that of their ids.
    shop.append((0..10_000).map(|n| record(&n.to_string(), n / 3_000, "{}")).collect()).await;
    let mut progress = Vec::new();
    let path = shop.path("orders.csv");
    let report = shop.export().to_file(&path, |at| progress.push(at)).await.unwrap();
    assert_eq!(report.records, 10_000);
    assert_eq!(progress.last().map(|at| (at.done, at.total)), Some((10_000, 10_000)));
    let text = std::fs::read_to_string(&path).unwrap();
    let ids: Vec<i64> =
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(ids.iter().copied().eq(0..10_000));
}

const MAPPING: &str = r#"
schema = 1
external_id = "external_id"
event_time = { column = "event_time" }
field = [
    { name = "customer", type = "utf8", key = true },
    { name = "amount", type = "float64" },
    { name = "items", type = "int64", required = false },
    { name = "gift", type = "bool", required = false },
]
label = [{ name = "returned", known_at = { column = "label.returned.known_at" }, column = "label.returned" }]
"#;

fn order() -> impl Strategy<Value = NewRecord> {
    let amount =
        prop_oneof![any::<f64>().prop_filter("finite", |number| number.is_finite()), Just(57.0), Just(-0.0)];
    let parts = (
        0..=TIME_MAX,
        "[^\\x00]{1,6}",
        amount,
        proptest::option::of(any::<i64>()),
        proptest::option::of(any::<bool>()),
        proptest::option::of((any::<bool>(), 0..=TIME_MAX)),
    );
    parts.prop_map(|(event_time, customer, amount, items, gift, finding)| NewRecord {
        external_id: None,
        event_time,
        payload: format!(
            r#"{{"customer":{},"amount":{},"items":{},"gift":{}}}"#,
            json(&customer),
            json(&amount),
            json(&items),
            json(&gift)
        ),
        keys: vec![Some(customer)],
        labels: finding
            .map(|(value, known_at)| label(LabelValue::Bool(value), known_at))
            .into_iter()
            .collect(),
        media: vec![],
    })
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

async fn contents(shop: &Shop) -> Vec<(Option<String>, i64, String, Vec<(LabelValue, i64)>)> {
    let mut contents = Vec::new();
    for record in shop.records().await {
        let labels = shop.store.labels(record.id).await.unwrap();
        let labels = labels.into_iter().map(|label| (label.value, label.known_at)).collect();
        contents.push((record.external_id, record.event_time, record.payload, labels));
    }
    contents
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_out_comes_in_again(orders in proptest::collection::vec(order(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let shop = Shop::new().await;
            // One of everything first, so that every column is there; then in the order of an export.
            let mut orders: Vec<_> = [complete()].into_iter().chain(orders).collect();
            orders.sort_by_key(|order| order.event_time);
            for (number, order) in orders.iter_mut().enumerate() {
                order.external_id = Some(number.to_string());
            }
            shop.append(orders).await;
            for name in ["orders.csv", "orders.tsv", "orders.jsonl", "orders.parquet"] {
                let path = shop.path(name);
                let report: ExportReport = shop.export().to_file(&path, |_| {}).await.unwrap();
                let copy = Shop::new().await;
                let import = Import::new(&copy.store, "shop", Mapping::from_toml(MAPPING).unwrap());
                let imported = import.run(&path, |_| {}).await.unwrap();
                assert_eq!((imported.rejects, imported.stored), (vec![], report.records), "{name}");
                assert_eq!(contents(&copy).await, contents(&shop).await, "{name}");
            }
        });
    }
}

fn complete() -> NewRecord {
    let mut order = record("", 0, r#"{"customer":"c","amount":1.5,"items":1,"gift":true}"#);
    order.keys = vec![Some("c".to_owned())];
    order.labels = vec![label(LabelValue::Bool(true), DAY)];
    order
}

#[tokio::test]
async fn later_labels_are_the_ones_that_go_out() {
    let (shop, _) = shop_with_everything().await;
    let finding = NewLabel {
        record_id: 1,
        name: "returned".to_owned(),
        value: LabelValue::Bool(false),
        known_at: 3 * DAY,
        source: "review".to_owned(),
    };
    shop.store.add_labels(&[finding]).await.unwrap();
    let text = shop.text(shop.export(), Format::Csv).await;
    assert!(text.contains(",false,1970-01-04T00:00:00Z,"), "{text}");
}
