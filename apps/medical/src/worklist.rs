//! Predictions of images, for programs and, many of them, for people at a terminal.

use std::collections::HashMap;

use foretell_terminal::{Output, format_count};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::NOTICE;
use crate::card::{Card, Opinion};
use crate::intake::{Refused, Report};

/// Predictions, as a program reads them: what should be looked at first stands first.
#[derive(Debug, Serialize)]
pub struct Document<'c> {
    notice: &'static str,
    stored: u64,
    already_stored: u64,
    rejected: u64,
    skipped: u64,
    rejects: &'c [Refused],
    unfamiliar: usize,
    images: Vec<Line<'c>>,
}

#[derive(Debug, Serialize)]
struct Line<'c> {
    record: i64,
    image: &'c str,
    /// What it is sorted by.
    score: Option<f64>,
    /// The class that this is the score of.
    label: Option<&'c str>,
    /// Whether it is unlike the images of the training, so that its predictions mean nothing.
    unfamiliar: bool,
    predictions: Vec<Said<'c>>,
}

#[derive(Debug, Serialize)]
struct Said<'c> {
    plugin: &'c str,
    run: Option<i64>,
    scores: Map<String, Value>,
    decision: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    novelty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    novelty_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfamiliar: Option<bool>,
    /// Of a segmentation: shares of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<&'c Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'c str>,
}

/// Which share of an image each class of a segmentation has: by record and plugin, since long lists are without masks.
pub type Shares = HashMap<(i64, String), Map<String, Value>>;

/// The shares in an opinion with a mask.
pub fn shares(opinion: &Opinion) -> Option<Map<String, Value>> {
    let mask = opinion.mask.as_ref()?;
    Some(mask.foreground().map(|(class, label)| (label.to_owned(), mask.share(class).into())).collect())
}

impl<'c> Document<'c> {
    /// The predictions on these cards, in their order, and what came of their import.
    pub fn new(cards: &'c [Card], shares: &'c Shares, report: &'c Report) -> Self {
        Self {
            notice: NOTICE,
            stored: report.stored,
            already_stored: report.already_stored,
            rejected: report.rejected,
            skipped: report.skipped,
            rejects: &report.rejects,
            unfamiliar: cards.iter().filter(|card| card.is_unfamiliar()).count(),
            images: cards.iter().map(|card| line(card, shares)).collect(),
        }
    }
}

fn line<'c>(card: &'c Card, shares: &'c Shares) -> Line<'c> {
    let (label, score) = card.leading().unzip();
    let predictions = card.opinions.iter().map(|opinion| said(card.record, opinion, shares)).collect();
    Line {
        record: card.record,
        image: &card.title,
        score,
        label,
        unfamiliar: card.is_unfamiliar(),
        predictions,
    }
}

fn said<'c>(record: i64, opinion: &'c Opinion, shares: &'c Shares) -> Said<'c> {
    Said {
        plugin: &opinion.plugin,
        run: opinion.run,
        scores: opinion.scores.iter().map(|(label, score)| (label.clone(), (*score).into())).collect(),
        decision: opinion.decision.as_deref(),
        threshold: opinion.threshold,
        novelty: opinion.novelty.map(|novelty| novelty.distance),
        novelty_limit: opinion.novelty.map(|novelty| novelty.limit),
        unfamiliar: opinion.novelty.map(|novelty| novelty.is_unfamiliar),
        shares: shares.get(&(record, opinion.plugin.clone())),
        refused: opinion.refused.as_deref(),
    }
}

/// Draws a worklist: its first `limit` images, in their order.
pub fn draw(output: Output, cards: &[Card], limit: usize) {
    output.table(
        &["#", "image", "record#", "score#", "decision", "distance#", ""],
        cards.iter().take(limit).enumerate().map(|(place, card)| {
            let first = card.opinions.iter().find(|opinion| opinion.leading().is_some());
            let distance = card.opinions.iter().find_map(|opinion| opinion.novelty);
            let refused = card.opinions.iter().find_map(|opinion| opinion.refused.as_deref());
            vec![
                (place + 1).to_string(),
                card.title.clone(),
                card.record.to_string(),
                card.leading().map(|(_, score)| format!("{score:.3}")).unwrap_or_default(),
                first.and_then(|opinion| opinion.decision.clone()).unwrap_or_default(),
                distance.map(|novelty| format!("{:.2}", novelty.distance)).unwrap_or_default(),
                match (card.is_unfamiliar(), refused) {
                    (true, _) => "UNFAMILIAR".to_owned(),
                    (_, Some(reason)) => format!("refused: {reason}"),
                    _ => String::new(),
                },
            ]
        }),
    );
    if cards.len() > limit {
        let more = format_count((cards.len() - limit) as u64);
        output.line(&format!("... and {more} more: `--limit N`, `--html FILE` or `--json` show them"));
    }
    let unfamiliar = cards.iter().filter(|card| card.is_unfamiliar()).count();
    output.line(&format!("\n{} images", format_count(cards.len() as u64)));
    if unfamiliar > 0 {
        output.line(&format!(
            "{} of them are UNFAMILIAR: outside of what the model was trained on, so that its answer means nothing there",
            format_count(unfamiliar as u64)
        ));
    }
    output.line(&format!("\n{NOTICE}"));
}
