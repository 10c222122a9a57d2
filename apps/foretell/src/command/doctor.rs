//! `foretell doctor`: what is found, place by place, and what is wrong.

use std::error::Error;
use std::path::Path;

use foretell_runtime::isolation::{self, Support};
use foretell_runtime::onnx::{self, API_VERSION, Finding, LIBRARY_VARIABLE, Origin, Runtime, Search, locate};
use foretell_store::maintenance::Stats;
use foretell_store::open::{OpenErrorKind, Store, schema_version};
use foretell_terminal::{Failure, Output, Place, exit, format_bytes, format_count};
use serde::Serialize;

use super::policy::InForce;
use super::trust::Listed;
use super::{Problem, plugin};

#[derive(Serialize)]
struct Document {
    version: &'static str,
    home: String,
    onnxruntime: OnnxRuntime,
    /// What this system can take away from an isolated plugin.
    isolation: Support,
    policy: InForce,
    plugins: Vec<Listed>,
    database: Database,
    /// What is wrong with any of it.
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct OnnxRuntime {
    /// The library that is used; null if there is none.
    library: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Every place, in the order in which they count.
    places: Vec<SearchedPlace>,
}

#[derive(Serialize)]
struct SearchedPlace {
    /// `variable`, `option`, `program`, `home` or `system`.
    place: &'static str,
    path: Option<String>,
    /// `unset`, `missing`, `usable`, `unusable` or `not_tried`.
    found: &'static str,
    version: Option<String>,
    /// Why it can't be used.
    reason: Option<String>,
    /// Place and finding for people.
    #[serde(skip)]
    words: (&'static str, String),
}

#[derive(Serialize)]
struct Database {
    path: String,
    state: State,
    writable: bool,
    /// Version of its schema.
    schema_version: Option<i64>,
    stats: Option<Stats>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// There is none yet, and one can be made.
    None,
    Open,
    Unusable,
}

pub(super) async fn run(place: &Place, output: Output) -> Result<u8, Failure> {
    let registry = place.registry()?;
    let mut problems = Vec::new();
    let onnxruntime = onnxruntime(place, &mut problems);
    let policy = InForce::of(registry.home(), &mut problems);
    let entries = registry.list().map_err(|error| Failure::new(&error))?;
    let plugins: Vec<_> = entries.iter().map(|entry| Listed::new(&registry, entry)).collect();
    problems.extend(plugins.iter().filter_map(|plugin| plugin.problem.clone()));
    if plugins.is_empty() {
        problems.push(Problem {
            place: "plugins".to_owned(),
            problem: "none is installed".to_owned(),
            fix: "run `foretell plugin install DIRECTORY` with the directory of a plugin".to_owned(),
        });
    }
    let database = database(&place.db, &mut problems).await;
    let document = Document {
        version: env!("CARGO_PKG_VERSION"),
        home: registry.home().root().display().to_string(),
        onnxruntime,
        isolation: isolation::support(),
        policy,
        plugins,
        database,
        problems,
    };
    output.show(&document, |output| document.draw(output));
    Ok(if document.problems.is_empty() { exit::DONE } else { exit::FAILED })
}

fn onnxruntime(place: &Place, problems: &mut Vec<Problem>) -> OnnxRuntime {
    let search = locate(&place.places());
    let places = search.places.iter().map(SearchedPlace::new).collect();
    let problem = |problem, fix| Problem { place: "ONNX Runtime".to_owned(), problem, fix };
    match search.library() {
        Ok(library) => {
            // Without the policy, which is looked at by itself.
            if let Err(error) = Runtime::start(&place.places()) {
                problems.push(problem(
                    error.to_string(),
                    "put another build of the library in its place".to_owned(),
                ));
            }
            let path = library.path.display().to_string();
            OnnxRuntime { library: Some(path), version: Some(library.version), places }
        }
        Err(_) => {
            let (what, fix) = without_library(&search);
            problems.push(problem(what, fix));
            OnnxRuntime { library: None, version: None, places }
        }
    }
}

/// Why there is no library, and what to do: a file that somebody named decides alone.
fn without_library(search: &Search) -> (String, String) {
    let named = search.places.iter().find_map(|place| match (place.origin, &place.path) {
        (Origin::Variable | Origin::Configured, Some(path)) => Some((place, path)),
        _ => None,
    });
    match named {
        Some((place, path)) => {
            let why = match &place.finding {
                Finding::Unusable(why) => why,
                _ => "there is no such file",
            };
            let name = words(place.origin);
            let fix =
                format!("name the file of ONNX Runtime 1.{API_VERSION} or newer, or leave the {name} out");
            (format!("the {name} names `{}`: {why}", path.display()), fix)
        }
        None => {
            let fix = format!(
                "run `cargo xtask fetch-onnxruntime`, or set `{LIBRARY_VARIABLE}` to the file of ONNX Runtime \
                 1.{API_VERSION} or newer"
            );
            ("no usable library is found".to_owned(), fix)
        }
    }
}

/// What the user calls a place.
fn words(origin: Origin) -> &'static str {
    match origin {
        Origin::Variable => "variable `FORETELL_ONNXRUNTIME`",
        Origin::Configured => "option `--onnxruntime`",
        Origin::Program => "beside the program",
        Origin::Home => "foretell's home",
        Origin::System => "the system",
    }
}

impl SearchedPlace {
    fn new(searched: &onnx::Place) -> Self {
        let place = match searched.origin {
            Origin::Variable => "variable",
            Origin::Configured => "option",
            Origin::Program => "program",
            Origin::Home => "home",
            Origin::System => "system",
        };
        let (found, version, reason, finding) = match &searched.finding {
            Finding::Unset => ("unset", None, None, "not set".to_owned()),
            Finding::Missing => ("missing", None, None, "no library".to_owned()),
            Finding::Usable(version) => ("usable", Some(version.clone()), None, format!("version {version}")),
            Finding::Unusable(reason) => ("unusable", None, Some(reason.clone()), reason.clone()),
            Finding::NotTried => ("not_tried", None, None, "not tried".to_owned()),
        };
        let path = searched.path.as_ref().map(|path| path.display().to_string());
        Self { place, path, found, version, reason, words: (words(searched.origin), finding) }
    }

