//! The plugin as the host runs it, with tiny networks that answer what they are shown (`models/make.py`): the samples of an image
//! are the numbers of its boxes. These tests need ONNX Runtime, and say so when it is missing.

mod host;
mod network;

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use foretell_runtime::hash::Hash;
use foretell_runtime::plugin::{LoadError, LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use host::{Answer, PACKAGE, answers, library, pictures, runtime};
use tempfile::TempDir;

/// A network of `models`, the manifest's image, and its `[config]`.
struct Setting<'a> {
    network: &'a str,
    image: &'a str,
    config: &'a str,
}

impl Setting<'_> {
    fn try_load(&self) -> Result<Plugin, LoadError> {
        let directory = TempDir::new().unwrap();
        let network =
            std::fs::read(Path::new(PACKAGE).join(format!("tests/models/{}.onnx", self.network))).unwrap();
        let (hash, image, config) = (Hash::of(&network), self.image, self.config);
        let manifest = format!(
            r#"
            schema = 1
            [plugin]
            name = "vehicle-detector"
            version = "0.1.0"
            description = "boxes that an image says"
            license = "MIT"
            authors = ["foretell"]
            domain = "vehicle"
            task = "detection"
            abi = "1.0"
            library = "foretell_plugin_detector"
            [[model]]
            name = "network"
            file = "network.onnx"
            blake3 = "{hash}"
            [[input]]
            name = "image"
            type = "image"
            image = {{ {image} }}
            [output]
            labels = ["car", "bus"]
            [config]
            {config}
            "#
        );
        std::fs::write(directory.path().join("plugin.toml"), manifest).unwrap();
        std::fs::write(directory.path().join("network.onnx"), network).unwrap();
        std::fs::copy(library(), directory.path().join(library().file_name().unwrap())).unwrap();
        let verified = Verified::trusting(directory.path()).unwrap();
        Plugin::load(&runtime(), verified, &LoadOptions::default())
    }

    fn load(&self) -> Plugin {
        self.try_load().unwrap_or_else(|error| panic!("{error}"))
    }
}

const SMALL: &str = r#"width = 2, height = 2, sample = "f32""#;
const SMALL_BYTES: &str = "width = 2, height = 2";

/// Images of 2 x 2 pixels.
fn images(schema: &SchemaRef, images: &[[f32; 12]]) -> RecordBatch {
    pictures(schema, 2, images)
}

fn try_ask(plugin: &Plugin, shown: &[[f32; 12]]) -> Result<Vec<Answer>, String> {
    answers(plugin, &images(plugin.schema(), shown))
}

fn ask(plugin: &Plugin, shown: &[[f32; 12]]) -> Vec<Answer> {
    try_ask(plugin, shown).unwrap_or_else(|error| panic!("{error}"))
}

const CONFIG: &str = r#"
    layout = "end-to-end"
    rows = 2
    classes = ["auto", "bus", "dog"]
    map = { auto = "car", bus = "bus" }
    score = 0.5
"#;

/// Two boxes: left, top, right, bottom, score, class.
const BOXES: [f32; 12] = [1.0, 2.0, 4.0, 8.0, 0.75, 1.0, 0.0, 1.0, 5.0, 3.0, 0.5, 0.0];

fn expected() -> Answer {
    vec![("bus".to_owned(), 0.75, [1.0, 2.0, 3.0, 6.0]), ("car".to_owned(), 0.5, [0.0, 1.0, 5.0, 2.0])]
}

/// The image, pixel by pixel, in which a network that sees it channel by channel finds `numbers`.
fn pixels(numbers: [f32; 12], reversed: bool) -> [f32; 12] {
    std::array::from_fn(|place| {
        let (pixel, channel) = (place / 3, place % 3);
        let channel = if reversed { 2 - channel } else { channel };
        numbers[channel * 4 + pixel]
    })
}

#[test]
fn what_an_image_says_is_answered_whatever_the_network_takes() {
    let bytes = [3.0, 2.0, 9.0, 8.0, 1.0, 0.0, 0.0, 0.0, 7.0, 6.0, 1.0, 1.0];
    let of_bytes =
        vec![("car".to_owned(), 1.0, [3.0, 2.0, 6.0, 6.0]), ("bus".to_owned(), 1.0, [0.0, 0.0, 7.0, 6.0])];
    let scaled = pixels(BOXES, true).map(|number| (number * 4.0 + 2.0) / 0.5);
    let cases = [
        ("echo", SMALL, "", pixels(BOXES, false), expected()),
        ("echo", SMALL, "channels = \"bgr\"", pixels(BOXES, true), expected()),
        (
            "echo",
            SMALL,
            "channels = \"bgr\"\nscale = 0.5\nmean = [2, 2, 2]\ndeviation = [4, 4, 4]",
            scaled,
            expected(),
        ),
        ("echo", SMALL_BYTES, "", pixels(bytes, false), of_bytes.clone()),
        ("echo_bytes", SMALL_BYTES, "element = \"uint8\"\ntensor = \"nhwc\"", bytes, of_bytes),
        (
            "parts",
            SMALL,
            r#"outputs = [{ role = "classes", element = "int64" }, "boxes", { role = "ignored", shape = [2, 4] }, "scores",
                { role = "count", element = "int32", shape = [1] }]"#,
            pixels(BOXES, false),
            expected()[..1].to_vec(),
        ),
    ];
    for (network, image, more, shown, expected) in cases {
        let plugin = Setting { network, image, config: &format!("{CONFIG}{more}") }.load();
        assert_eq!(ask(&plugin, &[shown]), [expected], "{network} {more}");
    }
}

