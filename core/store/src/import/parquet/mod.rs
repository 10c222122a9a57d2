//! Parquet files, read column by column.
//!
//! Only the columns that the mapping names are read, in batches of bounded size. A column must be flat: one value a row.
//! Text is read as the bytes that it is and checked value by value, so that one bad text costs one row, not the file.

mod claims;

use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, UInt64Array,
    new_empty_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use serde_json::{Map, Number, Value};

pub use claims::{
    BATCH_PAGES_BYTES_MAX, FOOTER_BYTES_MAX, FOOTER_ENTRIES_MAX, PAGE_BYTES_MAX, ROWS_PER_BYTE_MAX,
    SCHEMA_DEPTH_MAX,
};

use self::claims::Guard;
use super::batch::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Batcher, Cancelled, shorten};
use super::cell::Cell;
use super::mapping::Unit;
use super::plan::Row;
use super::{ImportErrorKind, columns};

/// Why a Parquet file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetProblem {
    /// It could not be read at all.
    #[error("it cannot be read")]
    Read(#[from] std::io::Error),
    /// Its last bytes are not those of a Parquet file.
    #[error("it does not end as a Parquet file does: it was cut short, or is something else")]
    NoEnd,
    /// Its footer is encrypted.
    #[error("it is encrypted, which is not understood")]
    Encrypted,
    /// Its footer would begin before the file does.
    #[error("its footer claims {claimed} bytes, and the file has {available}")]
    FooterBeyondFile {
        /// The length that the file claims.
        claimed: u64,
        /// What there is.
        available: u64,
    },
    /// Its footer is longer than [`FOOTER_BYTES_MAX`].
    #[error("its footer is {bytes} bytes long, and the limit is {FOOTER_BYTES_MAX}")]
    FooterTooLong {
        /// The length that the file claims.
        bytes: u64,
    },
    /// Its footer lists more than [`FOOTER_ENTRIES_MAX`] columns, row groups or notes.
    #[error("its footer lists {found} columns, row groups or notes, and the limit is {FOOTER_ENTRIES_MAX}")]
    FooterEntries {
        /// How many.
        found: usize,
    },
    /// Its columns are nested more deeply than [`SCHEMA_DEPTH_MAX`].
    #[error("its columns are nested more than {SCHEMA_DEPTH_MAX} deep")]
    SchemaDepth,
    /// Its footer makes no sense.
    #[error("its footer is damaged: {0}")]
    Footer(String),
    /// It claims more rows than its bytes could hold, or fewer than none.
    #[error("it claims {rows} rows in {bytes} bytes")]
    Rows {
        /// The rows that it claims.
        rows: i64,
        /// The length of the file.
        bytes: u64,
    },
    /// Its row groups do not add up.
    #[error("it claims {rows} rows, and its row groups {sum}")]
    RowSum {
        /// The rows that the file claims.
        rows: i64,
        /// The rows that its row groups claim.
        sum: i64,
    },
    /// A row group claims what cannot be.
    #[error("row group {index} claims {claim}")]
    RowGroup {
        /// Which row group, from 1.
        index: usize,
        /// What it claims.
        claim: String,
    },
    /// A page is, or claims to be, larger than [`PAGE_BYTES_MAX`].
    #[error("one of its pages claims {bytes} bytes, and the limit is {PAGE_BYTES_MAX}")]
    Page {
        /// What it claims.
        bytes: u64,
    },
    /// The pages of one batch are larger than [`BATCH_PAGES_BYTES_MAX`].
    #[error("the pages of one batch of rows take more than {BATCH_PAGES_BYTES_MAX} bytes")]
    BatchPages,
    /// A column is packed by a method that this program was built without.
    #[error("column `{column}` is compressed with {method}: expected none, snappy or zstd")]
    Compression {
        /// The column.
        column: String,
        /// The method.
        method: &'static str,
    },
    /// A column holds something else than numbers, text, truth or times, one a row.
    #[error("column `{column}` holds {found}: expected one number, text, truth value or time per row")]
    ColumnType {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A part of it cannot be unpacked.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl ParquetProblem {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) | Self::ColumnType { .. } | Self::Encrypted => None,
            Self::Page { .. } | Self::BatchPages | Self::FooterTooLong { .. } => {
                Some("write it anew with smaller row groups, for instance of 100,000 rows")
            }
            Self::Compression { .. } => Some("write it anew with zstd or snappy"),
            _ => Some("check that it was copied whole; if so, write it anew"),
        }
    }
}

