//! A plugin without code: a network that somebody has, and a manifest for one of the standard engines.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::Manifest;
use foretell_runtime::onnx::{MODEL_BYTES_MAX, ModelErrorKind, inspect};
use foretell_terminal::{Failure, Place};

use super::Made;
use super::files::{self, Contents, Values};
use super::graph::{FROM_SCIKIT_LEARN, Known, Seen, Takes, look};
use crate::arguments::{New, NewTask};

/// The plugin whose library serves networks of tables.
const TABULAR: &str = "standard-tabular";
/// The plugin whose library serves networks of pictures.
const CLASSIFIER: &str = "standard-classifier";
/// Records of a call, of a table.
const ROWS_MAX: usize = 8192;
/// Pictures of a call.
const PICTURES_MAX: usize = 32;

/// The directory of a plugin for the network in `file`, and commands that lead on.
pub(super) fn make(place: &Place, command: &New, domain: &str, file: &Path) -> Result<Made, Failure> {
    let network = read(file)?;
    let of_file = |error: &dyn std::error::Error| Failure::words(format!("`{}`: {error}", file.display()));
    let mut inspection = inspect(&place.runtime()?, &network).map_err(|error| {
        let is_unsupported = matches!(error.kind, ModelErrorKind::Unsupported { .. });
        of_file(&error.kind).hint(is_unsupported.then_some(FROM_SCIKIT_LEARN))
    })?;
    let stated = Some(command.columns.len()).filter(|columns| *columns > 0);
    let seen = look(&mut inspection, command.task, stated, command.answer)?;
    let is_picture = matches!(seen.takes, Takes::Pictures { .. });
    if is_picture && command.task == NewTask::Regression {
        return Err(Failure::words(
            "expected a classification of a network that takes pictures, found the task regression",
        )
        .hint(Some("anything else needs code: see `foretell plugin new --lang rust`")));
    }
    let engine = place.verified(if is_picture { CLASSIFIER } else { TABULAR }).map_err(|failure| {
        let name = if is_picture { CLASSIFIER } else { TABULAR };
        failure.hint(Some(format!("its library is needed: install `{name}` first, it comes with foretell")))
    })?;
    let columns = columns(command, &seen)?;

    let mut values = Values::default();
    let plugin = &engine.manifest().plugin;
    let task = super::example::Example::of(command.task).task;
    let description =
        if is_picture { "what a picture shows" } else { "what follows from the numbers of a record" };
    values
        .set("name", &command.name)
        .set("domain", domain)
        .set("task", task)
        .set("description", description)
        .set("library", &plugin.library)
        .set("engine", &format!("{}@{}", plugin.name, plugin.version))
        .set("blake3", &Hash::of(&network).to_string())
        .set("inputs", &inputs(&seen, &columns))
        .set("output", &output(command, &seen)?)
        .set("rows_max", &rows_max(&seen).to_string())
        .set("config", &config(&seen, &columns))
        .set("certainty", certainty(&seen))
        .set("answer", &answer(&seen))
        .set("network", &format!("which {}", seen.declared))
        .set("checks", checks(&seen));
    let mut next = ["validate", "install"].map(|what| format!("foretell plugin {what} .")).to_vec();
    let mut contents = Contents::default();
    if !is_picture {
        values.set("fields", &fields(&seen, &columns));
        files::records(&mut contents, &mut values, &columns);
        let mapping = "--mapping records/mapping.toml";
        next.push(format!("foretell record import records/example.csv --domain {domain} {mapping}"));
        next.push(format!("foretell job create --plugin {} --run", command.name));
    }
    values.set("next", &next.iter().map(|command| format!("    {command}")).collect::<Vec<_>>().join("\n"));
    let manifest = files::standard(&mut contents, &values);
    // What was typed may be no name of a column; better to know it now.
    let manifest =
        Manifest::parse(&manifest, Path::new("plugin.toml")).map_err(|error| Failure::new(&error))?;
    let library = std::fs::read(engine.library())
        .map_err(|error| Failure::words(format!("cannot read `{}`: {error}", engine.library().display())))?;
    contents.add(manifest.library_file(), library);
    contents.add("model/network.onnx", network);
    Ok(Made { contents, next, guess: guess(&seen) })
}

