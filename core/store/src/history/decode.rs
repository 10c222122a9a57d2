//! Payloads become columns.
//!
//! All payloads of a chunk are decoded at once. Only if that fails are they looked at one by one: what does not fit
//! becomes a null and a [`Fault`] that says why, and everything else stands as it is.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_json::ReaderBuilder;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use serde_json::Value;

use super::HistoryErrorKind;
use super::chunk::inconsistent;
use super::list::{first_hole, with_holes, without_holes};
use super::number::ExactNumbers;

/// Characters of a value that are shown in the reason of a reject.
const VALUE_CHARS_MAX: usize = 80;

/// Columns, and what did not fit in them.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The fields that were asked for, each with nulls where a payload has none, or none that fits.
    pub(super) columns: RecordBatch,
    /// In the order of the rows.
    faults: Vec<Fault>,
}

/// A payload, or a value in it, that does not fit.
#[derive(Debug)]
pub(super) struct Fault {
    row: usize,
    /// The field; `None` if the payload as a whole cannot be read.
    pub(super) column: Option<usize>,
    /// What was expected and what was found.
    pub(super) reason: String,
}

impl Decoded {
    pub(super) fn without_columns(rows: usize) -> Self {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
            .expect("no fields and no columns agree");
        Self { columns, faults: Vec::new() }
    }

    fn complete(columns: RecordBatch) -> Self {
        Self { columns, faults: Vec::new() }
    }

    pub(super) fn faults_of(&self, row: usize) -> impl Iterator<Item = &Fault> {
        let first = self.faults.partition_point(|fault| fault.row < row);
        self.faults[first..].iter().take_while(move |fault| fault.row == row)
    }
}

/// What a field of this type expects, in words.
pub(super) fn expected(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "a whole number".to_owned(),
        DataType::Float32 | DataType::Float64 => "a number".to_owned(),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Utf8 => "a text".to_owned(),
        DataType::Timestamp(..) => "a time".to_owned(),
        DataType::List(item) => format!("a list of {}", plural(item.data_type())),
        other => format!("a value of type {other}"),
    }
}

fn plural(item: &DataType) -> &'static str {
    match item {
        DataType::Int64 => "whole numbers",
        DataType::Float64 => "numbers",
        DataType::Boolean => "true and false",
        DataType::Utf8 => "texts",
        DataType::Timestamp(..) => "times",
        _ => "values",
    }
}

/// Reads the fields of a schema from payloads. Fields of a payload that are not in the schema are passed over.
pub(super) struct Decoder {
    schema: SchemaRef,
    /// Kept from call to call, unless it failed and stands half way through a payload.
    strict: Option<Reader>,
}

/// Whether a value that does not fit its field ends the reading, or becomes null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Strict,
    Lenient,
}

impl Decoder {
    /// **Invariant:** all fields of `schema` are nullable, so that a missing value is no failure here.
    pub(super) fn new(schema: SchemaRef) -> Result<Self, HistoryErrorKind> {
        let strict = Reader::new(&schema, Mode::Strict, 1).map_err(HistoryErrorKind::Inputs)?;
        Ok(Self { schema, strict: Some(strict) })
    }

    /// Reads one payload from each line of `payloads`; `ids` are the records they belong to.
    pub(super) fn decode(&mut self, payloads: &str, ids: &[i64]) -> Result<Decoded, HistoryErrorKind> {
        let rows = ids.len();
        if rows == 0 {
            return Ok(Decoded::complete(RecordBatch::new_empty(self.schema.clone())));
        }
        if self.schema.fields().is_empty() {
            return Ok(Decoded::without_columns(rows));
        }
        if let Some(columns) = self.read_strictly(payloads, rows) {
            return Ok(Decoded::complete(columns));
        }
        let lines: Vec<&str> = payloads.split('\n').collect();
        if lines.len() != rows {
            return Err(inconsistent(ids, format!("expected {rows} payloads, found {}", lines.len())));
        }
        self.salvage(payloads, &lines).ok_or_else(|| inconsistent(ids, "the payloads cannot be told apart"))
    }

    fn read_strictly(&mut self, payloads: &str, rows: usize) -> Option<RecordBatch> {
        let mut reader = match self.strict.take().filter(|reader| rows <= reader.rows_max) {
            Some(reader) => reader,
            None => Reader::new(&self.schema, Mode::Strict, rows).ok()?,
        };
        let columns = reader.read(payloads, rows)?;
        self.strict = Some(reader);
        Some(columns)
    }

