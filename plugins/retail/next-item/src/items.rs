//! The items that the network was trained for, as the recipe wrote them into `items.bin`.
//!
//! Little-endian, one block after the other; N items, vectors of D numbers:
//!
//! | block | type | content |
//! |---|---|---|
//! | magic | 8 bytes | `FTITEMS` and a zero |
//! | version, N, D | 3 x u32 | the version is 1 |
//! | ends | N x u32 | where each item's name ends in `names` |
//! | bought | N x u32 | how often it was bought in training |
//! | brand | N x u32 | number of its brand, 0 if none is told |
//! | category | N x u32 | number of its category, 0 if none is told |
//! | vectors | N x D x i8 | its vector of length 1 times 127, rounded |
//! | names | the rest | the items' names, UTF-8, without separators |
//!
//! An empty file has no items. Items are counted from 0 here, and from 1 in the network's input.

use std::collections::HashMap;
use std::ops::Range;

use foretell_sdk::{Data, Error};
use thiserror::Error as ErrorOf;

/// First bytes of the file.
const MAGIC: [u8; 8] = *b"FTITEMS\0";
/// The version of the format that this reads.
const VERSION: u32 = 1;
/// Bytes before the columns.
const HEADER: usize = MAGIC.len() + 3 * NUMBER;
/// Bytes of a number.
const NUMBER: usize = size_of::<u32>();
/// Most numbers of a vector: far more than a network of a few megabytes has.
const SIZE_MAX: usize = 4096;

/// Why `items.bin` can't be read.
#[derive(Clone, Debug, ErrorOf, PartialEq, Eq)]
pub enum BadItems {
    /// Something else, or cut off within the header.
    #[error("it does not begin with `FTITEMS`, a zero, a version and two sizes")]
    Header,
    /// Written for another version of the plugin.
    #[error("it has version {0}; this plugin reads version {VERSION}")]
    Version(u32),
    /// Its blocks need more bytes than there are, or a vector is beyond all reason.
    #[error(
        "{count} items with vectors of {size} numbers (at most {SIZE_MAX}) do not fit into its {bytes} bytes"
    )]
    Length {
        /// N.
        count: usize,
        /// D.
        size: usize,
        /// Bytes of the file.
        bytes: usize,
    },
    /// The names are not where the ends say.
    #[error("the name of item {0} is not UTF-8, or its end is not where the file says")]
    Name(usize),
    /// Bytes that belong to no item.
    #[error("{0} bytes stand behind the last name")]
    Rest(usize),
    /// The same name for two items.
    #[error("the name `{0}` stands there twice")]
    Twice(String),
}

/// What is behind one item's number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    name: Range<usize>,
    bought: u32,
    brand: u32,
    category: u32,
}

/// What one item has in common with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// Both were bought by the same people: their vectors say how close they are.
    Bought,
    /// They are of one brand.
    Brand,
    /// They are of one category.
    Category,
}

/// The items of a network.
pub struct Items<B> {
    bytes: B,
    items: Vec<Item>,
    numbers: HashMap<Box<str>, u32>,
    /// Items that were bought, the most popular first.
    popular: Vec<u32>,
    purchases: f64,
    vectors: usize,
    size: usize,
}

impl Items<Lent> {
    /// Reads what the host lends.
    pub fn open(data: Data) -> Result<Self, Error> {
        Items::read(Lent(data)).map_err(|error| {
            Error::failed(format!(
                "`items.bin` can't be read: {error}; write it anew with the recipe in `training`"
            ))
        })
    }
}