/// Reads a network.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(MODEL_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::words(format!("cannot read `{}`: {error}", path.display())))?;
    match bytes.len() as u64 > MODEL_BYTES_MAX {
        true => Err(Failure::words(format!("`{}` is larger than {MODEL_BYTES_MAX} bytes", path.display()))),
        false => Ok(bytes),
    }
}

/// Names of the columns, in the network's order; none of pictures.
fn columns(command: &New, seen: &Seen) -> Result<Vec<String>, Failure> {
    let stated = &command.columns;
    let expected = match &seen.takes {
        Takes::Pictures { .. } if stated.is_empty() => return Ok(Vec::new()),
        Takes::Pictures { .. } => {
            return Err(Failure::words("expected no `--columns` of a network that takes pictures"));
        }
        Takes::Columns(columns) if stated.is_empty() => {
            return Ok(columns.iter().map(|(name, _)| as_name(name)).collect());
        }
        Takes::Matrix(Some(numbers), _) if stated.is_empty() => {
            return Ok((1..=*numbers).map(|place| format!("x{place}")).collect());
        }
        Takes::Matrix(None, _) if stated.is_empty() => {
            return Err(Failure::words("the network does not say how many numbers it takes")
                .hint(Some("state their names with `--columns`")));
        }
        Takes::Matrix(numbers, _) => numbers.unwrap_or(stated.len()),
        Takes::Columns(columns) => columns.len(),
    };
    if stated.len() == expected {
        return Ok(stated.clone());
    }
    Err(Failure::words(format!(
        "`--columns`: expected {expected} names, as the network takes, found {}",
        stated.len()
    )))
}

/// The name of an input as that of a column: letters, digits and `_`.
fn as_name(name: &str) -> String {
    let name: String =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) { name } else { format!("x{name}") }
}

