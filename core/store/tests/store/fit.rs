//! Fits, as the store keeps them.

use foretell_store::job::{
    Fitted, FittedModel, Identity, JobErrorKind, JobKind, JobState, Learned, NewFit, NewJob, Planned,
    PlannedFit, WorkerId,
};
use foretell_store::lineage::Model;
use foretell_store::record::{LabelValue, Reject, RejectFilter};
use foretell_store::selection::{Selection, Unscored};
use foretell_store::time::DAY;

use crate::shop::{Shop, execute, model, order, plugin, run};

const FITTED: &str = "1+fit.20261124015512";

fn identity() -> Identity {
    Identity { host: "till".into(), process_id: 7, process_started: 1 }
}

/// A shop with orders at these times.
async fn orders(times: &[i64]) -> Shop {
    let shop = Shop::new().await;
    append(&shop, 1, times).await;
    shop
}

async fn append(shop: &Shop, first: i64, times: &[i64]) {
    let orders = times.iter().zip(first..).map(|(time, number)| order(number, "ann", *time)).collect();
    shop.appender().await.append(orders).await.unwrap();
}

/// Plans a fit in chunks of two.
async fn plan(shop: &Shop, update_of: Option<i64>, labels: &[&str]) -> PlannedFit {
    let base_plugin_version_id = shop.store.plugin_version(&plugin("1")).await.unwrap();
    let after = match update_of {
        Some(job) => Some(shop.store.fit(job).await.unwrap().unwrap().record_watermark),
        None => None,
    };
    let selection = Selection { after, ..Selection::domain("shop") };
    let new = NewJob { chunk_records: 2, ..NewJob::new(run(base_plugin_version_id, vec![]), selection) };
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let fit = NewFit { base_plugin_version_id, seed: u64::MAX, update_of, labels, anew: None };
    shop.store.plan_fit(&new, &fit, &identity(), |_| {}).await.unwrap()
}

async fn planned(shop: &Shop, update_of: Option<i64>) -> i64 {
    match plan(shop, update_of, &["returned"]).await {
        PlannedFit::New(job) => job,
        other => panic!("{other:?}"),
    }
}

/// Notes that all of each chunk was learned but the last record, and returns how many chunks there are.
async fn learn(shop: &Shop, worker: &WorkerId) -> i64 {
    let mut number = 1;
    while let Some(chunk) = shop.store.job_chunk(worker.job, number).await.unwrap() {
        let members = &chunk.portion.members;
        let reject = Reject { record_id: members.last(), reason: "no amount".into(), ..Reject::default() };
        assert!(shop.store.note_learned(worker, number, members.len() - 1, &[reject]).await.unwrap());
        number += 1;
    }
    number - 1
}

fn written() -> Model {
    Model { name: "counts".into(), hash: "learned".into(), ..model("1") }
}

/// Does a fit to its end.
async fn done(shop: &Shop, job: i64) -> Fitted {
    let worker = shop.store.begin_fit(job, &identity()).await.unwrap();
    learn(shop, &worker).await;
    let job_row = shop.store.job(job).await.unwrap().unwrap();
    assert_eq!(job_row.state, JobState::Ready, "a fit is not done when its records are learned");
    let times = shop.store.records(&foretell_store::record::RecordFilter::domain("shop"), 100).await.unwrap();
    let learned = Learned {
        plugin: &plugin(FITTED),
        models: &[written()],
        first_time: times.first().map(|record| record.event_time),
        last_time: times.last().map(|record| record.event_time),
    };
    assert!(shop.store.complete_fit(&worker, &learned).await.unwrap());
    shop.store.fit(job).await.unwrap().expect("it is done")
}

