//! The command line of batch work, as the user types it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use foretell_jobs::WORKERS_MAX;
use foretell_store::job::{ATTEMPTS_MAX, CHUNK_RECORDS, CHUNK_RECORDS_MAX};
use foretell_store::record::LabelValue;
use foretell_store::selection::{SelectedLabel, Selection, Unscored};
use foretell_store::time::parse_duration;

use crate::{Within, parse_model};

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan a job: fix which stored records are to be scored, or learned.
    Create(Box<Create>),
    /// Work on a job until it is done.
    Run {
        /// Number of the job.
        job: i64,
        /// Who works.
        #[command(flatten)]
        crew: Crew,
    },
    /// Score what arrived since the last time; fit for a timer.
    Update(Update),
    /// Say how far a job is.
    Status {
        /// Number of the job.
        job: i64,
        /// Stay, and show how it goes on until it ends.
        #[arg(long)]
        watch: bool,
    },
    /// List jobs, latest first.
    List {
        /// Number of jobs at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Let a job rest; its workers stop, wherever they run.
    Pause {
        /// Number of the job.
        job: i64,
    },
    /// Give a job up; what is predicted stays.
    Cancel {
        /// Number of the job.
        job: i64,
    },
    /// Go on with a job that was interrupted, paused, or has failed.
    Resume {
        /// Number of the job.
        job: i64,
        /// Who works.
        #[command(flatten)]
        crew: Crew,
    },
    /// Show what came out of a job: decisions, highest scores, what was set aside.
    Results {
        /// Number of the job.
        job: i64,
        /// Number of predictions and of reasons at most.
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
    /// Compare the predictions of two jobs for the records that both scored.
    Compare(Compare),
    /// Work on a job until standard input is closed. For the program itself.
    #[command(hide = true)]
    Work {
        /// Number of the job.
        job: i64,
    },
}

/// What predicts.
#[derive(Debug, Args)]
pub struct Model {
    /// Plugin, `name` or `name@version`; the champion, if not said.
    #[arg(long, value_name = "PLUGIN")]
    pub plugin: Option<String>,
    /// Domain whose champion it is.
    #[arg(long, value_name = "DOMAIN", conflicts_with = "plugin")]
    pub domain: Option<String>,
    /// Task of the domain, such as `detection`, where several have a champion.
    #[arg(long, value_name = "TASK", conflicts_with = "plugin")]
    pub task: Option<String>,
    /// Another file for one of its model slots, such as `network=model.onnx`.
    #[arg(long, value_name = "SLOT=FILE", value_parser = parse_model)]
    pub model: Option<(String, PathBuf)>,
}

/// Who works on a job.
#[derive(Clone, Debug, Args)]
pub struct Crew {
    /// Processes that work at the same time. Others may work on the same job from elsewhere.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = parse_workers)]
    pub workers: usize,
}

/// Reads a number of worker processes, from 1 to [`WORKERS_MAX`].
pub fn parse_workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=WORKERS_MAX).contains(number));
    number.ok_or_else(|| format!("expected 1 to {WORKERS_MAX}"))
}

/// How a job is cut and how patient it is.
#[derive(Clone, Debug, Args)]
pub struct Limits {
    /// Records of a chunk: what is done in one transaction.
    #[arg(long, default_value_t = CHUNK_RECORDS, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(CHUNK_RECORDS_MAX)))]
    pub chunk: u32,
    /// How long the plugin may take for one call; a record that takes longer by itself is set aside.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = parse_timeout)]
    pub timeout: Duration,
    /// How often a chunk is tried whose worker dies for no known reason.
    #[arg(long, default_value_t = ATTEMPTS_MAX, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub attempts: u32,
}

/// Some time that something may take, such as `30s`.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    let micros = parse_duration(text).map_err(|error| error.to_string())?;
    match u64::try_from(micros) {
        Ok(micros) if micros > 0 => Ok(Duration::from_micros(micros)),
        _ => Err("expected a time greater than 0, such as `30s`".to_owned()),
    }
}

