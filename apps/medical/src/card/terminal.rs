//! A card as text.

use std::fmt::Write;

use super::{Card, Opinion, words};
use crate::NOTICE;

/// Characters of a bar.
const BAR_CHARACTERS: usize = 30;

/// The card, line by line, the notice last. No newline at the end.
pub fn text(card: &Card) -> String {
    let mut text = format!("{}\n\n", card.title);
    let mut lines = vec![("record", card.record.to_string())];
    lines.extend(card.facts.iter().map(|(name, value)| (name.as_str(), value.clone())));
    write_lines(&mut text, &lines);
    for opinion in &card.opinions {
        let _ = write!(text, "\n{}\n", words::origin(opinion));
        write_opinion(&mut text, opinion);
    }
    let _ = write!(text, "\n{NOTICE}");
    text
}

fn write_opinion(text: &mut String, opinion: &Opinion) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    // What makes the rest worthless comes first.
    let (unfamiliar, familiar) = match &opinion.novelty {
        Some(novelty) if novelty.is_unfamiliar => (Some(words::novelty(novelty)), None),
        novelty => (None, novelty.as_ref().map(words::novelty)),
    };
    lines.extend(unfamiliar.map(|unfamiliar| ("UNFAMILIAR", unfamiliar)));
    for (label, score) in &opinion.scores {
        lines.push((label, format!("{}  {}", bar(*score, opinion.threshold), words::probability(*score))));
    }
    if let Some(mask) = &opinion.mask {
        for (class, label) in mask.foreground() {
            let share = mask.share(class);
            let found = if share > 0.0 {
                format!("{} of the image", words::percent(share))
            } else {
                "none".to_owned()
            };
            lines.push((label, found));
        }
    }
    if let Some(decision) = words::decision(opinion) {
        lines.push(("decision", decision));
    }
    lines.extend(familiar.map(|familiar| ("familiar", familiar)));
    if let Some(reason) = &opinion.refused {
        lines.push(("refused", reason.clone()));
    }
    for (slot, hash) in &opinion.models {
        lines.push(("model", format!("{slot} {}", words::short_hash(hash))));
    }
    for heat in &opinion.heats {
        lines.push(("heat map", words::heat(heat)));
        lines.extend(words::faint(heat).map(|faint| ("", faint)));
        lines.extend(words::faithfulness(heat).into_iter().flatten().map(|line| ("", line)));
    }
    write_lines(text, &lines);
}

/// Names and values beneath each other.
fn write_lines(text: &mut String, lines: &[(&str, String)]) {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in lines {
        let _ = writeln!(text, "{name:width$}  {value}");
    }
}

/// A bar from 0 to 1, with a mark where it is decided.
fn bar(value: f64, mark: Option<f64>) -> String {
    let place = |value: f64| (value.clamp(0.0, 1.0) * BAR_CHARACTERS as f64).round() as usize;
    let filled = place(value);
    let mark = mark.map(|mark| place(mark).min(BAR_CHARACTERS - 1));
    let cell = |cell| match cell {
        cell if Some(cell) == mark => '|',
        cell if cell < filled => '█',
        _ => '░',
    };
    (0..BAR_CHARACTERS).map(cell).collect()
}
