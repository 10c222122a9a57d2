//! Writing columns as CSV, JSON Lines or Parquet.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tokio::sync::mpsc::Receiver;

use super::ExportErrorKind;
use super::layout::{Column, Datum, Kind};
use super::pages::{Page, Row};
use crate::import::Format;
use crate::time::format_time;

/// Records of one Parquet row group.
const ROW_GROUP_ROWS_MAX: usize = 131_072;
/// Bytes of one Parquet row group, packed, at which it is written however few records it has.
const ROW_GROUP_BYTES_MAX: usize = 64 << 20;
/// Bytes of text that are gathered before they are handed to the operating system.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes pages as they come, and gives the writer back when no more do.
pub(super) fn write<W: Write + Send>(
    writer: W,
    format: Format,
    delimiter: u8,
    columns: &[Column],
    pages: Receiver<Page>,
) -> Result<W, ExportErrorKind> {
    match format {
        Format::Csv => write_text(writer, pages, &header(columns, delimiter)?, |row, out| {
            csv_row(columns, delimiter, row, out)
        }),
        Format::JsonLines => {
            let prefixes = prefixes(columns);
            write_text(writer, pages, b"", |row, out| json_row(columns, &prefixes, row, out))
        }
        Format::Parquet => write_parquet(writer, columns, pages),
    }
}

fn write_text<W: Write>(
    writer: W,
    mut pages: Receiver<Page>,
    header: &[u8],
    write_row: impl Fn(&Row, &mut BufWriter<W>) -> io::Result<()>,
) -> Result<W, ExportErrorKind> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, writer);
    out.write_all(header)?;
    while let Some(page) = pages.blocking_recv() {
        page.rows.iter().try_for_each(|row| write_row(row, &mut out))?;
    }
    out.flush()?;
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?)
}

fn header(columns: &[Column], delimiter: u8) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            header.push(delimiter);
        }
        csv_text(&column.name, delimiter, &mut header)?;
    }
    header.push(b'\n');
    Ok(header)
}

fn csv_row(columns: &[Column], delimiter: u8, row: &Row, out: &mut impl Write) -> io::Result<()> {
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.write_all(&[delimiter])?;
        }
        match column.value(row, index) {
            Datum::Missing => {}
            Datum::Bool(value) => write!(out, "{value}")?,
            Datum::Int(number) => write!(out, "{number}")?,
            Datum::Float(number) => serde_json::to_writer(&mut *out, &number)?,
            Datum::Time(time) => out.write_all(format_time(time).as_bytes())?,
            Datum::Text(text) => csv_text(text, delimiter, out)?,
            Datum::Json(value) => csv_text(&Datum::text_of(value), delimiter, out)?,
        }
    }
    out.write_all(b"\n")
}

/// A text, with quotes around it where it could be taken for something else.
fn csv_text(text: &str, delimiter: u8, out: &mut impl Write) -> io::Result<()> {
    let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    if text.is_empty() || text.bytes().any(special) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

/// What stands before the value of each column: `,"amount":`.
fn prefixes(columns: &[Column]) -> Vec<Vec<u8>> {
    let prefix = |(index, column): (usize, &Column)| {
        let name = serde_json::to_string(&column.name).expect("a text can be written as JSON");
        format!("{}{name}:", if index == 0 { "{" } else { "," }).into_bytes()
    };
    columns.iter().enumerate().map(prefix).collect()
}

fn json_row(columns: &[Column], prefixes: &[Vec<u8>], row: &Row, out: &mut impl Write) -> io::Result<()> {
    for (index, (column, prefix)) in columns.iter().zip(prefixes).enumerate() {
        out.write_all(prefix)?;
        match column.value(row, index) {
            Datum::Missing => out.write_all(b"null")?,
            Datum::Bool(value) => write!(out, "{value}")?,
            Datum::Int(number) => write!(out, "{number}")?,
            Datum::Float(number) => serde_json::to_writer(&mut *out, &number)?,
            Datum::Time(time) => write!(out, "\"{}\"", format_time(time))?,
            Datum::Text(text) => serde_json::to_writer(&mut *out, text)?,
            Datum::Json(value) => serde_json::to_writer(&mut *out, value)?,
        }
    }
    out.write_all(b"}\n")
}

fn write_parquet<W: Write + Send>(
    writer: W,
    columns: &[Column],
    mut pages: Receiver<Page>,
) -> Result<W, ExportErrorKind> {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(&column.name, data_type(column.kind), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
        .build();
    let mut packer = ArrowWriter::try_new(writer, Arc::clone(&schema), Some(properties))?;
    while let Some(page) = pages.blocking_recv() {
        let arrays =
            columns.iter().enumerate().map(|(index, column)| array(column, index, &page.rows)).collect();
        packer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(refused)?)?;
    }
    Ok(packer.into_inner()?)
}

fn refused(error: ArrowError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Unknown | Kind::Text | Kind::Mixed => DataType::Utf8,
    }
}

/// The values of a column of all rows.
fn array(column: &Column, index: usize, rows: &[Row]) -> ArrayRef {
    let values = rows.iter().map(|row| column.value(row, index));
    match column.kind {
        Kind::Bool => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
            Datum::Bool(value) => Some(value),
            _ => None,
        }))),
        Kind::Int => Arc::new(Int64Array::from_iter(values.map(|value| match value {
            Datum::Int(number) => Some(number),
            _ => None,
        }))),
        Kind::Float => Arc::new(Float64Array::from_iter(values.map(|value| match value {
            Datum::Float(number) => Some(number),
            _ => None,
        }))),
        Kind::Time => {
            let times = TimestampMicrosecondArray::from_iter(values.map(|value| match value {
                Datum::Time(time) => Some(time),
                _ => None,
            }));
            Arc::new(times.with_timezone("UTC"))
        }
        Kind::Unknown | Kind::Text | Kind::Mixed => Arc::new(StringArray::from_iter(values.map(text))),
    }
}

/// A value of any type as text, for a column that holds values of several.
fn text(value: Datum<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        Datum::Missing => return None,
        Datum::Text(text) => Cow::Borrowed(text),
        Datum::Json(value) => Datum::text_of(value),
        Datum::Bool(value) => Cow::Owned(value.to_string()),
        Datum::Int(number) => Cow::Owned(number.to_string()),
        Datum::Float(number) => Cow::Owned(serde_json::Value::from(number).to_string()),
        Datum::Time(time) => Cow::Owned(format_time(time)),
    })
}
