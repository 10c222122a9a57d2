use foretell_insight::explanation::{Curves, Faithfulness, HeatMap, Point};
use foretell_media::{Picture, Samples};

use super::*;
use crate::NOTICE;

/// A grey image of 8 by 6 pixels, from dark to light.
fn film() -> Picture {
    Picture {
        width: 8,
        height: 6,
        channels: 1,
        samples: Samples::U8((0..48).map(|place| place * 5).collect()),
    }
}

fn faithfulness(areas: [f64; 4]) -> Faithfulness {
    let flat = |score| [0.0, 1.0].map(|share| Point { share, score }).to_vec();
    Faithfulness {
        score: 0.97,
        deletion_area: areas[0],
        random_deletion_area: areas[1],
        insertion_area: areas[2],
        random_insertion_area: areas[3],
        random_orders: 4,
        curves: Curves {
            deletion: flat(areas[0]),
            random_deletion: flat(areas[1]),
            insertion: flat(areas[2]),
            random_insertion: flat(areas[3]),
        },
    }
}

/// A film that the model knows the like of, explained.
fn explained() -> Card {
    let map = HeatMap::new(2, 2, vec![0.25, 0.0, -0.125, 0.0]).unwrap();
    let heat = Heat {
        method: "occlusion".to_owned(),
        label: "pneumonia".to_owned(),
        map,
        unit: "fall of the probability when a square of 32 pixels is hidden".to_owned(),
        faithfulness: Some(faithfulness([0.4125, 0.633, 0.871, 0.702])),
    };
    Card {
        record: 17,
        title: "chest/<film> & \"co\".jpeg".to_owned(),
        facts: vec![
            ("size".to_owned(), "1400 x 1000 pixels".to_owned()),
            ("finding".to_owned(), "pneumonia".to_owned()),
        ],
        picture: Some(film()),
        opinions: vec![Opinion {
            plugin: "medical-chest-xray@0.1.0".to_owned(),
            models: vec![("network".to_owned(), "3f2a9c01d4e5b6a7c8d9e0f1a2b3c4d5".to_owned())],
            run: None,
            scores: vec![("pneumonia".to_owned(), 0.9731)],
            decision: Some("pneumonia".to_owned()),
            threshold: Some(0.62),
            novelty: Some(Novelty { distance: 5.2, limit: 9.8, is_unfamiliar: false }),
            heats: vec![heat],
            ..Opinion::default()
        }],
    }
}

/// A slice that the model knows nothing of, with an outline by another one, and a third that refused it.
fn unfamiliar() -> Card {
    let scores = [("glioma", 0.9104), ("meningioma", 0.0896), ("pituitary", 0.000_01)];
    let labels = ["background", "tumor"].map(str::to_owned).to_vec();
    Card {
        record: 4,
        title: "slice.png".to_owned(),
        facts: Vec::new(),
        picture: Some(film()),
        opinions: vec![
            Opinion {
                plugin: "medical-brain-tumor@0.1.0".to_owned(),
                run: Some(2),
                scores: scores.map(|(label, score)| (label.to_owned(), score)).to_vec(),
                decision: Some("glioma".to_owned()),
                novelty: Some(Novelty { distance: 14.2, limit: 9.8, is_unfamiliar: true }),
                ..Opinion::default()
            },
            Opinion {
                plugin: "medical-brain-outline@0.1.0".to_owned(),
                run: Some(3),
                mask: Some(Mask { height: 2, width: 4, classes: vec![0, 1, 1, 0, 0, 0, 0, 0], labels }),
                ..Opinion::default()
            },
            Opinion {
                plugin: "moody@1.0.0".to_owned(),
                run: Some(5),
                refused: Some("expected a film, found <nothing>".to_owned()),
                ..Opinion::default()
            },
        ],
    }
}

/// A page without the pixels of its images, which are those of the encoder's version.
fn without_pixels(page: &str) -> String {
    let mut parts = page.split("base64,");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |page, part| page + "base64,..." + &part[part.find('"').unwrap_or_default()..])
}

