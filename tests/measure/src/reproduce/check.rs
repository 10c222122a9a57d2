//! What must hold exactly, and whether it does.

use std::fmt::Display;

use foretell_terminal::Output;

/// One thing that must hold.
pub(super) struct Check {
    what: String,
    expected: String,
    found: String,
    held: bool,
}

impl Check {
    /// `found` must be `expected`.
    pub(super) fn equal<T: PartialEq + Display>(what: impl Into<String>, expected: T, found: T) -> Self {
        let held = found == expected;
        Self { what: what.into(), expected: expected.to_string(), found: found.to_string(), held }
    }

    /// `found` must be as near to `expected` as half of the last of its `digits` after the point.
    pub(super) fn rounded(what: impl Into<String>, expected: f64, found: f64, digits: usize) -> Self {
        let tolerance = 0.5 * 10f64.powi(-(digits as i32)) + 1e-12;
        Self::new(
            what,
            format!("{expected:.digits$}"),
            format!("{found:.digits$}"),
            (found - expected).abs() <= tolerance,
        )
    }

    /// Anything else that must hold.
    pub(super) fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        held: bool,
    ) -> Self {
        Self { what: what.into(), expected: expected.into(), found: found.into(), held }
    }

    pub(super) fn held(&self) -> bool {
        self.held
    }
}

pub(super) fn draw(output: Output, checks: &[Check]) {
    output.table(
        &["check", "expected", "found", "holds"],
        checks.iter().map(|check| {
            let verdict = if check.held { "yes" } else { "NO" };
            vec![check.what.clone(), check.expected.clone(), check.found.clone(), verdict.to_owned()]
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_decides() {
        for (expected, found, digits, held) in [
            (0.763, 0.76349, 3, true),
            (0.763, 0.7636, 3, false),
            (0.24, 0.24, 2, true),
            (0.24, 0.25, 2, false),
        ] {
            assert_eq!(Check::rounded("a", expected, found, digits).held(), held, "{expected} {found}");
        }
        assert!(Check::equal("a", 1, 1).held() && !Check::equal("a", 1, 2).held());
    }
}
