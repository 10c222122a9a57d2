//! Processes that are killed at any moment leave a job that another process takes to the same end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use foretell_jobs::is_gone;
use foretell_store::job::Identity;
use foretell_tests::{Workshop, signal, wait_until};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::base::{Base, Reference, fraud_base, moody_base};
use super::outcome::{Outcome, connect, number};
use super::{
    DONE, SLOW, SOME_REJECTED, assert_decent, block_on, create, moods, moody, start_job, status, store_moods,
};

/// Kills that must hit, unless `FORETELL_KILLS` says otherwise.
const KILLS: usize = 200;
/// Where the random numbers begin, unless `FORETELL_KILL_SEED` says otherwise.
const SEED: u64 = 20_180_725;
/// Databases that are worked on at the same time.
const THREADS: usize = 2;
/// Kills of one job.
const KILLS_OF_A_JOB_MAX: u32 = 6;
/// Kills of one job that the supervisor survives: each may count as an attempt of the same chunk, and a job allows three.
const WORKER_KILLS_MAX: u32 = 2;

/// Which processes are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// The supervisor and its workers.
    Group,
    /// The supervisor; its workers then end by themselves.
    Supervisor,
    /// A worker; the supervisor goes on.
    Worker,
}

/// How many kills hit, by what was killed and how far the job was.
#[derive(Default)]
struct Tally {
    databases: u64,
    hits: BTreeMap<(Target, &'static str), usize>,
    /// Jobs that stood still after the supervisor was killed.
    left_behind: usize,
}

impl Tally {
    fn kills(&self) -> usize {
        self.hits.values().sum()
    }

