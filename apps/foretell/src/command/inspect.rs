//! `foretell plugin inspect`: what a manifest says, and whether an installed plugin's files are trusted.

use std::path::Path;

use foretell_runtime::manifest::{self, Concurrency, Manifest, ModelFormat};
use foretell_runtime::registry::{FindError, Installed, Registry};
use foretell_store::time::format_duration;
use foretell_terminal::{Failure, Output, exit, format_count};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Problem;
use super::trust::{HashedFile, State, files, untrusted};

#[derive(Serialize)]
struct Document {
    name: String,
    version: String,
    description: String,
    license: String,
    authors: Vec<String>,
    domain: String,
    task: String,
    /// Version of the plugin interface.
    abi: String,
    library: String,
    concurrency: &'static str,
    keys: Vec<String>,
    inputs: Vec<Input>,
    labels: Vec<Label>,
    histories: Vec<History>,
    predictions: Vec<Column>,
    output: Decision,
    models: Vec<Model>,
    limits: Limits,
    config: Map<String, Value>,
    /// Null for a directory that is not in the home.
    installation: Option<Installation>,
}

#[derive(Serialize)]
struct Input {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    unit: Option<String>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    allowed: Vec<String>,
    required: bool,
    description: Option<String>,
}

#[derive(Serialize)]
struct Label {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    description: Option<String>,
}

#[derive(Serialize)]
struct History {
    name: String,
    key: String,
    window: String,
    delay: String,
    fields: Vec<Column>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize)]
struct Decision {
    labels: Vec<String>,
    positive: Option<String>,
    /// The score from which on the positive label is predicted.
    threshold: Option<f64>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    file: String,
    format: &'static str,
    hash: String,
    /// Of a network.
    threads: Option<usize>,
}

#[derive(Serialize)]
struct Limits {
    rows_max: usize,
}

#[derive(Serialize)]
struct Installation {
    directory: String,
    state: State,
    problem: Option<Problem>,
    /// Empty where the plugin is not trusted.
    files: Vec<HashedFile>,
}

pub(super) fn run(registry: &Registry, output: Output, plugin: &str) -> Result<u8, Failure> {
    let document = match found(registry, plugin)? {
        Some(installed) => Document::new(&installed.manifest, Some(Installation::new(registry, &installed))),
        None => {
            let manifest = Manifest::load(Path::new(plugin)).map_err(|error| Failure::new(&error))?;
            Document::new(&manifest, None)
        }
    };
    output.show(&document, |output| document.draw(output));
    Ok(exit::DONE)
}

/// The installed plugin that the user means, or nothing for a directory: what has a separator in it, or what is
/// installed under no such name.
pub(super) fn found(registry: &Registry, plugin: &str) -> Result<Option<Installed>, Failure> {
    if plugin.contains(std::path::is_separator) || plugin.starts_with('.') {
        return Ok(None);
    }
    match registry.find(plugin) {
        Err(FindError::Unknown { .. } | FindError::Name(_)) if Path::new(plugin).is_dir() => Ok(None),
        found => found.map(Some).map_err(|error| Failure::new(&error)),
    }
}

impl Installation {
    fn new(registry: &Registry, installed: &Installed) -> Self {
        let directory = installed.directory.display().to_string();
        match registry.verify(installed) {
            Ok(verified) => Self { directory, state: State::Trusted, problem: None, files: files(&verified) },
            Err(error) => {
                let (state, problem) = untrusted(installed, &error);
                Self { directory, state, problem, files: Vec::new() }
            }
        }
    }
}