#[test]
fn a_card_as_text() {
    insta::assert_snapshot!("text_explained", terminal::text(&explained()));
    insta::assert_snapshot!("text_unfamiliar", terminal::text(&unfamiliar()));
}

#[test]
fn a_card_as_a_page() {
    insta::assert_snapshot!("page_explained", without_pixels(&html::page(&explained()).unwrap()));
    insta::assert_snapshot!("page_unfamiliar", without_pixels(&html::page(&unfamiliar()).unwrap()));
}

#[test]
fn a_worklist_is_sorted_and_links_to_its_cards() {
    let familiar = |record, score| {
        let mut card = explained();
        card.record = record;
        card.opinions[0].scores[0].1 = score;
        card.opinions[0].heats.clear();
        card
    };
    let refused = Card { record: 3, opinions: unfamiliar().opinions.split_off(2), ..unfamiliar() };
    let cards =
        [refused, familiar(1, 0.1), unfamiliar(), familiar(2, 0.9), familiar(9, 0.9), familiar(8, 0.9)];
    let page = worklist::page("a folder", &cards).unwrap();
    let links: Vec<&str> =
        page.split("href=\"#record-").skip(1).filter_map(|part| part.split('"').next()).collect();
    assert_eq!(links, ["2", "8", "9", "1", "4", "3"]);
    for record in links {
        assert_eq!(page.matches(&format!("id=\"record-{record}\"")).count(), 1, "{record}");
    }
    assert!(page.contains("6 images, <span class=\"flag\">1 unlike those of the training</span>"));
    assert_eq!(page.matches("<tr class=\"group").count(), 3);
}

#[test]
fn a_long_worklist_has_all_rows_and_some_cards() {
    let cards: Vec<Card> = (0..worklist::CARDS_SHOWN_MAX as i64 + 2)
        .map(|record| Card { record, picture: None, ..explained() })
        .collect();
    let page = worklist::page("a folder", &cards).unwrap();
    assert_eq!(page.matches("<td class=\"thumb\">").count(), cards.len());
    assert_eq!(page.matches("<article").count(), worklist::CARDS_SHOWN_MAX);
    assert!(page.contains("and 2 are not"));
}

#[test]
fn pages_ask_for_nothing_and_run_nothing() {
    let cards = [explained(), unfamiliar()];
    let pages = [
        html::page(&cards[0]).unwrap(),
        html::page(&cards[1]).unwrap(),
        worklist::page("<script>alert(1)</script>", &cards).unwrap(),
    ];
    for page in pages {
        for forbidden in
            ["<script", "http://", "https://", "javascript:", "<link", "@import", "<film>", "<nothing>"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches(NOTICE).count(), 2);
        // Each thing that is begun is ended.
        for element in
            ["div", "section", "table", "tbody", "tr", "td", "th", "figure", "figcaption", "p", "svg", "span"]
        {
            let begun =
                page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
            assert_eq!(begun, page.matches(&format!("</{element}>")).count(), "{element}");
        }
    }
}

#[test]
fn a_card_is_drawn_the_same_each_time() {
    for card in [explained(), unfamiliar()] {
        let png = png::draw(&card).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        assert_eq!(png, png::draw(&card).unwrap());
        assert_eq!(html::page(&card), html::page(&card));
    }
}

#[test]
fn a_card_without_a_picture_has_no_drawing() {
    let card = Card { picture: None, ..explained() };
    assert!(png::draw(&card).unwrap_err().to_string().contains("0 x 0"));
    assert!(!html::page(&card).unwrap().contains("<img"));
}

#[test]
fn a_large_picture_is_made_smaller_and_a_small_one_is_not() {
    let size = |width, height, side| {
        let samples = Samples::U8(vec![7; width as usize * height as usize]);
        let picture = within(&Picture { width, height, channels: 1, samples }, side);
        (picture.width, picture.height, picture.channels)
    };
    assert_eq!(size(40, 20, 10), (10, 5, 1));
    assert_eq!(size(20, 40, 10), (5, 10, 1));
    assert_eq!(size(400, 1, 10), (10, 1, 1));
    assert_eq!(size(8, 6, 10), (8, 6, 1));
}
