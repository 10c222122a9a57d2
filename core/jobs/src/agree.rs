//! Whether a prediction that was made again says what the stored one says.

use foretell_runtime::manifest::{Manifest, Task};
use foretell_store::prediction::Prediction;
use serde::Deserialize;
use serde_json::Value;

use crate::outcome::Predicted;
use crate::verify::Repeated;

/// Compares a stored prediction with one that was made again.
pub(crate) struct Agreement {
    tolerance: f64,
    /// The largest difference of two numbers so far.
    pub(crate) largest: f64,
}

/// An item of a ranking.
#[derive(Deserialize)]
struct Ranked {
    item: String,
    score: f64,
    reason: Option<String>,
}

impl Agreement {
    pub(crate) fn new(tolerance: f64) -> Self {
        Self { tolerance, largest: 0.0 }
    }

    /// What differs first, if anything does by more than the tolerance.
    ///
    /// Items of a ranking whose scores are within the tolerance of each other may stand in any order, and at its end in each
    /// other's place: a network adds in another order in another batch. For the same reason, a label may be another one where that
    /// is what so small a difference of scores comes to.
    pub(crate) fn difference(
        &mut self,
        manifest: &Manifest,
        stored: &Prediction,
        repeated: &Predicted,
    ) -> Option<Repeated> {
        let equal = match (stored.score, repeated.score) {
            (Some(stored), Some(repeated)) => self.near(stored, repeated),
            (stored, repeated) => {
                if stored.is_some() != repeated.is_some() {
                    self.largest = f64::INFINITY;
                }
                stored == repeated
            }
        };
        if !equal {
            return Some(Repeated::Score(repeated.score));
        }
        if manifest.plugin.task == Task::Ranking {
            let ranking =
                |output: &Option<String>| serde_json::from_str::<Vec<Ranked>>(output.as_deref()?).ok();
            let (old, new) = (ranking(&stored.output), ranking(&repeated.output));
            return match (old, new) {
                (Some(old), Some(new)) => self.rankings(&old, &new).map(Repeated::Output),
                _ => Some(Repeated::Output("one of them is no ranking".to_owned())),
            };
        }
        let parse =
            |output: &Option<String>| -> Option<Value> { serde_json::from_str(output.as_deref()?).ok() };
        if stored.label != repeated.label {
            let is_near = match manifest.plugin.task {
                Task::BinaryClassification => {
                    let decided = stored.score.and_then(|score| manifest.decide(score as f32));
                    stored.label.as_deref() == decided
                }
                Task::MulticlassClassification => {
                    let scores = parse(&stored.output);
                    let label = repeated.label.as_deref().unwrap_or_default();
                    let score = scores.as_ref().and_then(|scores| scores.get(label)?.as_f64());
                    score.zip(stored.score).is_some_and(|(one, best)| best - one <= self.tolerance)
                }
                _ => false,
            };
            if !is_near {
                return Some(Repeated::Label(repeated.label.clone()));
            }
        }
        match (&stored.output, &repeated.output) {
            (None, None) => None,
            (old, new) => self.values(&parse(old), &parse(new), &mut String::new()).map(Repeated::Output),
        }
    }

    fn near(&mut self, old: f64, new: f64) -> bool {
        let difference = (old - new).abs();
        self.largest = self.largest.max(difference);
        difference <= self.tolerance
    }