impl Document {
    fn new(manifest: &Manifest, installation: Option<Installation>) -> Self {
        let plugin = &manifest.plugin;
        let decision = manifest.decision();
        let predictions = manifest
            .prediction_schema()
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), kind: field.data_type().to_string() })
            .collect();
        Self {
            name: plugin.name.clone(),
            version: plugin.version.to_string(),
            description: plugin.description.clone(),
            license: plugin.license.clone(),
            authors: plugin.authors.clone(),
            domain: plugin.domain.clone(),
            task: plugin.task.to_string(),
            abi: plugin.abi.to_string(),
            library: manifest.library_file(),
            concurrency: match plugin.concurrency {
                Concurrency::Parallel => "parallel",
                Concurrency::Serial => "serial",
            },
            keys: manifest.record.keys.clone(),
            inputs: manifest.inputs.iter().map(Input::new).collect(),
            labels: manifest.labels.iter().map(Label::new).collect(),
            histories: manifest.histories.iter().map(|history| History::new(manifest, history)).collect(),
            predictions,
            output: Decision {
                labels: manifest.output.labels.clone(),
                positive: decision.map(|(positive, _)| positive.to_owned()),
                threshold: decision.map(|(_, threshold)| threshold),
            },
            models: manifest.models.iter().map(Model::new).collect(),
            limits: Limits { rows_max: manifest.limits.rows_max },
            config: manifest.config_json(),
            installation,
        }
    }

    fn draw(&self, output: Output) {
        output.line(&format!("{} {}", self.name, self.version));
        output.line(&self.description);
        output.line("");
        output.facts(&self.facts());
        if let Some(problem) =
            self.installation.as_ref().and_then(|installation| installation.problem.as_ref())
        {
            output.line("");
            problem.draw(output);
        }
        section(
            output,
            "inputs",
            &["name", "type", "unit", "allowed", "required", "meaning"],
            &self.inputs,
            Input::row,
        );
        section(output, "labels", &["name", "type", "meaning"], &self.labels, Label::row);
        section(
            output,
            "history",
            &["name", "key", "window", "delay", "fields"],
            &self.histories,
            History::row,
        );
        section(output, "predictions", &["name", "Arrow type"], &self.predictions, Column::row);
        section(
            output,
            "models",
            &["name", "file", "format", "threads#", "BLAKE3"],
            &self.models,
            Model::row,
        );
        let files = self.installation.as_ref().map_or(&[][..], |installation| &installation.files);
        section(output, "pinned files", &["file", "BLAKE3"], files, |file| {
            vec![file.what.clone(), file.hash.clone()]
        });
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("task", self.task.clone()),
            ("domain", self.domain.clone()),
            ("keys", self.keys.join(", ")),
            ("decision", self.output.in_words()),
            (
                "library",
                format!("{}, plugin interface {}, {} calls", self.library, self.abi, self.concurrency),
            ),
            ("limits", format!("{} records a call", format_count(self.limits.rows_max as u64))),
            (
                "settings",
                if self.config.is_empty() {
                    "none".to_owned()
                } else {
                    Value::Object(self.config.clone()).to_string()
                },
            ),
            ("license", self.license.clone()),
            ("authors", self.authors.join(", ")),
        ];
        match &self.installation {
            Some(installation) => {
                facts.push(("installed", installation.directory.clone()));
                facts.push(("state", installation.state.to_string()));
            }
            None => facts.push(("installed", "no, this is a directory outside the home".to_owned())),
        }
        facts
    }
}

/// A table beneath its title; nothing where there is nothing.
fn section<T>(output: Output, title: &str, head: &[&str], items: &[T], row: impl Fn(&T) -> Vec<String>) {
    if items.is_empty() {
        return;
    }
    output.line("");
    output.line(title);
    output.table(head, items.iter().map(row));
}

impl Input {
    fn new(input: &manifest::Input) -> Self {
        Self {
            name: input.name.clone(),
            kind: input.kind.to_string(),
            unit: input.unit.clone(),
            minimum: input.minimum,
            maximum: input.maximum,
            allowed: input.allowed.clone(),
            required: input.required,
            description: input.description.clone(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.clone(),
            self.unit.clone().unwrap_or_default(),
            self.range(),
            if self.required { "yes" } else { "no" }.to_owned(),
            self.description.clone().unwrap_or_default(),
        ]
    }

    fn range(&self) -> String {
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) => format!("{minimum} to {maximum}"),
            (Some(minimum), None) => format!("from {minimum}"),
            (None, Some(maximum)) => format!("up to {maximum}"),
            (None, None) => self.allowed.join(", "),
        }
    }
}

impl Label {
    fn new(label: &manifest::Label) -> Self {
        Self {
            name: label.name.clone(),
            kind: label.kind.to_string(),
            description: label.description.clone(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![self.name.clone(), self.kind.clone(), self.description.clone().unwrap_or_default()]
    }
}

impl History {
    fn new(manifest: &Manifest, history: &manifest::History) -> Self {
        let column = |name: &String| Column {
            name: name.clone(),
            kind: manifest.history_field(name).map(ToString::to_string).unwrap_or_default(),
        };
        Self {
            name: history.name.clone(),
            key: history.key.clone(),
            window: format_duration(history.window),
            delay: format_duration(history.delay),
            fields: history.fields.iter().map(column).collect(),
        }
    }

    fn row(&self) -> Vec<String> {
        let fields: Vec<_> =
            self.fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
        vec![self.name.clone(), self.key.clone(), self.window.clone(), self.delay.clone(), fields.join(", ")]
    }
}

impl Column {
    fn row(&self) -> Vec<String> {
        vec![self.name.clone(), self.kind.clone()]
    }
}

impl Decision {
    fn in_words(&self) -> String {
        match (&self.positive, self.threshold) {
            (Some(positive), Some(threshold)) => {
                let other = self.labels.iter().find(|label| *label != positive).map_or("", String::as_str);
                format!("{positive} from a score of {threshold} on, else {other}")
            }
            _ => self.labels.join(", "),
        }
    }
}

impl Model {
    fn new(model: &manifest::ModelFile) -> Self {
        Self {
            name: model.name.clone(),
            file: model.file.clone(),
            hash: model.blake3.to_string(),
            format: match model.format {
                ModelFormat::Onnx => "onnx",
                ModelFormat::Data => "data",
            },
            threads: (model.format == ModelFormat::Onnx).then_some(model.threads),
        }
    }

    fn row(&self) -> Vec<String> {
        let threads = self.threads.map(|threads| threads.to_string()).unwrap_or_default();
        vec![self.name.clone(), self.file.clone(), self.format.to_owned(), threads, self.hash.clone()]
    }
}
