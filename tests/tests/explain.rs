//! A stored image that is changed and predicted again: maps of where a score comes from, and whether they are true.

use std::io::Cursor;

use foretell_insight::explanation::{HeatMap, Occlusion, Perturbation, faithfulness, occlusion};
use foretell_jobs::{ImageProbe, ProbeError};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewMedium, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Workshop, library, onnx_runtime, plugin_directory};
use image::{GrayImage, ImageFormat, Luma};

/// What the plugin says that it wants to see.
const STRETCHED: &str = "width = 8, height = 8, channels = \"grey\"";
const BETWEEN_BARS: &str =
    "width = 8, height = 8, channels = \"grey\", fit = \"letterbox\", filter = \"nearest\"";

/// A plugin that says how bright an image is, and a store.
async fn sight(form: &str) -> (Workshop, Store, Plugin) {
    let manifest = format!(
        "schema = 1\n[plugin]\nname = \"gaze\"\nversion = \"1.0.0\"\ndescription = \"looks at images\"\nlicense = \"MIT\"\n\
         authors = [\"The foretell developers\"]\ndomain = \"sight\"\ntask = \"binary-classification\"\nabi = \"1.0\"\n\
         library = \"foretell_gaze\"\n[[input]]\nname = \"image\"\ntype = \"image\"\nimage = {{ {form} }}\n\
         [[input]]\nname = \"room\"\ntype = \"utf8\"\nrequired = false\n\
         [output]\nlabels = [\"dark\", \"bright\"]\npositive = \"bright\"\n[output.novelty]\nthreshold = 250.0\n\
         [limits]\nrows_max = 3\n"
    );
    let workshop = Workshop::default();
    let directory = plugin_directory(&workshop.path("gaze"), &manifest, &library("foretell_gaze"));
    let installed = workshop.registry().install(&directory, Existing::Keep).unwrap();
    let verified = workshop.registry().verify(&installed).unwrap();
    let plugin = Plugin::load(&onnx_runtime(), verified, &LoadOptions::default()).unwrap();
    let store = Store::create_or_open(workshop.database()).await.unwrap();
    (workshop, store, plugin)
}

