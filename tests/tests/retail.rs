//! `foretell-retail` as its user runs it: the way from purchases to recommendations and forecasts, and what goes wrong on it.

use std::collections::HashSet;

use foretell_jobs::{VerifyOptions, verify};
use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_tests::{Finished, Workshop, build_directory, onnx_runtime};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const SOME_REJECTED: Option<i32> = Some(3);

/// A shop that is small enough for a test, and has chains that a model can learn.
const SHOP: [&str; 9] =
    ["simulate", "--customers", "150", "--items", "126", "--days", "200", "--seed", "3"];

fn retail(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell-retail", arguments, "")
}

/// Runs a command that must be done, and reads its JSON.
#[track_caller]
fn json(workshop: &Workshop, arguments: &[&str]) -> Value {
    let finished = retail(workshop, &[arguments, &["--json"]].concat());
    assert_eq!(finished.code, DONE, "{arguments:?}: {finished:?}");
    finished.json()
}

/// Runs a command that must fail, and checks that its words say why, and what to do.
#[track_caller]
fn refused(workshop: &Workshop, arguments: &[&str], expected: &[&str]) {
    let finished = retail(workshop, arguments);
    assert_eq!(finished.code, FAILED, "{arguments:?}: {finished:?}");
    assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    for words in expected {
        assert!(finished.told().contains(words), "{arguments:?}: {}", finished.told());
    }
}

/// A workshop with the plugins that need no training.
fn equipped() -> Workshop {
    let workshop = Workshop::default();
    for plugin in ["retail-item-knn", "retail-demand"] {
        let installed =
            workshop.registry().install(&build_directory().join("plugins").join(plugin), Existing::Keep);
        assert!(
            installed.is_ok(),
            "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
            installed.unwrap_err()
        );
    }
    workshop
}

/// A shop with its purchases, and a model that has learned them.
fn fitted() -> (Workshop, Value) {
    let workshop = equipped();
    assert_eq!(retail(&workshop, &SHOP).code, DONE);
    let report = json(&workshop, &["fit", "--hold-out", "28"]);
    (workshop, report)
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let lines = list.as_array().unwrap_or_else(|| panic!("{list}")).iter();
    lines.map(|line| line[field].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()).collect()
}

