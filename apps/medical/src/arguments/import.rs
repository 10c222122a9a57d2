//! What to import, and how.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::intake::LabelSources;

/// What to import: for `import` and `predict` alike.
#[derive(Clone, Debug, Args)]
pub struct Intake {
    /// Files, folders, zip archives and DICOM directories.
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Table with the columns `file` and `label` (or `finding`), which says what files show. Files are found by their place
    /// beside the table, or by the end of their name.
    #[arg(long, value_name = "CSV", value_hint = ValueHint::FilePath)]
    pub labels: Option<PathBuf>,
    /// Import only the files of those rows of the table that have this value in this column, such as `split=test`.
    #[arg(long, value_name = "COLUMN=VALUE", requires = "labels", value_parser = parse_only)]
    pub only: Option<(String, String)>,
    /// The name of a file's folder says what it shows, where the table does not.
    #[arg(long)]
    pub folder_labels: bool,
    /// JSON object that has for each file its outline: a list of points [x, y], in fractions of width and height.
    #[arg(long, value_name = "JSON", value_hint = ValueHint::FilePath)]
    pub outlines: Option<PathBuf>,
    /// Store DICOM files as they are, with what identifies the patients. Each record says so.
    #[arg(long)]
    pub keep_identifiers: bool,
}

impl Intake {
    /// These, and nothing is known of them.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            paths: paths.into_iter().collect(),
            labels: None,
            only: None,
            folder_labels: false,
            outlines: None,
            keep_identifiers: false,
        }
    }

    /// Where labels are.
    pub fn label_sources(&self) -> LabelSources {
        LabelSources {
            table: self.labels.clone(),
            only: self.only.clone(),
            by_folder: self.folder_labels,
            outlines: self.outlines.clone(),
        }
    }
}

fn parse_only(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err("expected the name of a column and a value, such as `split=test`"),
    }
}

/// `foretell-medical import`
#[derive(Debug, Args)]
#[command(
    after_help = "What identifies a patient is removed from DICOM files before anything is stored, by the Basic Profile of \
                  DICOM PS3.15: names, dates, numbers, private attributes. UIDs and patient IDs become others, the same for \
                  the same. What is written into the pixels stays. Good files are stored in one transaction for each batch; \
                  bad ones are listed with their reason and never stop an import. Running it again stores nothing twice."
)]
pub struct Import {
    /// What to import.
    #[command(flatten)]
    pub intake: Intake,
    /// List what was removed from DICOM files, attribute by attribute.
    #[arg(long)]
    pub show_removals: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_a_column() {
        assert_eq!(parse_only("split=test"), Ok(("split".to_owned(), "test".to_owned())));
        assert_eq!(parse_only("split="), Ok(("split".to_owned(), String::new())));
        assert!(parse_only("=test").is_err() && parse_only("split").is_err());
    }
}
