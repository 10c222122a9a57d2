//! Pages against a plain filter over the same records, and the statements behind them.

use proptest::prelude::*;
use sqlx::{AssertSqlSafe, SqliteConnection};
use tempfile::TempDir;

use super::{Page, Pages, SelectedLabel, Selection, Unscored, span};
use crate::label::NewLabel;
use crate::lineage::{NewRun, PluginVersion};
use crate::open::Store;
use crate::prediction::NewPrediction;
use crate::record::{Appender, LabelValue, NewRecord, Reject, SourceInfo, SourceKind};
use crate::time::Micros;

const DOMAINS: [&str; 2] = ["shop", "lab"];
const CUSTOMERS: [&str; 3] = ["596", "it's \"7\"", "late"];
const LABELS: [&str; 2] = ["returned", "late"];
const TIMES: std::ops::Range<Micros> = 0..6;
const RUNS: usize = 2;

/// A record as the test knows it.
#[derive(Clone, Debug)]
struct Order {
    domain: usize,
    source: usize,
    time: Micros,
    customer: Option<usize>,
    amount: Option<i64>,
    /// Name, value and time of knowing, in the order of storing.
    labels: Vec<(usize, LabelValue, Micros)>,
    /// For each run: a prediction with this score, or a reject.
    done: [Option<Done>; RUNS],
}

#[derive(Clone, Debug)]
enum Done {
    Predicted(f64),
    Rejected,
}

