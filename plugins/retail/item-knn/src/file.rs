//! The data file `neighbours`: what was learned, in a form of our own.
//!
//! | part | content |
//! |---|---|
//! | magic | the 8 bytes `item-knn` |
//! | version | 1, as 4 bytes, little-endian like all that follow |
//! | items | their number, 4 bytes |
//! | pairs | their number, 8 bytes |
//! | each item | length of the name, name in UTF-8, time of the first purchase, time from there to the last, number of purchases |
//! | each item again | how many items were bought after it, and for each of them: how many items it is after the one before (the first: after none, -1), `together`, `nearness` |
//!
//! Times are 8 bytes; every other number of the last two parts is a LEB128 varint in its shortest form. Items and pairs
//! stand in the order of [`Learned`]. Where nothing was learned the file is empty.
//!
//! - **Invariant:** the same statistics have one form: reading a file and writing it gives the same bytes.
//! - **Invariant:** a file that breaks a rule is an error that names the rule and the place. It never panics, and
//!   takes no more memory than a small multiple of its size.

use std::collections::HashSet;
use std::sync::Arc;

use crate::counts::{ITEMS_MAX, Item, Learned, PAIRS_MAX, Pair};

const MAGIC: &[u8; 8] = b"item-knn";
const VERSION: u32 = 1;
/// An item takes this many bytes at least: an empty name, a time, two numbers, and the number of its pairs.
const ITEM_BYTES_MIN: usize = 1 + 8 + 1 + 1 + 1;
/// A pair takes this many bytes at least.
const PAIR_BYTES_MIN: usize = 3;

/// Why a file can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the data file `neighbours` is damaged at byte {position}: expected {expected}, found {found}\n  hint: fit anew"
)]
pub struct FileError {
    position: usize,
    expected: String,
    found: String,
}

impl Learned {
    /// Reads what [`Learned::write`] wrote.
    ///
    /// ```
    /// use foretell_plugin_item_knn::counts::Learned;
    ///
    /// let nothing = Learned::default();
    /// assert_eq!(Learned::read(&nothing.write())?, nothing);
    /// let error = Learned::read(b"item-kn").unwrap_err().to_string();
    /// assert!(error.contains("at byte 0: expected 8 bytes of the magic, found the end of the file"), "{error}");
    /// # Ok::<(), foretell_plugin_item_knn::file::FileError>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Learned, FileError> {
        if bytes.is_empty() {
            return Ok(Learned::default());
        }
        let mut reader = Reader { bytes, position: 0 };
        let magic: [u8; 8] = reader.take("the magic")?;
        reader.check(magic == *MAGIC, || format!("`{}`", MAGIC.escape_ascii()), magic.escape_ascii())?;
        let version = u32::from_le_bytes(reader.take("the version")?);
        reader.check(version == VERSION, || format!("version {VERSION}"), version)?;
        let items = u32::from_le_bytes(reader.take("the number of items")?) as usize;
        let most = ITEMS_MAX.min(bytes.len() / ITEM_BYTES_MIN);
        reader.check((1..=most).contains(&items), || format!("1 to {most} items in so many bytes"), items)?;
        let pairs = u64::from_le_bytes(reader.take("the number of pairs")?);
        let most = PAIRS_MAX.min(bytes.len() / PAIR_BYTES_MIN);
        reader.check(pairs <= most as u64, || format!("at most {most} pairs in so many bytes"), pairs)?;

        let learned = Learned {
            items: read_items(&mut reader, items)?,
            pairs: read_pairs(&mut reader, items, pairs as usize)?,
        };
        let left = bytes.len() - reader.position;
        reader.check(left == 0, || "the end of the file".to_owned(), format!("{left} bytes more"))?;
        Ok(learned)
    }

    /// Writes what was learned.
    pub fn write(&self) -> Vec<u8> {
        if self.items.is_empty() {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(24 + self.items.len() * 32 + self.pairs.len() * 6);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.items.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.pairs.len() as u64).to_le_bytes());
        for item in &self.items {
            push(&mut bytes, item.id.len() as u64);
            bytes.extend_from_slice(item.id.as_bytes());
            bytes.extend_from_slice(&item.first.to_le_bytes());
            push(&mut bytes, item.last.abs_diff(item.first));
            push(&mut bytes, item.purchases);
        }
        let mut rest = self.pairs.as_slice();
        for earlier in 0..self.items.len() as u32 {
            let (row, after) = rest.split_at(rest.partition_point(|pair| pair.earlier == earlier));
            rest = after;
            push(&mut bytes, row.len() as u64);
            let mut next = 0;
            for pair in row {
                push(&mut bytes, u64::from(pair.later - next));
                push(&mut bytes, pair.together);
                push(&mut bytes, pair.nearness);
                next = pair.later + 1;
            }
        }
        bytes
    }
}

