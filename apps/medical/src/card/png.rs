//! A card as one picture, for a slide or a mail.

use std::borrow::Cow;

use foretell_media::draw::{
    DrawError, HeatMapOptions, Panel, class_colour, colour_bar, heat_map, outline, panels, to_png,
};
use foretell_media::{Picture, Samples};

use super::plot::HEAT_COLOURS;
use super::{Card, Heat, Mask, Opinion, within, words};
use crate::NOTICE;

/// Pixels of the longer side of the image. A heat map is read well at that size, and letters are as large as they should be.
pub const SIDE_PIXELS_MAX: u32 = 720;

/// The image as it is, with outlines and with each heat map beside its scale, what was found, and the notice, as a PNG.
///
/// # Errors
/// [`DrawError`]: the card has no picture, or one that cannot be drawn on.
pub fn draw(card: &Card) -> Result<Vec<u8>, DrawError> {
    let Some(picture) = &card.picture else { return Err(DrawError::Pixels { width: 0, height: 0 }) };
    let picture = within(picture, SIDE_PIXELS_MAX);
    let mut drawn: Vec<(Cow<'_, Picture>, String)> = vec![(Cow::Borrowed(&picture), "as it is".to_owned())];
    for opinion in &card.opinions {
        if let Some(mask) = &opinion.mask {
            drawn.push((Cow::Owned(outlined(&picture, mask)?), words::outlines(mask)));
        }
        for heat in &opinion.heats {
            let (overlay, full) = heated(&picture, heat)?;
            let bar = (full > 0.0).then(|| colour_bar(HEAT_COLOURS, full, picture.height)).transpose()?;
            let mut caption = format!("{}; orange speaks for it, blue against it", words::heat(heat));
            caption.extend(words::faint(heat).map(|faint| format!("; {faint}")));
            drawn.push((Cow::Owned(overlay), caption));
            drawn.extend(bar.map(|bar| (Cow::Owned(bar), String::new())));
        }
    }
    let films: Vec<Panel<'_>> = drawn.iter().map(|(picture, caption)| Panel { picture, caption }).collect();
    let said = card.opinions.iter().filter_map(said);
    let below: Vec<String> = said.chain([NOTICE.to_owned()]).collect();
    to_png(&written(&panels(&films)?, &card.title, &below)?)
}

/// A picture with a line above it and lines below it, all as far from the left as the picture.
fn written(picture: &Picture, above: &str, below: &[String]) -> Result<Picture, DrawError> {
    let framed = panels(&[Panel { picture, caption: "" }])?;
    let Picture { width, channels, .. } = framed;
    let row = width as usize * channels as usize;
    let margin = (width - picture.width) as usize / 2 * row;
    let framed = bytes(framed);
    // What a caption adds to the drawing is the line.
    let line = |text: &str| -> Result<Vec<u8>, DrawError> {
        let mut captioned = bytes(panels(&[Panel { picture, caption: text }])?);
        Ok(captioned.split_off(framed.len().min(captioned.len())))
    };
    let mut samples = vec![u8::MAX; margin];
    samples.append(&mut line(above)?);
    samples.extend(&framed);
    for text in below {
        samples.append(&mut line(text)?);
    }
    Ok(Picture { width, height: (samples.len() / row) as u32, channels, samples: Samples::U8(samples) })
}

/// The samples of a drawing, which are bytes.
fn bytes(drawing: Picture) -> Vec<u8> {
    match drawing.samples {
        Samples::U8(samples) => samples,
        Samples::U16(_) | Samples::F32(_) => unreachable!("a drawing has 8 bits"),
    }
}

/// What a plugin says, in a sentence or two.
fn said(opinion: &Opinion) -> Option<String> {
    let novelty = opinion
        .novelty
        .as_ref()
        .filter(|novelty| novelty.is_unfamiliar)
        .map(|novelty| format!("UNFAMILIAR: {}", words::novelty(novelty)));
    let mut parts: Vec<String> = novelty.into_iter().collect();
    parts.extend(words::decision(opinion));
    parts.extend(opinion.refused.as_ref().map(|reason| format!("no prediction: {reason}")));
    (!parts.is_empty()).then(|| format!("{}: {}", opinion.plugin, parts.join(". ")))
}

/// The picture with the border of each class of a mask.
fn outlined(picture: &Picture, mask: &Mask) -> Result<Picture, DrawError> {
    let mask = mask.resized(picture.height as usize, picture.width as usize);
    mask.foreground().try_fold(picture.clone(), |picture, (class, _)| {
        outline(&picture, &mask.classes, class, class_colour(usize::from(class) - 1))
    })
}

/// The picture with a heat map over it, and the value that has the strongest colour: 0 where the map is 0 everywhere.
pub(super) fn heated(picture: &Picture, heat: &Heat) -> Result<(Picture, f32), DrawError> {
    let (height, width) = (picture.height as usize, picture.width as usize);
    // A picture that can be drawn on is not larger than a map can be.
    let map = heat.map.resized(height, width).map_err(|_| DrawError::Pixels { width, height })?;
    let options = HeatMapOptions { colours: HEAT_COLOURS, ..HeatMapOptions::default() };
    Ok((heat_map(picture, map.values(), &options)?, options.full_scale(map.values())))
}