/// Which stored records.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// When, and whose.
    #[command(flatten)]
    pub within: Within,
    /// Records with a label of this name, or whose label has this value, such as `fraud=true`.
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = parse_label)]
    pub label: Option<SelectedLabel>,
    /// Records of one source, such as one import.
    #[arg(long, value_name = "NUMBER")]
    pub source: Option<i64>,
    /// Records for which this SQL expression over the domain's readable view holds, such as `amount > 100`.
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Records that the same plugin, models and settings have not scored yet.
    #[arg(long)]
    pub unscored: bool,
}

impl Which {
    /// These records, of the plugin's domain.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            from: self.within.from,
            to: self.within.to,
            key: self.within.key.clone(),
            label: self.label.clone(),
            source: self.source,
            condition: self.condition.clone(),
            unscored: self.unscored.then(Unscored::default),
            ..Selection::default()
        }
    }
}

fn parse_label(text: &str) -> Result<SelectedLabel, &'static str> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(parse_value(value))),
        None => (text, None),
    };
    match name.is_empty() {
        true => Err("expected the name of a label, and perhaps its value, such as `fraud=true`"),
        false => Ok(SelectedLabel { name: name.to_owned(), value }),
    }
}

/// A label as people write it: true, false, a number, or a text.
fn parse_value(text: &str) -> LabelValue {
    match text {
        "true" => LabelValue::Bool(true),
        "false" => LabelValue::Bool(false),
        text => match text.parse() {
            Ok(number) => LabelValue::Number(number),
            Err(_) => LabelValue::Text(text.to_owned()),
        },
    }
}

/// What is done with the records of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The plugin predicts them.
    #[default]
    Score,
    /// The plugin learns its model anew from them; what it has learned becomes a version of it.
    Fit,
}

/// `create`
#[derive(Debug, Args)]
#[command(
    after_help = "The records of a job are fixed when it is planned, whatever arrives later. Their history is that of their own time."
)]
pub struct Create {
    /// What is done with the records.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub kind: Kind,
    /// What predicts, or learns.
    #[command(flatten)]
    pub model: Model,
    /// Which records.
    #[command(flatten)]
    pub which: Which,
    /// How it is done.
    #[command(flatten)]
    pub limits: Limits,
    /// Only store the predictions, for comparison: they answer nobody.
    #[arg(long)]
    pub shadow: bool,
    /// Of a fit: where everything random begins; 0, if not said.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Of a fit: go on from the last one with what was stored since, if that comes to the same as learning everything.
    #[arg(long)]
    pub update: bool,
    /// Only say how many records it would be; plan nothing.
    #[arg(long, conflicts_with = "run")]
    pub preview: bool,
    /// Work on it at once.
    #[arg(long)]
    pub run: bool,
    /// Who works, with `--run`.
    #[command(flatten)]
    pub crew: Crew,
}

/// `update`
#[derive(Debug, Args)]
#[command(
    after_help = "From a crontab, every ten minutes: */10 * * * * foretell --db /srv/foretell.db job update --plugin NAME"
)]
pub struct Update {
    /// What predicts.
    #[command(flatten)]
    pub model: Model,
    /// How it is done.
    #[command(flatten)]
    pub limits: Limits,
    /// Who works.
    #[command(flatten)]
    pub crew: Crew,
}

/// `compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// Number of the job of the old model.
    pub old: i64,
    /// Number of the job of the new model.
    pub new: i64,
    /// Label that says what turned out to be true, such as `fraud`.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Number of records whose score moved most.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub moved: usize,
    /// Seed of the intervals.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_write_them() {
        let value = |text| parse_label(text).unwrap().value;
        assert_eq!(value("fraud"), None);
        assert_eq!(value("fraud=true"), Some(LabelValue::Bool(true)));
        assert_eq!(value("size=2.5"), Some(LabelValue::Number(2.5)));
        assert_eq!(value("kind=a=b"), Some(LabelValue::Text("a=b".into())));
        assert!(parse_label("=true").is_err());
    }

    #[test]
    fn a_timeout_is_some_time() {
        assert_eq!(parse_timeout("30s"), Ok(Duration::from_secs(30)));
        assert!(parse_timeout("0s").is_err() && parse_timeout("soon").is_err());
    }
}
