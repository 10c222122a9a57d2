//! Customers whose last purchase cannot be guessed from the order of items that were bought on one day.
//!
//! The sets have days for times, and items of one day stand in the order of their catalogue numbers (ASIN), so a model that looks
//! at directions learns that order. Where the last item has a lower number than the one before, they were surely bought on different
//! days.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use foretell_terminal::Failure;

/// Writes the customers of `set` that are not tied, one on each line, and says how many there are.
pub(super) fn write(set: &Path, to: &Path) -> Result<usize, Failure> {
    let (items, sequences) = (read(&set.join("items.tsv"))?, read(&set.join("sequences.txt"))?);
    let customers = customers(&sequences, &numbers(&items));
    let text: String = customers.iter().map(|customer| format!("{customer}\n")).collect();
    fs::write(to, text).map_err(|error| cannot("write", to, &error))?;
    Ok(customers.len())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| cannot("read", path, &error))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::words(format!("can't {verb} `{}`: {error}", PathBuf::from(path).display()))
}

/// Catalogue number by item.
fn numbers(items: &str) -> HashMap<&str, &str> {
    items
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split('\t');
            Some((cells.next()?, cells.next()?))
        })
        .collect()
}

/// Customers whose last item has a lower catalogue number than the one before.
fn customers<'t>(sequences: &'t str, numbers: &HashMap<&str, &str>) -> Vec<&'t str> {
    sequences
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [customer, .., before, last] = words.as_slice() else { return None };
            (numbers.get(last)? < numbers.get(before)?).then_some(*customer)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_number_comes_from_another_day() {
        let numbers = numbers("item_id\tasin\ttitle\n1\tB1\tx\n2\tB2\ty\n3\tB3\tz\n");
        assert_eq!(customers("7 1 2 3\n8 1 3 2\n9 2 1\n10 1\n", &numbers), ["8", "9"]);
    }
}
