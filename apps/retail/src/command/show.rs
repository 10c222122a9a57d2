//! `foretell-retail show`

use foretell_store::open::Store;
use foretell_store::prediction::{Prediction, PredictionFilter};
use foretell_store::record::Record;
use foretell_store::time::format_time;
use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::ask::named;
use super::model::{Model, read_failure};
use super::purchases::{Bought, bought, records};
use super::similar::similar;
use crate::arguments::{Every, Limits, Show};
use crate::catalogue::{Catalogue, Entry};
use crate::demand::{bars, totals};
use crate::purchase::Purchase;
use crate::question::{CUSTOMER, Question, Ranked, answer};
use crate::reason::{Asked, sentence};

/// Records of a customer that are looked at for the last recommendations.
const LATEST_RECORDS: usize = 50;
/// Predictions of one record that are looked at: the latest ones are the last of them.
const PREDICTIONS_MAX: u32 = 1_000;
/// Months that are drawn.
const MONTHS_SHOWN_MAX: usize = 36;
/// Recommended items that are listed on a terminal; filters may have asked for many more.
const RECOMMENDED_SHOWN_MAX: usize = 10;
/// Similar items that are listed.
const SIMILAR_SHOWN: u32 = 5;

#[derive(Serialize)]
struct Report {
    customer: Option<Customer>,
    item: Option<Item>,
}

/// Who bought what, and what was recommended last.
#[derive(Serialize)]
struct Customer {
    customer: String,
    purchases: usize,
    items: usize,
    /// What all purchases with a price cost.
    spent: f64,
    first: Option<String>,
    last: Option<String>,
    /// The latest ones.
    latest: Vec<Line>,
    recommended: Option<Recommended>,
}

#[derive(Serialize)]
struct Line {
    time: String,
    item: String,
    title: Option<String>,
    quantity: f64,
    price: Option<f64>,
    basket: Option<String>,
}

#[derive(Serialize)]
struct Recommended {
    asked_at: String,
    plugin: String,
    run: i64,
    items: Vec<Similar>,
}

#[derive(Serialize)]
struct Similar {
    item: String,
    title: Option<String>,
    score: Option<f64>,
    because: String,
}

/// What the catalogue says, and how it sold.
#[derive(Serialize)]
struct Item {
    #[serde(flatten)]
    entry: Entry,
    in_catalogue: bool,
    purchases: usize,
    pieces: f64,
    customers: usize,
    first: Option<String>,
    last: Option<String>,
    /// Pieces in each month from the first one on.
    months: Vec<f64>,
    similar: Option<super::ask::List>,
    /// Why there are no similar ones.
    not_similar: Option<String>,
}

pub(super) async fn run(place: &Place, output: Output, command: &Show) -> Result<u8, Failure> {
    let store = place.open_patiently().await?;
    let mut catalogue = Catalogue::default();
    let customer = customer(&store, &mut catalogue, command).await?;
    let item = item(place, output, &store, &mut catalogue, command).await?;
    if customer.is_none() && item.is_none() {
        return Err(Failure::words(format!("there is no customer and no item `{}`", command.id))
            .hint(Some("`foretell record list --domain retail` lists some purchases")));
    }
    let report = Report { customer, item };
    output.show(&report, |output| {
        if let Some(customer) = &report.customer {
            draw_customer(output, customer);
        }
        if let Some(item) = &report.item {
            if report.customer.is_some() {
                output.line("");
            }
            draw_item(output, &catalogue, item);
        }
    });
    Ok(exit::DONE)
}

