//! Letters of five by seven pixels, our own: what must be readable on a machine without any font.
//!
//! Letters that hang below the line, such as `g`, are drawn two pixels lower than the others.

use super::Colour;
use super::canvas::Canvas;

/// Columns of a letter.
const COLUMNS: usize = 5;

/// Rows of a letter.
pub(super) const ROWS: usize = 7;

/// How many rows lower a letter is that hangs below the line.
const DESCENT: usize = 2;

/// Those letters.
const HANGING: &str = "gpqy,;";

/// Pixels from one letter to the next, at scale 1.
const ADVANCE: usize = COLUMNS + 1;

/// Pixels from one line to the next, at scale 1.
pub(super) const LINE: usize = ROWS + DESCENT + 2;

/// The printable characters of ASCII, from the space on: seven rows of five pixels each, with a space between rows.
const GLYPHS: [&str; 95] = [
    "..... ..... ..... ..... ..... ..... .....",
    "..#.. ..#.. ..#.. ..#.. ..#.. ..... ..#..",
    ".#.#. .#.#. ..... ..... ..... ..... .....",
    ".#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.",
    "..#.. .#### #.#.. .###. ..#.# ####. ..#..",
    "##... ##..# ...#. ..#.. .#... #..## ...##",
    ".##.. #..#. #.#.. .#... #.#.# #..#. .##.#",
    "..#.. ..#.. ..... ..... ..... ..... .....",
    "...#. ..#.. .#... .#... .#... ..#.. ...#.",
    ".#... ..#.. ...#. ...#. ...#. ..#.. .#...",
    "..... ..#.. #.#.# .###. #.#.# ..#.. .....",
    "..... ..#.. ..#.. ##### ..#.. ..#.. .....",
    "..... ..... ..... .##.. .##.. ..#.. .#...",
    "..... ..... ..... ##### ..... ..... .....",
    "..... ..... ..... ..... ..... .##.. .##..",
    "..... ....# ...#. ..#.. .#... #.... .....",
    ".###. #...# #..## #.#.# ##..# #...# .###.",
    "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    ".###. #...# ....# ...#. ..#.. .#... #####",
    "##### ...#. ..#.. ...#. ....# #...# .###.",
    "...#. ..##. .#.#. #..#. ##### ...#. ...#.",
    "##### #.... ####. ....# ....# #...# .###.",
    "..##. .#... #.... ####. #...# #...# .###.",
    "##### ....# ...#. ..#.. .#... .#... .#...",
    ".###. #...# #...# .###. #...# #...# .###.",
    ".###. #...# #...# .#### ....# ...#. .##..",
    "..... ..... .##.. .##.. ..... .##.. .##..",
    ".##.. .##.. ..... .##.. .##.. ..#.. .#...",
    "...#. ..#.. .#... #.... .#... ..#.. ...#.",
    "..... ..... ##### ..... ##### ..... .....",
    ".#... ..#.. ...#. ....# ...#. ..#.. .#...",
    ".###. #...# ....# ...#. ..#.. ..... ..#..",
    ".###. #...# #.### #.#.# #.### #.... .###.",
    ".###. #...# #...# ##### #...# #...# #...#",
    "####. #...# #...# ####. #...# #...# ####.",
    ".###. #...# #.... #.... #.... #...# .###.",
    "###.. #..#. #...# #...# #...# #..#. ###..",
    "##### #.... #.... ####. #.... #.... #####",
    "##### #.... #.... ####. #.... #.... #....",
    ".###. #...# #.... #.### #...# #...# .####",
    "#...# #...# #...# ##### #...# #...# #...#",
    ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.",
    "..### ...#. ...#. ...#. ...#. #..#. .##..",
    "#...# #..#. #.#.. ##... #.#.. #..#. #...#",
    "#.... #.... #.... #.... #.... #.... #####",
    "#...# ##.## #.#.# #.#.# #...# #...# #...#",
    "#...# #...# ##..# #.#.# #..## #...# #...#",
    ".###. #...# #...# #...# #...# #...# .###.",
    "####. #...# #...# ####. #.... #.... #....",
    ".###. #...# #...# #...# #.#.# #..#. .##.#",
    "####. #...# #...# ####. #.#.. #..#. #...#",
    ".#### #.... #.... .###. ....# ....# ####.",
    "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "#...# #...# #...# #...# #...# #...# .###.",
    "#...# #...# #...# #...# #...# .#.#. ..#..",
    "#...# #...# #...# #.#.# #.#.# ##.## #...#",
    "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
    "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..",
    "##### ....# ...#. ..#.. .#... #.... #####",
    ".###. .#... .#... .#... .#... .#... .###.",
    "..... #.... .#... ..#.. ...#. ....# .....",
    ".###. ...#. ...#. ...#. ...#. ...#. .###.",
    "..#.. .#.#. #...# ..... ..... ..... .....",
    "..... ..... ..... ..... ..... ..... #####",
    ".#... ..#.. ..... ..... ..... ..... .....",
    "..... ..... .###. ....# .#### #...# .####",
    "#.... #.... #.##. ##..# #...# #...# ####.",
    "..... ..... .###. #.... #.... #...# .###.",
    "....# ....# .##.# #..## #...# #...# .####",
    "..... ..... .###. #...# ##### #.... .###.",
    "..##. .#..# .#... ###.. .#... .#... .#...",
    ".#### #...# #...# #...# .#### ....# .###.",
    "#.... #.... #.##. ##..# #...# #...# #...#",
    "..#.. ..... .##.. ..#.. ..#.. ..#.. .###.",
    "...#. ..... ..##. ...#. ...#. #..#. .##..",
    ".#... .#... .#..# .#.#. .##.. .#.#. .#..#",
    ".##.. ..#.. ..#.. ..#.. ..#.. ..#.. .###.",
    "..... ..... ##.#. #.#.# #.#.# #...# #...#",
    "..... ..... #.##. ##..# #...# #...# #...#",
    "..... ..... .###. #...# #...# #...# .###.",
    "####. #...# #...# #...# ####. #.... #....",
    ".#### #...# #...# #...# .#### ....# ....#",
    "..... ..... #.##. ##..# #.... #.... #....",
    "..... ..... .###. #.... .###. ....# ####.",
    ".#... .#... ###.. .#... .#... .#..# ..##.",
    "..... ..... #...# #...# #...# #..## .##.#",
    "..... ..... #...# #...# #...# .#.#. ..#..",
    "..... ..... #...# #...# #.#.# #.#.# .#.#.",
    "..... ..... #...# .#.#. ..#.. .#.#. #...#",
    "#...# #...# #...# #...# .#### ....# .###.",
    "..... ..... ##### ...#. ..#.. .#... #####",
    "..##. ..#.. ..#.. .#... ..#.. ..#.. ..##.",
    "..#.. ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    ".##.. ..#.. ..#.. ...#. ..#.. ..#.. .##..",
    "..... ..... .#..# #.#.# #..#. ..... .....",
];

