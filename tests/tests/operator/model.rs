//! `foretell model`: who answers, who is tried beside, and what that does to answers.

use foretell_tests::{Finished, Workshop};
use serde_json::Value;

use super::{DONE, FAILED, foretell};

/// Another network for the same plugin: one of those that the recipe made for the handbook's protocol.
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/fraud/training/folds/2018-08-15.onnx");

fn fraud(workshop: &Workshop, arguments: &[&str], input: &str) -> Finished {
    let finished = workshop.run("foretell-fraud", arguments, input);
    assert_eq!(finished.code, DONE, "{finished:?}");
    finished
}

fn done(workshop: &Workshop, arguments: &[&str]) -> Finished {
    let finished = foretell(workshop, arguments);
    assert_eq!(finished.code, DONE, "{finished:?}");
    finished
}

/// A workshop with stored transactions, the installed plugin, and two networks to choose from.
fn workshop() -> (Workshop, String) {
    let workshop = Workshop::default();
    workshop.install_fraud();
    fraud(
        &workshop,
        &["simulate", "--customers", "40", "--terminals", "80", "--days", "20", "--seed", "3"],
        "",
    );
    (workshop, format!("network={OTHER}"))
}

fn transaction(number: u32) -> String {
    format!(
        r#"{{"transaction_id":"new-{number}","event_time":"2018-04-21T09:30:00Z","customer_id":"7","terminal_id":"4","amount":57.16}}"#
    )
}

#[test]
fn the_champion_answers_and_the_challenger_is_only_stored() {
    let (workshop, other) = workshop();
    let plain = fraud(&workshop, &["score", "-", "--json"], &transaction(1)).json();
    done(&workshop, &["model", "promote", "fraud-feed-forward"]);
    done(&workshop, &["model", "challenge", "fraud-feed-forward", "--model", &other]);

    // Online: the same answer as without a challenger, and one prediction more.
    let answer = fraud(&workshop, &["score", "-", "--json"], &transaction(2)).json();
    let record = answer["record"].to_string();
    let shown = done(&workshop, &["prediction", "show", &record, "--json"]).json();
    let scores: Vec<&Value> =
        shown["predictions"].as_array().unwrap().iter().map(|one| &one["score"]).collect();
    assert_eq!(scores.len(), 2);
    assert!(scores.contains(&&answer["score"]) && scores[0] != scores[1], "{scores:?}");
    // The second customer transaction has the first in its past, so the answers need not be equal; the model is the same.
    assert!(plain["score"].is_number());

    // In a batch: two jobs, of which one is a shadow, and the export has the champion's scores.
    fraud(&workshop, &["score"], "");
    let jobs = fraud(&workshop, &["batch", "list", "--json"], "").json();
    let shadows: Vec<bool> =
        jobs.as_array().unwrap().iter().map(|job| job["shadow"].as_bool().unwrap()).collect();
    assert_eq!(shadows, [true, false]);
    let (champion, challenger) = (jobs[1]["run"].to_string(), jobs[0]["run"].to_string());
    let export = |name: &str, run: Option<&str>| {
        let path = workshop.path(name);
        let mut arguments =
            vec!["record", "export", path.to_str().unwrap(), "--domain", "fraud", "--to", "2018-04-20"];
        arguments.extend(run.into_iter().flat_map(|run| ["--run", run]));
        done(&workshop, &arguments);
        std::fs::read_to_string(path).unwrap()
    };
    let latest = export("latest.csv", None);
    assert_eq!(latest, export("champion.csv", Some(&champion)));
    assert_ne!(latest, export("challenger.csv", Some(&challenger)));
}

#[test]
fn promoting_and_rolling_back_change_who_answers() {
    let (workshop, other) = workshop();
    done(&workshop, &["model", "promote", "fraud-feed-forward"]);
    let listed = |place: usize| -> (Value, Value) {
        let list = done(&workshop, &["model", "list", "--json"]).json();
        (list[place]["role"].clone(), list[place]["models"][0]["hash"].clone())
    };
    let (_, first) = listed(0);
    let again = foretell(&workshop, &["model", "challenge", "fraud-feed-forward"]);
    assert_eq!(again.code, FAILED);
    assert!(again.told().contains("it is the champion"), "{again:?}");

    // What is not the champion only stores, though nobody says `--shadow`.
    let job = fraud(&workshop, &["batch", "create", "--model", &other, "--json"], "").json();
    assert_eq!(job["shadow"], true);

    done(&workshop, &["model", "promote", "fraud-feed-forward", "--model", &other]);
    let (role, second) = listed(0);
    assert_eq!(role, "champion");
    assert_ne!(first, second);
    done(&workshop, &["model", "rollback", "fraud"]);
    assert_eq!(listed(0).1, first);
    let log = done(&workshop, &["model", "log", "fraud", "--json"]).json();
    let actions: Vec<&Value> = log.as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["roll back", "deploy", "deploy"]);
    let nothing = foretell(&workshop, &["model", "rollback", "fraud"]);
    assert!(nothing.told().contains("no other champion before"), "{nothing:?}");
}

#[test]
fn two_models_are_compared_on_what_both_scored() {
    let (workshop, other) = workshop();
    fraud(&workshop, &["score"], "");
    fraud(&workshop, &["batch", "create", "--from", "2018-04-10", "--model", &other, "--run"], "");
    let compared =
        fraud(&workshop, &["batch", "compare", "1", "2", "--label", "fraud", "--moved", "5", "--json"], "");
    let report = compared.json();
    let comparison = &report["comparison"];
    assert_eq!(report["only_new"], 0);
    let both = comparison["records"].as_u64().unwrap();
    assert!(both > 0 && report["only_old"].as_u64().unwrap() > 0);
    assert_eq!(report["same"], serde_json::json!({"plugin": true, "models": false, "settings": true}));
    let rho = comparison["correlation"]["spearman"].as_f64().unwrap();
    assert!((-1.0..1.0).contains(&rho), "{rho}");
    let moved: Vec<f64> = report["moved"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["new_score"].as_f64().unwrap() - one["old_score"].as_f64().unwrap()).abs())
        .collect();
    assert_eq!(moved.len(), 5);
    assert!(moved.is_sorted_by(|a, b| a >= b), "{moved:?}");

    // A job compared with itself agrees, and says that it is the same.
    let same = fraud(&workshop, &["batch", "compare", "2", "2"], "").stdout;
    assert!(same.contains("agreement 100.00 %, 0 decisions flipped"), "{same}");
    assert!(same.contains("both are the same plugin, models and settings"), "{same}");
}
