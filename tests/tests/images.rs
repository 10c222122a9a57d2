//! Images of records, from a stored file to a plugin's answer: decoded, made alike, predicted, set aside, verified, explained.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use foretell_jobs::{Answer, JobOptions, Program, VerifyOptions, answer, verify};
use foretell_runtime::attention::AttentionErrorKind;
use foretell_runtime::manifest::Manifest;
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::Existing;
use foretell_store::deployment::Role;
use foretell_store::job::JobState;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewMedium, NewRecord, Outcome, SourceInfo, SourceKind};
use foretell_store::selection::Selection;
use foretell_tests::{Workshop, image_column, library, onnx_runtime, plugin_directory, score};
use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};

/// Rows and columns of what the plugin wants to see.
const HEIGHT: u32 = 4;
const WIDTH: u32 = 2;

/// The manifest of the plugin that looks at images.
fn manifest(image: &str) -> String {
    format!(
        r#"
schema = 1
[plugin]
name = "gaze"
version = "1.0.0"
description = "looks at images"
license = "MIT"
authors = ["The foretell developers"]
domain = "sight"
task = "binary-classification"
abi = "1.0"
library = "foretell_gaze"
[[input]]
name = "image"
type = "image"
{image}
[output]
labels = ["dark", "bright"]
positive = "bright"
[output.novelty]
threshold = 100.0
"#
    )
}

const SIZED: &str = "image = { width = 2, height = 4, channels = \"grey\", filter = \"nearest\" }";

/// A workshop with the plugin installed, its store, and the plugin loaded.
struct Sight {
    workshop: Workshop,
    store: Store,
    runtime: Arc<Runtime>,
    plugin: Arc<Plugin>,
}

impl Sight {
    async fn new(image: &str) -> Self {
        let workshop = Workshop::default();
        let directory = plugin_directory(&workshop.path("gaze"), &manifest(image), &library("foretell_gaze"));
        let installed = workshop.registry().install(&directory, Existing::Keep).unwrap();
        let verified = workshop.registry().verify(&installed).unwrap();
        let runtime = onnx_runtime();
        let plugin = Arc::new(Plugin::load(&runtime, verified, &LoadOptions::default()).unwrap());
        let store = Store::create_or_open(workshop.database()).await.unwrap();
        Self { workshop, store, runtime, plugin }
    }

    /// Stores a record for each: the text that names its image, and the files that come with it.
    async fn keep(&self, records: Vec<(String, Vec<Vec<u8>>)>) -> Vec<i64> {
        let source = SourceInfo { kind: SourceKind::File, name: "images".into(), hash: None, mapping: None };
        let mut appender = Appender::begin(&self.store, "sight", vec![], source).await.unwrap();
        let records = records.into_iter().enumerate().map(|(number, (name, files))| NewRecord {
            external_id: Some(number.to_string()),
            event_time: number as i64,
            payload: serde_json::json!({ "image": name }).to_string(),
            keys: vec![],
            labels: vec![],
            media: files.into_iter().map(medium).collect(),
        });
        let outcomes = appender.append(records.collect()).await.unwrap();
        outcomes.into_iter().map(Outcome::record_id).collect()
    }

