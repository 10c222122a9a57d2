//! From what was seen of a network to the lines of a manifest.

use serde::Serialize;

use super::certainty::{Certainty, Line};
use super::look::Facts;
use super::names::{self, LABELS, Mapped};
use super::recognise::{Family, Recognised, quoted, recognise};

/// Grey of the bars that YOLOs are trained with.
const PAD: u8 = 114;
/// Side that a network is given which takes any, where nothing else is known.
const UNIT_SCALE: f64 = 1.0 / 255.0;

/// The settings that are proposed for a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// What it takes, as declared.
    pub input: String,
    /// What it answers, as declared.
    pub outputs: Vec<String>,
    /// `image` of the manifest's input.
    pub image: Line,
    /// `[config]`, but for `map`.
    pub lines: Vec<Line>,
    /// `map`.
    pub map: Vec<Mapped>,
    /// Classes that mean nothing on the road.
    pub dropped: usize,
}

/// Why nothing can be proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProposal {
    /// The answer has a layout that the detector does not read.
    #[error(
        "expected the answer of a detector, found {found}; `vehicle-detector` reads YOLOv5, v8 and their kin, YOLOX, SSD \
         (boxes beside scores), CenterNet, and boxes that are final"
    )]
    Layout {
        /// The outputs.
        found: String,
    },
    /// The names are not as many as the network's classes.
    #[error(
        "{source_of_names} name {named} classes, and the network has {classes}; give a file with a name for each, one a line, by `--labels`"
    )]
    Names {
        /// Where the names come from.
        source_of_names: &'static str,
        /// How many they are.
        named: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// Nothing says what the classes are.
    #[error(
        "the names of its {classes} classes are in none of its words; give a file with a name for each, one a line, by `--labels`"
    )]
    Unnamed {
        /// How many classes there are, in words.
        classes: String,
    },
    /// Nothing that it finds is on the road.
    #[error("none of its classes is one of {}: {found}; give other names by `--labels`", LABELS.join(", "))]
    OffRoad {
        /// The classes.
        found: String,
    },
}

/// Names of classes, and where they come from.
struct Names {
    /// As TOML.
    value: String,
    certainty: Certainty,
    why: String,
    /// Those that may matter on the road.
    classes: Vec<String>,
    /// How many there are altogether.
    count: usize,
}

/// Proposes settings; `given` are names of classes that the user gave.
pub fn propose(facts: &Facts, given: Option<Vec<String>>) -> Result<Proposal, NoProposal> {
    let stated = facts.metadata.get("names").and_then(|names| names::names_of_dictionary(names));
    let source = if given.is_some() { "the given labels" } else { "the words of its file" };
    let known = given.or(stated);
    let found = recognise(facts, known.as_ref().map(Vec::len)).ok_or_else(|| NoProposal::Layout {
        found: facts.outputs.iter().map(|output| output.declared.clone()).collect::<Vec<_>>().join(", "),
    })?;
    let names = match known {
        Some(known) => of_known(known, source, &found)?,
        None => of_count(&found)?,
    };
    let map = names::map(&names.classes);
    if map.is_empty() {
        const SHOWN: usize = 20;
        let shown: Vec<_> = names.classes.iter().take(SHOWN).cloned().collect();
        return Err(NoProposal::OffRoad { found: shown.join(", ") });
    }
    let dropped = names.count - names.classes.iter().filter(|class| names::label_of(class).is_some()).count();
    let mut lines = found.lines.clone();
    lines.extend(input_lines(facts, &found));
    lines.push(Line::new("classes", names.value, names.certainty, names.why));
    lines.push(Line::new(
        "score",
        "0.25",
        Certainty::Guess,
        "what most people show; choose it on pictures of yours. It is also what a tracker takes for the score from which this detector \
         reports an object",
    ));
    Ok(Proposal {
        input: facts.input.declared.clone(),
        outputs: facts.outputs.iter().map(|output| output.declared.clone()).collect(),
        image: image_line(facts, &found),
        lines,
        map,
        dropped,
    })
}