    fn rankings(&mut self, old: &[Ranked], new: &[Ranked]) -> Option<String> {
        if old.len() != new.len() {
            return Some(format!("{} items, now {}", old.len(), new.len()));
        }
        for (place, (before, now)) in old.iter().zip(new).enumerate() {
            let number = place + 1;
            if !self.near(before.score, now.score) {
                return Some(format!(
                    "the score of number {number} was {}, and is {}",
                    before.score, now.score
                ));
            }
            let moved = match before.item == now.item {
                true => Some(now),
                false => new.iter().find(|one| one.item == before.item),
            };
            let stays = match moved {
                Some(moved) => (before.score - moved.score).abs() <= self.tolerance,
                // Another item can push it off the end only if the scores there are not quite the same as they were.
                None => new.last().is_some_and(|last| {
                    before.score != last.score && (before.score - last.score).abs() <= self.tolerance
                }),
            };
            if !stays {
                return Some(format!("number {number} was `{}`, and is `{}`", before.item, now.item));
            }
            if let Some(moved) = moved.filter(|moved| moved.reason != before.reason) {
                let words = |reason: &Option<String>| reason.as_deref().unwrap_or("none").to_owned();
                let (was, is) = (words(&before.reason), words(&moved.reason));
                return Some(format!("the reason of `{}` was `{was}`, and is `{is}`", before.item));
            }
        }
        None
    }