    async fn answers(&self, ids: &[i64]) -> Vec<Answer> {
        let program = Program::new("test", "0", &self.runtime);
        let (_, answers) = answer(&self.store, &self.plugin, &program, Role::Champion, ids).await.unwrap();
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

fn medium(data: Vec<u8>) -> NewMedium {
    NewMedium { field: "image".into(), media_type: "image/png".into(), data: data.into() }
}

/// A record whose image is this file.
fn named(file: Vec<u8>) -> (String, Vec<Vec<u8>>) {
    (medium(file.clone()).hash(), vec![file])
}

fn grey(pixel: impl Fn(u32, u32) -> u8, width: u32, height: u32) -> Vec<u8> {
    let image = GrayImage::from_fn(width, height, |x, y| Luma([pixel(x, y)]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn predicted(answer: &Answer) -> (f64, &str, serde_json::Value) {
    match answer {
        Answer::Predicted(predicted) => (
            predicted.score.unwrap(),
            predicted.label.as_deref().unwrap(),
            serde_json::from_str(predicted.output.as_deref().unwrap()).unwrap(),
        ),
        Answer::Refused { reason, .. } => panic!("refused: {reason}"),
    }
}

fn refused(answer: &Answer) -> (Option<&str>, &str) {
    match answer {
        Answer::Refused { field, reason } => (field.as_deref(), reason),
        Answer::Predicted(predicted) => panic!("{predicted:?}"),
    }
}

#[tokio::test]
async fn a_plugin_sees_what_is_in_the_file_whatever_its_size_and_colours() {
    let sight = Sight::new(SIZED).await;
    let dark = grey(|_, y| if y < 2 { 0 } else { 40 }, WIDTH, HEIGHT);
    // Twice as wide and high: each pixel four times, which stretching takes back.
    let wide = grey(|_, y| if y < 4 { 0 } else { 40 }, 2 * WIDTH, 2 * HEIGHT);
    let red = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([255, 0, 0]));
    let mut coloured = Cursor::new(Vec::new());
    red.write_to(&mut coloured, ImageFormat::Png).unwrap();
    let half = grey(|x, _| if x == 0 { 0 } else { 255 }, WIDTH, HEIGHT);
    let ids = sight.keep([dark, wide, coloured.into_inner(), half].map(named).into()).await;
    let answers = sight.answers(&ids).await;
    // Brightness of red by ITU-R BT.601: 0.299 * 255 = 76.2.
    let expected = [(20.0, 20.0), (20.0, 20.0), (76.0, 0.0), (127.5, 127.5)];
    for (answer, (mean, deviation)) in answers.iter().zip(expected) {
        let (score, label, output) = predicted(answer);
        assert!((score - mean / 255.0).abs() < 1e-6, "{score} for {mean}");
        assert_eq!(label, if score >= 0.5 { "bright" } else { "dark" });
        assert_eq!(output["novelty"].as_f64(), Some(deviation));
        assert_eq!(output["unfamiliar"], deviation >= 100.0);
    }
}

#[tokio::test]
async fn images_keep_their_sizes_where_none_is_stated() {
    let sight = Sight::new("image = { channels = \"rgb\" }").await;
    let files: Vec<_> = (1..=9u8).map(|side| grey(|_, _| side * 20, side.into(), 3)).collect();
    let ids = sight.keep(files.into_iter().map(named).collect()).await;
    for (place, answer) in (1..=9).zip(sight.answers(&ids).await) {
        let (score, ..) = predicted(&answer);
        assert!((score - f64::from(place) * 20.0 / 255.0).abs() < 1e-6);
    }
}

/// What names an image, the files that come with it, and the words of the reason why it can't be seen.
type Mixed = (String, Vec<Vec<u8>>, Option<&'static str>);

/// Records of which some have no image that could be seen, and why not: the words that the reason must have.
fn mixed() -> Vec<Mixed> {
    let good = |level: u8| grey(move |x, y| level + (x * 3 + y) as u8, WIDTH, HEIGHT);
    let whole = |level| {
        let (name, files) = named(good(level));
        (name, files, None)
    };
    let wrong = |(name, files): (String, Vec<Vec<u8>>), words| (name, files, Some(words));
    let mut cut = good(90);
    cut.truncate(cut.len() / 2);
    let (hash, file) = named(good(70));
    let unknown = blake3::hash(b"nowhere").to_hex().to_string();
    vec![
        whole(30),
        wrong((unknown, vec![]), "there is no such blob"),
        whole(50),
        wrong(named(b"no image at all".to_vec()), "begins with"),
        wrong(named(cut), "ends too early"),
        wrong((format!("{hash}#2"), file), "frame"),
        wrong((format!("{hash}#two"), vec![]), "frame `two`"),
        (format!("{hash}#1"), vec![], None),
        wrong(named(grey(|_, _| 13, WIDTH, HEIGHT)), "panicked"),
        wrong(named(grey(|_, _| 23, WIDTH, HEIGHT)), "NaN"),
        whole(200),
    ]
}

#[tokio::test]
async fn what_can_not_be_seen_is_set_aside_with_the_reason_and_the_rest_goes_on() {
    let sight = Sight::new(SIZED).await;
    let records = mixed();
    let reasons: Vec<_> = records.iter().map(|(_, _, reason)| *reason).collect();
    let ids = sight.keep(records.into_iter().map(|(name, files, _)| (name, files)).collect()).await;
    let online = sight.answers(&ids).await;
    for ((answer, reason), number) in online.iter().zip(&reasons).zip(1..) {
        match reason {
            None => drop(predicted(answer)),
            Some(words) => {
                let (field, reason) = refused(answer);
                assert!(reason.contains(words), "record {number}: `{reason}` has no `{words}`");
                let is_image = field == Some("image");
                assert_eq!(is_image, !["panicked", "NaN"].contains(words), "record {number}: {field:?}");
            }
        }
    }

    // A job says the same of each, whatever the size of its chunks.
    for chunk in [1, 3, 64] {
        let mut options = JobOptions::new(Selection::default());
        options.chunk_records = chunk;
        let job =
            score(&sight.workshop, &sight.store, &sight.plugin, &sight.runtime, &options).await.unwrap();
        assert_eq!(job.state, JobState::Done);
        let good = reasons.iter().filter(|reason| reason.is_none()).count() as u64;
        let run = job.run_id;
        assert_eq!(sight.store.count_predictions(run).await.unwrap(), good, "chunks of {chunk}");
        let page = foretell_store::prediction::PredictionFilter::Run { run_id: run, after: None };
        for prediction in sight.store.predictions(page, 100).await.unwrap() {
            let place = ids.iter().position(|id| *id == prediction.record_id).unwrap();
            let (score, label, output) = predicted(&online[place]);
            assert_eq!(prediction.score, Some(score));
            assert_eq!(prediction.label.as_deref(), Some(label));
            let stored: serde_json::Value = serde_json::from_str(&prediction.output.unwrap()).unwrap();
            assert_eq!(stored, output);
        }
        let options = VerifyOptions { run: Some(run), limit: 100, tolerance: 0.0 };
        let report =
            verify(&sight.store, &sight.workshop.registry(), &sight.runtime, options, |_| {}).await.unwrap();
        assert_eq!((report.predictions, report.equal), (good, good));
    }
}

/// Records of these images as the plugin is given them.
fn batch(images: &[[u8; 8]]) -> RecordBatch {
    let manifest = Manifest::parse(&manifest(SIZED), Path::new("plugin.toml")).unwrap();
    let schema = Arc::new(manifest.records_schema());
    let images: Vec<_> = images.iter().map(|image| image.to_vec()).collect();
    let column = image_column(schema.field(0).data_type(), &images, HEIGHT as i32, WIDTH as i32);
    RecordBatch::try_new(schema, vec![Arc::new(column)]).unwrap()
}

#[tokio::test]
async fn a_plugin_says_where_it_looked_and_lies_are_noticed() {
    let sight = Sight::new(SIZED).await;
    assert!(sight.plugin.has_attention());
    let images: Vec<[u8; 8]> =
        (0..20u8).map(|row| std::array::from_fn(|place| 100 + row + place as u8)).collect();
    let all = batch(&images);
    // Any part of a batch, as halving would cut it.
    for (first, length) in [(0, 20), (0, 1), (7, 5), (19, 1), (3, 0)] {
        let maps = sight.plugin.attend(&all.slice(first, length)).unwrap();
        assert_eq!(maps.len(), length);
        for (map, image) in maps.iter().zip(&images[first..]) {
            assert_eq!((map.height, map.width), (HEIGHT as usize, 1));
            let rows = image.chunks(2).map(|row| f32::midpoint(row[0].into(), row[1].into()));
            assert_eq!(map.classes, [rows.collect::<Vec<_>>()]);
        }
    }
    let kind = |first: u8| sight.plugin.attend(&batch(&[[first; 8]])).unwrap_err().kind;
    assert!(matches!(kind(17), AttentionErrorKind::Shape { height: 4, width: 1, expected: 1, found: 5 }));
    assert_eq!(kind(19), AttentionErrorKind::NotFinite("NaN".to_owned()));
    let panicked = kind(13).to_string();
    assert!(panicked.contains("an image begins with 13"), "{panicked}");
    assert_eq!(sight.plugin.attend(&all).unwrap().len(), 20, "the instance lives on");
}

#[tokio::test]
async fn a_file_that_was_changed_in_the_database_is_noticed() {
    let sight = Sight::new(SIZED).await;
    let ids = sight.keep(vec![named(grey(|_, _| 50, WIDTH, HEIGHT))]).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(sight.store.path());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE blob SET data = zeroblob(length(data))").execute(&mut other).await.unwrap();
    let answers = sight.answers(&ids).await;
    let (field, reason) = refused(&answers[0]);
    assert_eq!(field, Some("image"));
    assert!(reason.contains("its content has changed"), "{reason}");
}
