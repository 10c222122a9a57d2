//! `foretell-medical predict`

use std::collections::HashMap;
use std::path::PathBuf;

use foretell_jobs::ImageProbe;
use foretell_media::Picture;
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::record::LabelValue;
use foretell_terminal::{Failure, Output, Place, exit, save};

use super::import;
use super::intake::take;
use crate::asking::{Asked, ask};
use crate::card::worklist::{CARDS_SHOWN_MAX, order, small, thumbnail};
use crate::card::{self, Card, Heat, Mask, Opinion, html, png, terminal};
use crate::finding::{self, Answers, read_in_pieces};
use crate::intake::Report;
use crate::worklist::{self, Document, Shares, draw};
use crate::{FINDING, arguments, locate};

/// Files that are looked for by their content before they are imported, so that a file that was imported with its folder is
/// not stored a second time by itself.
const LOCATED_FILES_MAX: usize = 64;
/// How heat maps are made here: a prediction is not to wait for more.
const METHOD: &str = "activation";
/// What their numbers are.
const UNIT: &str = "how strongly the place speaks for the class";

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Predict) -> Result<u8, Failure> {
    let store = place.create_or_open().await?;
    let (report, records) = gather(place, &store, output, &command.intake).await?;
    let mut code = import::code(&report);
    if records.is_empty() {
        return match report.rejects.first() {
            Some(refused) => Err(Failure::words(format!("`{}`: {}", refused.file, refused.reason))),
            None => Err(Failure::words("there is no image to predict")
                .hint(Some("name files of images, a folder, a zip archive or a DICOM directory"))),
        };
    }
    if command.png.is_some() && records.len() > 1 {
        return Err(Failure::words(format!("`--png` is for one image, and there are {}", records.len()))
            .hint(Some("`--html FILE` writes the worklist with all of them")));
    }
    let app = super::batch(place, output);
    let mut asked = Vec::new();
    for plugin in command.model.plugins() {
        asked.push(ask(&app, &store, plugin, &records, command.again, command.workers).await?);
    }
    let (mut cards, shares) = cards(&store, &records, &asked).await?;
    if cards.iter().any(|card| card.opinions.iter().any(|opinion| opinion.refused.is_some())) {
        code = exit::SOME_REJECTED;
    }
    match &mut cards[..] {
        [card] => one(&store, command, &asked, card).await?,
        _ => many(&store, command, &asked, &mut cards).await?,
    }
    output.show(&Document::new(&cards, &shares, &report), |output| {
        if report.rejected > 0 || report.stored > 0 {
            import::draw(output, &report, false);
            output.line("");
        }
        match &cards[..] {
            [card] => output.line(&terminal::text(card)),
            cards => draw(output, cards, command.limit),
        }
    });
    Ok(code)
}

/// Imports what is not stored yet; the ids of all images.
async fn gather(
    place: &Place,
    store: &Store,
    output: Output,
    intake: &arguments::Intake,
) -> Result<(Report, Members), Failure> {
    let mut known = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    let knows_more = intake.labels.is_some() || intake.outlines.is_some() || intake.folder_labels;
    for path in &intake.paths {
        let is_looked_for =
            !knows_more && !intake.keep_identifiers && intake.paths.len() <= LOCATED_FILES_MAX;
        match is_looked_for {
            true => match locate::find(place, store, path).await? {
                Some(record) => known.extend(locate::frames(store, &record).await?),
                None => paths.push(path.clone()),
            },
            false => paths.push(path.clone()),
        }
    }
    let mut report = Report::default();
    if !paths.is_empty() {
        report = take(place, store, output, &arguments::Intake { paths, ..intake.clone() }).await?;
    }
    report.already_stored += known.len() as u64;
    let records = report.records.iter().chain(&known).copied().collect();
    Ok((report, records))
}

/// The cards of all records, without pictures, as a worklist has them. Of long lists masks are left out.
async fn cards(store: &Store, records: &Members, asked: &[Asked]) -> Result<(Vec<Card>, Shares), Failure> {
    let mut shares = Shares::new();
    let mut opinions: HashMap<i64, Vec<Opinion>> = HashMap::new();
    let mut findings: HashMap<i64, LabelValue> = HashMap::new();
    let with_masks = records.len() as usize <= CARDS_SHOWN_MAX;
    for Asked { runs, .. } in asked {
        read_in_pieces(store, runs, records, FINDING, |answers: &Answers| {
            for record in answers.answered.keys().chain(answers.unanswered.keys()) {
                if let Some(mut opinion) = answers.opinion(*record)? {
                    shares.extend(
                        worklist::shares(&opinion).map(|shares| ((*record, opinion.plugin.clone()), shares)),
                    );
                    opinion.mask = opinion.mask.filter(|_| with_masks);
                    opinions.entry(*record).or_default().push(opinion);
                }
            }
            let known = answers
                .answered
                .values()
                .filter_map(|answer| Some((answer.record_id, answer.label.clone()?)));
            findings.extend(known);
            Ok(())
        })
        .await?;
    }
    let stored =
        store.records_among(records).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let cards = stored.iter().map(|record| {
        let opinions = opinions.remove(&record.id).unwrap_or_default();
        Ok(Card { opinions, ..finding::labelled_card(record, findings.get(&record.id))? })
    });
    let mut cards = cards.collect::<Result<Vec<_>, Failure>>()?;
    cards.sort_by(order);
    Ok((cards, shares))
}

