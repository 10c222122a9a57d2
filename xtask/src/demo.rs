//! The product's main job on simulated data, through the binaries that people run.
//!
//! The demo has a home directory and a database of its own below `target/demo`, which it empties first: it shows
//! the same figures each time, and touches nothing that the user has installed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    assemble::{self, AssembleError, Profile},
    onnxruntime::{self, FetchError, HOME_VARIABLE},
    process::{self, ProcessError, export, say},
    workspace::Workspace,
};

/// One command of the demo.
struct Step {
    /// What it shows, in a sentence.
    purpose: &'static str,
    /// Program and arguments, separated by spaces; see [`Places::fill`] for the words in braces.
    command: &'static str,
    /// What goes to the program's standard input.
    input: Option<&'static str>,
}

const STEPS: [Step; 8] = [
    Step {
        purpose: "install the plugin: from now on its files are pinned by their hashes",
        command: "foretell plugin install {plugins}/fraud-feed-forward",
        input: None,
    },
    Step {
        purpose: "simulate card transactions, with three kinds of fraud among them, into a new database",
        command: "foretell-fraud simulate --customers 1000 --terminals 2000 --days 90 --seed 1 --db {database}",
        input: None,
    },
    Step { purpose: "is everything there?", command: "foretell doctor --db {database}", input: None },
    Step {
        purpose: "score every transaction with the past that was known at its time",
        command: "foretell-fraud score --db {database}",
        input: None,
    },
    Step {
        purpose: "hold the scores against what the transactions turned out to be",
        command: "foretell-fraud evaluate --db {database}",
        input: None,
    },
    Step {
        purpose: "score one more transaction, as a shop would",
        command: "foretell-fraud score - --db {database}",
        input: Some(
            r#"{"transaction_id":"new","event_time":"2018-06-30T09:30:00Z","customer_id":"7","terminal_id":"42","amount":57.16}"#,
        ),
    },
    Step {
        purpose: "look at it: what was stored, its past, its score",
        command: "foretell-fraud show new --db {database}",
        input: None,
    },
    Step {
        purpose: "run stored predictions again: the same scores must come out",
        command: "foretell verify --db {database}",
        input: None,
    },
];

/// What to look at next: what it shows, and the command.
const NEXT: [(&str, &str); 5] = [
    ("what the plugin takes and gives", "foretell plugin inspect fraud-feed-forward"),
    ("the runs, with hashes of all that produced them", "foretell prediction runs --db {database}"),
    ("one prediction, with all that it came from", "foretell prediction show 1 --db {database}"),
    ("the evaluation for a program", "foretell-fraud evaluate --json --db {database}"),
    ("the rest", "foretell-fraud --help"),
];

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot {action} `{path}`")]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

impl DemoError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Assemble(error) => error.exit_code(),
            Self::Process(error) => error.exit_code(),
            Self::Fetch(_) | Self::File { .. } => 1,
        }
    }
}

/// The places that the demo uses.
struct Places {
    /// The programs and, in `plugins`, the plugins.
    built: PathBuf,
    home: PathBuf,
    database: PathBuf,
}

impl Places {
    /// The words of a command, with the places in it filled in.
    fn fill(&self, command: &str) -> Vec<String> {
        let fill = |word: &str| {
            word.replace("{plugins}", &self.built.join("plugins").to_string_lossy())
                .replace("{database}", &self.database.to_string_lossy())
        };
        let mut words: Vec<_> = command.split(' ').map(fill).collect();
        words[0] = self.built.join(&words[0]).to_string_lossy().into_owned();
        words
    }
}

/// The command `demo`.
pub(crate) fn demo(workspace: &Workspace) -> Result<(), DemoError> {
    let library = onnxruntime::find_or_fetch()?;
    assemble::build_all(workspace, Profile::Release)?;
    let directory = workspace.target().join("demo");
    let places = Places {
        built: Profile::Release.directory(workspace),
        home: directory.join("home"),
        database: directory.join("foretell.db"),
    };
    empty(&directory)?;
    library.put_into(&places.home)?;

    let export = export(HOME_VARIABLE, &places.home);
    say(&format!("\n{export}"));
    for (number, step) in (1..).zip(&STEPS) {
        say(&format!("\n[{number}/{}] {}", STEPS.len(), step.purpose));
        let words = places.fill(step.command);
        let mut command = Command::new(&words[0]);
        process::run_with_input(command.args(&words[1..]).env(HOME_VARIABLE, &places.home), step.input)?;
    }

    say(&format!("\nwhat to look at next:\n\n{export}"));
    for (purpose, command) in NEXT {
        say(&format!("\n# {purpose}\n$ {}", places.fill(command).join(" ")));
    }
    Ok(())
}

/// Makes the demo's directory, without what an earlier demo left in it.
fn empty(directory: &Path) -> Result<(), DemoError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(file_error("empty", directory)(error));
        }
        _ => {}
    }
    fs::create_dir_all(directory).map_err(file_error("create", directory))
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::File { action, path: path.to_owned(), source }
}