    /// The first difference of two JSON values; `path` is where they stand.
    fn values<'v>(
        &mut self,
        old: impl Into<Option<&'v Value>>,
        new: impl Into<Option<&'v Value>>,
        path: &mut String,
    ) -> Option<String> {
        let (old, new) = (old.into(), new.into());
        match (old, new) {
            (Some(Value::Number(before)), Some(Value::Number(now))) => {
                let (before, now) = (before.as_f64()?, now.as_f64()?);
                (!self.near(before, now)).then(|| format!("`{path}` was {before}, and is {now}"))
            }
            (Some(Value::Array(before)), Some(Value::Array(now))) if before.len() == now.len() => {
                let pairs = before.iter().zip(now).enumerate();
                self.first(
                    pairs.map(|(place, (before, now))| (place.to_string(), Some(before), Some(now))),
                    path,
                )
            }
            (Some(Value::Object(before)), Some(Value::Object(now))) => {
                let gone = before.iter().map(|(key, value)| (key.clone(), Some(value), now.get(key)));
                let came = now.iter().filter(|(key, _)| !before.contains_key(*key));
                self.first(gone.chain(came.map(|(key, value)| (key.clone(), None, Some(value)))), path)
            }
            (old, new) if old == new => None,
            (old, new) => {
                let words = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                Some(format!("`{path}` was {}, and is {}", words(old), words(new)))
            }
        }
    }

    fn first<'v>(
        &mut self,
        pairs: impl Iterator<Item = (String, Option<&'v Value>, Option<&'v Value>)>,
        path: &mut String,
    ) -> Option<String> {
        let length = path.len();
        for (key, old, new) in pairs {
            path.push('/');
            path.push_str(&key);
            let difference = self.values(old, new, path);
            path.truncate(length);
            if difference.is_some() {
                return difference;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::manifest;

    fn stored(score: f64, label: &str, output: Option<&str>) -> Prediction {
        let (label, output) = (Some(label.to_owned()), output.map(str::to_owned));
        Prediction { run_id: 1, record_id: 1, score: Some(score), label, output }
    }

    fn repeated(score: f64, label: &str, output: Option<&str>) -> Predicted {
        let Prediction { score, label, output, .. } = stored(score, label, output);
        Predicted { score, label, output }
    }

    /// What differs of two outputs of a task.
    fn difference(task: &str, old: &str, new: &str) -> Option<String> {
        let (old, new) = (stored(0.5, "a", Some(old)), repeated(0.5, "a", Some(new)));
        match Agreement::new(1e-3).difference(&manifest(task, &[]), &old, &new)? {
            Repeated::Output(words) => Some(words),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_label_may_change_where_scores_are_near_what_decides() {
        let differs = |manifest: &Manifest, old: &Prediction, new: &Predicted| {
            Agreement::new(1e-3).difference(manifest, old, new)
        };
        let binary = manifest("binary-classification", &["no", "yes"]);
        let now = repeated(0.5001, "yes", None);
        assert_eq!(differs(&binary, &stored(0.4999, "no", None), &now), None);
        let wrong = differs(&binary, &stored(0.5, "no", None), &now);
        assert_eq!(wrong, Some(Repeated::Label(Some("yes".into()))), "the manifest decides otherwise on 0.5");
        let far = differs(&binary, &stored(0.25, "no", None), &now);
        assert_eq!(far, Some(Repeated::Score(Some(0.5001))));

        let classes = manifest("multiclass-classification", &["cat", "dog"]);
        let old = stored(0.5, "cat", Some(r#"{"cat":0.5,"dog":0.4999}"#));
        let now = repeated(0.5, "dog", Some(r#"{"cat":0.4999,"dog":0.5}"#));
        assert_eq!(differs(&classes, &old, &now), None);
        let old = stored(0.5, "cat", Some(r#"{"cat":0.5,"dog":0.3}"#));
        assert_eq!(differs(&classes, &old, &now), Some(Repeated::Label(Some("dog".into()))));
    }

    #[test]
    fn numbers_may_differ_a_little_and_nothing_else_may() {
        let old = r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.5,"low":0}]"#;
        let cases = [
            (r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.5005,"low":0.0}]"#, None),
            (
                r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.6,"low":0}]"#,
                Some("`/0/value` was 1.5, and is 1.6"),
            ),
            (
                r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.5}]"#,
                Some("`/0/low` was 0, and is nothing"),
            ),
            (
                r#"[{"event_time":"2002-03-01T00:00:00Z","value":1.5,"low":0,"high":2}]"#,
                Some("`/0/high` was nothing, and is 2"),
            ),
        ];
        for (new, expected) in cases {
            assert_eq!(difference("forecast", old, new).as_deref(), expected, "{new}");
        }
        let words = difference("forecast", old, "[]").unwrap();
        assert!(words.starts_with("`` was [{") && words.ends_with(", and is []"), "{words}");
    }

    #[test]
    fn items_of_nearly_the_same_score_may_change_places() {
        let item = |item: &str, score: f64, reason: &str| {
            format!(r#"{{"item":"{item}","score":{score},"reason":"{reason}"}}"#)
        };
        let list = |items: &[String]| format!("[{}]", items.join(","));
        let old = list(&[item("a", 0.9, "r"), item("b", 0.5, "r"), item("c", 0.5, "r"), item("d", 0.2, "r")]);
        let same = [
            list(&[item("a", 0.9, "r"), item("c", 0.5001, "r"), item("b", 0.5, "r"), item("d", 0.2, "r")]),
            list(&[item("a", 0.9, "r"), item("b", 0.5, "r"), item("c", 0.5, "r"), item("e", 0.2001, "r")]),
        ];
        for new in same {
            assert_eq!(difference("ranking", &old, &new), None, "{new}");
        }
        let other = [
            (
                vec![item("b", 0.9, "r"), item("a", 0.5, "r"), item("c", 0.5, "r"), item("d", 0.2, "r")],
                "number 1 was `a`, and is `b`",
            ),
            (
                vec![item("a", 0.9, "r"), item("e", 0.5, "r"), item("c", 0.5, "r"), item("d", 0.2, "r")],
                "number 2 was `b`, and is `e`",
            ),
            (
                vec![item("a", 0.9, "r"), item("b", 0.5, "r"), item("c", 0.5, "s"), item("d", 0.2, "r")],
                "the reason of `c` was `r`, and is `s`",
            ),
            (
                vec![item("a", 0.9, "r"), item("b", 0.5, "r"), item("c", 0.5, "r"), item("d", 0.3, "r")],
                "the score of number 4 was 0.2, and is 0.3",
            ),
            (
                vec![item("a", 0.9, "r"), item("b", 0.5, "r"), item("c", 0.5, "r"), item("e", 0.2, "r")],
                "number 4 was `d`, and is `e`",
            ),
            (vec![item("a", 0.9, "r")], "4 items, now 1"),
        ];
        for (new, expected) in other {
            assert_eq!(difference("ranking", &old, &list(&new)).as_deref(), Some(expected));
        }
        assert_eq!(difference("ranking", "[]", "[]"), None);
    }
}
