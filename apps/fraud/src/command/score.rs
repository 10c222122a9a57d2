//! `foretell-fraud score`

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use foretell_jobs::{Answer, JobOptions, Program, ScoreError, answer};
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::import::JsonReader;
use foretell_store::open::Store;
use foretell_store::record::{AppendError, Appender, NewRecord, Outcome, Reject, SourceInfo, SourceKind};
use foretell_store::selection::{Selection, Unscored};
use foretell_terminal::job::{Models, Wanted};
use foretell_terminal::{Failure, Output, Place, exit, job};
use serde::Serialize;

use crate::{DOMAIN, arguments, mapping};

/// Bytes of transactions that one call may be given.
const INPUT_BYTES_MAX: u64 = 256 << 20;
/// Slot of the plugin's network.
const NETWORK: &str = "network";

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Score) -> Result<u8, Failure> {
    if command.follow {
        let input = command.input.as_deref().unwrap_or(Path::new("-"));
        if input != Path::new("-") {
            return Err(Failure::words(format!(
                "expected `-`, standard input, with `--follow`, found `{}`",
                input.display()
            ))
            .hint(Some("a file that grows: `tail -f FILE | foretell-fraud score - --follow`")));
        }
        return super::follow::run(place, output).await;
    }
    let app = super::batch(place, output);
    let file = command.model.as_deref().map(|file| (NETWORK, file));
    let wanted = Wanted { file, ..Wanted::default() };
    match &command.input {
        Some(input) => {
            let lines = read(input)?;
            let store = place.create_or_open().await?;
            let models = job::models(&app, &store, &wanted).await?;
            given(&store, output, &models, &lines).await
        }
        None => {
            let store = place.open_patiently().await?;
            let models = job::models(&app, &store, &wanted).await?;
            let selection = Selection {
                from: super::time(command.from.as_deref())?,
                to: super::time(command.to.as_deref())?,
                unscored: (!command.again).then(Unscored::default),
                ..Selection::default()
            };
            job::score(&app, &store, &models, &JobOptions::new(selection), command.workers).await
        }
    }
}

fn failure(error: &ScoreError) -> Failure {
    Failure::new(error).hint(error.hint())
}

/// What came out for one given transaction.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    /// Where it stands in the input, from 1.
    pub(super) line: usize,
    pub(super) transaction: Option<String>,
    pub(super) record: Option<i64>,
    pub(super) run: Option<i64>,
    pub(super) score: Option<f64>,
    pub(super) label: Option<String>,
    /// The field at fault, where a transaction was refused.
    pub(super) field: Option<String>,
    /// Why it was refused.
    pub(super) reason: Option<String>,
}

impl Line {
    /// Of this number, and nothing else yet.
    pub(super) fn new(line: usize) -> Self {
        Self { line, ..Self::default() }
    }
}

/// Stores the given transactions, then scores them.
async fn given(store: &Store, output: Output, models: &Models, text: &str) -> Result<u8, Failure> {
    let Models { plugin, role, program, challenger } = models;
    let (mut lines, records) = parse(text)?;
    let mut appender = appender(store).await?;
    keep(&mut appender, &mut lines, records).await?;
    appender.finish().await.map_err(append_failure)?;
    score(store, plugin, program, *role, &mut lines).await?;
    if let Some(challenger) = challenger {
        challenge(store, challenger, program, &lines).await;
    }
    let refused = lines.iter().any(|line| line.score.is_none());
    if let [line] = lines.as_slice() {
        output.show(line, |output| draw_one(output, line));
    } else {
        output.show(&lines, |output| draw_lines(output, &lines));
    }
    Ok(if refused { exit::SOME_REJECTED } else { exit::DONE })
}

/// Scores what is stored, and puts the answers into the lines that they are about.
pub(super) async fn score(
    store: &Store,
    plugin: &Arc<Plugin>,
    program: &Program,
    role: Role,
    lines: &mut [Line],
) -> Result<(), Failure> {
    let ids = records(lines);
    if ids.is_empty() {
        return Ok(());
    }
    let (run, answers) = answer(store, plugin, program, role, &ids).await.map_err(|error| failure(&error))?;
    let answers: HashMap<i64, Answer> = answers.into_iter().collect();
    for line in lines {
        if let Some(answer) = line.record.and_then(|id| answers.get(&id)) {
            tell(line, run, answer);
        }
    }
    Ok(())
}

/// Has the challenger score the same. Whatever comes of it, the champion's answer stands.
pub(super) async fn challenge(store: &Store, challenger: &Arc<Plugin>, program: &Program, lines: &[Line]) {
    let ids = records(lines);
    if !ids.is_empty()
        && let Err(error) = answer(store, challenger, program, Role::Challenger, &ids).await
    {
        tracing::warn!("the challenger {} has not scored: {error}", challenger.name());
    }
}

/// What of the lines is stored.
fn records(lines: &[Line]) -> Vec<i64> {
    lines.iter().filter_map(|line| line.record).collect()
}

/// Puts an answer into the line that it is about.
fn tell(line: &mut Line, run: i64, answer: &Answer) {
    line.run = Some(run);
    match answer {
        Answer::Predicted(predicted) => {
            line.score = predicted.score;
            line.label.clone_from(&predicted.label);
        }
        Answer::Refused { field, reason } => {
            line.field.clone_from(field);
            line.reason = Some(reason.clone());
        }
    }
}

