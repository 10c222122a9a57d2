//! Whether the parts of a manifest agree with each other.
//!
//! Every check writes down what it expected and what it found, and goes on: an author sees all problems at once.

use std::{cmp::Ordering, collections::HashSet, fmt::Display};

use super::{
    EVENT_TIME, FieldType, History, IMPLICIT_EVENT_FIELD, Input, LABEL_PREFIX, Manifest, ModelFile,
    ModelFormat, NOVELTY, Output, Task, UNFAMILIAR, value::format_duration,
};

/// Longest name of a plugin, domain, column, label or model.
pub const NAME_BYTES_MAX: usize = 64;
/// Most rows that a plugin can ask for in one call.
const ROWS_MAX: usize = 1 << 20;
/// Most intra-op threads of a session.
const THREADS_MAX: usize = 256;
/// Longest side of an image that a plugin can ask for.
const IMAGE_SIDE_PIXELS_MAX: u32 = 16_384;
/// Longest window of a history: a hundred years, in microseconds.
const WINDOW_MAX: i64 = 36_525 * 86_400 * 1_000_000;
/// Most inputs, labels, models, histories and keys of a manifest, of each, and most fields of all its histories. Readers look one up in
/// the list of another.
const TABLES_MAX: usize = 4_096;
/// What a label's type may be, for messages.
const TYPES_OF_LABELS: &str = "one of `bool`, `int64`, `float64`, `utf8`, `category`";

/// The contradictions in a manifest, as key and message, in the order of the file's tables. `states` says whether a key
/// stands in the file.
pub(super) fn problems(manifest: &Manifest, states: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut found = Problems::default();
    plugin(manifest, &mut found);
    if !counts(manifest, &mut found) {
        return found.0;
    }
    models(&manifest.models, states, &mut found);
    fit(manifest, &mut found);
    inputs(manifest, &mut found);
    labels(manifest, &mut found);
    columns(manifest, &mut found);
    for (index, history) in manifest.histories.iter().enumerate() {
        history_of(manifest, history, &format!("history[{index}]"), &mut found);
    }
    output(manifest, &mut found);
    let rows = manifest.limits.rows_max;
    found.check((1..=ROWS_MAX).contains(&rows), "limits.rows_max", format!("1 to {ROWS_MAX}"), rows);
    found.0
}

#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn check(&mut self, holds: bool, key: impl Display, expected: impl Display, found: impl Display) {
        if !holds {
            self.0.push((key.to_string(), format!("expected {expected}, found {found}")));
        }
    }

    /// A name for a column, label or model.
    fn name(&mut self, name: &str, key: impl Display) {
        let mut letters = name.chars();
        let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
        let rest = letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let expected = format!("a letter, then letters, digits and `_`, {NAME_BYTES_MAX} at most");
        self.check(first && rest && name.len() <= NAME_BYTES_MAX, key, expected, quoted(name));
    }

    /// A name for a plugin or domain.
    fn words(&mut self, name: &str, key: &str) {
        let expected = format!("lower-case words joined by `-`, {NAME_BYTES_MAX} letters at most");
        self.check(is_name(name), key, expected, quoted(name));
    }

    fn text(&mut self, text: &str, key: impl Display) {
        self.check(!text.trim().is_empty(), key, "some text", "none");
    }

    /// Each of the names once.
    fn distinct<'n>(&mut self, names: impl Iterator<Item = (String, &'n str)>, what: &str) {
        let mut seen = HashSet::new();
        for (key, name) in names {
            self.check(seen.insert(name), key, format!("another {what}"), format!("{} twice", quoted(name)));
        }
    }
}

/// Whether a plugin or a domain can have this name: lower-case words and digits joined by `-`, a letter first, [`NAME_BYTES_MAX`] bytes
/// at most.
///
/// ```
/// use foretell_runtime::manifest::is_name;
///
/// assert!(is_name("late-return") && !is_name("Late_Return") && !is_name("late--return"));
/// ```
pub fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.split('-').all(is_word)
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn plugin(manifest: &Manifest, found: &mut Problems) {
    let plugin = &manifest.plugin;
    found.words(&plugin.name, "plugin.name");
    found.text(&plugin.description, "plugin.description");
    found.text(&plugin.license, "plugin.license");
    found.check(!plugin.authors.is_empty(), "plugin.authors", "at least one author", "none");
    for (index, author) in plugin.authors.iter().enumerate() {
        found.text(author, format!("plugin.authors[{index}]"));
    }
    found.words(&plugin.domain, "plugin.domain");
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let holds = (1..=NAME_BYTES_MAX).contains(&plugin.library.len()) && plugin.library.bytes().all(letter);
    let expected = "a file name without prefix and ending, such as `late_return`";
    found.check(holds, "plugin.library", expected, quoted(&plugin.library));
}

