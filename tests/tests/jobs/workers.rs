//! Several workers, and several supervisors, on one job do each chunk once.

use std::path::Path;

use foretell_tests::Workshop;

use super::base::{Base, fraud_base, moody_base};
use super::outcome::{Outcome, execute, number};
use super::{DONE, SOME_REJECTED, assert_decent, block_on, moody};

/// Notes each chunk that becomes done, and each time that it is taken.
const WATCH: &str = "CREATE TABLE watched (number INTEGER NOT NULL, state TEXT NOT NULL, worker_id INTEGER);
     CREATE TRIGGER watch AFTER UPDATE OF state ON job_chunk WHEN new.state <> old.state BEGIN
         INSERT INTO watched VALUES (new.number, new.state, new.worker_id);
     END";
const DONE_TWICE: &str =
    "SELECT count(*) FROM (SELECT 1 FROM watched WHERE state = 'done' GROUP BY number HAVING count(*) > 1)";
const WORKERS_WITH_CHUNKS: &str = "SELECT count(DISTINCT worker_id) FROM watched WHERE state = 'done'";

/// A base with a planned job that is watched.
fn planned(shop: &Workshop, base: &Base, name: &str) -> std::path::PathBuf {
    let database = base.copy(shop, name);
    let created = base.start(shop, &database, &base.create(), &[]).wait();
    assert_eq!(created.code, DONE, "{created:?}");
    block_on(execute(&database, WATCH));
    database
}

/// Starts `supervisors` with `workers` each at once on one job, and looks at what comes of it: several of them take part. One that a
/// busy system lets start late finds nothing left to do, so there are several jobs to meet on.
fn assert_together(shop: &Workshop, base: &Base, expected: &Outcome, supervisors: usize, workers: usize) {
    const JOBS: usize = 5;
    let words = ["run", "1", "--workers", &workers.to_string()].map(str::to_owned);
    for job in 1..=JOBS {
        let database = planned(shop, base, &format!("{supervisors}-{workers}-{job}"));
        let started: Vec<_> = (0..supervisors).map(|_| base.start(shop, &database, &words, &[])).collect();
        for started in started {
            let finished = started.wait();
            assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
            assert_decent(&finished);
        }
        assert_done_once(&database, expected);
        if block_on(number(&database, WORKERS_WITH_CHUNKS)) > 1 {
            return;
        }
    }
    panic!("each of {JOBS} jobs was done by one of {} workers alone", supervisors * workers);
}

fn assert_done_once(database: &Path, expected: &Outcome) {
    block_on(Outcome::read(database, 1)).must_be(expected);
    assert_eq!(block_on(number(database, DONE_TWICE)), 0);
    assert_eq!(block_on(number(database, "SELECT count(*) FROM job_worker WHERE ended_at IS NULL")), 0);
}

#[test]
fn workers_share_a_job() {
    let shop = moody();
    shop.install_fraud();
    for base in block_on(async { [moody_base(&shop).await, fraud_base(&shop).await] }) {
        let expected = base.reference(&shop).expected;
        assert_together(&shop, &base, &expected, 1, 2);
        assert_together(&shop, &base, &expected, 1, 4);
        assert_together(&shop, &base, &expected, 2, 1);
        assert_together(&shop, &base, &expected, 2, 2);
    }
}

#[test]
fn a_worker_that_is_silent_on_another_machine_loses_its_chunks() {
    let shop = moody();
    let base = block_on(moody_base(&shop));
    let expected = base.reference(&shop).expected;
    let database = planned(&shop, &base, "elsewhere");
    block_on(execute(
        &database,
        "INSERT INTO job_worker (id, job_id, host, process_id, process_started, started_at, seen_at)
             VALUES (100, 1, 'another machine', 1, 0, 0, 0);
         UPDATE job_chunk SET state = 'leased', worker_id = 100 WHERE number IN (3, 4)",
    ));
    let finished = base.start(&shop, &database, &["run", "1"].map(str::to_owned), &[]).wait();
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    assert_done_once(&database, &expected);
}

/// More transactions, as a file to import.
fn transactions(shop: &Workshop, count: usize) -> String {
    let mut file = String::from("transaction_id,event_time,customer_id,terminal_id,amount\n");
    for number in 0..count {
        let (second, minute, hour) = (number % 60, number / 60 % 60, number / 3_600 % 24);
        let time = format!("2018-04-20T{hour:02}:{minute:02}:{second:02}Z");
        file += &format!("more-{number},{time},{},{},10.5\n", number % 60, number % 80);
    }
    shop.write("more.csv", file).to_str().unwrap().to_owned()
}

#[test]
fn what_is_imported_meanwhile_is_not_of_the_job() {
    const MORE: usize = 8_000;
    let shop = moody();
    shop.install_fraud();
    let base = block_on(fraud_base(&shop));
    let expected = base.reference(&shop).expected;
    let file = transactions(&shop, MORE);
    let database = planned(&shop, &base, "imported");
    let import = ["--db", database.to_str().unwrap(), "import", &file, "--json"];
    let importing = shop.start("foretell-fraud", &import, &[]);
    let working = base.start(&shop, &database, &["run", "1", "--workers", "2"].map(str::to_owned), &[]);
    let (imported, worked) = (importing.wait(), working.wait());
    assert_eq!(imported.code, DONE, "{imported:?}");
    assert_eq!(worked.code, SOME_REJECTED, "{worked:?}");
    assert_decent(&imported);
    assert_decent(&worked);
    assert_eq!(imported.json()["stored"], MORE);
    // Whoever walks past other records cuts batches elsewhere.
    block_on(Outcome::read(&database, 1)).must_be_nearly(&expected);
    assert_eq!(block_on(number(&database, DONE_TWICE)), 0);
}
