//! Metrics of ranked lists: was what was looked for among the first `k`, and what do the lists show of the catalogue?
//!
//! ```
//! use foretell_insight::lists::Lists;
//! use foretell_insight::retrieval::{Columns, Popularity, RankingReport, Settings};
//!
//! // Three rows: each has a list, best item first, and the item that turned out to be right.
//! let columns = Columns {
//!     lists: Lists::new(&[0, 1, 2, 0, 3, 1, 1, 0, 2], &[0, 3, 6, 9])?,
//!     targets: Lists::new(&[0, 1, 3], &[0, 1, 2, 3])?,
//!     // Items are numbers, and these four are the whole catalogue: 8 of 10 people know item 0.
//!     popularity: Popularity { counts: &[8, 4, 2, 1], population: 10 },
//!     categories: None,
//! };
//! let cutoffs = [1, 3].into_iter().filter_map(std::num::NonZeroUsize::new).collect();
//! let report = RankingReport::new(&columns, &Settings { cutoffs, bootstrap: None })?;
//!
//! let [first, three] = &report.cutoffs[..] else { panic!("one for each cutoff") };
//! assert_eq!(first.hit_rate.map(|rate| rate.value), Some(1.0 / 3.0));
//! assert_eq!(three.hit_rate.map(|rate| rate.value), Some(2.0 / 3.0));
//! // The second row's target stands at the third place: 1 / log2(2 + 2).
//! assert_eq!(three.ndcg.map(|ndcg| ndcg.value), Some((1.0 + 0.5) / 3.0));
//! assert_eq!((first.coverage, three.coverage), (0.5, 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//! - A **row** is one question: it has a ranked *list*, and one or several *targets*, the items that were right.
//! - An **item** is a number below the size of the catalogue. The columns by item (popularity, category) say how large
//!   that is.
//! - A **cutoff** `k` is how many first places are looked at. Cut at `k`, a list is what a person would see.
//! - [`Hits`] is where the targets of one row stand; its methods are the metrics of one row, and [`RankingReport`]
//!   holds their means.
//!
//! # Contract
//! The lists are gone through once, and time is linear in what stands in the first `k` places:
//! `examples/million_lists.rs` measures it. Beside the columns there are about 8 bytes for each item, 8 more with
//! categories, 4 more for each cutoff, and for a row in which something was found 8 bytes and 8 for each cutoff.
//! Intervals draw each row once a replicate, which takes far longer than everything else.
//!
//! An empty list is a miss. A row without target is not counted for accuracy, and [`RankingReport::without_target`]
//! says how many there are; what its list shows counts like any other. A figure that does not exist is null, and
//! [`RankingReport::undefined`] says why.
//!
//! **Invariant:** no figure depends on the order of the rows or on the numbers of the items, but for the last bits of a
//! sum and the ends of an interval.
//!
//! **Invariant:** hit rate, recall, MAP, MRR and coverage never fall when `k` grows.
//!
//! **Invariant:** [`RANKING_REPORT_VERSION`] changes when a field is removed or changes its meaning.
//!
//! # Pitfalls
//! - Rank all items of the catalogue. Against a sample of them, figures are several times higher and may put models in
//!   another order (Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020).
//! - With one target for each row, precision is the hit rate over `k`, and MAP is MRR: they say nothing new.
//! - Accuracy alone rewards what everybody knows. Read it together with coverage and popularity.
//! - An interval over rows takes them for independent: give each person one row.

mod accuracy;
mod diversity;
mod exposure;
mod finder;
mod hits;
mod report;

use std::fmt;

use crate::bootstrap::BootstrapError;
use crate::lists::Lists;

pub use exposure::gini;
pub use hits::Hits;
pub use report::{Cutoff, RANKING_REPORT_VERSION, RankingReport, Settings};

/// The most rows: two numbers of 32 bits mark each.
pub const ROWS_MAX: usize = (u32::MAX / 2) as usize;

/// The most cutoffs: each takes 4 bytes for each item of the catalogue.
pub const CUTOFFS_MAX: usize = 64;

