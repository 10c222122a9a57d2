//! A tiny detector, packed by the test itself: what ONNX Runtime makes of the converted network is compared with what the graph
//! says, computed here in plain loops. The tests that run it need ONNX Runtime, and say so when it is missing.

use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use foretell_convert::{Archive, ConvertError, ConvertErrorKind, Graph, Roles};
use foretell_runtime::onnx::{Model, Places, Runtime, TensorView, TensorViewMut};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Side of the image.
const SIDE: usize = 5;
/// Side of the maps.
const MAPS: usize = 3;
/// Channels of the maps.
const CHANNELS: usize = 2;
/// Classes that are scored.
const CLASSES: usize = 3;
/// An anchor for each place, and one for each of them again from the second head.
const ANCHORS: usize = 2 * MAPS * MAPS;

/// Numbers between -0.5 and 0.5 that are all different.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 37 + seed * 101) % 97) as f32 / 97.0 - 0.5).collect()
}

/// A detector as TensorFlow.js stores it.
struct Package {
    nodes: Vec<Value>,
    weights: Vec<Value>,
    bytes: Vec<u8>,
}

impl Package {
    fn floats(&mut self, name: &str, shape: &[usize], numbers: &[f32]) {
        assert_eq!(shape.iter().product::<usize>(), numbers.len(), "{name}");
        self.bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self.constant(name, shape, "float32");
    }

    fn whole(&mut self, name: &str, number: i32) {
        self.bytes.extend(number.to_le_bytes());
        self.constant(name, &[], "int32");
    }

    fn constant(&mut self, name: &str, shape: &[usize], dtype: &str) {
        self.weights.push(json!({ "name": name, "shape": shape, "dtype": dtype }));
        self.node(name, "Const", &[], json!({}));
    }

    fn node(&mut self, name: &str, op: &str, input: &[&str], attr: Value) {
        self.nodes.push(json!({ "name": name, "op": op, "input": input, "attr": attr }));
    }

    /// Stem at stride 2, a filter in each channel, a shortcut, and two heads, the second on normalised maps.
    fn new() -> Self {
        let mut package = Self { nodes: Vec::new(), weights: Vec::new(), bytes: Vec::new() };
        let layer = |stride: usize| {
            let bytes = |word: &str| json!({ "s": word.as_bytes() });
            let one = stride.to_string();
            json!({
                "strides": { "list": { "i": ["1", one, one, "1"] } },
                "dilations": { "list": { "i": [1, 1, 1, 1] } },
                "padding": bytes("SAME"),
                "data_format": bytes("NHWC"),
            })
        };
        package.node("placeholder", "Placeholder", &[], json!({}));
        package.floats("factor", &[], &[2.0 / 255.0]);
        package.floats("one", &[], &[1.0]);
        package.node("scaled", "Mul", &["factor", "placeholder"], json!({}));
        package.node("centred", "Sub", &["scaled", "one"], json!({}));
        package.floats("stem/w", &[3, 3, 3, CHANNELS], &numbers(27 * CHANNELS, 1));
        package.node("stem", "Conv2D", &["centred", "stem/w"], layer(2));
        package.floats("stem/b", &[CHANNELS], &numbers(CHANNELS, 2));
        package.node("stem/add", "BiasAdd", &["stem:0", "stem/b"], json!({}));
        package.node("stem/act", "Relu6", &["stem/add"], json!({}));
        package.floats("deep/w", &[3, 3, CHANNELS, 1], &numbers(9 * CHANNELS, 3));
        package.node("deep", "DepthwiseConv2dNative", &["stem/act", "deep/w"], layer(1));
        package.node("sum", "AddN", &["deep", "stem/act"], json!({}));
        for (part, seed) in [("scale", 4), ("offset", 5), ("mean", 6)] {
            package.floats(part, &[CHANNELS], &numbers(CHANNELS, seed));
        }
        package.floats("variance", &[CHANNELS], &[0.5, 2.0]);
        let attributes = json!({ "epsilon": { "f": 0.001 }, "is_training": { "b": false } });
        package.node("normal", "FusedBatchNorm", &["sum", "scale", "offset", "mean", "variance"], attributes);
        package.whole("any", -1);
        package.whole("axis", 1);
        for (kind, columns) in [("codes", 4), ("logits", CLASSES)] {
            package.whole(&format!("{kind}/columns"), columns as i32);
            for (head, source) in [("first", "sum"), ("second", "normal")] {
                let name = |part: &str| format!("{kind}/{head}/{part}");
                package.floats(
                    &name("w"),
                    &[1, 1, CHANNELS, columns],
                    &numbers(CHANNELS * columns, columns + head.len()),
                );
                package.node(&name("conv"), "Conv2D", &[source, &name("w")], layer(1));
                package.node(&name("sides"), "Shape", &[source], json!({}));
                package.node(&name("n"), "StridedSlice", &[&name("sides")], json!({}));
                let shape = [&*name("n"), "any", &format!("{kind}/columns")];
                package.node(&name("shape"), "Pack", &shape, json!({}));
                package.node(&name("rows"), "Reshape", &[&name("conv"), &name("shape")], json!({}));
            }
            let rows = ["first", "second"].map(|head| format!("{kind}/{head}/rows"));
            package.node(kind, "ConcatV2", &[&rows[0], &rows[1], "axis"], json!({}));
        }
        package.node("same", "Identity", &["logits"], json!({}));
        package.node("scores", "Sigmoid", &["same"], json!({}));
        let anchors: Vec<f32> = (0..ANCHORS)
            .flat_map(|place| {
                let at = place as f32 / ANCHORS as f32;
                [at, at / 2.0, at + 0.3, at / 2.0 + 0.2]
            })
            .collect();
        package.floats("anchors", &[1, ANCHORS, 4], &anchors);
        package
    }