    /// Reads what can be read, with a fault for everything else.
    fn salvage(&self, payloads: &str, lines: &[&str]) -> Option<Decoded> {
        let open = with_holes(&self.schema);
        let lenient = |text: &str, rows| Reader::new(&open, Mode::Lenient, rows).ok()?.read(text, rows);
        let holed = lenient(payloads, lines.len()).or_else(|| {
            let readable = lines.iter().map(|line| if lenient(line, 1).is_some() { line } else { "{}" });
            lenient(&readable.collect::<Vec<_>>().join("\n"), lines.len())
        })?;
        let columns = without_holes(&holed, &self.schema).ok()?;
        let mut faults = Vec::new();
        for (row, line) in lines.iter().enumerate() {
            if columns.columns().iter().any(|column| column.is_null(row)) {
                self.find_faults(row, line, &columns, &holed, &mut faults);
            }
        }
        Some(Decoded { columns, faults })
    }

    /// Finds the values of a payload that became null although they are not. `holed` has the same columns, but only the items
    /// of a list that do not fit are null there.
    fn find_faults(
        &self,
        row: usize,
        line: &str,
        columns: &RecordBatch,
        holed: &RecordBatch,
        faults: &mut Vec<Fault>,
    ) {
        let Ok(Value::Object(payload)) = serde_json::from_str(line) else {
            let reason = "expected a JSON object on one line, found something else".to_owned();
            faults.push(Fault { row, column: None, reason });
            return;
        };
        for (column, field) in self.schema.fields().iter().enumerate() {
            let value = payload.get(field.name()).filter(|value| !value.is_null());
            if let Some(value) = value.filter(|_| columns.column(column).is_null(row)) {
                let item = first_hole(holed.column(column), row)
                    .and_then(|place| value.get(place).map(|item| (place + 1, item)));
                let found = match item {
                    Some((number, item)) => format!("{} as item {number}", shortened(item)),
                    None => shortened(value),
                };
                let reason = format!("expected {}, found {found}", expected(field.data_type()));
                faults.push(Fault { row, column: Some(column), reason });
            }
        }
    }
}

/// A value as a reason shows it.
fn shortened(value: &Value) -> String {
    let text: String = value.to_string().chars().take(VALUE_CHARS_MAX).collect();
    format!("`{text}`")
}

/// A decoder of arrow-json that is fed whole chunks.
struct Reader {
    rows_max: usize,
    decoder: arrow_json::reader::Decoder,
}

impl Reader {
    fn new(schema: &SchemaRef, mode: Mode, rows_max: usize) -> Result<Self, ArrowError> {
        let decoder = ReaderBuilder::new(schema.clone())
            .with_batch_size(rows_max)
            .with_coerce_primitive(true)
            .with_ignore_type_conflicts(mode == Mode::Lenient)
            .with_decoder_factory(Arc::new(ExactNumbers))
            .build_decoder()?;
        Ok(Self { rows_max, decoder })
    }

