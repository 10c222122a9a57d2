//! Every row and file that is refused, and the reason that is given.

use foretell_store::import::{ImportErrorKind, REPORT_REJECTS_MAX, ROW_BYTES_MAX};
use foretell_store::record::RejectFilter;

use super::{GOOD, HEADER, MAPPING, Shop, chain, show};

#[tokio::test]
async fn every_bad_csv_row_is_refused_with_its_reason() {
    let cases: &[(&str, &str)] = &[
        // The shape of the row.
        ("a,0,c\n", "the row has 3 columns, and the header has 11"),
        ("a,0,c,100,,,,,,,,\n", "the row has 12 columns, and the header has 11"),
        (
            "a,0,\"c\"d,100,,,,,,,\n",
            "text follows the closing quote: a quote within a value is written twice",
        ),
        // Whole columns.
        (",0,c,100,,,,,,,\n", "id: is missing or empty"),
        ("a,0,,100,,,,,,,\n", "customer: is missing or empty"),
        ("a,0,\"\",100,,,,,,,\n", "customer: is missing or empty"),
        ("a,,c,100,,,,,,,\n", "t: is missing or empty"),
        // Numbers.
        ("a,0,c,ten,,,,,,,\n", "cents: `ten` is not a number"),
        ("a,0,c,NaN,,,,,,,\n", "cents: is not a finite number"),
        ("a,0,c,inf,,,,,,,\n", "cents: is not a finite number"),
        ("a,0,c,1e999,,,,,,,\n", "cents: is not a finite number"),
        ("a,0,c,-1,,,,,,,\n", "cents: -0.01 is less than the minimum 0"),
        ("a,0,c,100001,,,,,,,\n", "cents: 1000.01 is more than the maximum 1000"),
        ("a,0,c,100,1.5,,,,,,\n", "items: `1.5` is not a whole number"),
        ("a,0,c,100,0,,,,,,\n", "items: 0 is less than the minimum 1"),
        (
            "a,0,c,100,99999999999999999999,,,,,,\n",
            "items: `100000000000000000000` does not fit a whole number of 64 bits",
        ),
        // Texts.
        ("a,0,c,100,,phone,,,,,\n", "channel: `phone` is none of the allowed values: web, shop"),
        ("a,0,c,100,,,maybe,,,,\n", "gift: `maybe` is neither true nor false"),
        ("a,0,c\0d,100,,,,,,,\n", "customer: contains a NUL character"),
        // Times.
        ("a,-1,c,100,,,,,,,\n", "t: `-1` is before the epoch, 2018-04-01T00:00:00Z"),
        (
            "a,9223372036854775807,c,100,,,,,,,\n",
            "t: `9223372036854775807` is not a time between the years 1970 and 9999",
        ),
        ("a,300000000000,c,100,,,,,,,\n", "t: `300000000000` is not a time between the years 1970 and 9999"),
        ("a,1e300,c,100,,,,,,,\n", "t: `1e300` is not a time between the years 1970 and 9999"),
        ("a,soon,c,100,,,,,,,\n", "t: `soon` is not a number"),
        ("a,0,c,100,,,,2018-12-31,,,\n", "due: `2018-12-31` is not a time: expected `%d.%m.%Y`"),
        ("a,0,c,100,,,,31.02.2018,,,\n", "due: `31.02.2018` is not a time: expected `%d.%m.%Y`"),
        // Labels.
        ("a,0,c,100,,,,,7,,\n", "code: `7` is in neither `true_values` nor `false_values`"),
        ("a,0,c,100,,,,,,good,2018-05-01\n", "rating: `good` is not a number"),
        ("a,0,c,100,,,,,,4,\n", "rated: is missing or empty"),
        (
            "a,0,c,100,,,,,,4,1969-12-31\n",
            "rated: `1969-12-31` is not a time between the years 1970 and 9999",
        ),
        (
            "a,0,c,100,,,,,,4,1.5.\n",
            "rated: `1.5.` is not a time: expected RFC 3339, such as `2018-07-25T09:15:00Z`",
        ),
    ];
    let shop = Shop::new().await;
    for (row, expected) in cases {
        let report = shop.import("orders.csv", format!("{HEADER}{row}{GOOD}")).await;
        assert_eq!(report.rows, 2, "{row:?}");
        let shown: Vec<String> = report.rejects.iter().map(show).collect();
        assert_eq!(shown, [format!("2: {expected}")], "{row:?}");
        assert_eq!(report.rejects[0].content.as_deref(), Some(row.trim_end()), "{row:?}");
    }
    assert_eq!(shop.records().await.len(), 1, "the good row, once");
}

