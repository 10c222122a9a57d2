//! What is known of files before anybody predicts: labels in a table, in the names of folders, outlines in a JSON file.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::table::Table;
use super::walk::{Candidate, Place};
use crate::{FINDING, OUTLINE};

/// Bytes of a file with labels.
pub const LABELS_BYTES_MAX: u64 = 1 << 28;
/// Characters of a finding.
pub const FINDING_CHARACTERS_MAX: usize = 256;
/// Points of an outline.
pub const OUTLINE_POINTS_MAX: usize = 10_000;
/// The column that names files.
const FILE_COLUMN: &str = "file";
/// Columns that say what a file shows, the first that is there.
const FINDING_COLUMNS: [&str; 2] = ["label", FINDING];

/// Labels could not be read. Nothing was imported.
#[derive(Debug, thiserror::Error)]
#[error("cannot read labels from `{}`: {reason}", file.display())]
pub struct LabelsError {
    /// The file.
    pub file: PathBuf,
    /// What was expected, and what was found.
    pub reason: String,
}

/// Where labels are.
#[derive(Clone, Debug, Default)]
pub struct LabelSources {
    /// A table with the columns `file` and `label` or `finding`.
    pub table: Option<PathBuf>,
    /// Only rows with this value in this column count, and only their files are imported.
    pub only: Option<(String, String)>,
    /// Whether the name of a file's folder says what it shows.
    pub by_folder: bool,
    /// A JSON object that has for each file a list of points `[x, y]`, in fractions of width and height.
    pub outlines: Option<PathBuf>,
}

/// What is known of files.
#[derive(Debug, Default)]
pub struct Labels {
    findings: Option<Named<String>>,
    outlines: Option<Named<String>>,
    only_listed: bool,
    by_folder: bool,
}

/// Values by the names of files.
struct Named<V> {
    /// The folder that names are relative to, if files are on the disk.
    folder: PathBuf,
    values: HashMap<String, V>,
}

impl<V> fmt::Debug for Named<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} names below `{}`", self.values.len(), self.folder.display())
    }
}

impl<V> Named<V> {
    fn new(file: &Path, values: HashMap<String, V>) -> std::io::Result<Self> {
        let folder = std::path::absolute(file)?.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { folder, values })
    }

    /// The value of a file: by its place beside the list, else by the longest end of its name that is listed.
    fn of<'s>(&'s self, candidate: &Candidate) -> Option<(&'s str, &'s V)> {
        let beside = match &candidate.place {
            Place::File(path) => std::path::absolute(path).ok(),
            Place::Entry { .. } => None,
        };
        let beside = beside.as_deref().and_then(|path| path.strip_prefix(&self.folder).ok()?.to_str());
        let beside = beside.map(|name| name.replace('\\', "/"));
        let named = beside.and_then(|name| self.values.get_key_value(name.as_str()));
        let named = named.or_else(|| ends(&candidate.name).find_map(|end| self.values.get_key_value(end)));
        named.map(|(name, value)| (name.as_str(), value))
    }
}

/// A name, and what is left of it without its first parts: `a/b/c`, `b/c`, `c`.
pub(crate) fn ends(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('/').map(|(_, end)| end))
}

impl Labels {
    /// Reads what there is.
    pub fn read(sources: &LabelSources) -> Result<Self, LabelsError> {
        let fail = |file: &Path| {
            let file = file.to_owned();
            move |reason| LabelsError { file, reason }
        };
        let findings = sources.table.as_deref();
        let findings = findings.map(|file| findings_of(file, sources.only.as_ref()).map_err(fail(file)));
        let outlines = sources.outlines.as_deref().map(|file| outlines_of(file).map_err(fail(file)));
        Ok(Self {
            findings: findings.transpose()?,
            outlines: outlines.transpose()?,
            only_listed: sources.only.is_some(),
            by_folder: sources.by_folder,
        })
    }

    /// Leaves those files that are wanted.
    pub(super) fn keep_wanted(&self, candidates: &mut Vec<Candidate>) {
        if let (true, Some(findings)) = (self.only_listed, &self.findings) {
            candidates.retain(|candidate| findings.of(candidate).is_some());
        }
    }

