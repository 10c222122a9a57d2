//! `foretell-retail similar`

use foretell_store::open::Store;
use foretell_store::time::now;
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;

use super::ask::{List, Wish, list, named, unknown};
use super::model::Model;
use crate::arguments::{Limits, Similar};
use crate::catalogue::Catalogue;
use crate::question::Question;
use crate::reason::Asked;

#[derive(Serialize)]
struct Report {
    item: String,
    #[serde(flatten)]
    list: List,
}

pub(super) async fn run(place: &Place, output: Output, command: &Similar) -> Result<u8, Failure> {
    let store = place.open_patiently().await?;
    let model = Model::load(&super::batch(place, output), &store, command.limits.plugin.as_deref()).await?;
    let model = model.with(place, command.limits.settings.set.clone())?;
    let mut catalogue = Catalogue::default();
    if !unknown(&store, &mut catalogue, std::slice::from_ref(&command.item)).await?.is_empty() {
        return Err(super::unknown_item(&command.item));
    }
    let list = similar(&store, &model, &mut catalogue, &command.item, &command.limits).await?;
    list.check()?;
    let report = Report { item: command.item.clone(), list };
    output.show(&report, |output| {
        output.line(&format!("similar to {}, by {}:", named(&catalogue, &report.item), report.list.plugin));
        output.line("");
        report.list.draw(output, command.limits.count);
    });
    Ok(exit::DONE)
}

/// Asks what is similar to an item.
pub(super) async fn similar(
    store: &Store,
    model: &Model,
    catalogue: &mut Catalogue,
    item: &str,
    limits: &Limits,
) -> Result<List, Failure> {
    let wish = Wish { limits, pinned: &[], asked: Asked::Similar, at: now(), command: "similar" };
    let question = Question { customer: None, items: vec![item.to_owned()], count: 0 };
    list(store, model, catalogue, question, &wish).await
}
