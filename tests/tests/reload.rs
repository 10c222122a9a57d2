//! A process that answers for long, while another one changes who answers: nothing is lost, nothing is answered twice, and a version that
//! does not open changes nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use foretell_runtime::registry::Existing;
use foretell_tests::{PATIENCE, Workshop, plugin_directory, swap_library, wait_until};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// Lines that are written without waiting for an answer.
const BURST: usize = 1_500;
/// Versions, and the score that each gives.
const VERSIONS: [(&str, &str); 3] = [("1.0.0", "0.25"), ("2.0.0", "0.75"), ("3.0.0", "0.5")];

/// A process that follows its input.
struct Follower {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<Value>,
    stderr: PathBuf,
    written: usize,
    /// The versions that answered, in the order of their answers, and how many lines each answered in a row.
    answered: Vec<(String, usize)>,
}

impl Follower {
    fn start(workshop: &Workshop) -> Self {
        let stderr = workshop.path("follower.stderr");
        let mut child = workshop
            .command("foretell-fraud", &["score", "-", "--follow", "--json"])
            .env("SWAP_REFUSES", "3.0.0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                let answer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, answers, stderr, written: 0, answered: Vec::new() }
    }

    /// Writes so many transactions, and takes their answers: each answered once, in order, by whoever answered it.
    fn ask(&mut self, count: usize) -> &str {
        let first = self.written;
        let mut text = String::new();
        for number in first..first + count {
            text.push_str(&format!(
                "{{\"transaction_id\":\"t-{number}\",\"event_time\":\"2018-06-01T09:30:00Z\",\"customer_id\":\"{}\",\
                 \"terminal_id\":\"9\",\"amount\":57.16}}\n",
                number % 50
            ));
        }
        self.written += count;
        let stdin = self.stdin.as_mut().expect("it is open until the end");
        stdin.write_all(text.as_bytes()).unwrap();
        for number in first..first + count {
            let answer = self
                .answers
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|error| panic!("{error}: {}", self.told()));
            assert_eq!(answer["transaction"], format!("t-{number}"), "{answer}");
            assert_eq!(answer["line"], number + 1);
            let plugin = answer["plugin"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
            let score: f64 = VERSIONS
                .iter()
                .find(|(version, _)| plugin == format!("swap@{version}"))
                .map(|(_, score)| score.parse().unwrap())
                .unwrap_or_else(|| panic!("{answer}"));
            assert_eq!(answer["score"], score, "{answer}");
            match self.answered.last_mut() {
                Some((last, lines)) if *last == plugin => *lines += 1,
                _ => self.answered.push((plugin, 1)),
            }
        }
        &self.answered.last().unwrap().0
    }

    /// Writes line after line until a version answers.
    fn ask_until(&mut self, plugin: &str) {
        wait_until(&format!("{plugin} answers"), || self.ask(1) == plugin);
    }

    /// What it has told on standard error.
    fn told(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    fn has_told(&self, words: &str) -> usize {
        self.told().matches(words).count()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn workshop() -> Workshop {
    let workshop = Workshop::default();
    for (version, score) in VERSIONS {
        let manifest = format!(
            r#"
            schema = 1
            [plugin]
            name = "swap"
            version = "{version}"
            description = "the same score for every record"
            license = "MIT"
            authors = ["tests"]
            domain = "fraud"
            task = "binary-classification"
            abi = "1.0"
            library = "swap"
            [[input]]
            name = "amount"
            type = "float64"
            [output]
            labels = ["genuine", "fraud"]
            positive = "fraud"
            "#
        );
        let library = swap_library(&workshop.path(&format!("build-{version}")), version, score);
        let directory = plugin_directory(&workshop.path(&format!("swap-{version}")), &manifest, &library);
        workshop.registry().install(&directory, Existing::Keep).unwrap();
    }
    workshop
}

#[track_caller]
fn model(workshop: &Workshop, arguments: &[&str]) {
    let finished = workshop.run("foretell", &[&["model"], arguments].concat(), "");
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
}

/// Who predicted a transaction.
fn predictions(workshop: &Workshop, transaction: &str) -> Vec<String> {
    let shown = workshop.run("foretell-fraud", &["show", transaction, "--json"], "").json();
    let plugins = shown["predictions"].as_array().unwrap().iter();
    plugins.map(|prediction| prediction["plugin"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn another_version_takes_over_without_a_lost_or_doubled_line() {
    let workshop = workshop();
    // The database is made by the first command that stores something.
    let first = r#"{"transaction_id":"before","event_time":"2018-05-01T09:30:00Z","customer_id":"1","terminal_id":"9","amount":1}"#;
    let path = workshop.write("first.jsonl", first);
    let imported = workshop.run("foretell-fraud", &["import", path.to_str().unwrap()], "");
    assert_eq!(imported.code, Some(0), "{imported:?}");
    model(&workshop, &["promote", "swap@1.0.0"]);

    let mut follower = Follower::start(&workshop);
    assert_eq!(follower.ask(BURST), "swap@1.0.0");
    model(&workshop, &["promote", "swap@2.0.0"]);
    follower.ask_until("swap@2.0.0");
    // The old one is closed when nobody asks it any more, while the process goes on.
    wait_until("the old version is closed", || follower.has_told("swap 1.0.0 is closed") == 1);
    assert_eq!(follower.ask(BURST), "swap@2.0.0");

    // One that does not open is told once, and changes nothing.
    model(&workshop, &["promote", "swap@3.0.0"]);
    wait_until("the broken version is told", || {
        follower.ask(1);
        follower.has_told("swap@2.0.0 goes on answering") == 1
    });
    assert!(follower.has_told("this version does not open here") == 1, "{}", follower.told());
    assert_eq!(follower.ask(BURST), "swap@2.0.0");

    // Back to the one that answers anyway, and then to the first: loaded anew, its library never went away.
    model(&workshop, &["rollback", "fraud"]);
    assert_eq!(follower.ask(1), "swap@2.0.0");
    model(&workshop, &["rollback", "fraud"]);
    follower.ask_until("swap@1.0.0");

    // Two versions at once: one answers, and one is tried beside it.
    model(&workshop, &["challenge", "swap@2.0.0"]);
    let mut last = String::new();
    wait_until("the challenger is tried", || {
        follower.ask(1);
        last = format!("t-{}", follower.written - 2);
        predictions(&workshop, &last).len() == 2
    });
    assert_eq!(follower.ask(BURST), "swap@1.0.0");

    let versions: Vec<_> = follower.answered.iter().map(|(plugin, _)| plugin.as_str()).collect();
    assert_eq!(versions, ["swap@1.0.0", "swap@2.0.0", "swap@1.0.0"], "{:?}", follower.answered);
    assert_eq!(follower.has_told("goes on answering"), 1, "{}", follower.told());
    let first = follower.answered[0].1;
    for (transaction, plugin) in [("t-0".to_owned(), "swap@1.0.0"), (format!("t-{first}"), "swap@2.0.0")] {
        assert_eq!(predictions(&workshop, &transaction), [plugin], "{transaction}");
    }

    // The input ends, and so does the process: what was answered is stored, once.
    drop(follower.stdin.take());
    let status = follower.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", follower.told());
    assert!(follower.answers.recv().is_err(), "an answer that nobody asked for");
    let written = follower.written as i64;
    assert_eq!(count(&workshop, "SELECT count(*) FROM record WHERE external_id LIKE 't-%'"), written);
    let answers = "FROM prediction JOIN run ON run.id = run_id WHERE shadow = 0";
    assert_eq!(count(&workshop, &format!("SELECT count(*) {answers}")), written);
    assert_eq!(count(&workshop, &format!("SELECT count(DISTINCT record_id) {answers}")), written);
}

#[test]
fn what_is_no_transaction_is_refused_by_its_line_and_stops_nothing() {
    let workshop = workshop();
    let good = |id: &str| {
        format!(
            "{{\"transaction_id\":\"{id}\",\"event_time\":\"2018-06-01T09:30:00Z\",\"customer_id\":\"1\",\"terminal_id\":\"9\",\
             \"amount\":57.16}}"
        )
    };
    let long = format!("{{\"transaction_id\":\"{}\"}}", "x".repeat(2 << 20));
    let lines = [
        &good("a"),
        "",
        "no JSON",
        "\u{e4}",
        &long,
        &good("b").replace("57.16", "-1"),
        &good("a"),
        &good("c"),
    ];
    let import = workshop.write("first.jsonl", good("first"));
    assert_eq!(workshop.run("foretell-fraud", &["import", import.to_str().unwrap()], "").code, Some(0));
    model(&workshop, &["promote", "swap@1.0.0"]);
    let finished = workshop.run("foretell-fraud", &["score", "-", "--follow", "--json"], &lines.join("\n"));
    assert_eq!(finished.code, Some(3), "some are set aside: {finished:?}");
    let answers: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = answers
        .iter()
        .map(|answer| {
            (answer["line"].as_u64().unwrap(), answer["score"].as_f64(), answer["reason"].is_string())
        })
        .collect();
    let scored = Some(0.25);
    let expected = [
        (1, scored, false),
        (3, None, true),
        (4, None, true),
        (5, None, true),
        (6, None, true),
        (7, scored, false),
        (8, scored, false),
    ];
    assert_eq!(told, expected, "{answers:?}");
    assert_eq!(answers[0]["record"], answers[5]["record"], "the same transaction is the same record");

    let words = workshop.run("foretell-fraud", &["score", "-", "--follow"], &good("d"));
    assert_eq!(words.stdout, "d  0.250000  genuine  swap@1.0.0\n", "{words:?}");
    let file = workshop.run("foretell-fraud", &["score", "first.jsonl", "--follow"], "");
    assert!(file.told().contains("expected `-`, standard input, with `--follow`"), "{file:?}");
}

fn count(workshop: &Workshop, query: &str) -> i64 {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let options = SqliteConnectOptions::new().filename(workshop.database()).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await.unwrap()
    })
}