async fn customer(
    store: &Store,
    catalogue: &mut Catalogue,
    command: &Show,
) -> Result<Option<Customer>, Failure> {
    let records = records(store, CUSTOMER, &command.id, None).await?;
    if records.is_empty() {
        return Ok(None);
    }
    let bought = bought(&records);
    let latest = &bought[..bought.len().min(command.limit as usize)];
    let items = latest.iter().map(|bought| bought.purchase.item.as_str());
    catalogue.look_up(store, items).await.map_err(read_failure)?;
    let recommended = recommended(store, catalogue, &records).await?;
    let mut items: Vec<&str> = bought.iter().map(|bought| bought.purchase.item.as_str()).collect();
    items.sort_unstable();
    items.dedup();
    let cost = |Bought { purchase, .. }: &Bought| Some(purchase.price? * purchase.quantity.unwrap_or(1.0));
    let line = |Bought { time, purchase }: &Bought| {
        let Purchase { item, quantity, price, basket, .. } = purchase.clone();
        let title = catalogue.get(&item).and_then(|entry| entry.title.clone());
        Line { time: format_time(*time), item, title, quantity: quantity.unwrap_or(1.0), price, basket }
    };
    Ok(Some(Customer {
        customer: command.id.clone(),
        purchases: bought.len(),
        items: items.len(),
        spent: bought.iter().filter_map(cost).fold(0.0, |sum, cost| sum + cost),
        first: bought.last().map(|bought| format_time(bought.time)),
        last: bought.first().map(|bought| format_time(bought.time)),
        latest: latest.iter().map(line).collect(),
        recommended,
    }))
}

/// The latest answer to a question of a customer, or to one of their purchases.
async fn recommended(
    store: &Store,
    catalogue: &mut Catalogue,
    records: &[Record],
) -> Result<Option<Recommended>, Failure> {
    for record in records.iter().take(LATEST_RECORDS) {
        let filter = PredictionFilter::Record(record.id);
        let predictions = store.predictions(filter, PREDICTIONS_MAX).await.map_err(read_failure)?;
        for Prediction { run_id, output, .. } in predictions.into_iter().rev() {
            let Some(run) = store.run(run_id).await.map_err(read_failure)? else { continue };
            // What was tried is no recommendation, and a forecast is none either.
            let Ok(ranked) = answer::<Ranked>(output.as_deref()) else { continue };
            if run.shadow {
                continue;
            }
            let reasons =
                ranked.iter().filter_map(|ranked| Some(ranked.reason.as_deref()?.split_once(' ')?.1));
            let items = ranked.iter().map(|ranked| ranked.item.as_str()).chain(reasons);
            catalogue.look_up(store, items).await.map_err(read_failure)?;
            let asked: Question = serde_json::from_str(&record.payload).unwrap_or_default();
            let items = ranked.into_iter().map(|Ranked { item, score, reason }| Similar {
                title: catalogue.get(&item).and_then(|entry| entry.title.clone()),
                item,
                score: Some(score),
                because: reason
                    .map(|reason| sentence(&reason, Asked::Next(&asked.items), catalogue))
                    .unwrap_or_default(),
            });
            return Ok(Some(Recommended {
                asked_at: format_time(record.event_time),
                plugin: format!("{}@{}", run.plugin.name, run.plugin.version),
                run: run.id,
                items: items.collect(),
            }));
        }
    }
    Ok(None)
}

async fn item(
    place: &Place,
    output: Output,
    store: &Store,
    catalogue: &mut Catalogue,
    command: &Show,
) -> Result<Option<Item>, Failure> {
    let id = &command.id;
    catalogue.look_up(store, [id.as_str()]).await.map_err(read_failure)?;
    let bought = bought(&records(store, "item", id, None).await?);
    let entry = catalogue.get(id).cloned();
    if entry.is_none() && bought.is_empty() {
        return Ok(None);
    }
    let limits = Limits { count: SIMILAR_SHOWN, ..Limits::default() };
    let app = super::batch(place, output);
    let asked = async {
        let model = Model::load(&app, store, None).await?;
        similar(store, &model, catalogue, id, &limits).await
    };
    // What is known of the item is worth showing, whatever the plugin can do.
    let (similar, not_similar) = match asked.await {
        Ok(similar) => (Some(similar), None),
        Err(failure) => (None, Some(failure.to_string())),
    };
    let (first, last) = (bought.last(), bought.first());
    let months = first.zip(last).map(|(first, last)| {
        let month = Every::Month;
        let sales = bought.iter().map(|bought| (bought.time, bought.purchase.quantity.unwrap_or(1.0)));
        totals(sales, month, month.start(first.time), month.shift(month.start(last.time), 1))
    });
    let mut customers: Vec<&str> =
        bought.iter().filter_map(|bought| bought.purchase.customer.as_deref()).collect();
    customers.sort_unstable();
    customers.dedup();
    Ok(Some(Item {
        in_catalogue: entry.is_some(),
        entry: entry.unwrap_or_else(|| Entry { item: id.clone(), ..Entry::default() }),
        purchases: bought.len(),
        pieces: bought.iter().map(|bought| bought.purchase.quantity.unwrap_or(1.0)).sum(),
        customers: customers.len(),
        first: first.map(|bought| format_time(bought.time)),
        last: last.map(|bought| format_time(bought.time)),
        months: months.unwrap_or_default(),
        similar,
        not_similar,
    }))
}

