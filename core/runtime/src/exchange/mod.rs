//! Records to the plugin and predictions back, over the Arrow C Data Interface.

mod lend;
mod take;

pub use lend::UnsupportedColumn;
pub(crate) use lend::{Lent, Room};
pub(crate) use take::{BadAnswer, take};
