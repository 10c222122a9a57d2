//! From images to answers.

use foretell_tests::Workshop;
use image::ImageFormat;
use serde_json::Value;

use super::{
    DONE, NOTICE, SOME_REJECTED, clinic, encoded, films, json, medical, picture, refused, text, told,
};

fn images(document: &Value) -> &[Value] {
    document["images"].as_array().unwrap_or_else(|| panic!("{document}"))
}

#[test]
fn a_folder_becomes_a_worklist_sorted_by_score_with_the_unfamiliar_behind() {
    let workshop = clinic();
    let folder = films(&workshop, 12);
    std::fs::write(folder.join("words.png"), "not a picture").unwrap();
    let words = ["predict", text(&folder)];
    let first = told(&workshop, SOME_REJECTED, &words);
    assert_eq!(first["notice"], NOTICE);
    assert_eq!((&first["stored"], &first["rejected"]), (&12.into(), &1.into()));
    let list = images(&first);
    assert_eq!(list.len(), 12);
    let key = |image: &Value| (image["unfamiliar"].as_bool().unwrap(), -image["score"].as_f64().unwrap());
    assert!(list.is_sorted_by(|a, b| key(a) <= key(b)), "{first}");
    let unfamiliar = list.iter().filter(|image| image["unfamiliar"] == true).count();
    assert_eq!(first["unfamiliar"], unfamiliar);
    for image in list {
        let said = &image["predictions"][0];
        let (novelty, limit) = (said["novelty"].as_f64().unwrap(), said["novelty_limit"].as_f64().unwrap());
        assert_eq!(image["unfamiliar"], novelty >= limit, "{image}");
        assert!((0.0..=1.0).contains(&image["score"].as_f64().unwrap()));
    }

    // The answers are there: nothing is predicted again, and they are the same when they are.
    let second = told(&workshop, SOME_REJECTED, &words);
    assert_eq!(images(&second), list);
    assert_eq!(second["already_stored"], 12);
    let verified = workshop.run("foretell", &["verify", "--json"], "");
    assert_eq!(verified.code, DONE, "{verified:?}");
    let report = verified.json();
    assert_eq!((&report["predictions"], &report["equal"]), (&12.into(), &12.into()), "{report}");

    // The page is one file, with the notice, and loads nothing.
    let page = workshop.path("list.html");
    let drawn = medical(&workshop, &["predict", text(&folder), "--html", text(&page)]);
    assert_eq!(drawn.code, SOME_REJECTED, "{drawn:?}");
    assert!(drawn.stdout.contains(NOTICE), "{drawn:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains(NOTICE) && html.contains("data:image/png;base64,"));
    assert!(!html.contains("src=\"http") && !html.contains("<script"), "it loads something");
}

#[test]
fn one_image_becomes_a_card_on_the_terminal_and_a_picture() {
    let workshop = clinic();
    let film = workshop.write("film.jpg", encoded(&picture(2, 300, 200), ImageFormat::Png));
    let (png, page) = (workshop.path("card.png"), workshop.path("card.html"));
    let words = ["predict", text(&film), "--model", "brain", "--png", text(&png), "--html", text(&page)];
    let finished = medical(&workshop, &words);
    assert_eq!(finished.code, DONE, "{finished:?}");
    for words in ["glioma", "meningioma", "pituitary", "medical-brain-outline", NOTICE] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.stdout);
    }
    let card = image::load_from_memory(&std::fs::read(&png).unwrap()).unwrap();
    assert!(card.width() >= 300 && card.height() >= 200, "{} times {}", card.width(), card.height());
    assert!(std::fs::read_to_string(&page).unwrap().contains("<svg"));
    // The film itself is not to be drawn over.
    refused(&workshop, &["predict", text(&film), "--png", text(&film)], &["film.jpg"]);
}

