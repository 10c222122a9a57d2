//! What only a shop knows: its [catalogue], [filters](filter) and [diversity] of what is recommended,
//! [sentences](reason) for reasons, the [protocol] by which recommendations are evaluated, a [simulator](simulate) of
//! a shop, and the commands of `foretell-retail`.
//!
//! What predicts are plugins (`plugins/retail`); this app has no part in them.

pub mod arguments;
pub mod catalogue;
pub mod command;
pub mod demand;
pub mod diversity;
pub mod filter;
pub mod intake;
pub mod ledger;
pub mod mapping;
pub mod protocol;
pub mod purchase;
pub mod question;
pub mod reason;
pub mod simulate;

/// Domain of the purchases, and of the questions what comes next.
pub const DOMAIN: &str = "retail";
/// Domain of the items as the shop describes them.
pub const CATALOGUE: &str = "retail-catalogue";
/// Task whose champion recommends.
pub const TASK: &str = "ranking";
/// Task whose champion forecasts.
pub const DEMAND_TASK: &str = "forecast";
/// Plugin that learns and recommends, unless another is named.
pub const PLUGIN: &str = "retail-item-knn";
/// Plugin that forecasts, unless another is named.
pub const DEMAND: &str = "retail-demand";
