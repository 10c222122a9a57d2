//! A catalogue: one item on each line, cells between commas or tabs.

use std::collections::BTreeMap;
use std::path::Path;

use foretell_store::import::JsonReader;
use foretell_store::open::Store;
use foretell_store::record::{NewRecord, Reject};
use foretell_store::time::{format_time, now};

use super::layout::Found;
use super::lines::{Lines, cells};
use super::{Intake, IntakeError, IntakeErrorKind, Progress, Report};
use crate::catalogue::{Catalogue, Entry, KEY};
use crate::{CATALOGUE, mapping};

/// Fields of an item, and other names that a column may have.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("item", &["item_id"]),
    ("title", &["name", "short_name"]),
    ("brand", &[]),
    ("category", &["category_path"]),
    ("price", &[]),
    ("in_stock", &[]),
];

/// Where the fields stand on a line.
struct Header {
    delimiter: char,
    quotes: bool,
    width: usize,
    columns: Vec<(&'static str, usize)>,
}

impl Header {
    /// Commas, unless the file's name ends in `.tsv` or the first line has tabs: then quotes are characters like any
    /// other.
    fn new(path: &Path, line: &str) -> Result<Self, String> {
        let is_tsv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
        let (delimiter, quotes) = if is_tsv || line.contains('\t') { ('\t', false) } else { (',', true) };
        let names = cells(line, delimiter, quotes).map_err(|reason| format!("its first line {reason}"))?;
        let mut columns = Vec::new();
        for (field, others) in COLUMNS {
            let is_field = |name: &String| name == field || others.contains(&name.as_str());
            let mut places =
                names.iter().enumerate().filter(|(_, name)| is_field(name)).map(|(place, _)| place);
            columns.extend(places.next().map(|place| (field, place)));
            if places.next().is_some() {
                return Err(format!("it has two columns for `{field}`"));
            }
        }
        if columns.first().is_none_or(|(field, _)| *field != KEY) {
            return Err(format!("it has no column `{KEY}`; its columns are `{}`", names.join("`, `")));
        }
        Ok(Self { delimiter, quotes, width: names.len(), columns })
    }

    fn read(&self, reader: &JsonReader, time: &str, line: &str) -> Result<NewRecord, Reject> {
        let refuse = |reason: String| Reject { reason, ..Reject::default() };
        let cells = cells(line, self.delimiter, self.quotes).map_err(|reason| refuse(reason.to_owned()))?;
        if cells.len() != self.width {
            return Err(refuse(format!("has {} columns, and the header has {}", cells.len(), self.width)));
        }
        let values = self.columns.iter().map(|(field, place)| (*field, cells[*place].as_str()));
        let row: BTreeMap<&str, &str> = values.chain([("event_time", time)]).collect();
        let json = serde_json::to_vec(&row).expect("a row is texts");
        reader.record(&json).map_err(|reject| Reject { content: None, ..reject })
    }
}

/// Reads a catalogue, and stores what it says anew. Of an item that stands there twice, the last line holds.
///
/// # Errors
/// [`IntakeError`]: the file cannot be read, has no column for items, or cannot be stored.
pub async fn catalogue(
    store: &Store,
    path: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    let read = async {
        let mut lines = Lines::open(path)?;
        let header = match lines.next()? {
            Some((_, Ok(line))) => Header::new(path, &line).map_err(IntakeErrorKind::Header)?,
            Some((_, Err(reason))) => {
                return Err(IntakeErrorKind::Header(format!("its first line {reason}")));
            }
            None => return Err(IntakeErrorKind::Header("it has no lines".to_owned())),
        };
        let mut known = Catalogue::read(store).await?;
        let mut intake = Intake::begin(store, path, CATALOGUE, &[KEY]).await?;
        let reader = JsonReader::new(&mapping::entry()).expect("our own mapping is valid");
        let time = format_time(now());
        while let Some((number, line)) = lines.next()? {
            let mut unchanged = false;
            intake.add(number, line, |line| -> Found {
                let record = header.read(&reader, &time, line);
                let entry = record.as_ref().ok().and_then(|record| Entry::parse(&record.payload));
                unchanged = entry.is_some_and(|entry| !known.replace(entry));
                if unchanged { Vec::new() } else { vec![record] }
            });
            if unchanged {
                intake.report.rows += 1;
                intake.report.already_stored += 1;
            }
            if intake.is_full() {
                intake.store_batch().await?;
                progress(Progress { done: lines.done, total: lines.total });
            }
        }
        intake.finish().await
    };
    read.await.map_err(|kind| IntakeError { path: path.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, header: &str, line: &str) -> Result<Entry, Reject> {
        let header = Header::new(Path::new(path), header).unwrap();
        let reader = JsonReader::new(&mapping::entry()).unwrap();
        let record = header.read(&reader, "2025-01-01T00:00:00Z", line)?;
        Ok(Entry::parse(&record.payload).expect("what was just written can be read"))
    }

    #[test]
    fn quotes_in_titles_are_kept_in_tables_with_tabs() {
        let entry = read(
            "items.tsv",
            "item_id\tasin\ttitle\tbrand\tcategory_path\tn_interactions",
            "1\tB0\t\"Simmer\" 12\" Lacquer, 0.5 oz\tOPI\tMakeup > Nails\t11",
        )
        .unwrap();
        assert_eq!(entry.title.as_deref(), Some("\"Simmer\" 12\" Lacquer, 0.5 oz"));
        assert_eq!((entry.item.as_str(), entry.brand.as_deref()), ("1", Some("OPI")));
        assert!(entry.is_in("makeup"));
    }

    #[test]
    fn cells_between_commas_may_stand_between_quotes() {
        let entry = read("c.csv", "price,title,item,in_stock", "2.50,\"Pan, 12\"\" wide\",p,no").unwrap();
        assert_eq!((entry.title.as_deref(), entry.price), (Some("Pan, 12\" wide"), Some(2.5)));
        assert_eq!((entry.item.as_str(), entry.in_stock, entry.brand), ("p", Some(false), None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        for (line, field, reason) in [
            ("1,much,", Some("price"), "`much` is not a number"),
            ("1,-2,", Some("price"), "-2"),
            (",1,", Some("item"), "missing"),
            ("1,1,maybe", Some("in_stock"), "maybe"),
            ("1,1", None, "has 2 columns, and the header has 3"),
        ] {
            let reject = read("c.csv", "item,price,in_stock", line).unwrap_err();
            assert_eq!(reject.field.as_deref(), field, "{line}: {reject:?}");
            assert!(reject.reason.contains(reason), "{line}: {reject:?}");
        }
        let missing = Header::new(Path::new("c.csv"), "sku,title").err().unwrap();
        assert_eq!(missing, "it has no column `item`; its columns are `sku`, `title`");
        let twice = Header::new(Path::new("c.csv"), "item,item_id").err().unwrap();
        assert_eq!(twice, "it has two columns for `item`");
    }
}
