//! Databases that jobs are done in copies of, and what must come out.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use foretell_tests::{Started, Workshop};
use serde_json::Value;

use super::outcome::{Outcome, execute};
use super::{CALM, DONE, Mood, SOME_REJECTED, block_on, moods, store_moods_at};

/// Records of the moody base; the fraud base has about as many.
const RECORDS: usize = 3_000;
/// Records of a chunk.
const CHUNK: &str = "50";

/// A database with records, and what scores them.
pub(crate) struct Base {
    program: &'static str,
    command: &'static str,
    plugin: &'static str,
    database: PathBuf,
}

/// What becomes of a job over all records of a base, when nothing disturbs it.
pub(crate) struct Reference {
    pub(crate) expected: Outcome,
    /// How long planning and doing it take, with one worker.
    pub(crate) takes: Duration,
}

impl Base {
    /// Does the job in a copy.
    pub(crate) fn reference(&self, shop: &Workshop) -> Reference {
        let copy = self.copy(shop, "reference");
        let start = Instant::now();
        let finished = self.start(shop, &copy, &self.create_and_run(1), &[]).wait();
        let takes = start.elapsed();
        assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
        let expected = block_on(Outcome::read(&copy, 1));
        assert!(!expected.rejects.is_empty());
        Reference { expected, takes }
    }

    /// A copy of the database, with a name that it shares with no other.
    pub(crate) fn copy(&self, shop: &Workshop, name: &str) -> PathBuf {
        let log = self.database.with_extension("db-wal");
        assert!(!log.exists(), "everything is in the database itself, so that a copy has it");
        let copy = shop.path(&format!("{}-{name}.db", self.plugin));
        std::fs::copy(&self.database, &copy).unwrap();
        copy
    }

    /// Starts a command for batch work.
    pub(crate) fn start(
        &self,
        shop: &Workshop,
        database: &Path,
        words: &[String],
        environment: &[(&str, &str)],
    ) -> Started {
        let mut arguments = vec!["--db", database.to_str().unwrap(), self.command];
        arguments.extend(words.iter().map(String::as_str));
        shop.start(self.program, &arguments, environment)
    }

    /// Plans a job over all records.
    pub(crate) fn create(&self) -> Vec<String> {
        ["create", "--plugin", self.plugin, "--chunk", CHUNK].map(str::to_owned).to_vec()
    }

    /// Plans it, and works on it.
    pub(crate) fn create_and_run(&self, workers: u32) -> Vec<String> {
        let run = ["--run".to_owned(), "--workers".to_owned(), workers.to_string()];
        [self.create(), run.to_vec()].concat()
    }

    /// The job as the product itself finds it, if it was planned that far.
    pub(crate) fn job(&self, shop: &Workshop, database: &Path) -> Option<Value> {
        let arguments = ["--db", database.to_str().unwrap(), self.command, "list", "--json"];
        let listed = shop.run(self.program, &arguments, "");
        assert_eq!(listed.code, DONE, "{listed:?}");
        let mut jobs = listed.json().as_array().unwrap().clone();
        assert!(jobs.len() <= 1, "{jobs:?}");
        jobs.pop()
    }
}

/// Records without a past, a few of which the plugin refuses, fails for, or does not answer.
pub(crate) async fn moody_base(shop: &Workshop) -> Base {
    let odd = [
        (17, Mood("furious", "0.5")),
        (18, Mood("calm", "1.5")),
        (703, Mood("sulky", "0.5")),
        (1_400, Mood("calm", "\"much\"")),
        (1_401, Mood("lost", "0.5")),
        (2_999, Mood("calm", "-1")),
    ];
    let mut moods = moods(RECORDS, CALM, &odd);
    for (place, mood) in moods.iter_mut().enumerate().filter(|(_, mood)| **mood == CALM) {
        mood.1 = ["0.125", "0.7", "0.3333333"][place % 3];
    }
    // The order of times is another one than that of ids, and several records have the same time.
    let times: Vec<i64> = (0..RECORDS as i64).map(|id| id * 7_919 % 1_000).collect();
    let database = shop.path("moody.db");
    store_moods_at(&database, &moods, &times).await;
    Base { program: "foretell", command: "job", plugin: "moody", database }
}

/// Transactions, whose past matters. A few could not have come through an import.
pub(crate) async fn fraud_base(shop: &Workshop) -> Base {
    let database = shop.path("fraud.db");
    let size = ["--customers", "60", "--terminals", "80", "--days", "26", "--seed", "7"];
    let arguments = [&["--db", database.to_str().unwrap(), "simulate"], &size[..]].concat();
    let simulated = shop.run("foretell-fraud", &arguments, "");
    assert_eq!(simulated.code, DONE, "{simulated:?}");
    execute(
        &database,
        "UPDATE record SET payload = json_set(payload, '$.amount', -1.0) WHERE id IN (40, 41, 1000, 2000);
         UPDATE record SET payload = json_set(payload, '$.customer_id', 5) WHERE id IN (500, 1500)",
    )
    .await;
    Base { program: "foretell-fraud", command: "batch", plugin: "fraud-feed-forward", database }
}
