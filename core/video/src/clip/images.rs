//! Image files as a clip.

use super::{Clip, ClipInfo, Decoder, FRAMES_MAX, Frame, Kind, check_size, decoded};
use crate::error::{VideoErrorKind, file_name};
use crate::rate::FrameRate;
use foretell_media::{Media, Picture};
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

/// The endings of files that are taken for images, in any case.
pub(super) const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"];

/// Image files, one for each frame.
#[derive(Debug)]
struct Images {
    paths: Vec<PathBuf>,
    size: (u32, u32),
    rate: FrameRate,
    index: u64,
}

pub(super) fn open(path: &Path, paths: Vec<PathBuf>) -> Result<Clip, VideoErrorKind> {
    let first = paths.first().ok_or(VideoErrorKind::NoFrames)?;
    let frames = paths.len() as u64;
    VideoErrorKind::limit("a clip of frames:", frames, FRAMES_MAX, "cut it into several")?;
    let media =
        Media::open_owned(read(first)?).map_err(|error| VideoErrorKind::picture(0, Some(first), &error))?;
    let (width, height) = media.size();
    check_size(width, height)?;
    let rate = FrameRate::OF_IMAGES;
    let seconds = Some(rate.seconds(frames));
    let info =
        ClipInfo { kind: Kind::Images, width, height, frame_rate: rate, frames: Some(frames), seconds };
    Ok(Clip::ready(path, info, Images { paths, size: (width, height), rate, index: 0 }))
}

/// Whether a file is an image by its ending.
pub(super) fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// The images of a directory, in the order of the numbers in their names.
pub(super) fn of_directory(directory: &Path) -> Result<Vec<PathBuf>, VideoErrorKind> {
    chosen(directory, |_| true)
}

/// The images that a pattern stands for. `None` if it is none.
pub(super) fn of_pattern(path: &Path) -> Result<Option<Vec<PathBuf>>, VideoErrorKind> {
    let Some(pattern) = path.file_name().and_then(|name| name.to_str()).and_then(tokens) else {
        return Ok(None);
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    chosen(directory, |name| matches(&pattern, name)).map(Some)
}

fn chosen(directory: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, VideoErrorKind> {
    let mut chosen = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Systems leave hidden files beside images, under the same endings.
        if is_image(&entry.path()) && !name.starts_with('.') && wanted(&name) {
            chosen.push((name.into_owned(), entry.path()));
            VideoErrorKind::limit("images:", chosen.len() as u64, FRAMES_MAX, "cut the clip into several")?;
        }
    }
    chosen.sort_by(|(a, _), (b, _)| natural(a, b));
    Ok(chosen.into_iter().map(|(_, path)| path).collect())
}

fn read(path: &Path) -> Result<Vec<u8>, VideoErrorKind> {
    let bytes = fs::metadata(path)?.len();
    let hint = "is it one image?";
    VideoErrorKind::limit("an image of bytes:", bytes, foretell_media::ENCODED_BYTES_MAX, hint)?;
    Ok(fs::read(path)?)
}

impl Decoder for Images {
    fn next(&mut self, from: u64, _decoded: &AtomicU64) -> Result<Option<Frame>, VideoErrorKind> {
        self.index = self.index.max(from);
        let Some(path) = usize::try_from(self.index).ok().and_then(|index| self.paths.get(index)) else {
            return Ok(None);
        };
        let index = self.index;
        let picture = decoded(read(path)?);
        let picture = picture.map_err(|error| VideoErrorKind::picture(index, Some(path), &error))?;
        check_same(index, Some(path), self.size, &picture)?;
        self.index += 1;
        Ok(Some(Frame { index, time: self.rate.seconds(index), picture }))
    }

    fn set_frame_rate(&mut self, rate: FrameRate) {
        self.rate = rate;
    }
}

/// Fails if the frame has another size than the clip.
pub(super) fn check_same(
    index: u64,
    path: Option<&Path>,
    expected: (u32, u32),
    picture: &Picture,
) -> Result<(), VideoErrorKind> {
    let found = (picture.width, picture.height);
    if found == expected {
        return Ok(());
    }
    Err(VideoErrorKind::SizeChanged { index, name: file_name(path), expected, found })
}

/// Compares names as people do: runs of digits by their value, everything else by its characters.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (first, second) = (digits(left), digits(right));
        let order = if first > 0 && second > 0 {
            let (x, y) = (left[..first].trim_start_matches('0'), right[..second].trim_start_matches('0'));
            (left, right) = (&left[first..], &right[second..]);
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            let (x, y) = (left.chars().next(), right.chars().next());
            if x.is_none() && y.is_none() {
                // `1.jpg` and `01.jpg`
                return a.cmp(b);
            }
            left = &left[x.map_or(0, char::len_utf8)..];
            right = &right[y.map_or(0, char::len_utf8)..];
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// How many digits the text begins with.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// What a pattern consists of.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Anything,
    /// So many digits at least.
    Number(usize),
}

/// Takes a pattern apart. `None` if nothing in it stands for something else.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        let (token, length) = match char {
            '*' => (Some(Token::Anything), 1),
            '%' => number(&rest[1..]).map_or((None, 1), |(token, length)| (Some(token), 1 + length)),
            _ => (None, char.len_utf8()),
        };
        match token {
            Some(token) => {
                tokens.push(Token::Text(std::mem::take(&mut text)));
                tokens.push(token);
            }
            None => text.push(char),
        }
        rest = &rest[length..];
    }
    tokens.push(Token::Text(text));
    (tokens.len() > 1).then_some(tokens)
}

/// `d`, `6d`, `06d` behind a `%`, and its length.
fn number(rest: &str) -> Option<(Token, usize)> {
    let length = digits(rest);
    let width = if length == 0 { 1 } else { rest[..length].parse().ok()? };
    rest[length..].starts_with('d').then_some((Token::Number(width), length + 1))
}

fn matches(tokens: &[Token], name: &str) -> bool {
    match tokens.split_first() {
        None => name.is_empty(),
        Some((Token::Text(text), tokens)) => {
            name.strip_prefix(text.as_str()).is_some_and(|name| matches(tokens, name))
        }
        Some((Token::Number(width), tokens)) => {
            let length = digits(name);
            length >= *width && matches(tokens, &name[length..])
        }
        Some((Token::Anything, tokens)) => {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| matches(tokens, &name[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_numbers() {
        let sorted = ["", "1.jpg", "2.jpg", "02.png", "10.jpg", "a1b2", "a1b10", "a02b1", "a10", "b", "ä"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(natural(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn patterns_stand_for_names() {
        let cases = [
            ("frame-%06d.jpg", "frame-000012.jpg", true),
            ("frame-%06d.jpg", "frame-12.jpg", false),
            ("frame-%d.jpg", "frame-12.jpg", true),
            ("frame-%d.jpg", "frame-.jpg", false),
            ("frame-%d.jpg", "frame-12.png", false),
            ("*.jpg", "ä.jpg", true),
            ("a*b*.jpg", "axbxb.jpg", true),
            ("a*b*.jpg", "axx.jpg", false),
            ("100%*", "100%.png", true),
        ];
        for (pattern, name, expected) in cases {
            let tokens = tokens(pattern).expect("it is a pattern");
            assert_eq!(matches(&tokens, name), expected, "{pattern} {name}");
        }
        for plain in ["a.jpg", "100%.jpg", "%x.jpg", "%999999999999999999999d.jpg", ""] {
            assert_eq!(tokens(plain), None, "{plain}");
        }
    }
}
