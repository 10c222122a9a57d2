//! The targets, run on a few thousand inputs of a seed.

use foretell_fuzz::{TARGETS, seeded};

/// Inputs of a seed for each target: seconds, where `cargo xtask fuzz` takes minutes.
const EXECUTIONS: u64 = 2_000;

#[test]
fn inputs_of_a_seed_are_survived() {
    for target in TARGETS {
        seeded::run(target, 20_261_129, 0..EXECUTIONS);
    }
}
