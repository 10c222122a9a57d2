//! `reproduce medical`: chest films of children, films of grown-ups that the model must not know, and slices of brains, through the program that people run.
//!
//! Each set is imported into a database of its own, predicted in a job and evaluated by `foretell-medical`; a figure is what its JSON says.
//!
//! **Invariant:** figures of quality come from the program's own JSON; nothing is computed here a second time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_terminal::{Failure, Output};
use serde::Deserialize;
use serde_json::Value;

use crate::figures::Figures;
use crate::product::Product;
use crate::program::say;
use crate::reproduce::check::Check;
use crate::reproduce::{draw_checks, verdict};
use crate::{machine, python};

/// The app.
const APP: &str = "foretell-medical";
/// The plugins' recipe, from the workspace's root.
const RECIPE: &str = "plugins/medical/training";
/// Plugins by the problem of the recipe that they come from, each with the file that the recipe writes for it.
const PLUGINS: [(&str, &[(&str, &str)]); 2] = [
    ("chest", &[("medical-chest-xray", "network.onnx")]),
    ("brain", &[("medical-brain-tumor", "network.onnx"), ("medical-brain-outline", "outline/network.onnx")]),
];
/// What the version of a plugin with models that were trained anew is called.
const BUILD: &str = "reproduced";

/// The largest share of the test films that may be called unfamiliar, and the smallest of the films of grown-ups.
const TEST_FLAGGED_MAX: f64 = 0.05;
const NIH_FLAGGED_MIN: f64 = 0.90;

/// Published figures on the same 624 films: model, side of its input, AUC, accuracy, sensitivity, specificity.
type Published = (&'static str, &'static str, [Option<f64>; 4]);
/// Kermany et al. 2018, Cell 172, page 1127; the others from Doerrich et al. 2025, Scientific Reports, the figure of
/// PneumoniaMNIST (means of three seeds, networks that began with ImageNet's weights), and Yang et al. 2023, Scientific Data
/// 10:41. MedMNIST crops to a square, where these films are stretched, so the comparison is near, not exact.
const PUBLISHED: [Published; 6] = [
    ("Kermany 2018, Inception-v3", "299", [Some(0.968), Some(0.928), Some(0.932), Some(0.901)]),
    ("MedMNIST+, ResNet-18", "224", [Some(0.9804), Some(0.9113), None, None]),
    ("MedMNIST+, DenseNet-121", "128", [Some(0.9875), Some(0.8980), None, None]),
    ("MedMNIST+, VGG16", "64", [Some(0.9869), Some(0.8926), None, None]),
    ("MedMNIST+, ViT-B/16", "128", [Some(0.9681), Some(0.8376), None, None]),
    ("MedMNIST, Google AutoML Vision", "28", [Some(0.991), Some(0.946), None, None]),
];

/// What `foretell-medical evaluate --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Document {
    evaluations: Vec<Evaluation>,
}

#[derive(Deserialize)]
struct Evaluation {
    images: u64,
    refused: u64,
    unfamiliar_share: Option<f64>,
    all: Value,
    familiar: Option<Value>,
}

/// A figure and its interval, somewhere in an evaluation.
#[derive(Clone, Copy)]
struct Figure {
    value: f64,
    interval: Option<(f64, f64)>,
}

