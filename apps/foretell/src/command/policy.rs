//! The policy in force, and where each part of it comes from.

use foretell_runtime::home::Home;
use foretell_runtime::policy::{Origin, Policy, Source};
use foretell_terminal::{Output, format_bytes};
use serde::Serialize;

use super::Problem;

/// What is demanded before a plugin runs.
#[derive(Serialize)]
pub(super) struct InForce {
    /// All together; null where a part can't be understood, and nothing is loaded.
    demands: Option<Demands>,
    /// Every place.
    places: Vec<Place>,
}

#[derive(Clone, Serialize)]
struct Demands {
    isolate: bool,
    /// Who must have signed a plugin; null if nobody must have.
    publishers: Option<Vec<String>>,
    memory_bytes_max: Option<u64>,
    call_seconds_max: Option<u64>,
}

#[derive(Serialize)]
struct Place {
    /// `system`, `variable` or `home`.
    place: &'static str,
    path: Option<String>,
    /// `unset`, `missing`, `usable` or `unusable`.
    found: &'static str,
    /// What it demands.
    demands: Option<Demands>,
    /// The place for people.
    #[serde(skip)]
    words: &'static str,
}

impl From<&Policy> for Demands {
    fn from(policy: &Policy) -> Self {
        let publishers = policy.publishers.as_ref();
        Self {
            isolate: policy.isolate,
            publishers: publishers.map(|all| all.iter().map(ToString::to_string).collect()),
            memory_bytes_max: policy.memory_bytes_max,
            call_seconds_max: policy.call_time_max.map(|time| time.as_secs()),
        }
    }
}

impl Demands {
    /// In words, each thing by itself; none if nothing is demanded.
    fn words(&self) -> Vec<String> {
        let publishers = self.publishers.as_ref().map(|all| match all.as_slice() {
            [] => "signed by nobody: no plugin is loaded".to_owned(),
            some => format!("signed by {}", some.join(" or ")),
        });
        let memory = self.memory_bytes_max.map(|bytes| format!("at most {} of memory", format_bytes(bytes)));
        let time = self.call_seconds_max.map(|seconds| format!("at most {seconds} s for a call"));
        let isolate = self.isolate.then(|| "isolated".to_owned());
        [isolate, publishers, memory, time].into_iter().flatten().collect()
    }
}

impl InForce {
    /// Looks at every place, and notes what can't be understood.
    pub(super) fn of(home: &Home, problems: &mut Vec<Problem>) -> Self {
        let sources = Policy::sources(home);
        let mut all = Some(Policy::default());
        for source in &sources {
            match &source.found {
                Ok(found) => all = all.map(|all| all.tighten(found.clone().unwrap_or_default())),
                Err(error) => {
                    all = None;
                    problems.push(Problem {
                        place: "policy".to_owned(),
                        problem: error.to_string(),
                        fix: "correct it, or ask whoever wrote it".to_owned(),
                    });
                }
            }
        }
        Self { demands: all.as_ref().map(Demands::from), places: sources.iter().map(Place::new).collect() }
    }

    pub(super) fn draw(&self, output: Output) {
        output.table(&["place", "path", "demands"], self.places.iter().map(Place::row));
        let words = match &self.demands {
            None => "nothing is loaded".to_owned(),
            Some(demands) => match demands.words().as_slice() {
                [] => "nothing is demanded of plugins".to_owned(),
                some => format!("plugins must be: {}", some.join("; ")),
            },
        };
        output.line(&words);
    }
}

impl Place {
    fn new(source: &Source) -> Self {
        let (place, words) = match source.origin {
            Origin::System => ("system", "the system"),
            Origin::Variable => ("variable", "variable `FORETELL_POLICY`"),
            Origin::Home => ("home", "foretell's home"),
        };
        let found = match (&source.path, &source.found) {
            (None, _) => "unset",
            (_, Ok(None)) => "missing",
            (_, Ok(Some(_))) => "usable",
            (_, Err(_)) => "unusable",
        };
        let demands = source.found.as_ref().ok().and_then(Option::as_ref).map(Demands::from);
        let path = source.path.as_ref().map(|path| path.display().to_string());
        Self { place, path, found, demands, words }
    }

    fn row(&self) -> Vec<String> {
        let demands = match (&self.demands, self.found) {
            (Some(demands), _) if demands.words().is_empty() => "nothing".to_owned(),
            (Some(demands), _) => demands.words().join("; "),
            (None, "unset") => "not set".to_owned(),
            (None, "missing") => "no file".to_owned(),
            (None, _) => "not understood".to_owned(),
        };
        vec![self.words.to_owned(), self.path.clone().unwrap_or_default(), demands]
    }
}
