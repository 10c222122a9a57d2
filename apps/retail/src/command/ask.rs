//! What `recommend` and `similar` have in common: ask, filter, vary, and draw a list of items.

use foretell_store::open::Store;
use foretell_store::time::Micros;
use foretell_terminal::{Failure, Output, format_count};
use serde::Serialize;

use super::model::{Model, Notebook, read_failure};
use super::purchases;
use crate::arguments::Limits;
use crate::catalogue::Catalogue;
use crate::diversity::{Traits, choose};
use crate::filter::{Filter, Removed};
use crate::question::{Question, Ranked, answer};
use crate::reason::{Asked, POPULAR, Titles, sentence};

/// The most items that a question asks for.
const DEPTH_MAX: u32 = 1_000_000;
/// Up to so many items are looked up in the catalogue one by one; beyond, all of it is read.
const LOOK_UPS_MAX: usize = 500;
/// Where variety counts, one item is chosen out of so many, and out of this number at least.
const CANDIDATES: (usize, usize) = (5, 50);

/// A list of items, and how it came to be.
#[derive(Serialize)]
pub(super) struct List {
    /// The plugin that answered.
    pub(super) plugin: String,
    /// The last question.
    pub(super) record: i64,
    /// The run that its answer stands under.
    pub(super) run: i64,
    /// Items, best first, after those that were pinned.
    pub(super) items: Vec<Line>,
    /// Items that the plugin gave and that were not shown.
    pub(super) removed: Removed,
    /// How many items the plugin gave.
    pub(super) looked_at: usize,
}

/// An item of a list.
#[derive(Serialize)]
pub(super) struct Line {
    place: usize,
    item: String,
    title: Option<String>,
    brand: Option<String>,
    category: Option<String>,
    price: Option<f64>,
    in_stock: Option<bool>,
    pinned: bool,
    score: Option<f64>,
    reason: Option<String>,
    /// The reason for people.
    because: String,
}

/// What is asked for beside the question itself.
pub(super) struct Wish<'w> {
    pub(super) limits: &'w Limits,
    pub(super) pinned: &'w [String],
    pub(super) asked: Asked<'w>,
    /// When it is asked.
    pub(super) at: Micros,
    /// Name of the source that questions are stored under.
    pub(super) command: &'static str,
}

impl Wish<'_> {
    fn filter(&self) -> Filter {
        let limits = self.limits;
        Filter {
            in_stock: limits.in_stock,
            category: limits.category.clone(),
            brand: limits.brand.clone(),
            min_price: limits.min_price,
            max_price: limits.max_price,
            banned: limits.ban.clone(),
        }
    }

    /// How many items shall pass the filter.
    fn enough(&self) -> usize {
        let wanted = (self.limits.count as usize).saturating_sub(self.pinned.len());
        if self.limits.diversity > 0.0 { (wanted * CANDIDATES.0).max(CANDIDATES.1) } else { wanted }
    }
}

/// Asks, and asks again for twice as many, until enough items pass the filter or there are no more.
pub(super) async fn list(
    store: &Store,
    model: &Model,
    catalogue: &mut Catalogue,
    mut question: Question,
    wish: &Wish<'_>,
) -> Result<List, Failure> {
    let filter = wish.filter();
    if filter.needs_catalogue() && Catalogue::is_empty(store).await.map_err(read_failure)? {
        return Err(Failure::words(
            "the catalogue is empty, so nothing is known of any item's stock, category, brand or price",
        )
        .hint(Some("`foretell-retail import catalogue FILE` reads one")));
    }
    let enough = wish.enough();
    let mut depth = enough + wish.pinned.len() + filter.banned.len();
    if filter.needs_catalogue() {
        depth *= 2;
    }
    let mut notebook = Notebook::open(store, wish.command).await?;
    loop {
        question.count = u32::try_from(depth).unwrap_or(DEPTH_MAX).clamp(1, DEPTH_MAX);
        let ids = notebook.add(vec![question.record(wish.at)]).await?;
        let (run, answers) = model.answer(store, &ids).await?;
        let output = answers.first().and_then(|(_, predicted)| predicted.output.as_deref());
        let ranked: Vec<Ranked> = answer(output).map_err(|error| {
            Failure::words(format!("{} does not answer with a list of items: {error}", model.plugin().name()))
        })?;
        if ranked.is_empty() {
            model.check_learned()?;
        }
        read_catalogue(store, catalogue, &ranked, wish).await?;
        let mut removed = Removed::default();
        // What is popular is similar to nothing; plugins fill their lists up with it.
        let end = match wish.asked {
            Asked::Similar => ranked.iter().position(|ranked| ranked.reason.as_deref() == Some(POPULAR)),
            Asked::Next(_) => None,
        };
        let passed: Vec<&Ranked> = ranked[..end.unwrap_or(ranked.len())]
            .iter()
            .filter(|ranked| !wish.pinned.contains(&ranked.item))
            .filter(|ranked| match filter.refuses(&ranked.item, catalogue.get(&ranked.item)) {
                Some(why) => {
                    removed.add(why);
                    false
                }
                None => true,
            })
            .collect();
        let is_all = end.is_some() || ranked.len() < question.count as usize || question.count == DEPTH_MAX;
        if passed.len() < enough && !is_all {
            depth *= 2;
            continue;
        }
        notebook.close().await?;
        model.challenge(store, &ids).await;
        let items = lines(catalogue, &passed, wish);
        return Ok(List {
            plugin: model.plugin().name(),
            record: ids[0],
            run,
            items,
            removed,
            looked_at: ranked.len(),
        });
    }
}