/// Reproduces the figures of the medical models. The exit code says whether all checks held.
pub(crate) fn medical(output: Output, data: &Path, train: bool) -> Result<u8, Failure> {
    let place = |name: &str| {
        [data.join(name), data.join("medical").join(name)].into_iter().find(|place| place.is_dir()).ok_or_else(|| {
            Failure::words(format!("there is no directory `{name}` in `{}`", data.display())).hint(Some(
                "name the directory that has `chest_xray_pneumonia`, `chest_xray_external_nih` and `brain_mri_tumor`",
            ))
        })
    };
    let (films, grown_ups, brains) =
        (place("chest_xray_pneumonia")?, place("chest_xray_external_nih")?, place("brain_mri_tumor")?);
    let product = Product::fresh(&machine::scratch()?.join("medical"))?;
    for (problem, plugins) in PLUGINS {
        let data = if problem == "chest" { &films } else { &brains };
        let model = if train { Some(trained(problem, data)?) } else { None };
        for (plugin, file) in plugins {
            install(&product, plugin, model.as_deref().map(|model| model.join(file)).as_deref())?;
        }
    }

    let test = ["--only", "split=test"];
    let chest = evaluated(&product, "chest", &films, "chest", &test)?;
    let nih = evaluated(&product, "nih", &grown_ups, "chest", &[])?;
    let outlines = brains.join("tumor_polygons.json");
    let outlines = outlines.to_string_lossy();
    let brain =
        evaluated(&product, "brain", &brains, "brain", &["--only", "split=test", "--outlines", &outlines])?;
    let [tumor, outline] = &brain[..] else {
        return Err(Failure::words("expected an evaluation of the tumour's type and one of its outline"));
    };
    let (chest, nih) = (first(&chest)?, first(&nih)?);

    let mut figures = Figures::default();
    note(&mut figures, chest, nih, tumor, outline);
    let checks = [
        Check::equal("chest films of the test set", 624, chest.images),
        Check::equal("films of grown-ups", 1000, nih.images),
        Check::equal("slices of brains of the test set", 609, tumor.images),
        Check::equal("slices with an outline", 609, outline.images),
        Check::equal("set aside", 0, chest.refused + nih.refused + tumor.refused + outline.refused),
        flagged("test films called unfamiliar", chest, |share| share <= TEST_FLAGGED_MAX, "at most 5 %"),
        flagged(
            "films of grown-ups called unfamiliar",
            nih,
            |share| share >= NIH_FLAGGED_MIN,
            "at least 90 %",
        ),
    ];
    output.show(&figures, |output| {
        draw_chest(output, chest, nih);
        draw_brain(output, tumor, outline);
        draw_checks(output, &checks);
    });
    Ok(verdict(&checks))
}

/// Trains a problem's networks by their recipe; the directory that they are written to.
fn trained(problem: &str, data: &Path) -> Result<PathBuf, Failure> {
    let recipe = machine::workspace().join(RECIPE);
    let python = python::environment("medical-python", &recipe.join("requirements.txt"))?;
    let output = machine::scratch()?.join("medical-models").join(problem);
    let mut command = Command::new(python);
    command.arg(recipe.join("train.py")).arg(problem).arg("--data").arg(data).arg("--output").arg(&output);
    python::run(&mut command)?;
    Ok(output)
}

/// Installs a plugin, with the network that was trained anew if there is one.
fn install(product: &Product, plugin: &str, network: Option<&Path>) -> Result<(), Failure> {
    let Some(network) = network else { return product.install(plugin) };
    let mut model = OsString::from("network=");
    model.push(network);
    let directory = machine::plugin_directory(plugin)?;
    let arguments: [OsString; 7] = [
        "plugin".into(),
        "install".into(),
        directory.into(),
        "--model".into(),
        model,
        "--build".into(),
        BUILD.into(),
    ];
    product.run("foretell", arguments)?.succeeded().map(drop)
}

/// Imports, predicts and evaluates a set in a database of its own.
fn evaluated(
    product: &Product,
    name: &str,
    folder: &Path,
    model: &str,
    intake: &[&str],
) -> Result<Vec<Evaluation>, Failure> {
    say(&format!("{name}: import, predict, evaluate"));
    let product = product.with_database(&product.database().with_file_name(format!("{name}.db")));
    let labels = folder.join("labels.csv");
    let mut arguments: Vec<OsString> =
        vec!["predict".into(), folder.into(), "--labels".into(), labels.into()];
    arguments.extend(intake.iter().map(Into::into));
    arguments.extend(["--model", model, "--json"].map(Into::into));
    product.run(APP, arguments)?.succeeded()?;
    let (document, _) = product.ask::<Document, _>(APP, ["evaluate", "--model", model, "--json"])?;
    Ok(document.evaluations)
}

fn first(evaluations: &[Evaluation]) -> Result<&Evaluation, Failure> {
    evaluations.first().ok_or_else(|| Failure::words("nothing was evaluated"))
}

/// The figure at a path such as `classification/roc_auc`.
fn figure(figures: &Value, path: &str) -> Option<Figure> {
    let found = figures.pointer(&format!("/{path}"))?;
    let interval = found.get("interval").filter(|interval| !interval.is_null());
    let end = |name: &str| interval.and_then(|interval| interval.get(name)?.as_f64());
    Some(Figure { value: found.get("value")?.as_f64()?, interval: end("low").zip(end("high")) })
}

const CHEST: [(&str, &str); 5] = [
    ("auc_roc", "classification/roc_auc"),
    ("accuracy", "decisions/accuracy"),
    ("sensitivity", "decisions/sensitivity"),
    ("specificity", "decisions/specificity"),
    ("average_precision", "classification/average_precision"),
];

