//! What can be wrong with a package.

/// A package that can't be converted.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct ConvertError {
    /// Where: the archive, one of its files, or a node of the graph.
    pub place: String,
    /// Why.
    pub kind: ConvertErrorKind,
}

/// Why a package can't be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertErrorKind {
    /// The archive is damaged, or none.
    #[error(
        "expected files packed with tar and gzip, found something else or a part of it: {0}; get it again"
    )]
    Archive(String),
    /// There is more of something than is taken.
    #[error("expected {max} {unit} at most, found more")]
    TooMuch {
        /// What is counted.
        unit: &'static str,
        /// How many there may be.
        max: u64,
    },
    /// A file is not in the archive.
    #[error("expected this file in the archive, found none of the name")]
    NoFile,
    /// The graph's description is none.
    #[error("expected a graph model of TensorFlow.js, found something else: {0}")]
    Json(String),
    /// The weights are not as many as the description says.
    #[error("expected {expected} bytes of weights, found {found}")]
    Weights {
        /// Bytes that the description names.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// There is no such node.
    #[error("expected a node of this name, found none")]
    NoNode,
    /// A node must be a constant, and has no weights.
    #[error("expected a constant with weights, found none")]
    NoConstant,
    /// A node must be computed, and is a constant.
    #[error("expected a node that is computed from the image, found a constant")]
    Constant,
    /// A node reads itself, through others.
    #[error("expected a graph without circles, found one through this node")]
    Circle,
    /// Nobody knows what the node does.
    #[error("expected one of {}, found the operation `{found}`", known.join(", "))]
    Operation {
        /// Operations that can be converted.
        known: &'static [&'static str],
        /// What it is.
        found: String,
    },
    /// A node has other inputs, attributes, weights or shapes than it can have.
    #[error("{what}: expected {expected}, found {found}")]
    Unfit {
        /// What of it.
        what: &'static str,
        /// What it can be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl ConvertError {
    pub(crate) fn at(place: impl Into<String>, kind: ConvertErrorKind) -> Self {
        Self { place: place.into(), kind }
    }

    pub(crate) fn node(name: &str, kind: ConvertErrorKind) -> Self {
        Self::at(format!("node `{name}`"), kind)
    }
}

/// Something of a node is not as it must be.
pub(crate) fn unfit(
    what: &'static str,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> ConvertErrorKind {
    ConvertErrorKind::Unfit { what, expected: expected.into(), found: found.into() }
}
