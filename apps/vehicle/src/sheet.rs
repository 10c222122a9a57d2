//! Contact sheets: many drawn frames, small, on one picture.

use std::path::Path;

use foretell_media::draw::{DrawError, Panel, panels, to_png};
use foretell_media::{Channels, Fit, MediaError, Picture, SampleType, Samples, View};
use foretell_terminal::{Failure, Output, save};

/// The most pictures of a sheet.
pub const SHEET_PICTURES_MAX: usize = 64;
/// Width of a picture on the sheet.
pub const SHEET_WIDTH_PIXELS: u32 = 480;
/// Pictures beside each other.
const COLUMNS: usize = 4;
/// The paper.
const WHITE: u8 = 255;

/// A sheet that grows.
#[derive(Debug, Default)]
pub struct Sheet {
    pictures: Vec<(Picture, String)>,
    left_out: usize,
}

impl Sheet {
    /// Adds a picture with what stands below it. When the sheet is full, it is counted and left out.
    ///
    /// # Errors
    /// A picture that can't be made small.
    pub fn add(&mut self, picture: &Picture, caption: String) -> Result<(), MediaError> {
        if self.pictures.len() == SHEET_PICTURES_MAX {
            self.left_out += 1;
            return Ok(());
        }
        let (width, height) = (u64::from(picture.width.max(1)), u64::from(picture.height));
        let low =
            (height * u64::from(SHEET_WIDTH_PIXELS) / width).clamp(1, u64::from(4 * SHEET_WIDTH_PIXELS));
        let size = Some((SHEET_WIDTH_PIXELS, low as u32));
        let view = View { channels: Channels::Rgb, size, fit: Fit::Stretch, ..View::new(SampleType::U8) };
        self.pictures.push((picture.view(&view)?, caption));
        Ok(())
    }

    /// Writes the sheet, if there is a picture on it, as PNG.
    ///
    /// # Errors
    /// There is a file that may not be replaced, or it can't be drawn or written.
    pub fn save(&self, path: &Path, force: bool) -> Result<(), Failure> {
        let Some(drawn) = self.draw().map_err(|error| Failure::new(&error))? else { return Ok(()) };
        save(path, &to_png(&drawn).map_err(|error| Failure::new(&error))?, force)
    }

    /// Says how many pictures found no room, if any.
    pub fn tell(&self, output: Output) {
        if self.left_out > 0 {
            let left_out = self.left_out;
            output.line(&format!("the sheet shows {SHEET_PICTURES_MAX} pictures; {left_out} found no room"));
        }
    }

    /// The sheet: rows of four. `None` without a picture.
    ///
    /// # Errors
    /// More pixels than can be drawn.
    pub fn draw(&self) -> Result<Option<Picture>, DrawError> {
        let rows = self.pictures.chunks(COLUMNS).map(|row| {
            let row: Vec<Panel<'_>> =
                row.iter().map(|(picture, caption)| Panel { picture, caption }).collect();
            panels(&row)
        });
        let rows = rows.collect::<Result<Vec<Picture>, DrawError>>()?;
        Ok((!rows.is_empty()).then(|| beneath(&rows)))
    }
}

/// Pictures of 8-bit red, green and blue beneath each other, on white.
fn beneath(rows: &[Picture]) -> Picture {
    let width = rows.iter().map(|row| row.width).max().unwrap_or(0);
    let mut samples = Vec::new();
    for row in rows {
        let Samples::U8(bytes) = &row.samples else { continue };
        for line in bytes.chunks_exact(row.width.max(1) as usize * 3) {
            samples.extend_from_slice(line);
            samples.resize(samples.len() + (width - row.width) as usize * 3, WHITE);
        }
    }
    let height = rows.iter().map(|row| row.height).sum();
    Picture { width, height, channels: 3, samples: Samples::U8(samples) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let samples = Samples::U8(vec![90; (width * height * 3) as usize]);
        Picture { width, height, channels: 3, samples }
    }

    #[test]
    fn a_sheet_has_rows_of_four() {
        let mut sheet = Sheet::default();
        assert_eq!(sheet.draw().unwrap(), None);
        for number in 0..5 {
            sheet.add(&picture(96, 54), format!("picture {number}")).unwrap();
        }
        let drawn = sheet.draw().unwrap().unwrap();
        assert!(
            drawn.width > 4 * SHEET_WIDTH_PIXELS && drawn.width < 5 * SHEET_WIDTH_PIXELS,
            "{}",
            drawn.width
        );
        assert!((2 * 270..3 * 270).contains(&drawn.height), "{}", drawn.height);
        assert_eq!(drawn.samples.len(), (drawn.width * drawn.height * 3) as usize);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let mut sheet = Sheet::default();
        for _ in 0..SHEET_PICTURES_MAX + 2 {
            sheet.add(&picture(96, 1), String::new()).unwrap();
        }
        assert_eq!((sheet.pictures.len(), sheet.left_out), (SHEET_PICTURES_MAX, 2));
    }

    #[test]
    fn a_tower_is_made_lower() {
        let mut sheet = Sheet::default();
        sheet.add(&picture(1, 100), String::new()).unwrap();
        assert_eq!(sheet.pictures[0].0.height, 4 * SHEET_WIDTH_PIXELS);
    }
}
