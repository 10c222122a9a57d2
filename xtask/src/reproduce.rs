//! The shipped models on their published protocol.

use std::path::PathBuf;

use crate::{
    bench::{MeasureError, absolute, measure},
    workspace::Workspace,
};

/// What `reproduce` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose models
    #[arg(value_parser = ["fraud", "medical", "retail", "vehicle"])]
    domain: String,

    /// Directory of the domain's published data, which are not part of this project
    // The command runs in the workspace's root, wherever the user is.
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    data: PathBuf,

    /// Train the models anew first, in a Python environment below the target directory
    #[arg(long)]
    train: bool,

    /// Print one flat JSON object of figures, and nothing else, on standard output
    #[arg(long)]
    json: bool,
}

/// The command `reproduce`.
pub(crate) fn reproduce(workspace: &Workspace, arguments: &Arguments) -> Result<(), MeasureError> {
    let mut words =
        vec!["reproduce".into(), (&arguments.domain).into(), "--data".into(), (&arguments.data).into()];
    if arguments.train {
        words.push("--train".into());
    }
    measure(workspace, words, arguments.json)
}
