//! What the commands say of themselves.

use foretell_tests::Workshop;

use super::{DONE, WRONG_COMMAND_LINE, foretell};

/// Every command, with the words that lead to it.
const COMMANDS: [&str; 50] = [
    "",
    "plugin",
    "plugin list",
    "plugin new",
    "plugin inspect",
    "plugin install",
    "plugin remove",
    "plugin validate",
    "plugin bench",
    "plugin package",
    "plugin key",
    "plugin sign",
    "plugin verify",
    "record",
    "record list",
    "record show",
    "record import",
    "record export",
    "record rejects",
    "prediction",
    "prediction runs",
    "prediction show",
    "job",
    "job create",
    "job run",
    "job update",
    "job status",
    "job list",
    "job pause",
    "job cancel",
    "job resume",
    "job results",
    "job compare",
    "model",
    "model list",
    "model promote",
    "model challenge",
    "model rollback",
    "model show",
    "model withdraw",
    "model log",
    "model fetch",
    "verify",
    "db",
    "db backup",
    "db check",
    "db migrate",
    "db vacuum",
    "doctor",
    "completions",
];

/// The commands beneath a command, as its help lists them, each with what the help says of it.
fn listed(help: &str) -> Vec<(String, String)> {
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let command = |line: &str| {
        let (name, words) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        (name.to_owned(), words.trim().to_owned())
    };
    lines.map(command).filter(|(name, _)| name != "help").collect()
}

#[test]
fn every_command_says_what_it_does() {
    let workshop = Workshop::default();
    let mut seen = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(command) = waiting.pop() {
        let mut arguments: Vec<_> = command.split_whitespace().collect();
        arguments.push("--help");
        let finished = foretell(&workshop, &arguments);
        assert_eq!(finished.code, DONE, "{command}: {finished:?}");
        assert!(finished.stderr.is_empty(), "{command}: {finished:?}");
        let about = finished.stdout.lines().next().unwrap_or_default();
        assert!(
            about.len() > 10 && !about.starts_with("Usage"),
            "`foretell {command}` does not say what it does"
        );
        for (name, words) in listed(&finished.stdout) {
            assert!(!words.is_empty(), "`foretell {command}` does not say what {name} does");
            waiting.push(format!("{command} {name}").trim().to_owned());
        }
        seen.push(command);
    }
    seen.sort_unstable();
    let mut expected = COMMANDS;
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn every_command_stands_in_the_readme() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    for command in COMMANDS.iter().filter(|command| !command.is_empty()) {
        let (group, name) = command.split_once(' ').unwrap_or((command, ""));
        let mentions = |line: &str| {
            line.contains(&format!("`foretell {command}"))
                || line.contains(&format!("`foretell {group}`")) && line.contains(&format!("`{name}`"))
        };
        assert!(readme.lines().any(mentions), "`foretell {command}` is not in README.md");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let workshop = Workshop::default();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = foretell(&workshop, &["completions", shell]);
        assert_eq!(finished.code, DONE, "{shell}: {finished:?}");
        for word in ["doctor", "vacuum", "tolerance"] {
            assert!(finished.stdout.contains(word), "{shell} does not complete `{word}`");
        }
    }
    assert_eq!(foretell(&workshop, &["completions", "smoke-signals"]).code, WRONG_COMMAND_LINE);
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_opened() {
    let workshop = Workshop::default();
    for (arguments, expected) in [
        (&["record", "list"][..], "--domain"),
        (
            &["record", "list", "--domain", "shop", "--from", "yesterday"],
            "RFC 3339 such as `2018-07-25T09:15:00Z`",
        ),
        (&["record", "list", "--domain", "shop", "--key", "customer"], "customer_id=596"),
        (&["record", "rejects", "--run", "1", "--source", "1"], "cannot be used with"),
        (&["record", "show", "first"], "'first'"),
        (&["verify", "--tolerance=-1"], "expected a number from 0 on"),
        (&["verify", "--tolerance", "NaN"], "expected a number from 0 on"),
        (&["db", "explode"], "'explode'"),
        (&["--frobnicate"], "--frobnicate"),
    ] {
        let finished = foretell(&workshop, arguments);
        assert_eq!(finished.code, WRONG_COMMAND_LINE, "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(expected), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    }
    assert!(!workshop.database().exists());
}
