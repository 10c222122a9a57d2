//! `foretell-vehicle evaluate tracks`

use std::collections::BTreeMap;
use std::path::Path;

use foretell_insight::tracking::{Figures, Sequence, TrackingReport};
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::prediction::{AnsweredFilter, RunSelection};
use foretell_store::selection::Selection;
use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use crate::DOMAIN;
use crate::arguments::EvaluateTracks;
use crate::evaluation::{Boxes, sequence_name, truths};
use crate::follow::first_frame;
use crate::footage::KEYS;
use crate::found::Tracked;
use crate::mot::{BadLine, rows, text_of};

#[derive(Serialize)]
struct Document<'a> {
    report: &'a TrackingReport,
    /// Lines that are no box.
    refused: &'a [BadLine],
}

pub(super) async fn run(place: &Place, output: Output, command: &EvaluateTracks) -> Result<u8, Failure> {
    let answers = command.tracks.len() + command.clip.len();
    if answers != command.truth.len() {
        let truths = command.truth.len();
        return Err(Failure::words(format!("there are {truths} files of truth and {answers} of tracks"))
            .hint(Some("name them in the same order, one for each")));
    }
    let mut refused = Vec::new();
    let mut read = |path: &Path| {
        let (rows, bad) = rows(path, &text_of(path)?);
        refused.extend(bad);
        Ok::<_, Failure>(rows)
    };
    let names: Vec<String> = command.truth.iter().map(|path| sequence_name(path)).collect();
    let mut drawn = Vec::with_capacity(answers);
    for path in &command.truth {
        drawn.push(truths(read(path)?));
    }
    let mut followed: Vec<Boxes> = Vec::with_capacity(answers);
    for path in &command.tracks {
        followed.push(read(path)?.into_iter().collect());
    }
    if !command.clip.is_empty() {
        let store = place.open_read_only().await?;
        for clip in &command.clip {
            followed.push(stored(&store, clip, &command.tracker).await?);
        }
    }
    let sequences: Vec<Sequence<'_>> = names
        .iter()
        .zip(drawn.iter().zip(&followed))
        .map(|(name, (drawn, followed))| Sequence {
            name,
            truths: drawn.tracks(),
            hypotheses: followed.tracks(),
        })
        .collect();
    let report = TrackingReport::new(&sequences).map_err(|error| Failure::new(&error))?;
    output.show(&Document { report: &report, refused: &refused }, |output| draw(output, &report, &refused));
    Ok(if refused.is_empty() { exit::DONE } else { exit::SOME_REJECTED })
}

/// The latest tracks of a stored clip.
async fn stored(store: &Store, clip: &str, tracker: &str) -> Result<Boxes, Failure> {
    let nothing = |why: &str| {
        Failure::words(format!("{why} of clip `{clip}`"))
            .hint(Some("`foretell-vehicle track INPUT` tracks a clip; `--clip` names it as it is stored"))
    };
    let selection = Selection {
        key: Some((KEYS[0].to_owned(), clip.to_owned())),
        condition: Some("payload ->> '$.frame_rate' IS NOT NULL".to_owned()),
        ..Selection::domain(DOMAIN)
    };
    let records = store.selected(&selection).await.map_err(|error| {
        let hint = error.kind.hint().map(str::to_owned);
        Failure::new(&error).hint(hint)
    })?;
    let records =
        store.records_among(&records).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    // Of each part the detections that were stored last; parts of an earlier, longer division are no part of it.
    let mut parts: BTreeMap<u64, i64> = BTreeMap::new();
    for record in &records {
        if let Some(first) = record.external_id.as_deref().and_then(first_frame) {
            let part = parts.entry(first).or_insert(record.id);
            *part = (*part).max(record.id);
        }
    }
    let begin = parts.get(&0).copied().ok_or_else(|| nothing("no detections are stored"))?;
    parts.retain(|_, record| *record >= begin);
    let (name, version) = match tracker.split_once('@') {
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (tracker, None),
    };
    let filter = AnsweredFilter {
        domain: DOMAIN.to_owned(),
        runs: RunSelection::Plugin { name: name.to_owned(), version },
        records: parts.values().copied().collect::<Members>(),
        label: String::new(),
    };
    let answered = store.answered(&filter).await.map_err(|error| {
        let hint = error.kind.hint();
        Failure::new(&error).hint(hint)
    })?;
    let answers: BTreeMap<i64, &str> =
        answered.iter().map(|one| (one.record_id, one.output.as_deref().unwrap_or("[]"))).collect();
    let (mut boxes, mut before, mut last) = (Boxes::default(), 0, 0);
    for (first, record) in &parts {
        let answer = answers.get(record).ok_or_else(|| nothing("there are no tracks"))?;
        let tracks: Vec<Tracked> = serde_json::from_str(answer)
            .map_err(|error| Failure::words(format!("the tracks of record {record} are none: {error}")))?;
        for mut tracked in tracks {
            // Numbers of tracks begin anew in each part.
            tracked.track += before;
            last = last.max(tracked.track);
            tracked.frame = u32::try_from(first + u64::from(tracked.frame)).unwrap_or(u32::MAX);
            boxes.add(&tracked);
        }
        before = last;
    }
    Ok(boxes)
}

fn draw(output: Output, report: &TrackingReport, refused: &[BadLine]) {
    let head = [
        "sequence", "MOTA#", "IDF1#", "HOTA#", "DetA#", "AssA#", "MOTP#", "IDs#", "FP#", "FN#", "FM#", "MT#",
        "PT#", "ML#", "boxes#",
    ];
    let mut lines: Vec<(&str, &Figures)> =
        report.sequences.iter().map(|sequence| (sequence.name.as_str(), &sequence.figures)).collect();
    if lines.len() > 1 {
        lines.push(("all", &report.overall));
    }
    output.table(&head, lines.into_iter().map(|(name, figures)| row(name, figures)));
    output.line("MOTP is the mean distance, 1 minus the agreement: 0 is best.");
    for bad in refused {
        output.line(&format!("set aside {bad}"));
    }
}

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let percent =
        |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |value| format!("{:.1}", 100.0 * value));
    let motp = figures.motp_distance.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let shares = [figures.mota, figures.idf1, figures.hota, figures.deta, figures.assa].map(percent);
    let counts = [
        figures.switches,
        figures.false_positives,
        figures.misses,
        figures.fragmentations,
        figures.mostly_tracked,
        figures.partly_tracked,
        figures.mostly_lost,
        figures.truths,
    ]
    .map(format_count);
    std::iter::once(name.to_owned()).chain(shares).chain([motp]).chain(counts).collect()
}
