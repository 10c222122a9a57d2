//! Images of records, from the store to a column that a plugin takes.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt8Type, UInt16Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, ListArray, PrimitiveArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use foretell_media as media;
use foretell_media::{Media, MediaError, Picture, Samples, View};
use foretell_runtime::manifest::{Channels, Filter, Fitting, IMAGE_DIMENSIONS, Image, Sample};
use foretell_store::blob::{BlobError, BlobErrorKind};
use foretell_store::open::Store;
use futures::{StreamExt, TryStreamExt};
use tokio::task::spawn_blocking;

use crate::clips::Clips;
use crate::films::Films;
use crate::score::ScoreError;

/// Images that are decoded at the same time: one for each core.
static DECODED_AT_ONCE: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// Width and height of an image, in pixels.
pub(crate) type Size = (u32, u32);

/// A picture as a plugin wants it, and the size that it had.
pub(crate) type Viewed = (Picture, Size);

/// A column of images, and the rows where there is none because of a fault.
pub(crate) struct Decoded {
    pub(crate) column: ArrayRef,
    /// Of each image as it is in its file; 0 by 0 where there is none.
    pub(crate) sizes: Vec<Size>,
    pub(crate) faults: Vec<(usize, String)>,
}

/// Decodes the images that a column of the store names, each as `HASH` of a blob or, for another frame than the first,
/// `HASH#FRAME`, counted from 1. A blob that is linked may be a video.
///
/// Pictures that are `at_hand`, row by row, are not read again. At most as many files as there are cores are in memory at once,
/// beside the finished images.
pub(crate) async fn decode(
    store: &Store,
    clips: &Clips,
    films: &Films,
    names: &dyn Array,
    at_hand: Vec<Option<Arc<Picture>>>,
    image: &Image,
) -> Result<Decoded, ScoreError> {
    let view = wanted(image);
    let names = names.as_string::<i32>().iter().map(|name| name.map(str::to_owned)).collect::<Vec<_>>();
    let waiting = names.iter().zip(&at_hand).map(|(name, shown)| name.clone().filter(|_| shown.is_none()));
    let mut frames = clips.frames(store, waiting.collect(), view).await?;
    let each = names.into_iter().zip(at_hand).enumerate().map(|(row, (name, at_hand))| {
        let (store, films, frame) = (store.clone(), films.clone(), frames.remove(&row));
        async move {
            match (name, at_hand, frame) {
                (_, _, Some(frame)) => Ok(frame.map(Some)),
                (_, Some(picture), None) => Ok(decoded(move || seen(&picture, &view)).await.map(Some)),
                (Some(name), None, None) => {
                    one(&store, &films, &name, view).await.map(|decoded| decoded.map(Some))
                }
                (None, None, None) => Ok(Ok(None)),
            }
        }
    });
    let decoded: Vec<Result<Option<Viewed>, String>> =
        futures::stream::iter(each).buffered(*DECODED_AT_ONCE).try_collect().await?;
    let mut faults = Vec::new();
    let decoded = decoded.into_iter().enumerate().map(|(row, decoded)| {
        decoded.unwrap_or_else(|reason| {
            faults.push((row, reason));
            None
        })
    });
    let (pictures, sizes): (Vec<_>, Vec<_>) = decoded.map(Option::unzip).unzip();
    let sizes = sizes.into_iter().map(Option::unwrap_or_default).collect();
    Ok(Decoded { column: Arc::new(column_of(image, &pictures)), sizes, faults })
}

/// Pictures, in the form that was asked for, as a column of [`Image::data_type`].
pub(crate) fn column_of(image: &Image, pictures: &[Option<Picture>]) -> StructArray {
    match image.sample {
        Sample::U8 => column::<UInt8Type>(image, pictures, |samples| match samples {
            Samples::U8(samples) => Some(samples),
            _ => None,
        }),
        Sample::U16 => column::<UInt16Type>(image, pictures, |samples| match samples {
            Samples::U16(samples) => Some(samples),
            _ => None,
        }),
        Sample::F32 => column::<Float32Type>(image, pictures, |samples| match samples {
            Samples::F32(samples) => Some(samples),
            _ => None,
        }),
    }
}