/// Draws one image, where that is wanted.
async fn one(
    store: &Store,
    command: &arguments::Predict,
    asked: &[Asked],
    card: &mut Card,
) -> Result<(), Failure> {
    if command.png.is_none() && command.html.is_none() {
        return Ok(());
    }
    illustrate(store, asked, card, |picture| picture).await?;
    if let Some(file) = &command.png {
        let drawn = png::draw(card).map_err(|error| Failure::new(&error))?;
        save(file, &drawn, command.force)?;
    }
    if let Some(file) = &command.html {
        let page = html::page(card).map_err(|error| Failure::new(&error))?;
        save(file, page.as_bytes(), command.force)?;
    }
    Ok(())
}

/// Writes the page of a worklist, where that is wanted. Only those that are shown large have heat maps.
async fn many(
    store: &Store,
    command: &arguments::Predict,
    asked: &[Asked],
    cards: &mut [Card],
) -> Result<(), Failure> {
    let Some(file) = &command.html else { return Ok(()) };
    let masks = masks(store, asked, &cards[..cards.len().min(CARDS_SHOWN_MAX)]).await?;
    for (place, card) in cards.iter_mut().enumerate() {
        if place < CARDS_SHOWN_MAX {
            illustrate(store, asked, card, |picture| small(&picture)).await?;
            for (opinion, mask) in card.opinions.iter_mut().zip(masks.get(&card.record).into_iter().flatten())
            {
                opinion.mask.clone_from(mask);
            }
        } else if let Some(record) = store.record(card.record).await.map_err(|error| Failure::new(&error))? {
            card.picture = finding::picture(store, &record).await?.ok().map(|picture| thumbnail(&picture));
        }
    }
    let title = format!("{} images, {}", cards.len(), command.model);
    let page = card::worklist::page(&title, cards).map_err(|error| Failure::new(&error))?;
    save(file, page.as_bytes(), command.force)
}

/// The masks of some cards, for each of their opinions.
async fn masks(
    store: &Store,
    asked: &[Asked],
    cards: &[Card],
) -> Result<HashMap<i64, Vec<Option<Mask>>>, Failure> {
    let records: Members = cards.iter().map(|card| card.record).collect();
    let mut masks: HashMap<i64, Vec<Option<Mask>>> = HashMap::new();
    for Asked { runs, .. } in asked {
        let answers = Answers::read(store, runs, &records, FINDING).await?;
        for record in records.iter() {
            if let Some(opinion) = answers.opinion(record)? {
                masks.entry(record).or_default().push(opinion.mask);
            }
        }
    }
    Ok(masks)
}

/// Adds the picture to a card, and where each plugin says that its score comes from.
async fn illustrate(
    store: &Store,
    asked: &[Asked],
    card: &mut Card,
    sized: impl Fn(Picture) -> Picture,
) -> Result<(), Failure> {
    let record = store.record(card.record).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let Some(record) = record else { return Ok(()) };
    let Ok(picture) = finding::picture(store, &record).await? else { return Ok(()) };
    let picture = sized(picture);
    for opinion in &mut card.opinions {
        let (Some(label), None) = (opinion.leading().map(|(label, _)| label.to_owned()), &opinion.refused)
        else {
            continue;
        };
        let by = asked.iter().find(|asked| asked.plugin.name() == opinion.plugin);
        let Some(plugin) = by.map(|asked| &asked.plugin).filter(|plugin| plugin.has_attention()) else {
            continue;
        };
        let fail = |error: foretell_jobs::ProbeError| Failure::new(&error).hint(error.hint());
        let probe = ImageProbe::load(store, plugin, card.record).await.map_err(fail)?;
        let map = probe.class(&label).and_then(|class| probe.attention(class)).map_err(fail)?;
        let map =
            probe.over_picture(&map, picture.width, picture.height).map_err(|error| Failure::new(&error))?;
        let (method, unit) = (METHOD.to_owned(), UNIT.to_owned());
        opinion.heats.push(Heat { method, label, map, unit, faithfulness: None });
    }
    card.picture = Some(picture);
    Ok(())
}
