//! Importing files: what goes in, what is refused and why, and that nothing is lost or doubled.

mod mapping;
mod parquet;
mod rejects;

use std::path::{Path, PathBuf};

use foretell_store::import::mapping::{Field, FieldType};
use foretell_store::import::{
    BATCH_BYTES_MAX, Format, Import, ImportError, ImportReport, JsonReader, Mapping, NAME_BYTES_MAX,
    ROW_BYTES_MAX,
};
use foretell_store::open::Store;
use foretell_store::record::{LabelValue, Record, RecordFilter, Reject};
use foretell_store::time::{DAY, SECOND, parse_time};
use proptest::prelude::*;
use tempfile::TempDir;

/// One of everything.
const MAPPING: &str = r#"
schema = 1
external_id = "id"

[event_time]
column = "t"
unit = "s"
epoch = "2018-04-01T00:00:00Z"

[[field]]
name = "customer"
type = "utf8"
key = true

[[field]]
name = "amount"
column = "cents"
type = "float64"
divide = 100
minimum = 0
maximum = 1000

[[field]]
name = "items"
type = "int64"
required = false
minimum = 1

[[field]]
name = "channel"
type = "category"
allowed = ["web", "shop"]
required = false

[[field]]
name = "gift"
type = "bool"
required = false

[[field]]
name = "due"
type = "timestamp"
format = "%d.%m.%Y"
required = false

[[label]]
name = "returned"
column = "code"
true_values = ["1", "2"]
false_values = ["0"]
known_after = "14d"

[[label]]
name = "rating"
type = "float64"
known_at = { column = "rated" }
"#;
const HEADER: &str = "id,t,customer,cents,items,channel,gift,due,code,rating,rated\n";
const GOOD: &str = "g,0,c,100,,,,,,,\n";

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

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn try_import(&self, mapping: &str, path: &Path) -> Result<ImportReport, ImportError> {
        let mapping = Mapping::from_toml(mapping).unwrap();
        Import::new(&self.store, "shop", mapping).run(path, |_| {}).await
    }

    async fn import(&self, name: &str, content: impl AsRef<[u8]>) -> ImportReport {
        self.try_import(MAPPING, &self.file(name, content)).await.unwrap()
    }

    async fn records(&self) -> Vec<Record> {
        self.store.records(&RecordFilter::domain("shop"), u32::MAX).await.unwrap()
    }
}

