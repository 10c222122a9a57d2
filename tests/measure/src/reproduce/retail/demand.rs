//! Demand for car parts: the last 12 of 51 months from those before them.

use std::path::Path;

use foretell_insight::forecast::ForecastReport;
use foretell_terminal::{Failure, Output, format_count};
use serde::Deserialize;

use super::DEMAND;
use super::published::CAR_PARTS_MASE;
use crate::figures::Figures;
use crate::machine;
use crate::product::Product;
use crate::shop::{self, APP};

/// What `foretell-retail forecast --all --evaluate N --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Evaluated {
    forecast: ForecastReport,
}

pub(super) fn measure(data: &Path, figures: &mut Figures) -> Result<ForecastReport, Failure> {
    let file = shop::directory(data, "demand")?.join("carparts_monthly.csv");
    let product = Product::fresh(&machine::scratch()?.join("retail").join("demand"))?;
    product.install(DEMAND)?;
    let import = ["import".into(), "demand".into(), file.into_os_string(), "--json".into()];
    product.run::<std::ffi::OsString>(APP, import)?.succeeded()?;
    let words = ["forecast", "--all", "--every", "month", "--evaluate", "12", "--json"];
    let (Evaluated { forecast: report }, _) = product.ask(APP, words)?;
    figures.set("retail.demand.rmse", report.rmse.value);
    figures.set("retail.demand.mae", report.mae.value);
    figures.set("retail.demand.mase", report.mase.map(|estimate| estimate.value));
    for quantile in &report.quantiles {
        let level = (quantile.level.get() * 100.0).round();
        figures.set(format!("retail.demand.pinball_loss_p{level:02}"), quantile.pinball_loss.value);
    }
    if let Some(interval) = &report.interval {
        figures.set("retail.demand.interval_coverage", interval.coverage.value);
    }
    Ok(report)
}

pub(super) fn draw(output: Output, report: &ForecastReport) {
    output.line(&format!("\ncar parts: 12 months of {} parts", format_count(report.series as u64)));
    let mut rows = vec![
        vec!["RMSE of the mean".to_owned(), format!("{:.3}", report.rmse.value)],
        vec!["MAE of the mean".to_owned(), format!("{:.3}", report.mae.value)],
    ];
    for quantile in &report.quantiles {
        let name = format!("pinball loss at {}", quantile.level.get());
        rows.push(vec![name, format!("{:.4}", quantile.pinball_loss.value)]);
    }
    if let Some(interval) = &report.interval {
        rows.push(vec![
            format!("share between {} and {}", interval.low.get(), interval.high.get()),
            format!("{:.3}", interval.coverage.value),
        ]);
    }
    if let Some(mase) = report.mase {
        rows.push(vec!["MASE (rewards forecasting nothing)".to_owned(), format!("{:.3}", mase.value)]);
    }
    output.table(&["foretell", "figure#"], rows);
    output.table(
        &["published (Monash archive)", "MASE#"],
        CAR_PARTS_MASE.iter().map(|(model, mase)| vec![(*model).to_owned(), format!("{mase:.3}")]),
    );
}
