//! Records to the plugin and predictions back, over the Arrow C Data Interface.

mod lend;
mod state;
mod take;

pub use lend::UnsupportedColumn;
pub(crate) use lend::{Lent, Room};
pub use state::stated_type;
pub(crate) use take::{BadAnswer, take};