/// The letter of a character, or the one of `?`.
fn glyph(character: char) -> &'static [u8] {
    let place = (character as usize).checked_sub(usize::from(b' ')).filter(|&place| place < GLYPHS.len());
    GLYPHS[place.unwrap_or(usize::from(b'?' - b' '))].as_bytes()
}

/// Pixels from the left edge of the first letter to the right edge of the last.
pub(super) fn text_width(text: &str, scale: usize) -> usize {
    (text.chars().count() * ADVANCE).saturating_sub(1).saturating_mul(scale)
}

/// Pixels from the top of a line to the bottom of letters that hang.
pub(super) fn text_height(scale: usize) -> usize {
    (ROWS + DESCENT) * scale
}

/// How many letters have room in so many pixels; the last one needs no space behind it.
pub(super) fn letters_in(pixels: usize, scale: usize) -> usize {
    (pixels + scale) / (ADVANCE * scale)
}

/// Writes one line. `left` and `top` are the upper corner of the first letter; what lies outside the canvas is cut off.
pub(super) fn write(canvas: &mut Canvas, left: usize, top: usize, scale: usize, colour: Colour, text: &str) {
    for (number, character) in text.chars().enumerate() {
        let start = left + number * ADVANCE * scale;
        if start >= canvas.width() {
            return;
        }
        let letter = glyph(character);
        let top = top + if HANGING.contains(character) { DESCENT * scale } else { 0 };
        for row in 0..ROWS {
            for column in (0..COLUMNS).filter(|column| letter[row * (COLUMNS + 1) + column] == b'#') {
                let (x, y) = (start + column * scale, top + row * scale);
                canvas.fill(x..x + scale, y..y + scale, colour);
            }
        }
    }
}

/// Lines of at most `columns` characters each, broken at spaces; a longer word is broken where it must be. At most
/// `lines` of them: the last one then ends with three points.
pub(super) fn wrapped(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut wrapped: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for (number, piece) in letters.chunks(columns).enumerate() {
            match wrapped.last_mut() {
                // Only the first piece of a word may share a line with another word.
                Some(line) if number == 0 && line.chars().count() + 1 + piece.len() <= columns => {
                    line.push(' ');
                    line.extend(piece);
                }
                _ => wrapped.push(piece.iter().collect()),
            }
        }
        if wrapped.len() > lines {
            break;
        }
    }
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            let kept = last.chars().count().min(columns.saturating_sub(3));
            *last = last.chars().take(kept).chain("...".chars().take(columns)).collect();
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COLUMNS, GLYPHS, ROWS, glyph, text_width, wrapped};

    #[test]
    fn every_letter_is_complete_and_no_two_are_alike() {
        for (place, letter) in GLYPHS.iter().enumerate() {
            let rows: Vec<&str> = letter.split(' ').collect();
            assert_eq!(rows.len(), ROWS, "{place}");
            let row_is_good =
                |row: &&str| row.len() == COLUMNS && row.bytes().all(|pixel| b".#".contains(&pixel));
            assert!(rows.iter().all(row_is_good), "{place}: {letter}");
        }
        assert_eq!(GLYPHS.iter().collect::<BTreeSet<_>>().len(), GLYPHS.len());
    }

    #[test]
    fn what_has_no_letter_is_a_question_mark() {
        for character in ['\n', 'ä', '\u{7f}', '€', '\u{10ffff}'] {
            assert_eq!(glyph(character), glyph('?'), "{character:?}");
        }
        assert_ne!(glyph('~'), glyph('?'));
        assert_eq!((text_width("", 3), text_width("ab", 3)), (0, 33));
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        for (text, columns, lines, expected) in [
            ("", 5, 3, &[][..]),
            ("one two three", 7, 3, &["one two", "three"]),
            ("one two three", 3, 9, &["one", "two", "thr", "ee"]),
            ("one two three four", 7, 2, &["one two", "thre..."]),
            ("one two three four", 2, 1, &[".."]),
            ("one", 0, 2, &["o", "."]),
        ] {
            assert_eq!(wrapped(text, columns, lines), expected, "{text} {columns} {lines}");
        }
    }
}
