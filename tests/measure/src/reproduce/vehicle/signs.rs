//! Traffic signs: the official test crops, stored and predicted as any record is.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use foretell_jobs::{Answer, Program, answer};
use foretell_media::draw::to_png;
use foretell_media::{Channels, Media, Picture, SampleType, Samples, View};
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_store::deployment::Role;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewMedium, NewRecord, SourceInfo, SourceKind};
use foretell_terminal::{Failure, Output};

use super::SIGNS;
use crate::figures::Figures;
use crate::machine;
use crate::product::Product;
use crate::program::say;
use crate::reproduce::check::Check;

/// The table of the test crops: `sheet,col,row,class_id,...`.
const TABLE: &str = "test.csv";
/// Sides of a crop, in pixels.
const SIDE: usize = 32;
/// Values of a pixel.
const CHANNELS: usize = 3;
/// Crops that are stored and asked about together.
const CROPS_TOGETHER: usize = 1024;
/// Crops of the official test set.
const CROPS: u64 = 12_630;
/// The share that must be read rightly.
const ACCURACY_MIN: f64 = 0.99;

/// Published shares on the same crops: Cireşan et al., "Multi-column deep neural network for traffic sign classification", Neural Networks
/// 32, 2012 (25 networks, 48 x 48 pixels); people and Sermanet and LeCun's network by Stallkamp et al., "Man vs. computer", ibid.
const PUBLISHED: [(&str, f64); 3] = [
    ("committee of 25 networks (Ciresan 2012)", 0.9946),
    ("people, on average (Stallkamp 2012)", 0.9884),
    ("multi-scale network (Sermanet 2011)", 0.9831),
];

/// How many signs were read.
#[derive(Default)]
pub(super) struct Signs {
    crops: u64,
    right: u64,
    refused: u64,
    unfamiliar: u64,
}

/// A crop, and which class it shows.
struct Crop {
    class: usize,
    png: Arc<[u8]>,
}

/// Stores all crops in a database, has the plugin read them, and counts.
pub(super) async fn measured(
    product: &Product,
    set: &Path,
    network: Option<&Path>,
) -> Result<Signs, Failure> {
    say("signs: store and predict");
    let runtime = Runtime::start(&Places::of_process(None)).map_err(|error| Failure::new(&error))?;
    let mut verified =
        Verified::trusting(&machine::plugin_directory(SIGNS)?).map_err(|error| Failure::new(&error))?;
    if let Some(network) = network {
        verified = verified.with_model("network", network, None).map_err(|error| Failure::new(&error))?;
    }
    let plugin =
        Plugin::load(&runtime, verified, &LoadOptions::default()).map_err(|error| Failure::new(&error))?;
    let plugin = Arc::new(plugin);
    let program = Program::new("foretell-measure", env!("CARGO_PKG_VERSION"), &runtime);
    let database = product.database().with_file_name("signs.db");
    let store = Store::create_or_open(&database).await.map_err(|error| Failure::new(&error))?;
    let mut signs = Signs::default();
    for (sheet, places) in table(&set.join(TABLE))? {
        let sheet = set.join(sheet);
        let picture = decoded(&sheet)?;
        for places in places.chunks(CROPS_TOGETHER) {
            let crops =
                places.iter().map(|place| cut(&picture, &sheet, place)).collect::<Result<Vec<_>, _>>()?;
            signs.add(&store, &plugin, &program, crops).await?;
        }
    }
    store.close().await;
    Ok(signs)
}

/// Where a crop stands in its sheet, and what it shows.
struct Place {
    column: usize,
    row: usize,
    class: usize,
}

/// The crops of each sheet, in the order of the table.
fn table(path: &Path) -> Result<Vec<(String, Vec<Place>)>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::words(format!("cannot read `{}`: {error}", path.display())))?;
    let mut sheets: Vec<(String, Vec<Place>)> = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let place = match fields[..] {
            [sheet, column, row, class, ..] => {
                let numbers = [column, row, class].map(|field| field.parse::<usize>().ok());
                let [column, row, class] = numbers;
                column.zip(row).zip(class).map(|((column, row), class)| (sheet, Place { column, row, class }))
            }
            _ => None,
        };
        let (sheet, place) = place.ok_or_else(|| {
            Failure::words(format!("line {} of `{}` is no crop: `{line}`", number + 1, path.display()))
        })?;
        match sheets.last_mut().filter(|(last, _)| last == sheet) {
            Some((_, places)) => places.push(place),
            None => sheets.push((sheet.to_owned(), vec![place])),
        }
    }
    Ok(sheets)
}

