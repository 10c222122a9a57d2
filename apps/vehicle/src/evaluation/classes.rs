//! Which label of a plugin each class of a truth has.

use serde::Serialize;

use crate::adapt::label_of;
use crate::coco::Truth;

/// Classes of a truth and labels of a plugin, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Classes that have a label, in the order of the truth.
    pub mapped: Vec<MappedClass>,
    /// Classes that have none: what was drawn of them does not count.
    pub left_out: Vec<LeftOut>,
    /// Labels of the plugin of which the truth has no class: what was found of them does not count.
    pub not_in_truth: Vec<String>,
    /// Labels that count, in the order of the plugin.
    labels: Vec<String>,
    /// For each class, the place of its label among those.
    places: Vec<Option<u32>>,
}

/// A class of the truth that has a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MappedClass {
    /// What the truth calls it.
    pub class: String,
    /// What the plugin calls it.
    pub label: String,
}

/// A class of the truth that has no label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// What the truth calls it.
    pub class: String,
    /// How many boxes of it there are.
    pub boxes: usize,
}

/// Why classes can't be compared with labels.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassesError {
    /// A class was named that the truth does not have.
    #[error("the truth has no class `{class}`; it has {}", known.join(", "))]
    UnknownClass {
        /// What was named.
        class: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A label was named that the plugin does not have.
    #[error("the plugin has no label `{label}`; it has {}", known.join(", "))]
    UnknownLabel {
        /// What was named.
        label: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No class has a label.
    #[error("no class of the truth is a label of the plugin: {} on one side, {} on the other", classes.join(", "), labels.join(", "))]
    Nothing {
        /// The classes of the truth.
        classes: Vec<String>,
        /// The labels of the plugin.
        labels: Vec<String>,
    },
}

impl Classes {
    /// Finds the label of each class: the one that was `named` for it, the label of the same name, or the one that data sets mean by
    /// the class's name, such as `motorcycle` by `motorbike` ([`label_of`]).
    ///
    /// # Errors
    /// [`ClassesError`].
    pub fn new(
        truth: &Truth,
        labels: &[String],
        named: &[(String, String)],
    ) -> Result<Classes, ClassesError> {
        for (class, label) in named {
            if !truth.classes.contains(class) {
                return Err(ClassesError::UnknownClass {
                    class: class.clone(),
                    known: truth.classes.clone(),
                });
            }
            if !labels.contains(label) {
                return Err(ClassesError::UnknownLabel { label: label.clone(), known: labels.to_vec() });
            }
        }
        let found: Vec<Option<&String>> = truth
            .classes
            .iter()
            .map(|class| {
                let named =
                    named.iter().rev().find(|(theirs, _)| theirs == class).map(|(_, ours)| ours.as_str());
                let label = named
                    .or_else(|| labels.contains(class).then_some(class.as_str()))
                    .or_else(|| label_of(class).map(|(label, _)| label))?;
                labels.iter().find(|known| *known == label)
            })
            .collect();
        let counted: Vec<String> =
            labels.iter().filter(|label| found.contains(&Some(label))).cloned().collect();
        if counted.is_empty() {
            return Err(ClassesError::Nothing { classes: truth.classes.clone(), labels: labels.to_vec() });
        }
        let place =
            |label: &String| counted.iter().position(|known| known == label).map(|place| place as u32);
        let places = found.iter().map(|label| label.and_then(place)).collect();
        let mut mapped = Vec::new();
        let mut left_out = Vec::new();
        for (at, (class, label)) in truth.classes.iter().zip(&found).enumerate() {
            match label {
                Some(label) => mapped.push(MappedClass { class: class.clone(), label: (*label).clone() }),
                None => {
                    let boxes = truth.boxes.iter().filter(|drawn| drawn.class == at).count();
                    left_out.push(LeftOut { class: class.clone(), boxes });
                }
            }
        }
        let not_in_truth = labels.iter().filter(|label| !counted.contains(label)).cloned().collect();
        Ok(Classes { mapped, left_out, not_in_truth, labels: counted, places })
    }

    /// Labels that count, in the order of the plugin.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The place, among the labels that count, of a class of the truth.
    pub fn label_of(&self, class: usize) -> Option<u32> {
        self.places.get(class).copied().flatten()
    }

    /// The place, among the labels that count, of a label of the plugin.
    pub fn place_of(&self, label: &str) -> Option<u32> {
        self.labels.iter().position(|known| known == label).map(|place| place as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(theirs: &[&str], ours: &[&str], named: &[(&str, &str)]) -> Result<Classes, ClassesError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let truth = Truth { classes: owned(theirs), ..Truth::default() };
        let named: Vec<_> = named.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Classes::new(&truth, &owned(ours), &named)
    }

    #[test]
    fn names_are_understood() {
        let ours =
            ["car", "truck", "bus", "motorcycle", "bicycle", "person", "traffic light", "traffic sign"];
        for (theirs, expected) in [
            (
                &["bus", "car", "motorbike", "person", "truck"][..],
                &["bus", "car", "motorcycle", "person", "truck"][..],
            ),
            (
                &["vehicle", "bike", "motobike", "traffic_light", "traffic_sign"],
                &["car", "bicycle", "motorcycle", "traffic light", "traffic sign"],
            ),
        ] {
            let found = classes(theirs, &ours, &[]).unwrap();
            let labels: Vec<&str> = found.mapped.iter().map(|mapped| mapped.label.as_str()).collect();
            assert_eq!(labels, expected);
            assert_eq!(found.left_out, []);
            assert_eq!(found.labels().len() + found.not_in_truth.len(), ours.len());
        }
    }

    #[test]
    fn what_was_named_comes_first() {
        let found =
            classes(&["tram", "bus", "zebra"], &["car", "bus"], &[("tram", "bus"), ("bus", "car")]).unwrap();
        assert_eq!((found.label_of(0), found.label_of(1), found.label_of(2)), (Some(1), Some(0), None));
        assert_eq!(found.left_out, [LeftOut { class: "zebra".to_owned(), boxes: 0 }]);
        assert_eq!((found.place_of("bus"), found.place_of("tram")), (Some(1), None));
        // Labels of another plugin are taken as they are.
        assert_eq!(classes(&["tram"], &["tram"], &[]).unwrap().labels(), ["tram"]);
    }

    #[test]
    fn names_that_are_none_are_told() {
        for (theirs, named, words) in [
            ("tram", ("bus", "car"), "no class `bus`; it has tram"),
            ("tram", ("tram", "bus"), "no label `bus`; it has car"),
        ] {
            assert!(classes(&[theirs], &["car"], &[named]).unwrap_err().to_string().contains(words));
        }
        assert!(matches!(classes(&["tram"], &["car"], &[]), Err(ClassesError::Nothing { .. })));
    }
}
