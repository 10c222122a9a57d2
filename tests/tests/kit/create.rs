//! Plugins that `foretell plugin new` wrote: by the commands that it prints, as they are printed, to predictions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use foretell_convert::{Activation, Linear, Takes};
use foretell_runtime::registry::Existing;
use foretell_tests::{Workshop, build_directory};
use serde_json::Value;

use crate::{MAKE, done, repository, shell};

const TASKS: [&str; 3] = ["binary-classification", "multiclass-classification", "regression"];

/// Temperature and humidity of the records that come with a new plugin.
const DAYS: [(f64, f64); 4] = [(21.5, 40.0), (17.0, 85.0), (9.5, 97.0), (31.0, 22.0)];

/// The answers of the example's model card to a day: one number, or one for each class.
fn expected(task: &str, (temperature, humidity): (f64, f64)) -> Vec<f64> {
    match task {
        "binary-classification" => vec![1.0 / (1.0 + (4.5 + 0.1 * temperature - 0.08 * humidity).exp())],
        "regression" => vec![temperature + 0.05 * humidity - 2.5],
        _ => {
            let sums = [0.1 * temperature - 0.04 * humidity, 0.0, 0.06 * humidity - 4.5].map(f64::exp);
            sums.map(|sum| sum / sums.iter().sum::<f64>()).to_vec()
        }
    }
}

/// What a plugin said of the record, with its label.
fn said(workshop: &Workshop, plugin: &str, record: usize) -> (Vec<f64>, Value) {
    let shown = done(workshop, &["prediction", "show", &record.to_string(), "--json"]).json();
    let predictions = shown["predictions"].as_array().unwrap();
    let of_plugin = predictions
        .iter()
        .find(|prediction| prediction["run"]["plugin"]["name"] == plugin)
        .unwrap_or_else(|| panic!("{shown:#}"));
    let numbers = match &of_plugin["output"] {
        Value::Object(classes) => classes.values().map(|score| score.as_f64().unwrap()).collect(),
        _ => vec![of_plugin["score"].as_f64().unwrap()],
    };
    (numbers, of_plugin["label"].clone())
}

/// Creates a plugin in a directory of its own, and gives the commands that it prints.
fn create(workshop: &Workshop, name: &str, more: &[&str]) -> Vec<String> {
    let directory = workshop.path("plugins").join(name);
    let place = ["plugin", "new", name, "--directory", directory.to_str().unwrap(), "--json"];
    let report = done(workshop, &[&place[..], more].concat()).json();
    assert_eq!(report["directory"], directory.to_str().unwrap());
    for file in report["files"].as_array().unwrap() {
        let path = directory.join(file.as_str().unwrap());
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!bytes.is_empty() && !bytes.windows(3).any(|three| three == b"{{n"), "{}", path.display());
    }
    report["next"].as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect()
}

