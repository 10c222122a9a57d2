use foretell_store::label::{LabelErrorKind, NewLabel};
use foretell_store::record::LabelValue;

use crate::shop::{Shop, order};

fn label(record_id: i64, value: LabelValue, known_at: i64) -> NewLabel {
    NewLabel { record_id, name: "returned".into(), value, known_at, source: "review".into() }
}

async fn values(shop: &Shop, record_id: i64) -> Vec<LabelValue> {
    shop.store.labels(record_id).await.unwrap().into_iter().map(|label| label.value).collect()
}

#[tokio::test]
async fn a_value_keeps_its_type() {
    let mut order = order(1, "ann", 0);
    order.labels.clear();
    let (shop, ids) = Shop::with(vec![order]).await;
    let all = [
        LabelValue::Bool(true),
        LabelValue::Bool(false),
        LabelValue::Number(1.0),
        LabelValue::Number(0.1 + 0.2),
        LabelValue::Text("1".into()),
        LabelValue::Text("too late".into()),
    ];
    let labels: Vec<_> = (0..).zip(&all).map(|(time, value)| label(ids[0], value.clone(), time)).collect();
    assert_eq!(shop.store.add_labels(&labels).await.unwrap(), 6);
    assert_eq!(values(&shop, ids[0]).await, all);
}

#[tokio::test]
async fn the_label_that_holds_comes_last() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 0)]).await;
    let time = shop.store.labels(ids[0]).await.unwrap()[0].known_at;
    // Later knowledge overrules, also when it is stored first; at the same time, what is stored last overrules.
    let holds = [(true, time + 2), (false, time + 1), (false, time + 2)];
    for (value, known_at) in holds {
        shop.store.add_labels(&[label(ids[0], LabelValue::Bool(value), known_at)]).await.unwrap();
    }
    let labels = shop.store.labels(ids[0]).await.unwrap();
    let order: Vec<_> = labels.iter().map(|label| (label.value.as_number(), label.known_at - time)).collect();
    assert_eq!(order, [(Some(0.0), 0), (Some(0.0), 1), (Some(1.0), 2), (Some(0.0), 2)]);
    assert_eq!((labels[0].source.as_str(), labels[3].source.as_str()), ("import", "review"));
}

#[tokio::test]
async fn adding_the_same_labels_again_adds_nothing_but_a_change_of_mind_counts() {
    let (shop, ids) = Shop::with((0..700).map(|number| order(number, "ann", 0)).collect()).await;
    let labels: Vec<_> = ids.iter().map(|id| label(*id, LabelValue::Bool(true), 5)).collect();
    assert_eq!(shop.store.add_labels(&labels).await.unwrap(), 700);
    assert_eq!(shop.store.add_labels(&labels).await.unwrap(), 0);

    let mind = |value| [label(ids[0], LabelValue::Bool(value), 5)];
    assert_eq!(shop.store.add_labels(&mind(false)).await.unwrap(), 1);
    assert_eq!(
        shop.store.add_labels(&mind(true)).await.unwrap(),
        1,
        "true no longer holds, so it is news again"
    );
    let other = NewLabel { source: "import".into(), ..mind(true)[0].clone() };
    assert_eq!(shop.store.add_labels(&[other]).await.unwrap(), 1, "another source says so too");
}

#[tokio::test]
async fn one_bad_label_refuses_all_and_is_named() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 0)]).await;
    let before = shop.count("label").await;
    let good = label(ids[0], LabelValue::Bool(true), 5);
    let unknown = [good.clone(), label(4_711, LabelValue::Bool(true), 5)];
    let error = shop.store.add_labels(&unknown).await.unwrap_err();
    assert!(matches!(error.kind, LabelErrorKind::UnknownRecord(4_711)));
    let error =
        shop.store.add_labels(&[good, label(ids[0], LabelValue::Number(f64::NAN), 5)]).await.unwrap_err();
    assert!(matches!(error.kind, LabelErrorKind::NotFinite { record_id, .. } if record_id == ids[0]));
    assert_eq!(shop.count("label").await, before);
    assert_eq!(shop.store.add_labels(&[]).await.unwrap(), 0);
}