/// One column of one batch, as one of few kinds of array.
enum Column {
    Missing,
    Bool(BooleanArray),
    Int(Int64Array),
    Unsigned(UInt64Array),
    Float(Float64Array),
    Bytes(BinaryViewArray),
    Time(Int64Array, Unit),
}

impl Column {
    /// Nothing if the type has no place in a record.
    fn new(array: &ArrayRef) -> Result<Option<Self>, ArrowError> {
        let cast =
            |kind| cast_with_options(array, &kind, &CastOptions { safe: false, ..CastOptions::default() });
        let int = || Ok::<_, ArrowError>(cast(DataType::Int64)?.as_primitive::<Int64Type>().clone());
        Ok(Some(match array.data_type() {
            DataType::Null => Self::Missing,
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Int(int()?),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => {
                Self::Float(cast(DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::BinaryView => Self::Bytes(array.as_binary_view().clone()),
            DataType::Date32 => Self::Time(int()?, Unit::Days),
            DataType::Timestamp(TimeUnit::Second, _) => Self::Time(int()?, Unit::Seconds),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Self::Time(int()?, Unit::Milliseconds),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Time(int()?, Unit::Microseconds),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Self::Time(int()?, Unit::Nanoseconds),
            _ => return Ok(None),
        }))
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Missing => Cell::Missing,
            Self::Bool(array) if array.is_valid(row) => Cell::Bool(array.value(row)),
            Self::Int(array) if array.is_valid(row) => Cell::Int(array.value(row)),
            Self::Unsigned(array) if array.is_valid(row) => Cell::Unsigned(array.value(row)),
            Self::Float(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Self::Bytes(array) if array.is_valid(row) => Cell::of_bytes(array.value(row)),
            Self::Time(array, unit) if array.is_valid(row) => Cell::Time(array.value(row), *unit),
            _ => Cell::Missing,
        }
    }
}

/// The rows of one batch.
pub(super) struct Table {
    names: Vec<Arc<str>>,
    columns: Vec<Column>,
    /// The number of its first row in the file, from 1.
    first: i64,
}

impl Table {
    /// A row as it reads: the columns of the mapping as JSON.
    pub(super) fn content(&self, line: i64) -> String {
        let row = usize::try_from(line - self.first).unwrap_or(0);
        let members = self.names.iter().zip(&self.columns).map(|(name, column)| {
            let value = match column.cell(row) {
                Cell::Missing | Cell::Nested(_) => Value::Null,
                Cell::Bool(value) => Value::Bool(value),
                Cell::Int(number) | Cell::Time(number, _) => number.into(),
                Cell::Unsigned(number) => number.into(),
                // JSON has no NaN, and a NaN may well be why the row is shown.
                Cell::Float(number) => {
                    Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
                }
                Cell::Bytes(bytes) => shorten(bytes).into(),
            };
            (name.to_string(), value)
        });
        shorten(Value::Object(Map::from_iter(members)).to_string().as_bytes())
    }
}

struct TableRow<'a> {
    table: &'a Table,
    row: usize,
}

impl Row for TableRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.table.columns[column].cell(self.row)
    }
}

/// A file that is ready to be read.
pub(super) struct ParquetFile {
    guard: Guard,
    reader: ParquetRecordBatchReader,
    names: Vec<Arc<str>>,
    /// Where each column of the plan stands in a batch.
    positions: Vec<usize>,
    rows: u64,
}