async fn read_catalogue(
    store: &Store,
    catalogue: &mut Catalogue,
    ranked: &[Ranked],
    wish: &Wish<'_>,
) -> Result<(), Failure> {
    let reasons = ranked.iter().filter_map(|ranked| Some(ranked.reason.as_deref()?.split_once(' ')?.1));
    let needed = ranked.iter().map(|ranked| ranked.item.as_str()).chain(reasons);
    let needed: Vec<&str> = needed.chain(wish.pinned.iter().map(String::as_str)).collect();
    if needed.len() <= LOOK_UPS_MAX {
        return catalogue.look_up(store, needed).await.map_err(read_failure);
    }
    *catalogue = Catalogue::read(store).await.map_err(read_failure)?;
    Ok(())
}

/// What was pinned, then the best of what passed.
fn lines(catalogue: &Catalogue, passed: &[&Ranked], wish: &Wish<'_>) -> Vec<Line> {
    let room = (wish.limits.count as usize).saturating_sub(wish.pinned.len());
    let scores: Vec<f64> = passed.iter().map(|ranked| ranked.score).collect();
    let traits: Vec<Traits> = match wish.limits.diversity > 0.0 {
        true => passed.iter().map(|ranked| Traits::new(catalogue.get(&ranked.item))).collect(),
        false => vec![Traits::default(); passed.len()],
    };
    let chosen = choose(&scores, &traits, room, wish.limits.diversity);
    let pinned = wish.pinned.iter().map(|item| (item, None));
    let chosen = chosen.into_iter().map(|place| (&passed[place].item, Some(passed[place])));
    let line = |(place, (item, ranked)): (usize, (&String, Option<&Ranked>))| {
        let entry = catalogue.get(item).cloned().unwrap_or_default();
        let reason = ranked.and_then(|ranked| ranked.reason.clone());
        let because = match ranked {
            None => "pinned".to_owned(),
            Some(_) => {
                reason.as_deref().map(|reason| sentence(reason, wish.asked, catalogue)).unwrap_or_default()
            }
        };
        Line {
            place,
            item: item.clone(),
            title: entry.title,
            brand: entry.brand,
            category: entry.category,
            price: entry.price,
            in_stock: entry.in_stock,
            pinned: ranked.is_none(),
            score: ranked.map(|ranked| ranked.score),
            reason,
            because,
        }
    };
    (1..).zip(pinned.chain(chosen)).map(line).collect()
}

impl List {
    /// A failure where nothing is left to show.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if !self.items.is_empty() {
            return Ok(());
        }
        if self.removed.is_empty() {
            return Err(Failure::words(format!("{} knows no item to answer with", self.plugin)).hint(Some(
                "it learns from purchases: `foretell-retail import purchases FILE`, then `foretell-retail fit`",
            )));
        }
        let looked_at = format_count(self.looked_at as u64);
        Err(Failure::words(format!("nothing is left of {looked_at} items: {}", self.removed))
            .hint(Some("leave a filter out, or ask for less")))
    }

    /// The list, and what was left out of it.
    pub(super) fn draw(&self, output: Output, wanted: u32) {
        output.table(
            &["#", "title", "id", "price#", "score#", "why"],
            self.items.iter().map(|line| {
                vec![
                    line.place.to_string(),
                    line.title.clone().unwrap_or_else(|| line.item.clone()),
                    line.item.clone(),
                    line.price.map(|price| format!("{price:.2}")).unwrap_or_default(),
                    line.score.map(|score| format!("{score:.4}")).unwrap_or_default(),
                    line.because.clone(),
                ]
            }),
        );
        if !self.removed.is_empty() {
            let few = if self.items.len() < wanted as usize {
                format!("only {} of {wanted}: ", self.items.len())
            } else {
                String::new()
            };
            let looked_at = format_count(self.looked_at as u64);
            output.line(&format!("{few}of {looked_at} items, not shown: {}", self.removed));
        }
    }
}

/// Items that nobody knows: not in the catalogue, and never bought.
pub(super) async fn unknown(
    store: &Store,
    catalogue: &mut Catalogue,
    items: &[String],
) -> Result<Vec<String>, Failure> {
    catalogue.look_up(store, items.iter().map(String::as_str)).await.map_err(read_failure)?;
    let mut unknown = Vec::new();
    for item in items {
        if catalogue.get(item).is_none() && !purchases::is_bought(store, item).await? {
            unknown.push(item.clone());
        }
    }
    Ok(unknown)
}

/// What an item is called, with its id where that is something else.
pub(super) fn named(catalogue: &Catalogue, item: &str) -> String {
    match catalogue.title(item) {
        title if title == item => item.to_owned(),
        title => format!("{title} ({item})"),
    }
}
