//! A card as a page: one file that asks for nothing, in light and in dark.

use std::fmt::Write;

use foretell_media::Picture;
use foretell_media::draw::DrawError;

use super::markup::{Text, document, image};
use super::png::heated;
use super::{Card, Opinion, plot, within, words};

/// Pixels of the longer side of an image.
pub const SIDE_PIXELS_MAX: u32 = 800;

/// The page of a card.
///
/// # Errors
/// [`DrawError`]: the card has a picture that cannot be drawn on.
pub fn page(card: &Card) -> Result<String, DrawError> {
    let mut content = format!("<h1>{}</h1>\n", Text(&card.title));
    write_card(&mut content, card, "heat", SIDE_PIXELS_MAX)?;
    Ok(document(&card.title, &content))
}

/// All of a card but its title. `name` is what identifiers of the page begin with.
pub(super) fn write_card(html: &mut String, card: &Card, name: &str, side: u32) -> Result<(), DrawError> {
    for opinion in &card.opinions {
        if let Some(novelty) = opinion.novelty.as_ref().filter(|novelty| novelty.is_unfamiliar) {
            let (plugin, novelty) = (Text(&opinion.plugin), words::novelty(novelty));
            let _ = writeln!(
                html,
                "<p class=\"warning\" role=\"alert\"><strong>Unfamiliar to {plugin}:</strong> {novelty}.</p>"
            );
        }
    }
    for sentence in card.opinions.iter().filter_map(words::decision) {
        let _ = writeln!(html, "<p class=\"lead\">{}</p>", Text(&sentence));
    }
    if let Some(picture) = &card.picture {
        write_films(html, card, &within(picture, side), name)?;
    }
    html.push_str("<div class=\"columns\">\n");
    for opinion in &card.opinions {
        write_opinion(html, opinion);
    }
    write_facts(html, card);
    html.push_str("</div>\n");
    Ok(())
}

fn write_films(html: &mut String, card: &Card, picture: &Picture, name: &str) -> Result<(), DrawError> {
    html.push_str("<div class=\"films\">\n");
    let film = image(picture, "the image as it is")?;
    let masks: Vec<_> = card.opinions.iter().filter_map(|opinion| opinion.mask.as_ref()).collect();
    if masks.is_empty() {
        let _ = writeln!(
            html,
            "<figure><div class=\"film\">{film}</div><figcaption>as it is</figcaption></figure>"
        );
    } else {
        let outlines = masks.iter().map(|mask| plot::outlines(mask)).collect::<Result<String, _>>()?;
        let found = masks.iter().map(|mask| words::outlines(mask)).collect::<Vec<_>>().join(", ");
        let found = Text(&found);
        let _ = writeln!(
            html,
            "<figure><div class=\"film\">{film}{outlines}</div><figcaption>{found} \
             <span class=\"quiet\">(point at the image to see it without)</span></figcaption></figure>"
        );
    }
    let heats = card.opinions.iter().flat_map(|opinion| &opinion.heats);
    for (number, heat) in heats.enumerate() {
        let (overlay, full) = heated(picture, heat)?;
        let caption = words::heat(heat);
        let film = image(&overlay, &caption)?;
        let _ = write!(
            html,
            "<figure><div class=\"film\">{film}</div>{}<figcaption>{}",
            plot::scale(&format!("{name}-{number}"), &heat.label, full),
            Text(&caption)
        );
        for line in words::faint(heat).into_iter().chain(words::faithfulness(heat).into_iter().flatten()) {
            let _ = write!(html, "<br><span class=\"quiet\">{}</span>", Text(&line));
        }
        if let Some(found) = &heat.faithfulness {
            html.push_str(&plot::curves(&found.curves));
        }
        html.push_str("</figcaption></figure>\n");
    }
    html.push_str("</div>\n");
    Ok(())
}

fn write_opinion(html: &mut String, opinion: &Opinion) {
    let class = if opinion.is_unfamiliar() { " class=\"unlike\"" } else { "" };
    let _ = writeln!(html, "<section{class}>\n<h2>{}</h2>", Text(&opinion.plugin));
    if !opinion.scores.is_empty() {
        html.push_str("<table class=\"scores\">\n");
        for (label, score) in &opinion.scores {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td></tr>",
                Text(label),
                plot::bar(*score, opinion.threshold),
                Text(&words::probability(*score))
            );
        }
        html.push_str("</table>\n");
    }
    if let Some(novelty) = &opinion.novelty {
        let _ = writeln!(html, "<p>{}</p>", Text(&words::novelty(novelty)));
    }
    if let Some(reason) = &opinion.refused {
        let _ = writeln!(html, "<p>no prediction: {}</p>", Text(reason));
    }
    html.push_str("<table class=\"facts\">\n");
    write_fact(
        html,
        "run",
        &opinion.run.map_or("none: asked just now and not stored".to_owned(), |run| run.to_string()),
        "",
    );
    for (slot, hash) in &opinion.models {
        write_fact(html, &format!("model {slot}"), hash, " class=\"hash\"");
    }
    html.push_str("</table>\n</section>\n");
}

fn write_facts(html: &mut String, card: &Card) {
    html.push_str("<section>\n<h2>The image</h2>\n<table class=\"facts\">\n");
    write_fact(html, "record", &card.record.to_string(), "");
    for (name, value) in &card.facts {
        write_fact(html, name, value, "");
    }
    html.push_str("</table>\n</section>\n");
}

fn write_fact(html: &mut String, name: &str, value: &str, class: &str) {
    let (name, value) = (Text(name), Text(value));
    let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td{class}>{value}</td></tr>");
}