    fn document(&self) -> Value {
        json!({
            "modelTopology": { "node": self.nodes },
            "weightsManifest": [{ "paths": ["shard1", "shard2"], "weights": self.weights }],
        })
    }

    fn packed(&self) -> Vec<u8> {
        pack(&self.document().to_string(), &self.bytes)
    }

    fn find(&mut self, name: &str) -> &mut Value {
        self.nodes.iter_mut().find(|node| node["name"] == name).expect("the test names a node")
    }

    fn weight(&mut self, name: &str) -> &mut Value {
        self.weights.iter_mut().find(|weight| weight["name"] == name).expect("the test names a constant")
    }
}

/// A `.tgz` of a description and of weights in two pieces.
fn pack(description: &str, weights: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let (first, second) = weights.split_at(weights.len() / 2);
    for (name, content) in [("model.json", description.as_bytes()), ("shard1", first), ("shard2", second)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("package/{name}"), content).expect("memory can be written");
    }
    builder.into_inner().and_then(GzEncoder::finish).expect("memory can be written")
}

fn roles() -> Roles {
    Roles {
        image: "placeholder".to_owned(),
        side: SIDE,
        codes: "codes".to_owned(),
        scores: "scores".to_owned(),
        anchors: "anchors".to_owned(),
    }
}

fn convert(archive: &[u8]) -> Result<Vec<u8>, ConvertError> {
    Graph::read(&Archive::unpack(archive)?, "package")?.detector(&roles())
}

