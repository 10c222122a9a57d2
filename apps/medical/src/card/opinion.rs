//! A prediction, as it is stored, read for people.

use foretell_runtime::manifest::{Manifest, NOVELTY, Task, UNFAMILIAR};
use foretell_runtime::plugin::Plugin;
use foretell_store::lineage::Run;
use serde_json::Value;

use super::{Mask, Novelty, Opinion};

impl Opinion {
    /// Reads what `foretell_jobs::Predicted` says in its score, label and output. Who said it is left open: see
    /// [`Opinion::of_run`] and [`Opinion::of_plugin`].
    ///
    /// # Errors
    /// What is missing in it, as in "has no score": the manifest promises it.
    pub fn read(
        manifest: &Manifest,
        score: Option<f64>,
        label: Option<&str>,
        output: Option<&str>,
    ) -> Result<Opinion, String> {
        let mut opinion = Opinion { decision: label.map(str::to_owned), ..Opinion::default() };
        let labels = &manifest.output.labels;
        if manifest.plugin.task == Task::Segmentation {
            let mask = Mask::read(output.ok_or("has no mask")?, labels)
                .map_err(|error| format!("has no mask: {error}"))?;
            return Ok(Opinion { mask: Some(mask), ..opinion });
        }
        let said = output.map(serde_json::from_str::<Value>).transpose();
        let said = said.map_err(|_| "has an output that is no JSON")?.unwrap_or_default();
        match manifest.plugin.task {
            Task::BinaryClassification => {
                let (positive, threshold) = manifest.decision().ok_or("has no positive class")?;
                opinion.scores = vec![(positive.to_owned(), score.ok_or("has no score")?)];
                opinion.threshold = Some(threshold);
            }
            Task::MulticlassClassification => {
                let score = |label: &String| {
                    let score = said.get(label).and_then(Value::as_f64);
                    score
                        .map(|score| (label.clone(), score))
                        .ok_or_else(|| format!("has no score for `{label}`"))
                };
                opinion.scores = labels.iter().map(score).collect::<Result<_, _>>()?;
            }
            _ => (),
        }
        if let Some(novelty) = &manifest.output.novelty {
            let distance =
                said.get(NOVELTY).and_then(Value::as_f64).ok_or("does not say how familiar the image is")?;
            let is_unfamiliar = said.get(UNFAMILIAR).and_then(Value::as_bool);
            let is_unfamiliar = is_unfamiliar.ok_or("does not say whether the image is familiar")?;
            opinion.novelty = Some(Novelty { distance, limit: novelty.threshold, is_unfamiliar });
        }
        Ok(opinion)
    }

    /// Says who said it, and where it is stored.
    #[must_use]
    pub fn of_run(self, run: &Run) -> Opinion {
        let models = run.models.iter().map(|model| (model.name.clone(), model.hash.clone())).collect();
        let plugin = format!("{}@{}", run.plugin.name, run.plugin.version);
        Opinion { plugin, models, run: Some(run.id), ..self }
    }

    /// Says who said it, of what is not stored.
    #[must_use]
    pub fn of_plugin(self, plugin: &Plugin) -> Opinion {
        let models = plugin.verified().models().iter();
        let models = models.map(|model| (model.name.clone(), model.hash.to_string())).collect();
        Opinion { plugin: plugin.name(), models, run: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest(task: &str, output: &str) -> Manifest {
        let text = format!(
            "schema = 1\n[plugin]\nname = \"films\"\nversion = \"1.0.0\"\ndescription = \"a test\"\nlicense = \"MIT\"\n\
             authors = [\"us\"]\ndomain = \"medical\"\ntask = \"{task}\"\nabi = \"1.0\"\nlibrary = \"films\"\n\
             [[input]]\nname = \"image\"\ntype = \"image\"\n[output]\n{output}"
        );
        Manifest::parse(&text, Path::new("plugin.toml")).unwrap()
    }

    #[test]
    fn a_score_of_two_classes_is_that_of_the_positive_one() {
        let manifest = manifest(
            "binary-classification",
            "labels = [\"normal\", \"pneumonia\"]\npositive = \"pneumonia\"\nthreshold = 0.6\n[output.novelty]\nthreshold = 9.5",
        );
        let output = r#"{"novelty":9.5,"unfamiliar":true}"#;
        let opinion = Opinion::read(&manifest, Some(0.25), Some("normal"), Some(output)).unwrap();
        assert_eq!(opinion.scores, [("pneumonia".to_owned(), 0.25)]);
        assert_eq!((opinion.decision.as_deref(), opinion.threshold), (Some("normal"), Some(0.6)));
        assert_eq!(opinion.novelty, Some(Novelty { distance: 9.5, limit: 9.5, is_unfamiliar: true }));
        assert_eq!(opinion.leading(), Some(("pneumonia", 0.25)));
        assert!(opinion.is_unfamiliar());
        let reason = |score, output| Opinion::read(&manifest, score, None, output).unwrap_err();
        assert_eq!(reason(None, Some(output)), "has no score");
        assert_eq!(reason(Some(0.5), None), "does not say how familiar the image is");
        assert_eq!(reason(Some(0.5), Some(r#"{"novelty":1}"#)), "does not say whether the image is familiar");
        assert_eq!(reason(Some(0.5), Some("{")), "has an output that is no JSON");
    }

    #[test]
    fn scores_of_several_classes_stand_in_the_order_of_the_manifest() {
        let manifest = manifest("multiclass-classification", "labels = [\"b\", \"a\", \"c\"]");
        let output = r#"{"a":0.75,"b":0.25,"c":0}"#;
        let opinion = Opinion::read(&manifest, Some(0.75), Some("a"), Some(output)).unwrap();
        let scores = [("b", 0.25), ("a", 0.75), ("c", 0.0)].map(|(label, score)| (label.to_owned(), score));
        assert_eq!(opinion.scores, scores);
        assert_eq!((opinion.leading(), opinion.threshold, opinion.novelty), (Some(("a", 0.75)), None, None));
        let reason =
            Opinion::read(&manifest, Some(0.75), Some("a"), Some(r#"{"a":0.75,"b":0.25}"#)).unwrap_err();
        assert_eq!(reason, "has no score for `c`");
    }

    #[test]
    fn a_mask_is_read_or_told_to_be_none() {
        let manifest = manifest("segmentation", "labels = [\"background\", \"tumor\"]");
        let read = |output| Opinion::read(&manifest, None, None, output);
        let mask = read(Some(r#"{"height":1,"width":2,"classes":[[0,1],[1,1]]}"#)).unwrap().mask.unwrap();
        assert_eq!(mask.classes, [0, 1]);
        assert_eq!(read(None).unwrap_err(), "has no mask");
        assert!(read(Some("{}")).unwrap_err().contains("cannot be read"));
    }
}