fn decoded(path: &Path) -> Result<Picture, Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::words(format!("cannot read `{}`: {error}", path.display())))?;
    let view = View { channels: Channels::Rgb, ..View::new(SampleType::U8) };
    Media::open_owned(bytes).and_then(|media| media.view(1, &view)).map_err(|error| Failure::new(&error))
}

/// A crop as a PNG file.
fn cut(sheet: &Picture, path: &Path, place: &Place) -> Result<Crop, Failure> {
    let width = sheet.width as usize;
    let (left, top) = (place.column * SIDE, place.row * SIDE);
    let Samples::U8(samples) = &sheet.samples else {
        return Err(Failure::words(format!("`{}` was not decoded as bytes", path.display())));
    };
    if left + SIDE > width || top + SIDE > sheet.height as usize {
        let words =
            format!("`{}` has no crop in column {} of row {}", path.display(), place.column, place.row);
        return Err(Failure::words(words));
    }
    let line = |row: usize| &samples[((top + row) * width + left) * CHANNELS..][..SIDE * CHANNELS];
    let samples = Samples::U8((0..SIDE).flat_map(line).copied().collect());
    let picture = Picture { width: SIDE as u32, height: SIDE as u32, channels: CHANNELS as u32, samples };
    let png = to_png(&picture).map_err(|error| Failure::new(&error))?;
    Ok(Crop { class: place.class, png: png.into() })
}

impl Signs {
    /// Stores crops, and counts what the plugin says of them.
    async fn add(
        &mut self,
        store: &Store,
        plugin: &Arc<Plugin>,
        program: &Program,
        crops: Vec<Crop>,
    ) -> Result<(), Failure> {
        let (domain, labels) = (&plugin.manifest().plugin.domain, &plugin.manifest().output.labels);
        let name = TABLE.to_owned();
        let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
        let mut appender = Appender::begin(store, domain, vec!["clip".to_owned()], source)
            .await
            .map_err(|error| Failure::new(&error))?;
        let records = (self.crops..).zip(&crops).map(|(number, crop)| {
            let medium = NewMedium {
                field: "image".to_owned(),
                media_type: "image/png".to_owned(),
                data: Arc::clone(&crop.png),
            };
            NewRecord {
                // Two crops may show the very same pixels.
                external_id: Some(format!("signs/{number}")),
                event_time: 0,
                payload: serde_json::json!({ "image": medium.hash(), "clip": "signs" }).to_string(),
                keys: vec![Some("signs".to_owned())],
                labels: Vec::new(),
                media: vec![medium],
            }
        });
        let stored = appender.append(records.collect()).await.map_err(|error| Failure::new(&error))?;
        appender.finish().await.map_err(|error| Failure::new(&error))?;
        let ids: Vec<i64> = stored.into_iter().map(|stored| stored.record_id()).collect();
        let (_, answers) = answer(store, plugin, program, Role::Champion, &ids)
            .await
            .map_err(|error| Failure::new(&error))?;
        let answers: HashMap<i64, Answer> = answers.into_iter().collect();
        for (id, crop) in ids.iter().zip(&crops) {
            self.crops += 1;
            match answers.get(id) {
                Some(Answer::Predicted(predicted)) => {
                    self.right += u64::from(predicted.label.as_ref() == labels.get(crop.class));
                    let output = predicted.output.as_deref().unwrap_or("{}");
                    let output: serde_json::Value = serde_json::from_str(output).unwrap_or_default();
                    self.unfamiliar += u64::from(output["unfamiliar"] == true);
                }
                _ => self.refused += 1,
            }
        }
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.right as f64 / self.crops as f64
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        figures.set("vehicle.signs.accuracy", self.accuracy());
        figures.set("vehicle.signs.unfamiliar", self.unfamiliar as f64 / self.crops as f64);
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let accuracy = self.accuracy();
        vec![
            Check::equal("crops of traffic signs", CROPS, self.crops),
            Check::equal("crops set aside", 0, self.refused),
            Check::new(
                "signs read rightly",
                format!("at least {:.1} %", ACCURACY_MIN * 100.0),
                format!("{:.2} %", accuracy * 100.0),
                accuracy >= ACCURACY_MIN,
            ),
        ]
    }

    pub(super) fn draw(&self, output: Output) {
        output.line(&format!("\nTraffic signs of 43 classes, {} test crops of the GTSRB", self.crops));
        let ours = ("foretell, as it ships (32 x 32 pixels)", self.accuracy());
        let rows = std::iter::once(ours).chain(PUBLISHED);
        output.table(
            &["reader", "right#"],
            rows.map(|(reader, share)| vec![reader.to_owned(), format!("{:.2} %", share * 100.0)]),
        );
        output.line(&format!("{} crops are called unfamiliar; they count like the others", self.unfamiliar));
    }
}
