//! Reading manifests: what is accepted, what it means, and the words with which the rest is refused.

use std::path::Path;

use foretell_runtime::{
    manifest::{AbiVersion, Concurrency, FieldType, MANIFEST_BYTES_MAX, Manifest, ModelFormat, Task},
    schema::plugin_schema,
};
use proptest::prelude::*;

const GOOD: &str = include_str!("manifests/late-return.toml");

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(text, Path::new("plugin.toml")).map_err(|error| error.to_string())
}

#[test]
fn everything_is_read() {
    let manifest = parse(GOOD).unwrap();
    assert_eq!(manifest.plugin.name, "late-return");
    assert_eq!(manifest.plugin.version, semver::Version::new(0, 1, 0));
    assert_eq!(manifest.plugin.task, Task::BinaryClassification);
    assert_eq!(manifest.plugin.abi, AbiVersion { major: 1, minor: 0 });
    assert_eq!(manifest.plugin.concurrency, Concurrency::Serial);
    assert_eq!(manifest.record.keys, ["customer", "article"]);
    let kinds: Vec<_> = manifest.inputs.iter().map(|input| input.kind.to_string()).collect();
    assert_eq!(kinds, ["timestamp", "utf8", "utf8", "category", "float64", "int64", "bool", "list<float64>"]);
    assert_eq!(manifest.inputs[3].allowed, ["shop", "web"]);
    assert_eq!((manifest.inputs[4].minimum, manifest.inputs[4].maximum), (Some(0.0), Some(1e6)));
    assert!(manifest.inputs[4].required && !manifest.inputs[5].required);
    assert_eq!((manifest.models[0].format, manifest.models[0].threads), (ModelFormat::Onnx, 2));
    assert_eq!((manifest.models[1].format, manifest.models[1].threads), (ModelFormat::Data, 1));
    assert_eq!(manifest.fit.as_ref().unwrap().models, ["pairs"]);
    assert_eq!(manifest.histories[0].window, 90 * 86_400_000_000);
    assert_eq!((manifest.histories[0].delay, manifest.histories[1].delay), (14 * 86_400_000_000, 0));
    assert_eq!(manifest.decision(), Some(("returned", 0.3)));
    assert_eq!(manifest.limits.rows_max, 1024);
    let config = serde_json::Value::Object(manifest.config_json());
    let expected = serde_json::json!({ "since": "2024-01-01", "nested": { "depth": [1, 2.5, true, "x"] } });
    assert_eq!(config, expected);
}

#[test]
fn defaults() {
    let text = "schema = 1\n[plugin]\nname = 'demand'\nversion = '1.0.0-rc.1'\ndescription = 'x'\nlicense = 'MIT'\n\
                authors = ['A']\ndomain = 'retail'\ntask = 'regression'\nabi = '1.12'\nlibrary = 'demand'\n\
                [[input]]\nname = 'amount'\ntype = 'float64'\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.plugin.concurrency, Concurrency::Parallel);
    assert_eq!(manifest.plugin.abi, AbiVersion { major: 1, minor: 12 });
    assert!(manifest.models.is_empty() && manifest.record.keys.is_empty() && manifest.histories.is_empty());
    assert_eq!(manifest.fit, None);
    assert_eq!(manifest.limits.rows_max, 8192);
    assert_eq!(manifest.decision(), None);
    assert!(manifest.config_json().is_empty());
}

#[test]
fn a_library_may_have_a_name_of_its_own() {
    let named = |engine: &str| {
        parse(&GOOD.replace("library = ", &format!("engine = \"{engine}\"\nlibrary = ")))
            .map(|manifest| manifest.plugin.engine.map(|engine| (engine.to_string(), engine.name)))
    };
    let engine = named("general-classifier@0.2.0").unwrap();
    assert_eq!(engine, Some(("general-classifier@0.2.0".to_owned(), "general-classifier".to_owned())));
    assert_eq!(parse(GOOD).unwrap().plugin.engine, None);
    for wrong in ["general-classifier", "@0.2.0", "general-classifier@two"] {
        let error = named(wrong).unwrap_err().to_string();
        assert!(error.contains("a name and a version such as"), "{wrong}: {error}");
    }
}

#[test]
fn a_list_has_the_bounds_of_its_items() {
    let bounded = |kind: &str, bounds: &str| {
        parse(&GOOD.replace("\"list<float64>\"", &format!("\"{kind}\"\n{bounds}")))
    };
    let numbers = bounded("list<float64>", "minimum = 0\nmaximum = 1").unwrap();
    assert_eq!((numbers.inputs[7].minimum, numbers.inputs[7].maximum), (Some(0.0), Some(1.0)));
    assert_eq!(bounded("list<category>", "allowed = [\"car\"]").unwrap().inputs[7].allowed, ["car"]);
}