/// A condition, and what it means.
type Meaning = (&'static str, fn(&Order) -> bool);

const CONDITIONS: [Meaning; 7] = [
    ("payload ->> '$.amount' > 5", |order| order.amount.is_some_and(|amount| amount > 5)),
    ("payload ->> 'customer' = 'it''s \"7\"' -- a name", |order| order.customer == Some(1)),
    ("NOT payload ->> '$.amount' IN (1, 2, 3)", |order| {
        order.amount.is_some_and(|amount| !(1..=3).contains(&amount))
    }),
    ("event_time BETWEEN 2 AND 3 OR payload ->> '$.amount' IS NULL", |order| {
        (2..=3).contains(&order.time) || order.amount.is_none()
    }),
    ("score >= 0.5", |order| latest(order).is_some_and(|score| score >= 0.5)),
    ("coalesce(score, - -1) < 0.5 and readable_record.domain = 'shop'", |order| {
        latest(order).is_some_and(|score| score < 0.5) && order.domain == 0
    }),
    ("CASE WHEN run_id IS NULL THEN \"domain\" LIKE 'S%p' ELSE external_id GLOB 'x*' END", |order| {
        order.done.iter().all(|done| !matches!(done, Some(Done::Predicted(_)))) && order.domain == 0
    }),
];

/// The score of the last run that predicted it.
fn latest(order: &Order) -> Option<f64> {
    order.done.iter().rev().find_map(|done| match done {
        Some(Done::Predicted(score)) => Some(*score),
        _ => None,
    })
}

/// What a test asks for, by the places of the lists above.
#[derive(Clone, Debug)]
struct Wish {
    domain: usize,
    from: Option<Micros>,
    to: Option<Micros>,
    customer: Option<usize>,
    label: Option<(usize, Option<LabelValue>)>,
    source: Option<usize>,
    /// Stored after the record at this place, of those that there may be.
    after: Option<usize>,
    /// The records at these places, of those that there may be.
    records: Option<Vec<usize>>,
    condition: Option<usize>,
    unscored: Option<Vec<bool>>,
}

fn label_value() -> impl Strategy<Value = LabelValue> {
    prop_oneof![
        any::<bool>().prop_map(LabelValue::Bool),
        Just(LabelValue::Number(1.0)),
        Just(LabelValue::Number(2.5)),
        Just(LabelValue::Text("1".into())),
        Just(LabelValue::Text("it's".into())),
    ]
}

fn done() -> impl Strategy<Value = Option<Done>> {
    prop_oneof![
        2 => Just(None),
        2 => prop_oneof![Just(0.25), Just(0.75)].prop_map(|score| Some(Done::Predicted(score))),
        1 => Just(Some(Done::Rejected)),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    (
        prop_oneof![4 => Just(0_usize), 1 => Just(1)],
        0..2_usize,
        TIMES,
        prop::option::of(0..CUSTOMERS.len()),
        prop::option::of(0..10_i64),
        prop::collection::vec((0..LABELS.len(), label_value(), 0..3_i64), 0..4),
        [done(), done()],
    )
        .prop_map(|(domain, source, time, customer, amount, labels, done)| Order {
            domain,
            source,
            time,
            customer,
            amount,
            labels,
            done,
        })
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        prop_oneof![6 => Just(0_usize), 1 => Just(1)],
        prop::option::weighted(0.4, TIMES),
        prop::option::weighted(0.4, TIMES),
        prop::option::weighted(0.3, 0..CUSTOMERS.len()),
        prop::option::weighted(0.3, (0..LABELS.len(), prop::option::of(label_value()))),
        prop::option::weighted(0.2, 0..2_usize),
        prop::option::weighted(0.2, 0..20_usize),
        prop::option::weighted(0.3, prop::collection::vec(0..20_usize, 0..12)),
        prop::option::weighted(0.4, 0..CONDITIONS.len()),
        prop::option::weighted(0.4, prop::collection::vec(any::<bool>(), RUNS)),
    )
        .prop_map(|(domain, from, to, customer, label, source, after, records, condition, unscored)| {
            Wish { domain, from, to, customer, label, source, after, records, condition, unscored }
        })
}

struct World {
    store: Store,
    _directory: TempDir,
    /// Id and order, in the order of ids.
    records: Vec<(i64, Order)>,
    /// By domain, then place.
    sources: [[i64; 2]; 2],
    runs: Vec<i64>,
}

impl World {
    async fn new(orders: Vec<Order>) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        let mut sources = [[0; 2]; 2];
        let mut appenders = Vec::new();
        for (domain, ids) in sources.iter_mut().enumerate() {
            for (place, id) in ids.iter_mut().enumerate() {
                let source = SourceInfo {
                    kind: SourceKind::Live,
                    name: format!("till {place}"),
                    hash: None,
                    mapping: None,
                };
                let appender = Appender::begin(&store, DOMAINS[domain], vec!["customer".into()], source);
                appenders.push(appender.await.unwrap());
                *id = appenders.last().unwrap().source_id();
            }
        }
        let mut records = Vec::new();
        for order in orders {
            let appender = &mut appenders[2 * order.domain + order.source];
            let id = appender.append(vec![order.stored()]).await.unwrap()[0].record_id();
            let labels = order.labels.iter().map(|(name, value, known_at)| NewLabel {
                record_id: id,
                name: LABELS[*name].into(),
                value: value.clone(),
                known_at: *known_at,
                source: "review".into(),
            });
            for label in labels {
                store.add_labels(&[label]).await.unwrap();
            }
            records.push((id, order));
        }
        let mut runs = Vec::new();
        for place in 0..RUNS {
            let run = begin_run(&store).await;
            let of_run = |(id, order): &(i64, Order)| Some((*id, order.done[place].clone()?));
            let (mut predictions, mut rejects) = (Vec::new(), Vec::new());
            for (record_id, done) in records.iter().filter_map(of_run) {
                match done {
                    Done::Predicted(score) => predictions.push(NewPrediction {
                        record_id,
                        score: Some(score),
                        ..NewPrediction::default()
                    }),
                    Done::Rejected => rejects.push(Reject {
                        record_id: Some(record_id),
                        reason: "no amount".into(),
                        ..Reject::default()
                    }),
                }
            }
            store.write_predictions(run, &predictions, &rejects).await.unwrap();
            runs.push(run);
        }
        Self { store, _directory: directory, records, sources, runs }
    }

    fn id_max(&self) -> i64 {
        self.records.last().map_or(0, |(id, _)| *id)
    }

    /// The id of the record at a place; one that nobody has, if there are fewer.
    fn id_at(&self, place: usize) -> i64 {
        self.records.get(place).map_or(self.id_max() + 1, |(id, _)| *id)
    }

    fn selection(&self, wish: &Wish) -> Selection {
        let runs = |wanted: &Vec<bool>| -> Vec<i64> {
            self.runs.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(run, _)| *run).collect()
        };
        Selection {
            domain: DOMAINS[wish.domain].into(),
            from: wish.from,
            to: wish.to,
            key: wish.customer.map(|customer| ("customer".into(), CUSTOMERS[customer].into())),
            label: wish.label.clone().map(|(name, value)| SelectedLabel { name: LABELS[name].into(), value }),
            source: wish.source.map(|source| self.sources[wish.domain][source]),
            after: wish.after.map(|place| self.id_at(place)),
            records: wish
                .records
                .as_ref()
                .map(|places| places.iter().map(|place| self.id_at(*place)).collect()),
            condition: wish.condition.map(|condition| CONDITIONS[condition].0.into()),
            unscored: wish
                .unscored
                .as_ref()
                .map(|wanted| Unscored { runs: runs(wanted), after: self.after(wanted) }),
        }
    }

    /// The greatest id up to which every record is done, by the plain reading; often 0.
    fn after(&self, wanted: &[bool]) -> i64 {
        let all_done = self.records.iter().take_while(|(_, order)| is_done(order, wanted));
        all_done.last().map_or(0, |(id, _)| *id)
    }

    /// The selected records by the plain reading of the definition.
    fn expected(&self, wish: &Wish, id_max: i64) -> Vec<(Micros, i64)> {
        let meets = |(id, order): &&(i64, Order)| {
            let held = |name: usize| {
                let named = order.labels.iter().filter(move |label| label.0 == name).enumerate();
                named.max_by_key(|(place, label)| (label.2, *place)).map(|(_, label)| &label.1)
            };
            *id <= id_max
                && order.domain == wish.domain
                && wish.from.is_none_or(|from| from <= order.time)
                && wish.to.is_none_or(|to| order.time < to)
                && wish.customer.is_none_or(|customer| order.customer == Some(customer))
                && wish.source.is_none_or(|source| order.source == source)
                && wish.after.is_none_or(|place| *id > self.id_at(place))
                && wish
                    .records
                    .as_ref()
                    .is_none_or(|places| places.iter().any(|place| *id == self.id_at(*place)))
                && wish.condition.is_none_or(|condition| CONDITIONS[condition].1(order))
                && wish.label.as_ref().is_none_or(|(name, value)| {
                    held(*name).is_some_and(|held| value.as_ref().is_none_or(|value| same(held, value)))
                })
                && wish.unscored.as_ref().is_none_or(|wanted| !is_done(order, wanted))
        };
        let mut places: Vec<_> =
            self.records.iter().filter(meets).map(|(id, order)| (order.time, *id)).collect();
        places.sort_unstable();
        places
    }

    async fn pages(&self, selection: &Selection, id_max: i64, limit: usize) -> Vec<Page> {
        let mut reader = self.store.readers().acquire().await.unwrap();
        let mut pages = Pages::new(&mut reader, selection, id_max).await.unwrap();
        let mut found = Vec::new();
        while let Some(page) = pages.next(&mut reader, limit).await.unwrap() {
            found.push(page);
        }
        assert_eq!(pages.next(&mut reader, limit).await.unwrap(), None);
        found
    }
}

