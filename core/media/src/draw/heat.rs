//! Heat maps over pictures.

use super::canvas::{Canvas, stroke};
use super::colour::{BLACK, ColourMap, WHITE, blended};
use super::{DrawError, font};
use crate::Picture;

/// How to draw a heat map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeatMapOptions {
    /// The scale of colours. With [`ColourMap::Sequential`] only values above 0 are drawn.
    pub colours: ColourMap,
    /// The opacity of the strongest colour, 0 to 1. That of a weaker one is in proportion, and 0 is not seen.
    pub opacity: f32,
    /// The value that has the strongest colour, above 0; what is greater has it too. None: the greatest size of a value
    /// of the map at hand. Maps that are to be compared need the same.
    pub full: Option<f32>,
}

impl Default for HeatMapOptions {
    /// Amounts without sign, at most 60 % opaque, the strongest colour for the greatest value.
    fn default() -> HeatMapOptions {
        HeatMapOptions { colours: ColourMap::default(), opacity: 0.6, full: None }
    }
}

impl HeatMapOptions {
    /// The value that has the strongest colour in a map of `values`: what a colour bar must say. It is 0 when nothing
    /// of the map is to be drawn.
    pub fn full_scale(&self, values: &[f32]) -> f32 {
        let size = |value: f32| match self.colours {
            ColourMap::Sequential => value,
            ColourMap::Diverging => value.abs(),
        };
        let finite = values.iter().copied().filter(|value| value.is_finite());
        self.full.unwrap_or_else(|| finite.map(size).fold(0.0, f32::max))
    }
}

/// A picture with a heat map over it, `values` having one for each pixel, row by row. The stronger a value, the more
/// opaque its colour, so that the picture stays visible where the map says nothing.
///
/// A value that is NaN or infinite is none, and nothing is drawn there.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on, more or fewer values than pixels, an option outside its range.
pub fn heat_map(picture: &Picture, values: &[f32], options: &HeatMapOptions) -> Result<Picture, DrawError> {
    if !(0.0..=1.0).contains(&options.opacity) {
        return Err(DrawError::Setting { what: "an opacity from 0 to 1", found: options.opacity });
    }
    let mut canvas = Canvas::of(picture)?;
    let pixels = canvas.width() * canvas.height();
    if values.len() != pixels {
        return Err(DrawError::Count {
            what: "values of the heat map",
            expected: pixels,
            found: values.len(),
        });
    }
    let full = options.full_scale(values);
    if options.full.is_some() {
        check_full(full)?;
    }
    for (pixel, &value) in canvas.pixels_mut().zip(values) {
        // Beyond `full` is full. With `full` 0 no value is above 0.
        let share = (value / full).clamp(-1.0, 1.0);
        let (strength, place) = match options.colours {
            ColourMap::Sequential => (share, share),
            ColourMap::Diverging => (share.abs(), 0.5 + 0.5 * share),
        };
        if value.is_finite() && strength > 0.0 {
            *pixel = blended(*pixel, options.colours.colour(place), strength * options.opacity);
        }
    }
    Ok(canvas.into_picture())
}

fn check_full(full: f32) -> Result<(), DrawError> {
    if full.is_finite() && full > 0.0 {
        Ok(())
    } else {
        Err(DrawError::Setting { what: "a finite value above 0 for the strongest colour", found: full })
    }
}

/// The scale of a heat map with numbers beside it, to stand next to the map: from 0, or from `-full`, at the bottom up
/// to `full`, see [`HeatMapOptions::full_scale`]. Black on white.
///
/// `height` is that of the whole picture in pixels; its width follows from it.
///
/// # Errors
/// [`DrawError`]: a height of 0 or beyond the limits, or a `full` that is not a finite number above 0.
pub fn colour_bar(colours: ColourMap, full: f32, height: u32) -> Result<Picture, DrawError> {
    const TICKS: usize = 4;
    const NUMBER_CHARACTERS: usize = 7;
    check_full(full)?;
    let height = height as usize;
    let scale = stroke(height, height);
    let (strip, tick) = (12 * scale, 3 * scale);
    let numbers = strip + 2 * tick;
    let width = numbers + font::text_width(&"0".repeat(NUMBER_CHARACTERS), scale);
    let mut canvas = Canvas::new(width, height, WHITE)?;
    // Half a letter is left free above and below, for the numbers of both ends.
    let margin = (font::ROWS * scale / 2).min((height - 1) / 2);
    let steps = height - 2 * margin;
    let share = |row: usize| 1.0 - (row as f32 + 0.5) / steps as f32;
    for row in 0..steps {
        let rows = margin + row..margin + row + 1;
        canvas.fill(0..strip, rows, colours.colour(share(row)));
    }
    for number in 0..=TICKS {
        let share = number as f32 / TICKS as f32;
        let value = match colours {
            ColourMap::Sequential => share * full,
            ColourMap::Diverging => (2.0 * share - 1.0) * full,
        };
        let row = margin + ((1.0 - share) * (steps - 1) as f32).round() as usize;
        let top = row.saturating_sub(scale / 2);
        canvas.fill(strip..strip + tick, top..top + scale, BLACK);
        let top = row.saturating_sub(font::ROWS * scale / 2);
        font::write(&mut canvas, numbers, top, scale, BLACK, &short(value));
    }
    Ok(canvas.into_picture())
}

/// A number with three digits that count, in at most seven characters but for the exponent of very small or great ones.
fn short(value: f32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // What the number is after rounding: 999.9 has the exponent 3.
    let rounded = format!("{value:.2e}");
    let exponent: i32 = rounded.rsplit('e').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if !(-3..4).contains(&exponent) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.0$}", (2 - exponent).max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (-0.0625, "-0.0625"),
            (1.0, "1"),
            (12.345, "12.3"),
            (-9876.5, "-9876"),
            (999.9, "1000"),
            (0.09999, "0.1"),
            (2.0e-7, "2e-7"),
            (-3.4e38, "-3e38"),
            (100.0, "100"),
            (0.001, "0.001"),
        ] {
            let found = short(value);
            assert_eq!(found, expected);
            assert!(found.len() <= 7, "{found}");
        }
    }
}
