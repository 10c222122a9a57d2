//! Updates come to what learning everything comes to, or say why they learn anew.

use serde_json::{Value, json};

use super::super::{DONE, job};
use super::{bought, fit, hash, purchases, store, tally};

#[tokio::test(flavor = "multi_thread")]
async fn an_update_comes_to_what_learning_everything_comes_to() {
    let workshop = tally();
    store(&workshop.database(), purchases(300, 0)).await;
    let first = fit(&workshop, &["--update", "--chunk", "37"]);
    assert_eq!((&first["anew"], &first["update_of"]), (&json!("nothing was fitted before"), &Value::Null));
    // The last ones happen at the very time of the last that was learned.
    store(&workshop.database(), purchases(200, 299)).await;
    let update = fit(&workshop, &["--update", "--chunk", "64"]);
    assert_eq!((&update["anew"], &update["update_of"]), (&Value::Null, &first["plugin"]));
    assert_eq!((&update["records"], &update["total"]), (&json!(200), &json!(500)));
    assert_eq!((&update["base"], &update["first_time"]), (&json!("tally@1.0.0"), &first["first_time"]));
    let all = fit(&workshop, &["--chunk", "1000"]);
    assert_eq!((&all["update_of"], &all["records"]), (&Value::Null, &json!(500)));
    assert_eq!(hash(&update), hash(&all));
    assert_ne!(hash(&first), hash(&all));

    // Nothing has come since: the last fit stands.
    let nothing =
        job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--update", "--run", "--json"]);
    assert_eq!(nothing.code, DONE, "{nothing:?}");
    assert_eq!((&nothing.json()["learned"], &nothing.json()["plugin"]), (&json!(false), &all["plugin"]));
    store(&workshop.database(), purchases(10, 1_000)).await;
    let third = fit(&workshop, &["--update"]);
    assert_eq!((&third["update_of"], &third["total"]), (&all["plugin"], &json!(510)));
    assert_eq!(hash(&third), hash(&fit(&workshop, &[])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_would_come_to_something_else_learns_anew() {
    let workshop = tally();
    store(&workshop.database(), purchases(100, 0)).await;
    let first = fit(&workshop, &[]);
    let last = "1970-01-01T00:00:00.000099Z";
    store(&workshop.database(), vec![bought("dee", 200, "tea"), bought("ann", 98, "late")]).await;
    let late = fit(&workshop, &["--update"]);
    let reason = format!(
        "record 102 of 1970-01-01T00:00:00.000098Z arrived after the last fit, which had learned up to {last}"
    );
    assert_eq!((&late["anew"], &late["records"]), (&json!(reason), &json!(102)));
    assert_eq!(hash(&late), hash(&fit(&workshop, &[])));
    assert_ne!(hash(&late), hash(&first));

    store(&workshop.database(), purchases(10, 1_000)).await;
    let seed = fit(&workshop, &["--update", "--seed", "1"]);
    assert_eq!((&seed["anew"], &seed["records"]), (&json!("the last fit had seed 0"), &json!(112)));
    let reason = |fitted: Value| fitted["anew"].as_str().unwrap_or_default().to_owned();
    let other = reason(fit(&workshop, &["--update", "--seed", "1", "--key", "who=ann"]));
    assert_eq!(other, "the last fit learned other records: domain basket");
    let condition = ["--update", "--seed", "1", "--where", "record_id > 0"];
    fit(&workshop, &condition);
    assert!(reason(fit(&workshop, &condition)).starts_with("a condition or a label may select"), "{other}");
    let words = job(
        &workshop,
        &[&["create", "--kind", "fit", "--plugin", "tally", "--run"], &condition[..]].concat(),
    );
    assert!(words.stdout.contains("learned anew  a condition"), "{words:?}");

    // A record of somebody else's past is late, too, though it is not selected itself.
    let ann = ["--update", "--key", "who=ann"];
    fit(&workshop, &ann);
    store(&workshop.database(), vec![bought("bob", 50, "tea")]).await;
    assert!(reason(fit(&workshop, &ann)).starts_with("record 113 of "));

    let fitted = fit(&workshop, &ann[1..]);
    workshop.registry().remove(fitted["plugin"].as_str().unwrap()).unwrap();
    let gone = reason(fit(&workshop, &ann));
    assert!(gone.starts_with("the last fit is of no use: plugin `tally@1.0.0+fit."), "{gone}");
}
