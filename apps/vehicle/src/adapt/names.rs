//! Names of a network's classes, and which of them are what on the road.

use serde::Serialize;

use super::certainty::Certainty;

/// The labels of the road, in the order in which a manifest lists them.
pub const LABELS: [&str; 8] =
    ["car", "truck", "bus", "motorcycle", "bicycle", "person", "traffic light", "traffic sign"];

/// Names that data sets give to what the road's labels mean, in lower case with spaces: COCO, PASCAL VOC, Open Images, Cityscapes,
/// KITTI, BDD100K, Mapillary and CARLA. The second column says whether the word means just that.
const SYNONYMS: [(&str, &str, Certainty); 45] = [
    ("automobile", "car", Certainty::Certain),
    ("taxi", "car", Certainty::Certain),
    ("limousine", "car", Certainty::Certain),
    ("suv", "car", Certainty::Certain),
    ("van", "car", Certainty::Likely),
    ("caravan", "car", Certainty::Guess),
    ("ambulance", "car", Certainty::Guess),
    ("vehicle", "car", Certainty::Guess),
    ("vehicle car", "car", Certainty::Certain),
    ("lorry", "truck", Certainty::Certain),
    ("pickup", "truck", Certainty::Guess),
    ("pickup truck", "truck", Certainty::Likely),
    ("coach", "bus", Certainty::Likely),
    ("motorbike", "motorcycle", Certainty::Certain),
    ("motobike", "motorcycle", Certainty::Likely),
    ("motor", "motorcycle", Certainty::Likely),
    ("motor bike", "motorcycle", Certainty::Certain),
    ("scooter", "motorcycle", Certainty::Guess),
    ("bike", "bicycle", Certainty::Likely),
    ("cycle", "bicycle", Certainty::Likely),
    // KITTI's cyclist is the bicycle with who rides it.
    ("cyclist", "bicycle", Certainty::Guess),
    ("pedestrian", "person", Certainty::Certain),
    ("people", "person", Certainty::Certain),
    ("human", "person", Certainty::Certain),
    ("person sitting", "person", Certainty::Certain),
    ("rider", "person", Certainty::Likely),
    ("man", "person", Certainty::Certain),
    ("woman", "person", Certainty::Certain),
    ("boy", "person", Certainty::Certain),
    ("girl", "person", Certainty::Certain),
    ("child", "person", Certainty::Certain),
    ("trafficlight", "traffic light", Certainty::Certain),
    ("traffic signal", "traffic light", Certainty::Likely),
    ("traffic light red", "traffic light", Certainty::Certain),
    ("traffic light green", "traffic light", Certainty::Certain),
    ("traffic light yellow", "traffic light", Certainty::Certain),
    ("red light", "traffic light", Certainty::Likely),
    ("green light", "traffic light", Certainty::Likely),
    ("yellow light", "traffic light", Certainty::Likely),
    ("trafficsign", "traffic sign", Certainty::Certain),
    ("traffic sign front", "traffic sign", Certainty::Certain),
    ("road sign", "traffic sign", Certainty::Certain),
    ("stop sign", "traffic sign", Certainty::Certain),
    ("speed limit", "traffic sign", Certainty::Likely),
    ("sign", "traffic sign", Certainty::Likely),
];

/// Places of classes by which the usual list of COCO's 80 is known, whatever the others are called.
const COCO_80: [(usize, &str); 10] = [
    (0, "person"),
    (1, "bicycle"),
    (2, "car"),
    (3, "motorcycle"),
    (5, "bus"),
    (6, "train"),
    (7, "truck"),
    (9, "traffic light"),
    (11, "stop sign"),
    (79, "toothbrush"),
];

/// Most names of a file of labels.
const NAMES_MAX: usize = 10_000;

/// What a class of the network is on the road.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mapped {
    /// The class.
    pub class: String,
    /// The label.
    pub label: &'static str,
    /// How sure that is.
    pub certainty: Certainty,
}

/// The label of a class; `None` where it is nothing on the road.
///
/// ```
/// use foretell_vehicle::adapt::{Certainty, label_of};
/// assert_eq!(label_of("Traffic_Light"), Some(("traffic light", Certainty::Certain)));
/// assert_eq!(label_of("rider"), Some(("person", Certainty::Likely)));
/// assert_eq!(label_of("banana"), None);
/// ```
pub fn label_of(class: &str) -> Option<(&'static str, Certainty)> {
    let words: Vec<String> = class
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let name = words.join(" ");
    let plain = LABELS.into_iter().find(|label| *label == name || format!("{label}s") == name);
    plain.map(|label| (label, Certainty::Certain)).or_else(|| {
        let found = SYNONYMS.iter().find(|(known, ..)| *known == name);
        found.map(|(_, label, certainty)| (*label, *certainty))
    })
}

