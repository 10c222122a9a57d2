//! From purchases to a model that answers, and what it is worth.

use std::collections::HashSet;

use foretell_jobs::{VerifyOptions, verify};
use foretell_store::open::Store;
use foretell_tests::{Workshop, onnx_runtime};
use serde_json::Value;

use super::{DONE, FAILED, SHOP, equipped, fitted, hit_rate, json, refused, retail, texts};

#[test]
fn from_purchases_to_evaluated_recommendations() {
    let (workshop, report) = fitted();
    let tried = &report["tried"];
    assert!(hit_rate(&tried["recommended"]) > 1.5 * hit_rate(&tried["popularity"]), "{tried}");
    assert!(report["total"].as_u64().unwrap() > 1_000 && report["items"] == 126, "{report}");
    assert_eq!(
        (report["champion"].as_bool(), report["models"][0]["hash"].as_str().unwrap().len()),
        (Some(true), 64)
    );
    let fitted = report["plugin"].as_str().unwrap();
    assert!(fitted.starts_with("retail-item-knn@") && fitted.contains("+fit."), "{fitted}");
    assert_ne!(tried["plugin"].as_str().unwrap(), fitted, "what was tried knew nothing of the tail");

    let recommended = json(&workshop, &["recommend", "7"]);
    assert_eq!(recommended["plugin"].as_str(), Some(fitted));
    let items = texts(&recommended["items"], "item");
    assert_eq!(items.iter().collect::<HashSet<_>>().len(), 10, "{recommended}");
    let shown = json(&workshop, &["show", "7", "--limit", "10000"]);
    let bought = texts(&shown["customer"]["latest"], "item");
    assert!(!bought.is_empty() && items.iter().all(|item| !bought.contains(item)), "{shown}");
    assert_eq!(texts(&shown["customer"]["recommended"]["items"], "item"), items);
    let titles = texts(&shown["customer"]["latest"], "title");
    let because = texts(&recommended["items"], "because");
    assert!(
        because
            .iter()
            .any(|because| titles.iter().any(|title| *because == format!("because you bought {title}"))),
        "{because:?}"
    );
    let table = retail(&workshop, &["recommend", "7"]).stdout;
    assert!(table.contains("for customer 7") && table.contains("because you bought"), "{table}");

    let similar = json(&workshop, &["similar", "1", "--count", "3"]);
    assert_eq!(similar["items"].as_array().unwrap().len(), 3);
    assert!(!texts(&similar["items"], "item").contains(&"1".to_owned()));
    let item = json(&workshop, &["show", "1"]);
    assert!(item["item"]["title"].as_str().unwrap().contains("Tent"), "{item}");
    assert!(item["item"]["purchases"].as_u64().unwrap() > 0, "{item}");

    let evaluated = json(&workshop, &["evaluate", "--resamples", "20"]);
    assert!(hit_rate(&evaluated["recommended"]) > hit_rate(&evaluated["popularity"]), "{evaluated}");
    assert!(evaluated["notes"][0].as_str().unwrap().contains("flatter"), "it has learned the targets");
    let again = json(&workshop, &["evaluate", "--resamples", "20"]);
    assert_eq!(again["recommended"], evaluated["recommended"], "the same answers give the same figures");
    let table = retail(&workshop, &["evaluate", "--resamples", "0", "--top", "3"]).stdout;
    assert!(table.contains("HR@3") && table.contains("novelty@3"), "{table}");
}

/// Versions of a plugin are the user's, and what was learned from one shop is no answer in another.
#[test]
fn another_shop_learns_for_itself() {
    let (workshop, report) = fitted();
    let other = workshop.path("other.db");
    let other = other.to_str().unwrap();
    let shop =
        ["simulate", "--customers", "30", "--items", "42", "--days", "60", "--seed", "9", "--db", other];
    assert_eq!(retail(&workshop, &shop).code, DONE);
    for plugin in [&[][..], &["--plugin", "retail-item-knn"]] {
        let question = [&["recommend", "7", "--db", other], plugin].concat();
        refused(&workshop, &question, &["has learned nothing yet"]);
    }
    let named = ["recommend", "7", "--db", other, "--plugin", report["plugin"].as_str().unwrap()];
    assert_eq!(retail(&workshop, &named).code, DONE, "whoever names it gets it");
    let learned = json(&workshop, &["fit", "--hold-out", "0", "--no-deploy", "--db", other]);
    assert_eq!(learned["champion"], false);
    assert_eq!(json(&workshop, &["recommend", "7", "--db", other])["plugin"], learned["plugin"]);
    assert_eq!(json(&workshop, &["recommend", "7"])["plugin"], report["plugin"]);
}

#[test]
fn answers_can_be_repeated() {
    let (workshop, _) = fitted();
    json(&workshop, &["recommend", "7"]);
    json(&workshop, &["recommend", "--basket", "1,2"]);
    json(&workshop, &["forecast", "1"]);
    let options = VerifyOptions { run: None, limit: 500, tolerance: 1e-6 };
    let report = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(workshop.database()).await.unwrap();
        verify(&store, &workshop.registry(), &onnx_runtime(), options, |_| {}).await.unwrap()
    });
    assert!(report.predictions > 3, "{report:?}");
    assert_eq!(report.predictions, report.equal, "{report:?}");
}