fn note(
    figures: &mut Figures,
    chest: &Evaluation,
    nih: &Evaluation,
    tumor: &Evaluation,
    outline: &Evaluation,
) {
    let mut set = |name: String, found: Option<Figure>| {
        figures.set(name.clone(), found.map(|found| found.value));
        let interval = found.and_then(|found| found.interval).unzip();
        figures.set(format!("{name}_low"), interval.0);
        figures.set(format!("{name}_high"), interval.1);
    };
    for (name, path) in CHEST {
        set(format!("medical.chest.{name}"), figure(&chest.all, path));
        let familiar = chest.familiar.as_ref();
        set(format!("medical.chest.familiar.{name}"), familiar.and_then(|figures| figure(figures, path)));
    }
    let auc = |figures: &Value| figure(figures, "classification/roc_auc");
    set("medical.chest.nih_auc_roc".to_owned(), auc(&nih.all));
    set("medical.chest.nih_familiar_auc_roc".to_owned(), nih.familiar.as_ref().and_then(auc));
    for (name, path) in
        [("macro_auc", "macro_auc"), ("accuracy", "accuracy"), ("macro_recall", "macro_recall")]
    {
        set(format!("medical.brain.{name}"), figure(&tumor.all, path));
    }
    for (name, path) in [("dice", "dice"), ("dice_median", "dice_median"), ("iou", "intersection_over_union")]
    {
        set(format!("medical.brain.{name}"), figure(&outline.all, path));
    }
    figures.set("medical.chest.test_flagged", chest.unfamiliar_share);
    figures.set("medical.chest.nih_flagged", nih.unfamiliar_share);
    figures.set("medical.brain.test_flagged", tumor.unfamiliar_share);
}

fn flagged(what: &str, found: &Evaluation, holds: impl Fn(f64) -> bool, expected: &str) -> Check {
    let share = found.unfamiliar_share;
    let words = share.map_or("not told".to_owned(), |share| format!("{:.1} %", share * 100.0));
    Check::new(what, expected, words, share.is_some_and(holds))
}

fn cell(found: Option<Figure>) -> String {
    match found {
        None => String::new(),
        Some(Figure { value, interval: None }) => format!("{value:.4}"),
        Some(Figure { value, interval: Some((low, high)) }) => format!("{value:.4} ({low:.4} to {high:.4})"),
    }
}

fn draw_chest(output: Output, chest: &Evaluation, nih: &Evaluation) {
    output.line(&format!("\nPneumonia on the official test set, {} chest films of children", chest.images));
    let own = |name: &str, figures: &Value| {
        let figures = CHEST.iter().take(4).map(|(_, path)| cell(figure(figures, path)));
        [name.to_owned(), "160".to_owned()].into_iter().chain(figures).collect::<Vec<_>>()
    };
    let mut rows = vec![own("foretell, as it ships", &chest.all)];
    rows.extend(chest.familiar.as_ref().map(|figures| own("the same, without unfamiliar ones", figures)));
    rows.extend(PUBLISHED.map(|(model, side, figures)| {
        let figures = figures.map(|figure| figure.map(|figure| format!("{figure:.4}")).unwrap_or_default());
        [model.to_owned(), side.to_owned()].into_iter().chain(figures).collect()
    }));
    output.table(&["model", "pixels#", "ROC AUC#", "accuracy#", "sensitivity#", "specificity#"], rows);

    let percent =
        |share: Option<f64>| share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default();
    let auc =
        |figures: Option<&Value>| cell(figures.and_then(|figures| figure(figures, "classification/roc_auc")));
    output.line("\nWhat the model was not trained on");
    output.table(
        &["films", "count#", "called unfamiliar#", "ROC AUC of all#", "ROC AUC of the others#"],
        [("children, test", chest), ("grown-ups, NIH", nih)].map(|(name, found)| {
            vec![
                name.to_owned(),
                found.images.to_string(),
                percent(found.unfamiliar_share),
                auc(Some(&found.all)),
                auc(found.familiar.as_ref()),
            ]
        }),
    );
}

fn draw_brain(output: Output, tumor: &Evaluation, outline: &Evaluation) {
    output.line(&format!("\nTumours, block-wise test split, {} slices of MRI", tumor.images));
    let rows = [
        ("macro ROC AUC", figure(&tumor.all, "macro_auc")),
        ("accuracy", figure(&tumor.all, "accuracy")),
        ("macro recall", figure(&tumor.all, "macro_recall")),
        ("Dice of the outline, mean over images", figure(&outline.all, "dice")),
        ("Dice of the outline, median", figure(&outline.all, "dice_median")),
    ];
    output.table(&["figure", "value#"], rows.map(|(name, found)| vec![name.to_owned(), cell(found)]));
}
