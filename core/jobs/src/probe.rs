//! The image of one stored record, as a plugin sees it, to be changed and predicted again: what an explanation asks for.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, UInt8Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, UInt32Array};
use arrow_schema::ArrowError;
use arrow_select::take::take;
use foretell_insight::explanation::{self, ExplanationError, HeatMap, IMAGE_PIXELS_MAX};
use foretell_media::{Picture, Placement, Samples};
use foretell_runtime::attention::AttentionError;
use foretell_runtime::check::check;
use foretell_runtime::manifest::{Fitting, Image, Sample, Task};
use foretell_runtime::plugin::{Plugin, PredictError};
use foretell_store::history::lookup;
use foretell_store::open::Store;
use thiserror::Error;

use crate::batch::{Assembler, records_at_once};
use crate::columns::{history_specs, inputs};
use crate::isolate::{Answer, Lost, predict};
use crate::picture::{column_of, wanted};
use crate::score::ScoreError;

/// Why an image cannot be explained.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Only scores of classes can be explained.
    #[error(
        "plugin `{plugin}` does not say how sure it is of a class of an image, so there is no score to explain"
    )]
    Task {
        /// Name and version of the plugin.
        plugin: String,
    },
    /// The plugin does not see exactly one image, or sees other samples than bytes.
    #[error(
        "plugin `{plugin}` sees {images} images as 8-bit samples; only a plugin that sees exactly one so can be explained"
    )]
    Images {
        /// Name and version of the plugin.
        plugin: String,
        /// How many images of 8-bit samples it sees.
        images: usize,
    },
    /// The plugin has no such class.
    #[error("plugin `{plugin}` knows no class `{found}`; expected one of: {expected}")]
    Class {
        /// Name and version of the plugin.
        plugin: String,
        /// The class that was asked for.
        found: String,
        /// The classes that there are.
        expected: String,
    },
    /// The record does not fit the plugin's inputs, or the plugin refuses it.
    #[error("record {record} cannot be predicted: {}{reason}", field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default())]
    Refused {
        /// The record.
        record: i64,
        /// Input field at fault, where one is.
        field: Option<String>,
        /// What was expected, and what was found.
        reason: String,
    },
    /// The record could not be read.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A changed image could not be predicted.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The plugin does not say where its prediction comes from.
    #[error(transparent)]
    Attention(#[from] AttentionError),
    /// The settings of the explanation do not fit, or the scores are no numbers.
    #[error(transparent)]
    Explanation(#[from] ExplanationError),
    /// A changed image could not be put into a batch.
    #[error("a changed image does not fit the plugin's columns")]
    Columns(#[from] ArrowError),
}

impl ProbeError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Score(error) => error.hint(),
            _ => None,
        }
    }
}

/// The image of a stored record, as a plugin sees it.
///
/// The plugin is asked about changed copies of the image, and everything else of the record stays as it is.
///
/// **Invariant:** nothing is stored.
#[derive(Debug)]
pub struct ImageProbe<'p> {
    plugin: &'p Plugin,
    record: i64,
    /// One row, in the columns that the plugin asks for.
    columns: RecordBatch,
    /// Which column has the image.
    place: usize,
    form: Image,
    seen: Seen,
}

/// What the plugin sees.
#[derive(Debug)]
struct Seen {
    height: usize,
    width: usize,
    channels: usize,
    samples: Vec<u8>,
}