#[tokio::test]
async fn what_a_fit_made_is_stored_with_where_it_came_from() {
    let shop = orders(&[10, 20, 30, 5]).await;
    let job = planned(&shop, None).await;
    assert_eq!(shop.store.job(job).await.unwrap().unwrap().kind, JobKind::Fit);
    assert_eq!(shop.store.fit(job).await.unwrap(), None, "it is not done");
    let task = shop.store.fit_task(job).await.unwrap();
    assert_eq!((task.seed, task.update, task.version), (u64::MAX, false, None));
    let fitted = done(&shop, job).await;
    assert_eq!(fitted.plugin, format!("returns@{FITTED}"));
    assert_eq!((fitted.base.as_str(), fitted.update_of.as_deref()), ("returns@1", None));
    assert_eq!((fitted.records, fitted.total, fitted.rejected), (2, 2, 2));
    assert_eq!((fitted.seed, fitted.record_watermark), (u64::MAX, 4));
    assert_eq!((fitted.first_time, fitted.last_time), (Some(5), Some(30)));
    let file = FittedModel { name: "counts".into(), hash: "learned".into(), bytes: 1_234 };
    assert_eq!(fitted.models, [file]);
    assert_eq!(shop.store.fits(Some("shop"), 10).await.unwrap(), std::slice::from_ref(&fitted));
    assert_eq!(shop.store.fits(Some("lab"), 10).await.unwrap(), []);
    assert_eq!(shop.store.fit_of("returns", Some(FITTED)).await.unwrap(), Some(fitted.clone()));
    assert_eq!(shop.store.fit_of("returns", None).await.unwrap(), Some(fitted));
    assert_eq!(shop.store.fit_of("returns", Some("1")).await.unwrap(), None);
    let job = shop.store.job(job).await.unwrap().unwrap();
    assert_eq!((job.state, job.predicted, job.rejected), (JobState::Done, 2, 2));
    assert!(shop.store.run(job.run_id).await.unwrap().unwrap().finished_at.is_some());
    assert!(shop.store.running_workers(job.id).await.unwrap().is_empty());
    assert_eq!(shop.count("fitted_model").await, 1);
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut shop.other().await).await.unwrap();
    assert!(dangling.is_empty());
}

#[tokio::test]
async fn a_fit_that_begins_again_begins_with_nothing() {
    let shop = orders(&[1, 2, 3, 4, 5]).await;
    let job = planned(&shop, None).await;
    let first = shop.store.begin_fit(job, &identity()).await.unwrap();
    assert_eq!(learn(&shop, &first).await, 3);
    assert!(shop.store.note_fit_version(&first, FITTED).await.unwrap());
    let error = shop.store.begin_fit(job, &identity()).await.unwrap_err();
    assert!(matches!(error.kind, JobErrorKind::AtWork), "{error:?}");
    // Resuming a fit of which every chunk is learned does not make it done.
    shop.store.resume_job(job).await.unwrap();
    assert_eq!(shop.store.job_state(job).await.unwrap(), Some(JobState::Ready));

    shop.store.bury_worker(&first).await.unwrap();
    let second = shop.store.begin_fit(job, &identity()).await.unwrap();
    let watched = shop.store.job(job).await.unwrap().unwrap();
    assert_eq!((watched.chunks, watched.chunks_done, watched.predicted, watched.rejected), (3, 0, 0, 0));
    assert_eq!(shop.store.count_rejects(RejectFilter::Run(watched.run_id)).await.unwrap(), 0);
    assert_eq!(shop.store.fit_task(job).await.unwrap().version.as_deref(), Some(FITTED));

    // Whoever was taken for dead leaves nothing behind.
    assert!(!shop.store.note_learned(&first, 1, 2, &[]).await.unwrap());
    assert!(!shop.store.note_fit_version(&first, "other").await.unwrap());
    let learned = Learned { plugin: &plugin(FITTED), models: &[], first_time: None, last_time: None };
    assert!(!shop.store.complete_fit(&first, &learned).await.unwrap());
    // And nobody completes what is not learned.
    let error = shop.store.complete_fit(&second, &learned).await.unwrap_err();
    assert!(matches!(error.kind, JobErrorKind::Incomplete { chunk: 1, expected: 2, found: 0 }), "{error:?}");
    let error = shop.store.note_learned(&second, 1, 1, &[]).await.unwrap_err();
    assert!(matches!(error.kind, JobErrorKind::Incomplete { chunk: 1, expected: 2, found: 1 }), "{error:?}");

    shop.store.pause_job(job).await.unwrap();
    assert!(!shop.store.note_learned(&second, 1, 2, &[]).await.unwrap());
    let error = shop.store.begin_fit(job, &identity()).await.unwrap_err();
    assert!(matches!(error.kind, JobErrorKind::State { state: JobState::Paused }), "{error:?}");
}