/// Names that somebody gave, as many as the network has classes.
fn of_known(mut known: Vec<String>, source: &'static str, found: &Recognised) -> Result<Names, NoProposal> {
    let mut why = format!("{source} name {}", known.len());
    let mut certainty = Certainty::Certain;
    match found.classes {
        Some(classes) if classes == known.len() + 1 && found.family == Family::Ssd => {
            known.insert(0, "background".to_owned());
            why.push_str(", and the network has one more: the background, which usually is the first");
            certainty = Certainty::Likely;
        }
        Some(classes) if classes != known.len() => {
            return Err(NoProposal::Names { source_of_names: source, named: known.len(), classes });
        }
        _ => {}
    }
    let value = match names::are_coco(&known) {
        true => {
            why.push_str(", and they are COCO's");
            quoted("coco-80")
        }
        false => format!("[{}]", known.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")),
    };
    Ok(Names { value, certainty, why, count: known.len(), classes: known })
}

/// The names of the list that has as many classes.
fn of_count(found: &Recognised) -> Result<Names, NoProposal> {
    let classes = found.classes.map_or_else(|| "unknown number of".to_owned(), |classes| classes.to_string());
    let count = found.classes.ok_or_else(|| NoProposal::Unnamed { classes: classes.clone() })?;
    let (list, set, classes) = names::usual(count).ok_or(NoProposal::Unnamed { classes })?;
    let why = format!("its file names none; {count} are those of {set}");
    Ok(Names { value: quoted(list), certainty: Certainty::Likely, why, classes, count })
}

/// Whether Ultralytics' exporter wrote the file.
fn is_of_ultralytics(facts: &Facts) -> bool {
    let says = |key: &str, word: &str| facts.metadata.get(key).is_some_and(|text| text.contains(word));
    says("author", "Ultralytics")
        || says("description", "Ultralytics")
        || (says("stride", "") && says("names", "{"))
}

fn is_yolo(found: &Recognised) -> bool {
    matches!(found.family, Family::Yolov5 | Family::Yolov8 | Family::Yolox)
}

/// What the input of the manifest says of the image.
fn image_line(facts: &Facts, found: &Recognised) -> Line {
    let input = &facts.input;
    let (fit, certainty, mut why) = if found.family == Family::Yolox {
        (
            format!("fit = \"corner\", pad = {PAD}, "),
            Certainty::Likely,
            "YOLOX keeps proportions, in the upper left corner".to_owned(),
        )
    } else if is_of_ultralytics(facts) {
        (
            format!("fit = \"letterbox\", pad = {PAD}, "),
            Certainty::Certain,
            "Ultralytics' exports keep proportions, in the middle".to_owned(),
        )
    } else if is_yolo(found) {
        (
            format!("fit = \"letterbox\", pad = {PAD}, "),
            Certainty::Likely,
            "YOLOs keep proportions, in the middle".to_owned(),
        )
    } else {
        (
            "fit = \"stretch\", ".to_owned(),
            Certainty::Guess,
            "networks that are no YOLO mostly take stretched pictures".to_owned(),
        )
    };
    if !input.is_sized {
        why.push_str("; it takes any size, and another may suit better");
    }
    let (width, height) = (input.width, input.height);
    let value = format!("{{ width = {width}, height = {height}, {fit}filter = \"bilinear\" }}");
    Line::new("image", value, certainty, why)
}

/// What becomes of samples before the network sees them.
fn input_lines(facts: &Facts, found: &Recognised) -> Vec<Line> {
    let input = &facts.input;
    let mut lines = Vec::new();
    if input.is_nhwc {
        lines.push(Line::new(
            "tensor",
            quoted("nhwc"),
            Certainty::Certain,
            "the channels stand last in the input's shape",
        ));
    }
    if input.takes_bytes {
        lines.push(Line::new("element", quoted("uint8"), Certainty::Certain, "the input takes bytes"));
    }
    if found.family == Family::Yolox {
        let why = "YOLOX is trained with blue first, as OpenCV reads pictures";
        lines.push(Line::new("channels", quoted("bgr"), Certainty::Likely, why));
    } else {
        let why = "most networks take red first";
        let certainty = if is_of_ultralytics(facts) { Certainty::Certain } else { Certainty::Likely };
        lines.push(Line::new("channels", quoted("rgb"), certainty, why));
    }
    lines.extend(scale_line(facts, found));
    if let Some(batch) = input.batch {
        let why = "the first number of the input's shape";
        lines.push(Line::new("batch", batch.to_string(), Certainty::Certain, why));
    }
    lines
}

/// `scale`, where the network takes other samples than bytes are.
fn scale_line(facts: &Facts, found: &Recognised) -> Option<Line> {
    if facts.input.takes_bytes {
        return None;
    }
    let seen = facts.dim.map_or_else(
        || "noise and grey are the same to it".to_owned(),
        |dim| {
            format!(
                "noise and grey of 0 to 1 differ to it by {:.0} % of what they do at 0 to 255",
                100.0 * dim
            )
        },
    );
    let line = |scale: f64, certainty, why| {
        Some(Line::new("scale", toml::Value::from(scale).to_string(), certainty, why))
    };
    if is_of_ultralytics(facts) {
        return line(
            UNIT_SCALE,
            Certainty::Certain,
            "Ultralytics' exports take samples of 0 to 1".to_owned(),
        );
    }
    match facts.wants_255() {
        Some(true) => line(1.0, Certainty::Likely, format!("{seen}: it takes 0 to 255")),
        _ if found.family == Family::Yolox => {
            line(1.0, Certainty::Guess, format!("YOLOX takes 0 to 255, but for its first version; {seen}"))
        }
        _ if is_yolo(found) => {
            line(UNIT_SCALE, Certainty::Likely, format!("YOLOs take samples of 0 to 1; {seen}"))
        }
        _ => line(
            UNIT_SCALE,
            Certainty::Guess,
            format!("{seen}: 0 to 1, or 0 to 255 which it brings to its own scale"),
        ),
    }
}

impl Proposal {
    /// What somebody should look at before relying on it.
    pub fn checks(&self) -> Vec<String> {
        // A threshold is chosen, and not found out.
        let all = self.lines.iter().filter(|line| line.key != "score").chain([&self.image]);
        let doubtful = |certainty| {
            let keys: Vec<_> = all
                .clone()
                .filter(|line| line.certainty == certainty)
                .map(|line| format!("`{}`", line.key))
                .collect();
            (!keys.is_empty()).then(|| keys.join(", "))
        };
        let mut checks = Vec::new();
        if let Some(keys) = doubtful(Certainty::Guess) {
            checks.push(format!(
                "{keys}: one of several that fit alike; look into the network's own documentation"
            ));
        }
        if let Some(keys) = doubtful(Certainty::Likely) {
            checks.push(format!("{keys}: usual for such a network, and not visible in it"));
        }
        checks.push(
            "find something on a few pictures: boxes beside their objects mean another `fit` of the image, `order` or `unit`; \
             none at all, or low scores, another `scale` or `channels`; wrong names, other `classes`"
                .to_owned(),
        );
        checks
    }

    /// The labels that can be answered, in the order of the road's.
    pub fn labels(&self) -> Vec<&'static str> {
        let answered = |label: &&str| self.map.iter().any(|mapped| mapped.label == *label);
        LABELS.into_iter().filter(answered).collect()
    }

    /// `map` as TOML.
    pub fn map_value(&self) -> String {
        let entry = |mapped: &Mapped| format!("{} = {}", key(&mapped.class), quoted(mapped.label));
        format!("{{ {} }}", self.map.iter().map(entry).collect::<Vec<_>>().join(", "))
    }

    /// `[config]` as TOML, without its head.
    pub fn config(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&format!("{} = {}\n", line.key, line.value));
            if line.key == "classes" {
                text.push_str(&format!("map = {}\n", self.map_value()));
            }
        }
        text
    }
}

/// A key as TOML has it.
fn key(text: &str) -> String {
    let is_bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { text.to_owned() } else { quoted(text) }
}
