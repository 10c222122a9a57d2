//! Results drawn on frames.

use foretell_media::Picture;
use foretell_media::draw::{DrawError, LabelledBox, Path, boxes, paths};

use crate::counting::{Counter, Line, Point, Zone};
use crate::found::{Found, Tracked};

/// Colour of signs that were read.
const SIGN_CLASS: usize = 3;
/// Colour of warnings.
const WARNING_CLASS: usize = 5;
/// Colour of what stands at the lower edge.
const NOTICE_CLASS: usize = 6;
/// Letters of a line that fit on a picture that is a third wider than high.
const BANNER_LETTERS_MAX: usize = 50;
/// Height of a line of words, as a share of the picture's height.
const LINE_SHARE: f32 = 0.05;
/// The same in pixels, at least.
const LINE_PIXELS_MIN: f32 = 12.0;

/// A frame with a box around everything that was found.
///
/// # Errors
/// More boxes than can be drawn.
pub fn detections(picture: &Picture, found: &[Found], labels: &[String]) -> Result<Picture, DrawError> {
    let drawn: Vec<LabelledBox> = found
        .iter()
        .map(|found| {
            let class = labels.iter().position(|label| *label == found.label).unwrap_or(labels.len());
            around(picture, found, format!("{} {:.2}", found.label, found.score), class)
        })
        .collect();
    boxes(picture, &drawn)
}

/// A frame with a box around everything that is followed, in a colour of its own.
///
/// # Errors
/// More boxes than can be drawn.
pub fn tracks(picture: &Picture, tracked: &[Tracked]) -> Result<Picture, DrawError> {
    named_tracks(picture, tracked, |tracked| tracked.found.label.clone())
}

/// As [`tracks`], with names that are better than the labels: those of traffic signs that were read.
///
/// # Errors
/// More boxes than can be drawn.
pub fn named_tracks(
    picture: &Picture,
    tracked: &[Tracked],
    name: impl Fn(&Tracked) -> String,
) -> Result<Picture, DrawError> {
    let drawn: Vec<LabelledBox> = tracked
        .iter()
        .map(|tracked| {
            let caption = format!("{} {}", name(tracked), tracked.track);
            around(picture, &tracked.found, caption, usize::try_from(tracked.track).unwrap_or(0))
        })
        .collect();
    boxes(picture, &drawn)
}

/// A frame with boxes around traffic signs, and what each is.
///
/// # Errors
/// More boxes than can be drawn.
pub fn signs(picture: &Picture, signs: &[(Found, String)]) -> Result<Picture, DrawError> {
    let drawn: Vec<LabelledBox> =
        signs.iter().map(|(found, words)| around(picture, found, words.clone(), SIGN_CLASS)).collect();
    boxes(picture, &drawn)
}

/// A frame with lines of words at its upper edge, each on a ground of its own, and one at its lower edge. Words that are too long for a
/// line go on in the next one.
///
/// # Errors
/// A picture that cannot be drawn on.
pub fn banner(picture: &Picture, words: &[String], below: &str) -> Result<Picture, DrawError> {
    // So high is a line on a picture of at least 240 pixels; on a smaller one its letters stay as they are.
    let step = LINE_SHARE.max(LINE_PIXELS_MIN / picture.height.max(1) as f32);
    let line =
        |top: f32, class, label: String| Path { points: vec![(0.0, top)], is_closed: false, class, label };
    let lines = words.iter().flat_map(|words| wrapped(words, BANNER_LETTERS_MAX));
    let mut drawn: Vec<Path> =
        lines.enumerate().map(|(place, words)| line(place as f32 * step, WARNING_CLASS, words)).collect();
    drawn.push(line(1.0 - step, NOTICE_CLASS, below.to_owned()));
    paths(picture, &drawn)
}

/// Words in lines of at most so many letters, broken at spaces.
fn wrapped(words: &str, letters_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A frame with lines and zones, and what was counted at them so far.
///
/// # Errors
/// More corners than can be drawn, or corners far outside of the frame.
pub fn counted(
    picture: &Picture,
    lines: &[Line],
    zones: &[Zone],
    counter: &Counter,
) -> Result<Picture, DrawError> {
    let size = (picture.width, picture.height);
    let share = |points: &[Point]| -> Vec<(f32, f32)> {
        let (across, down) = (f64::from(size.0.max(1)), f64::from(size.1.max(1)));
        points.iter().map(|point| ((point.x / across) as f32, (point.y / down) as f32)).collect()
    };
    let zones = zones.iter().zip(counter.zones()).map(|(zone, counts)| {
        let so_far: u64 = counts.entered.values().sum();
        let label = format!("{}: {} in it, {so_far} so far", zone.name, counts.now);
        (share(&zone.within(size).corners), true, label)
    });
    let lines = lines.iter().zip(counter.lines()).map(|(line, counts)| {
        let (line, all) = (line.within(size), counts.all());
        let label =
            format!("{}: {} to the right, {} to the left", line.name, all.left_to_right, all.right_to_left);
        (share(&[line.from, line.to]), false, label)
    });
    let drawn: Vec<Path> = zones
        .chain(lines)
        .enumerate()
        .map(|(class, (points, is_closed, label))| Path { points, is_closed, class, label })
        .collect();
    paths(picture, &drawn)
}

fn around(picture: &Picture, found: &Found, label: String, class: usize) -> LabelledBox {
    let (across, down) = (picture.width.max(1) as f32, picture.height.max(1) as f32);
    LabelledBox {
        left: found.x / across,
        top: found.y / down,
        right: (found.x + found.width) / across,
        bottom: (found.y + found.height) / down,
        class,
        label,
    }
}

#[cfg(test)]
mod tests {
    use foretell_media::Samples;

    use super::*;

    #[test]
    fn long_words_go_on_in_the_next_line() {
        assert_eq!(wrapped("car 7 is 12.5 m ahead", 10), ["car 7 is", "12.5 m", "ahead"]);
        assert_eq!(wrapped("immeasurably", 5), ["immeasurably"]);
        assert!(wrapped(" ", 5).is_empty());
    }

    #[test]
    fn a_banner_leaves_the_middle_of_the_frame_alone() {
        let (width, height) = (320, 240);
        let samples = Samples::U8(vec![0; (width * height * 3) as usize]);
        let picture = Picture { width, height, channels: 3, samples };
        let drawn =
            banner(&picture, &["a collision".to_owned(), "a gap".to_owned()], "no safety system").unwrap();
        let Samples::U8(samples) = &drawn.samples else { panic!("bytes") };
        let lit: Vec<usize> = samples
            .chunks_exact(width as usize * 3)
            .enumerate()
            .filter(|(_, row)| row.iter().any(|sample| *sample > 0))
            .map(|(row, _)| row)
            .collect();
        assert!(lit.contains(&1) && lit.contains(&13) && lit.contains(&230), "{lit:?}");
        assert!(lit.iter().all(|row| *row < 40 || *row > 200), "{lit:?}");
    }
}