impl ParquetFile {
    /// Checks what the file claims, and finds the wanted columns in it.
    pub(super) fn open(mut file: File, wanted: &[Arc<str>]) -> Result<Self, ImportErrorKind> {
        let file_bytes = file.metadata()?.len();
        let footer = claims::read_footer(&mut file, file_bytes)?;
        let schema = ParquetMetaDataReader::decode_schema(&footer)
            .map_err(|error| ParquetProblem::Footer(error.to_string()))?;
        let roots = find_roots(&schema, wanted)?;
        let leaves = find_leaves(&schema, &roots)?;
        let metadata = decode(&footer, with_plain_bytes(&schema, &roots))?;
        claims::check_row_groups(&metadata, &leaves, file_bytes)?;
        check_compression(&metadata, &leaves)?;
        let batch_rows = batch_rows(&metadata, &leaves);
        let rows = metadata.file_metadata().num_rows().unsigned_abs();

        let guard = Guard::new(file, file_bytes);
        let arrow = arrow_metadata(metadata, &roots)?;
        check_types(arrow.schema(), &roots)?;
        let projection = ProjectionMask::leaves(arrow.parquet_schema(), leaves.iter().copied());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(guard.clone(), arrow)
            .with_projection(projection)
            .with_batch_size(batch_rows)
            .build()
            .map_err(|error| ParquetProblem::Damaged(error.to_string()))?;
        // Batches have the columns in the order of the file.
        let mut order = roots.clone();
        order.sort_unstable();
        let positions = roots.iter().map(|root| order.partition_point(|other| other < root)).collect();
        Ok(Self { guard, reader, names: wanted.to_vec(), positions, rows })
    }

    /// How many rows the file has.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads the file to its end, or until nobody wants more.
    pub(super) fn read(self, mut batcher: Batcher) -> Result<(), ImportErrorKind> {
        let Self { guard, reader, names, positions, .. } = self;
        let mut done = 0_u64;
        for batch in reader {
            let batch = batch.map_err(|error| {
                guard.problem().unwrap_or_else(|| ParquetProblem::Damaged(error.to_string()))
            })?;
            let table = Arc::new(table(&batch, &names, &positions, done as i64 + 1)?);
            for row in 0..batch.num_rows() {
                done += 1;
                batcher.table_row(done as i64, &TableRow { table: &table, row }, &table);
                if let Err(Cancelled) = batcher.send_full(done) {
                    return Ok(());
                }
            }
            if let Err(Cancelled) = batcher.send(done) {
                return Ok(());
            }
            guard.next_batch();
        }
        Ok(())
    }
}

fn table(
    batch: &RecordBatch,
    names: &[Arc<str>],
    positions: &[usize],
    first: i64,
) -> Result<Table, ParquetProblem> {
    let columns = positions
        .iter()
        .zip(names)
        .map(|(position, name)| match Column::new(batch.column(*position)) {
            Ok(Some(column)) => Ok(column),
            Ok(None) => Err(column_type(name, batch.column(*position).data_type())),
            Err(error) => Err(ParquetProblem::Damaged(format!("column `{name}`: {error}"))),
        })
        .collect::<Result<_, _>>()?;
    Ok(Table { names: names.to_vec(), columns, first })
}

/// The wanted columns among those at the top of the schema.
fn find_roots(schema: &SchemaDescriptor, wanted: &[Arc<str>]) -> Result<Vec<usize>, ImportErrorKind> {
    let found: Vec<Arc<str>> =
        schema.root_schema().get_fields().iter().map(|field| field.name().into()).collect();
    columns::positions(wanted, &found, None)
}

/// The leaf of each root. A column of one value per row is its own only leaf.
fn find_leaves(schema: &SchemaDescriptor, roots: &[usize]) -> Result<Vec<usize>, ParquetProblem> {
    roots
        .iter()
        .map(|root| {
            let field = &schema.root_schema().get_fields()[*root];
            let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == *root);
            match leaf {
                Some(leaf) if field.is_primitive() && schema.column(leaf).max_rep_level() == 0 => Ok(leaf),
                _ => Err(ParquetProblem::ColumnType {
                    column: field.name().to_owned(),
                    found: "lists or structures".to_owned(),
                }),
            }
        })
        .collect()
}