fn price(price: Option<f64>) -> String {
    price.map(|price| format!("{price:.2}")).unwrap_or_default()
}

fn draw_customer(output: Output, customer: &Customer) {
    let count = |count: usize| format_count(count as u64);
    output.facts(&[
        ("customer", customer.customer.clone()),
        ("purchases", format!("{}, of {} items", count(customer.purchases), count(customer.items))),
        ("spent", format!("{:.2}", customer.spent)),
        ("first", customer.first.clone().unwrap_or_default()),
        ("last", customer.last.clone().unwrap_or_default()),
    ]);
    if !customer.latest.is_empty() {
        output.line("");
        output.table(
            &["bought", "title", "id", "pieces#", "price#", "basket"],
            customer.latest.iter().map(|line| {
                vec![
                    line.time.clone(),
                    line.title.clone().unwrap_or_else(|| line.item.clone()),
                    line.item.clone(),
                    line.quantity.to_string(),
                    price(line.price),
                    line.basket.clone().unwrap_or_default(),
                ]
            }),
        );
    }
    output.line("");
    let Some(recommended) = &customer.recommended else {
        return output.line("nothing was recommended yet: `foretell-retail recommend CUSTOMER` does it");
    };
    output.line(&format!("recommended at {}, by {}:", recommended.asked_at, recommended.plugin));
    output.table(
        &["title", "id", "score#", "why"],
        recommended.items.iter().take(RECOMMENDED_SHOWN_MAX).map(|line| {
            vec![
                line.title.clone().unwrap_or_else(|| line.item.clone()),
                line.item.clone(),
                line.score.map(|score| format!("{score:.4}")).unwrap_or_default(),
                line.because.clone(),
            ]
        }),
    );
}

fn draw_item(output: Output, catalogue: &Catalogue, item: &Item) {
    let Entry { title, brand, category, in_stock, .. } = &item.entry;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let stock = match in_stock {
        Some(true) => "in stock",
        Some(false) => "out of stock",
        None => "",
    };
    let mut facts = vec![("item", item.entry.item.clone())];
    if item.in_catalogue {
        facts.extend([
            ("title", text(title)),
            ("brand", text(brand)),
            ("category", text(category)),
            ("price", price(item.entry.price)),
            ("stock", stock.to_owned()),
        ]);
    } else {
        facts.push(("title", "not in the catalogue".to_owned()));
    }
    let counts = [item.purchases, item.customers].map(|count| format_count(count as u64));
    facts
        .push(("bought", format!("{} times, {} pieces, by {} customers", counts[0], item.pieces, counts[1])));
    if let (Some(first), Some(last)) = (&item.first, &item.last) {
        facts.push(("first", first.clone()));
        facts.push(("last", last.clone()));
    }
    if !item.months.is_empty() {
        let shown = &item.months[item.months.len().saturating_sub(MONTHS_SHOWN_MAX)..];
        facts.push(("by month", bars(shown, shown.iter().copied().fold(0.0, f64::max))));
    }
    output.facts(&facts);
    output.line("");
    match (&item.similar, &item.not_similar) {
        (Some(similar), _) if similar.items.is_empty() => {
            output.line(&format!(
                "nothing was bought together with {} yet",
                named(catalogue, &item.entry.item)
            ));
        }
        (Some(similar), _) => {
            output.line(&format!("similar items, by {}:", similar.plugin));
            similar.draw(output, SIMILAR_SHOWN);
        }
        (None, reason) => {
            output.line(&format!("no similar items: {}", reason.as_deref().unwrap_or_default()));
        }
    }
}