impl Order {
    fn stored(&self) -> NewRecord {
        let customer = self.customer.map(|customer| CUSTOMERS[customer]);
        NewRecord {
            external_id: None,
            event_time: self.time,
            payload: serde_json::json!({ "customer": customer, "amount": self.amount }).to_string(),
            keys: vec![customer.map(str::to_owned)],
            labels: vec![],
            media: vec![],
        }
    }
}

fn is_done(order: &Order, wanted: &[bool]) -> bool {
    order.done.iter().zip(wanted).any(|(done, wanted)| *wanted && done.is_some())
}

fn same(held: &LabelValue, wanted: &LabelValue) -> bool {
    match (held.as_number(), wanted.as_number()) {
        (Some(held), Some(wanted)) => held == wanted,
        _ => held == wanted,
    }
}

async fn begin_run(store: &Store) -> i64 {
    let plugin = PluginVersion {
        name: "returns".into(),
        version: "1.0.0".into(),
        domain: "shop".into(),
        task: "binary-classification".into(),
        library_hash: "library".into(),
        manifest_hash: "manifest".into(),
        manifest: String::new(),
    };
    let run = NewRun {
        plugin_version_id: store.plugin_version(&plugin).await.unwrap(),
        model_ids: vec![],
        config: "{}".into(),
        onnxruntime: "1.32.0".into(),
        threads: 1,
        program: "tests".into(),
        author: "clerk".into(),
        selection: "{}".into(),
        shadow: false,
    };
    store.begin_run(&run).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pages_hold_what_a_plain_filter_holds(
        orders in prop::collection::vec(order(), 0..40),
        wishes in prop::collection::vec((wish(), 1..12_usize, 0..50_i64), 1..24),
    ) {
        runtime().block_on(async {
            let world = World::new(orders).await;
            for (wish, limit, cut) in wishes {
                let selection = world.selection(&wish);
                let id_max = (world.id_max() - cut.saturating_sub(30).max(0)).max(0);
                let expected = world.expected(&wish, id_max);
                let ids: Vec<i64> = expected.iter().map(|(_, id)| *id).collect();

                let pages = world.pages(&selection, id_max, limit).await;
                let found: Vec<i64> = pages.iter().flat_map(|page| page.ids.iter().copied()).collect();
                prop_assert_eq!(&found, &ids, "{:?}", selection);

                let chunks: Vec<_> = expected
                    .chunks(limit)
                    .map(|chunk| (chunk.len(), chunk[0], chunk[chunk.len() - 1]))
                    .collect();
                let pages: Vec<_> =
                    pages.iter().map(|page| (page.ids.len(), page.first, page.last)).collect();
                prop_assert_eq!(&pages, &chunks);

                let all = world.expected(&wish, world.id_max()).len();
                prop_assert_eq!(world.store.count_selected(&selection).await.unwrap(), all as u64);

                let mut reader = world.store.readers().acquire().await.unwrap();
                for (_, first, last) in chunks {
                    let between = |place: &&(i64, Order)| {
                        place.1.domain == wish.domain && (first..=last).contains(&(place.1.time, place.0))
                    };
                    let between = world.records.iter().filter(between).count();
                    let span = span(&mut reader, &selection.domain, first, last).await.unwrap();
                    prop_assert_eq!(span, between as u64);
                }
            }
            Ok(())
        })?;
    }
}

