//! `reproduce`: the models on their published protocols, one module for each domain.

mod check;
mod fraud;
mod medical;
mod retail;
mod vehicle;

pub(crate) use fraud::fraud;
pub(crate) use medical::medical;
pub(crate) use retail::retail;
pub(crate) use vehicle::vehicle;

use foretell_terminal::{Output, exit};

use self::check::Check;
use crate::program::say;

/// The exit code for what was checked; failures are counted aloud.
fn verdict(checks: &[Check]) -> u8 {
    match checks.iter().filter(|check| !check.held()).count() {
        0 => exit::DONE,
        failed => {
            say(&format!("{failed} checks did not hold"));
            exit::NOT_EQUAL
        }
    }
}

fn draw_checks(output: Output, checks: &[Check]) {
    output.line("\nWhat must hold");
    check::draw(output, checks);
}
