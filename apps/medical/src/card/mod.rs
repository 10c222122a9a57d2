//! An image with what was found in it, for people: as [text](terminal), as a [picture](png), as a [page](html), and many
//! of them as a [worklist].
//!
//! A card is plain data. Whoever fills it knows the store and the plugins; whoever draws it knows neither.
//!
//! **Invariant:** the same card gives the same bytes.
//!
//! **Invariant:** each drawing carries [`NOTICE`](crate::NOTICE), and says aloud when an image is unlike those that a
//! plugin was trained on.

pub mod html;
mod markup;
mod mask;
mod opinion;
mod plot;
pub mod png;
pub mod terminal;
#[cfg(test)]
mod tests;
mod words;
pub mod worklist;

use foretell_insight::explanation::{Faithfulness, HeatMap};
use foretell_media::{Picture, SampleType, View};

pub use mask::{Mask, MaskError};
pub use words::novelty as novelty_sentence;

/// One image with everything that is to be shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Id of the record.
    pub record: i64,
    /// What the image is called: its file, or the (new) UID of its instance.
    pub title: String,
    /// What is known of it: name and value, such as `modality`, `MR`; labels are among them.
    pub facts: Vec<(String, String)>,
    /// The image as a person is shown it: 8 bits, grey or colour, of any size. None where nobody has decoded it.
    pub picture: Option<Picture>,
    /// What each plugin says, in the order in which they were asked.
    pub opinions: Vec<Opinion>,
}

/// What a plugin says of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opinion {
    /// `name@version` of the plugin.
    pub plugin: String,
    /// Slot and BLAKE3 hash, hexadecimal, of each of its models.
    pub models: Vec<(String, String)>,
    /// The run that its prediction stands under; none where it was not stored.
    pub run: Option<i64>,
    /// Classes with their scores from 0 to 1, in the order of the manifest; of a binary classification, the positive one
    /// alone. Empty for an outline.
    pub scores: Vec<(String, f64)>,
    /// What was decided on.
    pub decision: Option<String>,
    /// The score from which on it is decided for the positive class; of a binary classification alone.
    pub threshold: Option<f64>,
    /// How far the image is from those that the plugin was trained on.
    pub novelty: Option<Novelty>,
    /// The classes of all pixels; of a segmentation alone.
    pub mask: Option<Mask>,
    /// Where the score comes from, by each method that was asked for.
    pub heats: Vec<Heat>,
    /// Why there is no prediction.
    pub refused: Option<String>,
}

/// How far an image is from those that a plugin was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// The distance, in the plugin's own unit.
    pub distance: f64,
    /// From which distance on the prediction means nothing.
    pub limit: f64,
    /// Whether it is as far, or farther.
    pub is_unfamiliar: bool,
}

/// Where a score comes from, by one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// The method, such as `occlusion`.
    pub method: String,
    /// The class whose score it is.
    pub label: String,
    /// Over the whole image, in any resolution: above 0 what speaks for the class, below 0 what speaks against it.
    pub map: HeatMap,
    /// What its numbers are, such as `fall of the probability when it is hidden`.
    pub unit: String,
    /// Whether the score does fall when the hottest places are hidden, where somebody has tried.
    pub faithfulness: Option<Faithfulness>,
}

impl Opinion {
    /// The class that the score is about that an image is sorted by, with that score: of the positive class, else the
    /// greatest one.
    pub fn leading(&self) -> Option<(&str, f64)> {
        // The first of those that are equally great, as `decision` is.
        let greater = |best: &(String, f64), other: &(String, f64)| other.1 > best.1;
        let mut scores = self.scores.iter();
        let first = scores.next()?;
        let best = scores.fold(first, |best, other| if greater(best, other) { other } else { best });
        Some((best.0.as_str(), best.1))
    }

    /// Whether its answer means nothing, for the image is unlike all that it was trained on.
    pub fn is_unfamiliar(&self) -> bool {
        self.novelty.is_some_and(|novelty| novelty.is_unfamiliar)
    }
}

impl Card {
    /// What the image is sorted by: the score of the first plugin that gives one.
    pub fn leading(&self) -> Option<(&str, f64)> {
        self.opinions.iter().find_map(Opinion::leading)
    }

    /// Whether any plugin says that the image is unlike all that it was trained on.
    pub fn is_unfamiliar(&self) -> bool {
        self.opinions.iter().any(Opinion::is_unfamiliar)
    }
}

/// A picture that is not larger than `side` pixels on its longer side, with its own proportions; as it is where it is
/// smaller.
fn within(picture: &Picture, side: u32) -> Picture {
    let longer = picture.width.max(picture.height);
    let size = (longer > side).then(|| {
        let scaled = |length: u32| {
            let length = u64::from(length) * u64::from(side) / u64::from(longer.max(1));
            (length as u32).max(1)
        };
        (scaled(picture.width), scaled(picture.height))
    });
    let grey = View::new(SampleType::U8);
    let channels = if picture.channels == 1 { grey.channels } else { foretell_media::Channels::Rgb };
    let view = View { size, channels, filter: foretell_media::Filter::Bicubic, ..grey };
    // A picture that cannot be shown is left as it is, for the drawing to say why.
    picture.view(&view).unwrap_or_else(|_| picture.clone())
}