#[test]
fn columns() {
    let manifest = parse(GOOD).unwrap();
    let columns = |schema: &arrow_schema::Schema| {
        let column = |field: &std::sync::Arc<arrow_schema::Field>| {
            let null = if field.is_nullable() { " or null" } else { "" };
            format!("{}: {}{null}\n", field.name(), field.data_type())
        };
        schema.fields().iter().map(column).collect::<String>()
    };
    insta::assert_snapshot!(columns(&manifest.records_schema()));
    assert_eq!(manifest.records_schema().fields()[..8], manifest.input_schema().fields()[..]);

    let tasks = [
        Task::BinaryClassification,
        Task::MulticlassClassification,
        Task::Regression,
        Task::Ranking,
        Task::Detection,
        Task::Segmentation,
        Task::Tracking,
        Task::Forecast,
    ];
    let task =
        |task: &Task| format!("{task}\n{}", columns(&arrow_schema::Schema::new(task.prediction_fields(3))));
    insta::assert_snapshot!("predictions", tasks.iter().map(task).collect::<Vec<_>>().join("\n"));
    assert_eq!(manifest.prediction_schema().field(0).name(), "score");
}

/// What is wrong, which words of the good manifest to replace, and by what.
const WRONG: &[(&str, &str, &str)] = &[
    ("not TOML", "schema = 1", "schema = "),
    ("a key twice", "schema = 1", "schema = 1\nschema = 1"),
    ("no schema", "schema = 1", ""),
    ("newer schema, with keys unknown today", "schema = 1", "schema = 2\nplanet = 'earth'"),
    ("unknown table", "[record]", "[records]"),
    ("unknown key", "unit = \"EUR\"", "units = \"EUR\""),
    ("missing key", "license = \"MIT\"", ""),
    ("wrong kind of value", "license = \"MIT\"", "license = 3"),
    ("wrong kind of table", "[record]", "[[record]]"),
    ("name", "\"late-return\"", "\"Late_Return\""),
    ("name with empty word", "\"late-return\"", "\"late--return\""),
    ("empty text", "\"MIT\"", "\" \""),
    ("no authors", "[\"A. Author\"]", "[]"),
    ("empty author", "[\"A. Author\"]", "[\"A. Author\", \"\"]"),
    ("version", "\"0.1.0\"", "\"0.1\""),
    ("task", "\"binary-classification\"", "\"guessing\""),
    ("interface", "\"1.0\"", "\"1\""),
    ("library with its ending", "\"late_return\"", "\"late_return.so\""),
    ("concurrency", "\"serial\"", "\"sometimes\""),
    ("hash", "0000000000000000000000000000000000000000000000000000000000000000", "00"),
    ("path that climbs", "model/network.onnx", "../network.onnx"),
    ("absolute path", "model/network.onnx", "/network.onnx"),
    ("path of Windows", "model/network.onnx", "model\\\\network.onnx"),
    ("drive of Windows", "model/network.onnx", "c:/network.onnx"),
    ("hidden path", "model/network.onnx", "model/.network.onnx"),
    ("path with empty part", "model/network.onnx", "model//network.onnx"),
    ("threads", "threads = 2", "threads = 0"),
    ("negative threads", "threads = 2", "threads = -2"),
    ("format", "\"data\"", "\"json\""),
    ("threads of data", "format = \"data\"", "format = \"data\"\nthreads = 1"),
    ("network in the place of data", "format = \"data\"", "format = \"onnx\""),
    ("nothing to learn", "models = [\"pairs\"]", "models = []"),
    ("learned network", "models = [\"pairs\"]", "models = [\"network\"]"),
    ("learned twice", "models = [\"pairs\"]", "models = [\"pairs\", \"pairs\"]"),
    ("learned model that is not there", "models = [\"pairs\"]", "models = [\"triples\"]"),
    ("key that is no input", "[\"customer\", \"article\"]", "[\"customer\", \"color\"]"),
    ("key that is no text", "[\"customer\", \"article\"]", "[\"customer\", \"amount\"]"),
    ("key twice", "[\"customer\", \"article\"]", "[\"customer\", \"customer\"]"),
    ("type", "\"int64\"", "\"int32\""),
    ("list of lists", "\"list<float64>\"", "\"list<list<float64>>\""),
    ("image settings of a list", "\"list<float64>\"", "\"list<float64>\"\nimage = { width = 0 }"),
    ("allowed numbers of a list", "\"list<float64>\"", "\"list<float64>\"\nallowed = [\"1\"]"),
    ("bounds of a list of texts", "\"list<float64>\"", "\"list<utf8>\"\nminimum = 1"),
    ("time that is no timestamp", "type = \"timestamp\"", "type = \"int64\""),
    ("column name", "name = \"items\"", "name = \"number of items\""),
    ("column twice", "name = \"items\"", "name = \"amount\""),
    ("column and history of one name", "name = \"purchases\"", "name = \"amount\""),
    ("bounds", "minimum = 0.0", "minimum = 1e7"),
    ("bound that is no number", "minimum = 0.0", "minimum = nan"),
    ("bounds of text", "allowed = [\"shop\", \"web\"]", "minimum = 1"),
    ("allowed numbers", "minimum = 0.0", "allowed = [\"1\"]"),
    ("allowed twice", "[\"shop\", \"web\"]", "[\"shop\", \"web\", \"shop\"]"),
    ("label of a list", "type = \"bool\" # label", "type = \"list<bool>\""),
    ("window in other words", "\"90d\"", "\"90 days\""),
    ("no window", "\"90d\"", "\"0s\""),
    ("endless window", "\"90d\"", "\"36526d\""),
    ("window of too many digits", "\"90d\"", "\"99999999999999999999d\""),
    ("delay beyond the window", "\"14d\"", "\"90d\""),
    ("history by no key", "key = \"customer\"", "key = \"channel\""),
    ("history of an unknown label", "\"label.returned\"", "\"label.lost\""),
    ("history of an unknown input", "[\"amount\", \"label", "[\"price\", \"label"),
    ("history of a list", "[\"amount\", \"label", "[\"sizes\", \"label"),
    ("history of its time", "[\"amount\", \"label", "[\"event_time\", \"label"),
    ("history field twice", "[\"amount\", \"label", "[\"amount\", \"amount\", \"label"),
    ("labels of a binary classification", "[\"kept\", \"returned\"]", "[\"returned\"]"),
    ("label twice", "[\"kept\", \"returned\"]", "[\"returned\", \"returned\"]"),
    ("no positive label", "positive = \"returned\"", ""),
    ("positive that is no label", "positive = \"returned\"", "positive = \"lost\""),
    ("threshold", "threshold = 0.3", "threshold = 30"),
    ("labels of a regression", "\"binary-classification\"", "\"regression\""),
    ("rows", "rows_max = 1024", "rows_max = 0"),
    ("novelty of no number", "threshold = 0.3", "threshold = 0.3\nnovelty = { threshold = inf }"),
    ("number that JSON does not have", "since = 2024-01-01", "since = inf"),
];