    /// What is known of a file: names of labels and values.
    pub(super) fn of(&self, candidate: &Candidate) -> Vec<(&'static str, String)> {
        let listed = self.findings.as_ref().and_then(|findings| Some(findings.of(candidate)?.1.clone()));
        let folder = || self.by_folder.then(|| folder(&candidate.name).map(str::to_owned)).flatten();
        let finding = listed.or_else(folder).map(|finding| (FINDING, finding));
        let outline =
            self.outlines.as_ref().and_then(|outlines| Some((OUTLINE, outlines.of(candidate)?.1.clone())));
        finding.into_iter().chain(outline).collect()
    }

    /// How many files the table lists that are not among these.
    pub(super) fn missing(&self, candidates: &[Candidate]) -> usize {
        let Some(findings) = &self.findings else { return 0 };
        let found: HashSet<&str> =
            candidates.iter().filter_map(|candidate| Some(findings.of(candidate)?.0)).collect();
        findings.values.len() - found.len()
    }
}

/// The name of the folder that a file is in.
fn folder(name: &str) -> Option<&str> {
    name.rsplit('/').nth(1)
}

fn findings_of(file: &Path, only: Option<&(String, String)>) -> Result<Named<String>, String> {
    let table = Table::read(&text(file)?)?;
    let column = |wanted: &str| {
        table
            .column(wanted)
            .ok_or_else(|| format!("there is no column `{wanted}`; found {}", table.columns.join(", ")))
    };
    let name = column(FILE_COLUMN)?;
    let finding = FINDING_COLUMNS.iter().find_map(|name| table.column(name));
    let finding = finding.map_or_else(|| column(FINDING_COLUMNS[0]), Ok)?;
    let only = only.map(|(name, value)| Ok::<_, String>((column(name)?, value))).transpose()?;
    let mut values = HashMap::new();
    for (line, cells) in &table.rows {
        if only.is_some_and(|(column, value)| cells[column] != *value) {
            continue;
        }
        let (name, finding) = (plain(&cells[name]), cells[finding].as_str());
        if finding.is_empty() || finding.chars().count() > FINDING_CHARACTERS_MAX {
            return Err(format!(
                "line {line}: expected a finding of 1 to {FINDING_CHARACTERS_MAX} characters"
            ));
        }
        if let Some(before) = values.insert(name, finding.to_owned())
            && before != finding
        {
            return Err(format!("line {line}: the file is listed before with another finding"));
        }
    }
    Named::new(file, values).map_err(|error| error.to_string())
}

fn outlines_of(file: &Path) -> Result<Named<String>, String> {
    let text = text(file)?;
    let outlines: HashMap<String, &RawValue> = serde_json::from_str(&text)
        .map_err(|error| format!("expected an object with an outline for each file: {error}"))?;
    let outlines = outlines.into_iter().map(|(name, outline)| {
        let points = points(outline.get()).map_err(|reason| format!("`{name}`: {reason}"))?;
        let outline = serde_json::to_string(&points).expect("finite numbers are JSON");
        Ok((plain(&name), outline))
    });
    let values = outlines.collect::<Result<_, String>>()?;
    Named::new(file, values).map_err(|error| error.to_string())
}

/// Reads an outline: a list of points `[x, y]`, in fractions of width and height.
pub fn points(outline: &str) -> Result<Vec<[f64; 2]>, String> {
    /// Points in a plane have three corners at least.
    const POINTS_MIN: usize = 3;
    let points: Vec<[f64; 2]> = serde_json::from_str(outline)
        .map_err(|_| "expected a list of points [x, y], in fractions of width and height".to_owned())?;
    if !(POINTS_MIN..=OUTLINE_POINTS_MAX).contains(&points.len()) {
        return Err(format!("expected {POINTS_MIN} to {OUTLINE_POINTS_MAX} points, found {}", points.len()));
    }
    match points.iter().flatten().find(|place| !(0.0..=1.0).contains(*place)) {
        Some(place) => Err(format!("expected fractions from 0 to 1, found {place}")),
        None => Ok(points),
    }
}