/// The bytes of a data file of the host, which live as long as the instance.
pub struct Lent(Data);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl<B: AsRef<[u8]>> Items<B> {
    /// Reads and checks a whole file.
    pub fn read(bytes: B) -> Result<Self, BadItems> {
        let file = bytes.as_ref();
        let (count, size) = if file.is_empty() { (0, 0) } else { header(file)? };
        let columns = HEADER.min(file.len());
        let vectors = columns + 4 * NUMBER * count;
        let names = vectors + count * size;
        let text = std::str::from_utf8(&file[names..]).map_err(|error| {
            let end = error.valid_up_to();
            let ends = (0..count).map(|item| number(file, columns, item) as usize);
            BadItems::Name(ends.take_while(|&known| known <= end).count())
        })?;
        let mut items = Vec::with_capacity(count);
        let mut numbers = HashMap::with_capacity(count);
        let mut start = 0;
        for item in 0..count {
            let column = |column: usize| number(file, columns, column * count + item);
            let end = column(0) as usize;
            let name = text.get(start..end).ok_or(BadItems::Name(item))?;
            if numbers.insert(name.into(), item as u32).is_some() {
                return Err(BadItems::Twice(name.to_owned()));
            }
            let name = names + start..names + end;
            items.push(Item { name, bought: column(1), brand: column(2), category: column(3) });
            start = end;
        }
        if start != text.len() {
            return Err(BadItems::Rest(text.len() - start));
        }
        let mut popular: Vec<u32> =
            (0..count as u32).filter(|&item| items[item as usize].bought > 0).collect();
        // A stable sort: of two that were bought equally often, the one that the model saw first.
        popular.sort_by_key(|&item| std::cmp::Reverse(items[item as usize].bought));
        let purchases = items.iter().map(|item| f64::from(item.bought)).sum();
        Ok(Self { bytes, items, numbers, popular, purchases, vectors, size })
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none: nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of the item with this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// An item's name.
    pub fn name(&self, item: u32) -> &str {
        // The file was checked whole when it was read, and does not change.
        std::str::from_utf8(&self.bytes.as_ref()[self.items[item as usize].name.clone()]).unwrap_or_default()
    }

    /// Items that were bought in training, the most popular first, each with its share of all purchases.
    pub fn popular(&self) -> impl Iterator<Item = (u32, f32)> {
        let share = |item: u32| (f64::from(self.items[item as usize].bought) / self.purchases) as f32;
        self.popular.iter().map(move |&item| (item, share(item)))
    }

    /// Which item of `past`, which must not be empty, is nearest to `item`, and in what.
    ///
    /// Nearest is the largest product of the two vectors; the newest of several. An item that was never bought in
    /// training has its place from its description alone, so it is kin to one of its brand, or else of its category,
    /// where there is any.
    pub fn nearest(&self, item: u32, past: &[u32]) -> (Kinship, u32) {
        let this = &self.items[item as usize];
        if this.bought == 0 {
            let (brand, category) = (this.brand, this.category);
            let of_brand = |other: &u32| brand > 0 && self.items[*other as usize].brand == brand;
            let of_category = |other: &u32| category > 0 && self.items[*other as usize].category == category;
            if let Some(other) = self.closest(item, past.iter().copied().filter(of_brand)) {
                return (Kinship::Brand, other);
            }
            if let Some(other) = self.closest(item, past.iter().copied().filter(of_category)) {
                return (Kinship::Category, other);
            }
        }
        (Kinship::Bought, self.closest(item, past.iter().copied()).unwrap_or(item))
    }

    fn closest(&self, item: u32, others: impl Iterator<Item = u32>) -> Option<u32> {
        let vector = self.vector(item);
        others.max_by_key(|&other| product(vector, self.vector(other)))
    }

    fn vector(&self, item: u32) -> &[u8] {
        let start = self.vectors + item as usize * self.size;
        &self.bytes.as_ref()[start..start + self.size]
    }
}

/// Product of two vectors of signed bytes.
fn product(left: &[u8], right: &[u8]) -> i32 {
    left.iter()
        .zip(right)
        .map(|(&left, &right)| i32::from(left.cast_signed()) * i32::from(right.cast_signed()))
        .sum()
}

/// N and D, after the check that the file has room for all but the names.
fn header(file: &[u8]) -> Result<(usize, usize), BadItems> {
    if file.len() < HEADER || file[..MAGIC.len()] != MAGIC {
        return Err(BadItems::Header);
    }
    let [version, count, size] = [0, 1, 2].map(|index| number(file, MAGIC.len(), index));
    if version != VERSION {
        return Err(BadItems::Version(version));
    }
    let (count, size) = (count as usize, size as usize);
    let needed = count.checked_mul(4 * NUMBER + size).and_then(|bytes| bytes.checked_add(HEADER));
    if size > SIZE_MAX || needed.is_none_or(|bytes| bytes > file.len()) {
        return Err(BadItems::Length { count, size, bytes: file.len() });
    }
    Ok((count, size))
}

/// The number at `index` of the column that begins at `start`, which the caller has checked to be within the file.
fn number(file: &[u8], start: usize, index: usize) -> u32 {
    let at = start + index * NUMBER;
    file[at..at + NUMBER].iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
