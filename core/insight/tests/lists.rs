//! Flat lists: the same rows as nested ones, and what is refused.

use foretell_insight::lists::{Lists, ListsError};
use proptest::prelude::*;

proptest! {
    #[test]
    fn flat_lists_are_the_nested_ones(
        nested in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..20),
    ) {
        let values = nested.concat();
        let mut offsets = vec![0];
        offsets.extend(nested.iter().scan(0, |end, row| { *end += row.len(); Some(*end) }));
        let lists = Lists::new(&values, &offsets).expect("offsets of nested lists");
        prop_assert_eq!((lists.len(), lists.is_empty()), (nested.len(), nested.is_empty()));
        prop_assert!(lists.iter().eq(nested.iter().map(Vec::as_slice)));
        prop_assert!((0..lists.len()).all(|row| lists.row(row) == nested[row]));
        prop_assert_eq!(lists.values(), &values);
    }
}

#[test]
fn offsets_that_do_not_cut_the_values_are_refused() {
    let refused = |offsets: &[usize]| Lists::new(&[1, 2, 3], offsets).expect_err("bad offsets");
    assert_eq!(refused(&[]), ListsError::First { found: None });
    assert_eq!(refused(&[1, 3]), ListsError::First { found: Some(1) });
    assert_eq!(refused(&[0, 2, 1, 3]), ListsError::Falling { row: 1, begin: 2, end: 1 });
    assert_eq!(refused(&[0, 2]), ListsError::Last { values: 3, found: 2 });
    assert_eq!(refused(&[0, 4]), ListsError::Last { values: 3, found: 4 });
    assert_eq!(refused(&[0]), ListsError::Last { values: 3, found: 0 });
}