/// Reads one JSON object, or one on each line.
fn parse(text: &str) -> Result<(Vec<Line>, Vec<NewRecord>), Failure> {
    let reader = JsonReader::new(&mapping::transaction()).map_err(|error| Failure::new(&error))?;
    let mut lines = Vec::new();
    let mut records = Vec::new();
    // An object that is spread over lines is one transaction.
    let whole = serde_json::from_str::<serde_json::Value>(text).ok().map(|value| value.to_string());
    let given: Vec<&str> = match &whole {
        Some(whole) => vec![whole],
        None => text.lines().collect(),
    };
    for (index, text) in given.into_iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let (line, record) = one(&reader, index + 1, text.as_bytes());
        lines.push(line);
        records.extend(record);
    }
    match lines.is_empty() {
        true => Err(Failure::words(
            "there is no transaction in the input; expected a JSON object, or one on each line",
        )),
        false => Ok((lines, records)),
    }
}

/// Reads one JSON object; its line says why there is no record.
pub(super) fn one(reader: &JsonReader, number: usize, text: &[u8]) -> (Line, Option<NewRecord>) {
    let mut line = Line::new(number);
    match reader.record(text) {
        Ok(record) => {
            line.transaction.clone_from(&record.external_id);
            (line, Some(record))
        }
        Err(Reject { field, reason, .. }) => {
            (line.field, line.reason) = (field, Some(reason));
            (line, None)
        }
    }
}

/// Begins to store transactions that come now.
pub(super) async fn appender(store: &Store) -> Result<Appender, Failure> {
    let keys = vec!["customer_id".to_owned(), "terminal_id".to_owned()];
    let source = SourceInfo { kind: SourceKind::Live, name: "score".to_owned(), hash: None, mapping: None };
    Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)
}

pub(super) fn append_failure(error: AppendError) -> Failure {
    let hint = error.kind.hint();
    Failure::new(&error).hint(hint)
}

/// Stores the transactions that are in order, and keeps the others with their reasons.
pub(super) async fn keep(
    appender: &mut Appender,
    lines: &mut [Line],
    records: Vec<NewRecord>,
) -> Result<(), Failure> {
    let rejects: Vec<Reject> = lines
        .iter()
        .filter_map(|line| {
            let reason = line.reason.clone()?;
            Some(Reject {
                line: Some(line.line as i64),
                field: line.field.clone(),
                reason,
                ..Reject::default()
            })
        })
        .collect();
    let outcomes = appender.append_with_rejects(records, rejects).await.map_err(append_failure)?;
    for (line, outcome) in lines.iter_mut().filter(|line| line.reason.is_none()).zip(outcomes) {
        match outcome {
            Outcome::Stored(id) | Outcome::AlreadyStored(id) => line.record = Some(id),
            Outcome::Conflict(id) => {
                line.field = Some("transaction_id".to_owned());
                line.reason = Some(format!("is taken by record {id}, which has other contents"));
            }
        }
    }
    Ok(())
}

fn draw_one(output: Output, line: &Line) {
    match (&line.score, &line.reason) {
        (Some(score), _) => output.facts(&[
            ("transaction", line.transaction.clone().unwrap_or_default()),
            ("score", format!("{score:.6}")),
            ("decision", line.label.clone().unwrap_or_default()),
            ("record", line.record.map(|id| id.to_string()).unwrap_or_default()),
            ("run", line.run.map(|id| id.to_string()).unwrap_or_default()),
        ]),
        (None, reason) => {
            let field = line.field.as_deref().map(|field| format!("`{field}` ")).unwrap_or_default();
            output.line(&format!("refused: {field}{}", reason.as_deref().unwrap_or("not scored")));
        }
    }
}

fn draw_lines(output: Output, lines: &[Line]) {
    output.table(
        &["line#", "transaction", "score#", "decision", "refused"],
        lines.iter().map(|line| {
            let refused = line.reason.as_deref().map(|reason| match &line.field {
                Some(field) => format!("`{field}` {reason}"),
                None => reason.to_owned(),
            });
            vec![
                line.line.to_string(),
                line.transaction.clone().unwrap_or_default(),
                line.score.map(|score| format!("{score:.6}")).unwrap_or_default(),
                line.label.clone().unwrap_or_default(),
                refused.unwrap_or_default(),
            ]
        }),
    );
}

/// Reads what is to be scored, within [`INPUT_BYTES_MAX`].
fn read(input: &Path) -> Result<String, Failure> {
    use std::io::Read;
    let fail = |error: std::io::Error| Failure::words(format!("can't read `{}`: {error}", input.display()));
    let mut text = String::new();
    let bytes = if input == Path::new("-") {
        std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_string(&mut text).map_err(fail)?
    } else {
        std::fs::File::open(input)
            .map_err(fail)?
            .take(INPUT_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(fail)?
    };
    if bytes as u64 > INPUT_BYTES_MAX {
        let limit = INPUT_BYTES_MAX >> 20;
        return Err(Failure::words(format!("the input has more than {limit} MiB")).hint(Some(
            "import it, then score what is stored: `foretell-fraud import FILE`, `foretell-fraud score`",
        )));
    }
    Ok(text)
}