    fn row(&self) -> Vec<String> {
        let (place, finding) = &self.words;
        vec![(*place).to_owned(), self.path.clone().unwrap_or_default(), finding.clone()]
    }
}

async fn database(path: &Path, problems: &mut Vec<Problem>) -> Database {
    let mut database = Database {
        path: path.display().to_string(),
        state: State::Unusable,
        writable: false,
        schema_version: None,
        stats: None,
    };
    let mut problem = |error: &dyn Error, fix: Option<&str>| {
        let fix = fix.unwrap_or("restore a backup").to_owned();
        problems.push(Problem {
            place: "database".to_owned(),
            problem: Failure::new(error).to_string(),
            fix,
        });
    };
    // Only to look: opening for writing would bring an older schema up to date.
    let store = match Store::open_read_only(path).await {
        Ok(store) => store,
        Err(error) => {
            match &error.kind {
                OpenErrorKind::Missing if has_directory(path) => database.state = State::None,
                OpenErrorKind::Missing => {
                    problem(&error, Some("make its directory, or name another file: `--db FILE`"));
                }
                OpenErrorKind::Older { found, .. } => {
                    database.schema_version = Some(*found);
                    problem(&error, Some("bring it up to date: `foretell db migrate`"));
                }
                kind => problem(&error, kind.hint()),
            }
            return database;
        }
    };
    database.state = State::Open;
    database.schema_version = Some(schema_version());
    match store.stats().await {
        Ok(stats) => database.stats = Some(stats),
        Err(error) => problem(&error, error.hint()),
    }
    match Store::open(path).await {
        Ok(_) => database.writable = true,
        Err(error) => problem(&error, error.kind.hint()),
    }
    database
}

fn has_directory(path: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path.parent().is_some_and(Path::is_dir))
}

impl Document {
    fn draw(&self, output: Output) {
        let missing = self.isolation.missing();
        let isolation = match missing.is_empty() {
            true => "no network, no writing, no other process, limited memory".to_owned(),
            false => format!("incomplete on this system: {}", missing.join("; ")),
        };
        output.facts(&[
            ("foretell", self.version.to_owned()),
            ("home", self.home.clone()),
            ("isolation", isolation),
        ]);
        output.line("");
        output.line("ONNX Runtime");
        output.table(&["place", "path", "found"], self.onnxruntime.places.iter().map(SearchedPlace::row));
        output.line("");
        output.line("policy");
        self.policy.draw(output);
        output.line("");
        output.line("plugins");
        plugin::draw(output, &self.plugins);
        output.line("");
        output.line("database");
        output.facts(&self.database.facts());
        output.line("");
        match self.problems.len() {
            0 => output.line("everything is there"),
            1 => output.line("1 thing is wrong:"),
            count => output.line(&format!("{count} things are wrong:")),
        }
        for problem in &self.problems {
            problem.draw(output);
        }
    }
}

impl Database {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let state = match self.state {
            State::None => "none yet: an import or a simulation makes it",
            State::Open => "open",
            State::Unusable => "unusable",
        };
        let mut facts = vec![("path", self.path.clone()), ("state", state.to_owned())];
        facts.extend(self.schema_version.map(|version| ("schema", format!("version {version}"))));
        if self.state == State::Open {
            facts.push(("writable", if self.writable { "yes" } else { "no" }.to_owned()));
        }
        if let Some(stats) = &self.stats {
            let free =
                format!("{}, {} of it free", format_bytes(stats.file_bytes), format_bytes(stats.free_bytes));
            facts.push(("size", free));
            let counts = [
                ("sources", stats.sources),
                ("records", stats.records),
                ("entities", stats.entities),
                ("labels", stats.labels),
                ("runs", stats.runs),
                ("predictions", stats.predictions),
                ("rejects", stats.rejected_records),
            ];
            facts.extend(counts.map(|(name, count)| (name, format_count(count))));
        }
        facts
    }
}