impl<'p> ImageProbe<'p> {
    /// Reads a record and decodes its image as the plugin wants it, with all of its past that is stored.
    ///
    /// # Errors
    /// A plugin that is no classification of one image of 8-bit samples, or a record that it cannot predict.
    pub async fn load(store: &Store, plugin: &'p Plugin, record: i64) -> Result<ImageProbe<'p>, ProbeError> {
        let manifest = plugin.manifest();
        let is_explained =
            matches!(manifest.plugin.task, Task::BinaryClassification | Task::MulticlassClassification);
        if !is_explained {
            return Err(ProbeError::Task { plugin: plugin.name() });
        }
        let images = manifest.inputs.iter().enumerate();
        let images: Vec<(usize, Image)> =
            images.filter_map(|(place, input)| Some((place, input.picture()?))).collect();
        let bytes = images.iter().filter(|(_, image)| image.sample == Sample::U8).count();
        let [(place, form)] = &images[..] else {
            return Err(ProbeError::Images { plugin: plugin.name(), images: bytes });
        };
        if bytes != 1 {
            return Err(ProbeError::Images { plugin: plugin.name(), images: bytes });
        }
        let specs = history_specs(manifest).map_err(ScoreError::from)?;
        let stored = lookup(store, &manifest.plugin.domain, &inputs(manifest), &specs, &[record], None)
            .await
            .map_err(ScoreError::from)?;
        let batch = Assembler::new(store, manifest, plugin.schema()).assemble(stored).await?;
        let refused = |field: Option<String>, reason: String| ProbeError::Refused { record, field, reason };
        if let Some(reject) = batch.rejects.into_iter().next() {
            return Err(refused(reject.field, reject.reason));
        }
        if let Some(refusal) = check(manifest, &batch.records).into_iter().next() {
            return Err(refused(Some(refusal.field), refusal.reason));
        }
        let seen = seen(batch.records.column(*place).as_struct()).ok_or_else(|| {
            refused(Some(manifest.inputs[*place].name.clone()), "there is no image".to_owned())
        })?;
        Ok(ImageProbe { plugin, record, columns: batch.records, place: *place, form: form.clone(), seen })
    }

    /// The image as the plugin sees it.
    ///
    /// # Errors
    /// An image that is larger than can be explained.
    pub fn image(&self) -> Result<explanation::Image<'_>, ExplanationError> {
        let Seen { height, width, channels, ref samples } = self.seen;
        explanation::Image::new(height, width, channels, samples)
    }

    /// How many changed copies are best asked about together; never more than the plugin takes.
    pub fn images_at_once(&self) -> usize {
        records_at_once(self.plugin.manifest())
    }

    /// What the plugin says of the image as it is.
    ///
    /// # Errors
    /// The plugin refuses the image, or was stopped.
    pub fn answer(&self) -> Result<crate::Predicted, ProbeError> {
        match predict(self.plugin, &self.columns, &[], &mut Lost::default())?.pop() {
            Some(Answer::Predicted(predicted)) => Ok(predicted),
            Some(Answer::Refused { field, reason }) => {
                Err(ProbeError::Refused { record: self.record, field, reason })
            }
            None => unreachable!("one answer for one record"),
        }
    }

    /// The place of a class among the plugin's labels.
    ///
    /// # Errors
    /// [`ProbeError::Class`]
    pub fn class(&self, label: &str) -> Result<usize, ProbeError> {
        let labels = &self.plugin.manifest().output.labels;
        labels.iter().position(|known| known == label).ok_or_else(|| ProbeError::Class {
            plugin: self.plugin.name(),
            found: label.to_owned(),
            expected: labels.join(", "),
        })
    }

    /// How sure the plugin is of a class, 0 to 1, for each of some changed copies of the image.
    ///
    /// # Errors
    /// Copies of another size than [`ImageProbe::image`], or a plugin that fails.
    pub fn scores(&self, copies: explanation::Batch<'_>, class: usize) -> Result<Vec<f32>, ProbeError> {
        let batch = self.batch(copies)?;
        let predictions = self.plugin.predict(&batch)?;
        let column = predictions.columns().column(0);
        let output = &self.plugin.manifest().output;
        Ok(match self.plugin.manifest().plugin.task {
            Task::MulticlassClassification => {
                let scores = column.as_fixed_size_list().values().as_primitive::<Float32Type>();
                let classes = output.labels.len();
                scores.values().chunks_exact(classes).map(|scores| scores[class]).collect()
            }
            _ => {
                let scores = column.as_primitive::<Float32Type>().values();
                let of_class = |score: &f32| if self.is_positive(class) { *score } else { 1.0 - *score };
                scores.iter().map(of_class).collect()
            }
        })
    }

    /// Where in the image the plugin itself says that the score of a class comes from, in as many places as its network
    /// has. What speaks for one of two classes speaks against the other.
    ///
    /// # Errors
    /// [`ProbeError::Attention`]: the plugin cannot say it.
    pub fn attention(&self, class: usize) -> Result<HeatMap, ProbeError> {
        let mut maps = self.plugin.attend(&self.columns)?;
        let maps = maps.pop().expect("maps for each record");
        let is_binary = self.plugin.manifest().plugin.task == Task::BinaryClassification;
        let mut values =
            maps.classes.into_iter().nth(if is_binary { 0 } else { class }).expect("a map for each class");
        if is_binary && !self.is_positive(class) {
            values.iter_mut().for_each(|value| *value = -*value);
        }
        Ok(HeatMap::new(maps.height, maps.width, values)?)
    }