fn read_items(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Item>, FileError> {
    let mut items: Vec<Item> = Vec::with_capacity(count);
    let mut names = HashSet::with_capacity(count);
    for _ in 0..count {
        let length = reader.varint("the length of an item's name")?;
        let name = reader.slice(length, "an item's name")?;
        let name = str::from_utf8(name);
        reader.check(name.is_ok(), || "an item's name in UTF-8".to_owned(), "other bytes")?;
        let name = name.unwrap_or_default();
        reader.check(names.insert(name), || "each item once".to_owned(), format!("`{name}` again"))?;
        let first = i64::from_le_bytes(reader.take("an item's first purchase")?);
        let length = reader.varint("the time from an item's first to its last purchase")?;
        let last = first.checked_add_unsigned(length);
        reader.check(last.is_some(), || "a time in 64 bits".to_owned(), "a later one")?;
        let purchases = reader.varint("an item's number of purchases")?;
        let item = Item { id: Arc::from(name), first, last: last.unwrap_or(first), purchases };
        let in_order = items.last().is_none_or(|before| (before.first, &before.id) < (item.first, &item.id));
        reader.check(
            in_order,
            || "items in the order of their first purchase".to_owned(),
            format!("`{name}`"),
        )?;
        items.push(item);
    }
    Ok(items)
}

fn read_pairs(reader: &mut Reader<'_>, items: usize, count: usize) -> Result<Vec<Pair>, FileError> {
    let mut pairs = Vec::with_capacity(count);
    for earlier in 0..items as u32 {
        let length = reader.varint("the number of an item's pairs")?;
        let left = count - pairs.len();
        reader.check(length <= left as u64, || format!("at most {left} pairs more"), length)?;
        let mut next = 0;
        for _ in 0..length {
            let later = reader.varint("an item of a pair")?.saturating_add(next);
            reader.check(later < items as u64, || format!("one of {items} items"), later)?;
            let later = later as u32;
            reader.check(later != earlier, || "a pair of two items".to_owned(), "an item with itself")?;
            let together = reader.varint("a pair's count")?;
            let nearness = reader.varint("a pair's nearness")?;
            reader.check(
                together > 0 || nearness > 0,
                || "a pair with a count".to_owned(),
                "one with none",
            )?;
            pairs.push(Pair { earlier, later, together, nearness });
            next = u64::from(later) + 1;
        }
    }
    reader.check(pairs.len() == count, || format!("{count} pairs"), pairs.len())?;
    Ok(pairs)
}

/// Appends a number as a LEB128 varint.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn check(
        &self,
        holds: bool,
        expected: impl FnOnce() -> String,
        found: impl std::fmt::Display,
    ) -> Result<(), FileError> {
        if holds {
            return Ok(());
        }
        Err(FileError { position: self.position, expected: expected(), found: found.to_string() })
    }

    fn slice(&mut self, length: u64, what: &str) -> Result<&'a [u8], FileError> {
        let rest = &self.bytes[self.position..];
        let fits = length <= rest.len() as u64;
        self.check(fits, || format!("{length} bytes of {what}"), "the end of the file")?;
        let slice = &rest[..length as usize];
        self.position += slice.len();
        Ok(slice)
    }

    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], FileError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N as u64, what)?);
        Ok(taken)
    }

    fn varint(&mut self, what: &str) -> Result<u64, FileError> {
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.take(what)?;
            let bits = u64::from(byte & 0x7f);
            let fits = bits << shift >> shift == bits;
            self.check(fits, || format!("{what} in 64 bits"), "more")?;
            number |= bits << shift;
            if byte < 0x80 {
                let shortest = byte > 0 || shift == 0;
                self.check(shortest, || format!("{what} in its shortest form"), "zeros at its end")?;
                return Ok(number);
            }
        }
        self.check(false, || format!("{what} in 64 bits"), "more")?;
        Ok(number)
    }
}