#[test]
fn a_batch_is_answered_image_by_image_whatever_the_network_takes_at_once() {
    let nothing = pixels([0.0; 12], false);
    let shown = [pixels(BOXES, false), nothing, pixels(BOXES, false), nothing, nothing];
    let answers = [expected(), vec![], expected(), vec![], vec![]];
    for (network, more) in [("echo", ""), ("echo_one", "batch = 1"), ("echo", "batch = 3")] {
        let plugin = Setting { network, image: SMALL, config: &format!("{CONFIG}{more}") }.load();
        assert_eq!(ask(&plugin, &shown), answers, "{network} {more}");
        assert!(ask(&plugin, &[]).is_empty());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(ask(&plugin, &shown), answers)));
            }
        });
    }
}

#[test]
fn a_network_that_does_not_fit_is_an_error_that_says_what_was_expected() {
    let fits =
        "and by `layout = \"end-to-end\"`, `form`, `classes`, `strides`, `rows` and `outputs` it answers";
    let cases = [
        // Another number of rows than the network declares.
        (
            "echo",
            SMALL,
            CONFIG.replace("rows = 2", "rows = 300"),
            vec!["output `predictions`", "f32[n, 2, 6]", fits, "[1, 300, 6]"],
        ),
        // ... and than it gives, where it declares none.
        (
            "echo_any",
            SMALL,
            CONFIG.replace("rows = 2", "rows = 300"),
            vec![fits, "`predictions` f32[1, 300, 6]"],
        ),
        // More outputs than it has.
        (
            "echo",
            SMALL,
            format!("{CONFIG}\noutputs = [\"boxes\", \"scores\", \"classes\"]"),
            vec!["number of outputs: expected 1, found 3", "`boxes` f32[1, 2, 4]"],
        ),
        // Bytes where it takes numbers, a batch that it does not take, channels at the other end.
        (
            "echo",
            SMALL_BYTES,
            format!("{CONFIG}\nelement = \"uint8\""),
            vec!["input `images`", "`element`", "u8[1, 3, 2, 2]"],
        ),
        (
            "echo_one",
            SMALL,
            format!("{CONFIG}\nbatch = 2"),
            vec!["input `images`", "`batch`", "f32[2, 3, 2, 2]"],
        ),
        (
            "echo",
            SMALL,
            format!("{CONFIG}\ntensor = \"nhwc\""),
            vec!["input `images`", "`tensor`", "f32[1, 2, 2, 3]"],
        ),
        // Grids need whole cells.
        (
            "echo",
            SMALL,
            "layout = \"yolox\"\nclasses = [\"car\"]".to_owned(),
            vec!["an image of 2 x 2 pixels has no whole cells of 8", "`strides`"],
        ),
        // A class without a name.
        (
            "echo",
            SMALL,
            CONFIG.replace(", \"bus\", \"dog\"", "").replace(", bus = \"bus\"", ""),
            vec!["output `predictions` names class 1", "`classes` lists 1"],
        ),
        // An output that is said to have a shape which the layout's does not fit into.
        (
            "echo",
            SMALL,
            format!("{CONFIG}\noutputs = [{{ role = \"predictions\", shape = [3, 6] }}]"),
            vec!["setting `outputs`: `predictions` has the shape [3, 6]", "[2, 6]"],
        ),
        // More numbers than there is memory for.
        (
            "echo",
            SMALL,
            format!("{}\nbatch = 1024", CONFIG.replace("rows = 2", "rows = 1048576")),
            vec!["numbers at once", "expected at most 1073741824"],
        ),
    ];
    for (network, image, config, expected) in cases {
        let plugin = Setting { network, image, config: &config }.load();
        let error = try_ask(&plugin, &[pixels(BOXES, false)]).unwrap_err();
        for expected in expected {
            assert!(error.contains(expected), "{network} {config}: {error}");
        }
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused_when_the_plugin_is_opened() {
    for (image, more, expected) in [
        (SMALL, "scores = 0.5", "setting `scores`: expected one of layout, "),
        (SMALL, "element = \"uint8\"", "setting `element`: expected \"float32\" where the manifest's image"),
        (SMALL, "overlap = 7", "setting `overlap`: expected a number from 0 to 1, found 7"),
    ] {
        let config = format!("{CONFIG}{more}");
        let error = Setting { network: "echo", image, config: &config }.try_load().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
