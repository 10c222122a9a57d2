//! `foretell-retail recommend`

use std::time::Instant;

use foretell_jobs::JobOptions;
use foretell_store::open::Store;
use foretell_store::selection::{Selection, Unscored};
use foretell_store::time::{format_time, now};
use foretell_terminal::{Bar, Failure, Output, Place, exit, job};
use serde::Serialize;

use super::ask::{List, Wish, list, named, unknown};
use super::model::{Model, Notebook, read_failure};
use super::purchases::{bought, records};
use crate::DOMAIN;
use crate::arguments::Recommend;
use crate::catalogue::Catalogue;
use crate::question::{CUSTOMER, Question};
use crate::reason::Asked;

/// Questions that are stored at once.
const BATCH_QUESTIONS: usize = 50_000;

#[derive(Serialize)]
struct Report {
    customer: Option<String>,
    /// The items of the basket or the session that count.
    given: Vec<String>,
    asked_at: String,
    #[serde(flatten)]
    list: List,
    /// What the user should know.
    notes: Vec<String>,
    seconds: f64,
}

pub(super) async fn run(place: &Place, output: Output, command: &Recommend) -> Result<u8, Failure> {
    if command.all {
        return all(place, output, command).await;
    }
    let started = Instant::now();
    let store = place.open_patiently().await?;
    let model = load(place, output, &store, command).await?;
    let mut catalogue = Catalogue::default();
    let mut notes = Vec::new();
    let items = given(&store, &mut catalogue, command, &mut notes).await?;
    let at = command.at.unwrap_or_else(now);
    if let Some(customer) = &command.customer {
        let past = records(&store, CUSTOMER, customer, Some(at)).await?;
        if bought(&past).is_empty() {
            let when =
                if command.at.is_some() { "had bought nothing by then" } else { "has bought nothing yet" };
            notes.push(match items.is_empty() {
                true => format!("customer {customer} {when}: this is what is popular"),
                false => format!("customer {customer} {when}: only the given items count"),
            });
        }
    } else if items.is_empty() {
        notes.push("there is nothing to go by: this is what is popular".to_owned());
    }
    check_pins(&store, &mut catalogue, command).await?;
    let wish = Wish {
        limits: &command.limits,
        pinned: &command.pin,
        asked: Asked::Next(&items),
        at,
        command: "recommend",
    };
    let question = Question { customer: command.customer.clone(), items: items.clone(), count: 0 };
    let list = list(&store, &model, &mut catalogue, question, &wish).await?;
    list.check()?;
    let customer = command.customer.clone();
    let seconds = started.elapsed().as_secs_f64();
    let report = Report { customer, given: items, asked_at: format_time(at), list, notes, seconds };
    output.show(&report, |output| draw(output, &catalogue, command, &report));
    Ok(exit::DONE)
}

async fn load(place: &Place, output: Output, store: &Store, command: &Recommend) -> Result<Model, Failure> {
    let app = super::batch(place, output);
    let model = Model::load(&app, store, command.limits.plugin.as_deref()).await?;
    let again = command.bought_again.then(|| ("repeat".to_owned(), true.into()));
    model.with(place, command.limits.settings.set.iter().cloned().chain(again).collect())
}

