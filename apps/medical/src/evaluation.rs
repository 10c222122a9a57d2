//! How good predictions of images are, with and without those that a plugin says it does not know.

use std::collections::BTreeMap;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::decisions::DecisionReport;
use foretell_insight::multiclass::MulticlassReport;
use foretell_insight::overlap::{Overlap, OverlapReport, polygon_mask};
use foretell_insight::report::{ClassificationReport, Settings};
use foretell_runtime::manifest::{Manifest, Task};
use foretell_store::record::LabelValue;
use foretell_terminal::Failure;
use serde::Serialize;

use crate::card::Opinion;
use crate::intake::points;

/// What an evaluation is about: one plugin's predictions.
#[derive(Debug, Serialize)]
pub struct Evaluation {
    /// `name@version`; of several versions the latest.
    pub plugin: String,
    /// The runs of the predictions.
    pub runs: Vec<i64>,
    /// Images with a prediction and a label.
    pub images: usize,
    /// Images with a prediction and no label, which can't be evaluated.
    pub unlabelled: usize,
    /// Images with a label that the plugin has no class for, and how many have it.
    pub other_labels: BTreeMap<String, usize>,
    /// Images that were set aside instead of predicted.
    pub refused: usize,
    /// Images that are unlike those of the training, as the plugin says; null if it does not say that.
    pub unfamiliar: Option<usize>,
    /// Their share of all images.
    pub unfamiliar_share: Option<f64>,
    /// The figures for all images.
    pub all: Figures,
    /// The figures without those images that are unfamiliar; null where there are none, or no others.
    pub familiar: Option<Figures>,
}

/// Figures, by what is predicted.
#[derive(Debug, Serialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Figures {
    /// One of two classes.
    BinaryClassification {
        /// The class that a high score means.
        positive: String,
        /// The scores.
        classification: Box<ClassificationReport>,
        /// The decisions at the manifest's threshold.
        decisions: DecisionReport,
    },
    /// One of several classes.
    MulticlassClassification(MulticlassReport),
    /// An outline.
    Segmentation(OverlapReport),
}

/// Images to be evaluated: what was predicted, and what they show.
#[derive(Debug, Default)]
pub struct Rows {
    labelled: Vec<Row>,
    unlabelled: usize,
    other_labels: BTreeMap<String, usize>,
    /// Images that were set aside.
    pub refused: usize,
}

#[derive(Debug)]
struct Row {
    is_unfamiliar: Option<bool>,
    compared: Compared,
}

#[derive(Debug)]
enum Compared {
    Binary { score: f64, is_positive: bool },
    Multiclass { scores: Vec<f64>, class: usize },
    Masks(Overlap),
}

impl Rows {
    /// Adds an image: what was predicted, and the label that says what is true.
    ///
    /// # Errors
    /// An outline that is none.
    pub fn add(
        &mut self,
        manifest: &Manifest,
        opinion: &Opinion,
        label: Option<&LabelValue>,
        record: i64,
    ) -> Result<(), Failure> {
        let label = match label {
            None => {
                self.unlabelled += 1;
                return Ok(());
            }
            Some(LabelValue::Text(text)) => text.clone(),
            Some(LabelValue::Bool(value)) => value.to_string(),
            Some(LabelValue::Number(value)) => value.to_string(),
        };
        let class = manifest.output.labels.iter().position(|known| *known == label);
        let compared = match (manifest.plugin.task, class) {
            (Task::Segmentation, _) => Some(Compared::Masks(overlap(opinion, &label, record)?)),
            (_, None) => None,
            (Task::BinaryClassification, Some(_)) => opinion
                .scores
                .first()
                .map(|(positive, score)| Compared::Binary { score: *score, is_positive: label == *positive }),
            (_, Some(class)) => {
                let scores = opinion.scores.iter().map(|(_, score)| *score).collect();
                Some(Compared::Multiclass { scores, class })
            }
        };
        match compared {
            Some(compared) => {
                let is_unfamiliar = opinion.novelty.map(|novelty| novelty.is_unfamiliar);
                self.labelled.push(Row { is_unfamiliar, compared });
            }
            None => *self.other_labels.entry(label).or_default() += 1,
        }
        Ok(())
    }

    /// How many images can be evaluated.
    pub fn len(&self) -> usize {
        self.labelled.len()
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.labelled.is_empty()
    }

    /// How many images have a prediction and no label.
    pub fn unlabelled(&self) -> usize {
        self.unlabelled
    }

    /// Evaluates all images, then those that are familiar. There must be one.
    ///
    /// # Errors
    /// Settings of the intervals outside their range.
    pub fn evaluate(
        self,
        manifest: &Manifest,
        runs: Vec<i64>,
        bootstrap: Option<Bootstrap>,
    ) -> Result<Evaluation, Failure> {
        let says_novelty = manifest.output.novelty.is_some();
        let unfamiliar = self.labelled.iter().filter(|row| row.is_unfamiliar == Some(true)).count();
        let all: Vec<&Row> = self.labelled.iter().collect();
        let familiar: Vec<&Row> = all.iter().copied().filter(|row| row.is_unfamiliar != Some(true)).collect();
        let is_worth_it = unfamiliar > 0 && !familiar.is_empty();
        Ok(Evaluation {
            plugin: format!("{}@{}", manifest.plugin.name, manifest.plugin.version),
            runs,
            images: all.len(),
            unlabelled: self.unlabelled,
            other_labels: self.other_labels,
            refused: self.refused,
            unfamiliar: says_novelty.then_some(unfamiliar),
            unfamiliar_share: says_novelty.then(|| unfamiliar as f64 / all.len().max(1) as f64),
            all: figures(manifest, &all, bootstrap)?,
            familiar: is_worth_it.then(|| figures(manifest, &familiar, bootstrap)).transpose()?,
        })
    }
}