#[test]
fn everybody_is_answered_in_a_job() {
    let (workshop, _) = fitted();
    let job = json(&workshop, &["recommend", "--all", "--count", "3"]);
    // A few of the 150 have bought nothing in these days.
    assert!((140..=150).contains(&job["predicted"].as_u64().unwrap()), "{job}");
    assert_eq!((job["state"].as_str(), &job["rejected"]), (Some("done"), &Value::from(0)));
    let recommended = json(&workshop, &["show", "7"])["customer"]["recommended"].clone();
    assert_eq!((&recommended["run"], recommended["items"].as_array().unwrap().len()), (&job["run"], 3));
    let purchases = json(&workshop, &["recommend", "--all", "--from", "2025-07-01"]);
    assert!(purchases["predicted"].as_u64().unwrap() > 50, "{purchases}");
    let run = purchases["run"].to_string();
    let evaluated = json(&workshop, &["evaluate", "--run", &run, "--resamples", "0"]);
    assert!(evaluated["questions"].as_u64().unwrap() > 10, "{evaluated}");
    refused(&workshop, &["evaluate", "--run", "9999"], &["there is no run 9999"]);
}

#[test]
fn an_exported_shop_is_the_stored_one() {
    let (workshop, _) = fitted();
    let other = equipped();
    let directory = other.path("shop");
    let directory = directory.to_str().unwrap();
    let exported = json(&other, &[&SHOP[..], &["--export", directory]].concat());
    assert_eq!(exported["stored"], 0);
    for (kind, file) in [("purchases", "purchases.csv"), ("catalogue", "catalogue.csv")] {
        let imported = json(&other, &["import", kind, &format!("{directory}/{file}")]);
        assert_eq!(
            (imported["rejected"].as_u64(), imported["stored"].as_u64()),
            (Some(0), imported["rows"].as_u64())
        );
    }
    json(&other, &["fit"]);
    for question in
        [&["recommend", "7"][..], &["recommend", "--basket", "2,3", "--in-stock"], &["similar", "5"]]
    {
        assert_eq!(json(&other, question)["items"], json(&workshop, question)["items"], "{question:?}");
    }
    let again = json(&workshop, &SHOP);
    assert_eq!((again["stored"].as_u64(), again["already_stored"].as_u64() > Some(126)), (Some(0), true));
    let another = retail(&workshop, &["simulate", "--customers", "150", "--items", "126", "--seed", "4"]);
    assert_eq!(another.code, FAILED);
    assert!(another.told().contains("into a database of its own"), "{another:?}");
}

#[test]
fn what_is_missing_is_told_with_what_to_do() {
    let workshop = Workshop::default();
    refused(&workshop, &["recommend", "7"], &["foretell.db"]);
    let file = workshop
        .write("shop.csv", "customer,item,event_time\n7,a,2025-01-01\n7,b,2025-01-02\n8,a,2025-01-03\n");
    assert_eq!(retail(&workshop, &["import", "purchases", file.to_str().unwrap()]).code, DONE);
    refused(&workshop, &["recommend", "7"], &["is not installed", "plugin install"]);

    let equipped = equipped();
    assert_eq!(retail(&equipped, &["import", "purchases", file.to_str().unwrap()]).code, DONE);
    for arguments in [&["recommend", "7"][..], &["similar", "a"], &["evaluate"], &["recommend", "--all"]] {
        refused(&equipped, arguments, &["has learned nothing yet", "`foretell-retail fit`"]);
    }
    let shown = retail(&equipped, &["show", "a"]);
    assert!(shown.stdout.contains("bought") && shown.stdout.contains("has learned nothing yet"), "{shown:?}");
    let learned = json(&equipped, &["fit"]);
    assert!(learned["not_tried"].as_str().unwrap().contains("hold out fewer"), "{learned}");
    let untitled = json(&equipped, &["recommend", "8", "--count", "1"]);
    assert_eq!(
        (untitled["items"][0]["item"].as_str(), untitled["items"][0]["title"].as_str()),
        (Some("b"), None)
    );
    assert_eq!(untitled["items"][0]["because"], "because you bought a");
    refused(&equipped, &["recommend", "8", "--in-stock"], &["the catalogue is empty", "import catalogue"]);
    let empty = equipped.write("catalogue.csv", "item,title\n");
    assert_eq!(retail(&equipped, &["import", "catalogue", empty.to_str().unwrap()]).code, DONE);
    refused(&equipped, &["recommend", "8", "--in-stock"], &["the catalogue is empty"]);
    refused(&equipped, &["fit", "--to", "2020-01-01"], &["there is nothing to learn", "before 2020-01-01"]);
    refused(&equipped, &["evaluate", "--from", "2030-01-01"], &["there is nothing to evaluate"]);
    refused(&equipped, &["forecast", "c"], &["item `c` was never bought"]);
}