/// Stores an image, and returns its record.
async fn keep(store: &Store, width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) -> i64 {
    let mut bytes = Cursor::new(Vec::new());
    let image = GrayImage::from_fn(width, height, |x, y| Luma([pixel(x, y)]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let media_type = "image/png".to_owned();
    let medium = NewMedium { field: "image".to_owned(), media_type, data: bytes.into_inner().into() };
    let record = NewRecord {
        external_id: None,
        event_time: 0,
        payload: serde_json::json!({ "image": medium.hash(), "room": "7" }).to_string(),
        keys: vec![],
        labels: vec![],
        media: vec![medium],
    };
    let source = SourceInfo { kind: SourceKind::File, name: "images".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(store, "sight", vec![], source).await.unwrap();
    appender.append(vec![record]).await.unwrap()[0].record_id()
}

/// Bright in the left upper quarter, dark elsewhere.
fn corner(x: u32, y: u32) -> u8 {
    if x < 4 && y < 4 { 200 } else { 20 }
}

#[tokio::test]
async fn hiding_what_is_bright_makes_the_score_fall_and_the_same_is_said_twice() {
    let (_workshop, store, plugin) = sight(STRETCHED).await;
    let record = keep(&store, 8, 8, corner).await;
    let mut said = Vec::new();
    for _ in 0..2 {
        let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
        // Not more than the plugin takes in a call.
        assert_eq!(probe.images_at_once(), 3);
        let image = probe.image().unwrap();
        let bright = probe.class("bright").unwrap();
        let settings =
            Occlusion { patch: 4, stride: 4, batch: probe.images_at_once(), ..Occlusion::default() };
        let found = occlusion(&image, &settings, |copies| probe.scores(copies, bright)).unwrap();
        assert_eq!(f64::from(found.score), probe.answer().unwrap().score.unwrap());
        assert!(found.map.at(0, 0) > 0.01 && found.map.at(7, 7).abs() < found.map.at(0, 0));

        let settings = Perturbation { cell: 2, batch: 3, seed: 1, ..Perturbation::default() };
        let tried =
            faithfulness(&image, &found.map, &settings, |copies| probe.scores(copies, bright)).unwrap();
        assert!(tried.is_better_than_random());
        said.push(serde_json::to_string(&(found, tried)).unwrap());
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(
        store.predictions(foretell_store::prediction::PredictionFilter::Record(record), 9).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn what_speaks_for_one_of_two_classes_speaks_against_the_other() {
    let (_workshop, store, plugin) = sight(STRETCHED).await;
    let record = keep(&store, 8, 8, corner).await;
    let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
    let (dark, bright) = (probe.class("dark").unwrap(), probe.class("bright").unwrap());
    let image = probe.image().unwrap();
    let copy = foretell_insight::explanation::Batch {
        height: image.height(),
        width: image.width(),
        channels: image.channels(),
        samples: image.samples(),
    };
    let score = |class| probe.scores(copy, class).unwrap()[0];
    assert!((score(dark) + score(bright) - 1.0).abs() < 1e-6);
    // The plugin says how bright each row is.
    let rows = [110.0, 110.0, 110.0, 110.0, 20.0, 20.0, 20.0, 20.0];
    assert_eq!(probe.attention(bright).unwrap().values(), rows);
    assert_eq!(probe.attention(dark).unwrap().values(), rows.map(|row: f32| -row));
}

#[tokio::test]
async fn a_map_lies_over_the_picture_whatever_the_plugin_saw_of_it() {
    let (_workshop, store, plugin) = sight(BETWEEN_BARS).await;
    // Half as high as wide: two rows of bars above and below.
    let record = keep(&store, 8, 4, |_, y| if y == 0 { 240 } else { 40 }).await;
    let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
    let seen = probe.attention(probe.class("bright").unwrap()).unwrap();
    assert_eq!(seen.values(), [0.0, 0.0, 240.0, 40.0, 40.0, 40.0, 0.0, 0.0]);
    let laid = probe.over_picture(&seen, 8, 4).unwrap();
    assert_eq!((laid.height(), laid.width()), (4, 8));
    assert!(laid.values()[..8].iter().all(|value| *value == 240.0), "{:?}", laid.values());
    assert!(laid.values()[8..].iter().all(|value| *value == 40.0), "{:?}", laid.values());
    // A picture that was stretched needs no more than the map.
    let (_workshop, store, plugin) = sight(STRETCHED).await;
    let record = keep(&store, 16, 4, corner).await;
    let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
    let map = HeatMap::new(1, 2, vec![1.0, 2.0]).unwrap();
    assert_eq!(probe.over_picture(&map, 16, 4).unwrap(), map);
}

#[tokio::test]
async fn what_cannot_be_explained_is_told_with_the_reason() {
    let (_workshop, store, plugin) = sight(STRETCHED).await;
    let record = keep(&store, 8, 8, corner).await;
    let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
    let error = probe.class("grey").unwrap_err();
    assert_eq!(error.to_string(), "plugin `gaze@1.0.0` knows no class `grey`; expected one of: dark, bright");
    let unknown = ImageProbe::load(&store, &plugin, record + 1).await.unwrap_err();
    assert!(matches!(unknown, ProbeError::Score(_)), "{unknown}");
    // The plugin panics at it.
    let record = keep(&store, 8, 8, |_, _| 13).await;
    let probe = ImageProbe::load(&store, &plugin, record).await.unwrap();
    let panicked = probe.answer().unwrap_err().to_string();
    assert!(panicked.contains("13"), "{panicked}");
    assert!(matches!(probe.attention(0).unwrap_err(), ProbeError::Attention(_)));
}
