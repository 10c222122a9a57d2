//! Finding the columns that a mapping names among those that a file has.

use std::sync::Arc;

use super::ImportErrorKind;

/// How many columns a message lists.
const LISTED_MAX: usize = 50;
/// Characters that stand between columns where it is not the comma.
const DELIMITERS: [char; 3] = [';', '\t', '|'];

/// Where each wanted column stands among those found.
pub(super) fn positions(
    wanted: &[Arc<str>],
    found: &[Arc<str>],
    hint: Option<String>,
) -> Result<Vec<usize>, ImportErrorKind> {
    let mut positions = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for column in wanted {
        let mut at = found.iter().enumerate().filter(|(_, name)| *name == column).map(|(index, _)| index);
        match (at.next(), at.next()) {
            (Some(index), None) => positions.push(index),
            (Some(_), Some(_)) => return Err(ImportErrorKind::ColumnTwice(column.to_string())),
            (None, _) => missing.push(column.to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(positions);
    }
    let hint = hint.or_else(|| {
        let close = missing.iter().find_map(|column| Some((column, closest(column, found)?)));
        close.map(|(column, name)| format!("did you mean `{name}` instead of `{column}`?"))
    });
    let mut found: Vec<String> = found.iter().map(ToString::to_string).collect();
    if found.len() > LISTED_MAX {
        let more = found.len() - LISTED_MAX;
        found.truncate(LISTED_MAX);
        found.push(format!("… and {more} more"));
    }
    Err(ImportErrorKind::MissingColumns { missing, found, hint })
}

/// What to do about a header that was taken for one single column.
pub(super) fn delimiter_hint(header: &[Arc<str>]) -> Option<String> {
    let [only] = header else { return None };
    let delimiter = DELIMITERS.iter().find(|delimiter| only.contains(**delimiter))?.to_string();
    Some(format!(
        "the columns seem to be separated by {delimiter:?}: say `delimiter = {delimiter:?}` in the mapping"
    ))
}

/// The name most like `wanted`, if it differs by little: by case, or by one letter in four.
fn closest<'a>(wanted: &str, found: &'a [Arc<str>]) -> Option<&'a str> {
    let distance = |name: &str| distance(&wanted.to_lowercase(), &name.to_lowercase());
    let (least, name) =
        found.iter().map(|name| (distance(name), &**name)).min_by_key(|(distance, _)| *distance)?;
    (least <= wanted.chars().count().div_ceil(4)).then_some(name)
}

/// How many letters must be put in, left out or changed to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
