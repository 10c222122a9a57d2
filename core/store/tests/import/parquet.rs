//! Importing Parquet files: every type of column, rows that are refused, and files that lie about themselves.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, NullArray, RecordBatch, StringArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use foretell_store::import::parquet::{FOOTER_BYTES_MAX, FOOTER_ENTRIES_MAX, PAGE_BYTES_MAX, ParquetProblem};
use foretell_store::import::{ImportError, ImportErrorKind, ImportReport};
use foretell_store::time::parse_time;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader,
    ParquetMetaDataWriter,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Shop;

const MAPPING: &str = r#"
schema = 1
external_id = "id"
event_time = { column = "t", unit = "s" }
field = [
    { name = "customer", type = "utf8", key = true },
    { name = "amount", column = "cents", type = "float64", divide = 100, minimum = 0 },
]
[[label]]
name = "returned"
column = "code"
true_values = ["1"]
false_values = ["0"]
known_after = "14d"
"#;

impl Shop {
    async fn try_parquet(&self, mapping: &str, content: &[u8]) -> Result<ImportReport, ImportError> {
        self.try_import(mapping, &self.file("orders.parquet", content)).await
    }

    async fn problem(&self, content: &[u8]) -> ParquetProblem {
        match self.try_parquet(MAPPING, content).await.unwrap_err().kind {
            ImportErrorKind::Parquet(problem) => problem,
            other => panic!("{other:?}"),
        }
    }
}

fn write_with(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn write(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    write_with(columns, properties.build())
}

/// Orders with whole numbers throughout.
fn orders(count: i32) -> Vec<(&'static str, ArrayRef)> {
    let column = |f: fn(i32) -> i32| Arc::new(Int32Array::from_iter_values((0..count).map(f))) as ArrayRef;
    vec![
        ("id", column(|id| id)),
        ("unused", column(|_| 0)),
        ("t", column(|id| id * 60)),
        ("customer", column(|id| id % 7)),
        ("cents", column(|id| id * 3)),
        ("code", Arc::new(Int8Array::from_iter_values((0..count).map(|id| (id % 2) as i8)))),
    ]
}

#[tokio::test]
async fn whole_numbers_become_records() {
    let shop = Shop::new().await;
    let report = shop.try_parquet(MAPPING, &write(orders(5_000))).await.unwrap();
    assert_eq!((report.rows, report.stored, report.rejected), (5_000, 5_000, 0));
    let records = shop.records().await;
    let record = &records[4_999];
    assert_eq!(record.external_id.as_deref(), Some("4999"));
    assert_eq!(record.event_time, 4_999 * 60 * 1_000_000);
    assert_eq!(record.payload, r#"{"customer":"1","amount":149.97}"#);
    assert_eq!(shop.store.labels(record.id).await.unwrap().len(), 1);

    let again = shop.try_parquet(MAPPING, &write(orders(6_000))).await.unwrap();
    assert_eq!((again.stored, again.already_stored), (1_000, 5_000));
}

#[tokio::test]
async fn every_type_of_column_is_read() {
    let noon = parse_time("2018-07-25T12:00:00Z").unwrap();
    let day = noon / 86_400_000_000 * 86_400_000_000;
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let decimal = Decimal128Array::from(vec![5716]).with_precision_and_scale(10, 2).unwrap();
    let cases: Vec<(&str, ArrayRef, &str, String)> = vec![
        ("utf8", text("é"), "", "\"é\"".into()),
        ("utf8", Arc::new(BinaryArray::from(vec![b"raw".as_slice()])), "", "\"raw\"".into()),
        ("utf8", Arc::new(DictionaryArray::<Int32Type>::from_iter(["word"])), "", "\"word\"".into()),
        ("utf8", Arc::new(UInt64Array::from(vec![u64::MAX])), "", format!("\"{}\"", u64::MAX)),
        ("int64", Arc::new(Int8Array::from(vec![-3])), "", "-3".into()),
        ("int64", Arc::new(Float64Array::from(vec![3.0])), "", "3".into()),
        ("int64", text(" 3 "), "", "3".into()),
        ("float64", Arc::new(Float32Array::from(vec![0.5])), "", "0.5".into()),
        ("float64", Arc::new(Float64Array::from(vec![0.1 + 0.2])), "", "0.30000000000000004".into()),
        ("float64", Arc::new(decimal), "", "57.16".into()),
        ("bool", Arc::new(BooleanArray::from(vec![true])), "", "true".into()),
        ("bool", Arc::new(Int64Array::from(vec![0])), "", "false".into()),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![noon / 1_000])), "", noon.to_string()),
        (
            "timestamp",
            Arc::new(TimestampNanosecondArray::from(vec![noon * 1_000 + 999]).with_timezone("UTC")),
            "",
            noon.to_string(),
        ),
        ("timestamp", Arc::new(Date32Array::from(vec![(day / 86_400_000_000) as i32])), "", day.to_string()),
        ("timestamp", Arc::new(Int64Array::from(vec![20_180_725])), ", format = \"%Y%m%d\"", day.to_string()),
        ("float64", Arc::new(NullArray::new(1)), ", required = false", "null".into()),
        ("float64", Arc::new(Float64Array::from(vec![None])), ", required = false", "null".into()),
    ];
    for (kind, array, setting, expected) in cases {
        let shop = Shop::new().await;
        let mapping = format!(
            "schema = 1\nevent_time = {{ column = \"t\" }}\nfield = [{{ name = \"x\", type = \"{kind}\"{setting} }}]\n"
        );
        let time = Arc::new(TimestampMillisecondArray::from(vec![noon / 1_000]));
        let found = array.data_type().to_string();
        let report = shop.try_parquet(&mapping, &write(vec![("x", array), ("t", time)])).await.unwrap();
        assert_eq!(report.rejects, [], "{kind} from {found}");
        let record = &shop.records().await[0];
        assert_eq!(record.payload, format!("{{\"x\":{expected}}}"), "{kind} from {found}");
        assert_eq!(record.event_time, noon);
    }
}