/// Checks what a plugin said of the records that came with it.
#[track_caller]
fn check(workshop: &Workshop, plugin: &str, task: &str) {
    for (place, day) in DAYS.into_iter().enumerate() {
        let (numbers, label) = said(workshop, plugin, place + 1);
        let expected = expected(task, day);
        // The order of JSON is that of the labels, unless a label was sorted.
        assert_eq!(numbers.len(), expected.len(), "{plugin}: {numbers:?}");
        let (mut numbers, mut expected) = (numbers, expected);
        numbers.sort_by(f64::total_cmp);
        expected.sort_by(f64::total_cmp);
        for (number, expected) in numbers.iter().zip(&expected) {
            assert!(
                (number - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{plugin}: {number}, expected {expected}"
            );
        }
        match task {
            "binary-classification" => {
                assert!(
                    ["rain", "yes"].contains(&label.as_str().unwrap()) == (numbers[0] >= 0.5),
                    "{plugin}: {label}"
                );
            }
            "regression" => assert!(label.is_null(), "{plugin}: {label}"),
            _ => assert!(label.is_string(), "{plugin}: {label}"),
        }
    }
}

#[test]
fn a_plugin_in_rust_goes_from_nothing_to_predictions() {
    let workshop = Workshop::default();
    for task in TASKS {
        let name = format!("rust-{task}");
        // All of them read the records of the first one.
        let commands = create(&workshop, &name, &["--task", task, "--domain", "weather"]);
        // An optimised build takes longer, and is tried once.
        let commands = match task {
            "regression" => commands,
            _ => commands
                .iter()
                .map(|line| line.replace(" --release", "").replace("/release/", "/debug/"))
                .collect(),
        };
        shell(&workshop, &commands.join("\n"));
        check(&workshop, &name, task);
    }
}

#[test]
fn a_plugin_in_c_goes_from_nothing_to_predictions() {
    let workshop = Workshop::default();
    for task in TASKS {
        let name = format!("c-{task}");
        let commands = create(&workshop, &name, &["--task", task, "--lang", "c", "--domain", "weather"]);
        shell(&workshop, &format!("export CFLAGS='-O1 -Werror'\n{}", commands.join("\n")));
        check(&workshop, &name, task);
    }
}

#[test]
fn what_stands_in_for_make_follows_the_makefile() {
    let workshop = Workshop::default();
    for task in TASKS {
        create(&workshop, task, &["--task", task, "--lang", "c"]);
        let lines = format!("cd plugins/{task}\nmake test\nmake\nforetell plugin validate .");
        shell(&workshop, &format!("{MAKE}\nexport CFLAGS='-O1 -Werror'\n{lines}"));
    }
}

#[test]
fn the_sdk_can_stand_elsewhere() {
    let workshop = Workshop::default();
    let root = fs::canonicalize(repository("")).unwrap();
    let root = root.to_str().unwrap();
    create(&workshop, "elsewhere", &["--task", "regression", "--sdk", root]);
    let directory = workshop.path("plugins/elsewhere");
    assert!(!directory.join("vendor").exists());
    shell(&workshop, &format!("cd '{}'\ncargo check --offline", directory.display()));

    let commands =
        create(&workshop, "remote", &["--task", "regression", "--sdk", "https://example.org/foretell"]);
    let manifest = fs::read_to_string(workshop.path("plugins/remote/Cargo.toml")).unwrap();
    assert!(manifest.contains("foretell-sdk = { git = \"https://example.org/foretell\" }"), "{manifest}");
    assert_eq!(commands[1], "cargo fetch");
}

/// Installs a standard engine, as `cargo xtask assemble` laid it out.
fn install(workshop: &Workshop, engine: &str) {
    let directory = build_directory().join("plugins").join(engine);
    let installed = workshop.registry().install(&directory, Existing::Keep);
    assert!(
        installed.is_ok(),
        "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
        installed.unwrap_err()
    );
}

#[test]
fn a_table_needs_no_code() {
    let workshop = Workshop::default();
    install(&workshop, "standard-tabular");
    for task in TASKS {
        // The network of the example is a network that somebody has.
        create(&workshop, task, &["--task", task, "--lang", "c"]);
        let network = workshop.path("plugins").join(task).join("model/network.onnx");
        let network = network.to_str().unwrap();
        let name = format!("table-{task}");
        let more =
            ["--task", task, "--model", network, "--columns", "temperature,humidity", "--domain", "weather"];
        let commands = create(&workshop, &name, &more);
        // The record of zeros that comes with it shows that the commands work; then the days of the example.
        shell(&workshop, &commands.join("\n"));
        let example = workshop.path("plugins").join(task).join("records");
        let import = ["record", "import", "example.csv", "--domain", "weather", "--mapping", "mapping.toml"];
        let import = format!("cd '{}'\nforetell {}", example.display(), import.join(" "));
        shell(&workshop, &format!("{import}\nforetell job create --plugin {name} --run"));
        for (place, day) in DAYS.into_iter().enumerate() {
            let (numbers, _) = said(&workshop, &name, place + 2);
            let mut expected = expected(task, day);
            let mut numbers = numbers;
            numbers.sort_by(f64::total_cmp);
            expected.sort_by(f64::total_cmp);
            assert_eq!(numbers.len(), expected.len(), "{task}");
            for (number, expected) in numbers.iter().zip(&expected) {
                assert!(
                    (number - expected).abs() < 1e-5 * expected.abs().max(1.0),
                    "{task}: {number}, {expected}"
                );
            }
        }
    }
}

/// A picture of one colour.
fn picture(place: &Path, colour: [u8; 3]) {
    image::RgbImage::from_pixel(40, 20, image::Rgb(colour)).save(place).unwrap();
}

#[test]
fn pictures_need_no_code() {
    let workshop = Workshop::default();
    install(&workshop, "standard-classifier");
    let network = build_directory().join("plugins/standard-classifier/model/network.onnx");
    let network = network.to_str().unwrap();
    let labels = ["--labels", "red,green,blue", "--domain", "medical"];
    let more = [&["--task", "multiclass-classification", "--model", network][..], &labels].concat();
    let commands = create(&workshop, "colour", &more);
    shell(&workshop, &commands.join("\n"));
    let pictures = workshop.path("pictures");
    fs::create_dir(&pictures).unwrap();
    let colours = [("red", [200, 20, 30]), ("green", [10, 180, 20]), ("blue", [40, 30, 220])];
    for (name, colour) in colours {
        picture(&pictures.join(format!("{name}.png")), colour);
        shell(&workshop, &format!("foretell-medical import '{}/{name}.png'", pictures.display()));
    }
    shell(&workshop, "foretell job create --plugin colour --run");
    for (place, (name, colour)) in colours.into_iter().enumerate() {
        let (numbers, label) = said(&workshop, "colour", place + 1);
        assert_eq!(label, name);
        // Twelve times the mean of each channel, from 0 to 1, are the logits.
        let powers = colour.map(|channel| (12.0 * f64::from(channel) / 255.0).exp());
        let largest = powers.iter().copied().fold(0.0, f64::max) / powers.iter().sum::<f64>();
        let found = numbers.iter().copied().fold(0.0, f64::max);
        assert!((found - largest).abs() < 1e-5, "{name}: {found}, expected {largest}");
    }
}

/// A file of records needs columns for a record's name and time, and the network's may be called so.
#[test]
fn columns_may_be_called_id_and_time() {
    let workshop = Workshop::default();
    install(&workshop, "standard-tabular");
    create(&workshop, "gauge", &["--task", "regression", "--lang", "c"]);
    let network = workshop.path("plugins/gauge/model/network.onnx");
    let more = ["--task", "regression", "--model", network.to_str().unwrap(), "--columns", "id,time"];
    let commands = create(&workshop, "clock", &more);
    shell(&workshop, &commands.join("\n"));
    let (numbers, _) = said(&workshop, "clock", 1);
    assert!((numbers[0] - expected("regression", (0.0, 0.0))[0]).abs() < 1e-5, "{numbers:?}");
}

#[test]
fn records_are_stored_in_domains_that_a_plugin_can_have() {
    let workshop = Workshop::default();
    create(&workshop, "rain", &["--task", TASKS[0], "--lang", "c"]);
    let records = workshop.path("plugins/rain/records");
    let import = |file: &str, domain: &str, mapping: &str, more: &[&str]| {
        let [file, mapping] = [file, mapping].map(|name| records.join(name).to_str().unwrap().to_owned());
        let arguments = ["record", "import", &file, "--domain", domain, "--mapping", &mapping];
        workshop.run("foretell", &[&arguments[..], more].concat(), "")
    };
    for (domain, mapping, expected) in [
        ("Weather", "mapping.toml", "domain `Weather`: expected lower-case words"),
        ("weather", "nothing.toml", "nothing.toml"),
    ] {
        let finished = import("example.csv", domain, mapping, &[]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.told().contains(expected), "{}", finished.told());
        assert!(!workshop.database().exists(), "{domain} {mapping}");
    }

    let table = fs::read_to_string(records.join("example.csv")).unwrap();
    fs::write(records.join("more.csv"), format!("{table}fifth,yesterday,1,2\n")).unwrap();
    let rejects = workshop.path("rejects.jsonl");
    let finished = import("more.csv", "weather", "mapping.toml", &["--rejects", rejects.to_str().unwrap()]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stdout.contains("or `--rejects FILE`"), "{finished:?}");
    let rejects = fs::read_to_string(rejects).unwrap();
    let rejects: Vec<Value> = rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert_eq!(rejects[0]["line"], 6, "{rejects:?}");
}

#[test]
fn what_cannot_be_made_is_refused_and_leaves_nothing() {
    let workshop = Workshop::default();
    let weights = [vec![1.0, 2.0], vec![2.0, 1.0], vec![0.0, 0.0]];
    let takes = Takes::Numbers(2);
    let linear = Linear { takes, weights: &weights, biases: &[0.0; 3], activation: Activation::Identity };
    workshop.write("three.onnx", linear.onnx("three"));
    workshop.write("no.onnx", "no network");
    workshop.write("there", "a file");
    let (binary, several) = (["--task", TASKS[0]], ["--task", TASKS[1]]);
    let cases: [(&str, &[&str], [&str; 2], &str); 14] = [
        ("Rain", &binary, ["", ""], "name `Rain`: expected lower-case words and digits joined by hyphens"),
        ("core", &binary, ["", ""], "name `core`: expected another one"),
        ("rain", &binary, ["--domain", "a_b"], "domain `a_b`: expected lower-case words"),
        ("there", &binary, ["", ""], "`there` is there already"),
        (
            "rain",
            &binary,
            ["--directory", "there"],
            "name another directory with `--directory`, or remove it",
        ),
        (
            "rain",
            &["--task", "ranking"],
            ["", ""],
            "possible values: binary-classification, multiclass-classification, regression",
        ),
        ("rain", &binary, ["--lang", "cobol"], "possible values: rust, c"),
        (
            "rain",
            &binary,
            ["--sdk", "nowhere"],
            "expected the package `foretell-sdk` in `nowhere`, found none",
        ),
        ("rain", &binary, ["--labels", "a,b"], "--model <FILE>"),
        ("rain", &binary, ["--model", "nothing.onnx"], "cannot read `nothing.onnx`"),
        ("rain", &binary, ["--model", "no.onnx"], "`no.onnx`: expected an ONNX network"),
        (
            "rain",
            &binary,
            ["--model", "three.onnx"],
            "the network gives 3 numbers for each record, which is not what the task has",
        ),
        (
            "rain",
            &several,
            ["--model", "three.onnx"],
            "install `standard-tabular` first, it comes with foretell",
        ),
        (
            "rain",
            &["--task", "regression", "--lang", "c"],
            ["--sdk", "."],
            "expected `--sdk` with `--lang rust` alone",
        ),
    ];
    let before = fs::read_dir(workshop.path("")).unwrap().count();
    for (name, task, more, expected) in cases {
        let more = more.iter().copied().filter(|word| !word.is_empty());
        let arguments: Vec<_> =
            ["plugin", "new", name].into_iter().chain(task.iter().copied()).chain(more).collect();
        let finished = workshop.run("foretell", &arguments, "");
        assert_ne!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        assert!(finished.told().contains(expected), "{arguments:?}: {}", finished.told());
        assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    }
    install(&workshop, "standard-tabular");
    for (more, expected) in [
        (["--labels", "a,b"], "`--labels`: expected 3 names, as there are classes, found 2"),
        (["--columns", "a"], "`--columns`: expected 2 names, as the network takes, found 1"),
        (["--columns", "a,b-c"], "found `b-c`"),
    ] {
        let arguments = [&["plugin", "new", "rain", "--model", "three.onnx"][..], &several, &more].concat();
        let finished = workshop.run("foretell", &arguments, "");
        assert_eq!(finished.code, Some(1), "{more:?}: {finished:?}");
        assert!(finished.told().contains(expected), "{more:?}: {}", finished.told());
    }
    // The home is made by the installation.
    let left =
        fs::read_dir(workshop.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(left.len(), before + 1, "{left:?}");
}

#[test]
fn the_vendored_sdk_is_that_of_this_foretell() {
    let workshop = Workshop::default();
    create(&workshop, "rain", &["--task", TASKS[0]]);
    let vendor = workshop.path("plugins/rain/vendor");
    for (copy, source) in [("foretell-sdk/src", "plugins/sdk/src"), ("foretell-abi/src", "core/abi/src")] {
        let (source, copy) = (tree(&repository(source)), tree(&vendor.join(copy)));
        assert_eq!(copy.keys().collect::<Vec<_>>(), source.keys().collect::<Vec<_>>());
        for (path, text) in &source {
            assert!(copy[path] == *text, "`{}` is another one", path.display());
        }
    }
}

/// The texts of a directory, by their path in it.
fn tree(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut texts = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            texts.insert(path.strip_prefix(directory).unwrap().to_owned(), text);
        }
    }
    texts
}