/// The schema with the wanted texts declared as bytes: the library checks the UTF-8 of whole pages, and we want to know
/// which row is wrong.
fn with_plain_bytes(schema: &SchemaDescriptor, roots: &[usize]) -> SchemaDescriptor {
    let fields = schema.root_schema().get_fields().iter().enumerate().map(|(index, field)| {
        let is_text = field.is_primitive() && field.get_physical_type() == PhysicalType::BYTE_ARRAY;
        if roots.contains(&index) && is_text && !is_decimal(field) {
            let plain = Type::primitive_type_builder(field.name(), PhysicalType::BYTE_ARRAY)
                .with_repetition(field.get_basic_info().repetition());
            Arc::new(plain.build().expect("bytes need no further settings"))
        } else {
            Arc::clone(field)
        }
    });
    let root = Type::group_type_builder(schema.root_schema().name()).with_fields(fields.collect());
    SchemaDescriptor::new(Arc::new(root.build().expect("a group of the columns of another group")))
}

fn is_decimal(field: &TypePtr) -> bool {
    use parquet::basic::{ConvertedType, LogicalType};
    let info = field.get_basic_info();
    info.converted_type() == ConvertedType::DECIMAL
        || matches!(info.logical_type_ref(), Some(LogicalType::Decimal { .. }))
}

fn decode(footer: &[u8], schema: SchemaDescriptor) -> Result<Arc<ParquetMetaData>, ParquetProblem> {
    let options = ParquetMetaDataOptions::new()
        .with_schema(Arc::new(schema))
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))
        .map(Arc::new)
        .map_err(|error| ParquetProblem::Footer(error.to_string()))
}

/// The columns as Arrow sees them, with bytes as views: a text that is repeated is in memory once.
fn arrow_metadata(
    metadata: Arc<ParquetMetaData>,
    roots: &[usize],
) -> Result<ArrowReaderMetadata, ParquetProblem> {
    let footer = |error: parquet::errors::ParquetError| ParquetProblem::Footer(error.to_string());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options.clone()).map_err(footer)?;
    let fields = plain.schema().fields().iter().enumerate().map(|(index, field)| {
        if roots.contains(&index) && field.data_type() == &DataType::Binary {
            Arc::new(Field::clone(field).with_data_type(DataType::BinaryView))
        } else {
            Arc::clone(field)
        }
    });
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), plain.schema().metadata().clone());
    ArrowReaderMetadata::try_new(metadata, options.with_schema(Arc::new(schema))).map_err(footer)
}

/// Finds out before the first row, not at it, that a column is of no use.
fn check_types(schema: &Schema, roots: &[usize]) -> Result<(), ParquetProblem> {
    roots.iter().map(|root| schema.field(*root)).try_for_each(|field| {
        match Column::new(&new_empty_array(field.data_type())) {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err(column_type(field.name(), field.data_type())),
        }
    })
}

fn column_type(column: &str, found: &DataType) -> ParquetProblem {
    ParquetProblem::ColumnType { column: column.to_owned(), found: found.to_string() }
}

fn check_compression(metadata: &ParquetMetaData, leaves: &[usize]) -> Result<(), ParquetProblem> {
    for column in metadata.row_groups().iter().flat_map(|group| leaves.iter().map(|leaf| group.column(*leaf)))
    {
        let method = match column.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => continue,
            Compression::GZIP(_) => "gzip",
            Compression::LZO => "lzo",
            Compression::BROTLI(_) => "brotli",
            Compression::LZ4 | Compression::LZ4_RAW => "lz4",
        };
        return Err(ParquetProblem::Compression { column: column.column_path().string(), method });
    }
    Ok(())
}

/// As many rows as make a batch of good size, by what the file says of its columns. Where it lies, the guard and the
/// batcher hold.
fn batch_rows(metadata: &ParquetMetaData, leaves: &[usize]) -> usize {
    let columns =
        metadata.row_groups().iter().flat_map(|group| leaves.iter().map(|leaf| group.column(*leaf)));
    let bytes = columns.map(|column| column.uncompressed_size().max(0)).fold(0, i64::saturating_add);
    let row_bytes = (bytes / metadata.file_metadata().num_rows().max(1)).max(1);
    (BATCH_BYTES_MAX as i64 / row_bytes).clamp(1, BATCH_ROWS_MAX as i64) as usize
}
