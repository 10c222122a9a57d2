//! What a list of recommendations holds, and what is said about it.

use std::collections::HashSet;

use serde_json::Value;

use super::{DONE, WRONG_COMMAND_LINE, fitted, json, refused, retail, texts};

#[test]
fn what_is_shown_is_what_was_asked_for() {
    let (workshop, _) = fitted();
    let items =
        |arguments: &[&str]| json(&workshop, &[&["recommend", "7"], arguments].concat())["items"].clone();
    for line in items(&["--category", "camping", "--in-stock", "--count", "5"]).as_array().unwrap() {
        assert!(line["category"].as_str().unwrap().starts_with("Camping > "), "{line}");
        assert_eq!(line["in_stock"], true, "{line}");
    }
    for line in items(&["--min-price", "20", "--max-price", "60"]).as_array().unwrap() {
        assert!((20.0..=60.0).contains(&line["price"].as_f64().unwrap()), "{line}");
    }
    let usual = texts(&items(&[]), "item");
    let brand = items(&[])[0]["brand"].as_str().unwrap().to_lowercase();
    let of_brand = texts(&items(&["--brand", &brand, "--count", "3"]), "brand");
    assert!(of_brand.iter().all(|other| other.to_lowercase() == brand), "{of_brand:?}");
    let banned = texts(&items(&["--ban", &usual[0]]), "item");
    assert_eq!(banned[..9], usual[1..], "the others move up");
    let pinned = items(&["--pin", &usual[5], "--pin", "126"]);
    assert_eq!(texts(&pinned, "item")[..3], [&usual[5], "126", &usual[0]], "{pinned}");
    assert_eq!((pinned.as_array().unwrap().len(), &pinned[0]["because"]), (10, &Value::from("pinned")));
    let kinds = |list: &Value| texts(list, "category").into_iter().collect::<HashSet<_>>().len();
    let varied = items(&["--diversity", "0.8"]);
    assert!(kinds(&varied) > kinds(&items(&[])), "{varied}");
    assert_eq!(texts(&varied, "item")[0], usual[0], "the best one stays");

    let again = texts(&items(&["--bought-again", "--count", "126"]), "item");
    let shown = json(&workshop, &["show", "7", "--limit", "1"]);
    assert!(again.contains(&texts(&shown["customer"]["latest"], "item")[0]), "{again:?}");

    refused(
        &workshop,
        &["recommend", "7", "--category", "Books"],
        &["nothing is left of", "in another category", "leave a filter out"],
    );
    let few = retail(&workshop, &["recommend", "7", "--category", "Camping > Tents"]);
    assert_eq!(few.code, DONE, "{few:?}");
    assert!(few.stdout.contains("of 10: of") && few.stdout.contains("in another category"), "{few:?}");
    refused(&workshop, &["recommend", "7", "--pin", "1", "--ban", "1"], &["pinned and banned"]);
    refused(
        &workshop,
        &["recommend", "7", "--pin", "1", "--pin", "2", "--count", "1"],
        &["2 items are pinned"],
    );
    refused(&workshop, &["recommend", "7", "--pin", "none"], &["there is no item `none`"]);
}

#[test]
fn strangers_and_empty_baskets_get_what_is_popular_and_are_told_so() {
    let (workshop, _) = fitted();
    let notes = |arguments: &[&str]| {
        let report = json(&workshop, &[&["recommend"], arguments].concat());
        let notes: Vec<String> =
            report["notes"].as_array().unwrap().iter().map(|note| note.to_string()).collect();
        assert_eq!(report["items"].as_array().unwrap().len(), 10, "{report}");
        (notes.join(" "), report)
    };
    let (told, stranger) = notes(&["nobody"]);
    assert!(told.contains("has bought nothing yet") && told.contains("popular"), "{told}");
    assert!(texts(&stranger["items"], "because").iter().all(|because| because == "popular with everybody"));
    let (told, empty) = notes(&["--basket", ""]);
    assert!(told.contains("the basket is empty"), "{told}");
    assert_eq!(texts(&empty["items"], "item"), texts(&stranger["items"], "item"));
    let (told, twice) = notes(&["--basket", "1,1, 2"]);
    assert!(told.contains("item 1 is there more than once"), "{told}");
    assert_eq!(twice["given"], serde_json::json!(["1", "2"]));
    assert_eq!(twice["items"], notes(&["--session", "1,2"]).1["items"]);
    assert!(texts(&twice["items"], "because")[0].starts_with("goes with "), "{twice}");
    let (told, unknown) = notes(&["--session", "1,nothing"]);
    assert!(told.contains("nobody knows item nothing"), "{told}");
    assert_eq!(unknown["items"], notes(&["--session", "1"]).1["items"]);
    let (told, early) = notes(&["7", "--at", "2024-12-31"]);
    assert!(told.contains("had bought nothing by then"), "{told}");
    assert_eq!(early["asked_at"], "2024-12-31T00:00:00Z");
    refused(&workshop, &["similar", "nothing"], &["there is no item `nothing`"]);
    refused(&workshop, &["show", "nobody else"], &["no customer and no item `nobody else`"]);
    let asked = json(&workshop, &["show", "nobody"]);
    assert_eq!((&asked["customer"]["purchases"], &asked["item"]), (&Value::from(0), &Value::Null), "{asked}");
    refused(&workshop, &["recommend", "7", "--plugin", "nothing"], &["nothing"]);
    assert_eq!(retail(&workshop, &["recommend"]).code, WRONG_COMMAND_LINE);
    assert_eq!(retail(&workshop, &["recommend", "7", "--diversity", "2"]).code, WRONG_COMMAND_LINE);
}