fn overlap(opinion: &Opinion, outline: &str, record: i64) -> Result<Overlap, Failure> {
    let Some(mask) = &opinion.mask else { return Ok(Overlap::default()) };
    let corners = points(outline).map_err(|reason| {
        Failure::words(format!("the label `outline` of record {record} is none: {reason}"))
    })?;
    let drawn = polygon_mask(&corners, mask.width, mask.height);
    // The first class is the background.
    let found: Vec<bool> = mask.classes.iter().map(|class| *class > 0).collect();
    Ok(Overlap::of(&found, &drawn))
}

fn figures(manifest: &Manifest, rows: &[&Row], bootstrap: Option<Bootstrap>) -> Result<Figures, Failure> {
    match manifest.plugin.task {
        Task::Segmentation => {
            let overlaps = rows.iter().filter_map(|row| match row.compared {
                Compared::Masks(overlap) => Some(overlap),
                _ => None,
            });
            let report = OverlapReport::new(&overlaps.collect::<Vec<_>>(), bootstrap.as_ref());
            report.map(Figures::Segmentation).map_err(|error| Failure::new(&error))
        }
        Task::MulticlassClassification => {
            let (mut all, mut truths) = (Vec::new(), Vec::new());
            for row in rows {
                if let Compared::Multiclass { scores, class } = &row.compared {
                    all.extend(scores);
                    truths.push(*class);
                }
            }
            let report = MulticlassReport::new(&manifest.output.labels, &all, &truths, bootstrap.as_ref());
            report.map(Figures::MulticlassClassification).map_err(|error| Failure::new(&error))
        }
        _ => {
            let (scores, labels): (Vec<f64>, Vec<bool>) = rows
                .iter()
                .filter_map(|row| match row.compared {
                    Compared::Binary { score, is_positive } => Some((score, is_positive)),
                    _ => None,
                })
                .unzip();
            let (positive, threshold) = manifest.decision().ok_or_else(|| {
                Failure::words(format!(
                    "plugin `{}` does not say which classes an image has",
                    manifest.plugin.name
                ))
            })?;
            let settings = Settings { thresholds: vec![threshold], bootstrap, ..Settings::default() };
            let classification = ClassificationReport::new(&scores, &labels, &settings);
            let classification = classification.map_err(|error| Failure::new(&error))?;
            let decisions = DecisionReport::new(&scores, &labels, threshold, bootstrap.as_ref());
            Ok(Figures::BinaryClassification {
                positive: positive.to_owned(),
                classification: Box::new(classification),
                decisions: decisions.map_err(|error| Failure::new(&error))?,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::card::Novelty;

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text, Path::new("plugin.toml")).unwrap()
    }

    fn text(text: &str) -> LabelValue {
        LabelValue::Text(text.to_owned())
    }

    #[test]
    fn what_is_unfamiliar_is_counted_and_left_out_of_the_second_figures() {
        let chest = manifest(include_str!("../../../plugins/medical/chest-xray/plugin.toml"));
        let opinion = |score, is_unfamiliar| Opinion {
            scores: vec![("pneumonia".to_owned(), score)],
            novelty: Some(Novelty { distance: 1.0, limit: 2.0, is_unfamiliar }),
            ..Opinion::default()
        };
        let mut rows = Rows::default();
        for (score, is_unfamiliar, label) in [
            (1.0, false, Some("pneumonia")),
            (0.0, false, Some("normal")),
            (1.0, true, Some("normal")),
            (0.0, true, Some("pneumonia")),
            (0.5, false, Some("glioma")),
            (0.5, false, None),
        ] {
            rows.add(&chest, &opinion(score, is_unfamiliar), label.map(text).as_ref(), 1).unwrap();
        }
        let evaluation = rows.evaluate(&chest, vec![7], None).unwrap();
        assert_eq!((evaluation.images, evaluation.unlabelled, evaluation.unfamiliar), (4, 1, Some(2)));
        assert_eq!(evaluation.other_labels, BTreeMap::from([("glioma".to_owned(), 1)]));
        let area = |figures: &Figures| match figures {
            Figures::BinaryClassification { classification, decisions, .. } => {
                (classification.roc_auc.unwrap().value, decisions.accuracy.unwrap().value)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(area(&evaluation.all), (0.5, 0.5));
        assert_eq!(area(&evaluation.familiar.unwrap()), (1.0, 1.0));
    }

    #[test]
    fn masks_are_compared_with_what_was_drawn() {
        let outline = manifest(include_str!("../../../plugins/medical/brain-outline/plugin.toml"));
        let mask = crate::card::Mask {
            height: 2,
            width: 4,
            classes: vec![1, 1, 1, 0, 1, 1, 1, 0],
            labels: outline.output.labels.clone(),
        };
        let opinion = Opinion { mask: Some(mask), ..Opinion::default() };
        let mut rows = Rows::default();
        rows.add(&outline, &opinion, Some(&text("[[0,0],[0.5,0],[0.5,1],[0,1]]")), 1).unwrap();
        let failure = rows.add(&outline, &opinion, Some(&text("round")), 2).unwrap_err();
        assert!(failure.to_string().contains("record 2"), "{failure}");
        let Figures::Segmentation(report) = rows.evaluate(&outline, vec![], None).unwrap().all else {
            panic!("masks were compared")
        };
        assert_eq!(report.dice.unwrap().value, 2.0 * 4.0 / (6.0 + 4.0));
    }
}