/// The manifest's `[[input]]`.
fn inputs(seen: &Seen, columns: &[String]) -> String {
    if let Takes::Pictures { height, width, channels, .. } = seen.takes {
        let grey = if channels == 1 { ", channels = \"grey\"" } else { "" };
        return format!(
            "# `fit` is what becomes of other proportions: stretch, crop, letterbox or corner.\n[[input]]\nname = \"image\"\n\
             type = \"image\"\nimage = {{ width = {width}, height = {height}{grey}, fit = \"stretch\" }}\n"
        );
    }
    let kinds = kinds(seen);
    let mut text = String::new();
    for (place, name) in columns.iter().enumerate() {
        let kind = kind(&kinds, place);
        let name = quoted(name);
        let _ = writeln!(text, "[[input]]\nname = {name}\ntype = \"{kind}\"\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Types of the network's inputs, one for each column.
fn kinds(seen: &Seen) -> Vec<&'static str> {
    match &seen.takes {
        Takes::Columns(columns) => columns.iter().map(|(_, element)| *element).collect(),
        _ => Vec::new(),
    }
}

fn output(command: &New, seen: &Seen) -> Result<String, Failure> {
    if command.task == NewTask::Regression {
        return match command.labels.is_empty() {
            true => Ok("# A number: a regression has no labels.".to_owned()),
            false => Err(Failure::words("expected no `--labels` of a regression")),
        };
    }
    let is_binary = command.task == NewTask::BinaryClassification;
    let expected = if is_binary { 2 } else { seen.width };
    let labels = match (command.labels.is_empty(), is_binary) {
        (true, true) => vec!["no".to_owned(), "yes".to_owned()],
        (true, false) => (0..expected).map(|class| format!("class-{class}")).collect(),
        (false, _) => command.labels.clone(),
    };
    if labels.len() != expected {
        let found = labels.len();
        return Err(Failure::words(format!(
            "`--labels`: expected {expected} names, as there are classes, found {found}"
        )));
    }
    let list: Vec<_> = labels.iter().map(|label| quoted(label)).collect();
    let mut text = format!("labels = [{}]", list.join(", "));
    if is_binary {
        let _ = write!(text, "\npositive = {}\nthreshold = 0.5", list[1]);
    }
    Ok(text)
}

fn rows_max(seen: &Seen) -> usize {
    match seen.takes {
        _ if seen.is_single => 1,
        Takes::Pictures { .. } => PICTURES_MAX,
        _ => ROWS_MAX,
    }
}

/// The manifest's `[config]`, but for the answer.
fn config(seen: &Seen, columns: &[String]) -> String {
    match &seen.takes {
        Takes::Pictures { is_nhwc, takes_bytes, channels, .. } => {
            let order = if *is_nhwc { "nhwc" } else { "nchw" };
            let mut text = format!("[config]\ntensor = \"{order}\"\n");
            if *takes_bytes {
                text.push_str("element = \"uint8\"\n");
            } else {
                text.push_str(
                    "# The network is given (sample * scale - mean) / deviation; without them, 0 to 1. This is the most usual other way:\n",
                );
                let usual = match channels {
                    1 => ("[0.5]", "[0.5]"),
                    _ => ("[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"),
                };
                let _ = writeln!(text, "# mean = {}\n# deviation = {}", usual.0, usual.1);
            }
            text
        }
        Takes::Matrix(_, element) => {
            let mut text = format!("[config]\nelement = \"{element}\"\n\n");
            text.push_str(
                "# `mean` and `scale` standardise a column: the network is given (number - mean) / scale.\n",
            );
            for name in columns {
                let _ = writeln!(text, "[[config.column]]\nname = {}\n", quoted(name));
            }
            text.trim_end().to_owned() + "\n"
        }
        Takes::Columns(inputs) => {
            let mut text = "[config]\ntensor = \"columns\"\n\n".to_owned();
            for (name, (_, element)) in columns.iter().zip(inputs) {
                let _ = writeln!(text, "[[config.column]]\nname = {}", quoted(name));
                if *element == "int64" {
                    text.push_str("type = \"int64\"\n");
                }
                let _ = writeln!(text, "element = \"{element}\"\n");
            }
            text.trim_end().to_owned() + "\n"
        }
    }
}

/// How it is known what the network gives, for the manifest.
fn certainty(seen: &Seen) -> &'static str {
    match seen.known {
        Known::ByTask => "What the task has.",
        Known::Stated => "As it was stated with `--answer`.",
        Known::Seen => "Seen: what the network answers to noise is no probability.",
        Known::Guessed => {
            "A guess: what the network answers to noise may be probabilities, and may not. Change it if you know better."
        }
        Known::Untried => "A guess: the network could not be tried. If it gives probabilities, say so.",
    }
}

/// What the user should look at, where something is a guess.
fn guess(seen: &Seen) -> Option<String> {
    let other = match seen.gives {
        "probability" => "logit",
        "probabilities" => "logits",
        "logit" => "probability",
        _ => "probabilities",
    };
    let is_guess = matches!(seen.known, Known::Guessed | Known::Untried);
    is_guess.then(|| {
        format!(
            "that the network gives {} is a guess; `--answer {}` says so, `--answer {other}` otherwise",
            seen.gives, seen.gives
        )
    })
}

/// The rest of `[config.answer]`.
fn answer(seen: &Seen) -> String {
    let mut text = format!("gives = \"{}\"", seen.gives);
    if seen.width > 1 {
        let _ = write!(text, "\nclasses = {}", seen.width);
    } else if seen.is_matrix {
        text.push_str("\ndimensions = 2");
    }
    if seen.label_first {
        text.push_str("\nlabel_first = true");
    }
    text
}

fn checks(seen: &Seen) -> &'static str {
    match seen.takes {
        Takes::Pictures { takes_bytes: true, .. } => {
            "- `[output]`: the labels, in the network's order.\n- `[[input]]`: `fit`, as in training."
        }
        Takes::Pictures { .. } => {
            "- `[output]`: the labels, in the network's order.\n- `[config]`: `mean` and `deviation`, as in training; nobody can see them \
             from outside.\n- `[[input]]`: `fit`, as in training."
        }
        _ => {
            "- `[[input]]` and `[[config.column]]`: the columns, in the network's order, and `mean` and `scale` where it was trained on \
             standardised numbers.\n- `[output]`: the labels, in the network's order."
        }
    }
}

/// The fields of the mapping.
fn fields(seen: &Seen, columns: &[String]) -> String {
    let kinds = kinds(seen);
    let field = |(place, name): (usize, &String)| {
        format!("[[field]]\nname = {}\ntype = \"{}\"", quoted(name), kind(&kinds, place))
    };
    columns.iter().enumerate().map(field).collect::<Vec<_>>().join("\n\n")
}

/// Type of a column, by the types of the network's inputs if it has several.
fn kind(kinds: &[&'static str], place: usize) -> &'static str {
    if kinds.get(place) == Some(&"int64") { "int64" } else { "float64" }
}

/// A text in TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