    /// A map of what the plugin sees as one of the whole picture that this was made from, of `width` by `height` pixels.
    ///
    /// Where the picture was stretched it is the map itself. Where it was cropped or put between bars, it has as many places
    /// as the picture has pixels in what the plugin sees, and what the plugin did not see is 0.
    ///
    /// # Errors
    /// A picture beyond [`IMAGE_PIXELS_MAX`].
    pub fn over_picture(&self, map: &HeatMap, width: u32, height: u32) -> Result<HeatMap, ExplanationError> {
        if self.form.fit == Fitting::Stretch || self.form.size().is_none() {
            return Ok(map.clone());
        }
        let place = wanted(&self.form).placement(width, height);
        laid(&map.resized(self.seen.height, self.seen.width)?, &place)
    }

    fn is_positive(&self, class: usize) -> bool {
        let output = &self.plugin.manifest().output;
        output.positive.as_ref() == output.labels.get(class)
    }

    /// The record once for each copy, with the copy in the place of its image.
    fn batch(&self, copies: explanation::Batch<'_>) -> Result<RecordBatch, ProbeError> {
        let explanation::Batch { height, width, channels, .. } = copies;
        let pictures: Vec<Option<Picture>> = copies
            .iter()
            .map(|samples| {
                Some(Picture {
                    width: width as u32,
                    height: height as u32,
                    channels: channels as u32,
                    samples: Samples::U8(samples.to_vec()),
                })
            })
            .collect();
        let first = UInt32Array::from(vec![0; pictures.len()]);
        let columns = self.columns.columns().iter().enumerate().map(|(place, column)| {
            if place == self.place {
                return Ok(Arc::new(column_of(&self.form, &pictures)) as ArrayRef);
            }
            take(column.as_ref(), &first, None)
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
        Ok(RecordBatch::try_new(self.columns.schema(), columns)?)
    }
}

/// The part of a map that lies at a place, with 0 where the place is beyond the map.
fn laid(map: &HeatMap, place: &Placement) -> Result<HeatMap, ExplanationError> {
    let pixels = |length: f64| (length.round() as usize).max(1);
    let (height, width) = (pixels(place.height), pixels(place.width));
    if height.checked_mul(width).is_none_or(|pixels| pixels > IMAGE_PIXELS_MAX) {
        return Err(ExplanationError::Pixels { height, width });
    }
    // Which pixel of the map the middle of each pixel of the place is in.
    let along = |start: f64, length: f64, pixels: usize, most: usize| -> Vec<Option<usize>> {
        let within = |pixel: usize| {
            let middle = start + (pixel as f64 + 0.5) / pixels as f64 * length;
            (middle >= 0.0 && middle < most as f64).then_some(middle as usize)
        };
        (0..pixels).map(within).collect()
    };
    let columns = along(place.left, place.width, width, map.width());
    let rows = along(place.top, place.height, height, map.height());
    let values = rows.iter().flat_map(|row| {
        columns.iter().map(|column| row.zip(*column).map_or(0.0, |(row, column)| map.at(row, column)))
    });
    HeatMap::new(height, width, values.collect())
}

/// The image in the first row of a column, if there is one.
fn seen(column: &StructArray) -> Option<Seen> {
    if column.is_null(0) {
        return None;
    }
    let samples = column.column(0).as_list::<i32>().value(0);
    let shape = column.column(1).as_fixed_size_list().value(0);
    let &[height, width, channels] = &shape.as_primitive::<Int32Type>().values()[..] else { return None };
    let samples = samples.as_primitive::<UInt8Type>().values().to_vec();
    let side = |side: i32| usize::try_from(side).ok();
    Some(Seen { height: side(height)?, width: side(width)?, channels: side(channels)?, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32], width: usize) -> HeatMap {
        HeatMap::new(values.len() / width, width, values.to_vec()).unwrap()
    }

    #[test]
    fn bars_are_cut_off() {
        // A picture of two rows between a bar above and one below.
        let seen = map(&[9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 9.0, 9.0], 2);
        let place = Placement { left: 0.0, top: 1.0, width: 2.0, height: 2.0 };
        assert_eq!(laid(&seen, &place).unwrap(), map(&[1.0, 2.0, 3.0, 4.0], 2));
    }

    #[test]
    fn what_was_not_seen_is_nothing() {
        // The middle two of four columns were seen.
        let place = Placement { left: -1.0, top: 0.0, width: 4.0, height: 1.0 };
        assert_eq!(laid(&map(&[1.0, 2.0], 2), &place).unwrap(), map(&[0.0, 1.0, 2.0, 0.0], 4));
        // Far beyond the limit.
        let place = Placement { left: 0.0, top: 0.0, width: 1e9, height: 1e9 };
        assert!(laid(&map(&[1.0], 1), &place).is_err());
    }
}
