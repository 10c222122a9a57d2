use foretell_store::job::{
    Blame, Chunk, Claim, Identity, JobErrorKind, JobState, LEASE, NewJob, Planned, Poison, StageTimes,
    WorkerId,
};
use foretell_store::prediction::NewPrediction;
use foretell_store::record::Reject;
use foretell_store::selection::{Selection, Unscored};

use crate::shop::{Shop, execute, order, plugin, run};

/// A shop with `count` orders, one a day.
async fn orders(count: i64) -> Shop {
    let shop = Shop::new().await;
    append(&shop, 1, count).await;
    shop
}

async fn append(shop: &Shop, first: i64, last: i64) {
    shop.appender()
        .await
        .append((first..=last).map(|number| order(number, "ann", number)).collect())
        .await
        .unwrap();
}

fn identity() -> Identity {
    Identity { host: "till".into(), process_id: 7, process_started: 1 }
}

/// A job over everything, or over what is unscored, in chunks of three.
async fn new_job(shop: &Shop, unscored: bool) -> NewJob {
    let plugin_version_id = shop.store.plugin_version(&plugin("1")).await.unwrap();
    let selection = Selection { unscored: unscored.then(Unscored::default), ..Selection::domain("shop") };
    NewJob { chunk_records: 3, attempts_max: 2, ..NewJob::new(run(plugin_version_id, vec![]), selection) }
}

async fn plan(shop: &Shop, unscored: bool) -> Planned {
    shop.store.plan_job(&new_job(shop, unscored).await, &identity(), |_| {}).await.unwrap()
}

async fn planned(shop: &Shop) -> i64 {
    match plan(shop, false).await {
        Planned::New(job) => job,
        other => panic!("{other:?}"),
    }
}

async fn enter(shop: &Shop, job: i64) -> WorkerId {
    shop.store.enter_worker(job, &identity()).await.unwrap()
}

async fn claim(shop: &Shop, worker: &WorkerId, last: Option<i64>) -> Chunk {
    match shop.store.claim_chunk(worker, last).await.unwrap() {
        Claim::Chunk(chunk) => *chunk,
        other => panic!("{other:?}"),
    }
}

fn predictions(chunk: &Chunk) -> Vec<NewPrediction> {
    let prediction = |record_id| NewPrediction { record_id, score: Some(0.5), ..NewPrediction::default() };
    chunk.portion.members.iter().map(prediction).collect()
}

async fn complete(shop: &Shop, worker: &WorkerId, chunk: &Chunk) -> bool {
    shop.store.complete_chunk(worker, chunk.number, &predictions(chunk), &[]).await.unwrap()
}

/// Does all that is left of a job.
async fn finish(shop: &Shop, job: i64) {
    let worker = enter(shop, job).await;
    let mut last = None;
    while let Claim::Chunk(chunk) = shop.store.claim_chunk(&worker, last).await.unwrap() {
        assert!(complete(shop, &worker, &chunk).await);
        last = Some(chunk.number);
    }
    shop.store.end_worker(&worker).await.unwrap();
}