/// Whether there are so few of everything that all the rest may be looked at.
fn counts(manifest: &Manifest, found: &mut Problems) -> bool {
    let fields = manifest.histories.iter().map(|history| history.fields.len()).sum();
    let learned = manifest.fit.as_ref().map_or(0, |fit| fit.models.len());
    let counts = [
        ("model", manifest.models.len()),
        ("fit.models", learned),
        ("record.keys", manifest.record.keys.len()),
        ("input", manifest.inputs.len()),
        ("label", manifest.labels.len()),
        ("history", manifest.histories.len()),
        ("history", fields),
    ];
    for (key, count) in counts {
        found.check(count <= TABLES_MAX, key, format!("at most {TABLES_MAX}"), count);
    }
    counts.iter().all(|(_, count)| *count <= TABLES_MAX)
}

fn models(models: &[ModelFile], states: impl Fn(&str) -> bool, found: &mut Problems) {
    for (index, model) in models.iter().enumerate() {
        found.name(&model.name, format!("model[{index}].name"));
        let expected = "a relative path of plain names joined by `/`, such as `model/network.onnx`";
        found.check(is_inside(&model.file), format!("model[{index}].file"), expected, quoted(&model.file));
        let threads = model.threads;
        let key = format!("model[{index}].threads");
        match model.format {
            ModelFormat::Onnx => {
                let expected = format!("1 to {THREADS_MAX}");
                found.check((1..=THREADS_MAX).contains(&threads), key, expected, threads);
            }
            ModelFormat::Data => {
                let holds = !states(&key);
                found.check(holds, key, "none for a model of format `data`", threads);
            }
        }
    }
    let names = models.iter().enumerate();
    found
        .distinct(names.clone().map(|(index, model)| (format!("model[{index}].name"), &*model.name)), "name");
    found.distinct(names.map(|(index, model)| (format!("model[{index}].file"), &*model.file)), "file");
}

fn fit(manifest: &Manifest, found: &mut Problems) {
    let Some(fit) = &manifest.fit else { return };
    found.check(!fit.models.is_empty(), "fit.models", "at least one model", "none");
    for (index, name) in fit.models.iter().enumerate() {
        let is_data = |model: &ModelFile| model.name == *name && model.format == ModelFormat::Data;
        let holds = manifest.models.iter().any(is_data);
        found.check(holds, format!("fit.models[{index}]"), "a model of format `data`", quoted(name));
    }
    let names = fit.models.iter().enumerate();
    found.distinct(names.map(|(index, name)| (format!("fit.models[{index}]"), &**name)), "model");
}

/// Whether a path stays inside its directory on every platform: no root, drive, `..`, backslash or hidden name.
fn is_inside(path: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(letter))
}

fn inputs(manifest: &Manifest, found: &mut Problems) {
    found.check(!manifest.inputs.is_empty(), "input", "at least one input", "none");
    for (index, input) in manifest.inputs.iter().enumerate() {
        let key = format!("input[{index}]");
        found.name(&input.name, format!("{key}.name"));
        let kind = &input.kind;
        image(input, &key, found);
        if input.name == EVENT_TIME {
            found.check(
                *kind == FieldType::Timestamp,
                format!("{key}.type"),
                "`timestamp`",
                format!("`{kind}`"),
            );
        }
        bounds(input, &key, found);
        allowed(input, &key, found);
    }
    for (index, name) in manifest.record.keys.iter().enumerate() {
        let input = manifest.inputs.iter().find(|input| input.name == *name);
        let holds = input.is_some_and(|input| input.kind.is_text());
        let key = format!("record.keys[{index}]");
        found.check(holds, key, "an input of type `utf8` or `category`", quoted(name));
    }
    let keys = manifest.record.keys.iter().enumerate();
    found.distinct(keys.map(|(index, name)| (format!("record.keys[{index}]"), &**name)), "key");
}

fn bounds(input: &Input, key: &str, found: &mut Problems) {
    let bounds = [("minimum", input.minimum), ("maximum", input.maximum)];
    for (name, bound) in bounds.iter().filter_map(|(name, bound)| Some((name, (*bound)?))) {
        let key = format!("{key}.{name}");
        found.check(bound.is_finite(), &key, "a finite number", bound);
        found.check(input.kind.item().is_number(), &key, none_for(input), bound);
    }
    if let (Some(minimum), Some(maximum)) = (input.minimum, input.maximum) {
        let holds = minimum.partial_cmp(&maximum) != Some(Ordering::Greater);
        let expected = format!("at most the maximum, {maximum}");
        found.check(holds, format!("{key}.minimum"), expected, minimum);
    }
}

fn image(input: &Input, key: &str, found: &mut Problems) {
    let Some(image) = &input.image else { return };
    let key = format!("{key}.image");
    found.check(input.kind == FieldType::Image, &key, none_for(input), "one");
    let holds = image.width.is_some() == image.height.is_some();
    found.check(holds, &key, "both `width` and `height`, or none of them", "one of them");
    for (name, side) in [("width", image.width), ("height", image.height)] {
        let side = side.unwrap_or(1);
        let expected = format!("1 to {IMAGE_SIDE_PIXELS_MAX} pixels");
        found.check((1..=IMAGE_SIDE_PIXELS_MAX).contains(&side), format!("{key}.{name}"), expected, side);
    }
}

fn none_for(input: &Input) -> String {
    format!("none for an input of type `{}`", input.kind)
}

