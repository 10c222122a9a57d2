//! `reproduce retail`: next items on public sets of purchases, baskets, and demand for car parts, through the programs that people run.
//!
//! For each set, in a fresh directory below the target directory: import catalogue and sequences, learn item-kNN on all but the last two purchases of
//! each customer, train the Transformer by its recipe on the same (once; `--train` does it again), and hold the answers against the last purchase, over
//! the full catalogue, without what the customer already has.
//!
//! **Invariant:** figures of quality come from the programs' own JSON; nothing is computed here a second time.

mod demand;
mod published;
mod untied;

use std::path::Path;

use foretell_insight::retrieval::{Cutoff, RankingReport};
use foretell_terminal::{Failure, Output, format_count};
use serde::Deserialize;

use self::published::{Published, SETS, Set};
use crate::figures::Figures;
use crate::machine;
use crate::product::Product;
use crate::program::say;
use crate::reproduce::check::Check;
use crate::reproduce::{draw_checks, verdict};
use crate::shop::{self, APP, DEMAND, ITEM_KNN};

/// The last purchases; what came before them is for learning, and one day of validation between.
const TEST: &str = "2000-01-03";
/// Everything that may be learned from stands before.
const LEARNED_BEFORE: &str = "2000-01-01";

/// What `foretell-retail evaluate --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Evaluated {
    recommended: Option<RankingReport>,
    popularity: RankingReport,
}

/// One model on one set.
struct Row {
    model: &'static str,
    report: RankingReport,
}

/// What was found on one set.
struct Found {
    set: &'static Set,
    rows: Vec<Row>,
    /// The same on customers whose last purchase was surely made on another day than the one before.
    untied: Vec<Row>,
}

/// Reproduces the figures of the shop's models. The exit code says whether all checks held.
pub(crate) fn retail(output: Output, data: &Path, train: bool) -> Result<u8, Failure> {
    let (mut figures, mut checks, mut found) = (Figures::default(), Vec::new(), Vec::new());
    for set in &SETS {
        found.push(next_items(set, data, train, &mut figures, &mut checks)?);
    }
    let baskets = baskets(data, &mut figures)?;
    let demand = demand::measure(data, &mut figures)?;
    output.show(&figures, |output| {
        for found in &found {
            draw(output, found);
        }
        draw_baskets(output, &baskets);
        demand::draw(output, &demand);
        draw_checks(output, &checks);
    });
    Ok(verdict(&checks))
}

fn next_items(
    set: &'static Set,
    data: &Path,
    train: bool,
    figures: &mut Figures,
    checks: &mut Vec<Check>,
) -> Result<Found, Failure> {
    let name = set.name;
    let directory = shop::directory(data, name)?;
    let model = shop::model(&directory, name, train)?;
    let product = Product::fresh(&machine::scratch()?.join("retail").join(name))?;
    product.install(ITEM_KNN)?;
    let transformer = shop::install_next_item(&product, &model, name)?;
    let stored = shop::import(&product, &directory)?;
    checks.push(Check::equal(format!("{name}: purchases"), set.purchases, stored));

    let words = ["fit", "--plugin", ITEM_KNN, "--to", LEARNED_BEFORE, "--hold-out", "0", "--json"];
    let finished = product.run(APP, words)?.succeeded()?;
    figures.set(format!("retail.{name}.fit_item_knn_s"), finished.seconds);

    let evaluate = |plugin: &str, settings: &[&str], customers: Option<&Path>| {
        let mut words: Vec<std::ffi::OsString> =
            ["evaluate", "--plugin", plugin, "--from", TEST, "--top", "5,10", "--json"]
                .map(Into::into)
                .into();
        words.extend(settings.iter().map(Into::into));
        if let Some(customers) = customers {
            words.extend(["--customers".into(), customers.into()]);
        }
        product.ask::<Evaluated, _>(APP, words).map(|(evaluated, _)| evaluated)
    };
    let (mut rows, mut untied) = (Vec::new(), Vec::new());
    let list = product.database().with_file_name("untied.txt");
    let count = if name == "beauty" { untied::write(&directory, &list)? } else { 0 };
    let models: [(&str, &str, &[&str]); 3] = [
        ("transformer", transformer.as_str(), &[]),
        ("item_knn", ITEM_KNN, &[]),
        // Looks at directions, and so at the order of items that were bought on one day.
        ("item_knn_directed", ITEM_KNN, &["--set", "directed=1"]),
    ];
    for (model, plugin, settings) in models {
        say(&format!("{name}: {model}"));
        let all = evaluate(plugin, settings, None)?;
        if let Some(report) = all.recommended {
            checks.push(Check::equal(
                format!("{name}: customers asked, {model}"),
                set.customers,
                report.rows as u64,
            ));
            rows.push(Row { model, report });
        }
        if model == "item_knn" {
            rows.push(Row { model: "popularity", report: all.popularity });
        }
        if count > 0
            && let Some(report) = evaluate(plugin, settings, Some(&list))?.recommended
        {
            checks.push(Check::equal(
                format!("{name}: customers that are not tied, {model}"),
                count,
                report.rows,
            ));
            untied.push(Row { model, report });
        }
    }
    for row in &rows {
        note(figures, &format!("retail.{name}.{}", row.model), &row.report);
    }
    for row in &untied {
        note(figures, &format!("retail.{name}.untied.{}", row.model), &row.report);
    }
    Ok(Found { set, rows, untied })
}