    /// Reads exactly `rows` objects. After `None` the reader must not be used again.
    fn read(&mut self, payloads: &str, rows: usize) -> Option<RecordBatch> {
        let consumed = self.decoder.decode(payloads.as_bytes()).ok()?;
        let columns = self.decoder.flush().ok()??;
        (consumed == payloads.len() && columns.num_rows() == rows).then_some(columns)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_schema::{Field, TimeUnit};

    use super::*;

    fn decode(lines: &[&str]) -> Result<Decoded, HistoryErrorKind> {
        let fields =
            vec![Field::new("items", DataType::Int64, true), Field::new("note", DataType::Utf8, true)];
        let ids: Vec<i64> = (1..).take(lines.len()).collect();
        Decoder::new(Arc::new(Schema::new(fields))).unwrap().decode(&lines.join("\n"), &ids)
    }

    #[test]
    fn one_broken_payload_leaves_the_others_alone() {
        let lines =
            [r#"{"items":1}"#, "nonsense", r#"{"items":3,"note":{}}"#, r#"{"items":4} {}"#, r#"{"items":5}"#];
        let decoded = decode(&lines).unwrap();
        let items: Vec<_> = decoded.columns.column(0).as_primitive::<Int64Type>().iter().collect();
        assert_eq!(items, [Some(1), None, Some(3), None, Some(5)]);
        let faults: Vec<_> = decoded.faults.iter().map(|fault| (fault.row, fault.column)).collect();
        assert_eq!(faults, [(1, None), (2, Some(1)), (3, None)]);
        assert_eq!(
            decoded.faults_of(2).map(|fault| fault.reason.as_str()).collect::<Vec<_>>(),
            ["expected a text, found `{}`"]
        );
    }

    fn decode_lists(items: DataType, lines: &[&str]) -> Decoded {
        let list = DataType::List(Arc::new(Field::new("item", items, false)));
        let schema = Arc::new(Schema::new(vec![
            Field::new("items", list, true),
            Field::new("note", DataType::Utf8, true),
        ]));
        let ids: Vec<i64> = (1..).take(lines.len()).collect();
        Decoder::new(schema).unwrap().decode(&lines.join("\n"), &ids).unwrap()
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let lines = [
            r#"{"items":["a","b"],"note":"x"}"#,
            r#"{"items":[]}"#,
            r#"{"items":null}"#,
            "{}",
            r#"{"items":["a",null]}"#,
            r#"{"items":"a"}"#,
            r#"{"items":["a",["b"]],"note":"y"}"#,
            r#"{"items":[{}]}"#,
            r#"{"items":{"a":1}}"#,
            r#"{"items":[7,"b"]}"#,
        ];
        let decoded = decode_lists(DataType::Utf8, &lines);
        let lists = decoded.columns.column(0).as_list::<i32>();
        let texts = |row: usize| -> Vec<String> {
            lists.value(row).as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
        };
        let there: Vec<usize> = (0..lines.len()).filter(|row| lists.is_valid(*row)).collect();
        assert_eq!(there, [0, 1, 9]);
        assert_eq!(
            (texts(0), texts(1), texts(9)),
            (vec!["a".into(), "b".into()], vec![], vec!["7".into(), "b".into()])
        );
        let faults: Vec<_> = decoded.faults.iter().map(|fault| (fault.row, fault.reason.as_str())).collect();
        let wrong = |found: &str| format!("expected a list of texts, found {found}");
        let expected = [
            (4, "`null` as item 2"),
            (5, r#"`"a"`"#),
            (6, r#"`["b"]` as item 2"#),
            (7, "`{}` as item 1"),
            (8, r#"`{"a":1}`"#),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(row, found)| (row, wrong(found))).collect();
        assert_eq!(faults, expected.iter().map(|(row, reason)| (*row, reason.as_str())).collect::<Vec<_>>());
        // What else such a payload says stands as it is.
        assert_eq!(decoded.columns.column(1).as_string::<i32>().value(6), "y");
    }

    #[test]
    fn numbers_in_lists_are_exact() {
        let lines =
            [r#"{"items":[1,2]}"#, r#"{"items":[1,2,1.5]}"#, r#"{"items":[1,null]}"#, r#"{"items":["x"]}"#];
        let decoded = decode_lists(DataType::Int64, &lines);
        let lists = decoded.columns.column(0).as_list::<i32>();
        let there: Vec<bool> = (0..lines.len()).map(|row| lists.is_valid(row)).collect();
        assert_eq!(there, [true, false, false, false]);
        assert_eq!(lists.value(0).as_primitive::<Int64Type>().values(), &[1, 2]);
        let reasons: Vec<_> = decoded.faults.iter().map(|fault| fault.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["`1.5` as item 3", "`null` as item 2", "`\"x\"` as item 1"]
                .map(|found| format!("expected a list of whole numbers, found {found}"))
        );
    }

    #[test]
    fn lists_of_every_scalar_are_read() {
        let cases: [(DataType, &str, &str); 5] = [
            (DataType::Float64, "[1,2.5,-3e-2]", "[1,2.5,true]"),
            (DataType::Int64, "[1,-2,30]", "[1,-2,3.5]"),
            (DataType::Boolean, "[true,false,true]", "[true,false,1]"),
            (DataType::Utf8, r#"["car","bus",""]"#, r#"["car","bus",[]]"#),
            (
                DataType::Timestamp(TimeUnit::Microsecond, None),
                r#"["2026-11-28T20:00:00Z",1,2]"#,
                r#"[1,2,"noon"]"#,
            ),
        ];
        for (item, good, bad) in cases {
            let lines = [good, bad].map(|list| format!("{{\"items\":{list}}}"));
            let decoded = decode_lists(item.clone(), &[&lines[0], &lines[1]]);
            let lists = decoded.columns.column(0).as_list::<i32>();
            assert_eq!((lists.value_length(0), lists.is_null(1)), (3, true), "{item}");
            let [fault] = &decoded.faults[..] else { panic!("{item}: {:?}", decoded.faults) };
            assert!(fault.reason.ends_with(" as item 3"), "{}", fault.reason);
        }
    }

    #[test]
    fn payloads_that_are_not_one_to_a_line_are_an_error() {
        assert!(matches!(decode(&["{}", "{}\n{}"]), Err(HistoryErrorKind::Inconsistent { .. })));
    }

    #[test]
    fn a_long_value_is_cut_short_in_the_reason() {
        let decoded = decode(&[&format!(r#"{{"items":"{}"}}"#, "é".repeat(500))]).unwrap();
        let reason = &decoded.faults_of(0).next().unwrap().reason;
        assert_eq!(reason.chars().count(), "expected a whole number, found ``".len() + VALUE_CHARS_MAX);
    }
}
