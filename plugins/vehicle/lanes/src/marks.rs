//! Places of an image that look like a piece of a painted line, row by row.
//!
//! A painted line is brighter than the road on both sides of it, or more yellow, and about as wide as paint is at that
//! distance. The edge of a shadow, of concrete or of a car is brighter on one side alone, so the lesser of the two differences
//! counts.

/// Channels of a pixel.
const CHANNELS: usize = 3;

/// Places of a row at most; the ones that stand out most are kept.
pub const MARKS_OF_ROW_MAX: usize = 12;

/// Marks of an image at most.
pub const MARKS_MAX: usize = 256;

/// How many rows are left out after one in which a line is a pixel wide.
const ROWS_OF_WIDTH: f64 = 0.28;

/// The narrowest line that is looked for, in pixels.
const WIDTH_PIXELS_MIN: f64 = 2.0;

/// A place that looks like a piece of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// The middle of the line, in pixels of the image.
    pub x: f64,
    /// The row.
    pub y: f64,
    /// How much it stands out, in levels of 0 to 255.
    pub contrast: f64,
}

/// Red, green and blue of an image, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Rgb<'a> {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` samples.
    pub samples: &'a [u8],
}

/// Marks of an image, from the top; of too many the [`MARKS_MAX`] that stand out most, in no order.
///
/// `width_of_row` says how many pixels wide a line is expected in a row, `None` where no road is. Where lines are wide, rows
/// say nearly the same as their neighbours, and some are left out.
pub fn find(image: Rgb<'_>, contrast_levels: f64, width_of_row: impl Fn(usize) -> Option<f64>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut row = Row::new(image.width);
    let mut y = 0;
    while y < image.height {
        let wide = width_of_row(y);
        if let Some(wide) = wide {
            let samples = &image.samples[y * image.width * CHANNELS..][..image.width * CHANNELS];
            row.find(samples, wide.max(WIDTH_PIXELS_MIN), contrast_levels, |x, contrast| {
                marks.push(Mark { x, y: y as f64, contrast });
            });
        }
        y += 1 + (wide.unwrap_or(0.0) * ROWS_OF_WIDTH) as usize;
    }
    if marks.len() > MARKS_MAX {
        marks.select_nth_unstable_by(MARKS_MAX, |left, right| right.contrast.total_cmp(&left.contrast));
        marks.truncate(MARKS_MAX);
    }
    marks
}

/// Sums of a row, and what is found in it: memory that is kept from row to row.
struct Row {
    /// Sums of brightness and of yellowness up to each pixel.
    sums: [Vec<i32>; 2],
    contrast: Vec<i32>,
    found: Vec<(f64, f64)>,
}

impl Row {
    fn new(width: usize) -> Self {
        Self {
            sums: [vec![0; width + 1], vec![0; width + 1]],
            contrast: vec![0; width],
            found: Vec::with_capacity(width),
        }
    }

    fn find(&mut self, samples: &[u8], wide: f64, least: f64, mut mark: impl FnMut(f64, f64)) {
        let [bright, yellow] = &mut self.sums;
        for (place, pixel) in samples.as_chunks::<CHANNELS>().0.iter().enumerate() {
            let [red, green, blue] = pixel.map(i32::from);
            let warm = red.min(green);
            // White paint is bright in all channels; yellow paint lacks blue, and concrete does not.
            bright[place + 1] = bright[place] + warm.min(blue);
            yellow[place + 1] = yellow[place] + (warm - blue).max(0);
        }
        // Three boxes of `wide` pixels beside each other, the outer ones half a box apart from the middle one: what is of the
        // expected width fills the middle box, and paint twice as wide still does not reach into both of the outer ones.
        let wide = wide.round() as usize;
        let (half, gap) = (wide / 2, wide.div_ceil(2));
        let margin = half + gap + wide;
        let width = self.contrast.len();
        if width <= 2 * margin {
            return;
        }
        self.contrast.fill(0);
        for x in margin..width - margin {
            let (start, end) = (x - half, x - half + wide);
            for sums in &self.sums {
                let sum = |from: usize| sums[from + wide] - sums[from];
                let middle = sum(start);
                let beside = sum(start - gap - wide).max(sum(end + gap));
                self.contrast[x] = self.contrast[x].max(middle - beside);
            }
        }
        self.peaks(wide, least, half as f64 - (wide as f64 - 1.0) / 2.0);
        self.found.truncate(MARKS_OF_ROW_MAX);
        for &(x, contrast) in &self.found {
            mark(x, contrast);
        }
    }

    /// Places whose contrast is the greatest within a line's width, the greatest first. `shift` is how far the middle of the box
    /// is left of the pixel that it is noted at.
    fn peaks(&mut self, wide: usize, least: f64, shift: f64) {
        self.found.clear();
        let least = (least * wide as f64) as i32;
        for (x, &contrast) in self.contrast.iter().enumerate() {
            if contrast < least.max(1) {
                continue;
            }
            let around = &self.contrast[x.saturating_sub(wide)..(x + wide + 1).min(self.contrast.len())];
            let is_first = self.contrast[x.saturating_sub(wide)..x].iter().all(|&other| other < contrast);
            if is_first && around.iter().all(|&other| other <= contrast) {
                // The middle of the plateau around the peak, to a part of a pixel.
                let floor = contrast - contrast / 4;
                let (mut weight, mut moment) = (0.0, 0.0);
                let from = x.saturating_sub(wide);
                for (place, &other) in around.iter().enumerate() {
                    let above = f64::from((other - floor).max(0));
                    weight += above;
                    moment += above * (from + place) as f64;
                }
                self.found.push((moment / weight - shift, f64::from(contrast) / wide as f64));
            }
        }
        self.found.sort_by(|left, right| right.1.total_cmp(&left.1));
    }
}
