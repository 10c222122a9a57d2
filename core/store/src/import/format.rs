//! Which kind of file it is: by its name, or as somebody says.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::str::FromStr;

/// A format of files that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text, a row a line, columns between commas; the first row names the columns. `.csv`, and `.tsv` with tabs.
    Csv,
    /// Text, a JSON object a line. `.jsonl`, `.ndjson` or `.json`.
    JsonLines,
    /// Columns, packed. `.parquet` or `.pq`.
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::JsonLines, Self::Parquet];

    /// Its name, as [`FromStr`] reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// The format that the name of a file says.
    ///
    /// ```
    /// use foretell_store::import::Format;
    ///
    /// assert_eq!(Format::of_path("2018/orders.CSV".as_ref()), Some(Format::Csv));
    /// assert_eq!(Format::of_path("orders.xlsx".as_ref()), None);
    /// ```
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a format: expected `csv`, `jsonl` or `parquet`")]
pub struct FormatError {
    name: String,
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let format = Self::ALL.into_iter().find(|format| format.as_str() == name);
        format.ok_or_else(|| FormatError { name: name.to_owned() })
    }
}

/// What stands between the columns of a CSV file that does not say.
pub(crate) fn delimiter(path: &Path) -> u8 {
    let is_tsv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    if is_tsv { b'\t' } else { b',' }
}

/// The first bytes of files that are something else than they seem, and what they are. Each has a byte that no text has,
/// or is longer than a text would begin with by chance: a column may well be called `PAR1`.
const SIGNATURES: [(&[u8], &str); 15] = [
    (b"PAR1\x15", "a Parquet file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh91AY&SY", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"ARROW1\0\0", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF-", "a PDF document"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"\x80\x04", "a Python pickle"),
];

/// What a file is that is not what it should be. Leaves the file at its start.
pub(super) fn foreign(file: &mut File, format: Format) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    file.by_ref().take(16).read_to_end(&mut start)?;
    file.rewind()?;
    if format == Format::Parquet && start.starts_with(b"PAR1") {
        return Ok(None);
    }
    let found = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature)).map(|(_, name)| *name);
    Ok(found.or((format == Format::Parquet).then_some("of an unknown kind")))
}