/// A name with `/`, and without a `./` before it.
fn plain(name: &str) -> String {
    name.trim().replace('\\', "/").trim_start_matches("./").to_owned()
}

fn text(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let bytes =
        opened.take(LABELS_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match bytes as u64 > LABELS_BYTES_MAX {
        true => Err(format!("it has more than {LABELS_BYTES_MAX} bytes; split it")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str) -> Candidate {
        Candidate {
            name: name.to_owned(),
            place: Place::File(Path::new("/films").join(name)),
            is_asked: false,
            number: 1,
        }
    }

    fn written(folder: &Path, name: &str, text: &str) -> Option<PathBuf> {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        Some(file)
    }

    #[test]
    fn files_are_found_by_their_place_or_by_the_end_of_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let table = "split,file,label\ntest,test/a.png,normal\ntrain,./b.png,pneumonia\ntest,c.png,normal";
        let table = written(folder.path(), "labels.csv", table);
        let outlines = written(folder.path(), "outlines.json", r#"{"b.png":[[0,0],[1, 0],[0.50,1]]}"#);
        let sources = LabelSources { table, outlines, by_folder: true, ..LabelSources::default() };
        let labels = Labels::read(&sources).unwrap();
        let beside = Candidate {
            place: Place::File(folder.path().join("test/a.png")),
            ..candidate("normal/other.png")
        };
        assert_eq!(labels.of(&beside), [(FINDING, "normal".to_owned())]);
        assert_eq!(labels.of(&candidate("chest/test/a.png")), [(FINDING, "normal".to_owned())]);
        assert_eq!(
            labels.of(&candidate("glioma/a.png")),
            [(FINDING, "glioma".to_owned())],
            "its folder says it"
        );
        let outlined =
            [(FINDING, "pneumonia".to_owned()), (OUTLINE, "[[0.0,0.0],[1.0,0.0],[0.5,1.0]]".to_owned())];
        assert_eq!(labels.of(&candidate("b.png")), outlined);
        assert_eq!(labels.missing(&[candidate("x/b.png"), candidate("y/b.png")]), 2);
        assert!(labels.of(&candidate("alone.png")).is_empty());

        let mut all: Vec<_> = ["test/a.png", "b.png", "d.png"].map(candidate).into();
        labels.keep_wanted(&mut all);
        assert_eq!(all.len(), 3, "nothing was said about which are wanted");
        let only = Some(("split".to_owned(), "test".to_owned()));
        Labels::read(&LabelSources { only, ..sources }).unwrap().keep_wanted(&mut all);
        assert_eq!(all.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["test/a.png"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_imported() {
        let folder = tempfile::tempdir().unwrap();
        let read = |table: &str, only: Option<(String, String)>| {
            let table = written(folder.path(), "labels.csv", table);
            Labels::read(&LabelSources { table, only, ..LabelSources::default() }).unwrap_err().to_string()
        };
        for (table, expected) in [
            ("name,label\na.png,normal", "there is no column `file`; found name, label"),
            ("file,kind\na.png,normal", "there is no column `label`"),
            ("file,label\na.png,", "line 2: expected a finding"),
            ("file,label\na.png,normal\na.png,glioma", "line 3: the file is listed before with another"),
        ] {
            let message = read(table, None);
            assert!(message.contains(expected), "{message}");
        }
        let message = read("file,label\na.png,normal", Some(("split".into(), "test".into())));
        assert!(message.contains("there is no column `split`"), "{message}");
        for (outline, expected) in [
            ("[[0,0],[1,1]]", "expected 3 to 10000 points, found 2"),
            ("[[0,0],[1,1],[2,0]]", "expected fractions from 0 to 1, found 2"),
            ("[[0,0,0],[1,1],[1,0]]", "expected a list of points"),
            ("\"round\"", "expected a list of points"),
        ] {
            let outlines = written(folder.path(), "outlines.json", &format!(r#"{{"a.png":{outline}}}"#));
            let read = Labels::read(&LabelSources { outlines, ..LabelSources::default() });
            let message = read.unwrap_err().to_string();
            assert!(message.contains(&format!("`a.png`: {expected}")), "{message}");
        }
    }
}
