//! Results on standard output: tables for people, JSON for programs.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Words,
    Json,
    Nothing,
}

impl Output {
    /// JSON for programs, or words and tables for people.
    pub fn new(json: bool) -> Self {
        Self(if json { Form::Json } else { Form::Words })
    }

    /// No results at all: for work that is done beside what was asked for.
    pub fn silent() -> Self {
        Self(Form::Nothing)
    }

    /// Whether JSON is wanted.
    pub fn is_json(self) -> bool {
        self.0 == Form::Json
    }

    /// Prints `value` as one JSON document, if JSON is wanted; else runs `draw`.
    pub fn show<T: Serialize>(self, value: &T, draw: impl FnOnce(Self)) {
        match self.0 {
            Form::Words => draw(self),
            Form::Json => {
                let text =
                    serde_json::to_string_pretty(value).expect("results have string keys and finite numbers");
                self.print(&text);
            }
            Form::Nothing => (),
        }
    }

    /// Prints a line: for people without [control characters](visible), for programs as it is. A reader that has gone away, such as
    /// `head`, ends the program quietly.
    pub fn line(self, text: &str) {
        match self.0 {
            Form::Words => self.print(&visible(text)),
            Form::Json | Form::Nothing => self.print(text),
        }
    }

    fn print(self, text: &str) {
        if writeln!(std::io::stdout(), "{text}").is_err() {
            std::process::exit(i32::from(crate::exit::DONE));
        }
    }

    /// Prints a table; columns whose head ends with `#` are numbers, and stand to the right.
    pub fn table(self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(head.iter().map(|name| name.trim_end_matches('#')));
        for row in rows {
            // Before the widths are measured.
            table.add_row(row.iter().map(|cell| visible(cell)));
        }
        for (index, name) in head.iter().enumerate() {
            let column = table.column_mut(index).expect("a column for each head");
            column.set_padding((0, 2));
            if name.ends_with('#') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            self.line(line.trim_end());
        }
    }

    /// Prints names and values beneath each other.
    pub fn facts(self, facts: &[(&str, String)]) {
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in facts {
            self.line(&format!("{name:width$}  {value}"));
        }
    }
}

/// Text as it may stand on a terminal: control characters other than ends of lines and tabs are written as escapes.
///
/// Manifests, records and what plugins say come from others, and a terminal obeys such characters: they could hide what was printed, or
/// print over it. Ends of lines are left, since errors and help have several: a text may still have a line of its own.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_obeyed(letter) {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// A count with its thousands apart: `1,754,155`.
///
/// ```
/// assert_eq!(foretell_terminal::format_count(1_754_155), "1,754,155");
/// ```
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of 1 in percent, two digits after the point: `0.84 %`.
pub fn format_percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A size in bytes with a unit that suits it: `68.27 MiB`.
///
/// ```
/// assert_eq!(foretell_terminal::format_bytes(71_585_792), "68.27 MiB");
/// ```
pub fn format_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        let cases = [
            ("plain \u{e4}\u{1f6a6}\ttab\nline", "plain \u{e4}\u{1f6a6}\ttab\nline"),
            ("\u{1b}[2Jtrusted\r\n", "\\u{1b}[2Jtrusted\\r\n"),
            ("\u{9b}31m\0\u{7f}", "\\u{9b}31m\\u{0}\\u{7f}"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
    }
}