#[tokio::test]
async fn invalid_utf_8_costs_one_row() {
    let shop = Shop::new().await;
    let content = [HEADER.as_bytes(), b"a,0,caf\xe9,100,,,,,,,\n", b"b,0,c,100,,,,,,,\n"].concat();
    let report = shop.import("orders.csv", content).await;
    assert_eq!(report.rejects.iter().map(show).collect::<Vec<_>>(), ["2: customer: is not valid UTF-8"]);
    assert_eq!(report.rejects[0].content.as_deref(), Some("a,0,caf\u{fffd},100,,,,,,,"));
    assert_eq!(report.stored, 1);

    let line = b"{\"id\":\"x\",\"t\":0,\"customer\":\"\xe9\",\"cents\":1}\n".as_slice();
    let report = shop.import("orders.jsonl", line).await;
    assert_eq!(report.rejects.iter().map(show).collect::<Vec<_>>(), ["1: is not valid UTF-8"]);
}

#[tokio::test]
async fn every_bad_json_line_is_refused_with_its_reason() {
    let deep = "[".repeat(100_000);
    let cases: &[(&str, &str)] = &[
        ("{\"id\":", "the line is not valid JSON: EOF while parsing a value at column 6"),
        ("{\"id\":\"a\"} x", "the line is not valid JSON: trailing characters at column 12"),
        ("{\"id\":NaN}", "the line is not valid JSON: expected value at column 7"),
        ("17", "the line is not a JSON object"),
        ("\"text\"", "the line is not a JSON object"),
        (r#"{"t":0,"customer":"c","cents":1}"#, "id: is missing or empty"),
        (r#"{"id":"a","t":0,"customer":null,"cents":1}"#, "customer: is missing or empty"),
        (r#"{"id":"a","t":0,"customer":5.5,"cents":1}"#, "customer: is a number, which cannot become text"),
        (r#"{"id":"a","t":0,"customer":["c"],"cents":1}"#, "customer: is an array, which cannot become text"),
        (
            r#"{"id":"a","t":0,"customer":"c","cents":{"x":[1]}}"#,
            "cents: is an object, which cannot become a number",
        ),
        (
            r#"{"id":"a","t":0,"customer":"c","cents":true}"#,
            "cents: is true or false, which cannot become a number",
        ),
        (r#"{"id":"a","t":0,"customer":"c","cents":1,"cents":2}"#, "cents: stands twice in the object"),
        (
            r#"{"id":"a","t":0,"customer":"c","cents":1,"items":18446744073709551615}"#,
            "items: `18446744073709551615` does not fit a whole number of 64 bits",
        ),
        (
            r#"{"id":"a","t":-0.5,"customer":"c","cents":1}"#,
            "t: `-0.5` is before the epoch, 2018-04-01T00:00:00Z",
        ),
        (r#"{"id":"a","t":"\u0000","customer":"c","cents":1}"#, "t: `\0` is not a number"),
        (&deep, "the line is not valid JSON"),
    ];
    let good = r#"{"extra":[{"deep":[[[]]]}],"cents":100,"customer":"c","t":0,"id":"g"}"#;
    let shop = Shop::new().await;
    for (line, expected) in cases {
        // The first line is good: a file that begins with `[` is refused as a whole.
        let report = shop.import("orders.jsonl", format!("{good}\n{line}")).await;
        assert_eq!((report.rows, report.rejected), (2, 1), "{line:.99}");
        let shown = show(&report.rejects[0]);
        assert!(shown.starts_with(&format!("2: {expected}")), "{line:.99}: {shown}");
        assert!(report.rejects[0].content.as_ref().unwrap().len() <= 1_100);
    }
    assert_eq!(shop.records().await.len(), 1);
}

#[tokio::test]
async fn nesting_in_an_unwanted_member_costs_nothing() {
    let shop = Shop::new().await;
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let line = format!(r#"{{"id":"a","t":0,"customer":"c","cents":1,"extra":{open}{close}}}"#);
    assert_eq!(shop.import("orders.jsonl", line).await.stored, 1);
}

#[tokio::test]
async fn a_stray_quote_costs_one_row() {
    let shop = Shop::new().await;
    let cases = [
        // Never closed, up to the end of the file.
        (
            "\"a,0,c,100,,,,,,,\nb,0,c,100,,,,,,,\nd,0,c,100,,,,,,,\n",
            "2: a quote is opened and never closed",
            2,
        ),
        // Closed by the first quote of a later row, where text follows.
        (
            "\"e,0,c,100,,,,,,,\nf,0,c,100,,,,,,,\nh,0,\"c,d\",100,,,,,,,\n",
            "2: text follows the closing quote: a quote within a value is written twice",
            2,
        ),
    ];
    for (rows, expected, stored) in cases {
        let report = shop.import("orders.csv", format!("{HEADER}{rows}")).await;
        assert_eq!(report.rejects.iter().map(show).collect::<Vec<_>>(), [expected]);
        assert_eq!(report.stored, stored);
    }
}

#[tokio::test]
async fn over_long_rows_are_skipped_and_lines_still_count() {
    let shop = Shop::new().await;
    let long = "x".repeat(3 * ROW_BYTES_MAX);
    let slightly = "x".repeat(ROW_BYTES_MAX);
    let csv = format!("{HEADER}{GOOD}{long}\na,0,{slightly},100,,,,,,,\nb,0,c,bad,,,,,,,\n{long}");
    let report = shop.import("orders.csv", csv).await;
    let long_row = format!("the row is longer than {ROW_BYTES_MAX} bytes");
    let expected = [
        format!("3: {long_row}"),
        format!("4: {long_row}"),
        "5: cents: `bad` is not a number".to_owned(),
        format!("6: {long_row}"),
    ];
    assert_eq!(report.rejects.iter().map(show).collect::<Vec<_>>(), expected);

    let report = shop.import("orders.jsonl", format!("{{}}\n{long}\n{{}}\n{long}")).await;
    let lines: Vec<_> = report.rejects.iter().map(|reject| reject.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4]);

    let long_name = format!("{HEADER}n,0,{},100,,,,,,,\n", "c".repeat(2_000));
    let report = shop.import("orders.csv", long_name).await;
    assert_eq!(show(&report.rejects[0]), "2: customer: is 2000 bytes long, and the limit is 1024");
}

#[tokio::test]
async fn files_that_are_wrong_as_a_whole_say_why() {
    let shop = Shop::new().await;
    let columns =
        "`id`, `t`, `Customer`, `cents`, `items`, `channel`, `gift`, `due`, `code`, `rating`, `rated`";
    let cases: &[(&str, &[u8], String)] = &[
        ("a.csv", b"", "it is empty".into()),
        ("b.csv", b"\n\r\n", "it is empty".into()),
        ("c.jsonl", b"\n  \n", "it is empty".into()),
        (
            "d.csv",
            b"id,t,Customer,cents,items,channel,gift,due,code,rating,rated\n",
            format!("it has no column `customer`; its columns are {columns}; did you mean `Customer` instead of `customer`?"),
        ),
        (
            "e.csv",
            b"id;t;customer\n",
            "it has no column `id`, `t`, `customer`, `cents`, `items`, `channel`, `gift`, `due`, `code`, `rating`, `rated`; \
             its columns are `id;t;customer`; the columns seem to be separated by \";\": say `delimiter = \";\"` in the mapping"
                .into(),
        ),
        (
            "f.csv",
            b"id,t,customer,cents,items,channel,gift,due,code,rating,rated,id\n",
            "it has two columns named `id`".into(),
        ),
        ("g.csv", b"\"id,t\n1,2\n", "its header cannot be read: a quote is opened and never closed".into()),
        ("h.csv", b"caf\xe9,t\n", "its header cannot be read: is not valid UTF-8".into()),
        ("i.json", b" [\n{\"id\":1}]", "it is one JSON array, and JSON Lines has one object per line".into()),
        ("j.csv", b"\x1f\x8b\x08rest", "it is compressed with gzip, not csv: understood are CSV, JSON Lines and Parquet".into()),
        ("k.jsonl", b"PAR1\x15rest", "it is a Parquet file, not jsonl: understood are CSV, JSON Lines and Parquet".into()),
        ("l.csv", b"\xff\xfei\0d\0", "it is text in UTF-16, not csv: understood are CSV, JSON Lines and Parquet".into()),
        ("m.parquet", b"id,t\n", "it is of an unknown kind, not parquet: understood are CSV, JSON Lines and Parquet".into()),
        (
            "n.xlsx",
            b"PK\x03\x04",
            "its name says nothing about its format: understood are CSV (`.csv`, `.tsv`), JSON Lines (`.jsonl`, `.ndjson`) and Parquet (`.parquet`)".into(),
        ),
    ];
    for (name, content, expected) in cases {
        let path = shop.file(name, content);
        let error = shop.try_import(MAPPING, &path).await.unwrap_err();
        assert_eq!(chain(&error), format!("cannot import `{}`: {expected}", path.display()));
        assert_eq!(error.rows, 0);
    }
    let error = shop.try_import(MAPPING, shop.directory.path().join("").as_path()).await.unwrap_err();
    assert!(matches!(error.kind, ImportErrorKind::UnknownFormat), "{error:?}");
    let directory = shop.path("folder.csv");
    std::fs::create_dir(&directory).unwrap();
    let error = shop.try_import(MAPPING, &directory).await.unwrap_err();
    assert!(matches!(error.kind, ImportErrorKind::NotFile), "{error:?}");
    let error = shop.try_import(MAPPING, &shop.path("absent.csv")).await.unwrap_err();
    assert!(matches!(error.kind, ImportErrorKind::Read(_)), "{error:?}");
    assert_eq!(shop.store.sources("shop").await.unwrap(), [], "nothing was begun");
}

#[tokio::test]
async fn the_same_name_with_other_content_is_refused() {
    let shop = Shop::new().await;
    let csv = format!("{HEADER}a,0,c,100,,,,,,,\na,0,c,100,,,,,,,\na,0,c,200,,,,,,,\n");
    let report = shop.import("orders.csv", csv).await;
    assert_eq!((report.stored, report.already_stored, report.rejected), (1, 1, 1));
    let reject = &report.rejects[0];
    assert_eq!(show(reject), "4: id: record 1 has this external id already, with another time or payload");
    assert_eq!(reject.content.as_deref(), Some("a,0,c,200,,,,,,,"));
    assert_eq!(reject.record_id, Some(1));
}

#[tokio::test]
async fn rejects_are_kept_in_the_database() {
    let shop = Shop::new().await;
    let bad = "a,0,c,bad,,,,,,,\n".repeat(REPORT_REJECTS_MAX + 7);
    let report = shop.import("orders.csv", format!("{HEADER}{bad}")).await;
    assert_eq!(report.rejects.len(), REPORT_REJECTS_MAX);
    assert_eq!(report.rejected as usize, REPORT_REJECTS_MAX + 7);
    let filter = RejectFilter::Source(report.source_id);
    let kept = shop.store.rejects(filter, u32::MAX).await.unwrap();
    assert_eq!(kept.len(), REPORT_REJECTS_MAX + 7);
    assert_eq!(kept.last().unwrap().line, Some(REPORT_REJECTS_MAX as i64 + 8));
}
