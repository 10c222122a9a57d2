//! Finds the targets of a row in its list, in one look at each.

use super::{Column, Hits, ROWS_MAX, RetrievalError};

/// A mark for each item of the catalogue, which says in which row it was last seen, and as what. Nothing is hashed, and
/// nothing is cleared from row to row.
pub(super) struct Finder {
    /// By item: see [`Finder::find`].
    marks: Vec<u32>,
    hits: Hits,
}

impl Finder {
    pub(super) fn new(items: usize) -> Finder {
        Finder { marks: vec![0; items], hits: Hits::none() }
    }

    /// Where the targets stand in the list; None without a target. Each row is asked for once.
    pub(super) fn find(
        &mut self,
        row: usize,
        list: &[u32],
        targets: &[u32],
    ) -> Result<Option<&Hits>, RetrievalError> {
        debug_assert!(row < ROWS_MAX, "the marks of a row are 32-bit numbers");
        let items = self.marks.len();
        let unknown = |column, item| RetrievalError::UnknownItem { column, row, item, items };
        // Two marks for each row, and 0 for what was never seen.
        let target = 2 * row as u32 + 1;
        let listed = target + 1;
        let mut distinct = 0;
        for &item in targets {
            let mark = self.marks.get_mut(item as usize).ok_or_else(|| unknown(Column::Targets, item))?;
            distinct += usize::from(*mark != target);
            *mark = target;
        }
        self.hits.begin(distinct);
        for (rank, &item) in (0u32..).zip(list) {
            let mark = self.marks.get_mut(item as usize).ok_or_else(|| unknown(Column::Lists, item))?;
            match std::mem::replace(mark, listed) {
                mark if mark == target => self.hits.push(rank),
                mark if mark == listed => return Err(RetrievalError::Repeated { row, item }),
                _ => {}
            }
        }
        Ok((distinct > 0).then_some(&self.hits))
    }
}