/// What the graph says of an image, in loops: boxes and scores.
fn expected(image: &[u8]) -> (Vec<f32>, Vec<f32>) {
    let input = |y: isize, x: isize, c: usize| {
        let inside = |at: isize| (0..SIDE as isize).contains(&at);
        match inside(y) && inside(x) {
            true => f32::from(image[(y as usize * SIDE + x as usize) * 3 + c]) * 2.0 / 255.0 - 1.0,
            false => 0.0,
        }
    };
    let (stem, bias, deep) = (numbers(27 * CHANNELS, 1), numbers(CHANNELS, 2), numbers(9 * CHANNELS, 3));
    let mut maps = [[[0f32; CHANNELS]; MAPS]; MAPS];
    for (y, x, c) in places() {
        let mut sum = bias[c];
        for (i, j, k) in (0..27).map(|at| (at / 9, at / 3 % 3, at % 3)) {
            // A side of 5 becomes 3 at stride 2 with one sample of padding before.
            let pixel = input((2 * y + i) as isize - 1, (2 * x + j) as isize - 1, k);
            sum += pixel * stem[((i * 3 + j) * 3 + k) * CHANNELS + c];
        }
        maps[y][x][c] = sum.clamp(0.0, 6.0);
    }
    let mut sums = maps;
    for (y, x, c) in places() {
        for (i, j) in (0..9).map(|at| (at / 3, at % 3)) {
            let row = (y + i).checked_sub(1).and_then(|y| maps.get(y));
            let pixel = row.and_then(|row| row.get((x + j).checked_sub(1)?)).map_or(0.0, |pixel| pixel[c]);
            sums[y][x][c] += pixel * deep[(i * 3 + j) * CHANNELS + c];
        }
    }
    let [scale, offset, mean] = [4, 5, 6].map(|seed| numbers(CHANNELS, seed));
    let mut normal = sums;
    for (y, x, c) in places() {
        let deviation = ([0.5f32, 2.0][c] + 0.001).sqrt();
        normal[y][x][c] = (sums[y][x][c] - mean[c]) / deviation * scale[c] + offset[c];
    }
    let head = |columns: usize| -> Vec<f32> {
        let mut rows = Vec::new();
        for (maps, length) in [(&sums, "first".len()), (&normal, "second".len())] {
            let weights = numbers(CHANNELS * columns, columns + length);
            for pixel in maps.as_flattened() {
                rows.extend((0..columns).map(|column| {
                    pixel.iter().enumerate().map(|(c, v)| v * weights[c * columns + column]).sum::<f32>()
                }));
            }
        }
        rows
    };
    let scores = head(CLASSES).into_iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    let mut boxes = Vec::new();
    for (place, code) in head(4).chunks(4).enumerate() {
        let at = place as f32 / ANCHORS as f32;
        let side = |start: f32, size: f32, offset: f32, growth: f32| {
            let middle = start + size / 2.0 + offset / 10.0 * size;
            let half = (growth / 5.0).exp() * size / 2.0;
            [(middle - half) * SIDE as f32, (middle + half) * SIDE as f32]
        };
        let [top, bottom] = side(at, 0.3, code[0], code[2]);
        let [left, right] = side(at / 2.0, 0.2, code[1], code[3]);
        boxes.extend([left, top, right, bottom]);
    }
    (boxes, scores)
}

fn places() -> impl Iterator<Item = (usize, usize, usize)> {
    let pixels = (0..MAPS).flat_map(|y| (0..MAPS).map(move |x| (y, x)));
    pixels.flat_map(|(y, x)| (0..CHANNELS).map(move |c| (y, x, c)))
}

#[test]
fn the_network_answers_what_the_graph_says() {
    let network = convert(&Package::new().packed()).unwrap_or_else(|error| panic!("{error}"));
    let runtime = Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"));
    let model = Model::from_bytes(&runtime, &network, 1, 1).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(model.inputs()[0].to_string(), format!("u8[n, {SIDE}, {SIDE}, 3]"));
    let names: Vec<&str> = model.outputs().iter().map(|output| &*output.name).collect();
    assert_eq!(names, ["boxes", "scores"]);

    let images: Vec<u8> = (0..2 * SIDE * SIDE * 3).map(|place| (place * 83 % 256) as u8).collect();
    let (mut boxes, mut scores) = (vec![0f32; 2 * ANCHORS * 4], vec![0f32; 2 * ANCHORS * CLASSES]);
    let side = SIDE as i64;
    let (rows, classes) = (ANCHORS as i64, CLASSES as i64);
    model
        .run(
            &[TensorView::of(&[2, side, side, 3], &images)],
            &mut [
                TensorViewMut::of(&[2, rows, 4], &mut boxes),
                TensorViewMut::of(&[2, rows, classes], &mut scores),
            ],
        )
        .unwrap_or_else(|error| panic!("{error}"));
    let wanted = images.chunks(SIDE * SIDE * 3).map(expected);
    let (wanted_boxes, wanted_scores): (Vec<_>, Vec<_>) = wanted.unzip();
    for (found, wanted) in [(boxes, wanted_boxes.concat()), (scores, wanted_scores.concat())] {
        assert_eq!(found.len(), wanted.len());
        for (place, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            assert!((found - wanted).abs() < 1e-5, "number {place}: expected {wanted}, found {found}");
        }
    }
}

