//! `foretell-fraud score - --follow`: a process that answers each transaction as it comes.
//!
//! What has come meanwhile is stored and scored together, so a burst costs less for each and a single transaction waits for nobody.
//! Another process may promote another version at any time: it takes over between two batches, when it is loaded.

use foretell_jobs::{Holders, Program, Standing, duty};
use foretell_store::deployment::Role;
use foretell_store::import::JsonReader;
use foretell_store::open::Store;
use foretell_terminal::job::{self, Models, Wanted};
use foretell_terminal::{Failure, LINE_BYTES_MAX, Lines, Output, Place, exit};
use serde::Serialize;

use super::score::{Line, append_failure, appender, challenge, keep, one, score};
use crate::mapping;

/// Transactions that are stored and scored together at most. Their answers wait for each other.
const TRANSACTIONS_AT_ONCE: usize = 256;

/// What came out for one transaction, and who said it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    line: &'a Line,
    /// `name@version` of the plugin that scored it.
    plugin: Option<&'a str>,
}

/// Answers transaction after transaction until the input ends.
pub(super) async fn run(place: &Place, output: Output) -> Result<u8, Failure> {
    let app = super::batch(place, output);
    let store = place.create_or_open().await?;
    let Models { plugin, program, .. } = job::models(&app, &store, &Wanted::default()).await?;
    let duty = duty(&plugin);
    let mut standing = Standing::begin(&store, place.registry()?, place.runtime()?, duty, plugin)
        .await
        .map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let reader = JsonReader::new(&mapping::transaction()).map_err(|error| Failure::new(&error))?;
    let mut appender = appender(&store).await?;
    let mut given = Lines::of_standard_input();
    let mut all_scored = true;
    loop {
        let unread = |error: std::io::Error| Failure::words(format!("can't read the input: {error}"));
        let batch = given.next(TRANSACTIONS_AT_ONCE).await.map_err(unread)?;
        if batch.is_empty() {
            break;
        }
        let (mut lines, mut records) = (Vec::new(), Vec::new());
        for given in batch {
            let Some(bytes) = given.bytes else {
                let reason = format!("is longer than {LINE_BYTES_MAX} bytes");
                lines.push(Line { reason: Some(reason), ..Line::new(given.number) });
                continue;
            };
            if !bytes.trim_ascii().is_empty() {
                let (line, record) = one(&reader, given.number, &bytes);
                lines.push(line);
                records.extend(record);
            }
        }
        keep(&mut appender, &mut lines, records).await?;
        let holders = standing.holders().await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
        all_scored &= said(&store, output, &holders, &program, &mut lines).await?;
    }
    appender.finish().await.map_err(append_failure)?;
    Ok(if all_scored { exit::DONE } else { exit::SOME_REJECTED })
}

/// Scores what is stored, and answers; whether all have a score.
async fn said(
    store: &Store,
    output: Output,
    holders: &Holders,
    program: &Program,
    lines: &mut [Line],
) -> Result<bool, Failure> {
    let Holders { champion, challenger } = holders;
    score(store, champion, program, Role::Champion, lines).await?;
    let name = champion.name();
    lines.iter().for_each(|line| draw(output, line, &name));
    if let Some(challenger) = challenger {
        challenge(store, challenger, program, lines).await;
    }
    Ok(lines.iter().all(|line| line.score.is_some()))
}

/// One line for one transaction: JSON, or words.
fn draw(output: Output, line: &Line, plugin: &str) {
    if output.is_json() {
        let told = Told { line, plugin: line.run.map(|_| plugin) };
        return output
            .line(&serde_json::to_string(&told).expect("results have string keys and finite numbers"));
    }
    let transaction = line.transaction.as_deref().unwrap_or("?");
    output.line(&match (line.score, &line.reason) {
        (Some(score), _) => {
            format!("{transaction}  {score:.6}  {}  {plugin}", line.label.as_deref().unwrap_or_default())
        }
        (None, reason) => {
            let field = line.field.as_deref().map(|field| format!("`{field}` ")).unwrap_or_default();
            format!("line {}  refused: {field}{}", line.line, reason.as_deref().unwrap_or("not scored"))
        }
    });
}
