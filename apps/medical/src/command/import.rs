//! `foretell-medical import`

use std::collections::BTreeMap;

use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::intake::take;
use crate::intake::Report;
use crate::{NOTICE, arguments};

/// Files that were refused and are listed on a terminal.
const REFUSED_SHOWN_MAX: usize = 10;

#[derive(Serialize)]
struct Document<'r> {
    notice: &'static str,
    #[serde(flatten)]
    report: &'r Report,
    files_per_second: f64,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Import) -> Result<u8, Failure> {
    let store = place.create_or_open().await?;
    let report = take(place, &store, output, &command.intake).await?;
    let files_per_second = report.files as f64 / report.seconds.max(f64::MIN_POSITIVE);
    let document = Document { notice: NOTICE, report: &report, files_per_second };
    output.show(&document, |output| {
        output.line(&format!(
            "{} files in {:.1} s ({}/s)",
            format_count(report.files),
            report.seconds,
            format_count(files_per_second as u64)
        ));
        draw(output, &report, command.show_removals);
        output.line(&format!("\n{NOTICE}"));
    });
    Ok(code(&report))
}

/// The exit code for what came of an import.
pub(super) fn code(report: &Report) -> u8 {
    if report.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE }
}

/// Draws what came of an import for people.
pub(super) fn draw(output: Output, report: &Report, show_removals: bool) {
    let mut facts = vec![
        ("stored", images(report.stored)),
        ("already stored", images(report.already_stored)),
        ("rejected", files(report.rejected)),
        ("no images", files(report.skipped)),
    ];
    if report.labels > 0 {
        facts.push(("labels", format_count(report.labels)));
    }
    if report.listed_missing > 0 {
        facts.push(("listed, not there", files(report.listed_missing)));
    }
    facts.push(("source", report.source.to_string()));
    output.facts(&facts);
    draw_identifiers(output, report, show_removals);
    draw_refused(output, report);
}

fn draw_identifiers(output: Output, report: &Report, show_removals: bool) {
    if report.identifiers_kept > 0 {
        output.line(&format!(
            "\nidentifiers of patients were KEPT in {}, as you said; each record says so",
            of(report.identifiers_kept, "DICOM file")
        ));
    }
    if report.identifiers_removed > 0 {
        let mut by_action: BTreeMap<&str, u64> = BTreeMap::new();
        for removal in &report.removals {
            *by_action.entry(removal.action).or_default() += removal.count;
        }
        let words = |(action, count): (&&str, &u64)| {
            let what = match *action {
                "removed" => "removed",
                "emptied" => "emptied",
                "dummy" => "with a value that says nothing",
                "uid" => "with another UID",
                _ => "with a pseudonym",
            };
            format!("{} {what}", of(*count, "value"))
        };
        let words: Vec<String> = by_action.iter().map(words).collect();
        output.line(&format!(
            "\nidentifiers were removed from {} (DICOM PS3.15, Basic Profile): {}",
            of(report.identifiers_removed, "DICOM file"),
            words.join(", ")
        ));
        if show_removals {
            output.table(
                &["tag", "attribute", "done", "why", "values#", "files#"],
                report.removals.iter().map(|removal| {
                    vec![
                        removal.tag.clone(),
                        removal.keyword.clone(),
                        removal.action.to_owned(),
                        removal.reason.to_owned(),
                        format_count(removal.count),
                        format_count(removal.files),
                    ]
                }),
            );
        } else {
            output.line("`--show-removals` lists them, attribute by attribute; `--json` has the list, too");
        }
    }
    for warning in &report.warnings {
        output.line(&format!("look at {}: {}", files(warning.files), warning.warning));
    }
}

fn draw_refused(output: Output, report: &Report) {
    if report.rejected == 0 {
        return;
    }
    output.line("");
    output.table(
        &["file", "reason"],
        report
            .rejects
            .iter()
            .take(REFUSED_SHOWN_MAX)
            .map(|refused| vec![refused.file.clone(), refused.reason.clone()]),
    );
    if report.rejected > REFUSED_SHOWN_MAX as u64 {
        output.line(&format!("... and {} more", format_count(report.rejected - REFUSED_SHOWN_MAX as u64)));
    }
    output
        .line(&format!("all are kept in the database: `foretell record rejects --source {}`", report.source));
}

fn images(count: u64) -> String {
    of(count, "image")
}

fn files(count: u64) -> String {
    of(count, "file")
}

fn of(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", format_count(count))
}