fn allowed(input: &Input, key: &str, found: &mut Problems) {
    let key = format!("{key}.allowed");
    let holds = input.allowed.is_empty() || input.kind.item().is_text();
    found.check(holds, &key, none_for(input), format!("{} values", input.allowed.len()));
    let values = input.allowed.iter().enumerate();
    found.distinct(values.map(|(index, value)| (format!("{key}[{index}]"), &**value)), "value");
}

fn labels(manifest: &Manifest, found: &mut Problems) {
    for (index, label) in manifest.labels.iter().enumerate() {
        found.name(&label.name, format!("label[{index}].name"));
        let holds = label.kind.is_scalar() && label.kind != FieldType::Timestamp;
        found.check(holds, format!("label[{index}].type"), TYPES_OF_LABELS, format!("`{}`", label.kind));
    }
    let names = manifest.labels.iter().enumerate();
    found.distinct(names.map(|(index, label)| (format!("label[{index}].name"), &*label.name)), "name");
}

/// Inputs and histories are columns of one table.
fn columns(manifest: &Manifest, found: &mut Problems) {
    let inputs = manifest.inputs.iter().enumerate();
    let inputs = inputs.map(|(index, input)| (format!("input[{index}].name"), &*input.name));
    let histories = manifest.histories.iter().enumerate();
    let histories = histories.map(|(index, history)| (format!("history[{index}].name"), &*history.name));
    found.distinct(inputs.chain(histories), "column name");
}

fn history_of(manifest: &Manifest, history: &History, key: &str, found: &mut Problems) {
    found.name(&history.name, format!("{key}.name"));
    let holds = manifest.record.keys.contains(&history.key);
    found.check(holds, format!("{key}.key"), "one of `record.keys`", quoted(&history.key));
    let window = history.window;
    let expected = format!("more than 0s and at most {}", format_duration(WINDOW_MAX));
    found.check(
        (1..=WINDOW_MAX).contains(&window),
        format!("{key}.window"),
        expected,
        format_duration(window),
    );
    let expected = format!("less than the window, {}", format_duration(window));
    found.check(history.delay < window, format!("{key}.delay"), expected, format_duration(history.delay));
    for (index, field) in history.fields.iter().enumerate() {
        let kind = manifest.history_field(field);
        let holds = field != IMPLICIT_EVENT_FIELD && kind.is_some_and(FieldType::is_scalar);
        let expected = format!("an input that is no list, or `{LABEL_PREFIX}NAME` of a label");
        let found_here = match field.as_str() {
            IMPLICIT_EVENT_FIELD => format!("`{field}`, which every history has"),
            _ => quoted(field),
        };
        found.check(holds, format!("{key}.fields[{index}]"), expected, found_here);
    }
    let fields = history.fields.iter().enumerate();
    found.distinct(fields.map(|(index, field)| (format!("{key}.fields[{index}]"), &**field)), "field");
}

fn output(manifest: &Manifest, found: &mut Problems) {
    let output = &manifest.output;
    let task = manifest.plugin.task;
    let count = output.labels.len();
    let (holds, expected) = match task {
        Task::BinaryClassification => (count == 2, "two labels"),
        Task::MulticlassClassification | Task::Segmentation => (count >= 2, "at least two labels"),
        Task::Detection | Task::Tracking => (count >= 1, "at least one label"),
        Task::Regression | Task::Ranking | Task::Forecast => (count == 0, "no labels"),
    };
    let expected = format!("{expected} for the task `{task}`");
    found.check(holds, "output.labels", expected, count);
    let labels = output.labels.iter().enumerate();
    found.distinct(labels.map(|(index, label)| (format!("output.labels[{index}]"), &**label)), "label");
    if task == Task::BinaryClassification {
        let positive = output.positive.as_deref();
        let holds = positive.is_some_and(|positive| output.labels.iter().any(|label| label == positive));
        let text = positive.map_or("none".to_owned(), quoted);
        found.check(holds, "output.positive", "one of the labels", text);
    } else {
        let expected = format!("none for the task `{task}`");
        found.check(output.positive.is_none(), "output.positive", &expected, "one");
        found.check(output.threshold.is_none(), "output.threshold", &expected, "one");
    }
    if let Some(threshold) = output.threshold {
        found.check((0.0..=1.0).contains(&threshold), "output.threshold", "0 to 1", threshold);
    }
    novelty(manifest, found);
}

fn novelty(manifest: &Manifest, found: &mut Problems) {
    let Output { labels, novelty: Some(novelty), .. } = &manifest.output else { return };
    let task = manifest.plugin.task;
    let holds = matches!(task, Task::BinaryClassification | Task::MulticlassClassification);
    found.check(holds, "output.novelty", format!("none for the task `{task}`"), "one");
    let threshold = novelty.threshold;
    found.check(threshold.is_finite(), "output.novelty.threshold", "a finite number", threshold);
    // An answer has these beside its labels.
    for (index, label) in labels.iter().enumerate() {
        let holds = ![NOVELTY, UNFAMILIAR].contains(&label.as_str());
        found.check(holds, format!("output.labels[{index}]"), "another label", quoted(label));
    }
}
