//! Who answers for which task: plugins of one domain that do different things, side by side.

use foretell_tests::{Finished, Workshop};
use serde_json::{Value, json};

use super::fit::install_tally;
use super::{CALM, DONE, FAILED, block_on, job, moods, moody, store_moods};

fn foretell(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell", arguments, "")
}

#[track_caller]
fn done(workshop: &Workshop, arguments: &[&str]) -> Value {
    let finished = foretell(workshop, &[arguments, &["--json"]].concat());
    assert_eq!(finished.code, DONE, "{arguments:?}: {finished:?}");
    finished.json()
}

/// Task, role and plugin of each line of `foretell model list`.
fn roles(workshop: &Workshop) -> Vec<String> {
    let list = done(workshop, &["model", "list"]);
    let text = |holder: &Value, name: &str| holder[name].as_str().unwrap_or_default().to_owned();
    let line = |holder: &Value| ["task", "role", "plugin"].map(|name| text(holder, name)).join(" ");
    list.as_array().unwrap().iter().map(line).collect()
}

#[test]
fn plugins_of_different_tasks_both_answer() {
    let workshop = moody();
    install_tally(&workshop, "test");
    block_on(store_moods(&workshop.database(), &moods(3, CALM, &[])));
    for plugin in ["moody", "tally"] {
        done(&workshop, &["model", "promote", plugin]);
    }
    let both = ["binary-classification champion moody@1.0.0", "ranking champion tally@1.0.0"];
    assert_eq!(roles(&workshop), both);

    // Each is asked by its name or by its task, and neither is a trial of the other.
    for which in [["--plugin", "moody", "", ""], ["--domain", "test", "--task", "ranking"]] {
        let which = which.iter().copied().filter(|word| !word.is_empty());
        let words: Vec<&str> = ["job", "create", "--run"].into_iter().chain(which).collect();
        assert_eq!(done(&workshop, &words)["shadow"], false);
    }
    let shown = done(&workshop, &["prediction", "show", "2"]);
    let predictions = shown["predictions"].as_array().unwrap();
    let answers: Vec<_> = predictions.iter().map(|one| (&one["plugin"], &one["score"])).collect();
    assert_eq!(answers.len(), 2, "{shown}");
    // What is asked of the records are conditions on both.
    for (condition, expected) in
        [("task = 'ranking'", 3), ("score = 0.25", 3), ("plugin = 'moody' and score > 0.5", 0)]
    {
        let previewed =
            done(&workshop, &["job", "create", "--plugin", "moody", "--where", condition, "--preview"]);
        assert_eq!(previewed["records"], expected, "{condition}");
    }

    // Without a task it is not clear who is meant.
    let unclear = job(&workshop, &["create", "--domain", "test"]);
    assert_eq!(unclear.code, FAILED, "{unclear:?}");
    let words = "several champions: moody@1.0.0 for `binary-classification`, tally@1.0.0 for `ranking`";
    assert!(unclear.told().contains(words) && unclear.told().contains("--task"), "{unclear:?}");
    let unclear = foretell(&workshop, &["model", "rollback", "test"]);
    assert!(unclear.told().contains(words), "{unclear:?}");
    let nobody = job(&workshop, &["create", "--domain", "test", "--task", "forecast"]);
    assert!(nobody.told().contains("task `forecast` of domain `test` has no champion"), "{nobody:?}");
}

#[test]
fn a_plugin_of_the_same_task_takes_the_place_of_the_champion() {
    let workshop = moody();
    install_tally(&workshop, "test");
    block_on(store_moods(&workshop.database(), &moods(3, CALM, &[])));
    for plugin in ["moody", "tally"] {
        done(&workshop, &["model", "promote", plugin]);
    }
    // What is learned is another version of the plugin, of the same task.
    let learned = workshop.path("counts.txt");
    std::fs::write(&learned, "trace\t7\ntea\t2\n").unwrap();
    let model = format!("counts={}", learned.display());
    let challenged = done(&workshop, &["model", "challenge", "tally", "--model", &model]);
    assert_eq!((&challenged["task"], &challenged["role"]), (&json!("ranking"), &json!("challenger")));
    let shadow = done(&workshop, &["job", "create", "--plugin", "tally", "--model", &model]);
    assert_eq!(shadow["shadow"], true);

    done(&workshop, &["model", "promote", "tally", "--model", &model]);
    let both = ["binary-classification champion moody@1.0.0", "ranking champion tally@1.0.0"];
    assert_eq!(roles(&workshop), both, "the challenger is none any more");
    let answers = done(&workshop, &["job", "create", "--domain", "test", "--task", "ranking", "--run"]);
    assert_eq!(answers["shadow"], false);
    let withdrawn = foretell(&workshop, &["model", "withdraw", "test"]);
    assert!(withdrawn.told().contains("domain `test` has no challenger"), "{withdrawn:?}");

    done(&workshop, &["model", "rollback", "test", "--task", "ranking"]);
    let log = done(&workshop, &["model", "log", "test"]);
    let line = |entry: &Value| {
        ["task", "role", "action"].map(|name| entry[name].as_str().unwrap().to_owned()).join(" ")
    };
    let lines: Vec<String> = log.as_array().unwrap().iter().rev().map(line).collect();
    let expected = [
        "binary-classification champion deploy",
        "ranking champion deploy",
        "ranking challenger deploy",
        "ranking champion deploy",
        "ranking challenger withdraw",
        "ranking champion roll back",
    ];
    assert_eq!(lines, expected);
    let nothing = foretell(&workshop, &["model", "rollback", "test", "--task", "ranking"]);
    assert!(nothing.told().contains("no other champion before"), "{nothing:?}");
}