/// The lines of the plan of a selection's page.
async fn plan(connection: &mut SqliteConnection, selection: &Selection) -> Vec<String> {
    let sql = Pages::new(connection, selection, 1 << 20).await.unwrap().page_sql();
    explain(connection, &sql).await
}

async fn explain(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(connection)
            .await
            .unwrap();
    rows.into_iter().map(|row| row.3).collect()
}

/// Whether some line has all of `words`.
fn has(plan: &[String], words: &[&str]) -> bool {
    plan.iter().any(|line| words.iter().all(|word| line.contains(word)))
}

#[tokio::test]
async fn plans_are_driven_from_the_right_index() {
    let world = World::new(vec![]).await;
    let mut reader = world.store.readers().acquire().await.unwrap();
    let times = Selection { from: Some(0), to: Some(9), ..Selection::domain("shop") };

    let covered = ["SEARCH r ", "USING COVERING INDEX record_event_time", "domain=?"];
    for selection in [Selection::domain("shop"), times.clone()] {
        let plan = plan(&mut reader, &selection).await;
        assert!(has(&plan, &covered), "{plan:#?}");
        assert_eq!(plan.iter().filter(|line| line.contains("SEARCH")).count(), 1, "{plan:#?}");
        assert!(!has(&plan, &["TEMP B-TREE"]), "{plan:#?}");
    }
    let count = format!("SELECT count(*) {}", Pages::new(&mut reader, &times, 9).await.unwrap().rows());
    assert!(has(&explain(&mut reader, &count).await, &covered));
    assert!(has(
        &explain(&mut reader, super::pages::SPAN).await,
        &["USING COVERING INDEX record_event_time"]
    ));

    let key = Selection { key: Some(("customer".into(), "596".into())), ..times.clone() };
    let plan_of_key = plan(&mut reader, &key).await;
    assert!(has(&plan_of_key, &["SEARCH past USING PRIMARY KEY", "entity_id=?"]), "{plan_of_key:#?}");
    assert!(!has(&plan_of_key, &["SEARCH r "]), "{plan_of_key:#?}");
    assert!(!has(&plan_of_key, &["TEMP B-TREE"]), "{plan_of_key:#?}");

    let unscored = |after| Selection { unscored: Some(Unscored { runs: vec![1], after }), ..times.clone() };
    let plan_of_all = plan(&mut reader, &unscored(0)).await;
    assert!(has(&plan_of_all, &covered), "{plan_of_all:#?}");
    assert!(has(&plan_of_all, &["SEARCH prediction USING", "record_id=?"]), "{plan_of_all:#?}");
    assert!(has(&plan_of_all, &["SEARCH rejected_record USING", "record_id=?"]), "{plan_of_all:#?}");
    let plan_of_new = plan(&mut reader, &unscored((1 << 20) - 10)).await;
    assert!(
        has(&plan_of_new, &["SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
        "{plan_of_new:#?}"
    );

    let condition = Selection { condition: Some("payload ->> 'amount' > 5".into()), ..times };
    let plan_of_condition = plan(&mut reader, &condition).await;
    assert!(has(&plan_of_condition, &covered), "{plan_of_condition:#?}");
    assert!(has(&plan_of_condition, &["SEARCH record USING INTEGER PRIMARY KEY"]), "{plan_of_condition:#?}");
    assert!(
        !has(&plan_of_condition, &["prediction"]),
        "a table that no column asks for: {plan_of_condition:#?}"
    );
}