/// What is wrong with a package is told with the node's name.
#[test]
fn what_does_not_fit_is_named() {
    type Change = fn(&mut Package);
    let cases: [(&str, &str, Change); 12] = [
        ("node `stem`: expected one of Add", "`Softmax`", |package| {
            package.find("stem")["op"] = json!("Softmax");
        }),
        ("node `nobody`", "found none", |package| package.find("stem/act")["input"] = json!(["nobody"])),
        ("node `stem/act`", "circle", |package| {
            package.find("stem")["input"] = json!(["stem/act", "stem/w"]);
        }),
        ("node `stem/w`", "3 channels", |package| package.weight("stem/w")["shape"] = json!([3, 3, 2, 3])),
        ("node `stem/b`", "[2]", |package| package.weight("stem/b")["shape"] = json!([2, 1])),
        ("node `scale`", "float32", |package| {
            package.weight("scale")["quantization"] = json!({ "scale": 1 });
        }),
        ("node `deep`", "1 at least", |package| package.find("deep")["input"] = json!([])),
        ("node `deep`", "SAME or VALID", |package| {
            package.find("deep")["attr"]["padding"] = json!({ "s": [69] });
        }),
        ("node `stem`", "strides", |package| {
            package.find("stem")["attr"]["strides"]["list"]["i"] = json!([2, 2]);
        }),
        ("node `codes`", "axis", |package| package.find("codes")["input"][2] = json!("any/")),
        ("node `anchors`", "[1, anchors, 4]", |package| {
            package.weight("anchors")["shape"] = json!([4, ANCHORS]);
        }),
        ("`package/model.json`", "bytes of weights", |package| package.bytes.extend([0; 4])),
    ];
    for (place, words, change) in cases {
        let mut package = Package::new();
        if words == "axis" {
            package.whole("any/", 7);
        }
        change(&mut package);
        let error = convert(&package.packed()).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(words), "{place}, {words}: {error}");
    }
    let error = convert(b"no archive").unwrap_err();
    assert!(matches!(error.kind, ConvertErrorKind::Archive(_)), "{error}");
}

/// A chain that is longer than the stack of a test is deep.
#[test]
fn deep_graphs_are_no_danger() {
    let mut package = Package::new();
    let mut source = "stem".to_owned();
    for place in 0..10_000 {
        let name = format!("chain{place}");
        package.node(&name, "Identity", &[&source], json!({}));
        source = name;
    }
    package.find("stem/add")["input"][0] = json!(source);
    assert_eq!(convert(&package.packed()).unwrap(), convert(&Package::new().packed()).unwrap());
}

static WHOLE: LazyLock<(Vec<u8>, String, Vec<u8>)> = LazyLock::new(|| {
    let package = Package::new();
    (package.packed(), package.document().to_string(), package.bytes)
});

proptest! {
    /// A part of an archive is an error, and never a network.
    #[test]
    fn archives_that_end_early_are_refused(share in 0.0..1.0f64) {
        let end = (WHOLE.0.len() as f64 * share) as usize;
        prop_assert!(convert(&WHOLE.0[..end]).is_err());
    }

    /// Whatever becomes of the bytes, the answer is a network or an error.
    #[test]
    fn changed_archives_do_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = WHOLE.0.clone();
        for (place, value) in changes {
            *place.get_mut(&mut bytes) = value;
        }
        let _ = convert(&bytes);
    }

    /// The same of the description, past the archive's own checks: digits and names change places.
    #[test]
    fn changed_descriptions_do_not_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..12usize), 1..6),
    ) {
        let mut text = WHOLE.1.clone().into_bytes();
        for (from, to, length) in changes {
            let (from, to) = (from.index(text.len() - length), to.index(text.len() - length));
            text.copy_within(from..from + length, to);
        }
        let _ = convert(&pack(&String::from_utf8_lossy(&text), &WHOLE.2));
    }

    /// Numbers of shapes and attributes are not believed.
    #[test]
    fn changed_shapes_do_not_panic(
        place in any::<prop::sample::Index>(),
        shape in prop::collection::vec(prop_oneof![0..5usize, Just(usize::MAX), Just(1 << 62)], 0..6),
        strides in prop::collection::vec(prop_oneof![0..3usize, Just(usize::MAX)], 4),
    ) {
        let mut package = Package::new();
        place.get_mut(&mut package.weights)["shape"] = json!(shape);
        let _ = convert(&package.packed());
        let mut package = Package::new();
        package.find("stem")["attr"]["strides"] = json!({ "list": { "i": strides } });
        package.find("stem")["attr"]["dilations"] = json!({ "list": { "i": [1, strides[0], strides[1], 1] } });
        let _ = convert(&package.packed());
    }
}