fn hit_rate(report: &Value) -> f64 {
    report["cutoffs"][1]["hit_rate"]["value"].as_f64().unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn from_purchases_to_evaluated_recommendations() {
    let (workshop, report) = fitted();
    let tried = &report["tried"];
    assert!(hit_rate(&tried["recommended"]) > 1.5 * hit_rate(&tried["popularity"]), "{tried}");
    assert!(report["total"].as_u64().unwrap() > 1_000 && report["items"] == 126, "{report}");
    assert_eq!((report["champion"].as_bool(), report["models"][0]["hash"].as_str().unwrap().len()), (Some(true), 64));
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
        because.iter().any(|because| titles.iter().any(|title| *because == format!("because you bought {title}"))),
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
fn what_is_shown_is_what_was_asked_for() {
    let (workshop, _) = fitted();
    let items = |arguments: &[&str]| json(&workshop, &[&["recommend", "7"], arguments].concat())["items"].clone();
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
    refused(&workshop, &["recommend", "7", "--pin", "1", "--pin", "2", "--count", "1"], &["2 items are pinned"]);
    refused(&workshop, &["recommend", "7", "--pin", "none"], &["there is no item `none`"]);
}

#[test]
fn strangers_and_empty_baskets_get_what_is_popular_and_are_told_so() {
    let (workshop, _) = fitted();
    let notes = |arguments: &[&str]| {
        let report = json(&workshop, &[&["recommend"], arguments].concat());
        let notes: Vec<String> = report["notes"].as_array().unwrap().iter().map(|note| note.to_string()).collect();
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

#[test]
fn what_is_missing_is_told_with_what_to_do() {
    let workshop = Workshop::default();
    refused(&workshop, &["recommend", "7"], &["foretell.db"]);
    let file = workshop.write("shop.csv", "customer,item,event_time\n7,a,2025-01-01\n7,b,2025-01-02\n8,a,2025-01-03\n");
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
    assert_eq!((untitled["items"][0]["item"].as_str(), untitled["items"][0]["title"].as_str()), (Some("b"), None));
    assert_eq!(untitled["items"][0]["because"], "because you bought a");
    refused(&equipped, &["recommend", "8", "--in-stock"], &["the catalogue is empty", "import catalogue"]);
    let empty = equipped.write("catalogue.csv", "item,title\n");
    assert_eq!(retail(&equipped, &["import", "catalogue", empty.to_str().unwrap()]).code, DONE);
    refused(&equipped, &["recommend", "8", "--in-stock"], &["the catalogue is empty"]);
    refused(&equipped, &["fit", "--to", "2020-01-01"], &["there is nothing to learn", "before 2020-01-01"]);
    refused(&equipped, &["evaluate", "--from", "2030-01-01"], &["there is nothing to evaluate"]);
    refused(&equipped, &["forecast", "c"], &["item `c` was never bought"]);
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
        assert_eq!((imported["rejected"].as_u64(), imported["stored"].as_u64()), (Some(0), imported["rows"].as_u64()));
    }
    json(&other, &["fit"]);
    for question in [&["recommend", "7"][..], &["recommend", "--basket", "2,3", "--in-stock"], &["similar", "5"]] {
        assert_eq!(json(&other, question)["items"], json(&workshop, question)["items"], "{question:?}");
    }
    let again = json(&workshop, &SHOP);
    assert_eq!((again["stored"].as_u64(), again["already_stored"].as_u64() > Some(126)), (Some(0), true));
    let another = retail(&workshop, &["simulate", "--customers", "150", "--items", "126", "--seed", "4"]);
    assert_eq!(another.code, FAILED);
    assert!(another.told().contains("into a database of its own"), "{another:?}");
}

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
    assert_eq!((report["stored"].as_u64(), report["rejects"][0]["line"].as_i64()), (Some(160), Some(41)), "{report}");
    assert_eq!(report["rejects"][0]["file"].as_str(), Some(file));
    let again = retail(&workshop, &["import", "sequences", file, "--json"]).json();
    assert_eq!((again["stored"].as_u64(), again["already_stored"].as_u64()), (Some(0), Some(160)));

    let learned = json(&workshop, &["fit", "--to", "2000-01-01", "--hold-out", "0"]);
    assert_eq!((learned["total"].as_u64(), &learned["tried"]), (Some(80), &Value::Null), "{learned}");
    let validated = json(&workshop, &["evaluate", "--from", "2000-01-02", "--to", "2000-01-03"]);
    assert_eq!((validated["questions"].as_u64(), validated["notes"].as_array().unwrap().len()), (Some(40), 0));
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
    let file = workshop.write("market.csv", "milk,bread\nbeer,chips\nmilk,bread,butter\nbeer,chips\nmilk\nmilk,bread,,butter\n".repeat(20));
    let finished = retail(&workshop, &["import", "baskets", file.to_str().unwrap(), "--start", "2025-03-01", "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(260), Some(20)), "{report}");
    assert_eq!(report["rejects"][0]["field"], "item");
    json(&workshop, &["fit", "--hold-out", "0"]);
    let completed = json(&workshop, &["recommend", "--basket", "beer", "--count", "1"]);
    assert_eq!(completed["items"][0]["item"], "chips", "{completed}");
    let evaluated = json(&workshop, &["evaluate", "--baskets", "--top", "1"]);
    assert_eq!(evaluated["questions"], 100, "{evaluated}");
    assert!(evaluated["recommended"]["cutoffs"][0]["hit_rate"]["value"].as_f64().unwrap() > 0.5, "{evaluated}");
    refused(&workshop, &["evaluate"], &["--baskets"]);
    refused(&workshop, &["recommend", "--all"], &["no customer has bought anything"]);
}

#[test]
fn demand_is_forecast_and_forecasts_are_measured() {
    let workshop = equipped();
    let months: Vec<String> = (1..=24).map(|month| format!("20{:02}-{:02}", 22 + (month - 1) / 12, (month - 1) % 12 + 1)).collect();
    let steady: Vec<String> = (0..24).map(|month| (10 + month % 3).to_string()).collect();
    let text = format!("series,{}\nsteady,{}\nrare,{}\n", months.join(","), steady.join(","), [",0,0,2"; 6].join(","));
    let file = workshop.write("demand.csv", format!("{text}wrong,{}\n", vec!["x"; 24].join(",")));
    let finished = retail(&workshop, &["import", "demand", file.to_str().unwrap(), "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    // Six cells of the second line are empty: nobody looked. All of the third are no numbers.
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(24 + 18), Some(24)), "{report}");
    assert_eq!(report["rejects"][0]["field"], "2022-01");

    let forecast = json(&workshop, &["forecast", "steady", "--steps", "3"]);
    let steps = forecast["items"][0]["forecast"].as_array().unwrap();
    assert_eq!((steps.len(), steps[0]["event_time"].as_str()), (3, Some("2024-01-01T00:00:00Z")), "{forecast}");
    let mean = steps[0]["value"].as_f64().unwrap();
    assert!((9.0..=13.0).contains(&mean) && steps[0]["low"].as_f64() < Some(mean), "{forecast}");
    assert_eq!(forecast["items"][0]["past"].as_array().unwrap().len(), 24);
    let drawn = retail(&workshop, &["forecast", "steady"]).stdout;
    assert!(drawn.contains('█') && drawn.contains("2024-06-01"), "{drawn}");
    let present = json(&workshop, &["forecast", "steady", "--at", "2023-06-15", "--steps", "1"]);
    assert_eq!(present["items"][0]["forecast"][0]["event_time"], "2023-06-01T00:00:00Z", "{present}");
    let all = json(&workshop, &["forecast", "--all", "--steps", "2"]);
    assert_eq!(texts(&all["items"], "item"), ["steady", "rare"], "what will be sold most comes first");

    let measured = json(&workshop, &["forecast", "--all", "--evaluate", "6", "--resamples", "20"]);
    assert_eq!((measured["from"].as_str(), measured["forecast"]["series"].as_u64()), (Some("2023-07-01T00:00:00Z"), Some(2)));
    let error = |report: &Value| report["rmse"]["value"].as_f64().unwrap();
    assert!(error(&measured["forecast"]) < error(&measured["zero"]), "{measured}");
    let again = json(&workshop, &["forecast", "--all", "--evaluate", "6", "--resamples", "20"]);
    assert_eq!(again["forecast"], measured["forecast"], "questions change no past");
    assert!(retail(&workshop, &["forecast", "--all", "--evaluate", "6"]).stdout.contains("always zero"));
    refused(&workshop, &["forecast", "--all", "--evaluate", "30"], &["nothing was sold before", "fewer periods"]);
}

#[test]
fn a_catalogue_says_what_is_new_and_bad_rows_are_told() {
    let workshop = Workshop::default();
    let head = "item_id\ttitle\tbrand\tcategory_path\tprice\n";
    let file = workshop.write("items.tsv", format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t9.5\n2\tPot\t\t\tmuch\n3\tLid\n"));
    let path = file.to_str().unwrap();
    let rejects = workshop.path("rejects.jsonl");
    let arguments = ["import", "catalogue", path, "--json", "--rejects", rejects.to_str().unwrap()];
    let finished = retail(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(1), Some(2)), "{report}");
    assert_eq!((report["rejects"][0]["field"].as_str(), report["rejects"][0]["line"].as_i64()), (Some("price"), Some(3)));
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 2);
    workshop.write("items.tsv", format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t9.5\n"));
    assert_eq!(json(&workshop, &arguments[..3])["already_stored"], 1);
    workshop.write("items.tsv", format!("{head}1\t\"Pan\" 12\", wide\tOrdwin\tKitchen > Pans\t8\n"));
    assert_eq!(json(&workshop, &arguments[..3])["stored"], 1);
    let shown = json(&workshop, &["show", "1"]);
    assert_eq!((shown["item"]["title"].as_str(), shown["item"]["price"].as_f64()), (Some("\"Pan\" 12\", wide"), Some(8.0)));
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
    let purchases = workshop.write("p.csv", "customer,item,event_time,quantity\n7,a,2025-01-01,2\n7,,2025-01-01,1\n7,b,soon,1\n7,c,2025-01-02,-1\n");
    let finished = retail(&workshop, &["import", "purchases", purchases.to_str().unwrap(), "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    let mut fields = texts(&report["rejects"], "field");
    fields.sort_unstable();
    assert_eq!((report["stored"].as_u64(), fields), (Some(1), ["event_time", "item", "quantity"].map(str::to_owned).to_vec()));
    let times = workshop.write("t.csv", "customer,item\n7,a\n");
    refused(&workshop, &["import", "purchases", times.to_str().unwrap()], &["no column `event_time`"]);
}

#[test]
fn every_command_says_what_it_does() {
    let workshop = Workshop::default();
    for command in [
        "", "import", "import purchases", "import catalogue", "import baskets", "import sequences", "import demand", "simulate",
        "fit", "recommend", "similar", "show", "evaluate", "forecast", "batch", "batch create", "completions",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let finished = retail(&workshop, &arguments);
        assert_eq!(finished.code, DONE, "{command}: {finished:?}");
        let about = finished.stdout.lines().next().unwrap_or_default();
        assert!(about.len() > 10 && !about.starts_with("Usage"), "`foretell-retail {command}` does not say what it does");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = retail(&workshop, &["completions", shell]);
        assert_eq!(finished.code, DONE, "{shell}: {finished:?}");
        assert!(finished.stdout.contains("bought-again"), "{shell}");
    }
    assert!(!workshop.database().exists());
}
