//! What only fraud knows: a [simulator](simulate) of card transactions, the [split](split) in time, [Card
//! Precision](card_precision), a [baseline](baseline) without a network, and the commands of `foretell-fraud`.
//!
//! The network and its features are a plugin (`plugins/fraud`); this app has no part in them.

pub mod arguments;
pub mod baseline;
pub mod card_precision;
pub mod command;
pub mod mapping;
pub mod simulate;
pub mod split;

/// Domain of the records.
pub const DOMAIN: &str = "fraud";
/// Label that says whether a transaction was fraud.
pub const LABEL: &str = "fraud";
/// Task whose champion scores.
pub const TASK: &str = "binary-classification";
/// Plugin that scores, unless another is named.
pub const PLUGIN: &str = "fraud-feed-forward";
