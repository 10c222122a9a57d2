//! Boxes, of detections and tracks, and where they are in the image that a record has.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{StringArray, StructArray};
use foretell_media::{Placement, View};
use foretell_runtime::manifest::{Manifest, Task};

use super::{Lists, Predicted, finite_at, number, separate, text};
use crate::picture::{Size, wanted};

/// How the images of a batch were resized for the plugin.
pub(super) struct Views<'a> {
    view: Option<View>,
    originals: &'a [Size],
}

impl<'a> Views<'a> {
    /// A detection tells of the manifest's first image. A tracking has seen boxes of the original alone.
    pub(super) fn new(manifest: &Manifest, originals: &'a [Size]) -> Self {
        let is_detection = manifest.plugin.task == Task::Detection;
        let form = manifest.inputs.iter().find_map(|input| input.picture()).filter(|_| is_detection);
        Self { view: form.as_ref().map(wanted), originals }
    }

    /// Where the image of a row lies in what the plugin was given.
    pub(super) fn of(&self, row: usize) -> Option<Window> {
        let &(width, height) = self.originals.get(row)?;
        let place = self.view.as_ref()?.placement(width, height);
        Some(Window { place, original: (f64::from(width), f64::from(height)) })
    }
}

/// Where an image lies in a resized one.
#[derive(Clone, Copy)]
pub(super) struct Window {
    place: Placement,
    original: (f64, f64),
}

impl Window {
    /// A box `x, y, width, height` in pixels of the original image, cut at its edges; None where nothing is left.
    fn original(&self, [x, y, width, height]: [f32; 4]) -> Option<[f32; 4]> {
        let along = |start: f32, length: f32, offset: f64, scaled: f64, whole: f64| {
            let back = |at: f64| ((at - offset) * whole / scaled).clamp(0.0, whole);
            let (first, last) = (back(f64::from(start)), back(f64::from(start) + f64::from(length)));
            (last > first).then_some((first as f32, (last - first) as f32))
        };
        let Placement { left, top, width: across, height: down } = self.place;
        let (x, width) = along(x, width, left, across, self.original.0)?;
        let (y, height) = along(y, height, top, down, self.original.1)?;
        Some([x, y, width, height])
    }
}

pub(super) struct Boxes<'a> {
    lists: Lists<'a>,
    sides: [(&'static str, &'a [f32]); 4],
    labels: &'a StringArray,
    scores: &'a [f32],
    /// Track and frame, of a tracking alone.
    tracks: Option<(&'a [i64], &'a [i32])>,
}

impl<'a> Boxes<'a> {
    pub(super) fn new(columns: &'a StructArray) -> Self {
        let lists = Lists::new(columns);
        let side = |name, field| (name, lists.numbers(field).values().as_ref());
        let sides = [side("x", 0), side("y", 1), side("width", 2), side("height", 3)];
        let (labels, scores) = (lists.texts(4), lists.numbers(5).values());
        let tracks = lists.items.columns().get(6..8).map(|columns| {
            let tracks = columns[0].as_primitive::<Int64Type>().values().as_ref();
            (tracks, columns[1].as_primitive::<Int32Type>().values().as_ref())
        });
        Self { sides, labels, scores, tracks, lists }
    }

    /// `window` is where the original image lies in the one that the plugin was given. What lies outside of it is no answer.
    pub(super) fn row(&self, row: usize, window: Option<Window>) -> Result<Predicted, String> {
        let mut json = String::from("[");
        let mut surest: Option<usize> = None;
        let mut told = 0;
        for (place, found) in self.lists.range(row).enumerate() {
            let mut sides = [0.0; 4];
            for (side, (name, column)) in sides.iter_mut().zip(&self.sides) {
                *side = finite_at(column[found], name, place)?;
            }
            let score = finite_at(self.scores[found], "score", place)?;
            if let Some(window) = window {
                let Some(inside) = window.original(sides) else { continue };
                sides = inside;
            }
            if surest.is_none_or(|surest| self.scores[found] > self.scores[surest]) {
                surest = Some(found);
            }
            separate(&mut json, told);
            told += 1;
            json.push('{');
            for (side, (name, _)) in sides.into_iter().zip(&self.sides) {
                let _ = write!(json, "\"{name}\":");
                number(&mut json, side);
                json.push(',');
            }
            json.push_str("\"label\":");
            text(&mut json, self.labels.value(found));
            json.push_str(",\"score\":");
            number(&mut json, score);
            if let Some((tracks, frames)) = self.tracks {
                let _ = write!(json, ",\"track\":{},\"frame\":{}", tracks[found], frames[found]);
            }
            json.push('}');
        }
        json.push(']');
        Ok(Predicted {
            score: surest.map(|surest| f64::from(self.scores[surest])),
            label: surest.map(|surest| self.labels.value(surest).to_owned()),
            output: Some(json),
        })
    }
}
