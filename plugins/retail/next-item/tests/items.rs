//! What `items.bin` may hold, and what becomes of a broken one.

use foretell_plugin_next_item::items::{BadItems, Items, Kinship};
use proptest::prelude::*;

struct Row {
    name: &'static str,
    bought: u32,
    brand: u32,
    category: u32,
    vector: [i8; 2],
}

fn row(name: &'static str, bought: u32, brand: u32, category: u32, vector: [i8; 2]) -> Row {
    Row { name, bought, brand, category, vector }
}

/// A file as the recipe writes it.
fn file(rows: &[Row]) -> Vec<u8> {
    let mut file = b"FTITEMS\0".to_vec();
    let mut numbers: Vec<u32> = vec![1, rows.len() as u32, 2];
    numbers.extend(rows.iter().scan(0, |end, row| {
        *end += row.name.len() as u32;
        Some(*end)
    }));
    numbers.extend(rows.iter().map(|row| row.bought));
    numbers.extend(rows.iter().map(|row| row.brand));
    numbers.extend(rows.iter().map(|row| row.category));
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    file.extend(rows.iter().flat_map(|row| row.vector).map(i8::cast_unsigned));
    file.extend(rows.iter().flat_map(|row| row.name.bytes()));
    file
}

fn shop() -> Vec<u8> {
    file(&[
        row("tea", 3, 1, 1, [127, 0]),
        row("kettle", 5, 2, 2, [120, 40]),
        row("käse", 5, 0, 0, [-127, 0]),
        row("new tea", 0, 1, 2, [-100, 10]),
        row("new pot", 0, 3, 2, [-100, 10]),
        row("new thing", 0, 0, 0, [-100, 10]),
    ])
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let items = Items::read(shop()).unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(items.number("käse"), Some(2));
    assert_eq!(items.name(2), "käse");
    assert_eq!(items.number("coffee"), None);
    let popular: Vec<_> = items.popular().collect();
    assert_eq!(
        popular,
        [(1, 5.0 / 13.0), (2, 5.0 / 13.0), (0, 3.0 / 13.0)],
        "equal ones in the file's order"
    );
}

#[test]
fn an_empty_file_has_no_items() {
    let items = Items::read([]).unwrap();
    assert!(items.is_empty());
    assert_eq!(items.number(""), None);
    assert_eq!(Items::read(file(&[])).unwrap().len(), 0);
}

#[test]
fn the_nearest_item_of_the_past_is_the_reason() {
    let items = Items::read(shop()).unwrap();
    assert_eq!(items.nearest(0, &[2, 1]), (Kinship::Bought, 1));
    assert_eq!(items.nearest(1, &[2]), (Kinship::Bought, 2), "an item that was bought has no other reason");
    assert_eq!(items.nearest(3, &[2, 1, 0]), (Kinship::Brand, 0), "brand goes before category and nearness");
    assert_eq!(items.nearest(4, &[2, 1, 0]), (Kinship::Category, 1));
    assert_eq!(items.nearest(5, &[0, 2]), (Kinship::Bought, 2), "no brand is not a brand in common");
}

#[test]
fn a_broken_file_is_refused_with_its_fault() {
    let error = |file: &[u8]| Items::read(file).err().unwrap();
    let whole = shop();
    assert_eq!(error(b"PK"), BadItems::Header);
    assert_eq!(error(&whole[1..]), BadItems::Header);
    let with = |at: usize, number: u32| {
        let mut file = whole.clone();
        file[at..at + 4].copy_from_slice(&number.to_le_bytes());
        file
    };
    assert_eq!(error(&with(8, 2)), BadItems::Version(2));
    let bytes = whole.len();
    assert_eq!(error(&with(12, 400)), BadItems::Length { count: 400, size: 2, bytes });
    assert_eq!(error(&with(12, u32::MAX)), BadItems::Length { count: u32::MAX as usize, size: 2, bytes });
    assert_eq!(error(&with(16, u32::MAX)), BadItems::Length { count: 6, size: u32::MAX as usize, bytes });
    assert_eq!(error(&with(20, 4000)), BadItems::Name(0));
    assert_eq!(error(&with(28, 11)), BadItems::Name(2), "an end within a letter");
    assert_eq!(error(&with(24, 0)), BadItems::Name(1), "an end before the start");
    assert_eq!(error(&[&whole[..], b"x"].concat()), BadItems::Rest(1));
    assert_eq!(error(&[&whole[..], b"\xff"].concat()), BadItems::Name(6));
    let twice = [row("tea", 1, 0, 0, [0, 0]), row("tea", 1, 0, 0, [0, 0])];
    assert_eq!(error(&file(&twice)), BadItems::Twice("tea".to_owned()));
    assert!(Items::read(&whole[..whole.len() - 1]).is_err());
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(
        cut in 0usize..200,
        changes in prop::collection::vec((0usize..200, any::<u8>()), 0..6),
    ) {
        let mut file = shop();
        file.truncate(cut);
        for (at, byte) in changes {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(items) = Items::read(&file) {
            let past: Vec<u32> = (0..items.len() as u32).collect();
            for &item in &past {
                prop_assert_eq!(items.number(items.name(item)), Some(item));
                let _ = items.nearest(item, &past);
            }
        }
    }
}
