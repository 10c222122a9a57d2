//! One list for each row, without an allocation for each: all values in one column, and where each row ends.
//!
//! This is how columnar formats lay out lists (Arrow's list arrays, compressed sparse rows): row `i` is
//! `values[offsets[i]..offsets[i + 1]]`.
//!
//! ```
//! use foretell_insight::lists::Lists;
//!
//! let lists = Lists::new(&[7, 3, 9], &[0, 2, 2, 3])?;
//! assert_eq!(lists.len(), 3);
//! assert_eq!(lists.row(0), [7, 3]);
//! assert!(lists.row(1).is_empty());
//! assert_eq!(lists.row(2), [9]);
//! # Ok::<(), foretell_insight::lists::ListsError>(())
//! ```
//!
//! **Invariant:** the offsets of a [`Lists`] begin with 0, never fall, and end with the number of values, so that each
//! value belongs to one row.

/// One list for each row.
#[derive(Debug, PartialEq, Eq)]
pub struct Lists<'a, T> {
    values: &'a [T],
    offsets: &'a [usize],
}

// Derived, these would ask for `T: Copy`.
impl<T> Clone for Lists<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lists<'_, T> {}

/// Why columns are no lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListsError {
    /// The first offset is missing or not 0.
    #[error("expected offsets that begin with 0, one more than there are rows, found {found:?} first")]
    First {
        /// The first offset.
        found: Option<usize>,
    },
    /// A row would end before it begins.
    #[error("row {row} begins at {begin} and ends at {end}; expected offsets that never fall")]
    Falling {
        /// The first such row, counted from 0.
        row: usize,
        /// Its offset.
        begin: usize,
        /// The next offset.
        end: usize,
    },
    /// The rows have more or fewer values than there are.
    #[error("expected offsets that end with the number of values, {values}, found {found} last")]
    Last {
        /// How many values there are.
        values: usize,
        /// The last offset.
        found: usize,
    },
}

impl<'a, T> Lists<'a, T> {
    /// Row `i` is `values[offsets[i]..offsets[i + 1]]`: there is one offset more than there are rows.
    ///
    /// # Errors
    /// [`ListsError`]: offsets that do not cut the values into rows.
    pub fn new(values: &'a [T], offsets: &'a [usize]) -> Result<Lists<'a, T>, ListsError> {
        if offsets.first() != Some(&0) {
            return Err(ListsError::First { found: offsets.first().copied() });
        }
        if let Some(row) = offsets.windows(2).position(|ends| ends[0] > ends[1]) {
            return Err(ListsError::Falling { row, begin: offsets[row], end: offsets[row + 1] });
        }
        match offsets.last() {
            Some(&found) if found != values.len() => Err(ListsError::Last { values: values.len(), found }),
            _ => Ok(Lists { values, offsets }),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The list of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &'a [T] {
        &self.values[self.range(row)]
    }

    /// The list of each row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [T]> + use<'a, T> {
        let values = self.values;
        self.offsets.windows(2).map(move |ends| &values[ends[0]..ends[1]])
    }

    /// The values of all rows.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Where the values of a row stand among all.
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }
}