/// One image as the plugin wants it, with the size that it has in its file, or why there is none.
async fn one(
    store: &Store,
    films: &Films,
    name: &str,
    view: View,
) -> Result<Result<Viewed, String>, ScoreError> {
    let (hash, frame) = match parts(name) {
        Ok(parts) => parts,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Some(media) = films.get(hash) {
        return Ok(decoded(move || viewed(&media, frame, &view)).await);
    }
    let bytes = match store.read_blob(hash).await {
        Ok(bytes) => bytes,
        Err(error @ BlobError { kind: BlobErrorKind::Store(_), .. }) => return Err(error.into()),
        Err(error) => return Ok(Err(format!("{error}: {}", error.kind))),
    };
    let (films, hash) = (films.clone(), hash.to_owned());
    Ok(decoded(move || {
        let media = Media::open_owned(bytes)?;
        let viewed = viewed(&media, frame, &view);
        films.keep(&hash, media);
        viewed
    })
    .await)
}

fn viewed(media: &Media, frame: u32, view: &View) -> Result<Viewed, MediaError> {
    media.view(frame, view).map(|picture| (picture, media.size()))
}

/// The blob and the frame, counted from 1, that a name stands for.
pub(crate) fn parts(name: &str) -> Result<(&str, u32), String> {
    let (hash, frame) = name.split_once('#').unwrap_or((name, "1"));
    match frame.parse() {
        Ok(frame) => Ok((hash, frame)),
        Err(_) => {
            Err(format!("expected a blob's hash, and `#` with a frame's number, found frame `{frame}`"))
        }
    }
}

/// A picture that is at hand as the plugin wants it.
pub(crate) fn seen(picture: &Picture, view: &View) -> Result<Viewed, MediaError> {
    picture.view(view).map(|viewed| (viewed, (picture.width, picture.height)))
}

/// Decodes on a thread that may take its time.
async fn decoded(
    decode: impl FnOnce() -> Result<Viewed, MediaError> + Send + 'static,
) -> Result<Viewed, String> {
    let decoded = spawn_blocking(decode).await;
    let decoded = decoded.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    decoded.map_err(|error| error.to_string())
}

/// A plugin's wish in the words of the decoder.
pub(crate) fn wanted(image: &Image) -> View {
    View {
        channels: match image.channels {
            Channels::Grey => media::Channels::Grey,
            Channels::Rgb => media::Channels::Rgb,
        },
        sample: match image.sample {
            Sample::U8 => media::SampleType::U8,
            Sample::U16 => media::SampleType::U16,
            Sample::F32 => media::SampleType::F32,
        },
        size: image.size(),
        fit: match image.fit {
            Fitting::Stretch => media::Fit::Stretch,
            Fitting::Letterbox => media::Fit::Letterbox { pad: image.pad as f32 },
            Fitting::Corner => media::Fit::Corner { pad: image.pad as f32 },
            Fitting::Crop => media::Fit::Crop,
        },
        filter: match image.filter {
            Filter::Nearest => media::Filter::Nearest,
            Filter::Bilinear => media::Filter::Bilinear,
            Filter::Bicubic => media::Filter::Bicubic,
            Filter::Lanczos => media::Filter::Lanczos,
        },
    }
}

fn column<T: ArrowPrimitiveType>(
    image: &Image,
    pictures: &[Option<Picture>],
    samples_of: impl Fn(&Samples) -> Option<&Vec<T::Native>>,
) -> StructArray {
    let DataType::Struct(fields) = image.data_type() else { unreachable!("an image is a struct") };
    let length = |picture: &Option<Picture>| {
        picture.as_ref().map_or(0, |picture| samples_of(&picture.samples).map_or(0, Vec::len))
    };
    let offsets = OffsetBuffer::<i32>::from_lengths(pictures.iter().map(length));
    let mut samples = Vec::with_capacity(pictures.iter().map(length).sum());
    let mut shape =
        FixedSizeListBuilder::new(Int32Builder::new(), IMAGE_DIMENSIONS).with_field(item(&fields[1]));
    for picture in pictures {
        let sides =
            picture.as_ref().map_or([0; 3], |picture| [picture.height, picture.width, picture.channels]);
        shape.values().append_slice(&sides.map(u32::cast_signed));
        shape.append(true);
        if let Some(picture) = picture {
            samples.extend_from_slice(samples_of(&picture.samples).expect("the view asked for this type"));
        }
    }
    let samples = PrimitiveArray::<T>::new(samples.into(), None);
    let data = ListArray::new(item(&fields[0]), offsets, Arc::new(samples), None);
    let nulls = NullBuffer::from_iter(pictures.iter().map(Option::is_some));
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let columns: Vec<ArrayRef> = vec![Arc::new(data), Arc::new(shape.finish())];
    StructArray::new(Fields::clone(&fields), columns, nulls)
}

/// The field of a list's items.
fn item(list: &Field) -> Arc<Field> {
    match list.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => unreachable!("expected a list, found {other}"),
    }
}