#[tokio::test]
async fn an_update_learns_what_was_stored_since() {
    let shop = orders(&[10, 20, 30, 40]).await;
    let first = planned(&shop, None).await;
    let fitted = done(&shop, first).await;
    assert_eq!(plan(&shop, Some(first), &[]).await, PlannedFit::Nothing);
    assert_eq!(shop.count("fit").await, 1, "what was planned about nothing is taken back");
    append(&shop, 5, &[40, 50]).await;
    let second = planned(&shop, Some(first)).await;
    let update = done(&shop, second).await;
    assert_eq!((update.records, update.total), (1, fitted.total + 1));
    assert_eq!((update.first_time, update.last_time), (Some(10), Some(50)));
    assert_eq!(update.update_of.as_deref(), Some(fitted.plugin.as_str()));
    assert!(shop.store.fit_task(second).await.unwrap().update);
}

#[tokio::test]
async fn what_is_late_is_found_before_anything_is_planned() {
    let shop = orders(&[DAY, 2 * DAY, 9 * DAY]).await;
    let first = planned(&shop, None).await;
    done(&shop, first).await;
    append(&shop, 4, &[10 * DAY, 9 * DAY - 1]).await;
    let late = plan(&shop, Some(first), &[]).await;
    let reason = "record 5 of 1970-01-09T23:59:59.999999Z arrived after the last fit, which had learned up to 1970-01-10T00:00:00Z";
    assert_eq!(late, PlannedFit::Late(reason.into()));
    assert_eq!(shop.count("job").await, 1);

    // A record of another domain is in nobody's past.
    execute(&mut shop.other().await, "UPDATE record SET domain = 'lab' WHERE id = 5").await;
    // The label of order 4 is known a week later, and one of an order before by then.
    assert!(matches!(plan(&shop, Some(first), &["returned"]).await, PlannedFit::New(_)));
    let label = foretell_store::label::NewLabel {
        record_id: 1,
        name: "returned".into(),
        value: LabelValue::Bool(true),
        known_at: 9 * DAY,
        source: "review".into(),
    };
    shop.store.add_labels(&[label]).await.unwrap();
    assert!(matches!(plan(&shop, Some(first), &["checked"]).await, PlannedFit::New(_)), "of no matter");
    let late = plan(&shop, Some(first), &["returned"]).await;
    let PlannedFit::Late(reason) = late else { panic!("{late:?}") };
    assert!(reason.starts_with("a label of record 1 arrived after the last fit"), "{reason}");
}

#[tokio::test]
async fn what_was_learned_is_not_scored() {
    let shop = orders(&[1, 2, 3]).await;
    let job = planned(&shop, None).await;
    done(&shop, job).await;
    let plugin_version_id = shop.store.plugin_version(&plugin("1")).await.unwrap();
    let selection = Selection { unscored: Some(Unscored::default()), ..Selection::domain("shop") };
    let new = NewJob::new(run(plugin_version_id, vec![]), selection);
    let Planned::New(score) = shop.store.plan_job(&new, &identity(), |_| {}).await.unwrap() else {
        panic!("nothing is scored yet")
    };
    let score = shop.store.job(score).await.unwrap().unwrap();
    assert_eq!((score.kind, score.records), (JobKind::Score, 3));
}