/// The classes that have a label, in their order.
pub fn map(classes: &[String]) -> Vec<Mapped> {
    let mapped = classes.iter().filter_map(|class| {
        let (label, certainty) = label_of(class)?;
        Some(Mapped { class: class.clone(), label, certainty })
    });
    // The same name twice is one entry of the map.
    let mut unique: Vec<Mapped> = Vec::new();
    for one in mapped {
        if unique.iter().all(|known| known.class != one.class) {
            unique.push(one);
        }
    }
    unique
}

/// Whether these are COCO's 80 classes in their usual order, as far as it matters on the road.
pub(super) fn are_coco(classes: &[String]) -> bool {
    classes.len() == 80 && COCO_80.iter().all(|(place, name)| classes[*place] == *name)
}

/// Names of the lists that a network of so many classes probably has, and the classes of the list which matter on the road.
pub(super) fn usual(classes: usize) -> Option<(&'static str, &'static str, Vec<String>)> {
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let coco = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "stop sign"];
    let voc = ["bicycle", "bus", "car", "motorbike", "person"];
    match classes {
        80 => Some(("coco-80", "COCO", of(&coco))),
        91 => Some(("coco-91", "COCO with its own numbers, the background first", of(&coco))),
        20 => Some(("voc-20", "PASCAL VOC", of(&voc))),
        21 => Some(("voc-21", "PASCAL VOC, the background first", of(&voc))),
        _ => None,
    }
}

/// The names in the text of a file of labels: one a line, in order; empty lines at the end don't count.
pub(super) fn of_lines(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    if names.len() > NAMES_MAX {
        return Err(format!("expected at most {NAMES_MAX} names, one a line, found {}", names.len()));
    }
    match names.iter().position(String::is_empty) {
        Some(line) => Err(format!("expected a name in each line, found none in line {}", line + 1)),
        None => Ok(names),
    }
}

/// The names in the words of Ultralytics' exporter, `{0: 'person', 1: 'bicycle'}`; `None` if they are none of these.
///
/// ```
/// use foretell_vehicle::adapt::names_of_dictionary;
/// assert_eq!(names_of_dictionary(r#"{0: 'car', 1: "driver's cab"}"#).unwrap(), ["car", "driver's cab"]);
/// assert!(names_of_dictionary("{0: 'car', 2: 'bus'}").is_none());
/// ```
pub fn names_of_dictionary(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_once(':')?;
        let number: usize = number.trim().trim_matches(['\'', '"']).parse().ok()?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let mut name = String::new();
        let mut characters = after[1..].char_indices();
        let end = loop {
            match characters.next()? {
                (_, '\\') => name.push(characters.next()?.1),
                (at, character) if character == quote => break at + 2,
                (_, character) => name.push(character),
            }
        };
        if number != names.len() || names.len() == NAMES_MAX {
            return None;
        }
        names.push(name);
        rest = after[end..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(classes: &[&str]) -> Vec<Option<&'static str>> {
        classes.iter().map(|class| label_of(class).map(|(label, _)| label)).collect()
    }

    #[test]
    fn data_sets_are_understood() {
        let kitti =
            ["Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare"];
        let (car, truck, person, bicycle) = (Some("car"), Some("truck"), Some("person"), Some("bicycle"));
        assert_eq!(labels(&kitti), [car, car, truck, person, person, bicycle, None, None, None]);
        let bdd = ["rider", "train", "motor", "bike", "traffic light", "traffic sign"];
        let (light, sign) = (Some("traffic light"), Some("traffic sign"));
        assert_eq!(labels(&bdd), [person, None, Some("motorcycle"), bicycle, light, sign]);
        let open_images = ["Traffic light", "Stop sign", "Woman", "Land vehicle", "Bus"];
        assert_eq!(labels(&open_images), [light, sign, person, None, Some("bus")]);
    }

    #[test]
    fn every_synonym_leads_to_a_label_and_is_found() {
        for (name, label, certainty) in SYNONYMS {
            assert!(LABELS.contains(&label), "{label}");
            assert_eq!(label_of(name), Some((label, certainty)), "{name}");
        }
    }

    #[test]
    fn dictionaries_that_are_none_are_not_read() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            "{0: car}",
            "{1: 'car'}",
            "{0: 'car",
            "{0 'car'}",
            "{a: 'car'}",
            "{0: 'car\\",
        ] {
            assert_eq!(names_of_dictionary(text), None, "{text}");
        }
        assert_eq!(names_of_dictionary("{0:'a',}").unwrap(), ["a"]);
    }

    #[test]
    fn lines_are_names() {
        assert_eq!(of_lines("car\r\n bus \n\n").unwrap(), ["car", "bus"]);
        assert!(of_lines("car\n\nbus").unwrap_err().contains("line 2"));
    }
}
