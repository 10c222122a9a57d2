//! Many cards as a list: what should be looked at first stands first.

use std::cmp::Ordering;
use std::fmt::Write;

use foretell_media::Picture;
use foretell_media::draw::DrawError;

use super::html::write_card;
use super::markup::{Text, document, image};
use super::{Card, Opinion, plot, within, words};

/// So many cards stand below the list, the first ones. A page with the images of thousands would open nowhere.
pub const CARDS_SHOWN_MAX: usize = 100;

/// Pixels of the longer side of an image below the list.
pub const SIDE_PIXELS_MAX: u32 = 400;

/// Pixels of the longer side of an image in the list: half as many again as it takes up, for fine screens.
const THUMBNAIL_PIXELS: u32 = 96;

/// A picture that is as large as a page of many shows it, for a card that waits in memory.
pub fn small(picture: &Picture) -> Picture {
    within(picture, SIDE_PIXELS_MAX)
}

/// A picture that is as large as the list itself shows it, for a card that has no more than a row.
pub fn thumbnail(picture: &Picture) -> Picture {
    within(picture, THUMBNAIL_PIXELS)
}

/// Where a card stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// It has a score that means something.
    Familiar,
    /// It has a score that means nothing.
    Unfamiliar,
    /// It has none.
    Unscored,
}

impl Group {
    fn of(card: &Card) -> Self {
        match (card.leading(), card.is_unfamiliar()) {
            (None, _) => Self::Unscored,
            (_, true) => Self::Unfamiliar,
            _ => Self::Familiar,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Familiar => "by falling score",
            Self::Unfamiliar => "outside of what the model was trained on: the scores mean nothing here",
            Self::Unscored => "without a score",
        }
    }
}

/// Sorts cards: by falling score, those whose score means nothing behind them, and those without one last. Of the same score,
/// the one that was stored first stands first.
pub fn sort(cards: &mut [&Card]) {
    cards.sort_by(|one, other| order(one, other));
}

/// See [`sort`].
pub fn order(one: &Card, other: &Card) -> Ordering {
    let score = |card: &Card| card.leading().map_or(f64::NEG_INFINITY, |(_, score)| score);
    Group::of(one)
        .cmp(&Group::of(other))
        .then_with(|| score(other).total_cmp(&score(one)))
        .then_with(|| one.record.cmp(&other.record))
}

/// The page of a list: a table with a small image of each, linked to the cards of the first [`CARDS_SHOWN_MAX`] below it.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on.
pub fn page(title: &str, cards: &[Card]) -> Result<String, DrawError> {
    let mut sorted: Vec<&Card> = cards.iter().collect();
    sort(&mut sorted);
    let unfamiliar = cards.iter().filter(|card| card.is_unfamiliar()).count();
    let mut content = format!("<h1>{}</h1>\n<p>{} images", Text(title), cards.len());
    if unfamiliar > 0 {
        let _ = write!(content, ", <span class=\"flag\">{unfamiliar} unlike those of the training</span>");
    }
    content.push_str(
        "</p>\n<table class=\"worklist\" id=\"list\">\n<thead><tr><th></th><th>image</th><th>decision</th>",
    );
    content.push_str(
        "<th class=\"sure\">calibrated probability</th><th></th><th>distance</th></tr></thead>\n<tbody>\n",
    );
    let mut group = None;
    for (place, card) in sorted.iter().enumerate() {
        let own = Group::of(card);
        if group != Some(own) {
            let class = if own == Group::Unfamiliar { " unlike" } else { "" };
            let _ = writeln!(
                content,
                "<tr class=\"group{class}\"><th colspan=\"6\" scope=\"rowgroup\">{}</th></tr>",
                own.words()
            );
            group = Some(own);
        }
        write_row(&mut content, card, place < CARDS_SHOWN_MAX)?;
    }
    content.push_str("</tbody>\n</table>\n");
    let left = sorted.len().saturating_sub(CARDS_SHOWN_MAX);
    if left > 0 {
        let _ = writeln!(
            content,
            "<p class=\"quiet\">The first {CARDS_SHOWN_MAX} are shown below, and {left} are not.</p>"
        );
    }
    for card in sorted.iter().take(CARDS_SHOWN_MAX) {
        let (record, title) = (card.record, Text(&card.title));
        let _ = writeln!(content, "<article class=\"card\" id=\"record-{record}\">\n<h2>{title}</h2>");
        write_card(&mut content, card, &format!("heat-{record}"), SIDE_PIXELS_MAX)?;
        content.push_str("<p><a href=\"#list\">back to the list</a></p>\n</article>\n");
    }
    Ok(document(title, &content))
}

fn write_row(html: &mut String, card: &Card, is_shown: bool) -> Result<(), DrawError> {
    let picture = card.picture.as_ref().map(|picture| image(&thumbnail(picture), "")).transpose()?;
    let picture = picture.unwrap_or_default();
    let title = Text(&card.title);
    let name =
        if is_shown { format!("<a href=\"#record-{}\">{title}</a>", card.record) } else { title.to_string() };
    // The opinion that the score is of, else the one that says why there is none.
    let opinion = card.opinions.iter().find(|opinion| opinion.leading().is_some()).or(card.opinions.first());
    let decision = opinion.map(decided).unwrap_or_default();
    let (bar, score) = opinion.and_then(|opinion| Some((opinion.leading()?, opinion.threshold))).map_or_else(
        || (String::new(), String::new()),
        |((label, score), threshold)| {
            let of = format!("{} {label}", words::probability(score));
            (plot::bar(score, threshold), of)
        },
    );
    let distance = opinion.and_then(|opinion| opinion.novelty).map_or_else(String::new, |novelty| {
        let flag = if novelty.is_unfamiliar { " <span class=\"flag\">unfamiliar</span>" } else { "" };
        format!("{:.1} of {:.1}{flag}", novelty.distance, novelty.limit)
    });
    let (decision, score) = (Text(&decision), Text(&score));
    let class = if card.is_unfamiliar() { " class=\"unlike\"" } else { "" };
    let _ = writeln!(
        html,
        "<tr{class}><td class=\"thumb\">{picture}</td><td class=\"name\">{name}</td><td>{decision}</td>\
         <td class=\"sure\">{bar}</td><td class=\"number\">{score}</td><td>{distance}</td></tr>"
    );
    Ok(())
}

fn decided(opinion: &Opinion) -> String {
    match (&opinion.decision, &opinion.refused) {
        (Some(decision), _) => decision.clone(),
        (None, Some(reason)) => format!("no prediction: {reason}"),
        (None, None) => String::new(),
    }
}