/// The items of the basket or the session, without what nobody knows, and without what is there twice.
async fn given(
    store: &Store,
    catalogue: &mut Catalogue,
    command: &Recommend,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, Failure> {
    let given = command.basket.iter().chain(&command.session).flatten();
    let mut items: Vec<String> =
        given.map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
    if items.is_empty() && (command.basket.is_some() || command.session.is_some()) {
        notes.push(format!("the {} is empty", if command.basket.is_some() { "basket" } else { "session" }));
    }
    let mut seen = std::collections::HashSet::new();
    // A session goes on to its end: of what is there twice, the last time counts.
    items.reverse();
    items.retain(|item| {
        let is_new = seen.insert(item.clone());
        if !is_new {
            notes.push(format!("item {item} is there more than once, and counts once"));
        }
        is_new
    });
    items.reverse();
    let strangers = unknown(store, catalogue, &items).await?;
    notes.extend(strangers.iter().map(|item| {
        format!("nobody knows item {item}: it is not in the catalogue, and was never bought; it is left out")
    }));
    items.retain(|item| !strangers.contains(item));
    Ok(items)
}

/// Refuses to pin what nobody knows, what is banned, and more than is wanted.
async fn check_pins(store: &Store, catalogue: &mut Catalogue, command: &Recommend) -> Result<(), Failure> {
    let pinned = command.pin.len();
    if pinned > command.limits.count as usize {
        return Err(Failure::words(format!(
            "{pinned} items are pinned, and {} are wanted",
            command.limits.count
        ))
        .hint(Some("pin fewer, or ask for more with `--count`")));
    }
    if let Some(item) = command.pin.iter().find(|item| command.limits.ban.contains(item)) {
        return Err(Failure::words(format!("item {item} is pinned and banned"))
            .hint(Some("leave one of the two out")));
    }
    match unknown(store, catalogue, &command.pin).await?.first() {
        Some(item) => Err(super::unknown_item(item)),
        None => Ok(()),
    }
}

fn draw(output: Output, catalogue: &Catalogue, command: &Recommend, report: &Report) {
    let names: Vec<String> = report.given.iter().map(|item| named(catalogue, item)).collect();
    let whom = match (&report.customer, names.is_empty()) {
        (Some(customer), true) => format!("for customer {customer}"),
        (Some(customer), false) => format!("for customer {customer}, with {}", names.join(", ")),
        (None, true) => "for anybody".to_owned(),
        (None, false) => format!("to go with {}", names.join(", ")),
    };
    output.line(&format!("{whom}, by {}:", report.list.plugin));
    for note in &report.notes {
        output.line(&format!("note: {note}"));
    }
    output.line("");
    report.list.draw(output, command.limits.count);
}

/// How many customers were asked for.
async fn all(place: &Place, output: Output, command: &Recommend) -> Result<u8, Failure> {
    let store = place.open_patiently().await?;
    let model = load(place, output, &store, command).await?;
    model.check_learned()?;
    let app = super::batch(place, output);
    let selection = match (command.from, command.to) {
        (None, None) => {
            let source = ask_for_all(&store, output, command.limits.count).await?;
            Selection { source: Some(source), ..Selection::default() }
        }
        (from, to) => Selection { from, to, unscored: Some(Unscored::default()), ..Selection::default() },
    };
    job::score(&app, &store, &model.models, &JobOptions::new(selection), command.workers).await
}

/// Stores a question for every customer; the source that they stand under.
async fn ask_for_all(store: &Store, output: Output, count: u32) -> Result<i64, Failure> {
    let mut customers = store.newest(DOMAIN, CUSTOMER).await.map_err(read_failure)?;
    let mut notebook = Notebook::open(store, "recommend --all").await?;
    let at = now();
    let (mut questions, mut asked) = (Vec::new(), 0);
    let bar = Bar::new("asking", "customers", None, output.is_json());
    while let Some(page) = customers.next().await.map_err(read_failure)? {
        questions
            .extend(page.into_iter().map(|record| {
                Question { customer: Some(record.value), items: Vec::new(), count }.record(at)
            }));
        if questions.len() >= BATCH_QUESTIONS {
            asked += notebook.add(std::mem::take(&mut questions)).await?.len();
            bar.set(asked as u64);
        }
    }
    asked += notebook.add(questions).await?.len();
    bar.finish();
    let source = notebook.source();
    notebook.close().await?;
    match asked {
        0 => Err(Failure::words("no customer has bought anything yet")
            .hint(Some("`foretell-retail import purchases FILE` reads purchases"))),
        _ => Ok(source),
    }
}