/// Groceries: the last item of a basket from those before it.
fn baskets(data: &Path, figures: &mut Figures) -> Result<Vec<Row>, Failure> {
    let file = shop::directory(data, "groceries")?.join("groceries.csv");
    let product = Product::fresh(&machine::scratch()?.join("retail").join("groceries"))?;
    product.install(ITEM_KNN)?;
    let import = ["import".into(), "baskets".into(), file.into_os_string(), "--json".into()];
    product.run::<std::ffi::OsString>(APP, import)?.succeeded()?;
    // One basket a minute: four fifths of them are learned from, the rest is asked.
    let cut = "2000-01-06T11:00:00Z";
    let fit = ["fit", "--plugin", ITEM_KNN, "--to", cut, "--hold-out", "0", "--json"];
    product.run(APP, fit)?.succeeded()?;
    let evaluate =
        ["evaluate", "--baskets", "--plugin", ITEM_KNN, "--from", cut, "--top", "1,5,10", "--json"];
    let (evaluated, _) = product.ask::<Evaluated, _>(APP, evaluate)?;
    let model = evaluated.recommended.map(|report| Row { model: "item_knn", report });
    let popularity = Row { model: "popularity", report: evaluated.popularity };
    let rows: Vec<Row> = model.into_iter().chain([popularity]).collect();
    for row in &rows {
        note(figures, &format!("retail.groceries.{}", row.model), &row.report);
    }
    Ok(rows)
}

fn note(figures: &mut Figures, name: &str, report: &RankingReport) {
    for cutoff in &report.cutoffs {
        let Cutoff { k, coverage, gini, popularity, novelty, .. } = cutoff;
        figures.set(format!("{name}.hr_at_{k}"), cutoff.hit_rate.map(|estimate| estimate.value));
        figures.set(format!("{name}.ndcg_at_{k}"), cutoff.ndcg.map(|estimate| estimate.value));
        figures.set(format!("{name}.mrr_at_{k}"), cutoff.mrr);
        figures.set(format!("{name}.coverage_at_{k}"), *coverage);
        figures.set(format!("{name}.gini_at_{k}"), *gini);
        figures.set(format!("{name}.mean_popularity_at_{k}"), *popularity);
        figures.set(format!("{name}.novelty_at_{k}"), *novelty);
    }
}

const HEAD: [&str; 8] =
    ["model", "HR@5#", "NDCG@5#", "HR@10#", "NDCG@10#", "coverage@10#", "Gini@10#", "mean popularity@10#"];

fn draw(output: Output, found: &Found) {
    let Set { name, customers, published, .. } = found.set;
    output.line(&format!(
        "\n{name}: the last purchase of {} customers, full ranking",
        format_count(*customers)
    ));
    let rows = found.rows.iter().map(|row| own(&format!("foretell, {}", row.model), &row.report));
    output.table(&HEAD, rows.chain(published.iter().map(others)));
    if !found.untied.is_empty() {
        output.line("\nthe same, customers whose last two purchases were surely not made on one day");
        output.table(
            &HEAD,
            found.untied.iter().map(|row| own(&format!("foretell, {}", row.model), &row.report)),
        );
    }
}

fn draw_baskets(output: Output, rows: &[Row]) {
    output.line("\ngroceries: the last item of a basket from those before it");
    output.table(&HEAD, rows.iter().map(|row| own(&format!("foretell, {}", row.model), &row.report)));
}

fn own(model: &str, report: &RankingReport) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
    let at = |k: usize| report.cutoffs.iter().find(|cutoff| cutoff.k == k);
    let mut cells = vec![model.to_owned()];
    for k in [5, 10] {
        cells.push(number(at(k).and_then(|cutoff| cutoff.hit_rate).map(|estimate| estimate.value)));
        cells.push(number(at(k).and_then(|cutoff| cutoff.ndcg).map(|estimate| estimate.value)));
    }
    cells.push(at(10).map(|cutoff| format!("{:.3}", cutoff.coverage)).unwrap_or_default());
    cells.push(at(10).and_then(|cutoff| cutoff.gini).map(|gini| format!("{gini:.3}")).unwrap_or_default());
    cells.push(
        at(10).and_then(|cutoff| cutoff.popularity).map(|mean| format!("{mean:.0}")).unwrap_or_default(),
    );
    cells
}

fn others(published: &Published) -> Vec<String> {
    let figures =
        published.figures.map(|figure| figure.map(|figure| format!("{figure:.4}")).unwrap_or_default());
    let mut cells = vec![published.model.to_owned()];
    cells.extend(figures);
    cells.resize(HEAD.len(), String::new());
    cells
}