/// How well each item is known.
#[derive(Debug, Clone, Copy)]
pub struct Popularity<'a> {
    /// By item; as long as the catalogue. 0 for what nobody knows.
    pub counts: &'a [u64],
    /// What each count is a part of, so that `counts[item] / population` is a share. Where a count is of people, all
    /// people (as in Zhou et al., 2010); where it is of events, all events.
    pub population: u64,
}

/// What is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// The ranked items of each row, best first, each at most once.
    pub lists: Lists<'a, u32>,
    /// The items that were right, in any order. An item that is named twice counts once.
    pub targets: Lists<'a, u32>,
    /// How well each item is known. It also says how many items there are.
    pub popularity: Popularity<'a>,
    /// The category of each item, None where it is not known; needed for [`Cutoff::diversity`] alone.
    pub categories: Option<&'a [Option<u32>]>,
}

/// A column of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The ranked lists.
    Lists,
    /// What was looked for.
    Targets,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Column::Lists => "list",
            Column::Targets => "targets",
        })
    }
}

/// Why lists cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RetrievalError {
    /// There are no rows, or too many.
    #[error(
        "expected 1 to {ROWS_MAX} lists, found {found}; select at least one row, or evaluate a shorter period"
    )]
    Rows {
        /// Rows of the lists.
        found: usize,
    },
    /// The columns do not describe the same rows.
    #[error("expected one row of targets for each list, found {lists} lists and {targets} rows of targets")]
    Lengths {
        /// Rows of the lists.
        lists: usize,
        /// Rows of the targets.
        targets: usize,
    },
    /// The catalogue is empty.
    #[error("there are no items; give the popularity of each item of the catalogue")]
    NoItems,
    /// An item that is not in the catalogue.
    #[error("item {item} in the {column} of row {row} is not one of the {items}; number items from 0")]
    UnknownItem {
        /// Where it stands.
        column: Column,
        /// The first such row, counted from 0.
        row: usize,
        /// The item.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// A list shows an item twice.
    #[error("the list of row {row} names item {item} twice; a list must name an item once")]
    Repeated {
        /// The first such row, counted from 0.
        row: usize,
        /// The item.
        item: u32,
    },
    /// An item is more popular than is possible.
    #[error("item {item} has a popularity of {count} in a population of {population}; count both alike")]
    Popularity {
        /// The first such item.
        item: usize,
        /// Its count.
        count: u64,
        /// What the count is a part of.
        population: u64,
    },
    /// The columns by item are not equally long.
    #[error("expected a category or none for each of {items} items, found {found}")]
    Categories {
        /// How many items there are.
        items: usize,
        /// How many categories were given.
        found: usize,
    },
    /// There are no cutoffs, or too many.
    #[error("expected 1 to {CUTOFFS_MAX} cutoffs such as 10, found {found}")]
    Cutoffs {
        /// How many were asked for.
        found: usize,
    },
    /// Places that targets cannot have.
    #[error(
        "expected ascending ranks, one for each target that was found, found {found} ranks for {targets} targets"
    )]
    Hits {
        /// How many ranks.
        found: usize,
        /// How many targets.
        targets: usize,
    },
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

impl Columns<'_> {
    /// What can be told without going through the lists.
    fn check(&self) -> Result<(), RetrievalError> {
        let (lists, targets) = (self.lists.len(), self.targets.len());
        if lists != targets {
            return Err(RetrievalError::Lengths { lists, targets });
        }
        if !(1..=ROWS_MAX).contains(&lists) {
            return Err(RetrievalError::Rows { found: lists });
        }
        let Popularity { counts, population } = self.popularity;
        let items = counts.len();
        if items == 0 {
            return Err(RetrievalError::NoItems);
        }
        if let Some(item) = counts.iter().position(|&count| count > population) {
            return Err(RetrievalError::Popularity { item, count: counts[item], population });
        }
        match self.categories {
            Some(categories) if categories.len() != items => {
                Err(RetrievalError::Categories { items, found: categories.len() })
            }
            _ => Ok(()),
        }
    }
}
