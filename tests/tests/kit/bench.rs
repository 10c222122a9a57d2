//! What a plugin's calls cost, by the real program. Times are looked at for being there, never for what they are.

use std::fs;

use foretell_tests::{Workshop, build_directory};

use crate::package::{ends, rain};
use crate::{done, shell};

#[test]
fn calls_are_measured_beside_their_networks() {
    let workshop = Workshop::default();
    rain(&workshop);
    let report =
        done(&workshop, &["plugin", "bench", "rain", "--rows", "1,16", "--seconds", "0.05", "--json"]).json();
    assert_eq!(report["plugin"], "rain@0.1.0");
    let sizes = report["sizes"].as_array().unwrap();
    let rows: Vec<_> = sizes.iter().map(|size| size["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [1, 16]);
    for size in sizes {
        assert_eq!(size["runs"], 1, "{size:#}");
        for times in ["plugin", "networks"] {
            let number = |key: &str| size[times][key].as_f64().unwrap();
            assert!(number("calls") >= 5.0, "{size:#}");
            assert!(0.0 < number("p50_us") && number("p50_us") <= number("p99_us"), "{size:#}");
            assert!(number("records_per_second") > 0.0, "{size:#}");
        }
        let ratio = size["plugin"]["p50_us"].as_f64().unwrap() / size["networks"]["p50_us"].as_f64().unwrap();
        assert!((size["ratio"].as_f64().unwrap() / ratio - 1.0).abs() < 1e-9, "{size:#}");
    }
    let drawn = done(&workshop, &["plugin", "bench", "rain", "--rows", "4", "--seconds", "0"]);
    assert!(drawn.stdout.contains("a call runs one network"), "{}", drawn.stdout);
    for (rows, expected) in [("0", "found 0"), ("9000000", "found 9000000")] {
        let refused = ends(&workshop, 1, &["plugin", "bench", "rain", "--rows", rows]);
        assert!(refused.told().contains(expected), "{}", refused.told());
    }
    ends(&workshop, 2, &["plugin", "bench", "rain", "--seconds", "-1"]);
    // One without a network, which has learned from records first.
    let pairs = build_directory().join("plugins/retail-item-knn");
    assert!(pairs.is_dir(), "run `cargo xtask test`, or `cargo xtask assemble` first");
    let pairs = ["plugin", "bench", pairs.to_str().unwrap(), "--rows", "1", "--seconds", "0", "--json"];
    let report = done(&workshop, &pairs).json();
    let size = &report["sizes"][0];
    assert_eq!(size["runs"], 0, "{size:#}");
    assert!(size["networks"].is_null() && size["ratio"].is_null(), "{size:#}");
}

/// A plugin that takes its process with it, or never answers, does so in a process of its own.
#[test]
fn a_plugin_that_does_not_answer_is_told() {
    let workshop = Workshop::default();
    rain(&workshop);
    let source = workshop.path("rain/plugin.c");
    let good = fs::read_to_string(&source).unwrap();
    let head = good.find("predict(").expect("the template has a function that predicts");
    let body = head + good[head..].find('{').expect("it has a body") + 1;
    for (line, expected) in
        [("__builtin_trap();", "was ended by signal"), ("for (;;) {}", "took more than 1 s")]
    {
        fs::write(&source, format!("{}\n  {line}{}", &good[..body], &good[body..])).unwrap();
        shell(&workshop, "cd rain\nmake");
        let failed = ends(&workshop, 1, &["plugin", "bench", "rain", "--rows", "1", "--timeout", "1s"]);
        assert!(failed.told().contains(expected), "{line}: {}", failed.told());
    }
}
