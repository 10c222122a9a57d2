//! What is read of files, and what of them is refused.

use foretell_tests::Workshop;
use serde_json::Value;

use super::{SOME_REJECTED, equipped, hit_rate, json, refused, retail, texts};

#[test]
fn sequences_leave_their_last_two_items_to_be_guessed() {
    let workshop = equipped();
    let line = |customer: usize| format!("{customer} a{0} b{0} c{0} d{0}\n", customer % 4);
    let text: String = (1..=40).map(line).collect();
    let file = workshop.write("sequences.txt", format!("{text}41\n"));
    let file = file.to_str().unwrap();
    let finished = retail(&workshop, &["import", "sequences", file, "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!(
        (report["stored"].as_u64(), report["rejects"][0]["line"].as_i64()),
        (Some(160), Some(41)),
        "{report}"
    );
    assert_eq!(report["rejects"][0]["file"].as_str(), Some(file));
    let again = retail(&workshop, &["import", "sequences", file, "--json"]).json();
    assert_eq!((again["stored"].as_u64(), again["already_stored"].as_u64()), (Some(0), Some(160)));

    let learned = json(&workshop, &["fit", "--to", "2000-01-01", "--hold-out", "0"]);
    assert_eq!((learned["total"].as_u64(), &learned["tried"]), (Some(80), &Value::Null), "{learned}");
    let validated = json(&workshop, &["evaluate", "--from", "2000-01-02", "--to", "2000-01-03"]);
    assert_eq!(
        (validated["questions"].as_u64(), validated["notes"].as_array().unwrap().len()),
        (Some(40), 0)
    );
    assert_eq!(validated["learned_until"], "1999-12-31T23:59:00Z");
    let customers = workshop.write("customers.txt", "3\n\n5\n");
    let tested =
        json(&workshop, &["evaluate", "--from", "2000-01-03", "--customers", customers.to_str().unwrap()]);
    assert_eq!(tested["questions"], 2);
    // Nobody has bought c or d before 2000, so nothing can be hit; a model of everything knows them.
    assert_eq!(hit_rate(&tested["recommended"]), 0.0);
    json(&workshop, &["fit", "--hold-out", "0"]);
    let flattered = json(&workshop, &["evaluate", "--from", "2000-01-03"]);
    assert_eq!((hit_rate(&flattered["recommended"]), flattered["questions"].as_u64()), (1.0, Some(40)));
}

#[test]
fn baskets_are_completed() {
    let workshop = equipped();
    let file = workshop.write(
        "market.csv",
        "milk,bread\nbeer,chips\nmilk,bread,butter\nbeer,chips\nmilk\nmilk,bread,,butter\n".repeat(20),
    );
    let finished =
        retail(&workshop, &["import", "baskets", file.to_str().unwrap(), "--start", "2025-03-01", "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(260), Some(20)), "{report}");
    assert_eq!(report["rejects"][0]["field"], "item");
    json(&workshop, &["fit", "--hold-out", "0"]);
    let completed = json(&workshop, &["recommend", "--basket", "beer", "--count", "1"]);
    assert_eq!(completed["items"][0]["item"], "chips", "{completed}");
    let evaluated = json(&workshop, &["evaluate", "--baskets", "--top", "1"]);
    assert_eq!(evaluated["questions"], 100, "{evaluated}");
    assert!(
        evaluated["recommended"]["cutoffs"][0]["hit_rate"]["value"].as_f64().unwrap() > 0.5,
        "{evaluated}"
    );
    refused(&workshop, &["evaluate"], &["--baskets"]);
    refused(&workshop, &["recommend", "--all"], &["no customer has bought anything"]);
}

#[test]
fn a_catalogue_says_what_is_new_and_bad_rows_are_told() {
    let workshop = Workshop::default();
    let head = "item_id\ttitle\tbrand\tcategory_path\tprice\n";
    let file = workshop.write(
        "items.tsv",
        format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t9.5\n2\tPot\t\t\tmuch\n3\tLid\n"),
    );
    let path = file.to_str().unwrap();
    let rejects = workshop.path("rejects.jsonl");
    let arguments = ["import", "catalogue", path, "--json", "--rejects", rejects.to_str().unwrap()];
    let finished = retail(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(1), Some(2)), "{report}");
    assert_eq!(
        (report["rejects"][0]["field"].as_str(), report["rejects"][0]["line"].as_i64()),
        (Some("price"), Some(3))
    );
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 2);
    workshop.write("items.tsv", format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t9.5\n"));
    assert_eq!(json(&workshop, &arguments[..3])["already_stored"], 1);
    workshop.write("items.tsv", format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t8\n"));
    assert_eq!(json(&workshop, &arguments[..3])["stored"], 1);
    let shown = json(&workshop, &["show", "1"]);
    assert_eq!(
        (shown["item"]["title"].as_str(), shown["item"]["price"].as_f64()),
        (Some("\"Pan\" 12\", wide"), Some(8.0))
    );
    for (name, content, expected) in [
        ("empty.csv", "", "it is empty"),
        ("other.csv", "sku,title\n1,Pan\n", "it has no column `item`"),
        ("months.csv", "series,May\nT1,2\n", "`May` is not a month"),
    ] {
        let path = workshop.write(name, content);
        let kind = if name == "months.csv" { "demand" } else { "catalogue" };
        refused(&workshop, &["import", kind, path.to_str().unwrap()], &[name, expected]);
    }
    refused(&workshop, &["import", "sequences", "nowhere.txt"], &["nowhere.txt"]);
    let rows = "7,a,2025-01-01,2\n7,,2025-01-01,1\n7,b,soon,1\n7,c,2025-01-02,-1\n";
    let purchases = workshop.write("p.csv", format!("customer,item,event_time,quantity\n{rows}"));
    let finished = retail(&workshop, &["import", "purchases", purchases.to_str().unwrap(), "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    let mut fields = texts(&report["rejects"], "field");
    fields.sort_unstable();
    assert_eq!(
        (report["stored"].as_u64(), fields),
        (Some(1), ["event_time", "item", "quantity"].map(str::to_owned).to_vec())
    );
    let times = workshop.write("t.csv", "customer,item\n7,a\n");
    refused(&workshop, &["import", "purchases", times.to_str().unwrap()], &["no column `event_time`"]);
}