#[tokio::test]
async fn bad_rows_are_refused_by_row() {
    let shop = Shop::new().await;
    let texts = BinaryArray::from(vec![b"a".as_slice(), b"caf\xe9", b"", b"d", b"e", b"f"]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(StringArray::from(vec![Some("1"), Some("2"), Some("3"), None, Some("5"), Some("6")])),
        ),
        ("t", Arc::new(Int64Array::from(vec![Some(0), Some(0), Some(0), Some(0), Some(-1), None]))),
        ("customer", Arc::new(texts)),
        ("cents", Arc::new(Float64Array::from(vec![f64::NAN, 1.0, 1.0, 1.0, 1.0, 1.0]))),
        ("code", Arc::new(Int64Array::from(vec![0; 6]))),
    ];
    let report = shop.try_parquet(MAPPING, &write(columns)).await.unwrap();
    let shown: Vec<_> = report
        .rejects
        .iter()
        .map(|reject| {
            format!("{} {}: {}", reject.line.unwrap(), reject.field.as_deref().unwrap(), reject.reason)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "1 cents: is not a finite number",
            "2 customer: is not valid UTF-8",
            "3 customer: is missing or empty",
            "4 id: is missing or empty",
            "5 t: `-1` is before the epoch, 1970-01-01T00:00:00Z",
            "6 t: is missing or empty",
        ]
    );
    assert_eq!(
        report.rejects[0].content.as_deref(),
        Some(r#"{"cents":"NaN","code":0,"customer":"a","id":"1","t":0}"#)
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_costs_one_row_even_where_the_file_says_it_is() {
    let shop = Shop::new().await;
    let mut columns = orders(3);
    columns[3].1 = Arc::new(StringArray::from(vec!["good", "b@d", "fine"]));
    let properties = WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false)
        .set_compression(Compression::UNCOMPRESSED);
    let mut file = write_with(columns, properties.build());
    let at = file.windows(3).position(|bytes| bytes == b"b@d").unwrap();
    file[at + 1] = 0xe9;
    let report = shop.try_parquet(MAPPING, &file).await.unwrap();
    assert_eq!((report.stored, report.rejected), (2, 1));
    assert_eq!(report.rejects[0].reason, "is not valid UTF-8");
}

#[tokio::test]
async fn a_conflict_shows_the_row() {
    let shop = Shop::new().await;
    shop.try_parquet(MAPPING, &write(orders(3))).await.unwrap();
    let mut columns = orders(3);
    columns[4].1 = Arc::new(Int32Array::from(vec![0, 3, 7]));
    let report = shop.try_parquet(MAPPING, &write(columns)).await.unwrap();
    assert_eq!((report.already_stored, report.rejected), (2, 1));
    let reject = &report.rejects[0];
    assert_eq!((reject.line, reject.record_id), (Some(3), Some(3)));
    assert_eq!(reject.content.as_deref(), Some(r#"{"cents":7,"code":0,"customer":2,"id":2,"t":120}"#));
}

#[tokio::test]
async fn columns_of_no_use_are_named() {
    let shop = Shop::new().await;
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a")]);
    let mut fixed = FixedSizeBinaryBuilder::new(3);
    fixed.append_value(b"abc").unwrap();
    for (array, expected) in [
        (Arc::new(lists.finish()) as ArrayRef, "column `customer` holds lists or structures"),
        (Arc::new(fixed.finish()), "column `customer` holds FixedSizeBinary(3)"),
    ] {
        let mut columns = orders(1);
        columns[3].1 = array;
        let problem = shop.problem(&write(columns)).await;
        assert!(problem.to_string().starts_with(expected), "{problem}");
    }
    let mut columns = orders(1);
    columns.remove(3);
    let error = shop.try_parquet(MAPPING, &write(columns)).await.unwrap_err();
    assert!(matches!(error.kind, ImportErrorKind::MissingColumns { .. }), "{error:?}");
    assert!(error.kind.to_string().contains("its columns are `id`, `unused`, `t`, `cents`, `code`"));
}

#[tokio::test]
async fn files_without_rows_are_imports_of_nothing() {
    let shop = Shop::new().await;
    assert_eq!(shop.try_parquet(MAPPING, &write(orders(0))).await.unwrap().rows, 0);
}

fn metadata(file: &[u8]) -> ParquetMetaData {
    let file = bytes::Bytes::copy_from_slice(file);
    ParquetMetaDataReader::new().parse_and_finish(&file).unwrap()
}

/// The same file with another footer.
fn with_footer(file: &[u8], metadata: &ParquetMetaData) -> Vec<u8> {
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let mut changed = file[..file.len() - 8 - length].to_vec();
    ParquetMetaDataWriter::new(&mut changed, metadata).finish().unwrap();
    changed
}

/// The same file, with one thing changed that the footer says of the column `customer`.
fn with_column(file: &[u8], change: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData) -> Vec<u8> {
    let metadata = metadata(file);
    let mut builder = ParquetMetaDataBuilder::new(metadata.file_metadata().clone());
    for group in metadata.row_groups() {
        let columns = group.columns().iter().cloned().enumerate();
        let columns =
            columns.map(|(index, column)| if index == 3 { change(column) } else { column }).collect();
        let group = group.clone().into_builder().set_column_metadata(columns).build().unwrap();
        builder = builder.add_row_group(group);
    }
    with_footer(file, &builder.build())
}

/// The same file, with other numbers of rows in the file and in its one row group.
fn with_rows(file: &[u8], rows: i64, group_rows: i64) -> Vec<u8> {
    let metadata = metadata(file);
    let group = metadata.row_group(0).clone().into_builder().set_num_rows(group_rows).build().unwrap();
    let changed = ParquetMetaDataBuilder::new(metadata.file_metadata().clone()).add_row_group(group).build();
    let mut file = with_footer(file, &changed);
    // The writer puts the sum of the row groups there: field 3, a number, and before the list of field 4.
    let total = |rows| [&[0x16], &zigzag(rows)[..], &[0x19]].concat();
    let (written, wanted) = (total(group_rows), total(rows));
    let at = file.windows(written.len()).rposition(|bytes| bytes == written).unwrap();
    file.splice(at..at + written.len(), wanted.iter().copied());
    let end = file.len() - 8;
    let length =
        u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize + wanted.len() - written.len();
    file.splice(end..end + 4, (length as u32).to_le_bytes());
    file
}

fn with_tail(body: &[u8], footer: &[u8], claimed: usize) -> Vec<u8> {
    [b"PAR1", body, footer, &(claimed as u32).to_le_bytes(), b"PAR1"].concat()
}

#[tokio::test]
async fn files_that_are_cut_short_or_no_parquet_are_refused() {
    let shop = Shop::new().await;
    let file = write(orders(100));
    for length in [5, 11, 12, file.len() / 2, file.len() - 1] {
        let problem = shop.problem(&file[..length]).await;
        assert!(matches!(problem, ParquetProblem::NoEnd), "{length}: {problem}");
    }
    let mut encrypted = file.clone();
    let end = encrypted.len();
    encrypted[end - 1] = b'E';
    assert!(matches!(shop.problem(&encrypted).await, ParquetProblem::Encrypted));
}

#[tokio::test]
async fn claims_beyond_the_file_are_refused_before_memory_is_reserved() {
    let shop = Shop::new().await;
    let file = write(orders(100));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (with_tail(b"", b"", u32::MAX as usize), "its footer claims 4294967295 bytes, and the file has 0"),
        (with_rows(&file, 10_000_000_000, 10_000_000_000), "it claims 10000000000 rows in"),
        (with_rows(&file, -1, 100), "it claims -1 rows in"),
        (
            with_rows(&file, 100, 10_000_000_000),
            "row group 1 claims 10000000000 rows, with 100 in the whole file",
        ),
        (with_rows(&file, 100, -5), "row group 1 claims -5 rows, with 100 in the whole file"),
        (with_rows(&file, 101, 100), "it claims 101 rows, and its row groups 100"),
        (with_rows(&file, 90, 90), "row group 1 claims 100 values of column `id` in 90 rows"),
        (
            with_column(&file, |column| {
                column.into_builder().set_total_compressed_size(10_000_000_000).build().unwrap()
            }),
            "row group 1 claims 10000000000 bytes from byte",
        ),
        (
            with_column(&file, |column| column.into_builder().set_total_compressed_size(-1).build().unwrap()),
            "row group 1 claims -1 bytes from byte",
        ),
        (
            with_column(&file, |column| {
                column.into_builder().set_dictionary_page_offset(Some(i64::MAX)).build().unwrap()
            }),
            "row group 1 claims",
        ),
        (
            with_column(&file, |column| column.into_builder().set_num_values(1 << 40).build().unwrap()),
            "row group 1 claims 1099511627776 values of column `customer` in 100 rows",
        ),
        (
            with_column(&file, |column| {
                column.into_builder().set_compression(Compression::LZ4_RAW).build().unwrap()
            }),
            "column `customer` is compressed with lz4: expected none, snappy or zstd",
        ),
    ];
    for (file, expected) in cases {
        let problem = shop.problem(&file).await;
        assert!(problem.to_string().starts_with(expected), "{problem}\n{expected}");
        assert!(problem.hint().is_some());
    }
    assert_eq!(shop.store.sources("shop").await.unwrap(), [], "nothing was begun");
}

#[tokio::test]
async fn a_footer_longer_than_the_limit_is_refused() {
    let shop = Shop::new().await;
    let footer = vec![0; FOOTER_BYTES_MAX as usize + 1];
    let problem = shop.problem(&with_tail(b"", &footer, footer.len())).await;
    assert!(matches!(problem, ParquetProblem::FooterTooLong { .. }), "{problem}");
}

/// A number of Thrift's compact protocol.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)) as u64)
}

/// A footer that has only a schema, whose elements have so many children each.
fn schema_footer(children: impl ExactSizeIterator<Item = i64>) -> Vec<u8> {
    let mut footer = vec![0x29, 0xfc];
    footer.extend(varint(children.len() as u64));
    for children in children {
        // Field 4, a name of no bytes; field 5, the number of children; the end.
        footer.extend([0x48, 0, 0x15]);
        footer.extend(zigzag(children));
        footer.push(0);
    }
    footer.push(0);
    footer
}

#[tokio::test]
async fn absurd_schemas_are_refused_before_they_are_built() {
    let shop = Shop::new().await;
    let deep = schema_footer((0..50_000).map(|index| i64::from(index < 49_999)));
    let many = schema_footer((0..FOOTER_ENTRIES_MAX + 1).map(|index| if index == 0 { 65_536 } else { 0 }));
    let childless = schema_footer([i64::from(i32::MAX), 0].into_iter());
    let negative = schema_footer([1, -1].into_iter());
    let forest = schema_footer([0, 0, 0].into_iter());
    let mut listed = vec![0x29, 0xfc];
    listed.extend(varint(u64::MAX));
    let cases: [(&[u8], &str); 6] = [
        (&deep, "its columns are nested more than 64 deep"),
        (&many, "its footer lists 65537 columns, row groups or notes"),
        (&childless, "its footer is damaged: its schema is not a tree of columns"),
        (&negative, "its footer is damaged: its schema is not a tree of columns"),
        (&forest, "its footer is damaged: its schema is not a tree of columns"),
        (&listed, "its footer is damaged: it ends in the middle of a value"),
    ];
    for (footer, expected) in cases {
        let problem = shop.problem(&with_tail(b"", footer, footer.len())).await;
        assert!(problem.to_string().starts_with(expected), "{problem}");
    }
}

/// A file whose column `customer` begins with this page header and some bytes.
fn with_page(header: &[u8]) -> Vec<u8> {
    let file = write(orders(100));
    let at = file.len();
    let page = [header, &[0; 64]].concat();
    let metadata = metadata(&file);
    let length = u32::from_le_bytes(file[at - 8..at - 4].try_into().unwrap()) as usize;
    let body = [&file[..at - 8 - length], &page].concat();
    let start = (at - 8 - length) as i64;
    let moved = with_footer(&[&body[..], &[0, 0, 0, 0], b"PAR1"].concat(), &metadata);
    with_column(&moved, |column| {
        let column = column.into_builder().set_dictionary_page_offset(None).set_data_page_offset(start);
        column.set_total_compressed_size(page.len() as i64).build().unwrap()
    })
}

#[tokio::test]
async fn pages_that_claim_too_much_are_refused() {
    let shop = Shop::new().await;
    // Fields 1 to 3: the kind of page, its size unpacked and packed.
    let page = |kind: i64, unpacked: i64, packed: i64| {
        [&[0x15], &zigzag(kind)[..], &[0x15], &zigzag(unpacked), &[0x15], &zigzag(packed)].concat()
    };
    // Then field 7, the header of a dictionary: field 1, the number of values; field 2, the encoding.
    let dictionary =
        |values: i64| [&page(2, 64, 64)[..], &[0x4c, 0x15], &zigzag(values), &[0x15, 0, 0, 0]].concat();
    let too_large = PAGE_BYTES_MAX as i64 + 1;
    let cases = [
        (page(0, too_large, 64), format!("one of its pages claims {too_large} bytes")),
        (page(0, 64, i64::from(i32::MAX)), format!("one of its pages claims {} bytes", i32::MAX)),
        (page(0, -1, 64), "it is damaged: a page does not begin with a page header".to_owned()),
        (vec![0xff; 32], "it is damaged: a page does not begin with a page header".to_owned()),
        (
            dictionary(i64::from(i32::MAX)),
            "it is damaged: a dictionary claims more values than bytes".to_owned(),
        ),
    ];
    for (header, expected) in cases {
        let problem = shop.problem(&with_page(&header)).await;
        assert!(problem.to_string().starts_with(&expected), "{problem}");
    }
}

#[tokio::test]
async fn damage_anywhere_is_an_error_or_other_rows_but_never_a_crash() {
    let shop = Shop::new().await;
    let file = write(orders(200));
    // Every byte in turn would take long; the step is prime to the sizes of everything in the file.
    for at in (4..file.len() - 8).step_by(19) {
        let mut damaged = file.clone();
        damaged[at] ^= 0xff;
        match shop.try_parquet(MAPPING, &damaged).await {
            Ok(report) => assert_eq!(report.rows, 200, "byte {at}"),
            Err(error) => assert!(!error.kind.to_string().is_empty(), "byte {at}"),
        }
    }
}
