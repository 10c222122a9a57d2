//! How many records are looked up together.

use foretell_store::history::{HistoryError, HistoryErrorKind};

use crate::score::ScoreError;

/// Records in lots of a size that is usually right, and smaller ones where their payloads or their past turn out to be long.
pub(crate) struct Lots<'i> {
    /// The next one last.
    waiting: Vec<&'i [i64]>,
}

impl<'i> Lots<'i> {
    /// `records_max` in each, at first.
    pub(crate) fn new(ids: &'i [i64], records_max: usize) -> Self {
        Self { waiting: ids.chunks(records_max.max(1)).rev().collect() }
    }

    /// The next lot.
    pub(crate) fn next(&mut self) -> Option<&'i [i64]> {
        self.waiting.pop()
    }

    /// Puts a lot that was too much back, as two. Any other error, and a record that is too much by itself, is the end of it.
    pub(crate) fn halve(&mut self, ids: &'i [i64], error: ScoreError) -> Result<(), ScoreError> {
        match error {
            ScoreError::History(HistoryError { kind: HistoryErrorKind::Full { .. }, .. })
                if ids.len() > 1 =>
            {
                let (first, second) = ids.split_at(ids.len() / 2);
                self.waiting.extend([second, first]);
                Ok(())
            }
            error => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(records: usize) -> ScoreError {
        let kind = HistoryErrorKind::Full { records };
        ScoreError::History(HistoryError { domain: "shop".into(), kind })
    }

    #[test]
    fn lots_are_halved_until_they_fit() {
        let weights = [1, 1, 5, 1, 1, 1, 9, 1, 1, 1];
        let ids: Vec<i64> = (0..10).collect();
        let mut lots = Lots::new(&ids, 8);
        let (mut taken, mut sizes) = (Vec::new(), Vec::new());
        while let Some(lot) = lots.next() {
            let weight: i64 = lot.iter().map(|id| weights[*id as usize]).sum();
            if weight > 9 {
                lots.halve(lot, full(lot.len())).unwrap();
                continue;
            }
            taken.extend_from_slice(lot);
            sizes.push(lot.len());
        }
        assert_eq!((taken, sizes), (ids, vec![4, 2, 1, 1, 2]));
    }

    #[test]
    fn what_does_not_fit_alone_is_an_error() {
        assert!(Lots::new(&[1], 8).halve(&[1], full(1)).is_err());
        assert!(Lots::new(&[1, 2], 8).halve(&[1, 2], ScoreError::Stopped("reading")).is_err());
    }
}
