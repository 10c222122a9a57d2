//! Looking at a detection network that somebody exported, and proposing the dozen lines of TOML with which the detector runs it.
//!
//! A network's file says what it takes and gives, and seldom more. So it is [looked at](look): it is shown a grey picture and noise,
//! and from shapes and numbers of its answers follows [which layout](recognise) they have, whether scores are probabilities, boxes
//! pixels or parts of the picture, samples 0 to 1 or 0 to 255. What can't be seen is what networks of the family usually take. Every
//! line says [how sure](Certainty) it is and why ([`propose`]).
//!
//! With `--output`, the proposal becomes a plugin's directory ([`write`]): the manifest, the network, and the library of the
//! installed detector, which serves any number of plugins.
//!
//! - **Invariant:** what a network's file says of itself is taken for a hint and never for more: it is compared with the shapes.

mod certainty;
mod look;
mod names;
mod numbers;
mod propose;
mod recognise;
#[cfg(test)]
mod tests;
mod write;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub use certainty::{Certainty, Line};
use clap::{Args, ValueHint};
use foretell_runtime::onnx::{MODEL_BYTES_MAX, inspect};
use foretell_terminal::{Failure, Output, Place, exit, format_bytes, format_count};
pub use look::{Facts, Input, Seen, Unfit, look};
pub use names::{LABELS, Mapped, label_of, map, names_of_dictionary};
pub use propose::{NoProposal, Proposal, propose};
pub use recognise::{Family, Recognised, recognise};
use serde::Serialize;
pub use write::{WriteError, name_of};

/// The plugin whose library runs the network.
const DETECTOR: &str = "vehicle-detector";
/// Most bytes of a file of labels.
const LABELS_BYTES_MAX: u64 = 1 << 20;

/// `foretell-vehicle adapt`
#[derive(Debug, Args)]
#[command(
    after_help = "Shows what was seen of the network, and the settings that fit it, each with how sure it is and why.\n  \
                  foretell-vehicle adapt yolox_nano.onnx\n  \
                  foretell-vehicle adapt yolox_nano.onnx --output yolox && foretell plugin install yolox"
)]
pub struct Adapt {
    /// The network, an ONNX file.
    #[arg(value_name = "MODEL", value_hint = ValueHint::FilePath)]
    pub model: PathBuf,
    /// Name of the plugin; by the file's name, if not said.
    #[arg(long)]
    pub name: Option<String>,
    /// Names of the network's classes in order, one a line; by what its file says or their number, if not said.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub labels: Option<PathBuf>,
    /// Also make a plugin in this directory: manifest, network, and the library of the installed `vehicle-detector`.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// What was proposed, and written.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a Path,
    name: &'a str,
    #[serde(flatten)]
    proposal: &'a Proposal,
    config: String,
    checks: Vec<String>,
    directory: Option<&'a Path>,
}

/// Looks at the network, shows the proposal, and writes the plugin if that is wanted.
pub fn run(place: &Place, output: Output, command: &Adapt) -> Result<u8, Failure> {
    let model = &command.model;
    let of_model = |error: &dyn std::error::Error| Failure::words(format!("`{}`: {error}", model.display()));
    let network = read(model, MODEL_BYTES_MAX)?;
    let given = command.labels.as_deref().map(read_labels).transpose()?;
    // An installed detector is needed last, and missed first.
    let detector = command.output.as_ref().map(|_| place.verified(DETECTOR)).transpose()?;
    let mut inspection = inspect(&place.runtime()?, &network).map_err(|error| of_model(&error.kind))?;
    let facts = look(&mut inspection).map_err(|error| of_model(&error))?;
    let proposal = propose(&facts, given).map_err(|error| of_model(&error))?;
    let name = command.name.clone().unwrap_or_else(|| name_of(model));
    if let (Some(directory), Some(detector)) = (&command.output, &detector) {
        write::write(directory, &proposal, &name, &network, detector)
            .map_err(|error| Failure::new(&error))?;
    }
    let report = Report {
        model,
        name: &name,
        proposal: &proposal,
        config: proposal.config(),
        checks: proposal.checks(),
        directory: command.output.as_deref(),
    };
    output.show(&report, |output| draw(output, &report, network.len()));
    Ok(exit::DONE)
}

fn draw(output: Output, report: &Report<'_>, bytes: usize) {
    let proposal = report.proposal;
    output.line(&format!("{}  {}", report.model.display(), format_bytes(bytes as u64)));
    output.line(&format!("takes    {}", proposal.input));
    output.line(&format!("answers  {}", proposal.outputs.join(", ")));
    output.line("");
    let row = |line: &Line| {
        vec![format!("{} = {}", line.key, short(&line.value)), line.certainty.to_string(), line.why.clone()]
    };
    output.table(&["setting", "sure", "why"], [&proposal.image].into_iter().chain(&proposal.lines).map(row));
    output.line("");
    let row =
        |mapped: &Mapped| vec![mapped.class.clone(), mapped.label.to_owned(), mapped.certainty.to_string()];
    output.table(&["class", "label", "sure"], proposal.map.iter().map(row));
    let dropped = format_count(proposal.dropped as u64);
    output.line(&format!("{dropped} other classes mean nothing on the road, and are dropped\n"));
    output.line(&format!("image = {}\n\n[config]\n{}", proposal.image.value, report.config));
    for check in &report.checks {
        output.line(&format!("check {check}"));
    }
    match report.directory {
        Some(directory) => output.line(&format!(
            "\nwrote plugin `{}` into `{}`; state the licence of the network in its `plugin.toml`, and run `foretell plugin \
             install {}`",
            report.name,
            directory.display(),
            directory.display()
        )),
        None => output.line("\nnothing was written; `--output DIRECTORY` makes a plugin of it"),
    }
}

/// A value that stands in a line.
fn short(value: &str) -> String {
    /// Most characters of it.
    const CHARACTERS_MAX: usize = 60;
    if value.chars().count() <= CHARACTERS_MAX {
        return value.to_owned();
    }
    let start: String = value.chars().take(CHARACTERS_MAX).collect();
    format!("{start} ...")
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::words(format!("cannot read `{}`: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::words(format!("`{}` is larger than {bytes_max} bytes", path.display())));
    }
    Ok(bytes)
}

fn read_labels(path: &Path) -> Result<Vec<String>, Failure> {
    let of_file = |words: String| Failure::words(format!("`{}`: {words}", path.display()));
    let bytes = read(path, LABELS_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| of_file("expected text in UTF-8".to_owned()))?;
    names::of_lines(&text).map_err(of_file)
}
