//! A plugin for tests that looks at images without a network: how bright they are, how much they vary, and where they are bright.
//!
//! What it answers to an image that begins with one of these samples is wrong in a way of its own:
//!
//! | first sample | what it does |
//! |---|---|
//! | 13 | panics |
//! | 17 | gives a map that is not as large as it says |
//! | 19 | gives a map with NaN in it |
//! | 23 | answers NaN as its novelty |

use foretell_sdk::{Attend, Error, Image, Images, Maps, Open, Picture, Plugin, Records, Scores, WithNovelty};

struct Gaze {
    image: Image<u8>,
}

/// The image of each record.
fn pictures<'i>(images: &'i Images<'_, u8>) -> impl Iterator<Item = Result<Picture<'i, u8>, Error>> {
    let missing = |row| Error::invalid(format!("there is no image in row {row}"));
    (0..images.len()).map(move |row| images.get(row).ok_or_else(|| missing(row)))
}

fn mean(samples: impl Iterator<Item = u8> + Clone) -> f32 {
    let count = samples.clone().count().max(1) as f32;
    samples.map(f32::from).sum::<f32>() / count
}

impl Plugin for Gaze {
    type Predictions = WithNovelty<Scores>;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self { image: request.image("image")? })
    }

    fn predict(&self, records: &Records<'_>, predictions: &mut WithNovelty<Scores>) -> Result<(), Error> {
        let (scores, novelty) = predictions.parts();
        for picture in pictures(&records.images(self.image)) {
            let samples = picture?.samples.iter().copied();
            let mean = mean(samples.clone());
            scores.push(mean / 255.0);
            let first = samples.clone().next();
            assert_ne!(first, Some(13), "an image begins with 13");
            let deviation = samples.map(|sample| (f32::from(sample) - mean).abs()).fold(0.0, f32::max);
            novelty.push(if first == Some(23) { f32::NAN } else { deviation });
        }
        Ok(())
    }
}

impl Attend for Gaze {
    /// The brightness of each row.
    fn attend(&self, records: &Records<'_>, maps: &mut Maps) -> Result<(), Error> {
        for picture in pictures(&records.images(self.image)) {
            let Picture { shape: [height, width, channels], samples } = picture?;
            let rows = samples.chunks_exact(width * channels).map(|row| mean(row.iter().copied()));
            let mut rows: Vec<f32> = rows.collect();
            match samples[0] {
                13 => panic!("an image begins with 13"),
                17 => rows.push(0.0),
                19 => rows[0] = f32::NAN,
                _ => (),
            }
            maps.push(height, 1, &rows);
        }
        Ok(())
    }
}

foretell_sdk::export!(Gaze, "gaze", "1.0.0", attention);