fn show(reject: &Reject) -> String {
    let line = reject.line.map_or(String::new(), |line| format!("{line}: "));
    let field = reject.field.as_deref().map_or(String::new(), |field| format!("{field}: "));
    format!("{line}{field}{}", reject.reason)
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn a_row_becomes_a_record() {
    let shop = Shop::new().await;
    let row = "A-17,86400,596,5716,3,web,TRUE,31.12.2018,2,4.5,2018-05-01T10:00:00+02:00\n";
    let report = shop.import("orders.csv", format!("{HEADER}{row}")).await;
    assert_eq!((report.rows, report.stored, report.rejected), (1, 1, 0), "{:?}", report.rejects);

    let record = shop.store.record_by_external_id("shop", "A-17").await.unwrap().unwrap();
    assert_eq!(record.event_time, parse_time("2018-04-02").unwrap());
    let due = parse_time("2018-12-31").unwrap();
    assert_eq!(
        record.payload,
        format!(r#"{{"customer":"596","amount":57.16,"items":3,"channel":"web","gift":true,"due":{due}}}"#)
    );
    let labels = shop.store.labels(record.id).await.unwrap();
    let labels: Vec<_> = labels.iter().map(|label| (&*label.name, &label.value, label.known_at)).collect();
    assert_eq!(
        labels,
        [
            ("rating", &LabelValue::Number(4.5), parse_time("2018-05-01T08:00:00Z").unwrap()),
            ("returned", &LabelValue::Bool(true), record.event_time + 14 * DAY),
        ]
    );
    let by_customer =
        RecordFilter { key: Some(("customer".into(), "596".into())), ..RecordFilter::domain("shop") };
    assert_eq!(shop.store.count(&by_customer).await.unwrap(), 1);
}

#[tokio::test]
async fn missing_values_are_null_and_no_label() {
    let shop = Shop::new().await;
    assert_eq!(shop.import("orders.csv", format!("{HEADER}{GOOD}")).await.stored, 1);
    let record = &shop.records().await[0];
    assert_eq!(
        record.payload,
        r#"{"customer":"c","amount":1.0,"items":null,"channel":null,"gift":null,"due":null}"#
    );
    assert_eq!(shop.store.labels(record.id).await.unwrap(), []);
}

#[tokio::test]
async fn quotes_line_ends_and_byte_order_marks_are_understood() {
    let shop = Shop::new().await;
    let csv = "\u{feff}\"id\",t, customer ,cents,items,channel,gift,due,code,rating,rated\r\n\
               a,0,\"Smith, \"\"Ann\"\"\r\n2nd line\",100,,,,,,,\r\n\r\nb,0,5\" pipe,100,,,,,,,\r\nc,0,x,bad,,,,,,,\r\nd,0,é,1,,,,,,,";
    let report = shop.import("orders.csv", csv).await;
    assert_eq!(report.rejects.iter().map(show).collect::<Vec<_>>(), ["6: cents: `bad` is not a number"]);
    let payloads: Vec<String> = shop.records().await.into_iter().map(|record| record.payload).collect();
    assert_eq!(payloads.len(), 3);
    assert!(payloads[0].starts_with(r#"{"customer":"Smith, \"Ann\"\r\n2nd line","#), "{}", payloads[0]);
    assert!(payloads[1].starts_with(r#"{"customer":"5\" pipe","#), "{}", payloads[1]);
    assert!(payloads[2].starts_with(r#"{"customer":"é","#), "{}", payloads[2]);

    let jsonl = "\u{feff}{\"id\":\"j\",\"t\":0,\"customer\":7,\"cents\":1}\r\n\r\n  \n{}";
    let report = shop.import("orders.ndjson", jsonl).await;
    assert_eq!((report.stored, report.rejected, report.rejects[0].line), (1, 1, Some(4)));
}

#[tokio::test]
async fn a_header_alone_is_an_import_of_nothing() {
    let shop = Shop::new().await;
    let report = shop.import("orders.csv", HEADER).await;
    assert_eq!((report.rows, report.stored, report.rejected), (0, 0, 0));
}

#[tokio::test]
async fn other_delimiters_are_read() {
    let shop = Shop::new().await;
    let mapping = "schema = 1\nexternal_id = \"id\"\ndelimiter = \";\"\nevent_time = { column = \"t\", unit = \"s\" }\n\
                   field = [{ name = \"x\", type = \"utf8\" }]\n";
    let report = shop.try_import(mapping, &shop.file("a.csv", "id;t;x\n1;0;a,b\n")).await.unwrap();
    assert_eq!(report.stored, 1);
    let mapping = mapping.replace("delimiter = \";\"\n", "");
    let report = shop.try_import(&mapping, &shop.file("b.tsv", "id\tt\tx\n2\t0\ta,b\n")).await.unwrap();
    assert_eq!(report.stored, 1);
    assert!(shop.records().await.iter().all(|record| record.payload == r#"{"x":"a,b"}"#));
}

#[tokio::test]
async fn importing_twice_changes_nothing() {
    let shop = Shop::new().await;
    let csv = format!("{HEADER}a,0,c,100,,,,,1,,\nb,5,d,200,,,,,0,5,2018-05-01\nbad\n");
    let first = shop.import("orders.csv", &csv).await;
    assert_eq!((first.stored, first.already_stored, first.rejected), (2, 0, 1));
    let before =
        (shop.records().await, shop.store.labels(1).await.unwrap(), shop.store.labels(2).await.unwrap());
    let second = shop.import("orders.csv", &csv).await;
    assert_eq!((second.rows, second.stored, second.already_stored, second.rejected), (3, 0, 2, 1));
    assert_eq!(second.labels_added, 0);
    let after =
        (shop.records().await, shop.store.labels(1).await.unwrap(), shop.store.labels(2).await.unwrap());
    assert_eq!(before, after);
}

#[tokio::test]
async fn labels_that_come_later_are_added() {
    let shop = Shop::new().await;
    shop.import("orders.csv", format!("{HEADER}a,0,c,100,,,,,,,\nb,0,c,100,,,,,0,,\n")).await;
    let report = shop.import("orders.csv", format!("{HEADER}a,0,c,100,,,,,1,,\nb,0,c,100,,,,,0,,\n")).await;
    assert_eq!((report.already_stored, report.labels_added), (2, 1));
    assert_eq!(shop.store.labels(1).await.unwrap()[0].value, LabelValue::Bool(true));
    assert_eq!(shop.store.labels(2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn rows_without_names_are_named_by_their_file() {
    let shop = Shop::new().await;
    let mapping = MAPPING.replace("external_id = \"id\"\n", "");
    let path = shop.file("orders.csv", format!("{HEADER}{GOOD}{GOOD}"));
    assert_eq!(shop.try_import(&mapping, &path).await.unwrap().stored, 2);
    assert_eq!(shop.try_import(&mapping, &path).await.unwrap().already_stored, 2);
    let name = shop.records().await[0].external_id.clone().unwrap();
    let (hash, line) = name.split_once(':').unwrap();
    assert_eq!((hash.len(), line), (16, "2"));
}

#[tokio::test]
async fn times_are_read_in_every_unit_and_format() {
    let noon = parse_time("2018-07-25T12:00:00Z").unwrap();
    let cases: &[(&str, &str, i64)] = &[
        ("unit = \"d\"", "17737.5", noon),
        ("unit = \"h\"", "425700", noon),
        ("unit = \"m\"", "25542000", noon),
        ("unit = \"s\"", "1532520000", noon),
        ("unit = \"s\"", "1532520000.25", noon + SECOND / 4),
        ("unit = \"ms\"", "1532520000000", noon),
        ("unit = \"us\"", "1532520000000001", noon + 1),
        ("unit = \"ns\"", "1532520000000001999", noon + 1),
        ("", "2018-07-25T14:00:00+02:00", noon),
        ("", "2018-07-25 12:00:00", noon),
        ("", "2018-07-25", noon - DAY / 2),
        ("format = \"rfc3339\"", "2018-07-25T12:00:00Z", noon),
        ("format = \"%d/%m/%Y %H:%M\"", "25/07/2018 12:00", noon),
        ("format = \"%d/%m/%Y %Hh\"", "25/07/2018 12h", noon),
        ("format = \"%Y%m%d\"", "20180725", noon - DAY / 2),
        ("format = \"%Y-%m-%d %I:%M %p %z\"", "2018-07-25 02:00 PM +0200", noon),
        ("format = \"%s\"", "1532520000", noon),
    ];
    for (setting, text, expected) in cases {
        let mapping = format!(
            "schema = 1\n[event_time]\ncolumn = \"t\"\n{setting}\n[[field]]\nname = \"x\"\ntype = \"int64\"\n"
        );
        let reader = JsonReader::new(&Mapping::from_toml(&mapping).unwrap()).unwrap();
        let record = reader.record(format!(r#"{{"t":"{text}","x":1}}"#).as_bytes());
        assert_eq!(
            record.map(|record| record.event_time).map_err(|r| show(&r)),
            Ok(*expected),
            "{setting} {text}"
        );
    }
}

#[test]
fn records_with_fields_of_the_same_names_need_no_file() {
    let mapping = Mapping::of_fields(vec![
        Field { key: true, ..Field::new("customer", FieldType::Utf8) },
        Field { required: false, ..Field::new("amount", FieldType::Float64) },
    ]);
    let reader = JsonReader::new(&mapping).unwrap();
    let record = reader.record(br#"{"customer": 7, "event_time": "1970-01-01T00:00:01Z"}"#).unwrap();
    assert_eq!((record.external_id, record.event_time), (None, SECOND));
    assert_eq!(record.payload, r#"{"customer":"7","amount":null}"#);
    assert_eq!(record.keys, [Some("7".to_owned())]);
    let long = format!("{{\"customer\": \"{}\"}}", "x".repeat(ROW_BYTES_MAX));
    let reject = reader.record(long.as_bytes()).unwrap_err();
    assert_eq!(reject.reason, format!("the row is longer than {ROW_BYTES_MAX} bytes"));
}

/// A file of several batches, and the number of its rows. They are long, so that few of them make a batch.
fn batches(shop: &Shop) -> (PathBuf, u64) {
    let count = 3 * BATCH_BYTES_MAX / NAME_BYTES_MAX;
    let customer = "c".repeat(NAME_BYTES_MAX);
    let rows: String = (0..count).map(|id| format!("{id},{id},{customer},100,,,,,,,\n")).collect();
    (shop.file("orders.csv", format!("{HEADER}{rows}")), count as u64)
}

#[tokio::test]
async fn progress_reaches_the_end() {
    let shop = Shop::new().await;
    let (path, count) = batches(&shop);
    let import = Import::new(&shop.store, "shop", Mapping::from_toml(MAPPING).unwrap());
    let mut seen = Vec::new();
    let report = import.run(&path, |progress| seen.push(progress)).await.unwrap();
    assert_eq!(report.stored, count);
    assert!(seen.len() > 2, "batches are bounded");
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    let last = seen.last().unwrap();
    assert_eq!((last.done, last.counts.stored), (last.total, count));
}

#[tokio::test]
async fn a_dropped_import_keeps_what_was_acknowledged_and_goes_on() {
    let shop = Shop::new().await;
    let (path, count) = batches(&shop);
    let import = Import::new(&shop.store, "shop", Mapping::from_toml(MAPPING).unwrap());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let running = import.run(&path, |progress| {
        if let Some(sender) = sender.take() {
            sender.send(progress.counts.stored).unwrap();
        }
    });
    let acknowledged = tokio::select! {
        biased;
        stored = receiver => stored.unwrap(),
        report = running => panic!("the import was to be dropped: {report:?}"),
    };
    let stored = shop.store.count(&RecordFilter::domain("shop")).await.unwrap();
    assert!(acknowledged > 0 && stored >= acknowledged && stored < count, "{acknowledged} {stored}");
    let report = import.run(&path, |_| {}).await.unwrap();
    assert_eq!((report.already_stored, report.stored), (stored, count - stored));
}

#[tokio::test]
async fn a_format_can_be_said() {
    let shop = Shop::new().await;
    let path = shop.file("orders.txt", format!("{HEADER}{GOOD}"));
    let import =
        Import::new(&shop.store, "shop", Mapping::from_toml(MAPPING).unwrap()).with_format(Format::Csv);
    assert_eq!(import.run(&path, |_| {}).await.unwrap().stored, 1);
    assert_eq!("parquet".parse(), Ok(Format::Parquet));
    assert!("xlsx".parse::<Format>().unwrap_err().to_string().contains("expected `csv`"));
}

/// A row of a property test, and whether it is good.
#[derive(Clone, Debug)]
enum Row {
    Good { time: u32, customer: String, cents: i64, code: Option<u8> },
    Bad(usize),
}

fn row() -> impl Strategy<Value = Row> {
    let good = (any::<u32>(), "[^\\x00]{1,8}", 0..=100_000_i64, proptest::option::of(0..=2_u8));
    prop_oneof![
        3 => good.prop_map(|(time, customer, cents, code)| Row::Good { time, customer, cents, code }),
        1 => (0..4_usize).prop_map(Row::Bad),
    ]
}

fn csv(rows: &[Row]) -> String {
    let line = |(id, row): (usize, &Row)| match row {
        Row::Good { time, customer, cents, code } => {
            let (customer, code) =
                (customer.replace('"', "\"\""), code.map_or(String::new(), |code| code.to_string()));
            format!("{id},{time},\"{customer}\",{cents},,,,,{code},,\r\n")
        }
        Row::Bad(kind) => {
            let bad = ["{id}", "{id},-1,c,1,,,,,,,", "{id},0,c,?,,,,,,,", "{id},0,c\",1,,,,,9,,"];
            format!("{}\n", bad[*kind].replace("{id}", &id.to_string()))
        }
    };
    HEADER.to_owned() + &rows.iter().enumerate().map(line).collect::<String>()
}

fn jsonl(rows: &[Row]) -> String {
    let line = |(id, row): (usize, &Row)| match row {
        Row::Good { time, customer, cents, code } => {
            serde_json::json!({ "id": id, "t": time, "customer": customer, "cents": cents, "code": code })
                .to_string()
                + "\n"
        }
        Row::Bad(kind) => ["nothing", "[]", "{}", "{\"id\":"][*kind].to_owned() + "\n",
    };
    "\n".to_owned() + &rows.iter().enumerate().map(line).collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn good_rows_go_in_and_bad_rows_are_refused(rows in proptest::collection::vec(row(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            // What JSON Lines cannot take as its first line would refuse the whole file.
            let shop = Shop::new().await;
            let good = rows.iter().filter(|row| matches!(row, Row::Good { .. })).count() as u64;
            for content in [("orders.csv", csv(&rows)), ("orders.jsonl", jsonl(&rows))] {
                let Ok(report) = shop.try_import(MAPPING, &shop.file(content.0, &content.1)).await else {
                    assert!(matches!(rows[0], Row::Bad(1)) && content.0 == "orders.jsonl");
                    continue;
                };
                assert_eq!(report.rows, rows.len() as u64, "{:?}", report.rejects);
                assert_eq!(report.stored + report.already_stored, good, "{:?}", report.rejects);
                assert_eq!(report.rejected, report.rows - good);
            }
            for (id, row) in rows.iter().enumerate() {
                let found = shop.store.record_by_external_id("shop", &id.to_string()).await.unwrap();
                match row {
                    Row::Bad(_) => assert_eq!(found, None),
                    Row::Good { time, customer, cents, code } => {
                        let record = found.unwrap();
                        let payload: serde_json::Value = serde_json::from_str(&record.payload).unwrap();
                        assert_eq!(payload["customer"], customer.as_str());
                        assert_eq!(payload["amount"], *cents as f64 / 100.0);
                        assert_eq!(record.event_time, parse_time("2018-04-01").unwrap() + i64::from(*time) * SECOND);
                        let labels = shop.store.labels(record.id).await.unwrap();
                        assert_eq!(labels.first().map(|label| label.value.clone()), code.map(|code| LabelValue::Bool(code > 0)));
                    }
                }
            }
        });
    }
}