async fn state(shop: &Shop, job: i64) -> JobState {
    shop.store.job_state(job).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_job_is_about_what_was_there_when_it_was_planned() {
    let shop = orders(8).await;
    let job = planned(&shop).await;
    append(&shop, 9, 12).await;
    finish(&shop, job).await;
    let job = shop.store.job(job).await.unwrap().unwrap();
    assert_eq!((job.state, job.records, job.predicted, job.chunks), (JobState::Done, 8, 8, 3));
    assert_eq!(shop.store.count_predictions(job.run_id).await.unwrap(), 8);
    assert!(shop.store.run(job.run_id).await.unwrap().unwrap().finished_at.is_some());
    assert_eq!(plan(&Shop::new().await, false).await, Planned::Nothing);
}

#[tokio::test]
async fn what_is_unscored_is_planned_once() {
    let shop = orders(4).await;
    let Planned::New(first) = plan(&shop, true).await else { panic!("there are orders") };
    assert_eq!(plan(&shop, true).await, Planned::Unfinished(first), "it comes first");
    finish(&shop, first).await;
    assert_eq!(plan(&shop, true).await, Planned::Nothing);
    assert_eq!(shop.store.runs(None).await.unwrap().len(), 1, "nothing to do leaves no run behind");

    append(&shop, 5, 6).await;
    let Planned::New(second) = plan(&shop, true).await else { panic!("there are new orders") };
    let job = shop.store.job(second).await.unwrap().unwrap();
    assert_eq!(job.records, 2);
    assert!(job.selection.contains(r#""after":4"#), "what is done is not looked at again: {}", job.selection);

    // One that was given up half way leaves the rest to the next.
    let worker = enter(&shop, second).await;
    shop.store.cancel_job(second).await.unwrap();
    assert!(matches!(shop.store.claim_chunk(&worker, None).await.unwrap(), Claim::Stop(JobState::Cancelled)));
    let Planned::New(third) = plan(&shop, true).await else { panic!("two are left") };
    assert_eq!(shop.store.job(third).await.unwrap().unwrap().records, 2);
}

#[tokio::test]
async fn a_worker_that_was_taken_for_dead_leaves_nothing_behind() {
    let shop = orders(6).await;
    let job = planned(&shop).await;
    let (slow, quick) = (enter(&shop, job).await, enter(&shop, job).await);
    let chunk = claim(&shop, &slow, None).await;
    shop.store.end_worker(&slow).await.unwrap();
    let same = claim(&shop, &quick, None).await;
    assert_eq!(same, chunk);
    assert!(!complete(&shop, &slow, &chunk).await, "it is not its own any more");
    assert_eq!(shop.store.count_predictions(chunk.run_id).await.unwrap(), 0);
    assert!(matches!(shop.store.claim_chunk(&slow, None).await.unwrap(), Claim::Lost));
    assert!(!shop.store.heartbeat(&slow, StageTimes::default()).await.unwrap());
    assert!(complete(&shop, &quick, &same).await);
    assert!(!complete(&shop, &quick, &same).await, "a chunk is done once");
    assert_eq!(shop.store.count_predictions(chunk.run_id).await.unwrap(), 3);
}

#[tokio::test]
async fn a_worker_that_is_silent_for_too_long_loses_its_chunks() {
    let shop = orders(3).await;
    let job = planned(&shop).await;
    let (silent, other) = (enter(&shop, job).await, enter(&shop, job).await);
    let chunk = claim(&shop, &silent, None).await;
    assert!(matches!(shop.store.claim_chunk(&other, None).await.unwrap(), Claim::Wait));
    let age = format!(
        "UPDATE job_worker SET seen_at = seen_at - {} WHERE id = {}",
        LEASE.as_micros() + 1,
        silent.worker
    );
    execute(&mut shop.other().await, &age).await;
    assert_eq!(claim(&shop, &other, None).await, chunk);
    assert!(!complete(&shop, &silent, &chunk).await);
}

#[tokio::test]
async fn workers_share_a_job_in_stretches() {
    let shop = orders(30).await;
    let job = planned(&shop).await;
    let (one, two) = (enter(&shop, job).await, enter(&shop, job).await);
    assert_eq!(claim(&shop, &one, None).await.number, 1);
    assert_eq!(claim(&shop, &two, None).await.number, 6, "the second begins in the middle of the rest");
    assert_eq!(claim(&shop, &one, Some(1)).await.number, 2);
    assert_eq!(claim(&shop, &two, Some(6)).await.number, 7);
}

#[tokio::test]
async fn a_chunk_accounts_for_each_of_its_records() {
    let shop = orders(3).await;
    let job = planned(&shop).await;
    let worker = enter(&shop, job).await;
    let chunk = claim(&shop, &worker, None).await;
    let mut predicted = predictions(&chunk);
    let last = predicted.pop().unwrap().record_id;
    let short = shop.store.complete_chunk(&worker, 1, &predicted, &[]).await.unwrap_err().kind;
    assert!(matches!(short, JobErrorKind::Incomplete { chunk: 1, expected: 3, found: 2 }), "{short:?}");
    let unknown = Reject { record_id: Some(99), reason: "no amount".into(), ..Reject::default() };
    let kind = shop.store.complete_chunk(&worker, 1, &predicted, &[unknown]).await.unwrap_err().kind;
    assert!(kind.to_string().contains("no record 99"), "{kind}");
    assert_eq!(shop.store.count_predictions(chunk.run_id).await.unwrap(), 0, "nothing of it was kept");

    let reject = Reject { record_id: Some(last), reason: "no amount".into(), ..Reject::default() };
    assert!(shop.store.complete_chunk(&worker, 1, &predicted, &[reject]).await.unwrap());
    let job = shop.store.job(job).await.unwrap().unwrap();
    assert_eq!((job.state, job.predicted, job.rejected), (JobState::Done, 2, 1));
}

#[tokio::test]
async fn a_chunk_is_tried_again_with_care_and_then_given_up() {
    let shop = orders(6).await;
    let job = planned(&shop).await;
    let worker = enter(&shop, job).await;
    let chunk = claim(&shop, &worker, None).await;
    let poison = Poison { record_id: 1, reason: "crashed".into() };
    shop.store.fail_chunk(&worker, chunk.number, &Blame::Record(poison.clone())).await.unwrap();
    let second = claim(&shop, &worker, None).await;
    assert_eq!(second.number, 2, "the one that failed is left for the end");
    assert!(complete(&shop, &worker, &second).await);
    let mut again = claim(&shop, &worker, None).await;
    assert!(again.careful && again.poison == [poison]);
    for _ in 0..2 {
        let blame = Blame::Chunk { problem: "killed".into() };
        shop.store.fail_chunk(&worker, again.number, &blame).await.unwrap();
        if let Claim::Chunk(chunk) = shop.store.claim_chunk(&worker, None).await.unwrap() {
            again = *chunk;
        }
    }
    assert_eq!(state(&shop, job).await, JobState::Failed);
    let problems = shop.store.chunk_problems(job, 9).await.unwrap();
    assert_eq!((problems.len(), problems[0].attempts, problems[0].problem.as_str()), (1, 2, "killed"));

    shop.store.resume_job(job).await.unwrap();
    finish(&shop, job).await;
    assert_eq!(state(&shop, job).await, JobState::Done);
}

#[tokio::test]
async fn a_state_says_what_can_be_done() {
    let shop = orders(3).await;
    let job = planned(&shop).await;
    shop.store.pause_job(job).await.unwrap();
    let worker = enter(&shop, job).await;
    assert!(matches!(shop.store.claim_chunk(&worker, None).await.unwrap(), Claim::Stop(JobState::Paused)));
    let again = shop.store.pause_job(job).await.unwrap_err();
    assert!(matches!(again.kind, JobErrorKind::State { state: JobState::Paused }), "{again:?}");
    shop.store.resume_job(job).await.unwrap();
    finish(&shop, job).await;
    for refused in
        [shop.store.cancel_job(job).await, shop.store.resume_job(job).await, shop.store.pause_job(job).await]
    {
        let kind = refused.unwrap_err().kind;
        assert!(matches!(kind, JobErrorKind::State { state: JobState::Done }), "{kind:?}");
        assert!(kind.hint().is_some());
    }
    let unknown = shop.store.cancel_job(99).await.unwrap_err().kind;
    assert!(matches!(unknown, JobErrorKind::UnknownJob(99)), "{unknown:?}");
}

#[tokio::test]
async fn a_job_that_was_left_half_planned_is_planned_again() {
    let shop = orders(7).await;
    let job = planned(&shop).await;
    let mut other = shop.other().await;
    execute(&mut other, "UPDATE job SET state = 'planning'").await;
    execute(&mut other, "DELETE FROM job_chunk WHERE number > 1").await;
    let entered = enter(&shop, job).await;
    let busy = shop.store.plan_again(job, &identity(), |_| {}).await.unwrap_err().kind;
    assert!(matches!(busy, JobErrorKind::Planning), "{busy:?}");
    shop.store.end_worker(&entered).await.unwrap();
    assert_eq!(shop.store.plan_again(job, &identity(), |_| {}).await.unwrap(), Planned::New(job));
    finish(&shop, job).await;
    assert_eq!(shop.store.job(job).await.unwrap().unwrap().predicted, 7);
}