#[test]
fn refusals_say_where_what_and_why() {
    let mut report = String::new();
    for (name, words, others) in WRONG {
        assert_eq!(GOOD.matches(words).count(), 1, "`{words}` of the case `{name}`");
        let error = parse(&GOOD.replace(words, others)).expect_err(name);
        report.push_str(&format!("# {name}\n{error}\n\n"));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn all_contradictions_are_reported_at_once() {
    let text = GOOD.replace("\"late-return\"", "\"Late\"").replace("minimum = 0.0", "minimum = 1e7");
    let text = text.replace("threshold = 0.3", "threshold = 1.5");
    insta::assert_snapshot!(parse(&text).unwrap_err());
}

#[test]
fn files_that_are_no_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let error = Manifest::load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("plugin.toml") && error.contains("cannot read"), "{error}");

    let file = directory.path().join("plugin.toml");
    std::fs::write(&file, b"schema = 1\n\xff").unwrap();
    let error = Manifest::load(&file).unwrap_err().to_string();
    assert!(error.ends_with("expected UTF-8 text, found other bytes at position 11"), "{error}");

    std::fs::write(&file, vec![b'#'; MANIFEST_BYTES_MAX as usize + 1]).unwrap();
    let error = Manifest::load(&file).unwrap_err().to_string();
    assert!(error.contains("larger than 1048576 bytes"), "{error}");

    std::fs::write(&file, GOOD).unwrap();
    assert_eq!(Manifest::load(directory.path()).unwrap(), Manifest::load(&file).unwrap());
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("schema = 1\nconfig = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&deep).unwrap_err().contains("line 2"));
    let dotted = format!("schema = 1\n{}a = 1", "a.".repeat(100_000));
    assert!(parse(&dotted).is_err());
}

/// Whoever wrote it, reading a manifest costs no more than its length, and what is said of it has an end. What these asked for before was
/// as much as the square of their length: tens of gigabytes of keys, or minutes of looking names up.
#[test]
fn the_largest_manifests_are_refused_in_few_words() {
    const MESSAGE_BYTES_MAX: usize = 100_000;
    let half = MANIFEST_BYTES_MAX as usize / 2;
    let wrong = GOOD.replace("\"late-return\"", "\"Late\"");
    let lines = |line: &dyn Fn(usize) -> String, bytes: usize| {
        let mut text = String::new();
        for number in 0.. {
            let line = line(number);
            if text.len() + line.len() > bytes {
                break;
            }
            text.push_str(&line);
        }
        text
    };
    let room = half - GOOD.len();
    let nameless = |_: usize| "[[input]]\nname = \"\"\ntype = \"bool\"\n".to_owned();
    let input = |number: usize| format!("[[input]]\nname = \"i{number}\"\ntype = \"utf8\"\n");
    let keys = lines(&|number| format!("\"k{number}\","), half);
    let many_keys = GOOD.replace("[\"customer\", \"article\"]", &format!("[{keys}]"));
    let cases = [
        (
            "keys below a long one",
            format!(
                "{wrong}[config.{}]\n{}",
                "k".repeat(half),
                lines(&|number| format!("a{number} = 1\n"), room)
            ),
            "`plugin.name`: expected lower-case words",
        ),
        (
            "a problem in each of many inputs",
            format!("{GOOD}{}", nameless(0).repeat(4_000)),
            "more problems, which are told when these are mended",
        ),
        (
            "many inputs",
            format!("{GOOD}{}", lines(&input, 2 * room)),
            "`input`: expected at most 4096, found ",
        ),
        (
            "many keys and inputs",
            format!("{many_keys}{}", lines(&input, room)),
            "`record.keys`: expected at most 4096",
        ),
        (
            "a long name",
            GOOD.replace("\"late-return\"", &format!("\"{}\"", "n".repeat(half))),
            "`plugin.name`: expected lower-case words",
        ),
        ("a long unknown key", format!("{GOOD}[{}]\n", "k".repeat(half)), "unknown field"),
        (
            "a long line that is no TOML",
            format!("{GOOD}{} = {}\n", "k".repeat(half), "v".repeat(100)),
            "expected TOML",
        ),
    ];
    for (what, text, words) in cases {
        assert!(text.len() as u64 <= MANIFEST_BYTES_MAX, "{what}: {} bytes", text.len());
        let error = parse(&text).expect_err(what);
        assert!(error.len() <= MESSAGE_BYTES_MAX, "{what}: {} bytes", error.len());
        assert!(error.contains(words), "{what}: {}", &error[..error.len().min(500)]);
    }
}

/// The schema for editors accepts the keys that the program reads: every key of the good manifest is in it.
#[test]
fn json_schema_knows_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&plugin_schema()).unwrap();
    let manifest: toml::Table = GOOD.parse().unwrap();
    for (key, value) in &manifest {
        let property = &schema["properties"][key];
        assert!(property.is_object(), "{key}");
        let inner = if property["type"] == "array" { &property["items"] } else { property };
        let Some(name) = inner["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"))
        else {
            continue;
        };
        let table = value.as_array().map_or(value, |items| &items[0]);
        for inner in table.as_table().unwrap().keys() {
            assert!(schema["$defs"][name]["properties"][inner].is_object(), "{key}.{inner}");
        }
    }
}

/// Pieces of manifests, so that random texts get further than the first line.
fn piece() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = GOOD.lines().collect();
    prop_oneof![
        4 => proptest::sample::select(lines).prop_map(str::to_owned),
        1 => "[a-z_.]{1,12} = [\\PC]{0,20}",
        1 => "\\PC{0,40}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*|(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_lines_are_read_or_refused(pieces in proptest::collection::vec(piece(), 0..40)) {
        let _ = parse(&pieces.join("\n"));
    }

    #[test]
    fn any_change_of_a_byte_is_read_or_refused(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(manifest) = Manifest::from_bytes(&bytes, Path::new("plugin.toml")) {
            // What was accepted has a meaning.
            let columns = manifest.records_schema();
            prop_assert_eq!(columns.fields().len(), manifest.inputs.len() + manifest.histories.len());
            for history in &manifest.histories {
                prop_assert!(history.fields.iter().all(|field| manifest.history_field(field).is_some()));
            }
            prop_assert!(manifest.inputs.iter().all(|input| input.kind != FieldType::Image));
        }
    }
}