#[test]
fn promoted_plugins_of_different_tasks_are_no_trials_of_each_other() {
    let workshop = clinic();
    for plugin in ["medical-chest-xray", "medical-brain-tumor", "medical-brain-outline"] {
        let promoted = workshop.run("foretell", &["model", "promote", plugin], "");
        assert_eq!(promoted.code, DONE, "{promoted:?}");
    }
    let film = workshop.write("film.png", encoded(&picture(2, 64, 64), ImageFormat::Png));
    for model in ["chest", "brain"] {
        json(&workshop, &["predict", text(&film), "--model", model]);
    }
    let shown = json(&workshop, &["show", text(&film)]);
    let said = shown["predictions"].as_array().unwrap();
    assert_eq!(said.len(), 3, "{shown}");
    assert!(said.iter().all(|said| said["shadow"] == false), "{shown}");
}

#[test]
fn figures_are_those_of_the_predictions() {
    let workshop = clinic();
    let folder = films(&workshop, 30);
    let document = json(&workshop, &["predict", text(&folder), "--folder-labels"]);
    let evaluated = json(&workshop, &["evaluate", "--resamples", "50"]);
    assert_eq!(evaluated["notice"], NOTICE);
    let evaluation = &evaluated["evaluations"][0];
    assert_eq!(evaluation["images"], 30, "{evaluated}");
    let unfamiliar = images(&document).iter().filter(|image| image["unfamiliar"] == true).count();
    assert_eq!(evaluation["unfamiliar"], unfamiliar);
    let right = images(&document).iter().filter(|image| {
        let decision = image["predictions"][0]["decision"].as_str().unwrap();
        image["image"].as_str().unwrap().contains(&format!("/{decision}/"))
    });
    let accuracy = evaluation["all"]["decisions"]["accuracy"]["value"].as_f64().unwrap();
    assert!((accuracy - right.count() as f64 / 30.0).abs() < 1e-12, "{accuracy}: {document}");
}

#[test]
fn labels_can_be_given_later_and_count() {
    let workshop = clinic();
    let film = workshop.write("film.png", encoded(&picture(2, 64, 64), ImageFormat::Png));
    json(&workshop, &["predict", text(&film)]);
    refused(&workshop, &["evaluate"], &["no predicted image has a label"]);
    json(&workshop, &["label", text(&film), "--set", "finding=pneumonia"]);
    assert_eq!(json(&workshop, &["evaluate"])["evaluations"][0]["images"], 1);
}

#[test]
fn an_explanation_is_the_same_each_time_and_tells_whether_it_is_true() {
    let workshop = clinic();
    let film = workshop.write("film.png", encoded(&picture(5, 120, 100), ImageFormat::Png));
    let words = ["explain", text(&film), "--patch", "64", "--stride", "48", "--seed", "7"];
    let first = json(&workshop, &words);
    assert_eq!(first["notice"], NOTICE);
    let maps = first["maps"].as_array().unwrap();
    assert_eq!(maps.len(), 2, "by hiding, and by asking the network");
    for map in maps {
        let side = |name: &str| map[name].as_u64().unwrap() as usize;
        assert_eq!(map["values"].as_array().unwrap().len(), side("height") * side("width"));
        for area in ["deletion_area", "insertion_area", "random_deletion_area", "random_insertion_area"] {
            assert!((0.0..=1.0).contains(&map[area].as_f64().unwrap()), "{area} of {map}");
        }
    }
    assert_eq!(json(&workshop, &words), first);
    refused(&workshop, &["explain", text(&film), "--class", "measles"], &["measles", "pneumonia"]);
    refused(&workshop, &["explain", text(&film), "--model", "medical-brain-outline"], &["score"]);
}

#[test]
fn a_plugin_that_is_not_installed_is_named() {
    let workshop = Workshop::default();
    let film = workshop.write("film.png", encoded(&picture(5, 20, 20), ImageFormat::Png));
    refused(&workshop, &["predict", text(&film)], &["medical-chest-xray", "foretell plugin install"]);
}
