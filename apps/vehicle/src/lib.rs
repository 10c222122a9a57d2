//! What only vehicles need: [footage] from pictures and videos, [watched](watch) by plugins frame by frame; what they say of it,
//! and the commands of `foretell-vehicle`.
//!
//! What predicts are plugins (`plugins/vehicle`); this app has no part in them.

pub mod adapt;
pub mod arguments;
pub mod asked;
pub mod canvas;
pub mod coco;
pub mod command;
pub mod counting;
pub mod draw;
pub mod drive;
pub mod evaluation;
pub mod follow;
pub mod footage;
pub mod found;
pub mod lane;
pub mod lines;
pub mod lookout;
pub mod mot;
pub mod sheet;
pub mod sign;
pub mod watch;

/// Domain of the records.
pub const DOMAIN: &str = "vehicle";
/// Stands on whatever could be taken for advice to a driver.
pub const NOTICE: &str = "Research and development only. Not a safety system.";
