//! Questions that are answered at once.

use std::sync::Arc;

use foretell_jobs::{Answer, Program, answer};
use foretell_store::deployment::Role;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};

use super::{Cage, LIMITS, isolating};

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_ends_the_process_costs_itself() {
    let cage = Cage::new();
    let runtime = isolating(LIMITS);
    let plugin = Arc::new(cage.load(&runtime));
    let store = Store::create_or_open(&cage.place.path().join("foretell.db")).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "test", Vec::new(), source).await.unwrap();
    let deeds = ["none", "crash", "none", "socket", "leave", "none"];
    let record = |(time, deed): (i64, &&str)| NewRecord {
        external_id: None,
        event_time: time,
        payload: format!(r#"{{"deed":"{deed}"}}"#),
        keys: Vec::new(),
        labels: Vec::new(),
        media: vec![],
    };
    appender.append((0..).zip(&deeds).map(record).collect()).await.unwrap();
    appender.finish().await.unwrap();
    let program = Program::new("test", "0", &runtime);
    let expected = [
        None,
        Some("the process of the plugin was ended by signal 11 (segmentation fault)"),
        None,
        Some("socket: refused: Operation not permitted"),
        Some("the process of the plugin ended with code 7"),
        None,
    ];
    // One after the other, and all at once.
    for ids in [(1..=6).map(|id| vec![id]).collect::<Vec<_>>(), vec![(1..=6).collect()]] {
        for ids in ids {
            let (_, answers) = answer(&store, &plugin, &program, Role::Champion, &ids).await.unwrap();
            assert_eq!(answers.len(), ids.len());
            for (id, answer) in answers {
                let reason = match answer {
                    Answer::Predicted(predicted) => {
                        assert_eq!(predicted.score, Some(0.25));
                        None
                    }
                    Answer::Refused { reason, .. } => Some(reason),
                };
                assert_eq!(reason.as_deref(), expected[id as usize - 1], "record {id}");
            }
        }
    }
    store.close().await;
}