    fn of(&self, is_meant: impl Fn(Target, &str) -> bool) -> usize {
        self.hits.iter().filter(|((target, stage), _)| is_meant(*target, stage)).map(|(_, hits)| hits).sum()
    }
}

fn setting(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` is `{text}`; expected a number")))
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs a test that failed wants to know how to repeat it")]
fn a_job_survives_every_kill() {
    let kills = setting("FORETELL_KILLS").map_or(KILLS, |kills| kills as usize);
    let seed = setting("FORETELL_KILL_SEED").unwrap_or(SEED);
    let shop = moody();
    shop.install_fraud();
    let bases = block_on(async { [moody_base(&shop).await, fraud_base(&shop).await] });
    let bases = bases.map(|base| {
        let reference = base.reference(&shop);
        (base, reference)
    });
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(number) = next(&tally, kills) {
                    let mut random = ChaCha8Rng::seed_from_u64(seed);
                    random.set_stream(number);
                    let (base, reference) = &bases[number as usize % bases.len()];
                    let database = base.copy(&shop, &number.to_string());
                    let trial = Trial { shop: &shop, base, reference, database, tally: &tally };
                    let trial = AssertUnwindSafe(|| trial.run(&mut random));
                    if let Err(panic) = catch_unwind(trial) {
                        eprintln!("database {number}; repeat with FORETELL_KILL_SEED={seed}");
                        resume_unwind(panic);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("{} kills of jobs in {} databases: {:?}", tally.kills(), tally.databases, tally.hits);
    assert!(tally.kills() >= kills, "seed {seed}");
    for target in [Target::Group, Target::Supervisor, Target::Worker] {
        assert!(tally.of(|hit, _| hit == target) > 0, "{target:?} was never hit; seed {seed}");
    }
    assert!(tally.of(|_, stage| stage == AT_WORK) > kills / 10, "seed {seed}: {:?}", tally.hits);
    assert!(tally.left_behind > 0, "seed {seed}");
}

/// The number of the next database, unless there were enough kills.
fn next(tally: &Mutex<Tally>, kills: usize) -> Option<u64> {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let number = tally.databases;
    assert!(number < 10 + 2 * kills as u64, "most kills miss: {:?}", tally.hits);
    tally.databases += 1;
    (tally.kills() < kills).then_some(number)
}

/// Nothing is written down of the job, its chunks are, some are done, or all are.
const BEFORE: &str = "before it was stored";
const PLANNING: &str = "planning";
const PLANNED: &str = "before the first chunk was done";
const AT_WORK: &str = "at work";
const AT_THE_END: &str = "at the end";

fn stage(job: Option<&Value>) -> &'static str {
    let Some(job) = job else { return BEFORE };
    match (job["state"].as_str().unwrap(), job["chunks_done"].as_u64().unwrap()) {
        ("planning", _) => PLANNING,
        ("done", _) => AT_THE_END,
        (_, 0) => PLANNED,
        _ => AT_WORK,
    }
}

/// A job in a database of its own that is killed a few times, and then done.
struct Trial<'t> {
    shop: &'t Workshop,
    base: &'t Base,
    reference: &'t Reference,
    database: PathBuf,
    tally: &'t Mutex<Tally>,
}

impl Trial<'_> {
    fn run(self, random: &mut ChaCha8Rng) {
        if random.random_bool(0.5) {
            let planned = self.base.start(self.shop, &self.database, &self.base.create(), &[]).wait();
            assert_eq!(planned.code, DONE, "{planned:?}");
        }
        let mut worker_kills = 0;
        for _ in 0..random.random_range(2..=KILLS_OF_A_JOB_MAX) {
            let job = self.base.job(self.shop, &self.database);
            if stage(job.as_ref()) == AT_THE_END {
                break;
            }
            let target = match random.random_range(0..6) {
                0..3 => Target::Group,
                3..5 => Target::Supervisor,
                _ if worker_kills < WORKER_KILLS_MAX => Target::Worker,
                _ => Target::Group,
            };
            worker_kills += u32::from(target == Target::Worker);
            self.kill(job.as_ref(), target, random);
        }
        self.finish(random);
        self.all_are_gone();
        let outcome = block_on(Outcome::read(&self.database, 1));
        // Whoever kills a worker during a call makes it predict that chunk record by record.
        match block_on(number(&self.database, "SELECT count(*) FROM job_chunk WHERE careful = 1")) {
            0 => outcome.must_be(&self.reference.expected),
            _ => outcome.must_be_nearly(&self.reference.expected),
        }
        for file in ["db", "db-wal", "db-shm"] {
            // Two of them may not be there.
            let _ = std::fs::remove_file(self.database.with_extension(file));
        }
    }

    /// Works on the job, and kills who does at some moment.
    fn kill(&self, job: Option<&Value>, target: Target, random: &mut ChaCha8Rng) {
        let workers = random.random_range(1..=2);
        let words = self.words(job, workers, random);
        let wait = self.reference.takes.mul_f64(random.random_range(0.0..1.1));
        let wait_for_workers = random.random_bool(0.5);
        let mut started = self.base.start(self.shop, &self.database, &words, &[]);
        std::thread::sleep(wait);
        let hit = match target {
            Target::Group => started.is_running() && started.kill_group(),
            Target::Supervisor => started.is_running() && started.kill_alone(),
            Target::Worker => self.kill_worker(started.id()),
        };
        if target == Target::Worker {
            // The supervisor starts another one, and goes on to the end.
            let finished = started.wait();
            assert_eq!(finished.code, SOME_REJECTED, "{words:?}: {finished:?}");
            assert_decent(&finished);
        } else {
            assert_decent(&started.said());
            if target == Target::Supervisor && wait_for_workers {
                self.all_are_gone();
            }
        }
        if hit {
            let job = self.base.job(self.shop, &self.database);
            let stage = stage(job.as_ref());
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            *tally.hits.entry((target, stage)).or_default() += 1;
            tally.left_behind +=
                usize::from(target == Target::Supervisor && wait_for_workers && stage == AT_WORK);
        }
    }

    /// A command that takes the job to its end.
    fn words(&self, job: Option<&Value>, workers: u32, random: &mut ChaCha8Rng) -> Vec<String> {
        match stage(job) {
            BEFORE => self.base.create_and_run(workers),
            stage => {
                let verb = if stage != PLANNING && random.random_bool(0.5) { "run" } else { "resume" };
                [verb, "1", "--workers", &workers.to_string()].map(str::to_owned).to_vec()
            }
        }
    }

    /// Kills one of the workers; whether there was one.
    fn kill_worker(&self, supervisor: u32) -> bool {
        let workers = block_on(running(&self.database));
        // Whoever planned the job is among them, until it is planned.
        let worker = workers.into_iter().find(|worker| worker.process_id != supervisor && !is_gone(worker));
        worker.is_some_and(|worker| signal("KILL", &worker.process_id.to_string()))
    }

    fn finish(&self, random: &mut ChaCha8Rng) {
        let job = self.base.job(self.shop, &self.database);
        let workers = random.random_range(1..=2);
        let words = match &job {
            None => self.base.create_and_run(workers),
            Some(_) => ["resume", "1", "--workers", &workers.to_string()].map(str::to_owned).to_vec(),
        };
        let finished = self.base.start(self.shop, &self.database, &words, &[]).wait();
        assert_eq!(finished.code, SOME_REJECTED, "{words:?}: {finished:?}");
        assert_decent(&finished);
    }

    /// Waits until nobody works on the job any more.
    fn all_are_gone(&self) {
        let workers = block_on(running(&self.database));
        wait_until("workers end with their supervisor", || workers.iter().all(is_gone));
    }
}

/// Processes that work on a job, or plan it, as far as the database knows.
async fn running(database: &Path) -> Vec<Identity> {
    let mut connection = connect(database).await;
    let workers: Vec<(String, u32, i64)> =
        sqlx::query_as("SELECT host, process_id, process_started FROM job_worker WHERE ended_at IS NULL")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let identity = |(host, process_id, started): (String, u32, i64)| Identity {
        host,
        process_id,
        process_started: started.cast_unsigned(),
    };
    workers.into_iter().map(identity).collect()
}

#[test]
fn workers_end_when_their_supervisor_is_killed() {
    let workshop = moody();
    let database = workshop.database();
    block_on(store_moods(&database, &moods(6_000, SLOW, &[])));
    create(&workshop, "5");
    let mut started = start_job(&workshop, &["run", "1", "--workers", "2"]);
    wait_until("something is done", || status(&workshop, "1")["chunks_done"].as_u64() > Some(0));
    let workers = block_on(running(&database));
    assert_eq!(workers.len(), 2);
    assert!(started.kill_alone());
    wait_until("workers end with their supervisor", || workers.iter().all(is_gone));
    let job = status(&workshop, "1");
    assert_eq!(job["state"], "ready", "{job}");
    assert!(job["predicted"].as_u64() < Some(6_000), "{job}");
    assert_decent(&started.said());
}
