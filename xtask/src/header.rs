//! The C header of the plugin interface, generated from the Rust source that is compiled into the product, so
//! that the two cannot differ. How it looks is set in `core/abi/cbindgen.toml`; names in C, which cbindgen can only
//! prefix, are finished here.

use std::{cmp::Reverse, fs, io, path::Path};

use crate::process::say;

/// The crate that the header is made from.
const SOURCE: &str = "core/abi";

/// How the header looks.
const SETTINGS: &str = "core/abi/cbindgen.toml";

/// Where the header stands, and is committed.
const HEADER: &str = "core/abi/include/foretell.h";

/// What cbindgen.toml puts before every name.
const PREFIX: &str = "Foretell";

/// Why the header could not be written, or is not right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("cannot read `{SETTINGS}`: {0}")]
    Settings(String),
    #[error("cannot make a header from `{SOURCE}`")]
    Generate(#[from] cbindgen::Error),
    #[error("cannot {action} `{HEADER}`")]
    File { action: &'static str, source: io::Error },
    #[error(
        "`{HEADER}` is not what `{SOURCE}` generates: line {line} is\n  {found}\nbut must be\n  {expected}\n  \
         hint: run `cargo xtask header` and look at the difference"
    )]
    Outdated { line: usize, found: String, expected: String },
}

fn generate() -> Result<String, HeaderError> {
    let config = cbindgen::Config::from_file(SETTINGS).map_err(HeaderError::Settings)?;
    let bindings = cbindgen::Builder::new().with_crate(SOURCE).with_config(config).generate()?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    Ok(screaming_constants(&plain_links(&String::from_utf8_lossy(&header))))
}

/// Rustdoc links as a reader of C knows the names: [`Host::log`] in brackets becomes `ForetellHost.log`.
fn plain_links(header: &str) -> String {
    let mut plain = String::new();
    let mut rest = header;
    while let Some((before, (link, after))) =
        rest.split_once("[`").and_then(|(before, after)| Some((before, after.split_once("`]")?)))
    {
        let first = link.split("::").next().unwrap_or(link);
        let is_ours = words(header).any(|word| word.strip_prefix(PREFIX) == Some(first));
        let prefix = if is_ours { PREFIX } else { "" };
        plain.extend([before, "`", prefix, &link.replace("::", "."), "`"]);
        rest = after;
    }
    plain + rest
}

/// Constants in the one way that C writes them: `ForetellSTATUS_OK` becomes `FORETELL_STATUS_OK`.
fn screaming_constants(header: &str) -> String {
    let mut names: Vec<_> =
        words(header).filter_map(|word| Some((word, word.strip_prefix(PREFIX)?))).collect();
    names.retain(|(_, name)| name.len() > 1 && !name.contains(|c: char| c.is_ascii_lowercase()));
    // A longer name first, because a shorter one may be its beginning.
    names.sort_by_key(|&(word, _)| (Reverse(word.len()), word));
    names.dedup();
    let upper = PREFIX.to_uppercase();
    names.iter().fold(header.to_owned(), |text, (word, name)| text.replace(word, &format!("{upper}_{name}")))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// The command `header`.
pub(crate) fn write() -> Result<(), HeaderError> {
    let expected = generate()?;
    if fs::read_to_string(HEADER).is_ok_and(|found| found == expected) {
        say(&format!("`{HEADER}` is up to date"));
        return Ok(());
    }
    let failed = |source| HeaderError::File { action: "write", source };
    Path::new(HEADER).parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(HEADER, expected).map_err(failed)?;
    say(&format!("wrote `{HEADER}`"));
    Ok(())
}

/// The command `header --check`.
pub(crate) fn check() -> Result<(), HeaderError> {
    let expected = generate()?;
    let found = fs::read_to_string(HEADER).map_err(|source| HeaderError::File { action: "read", source })?;
    if let Some((line, found, expected)) = first_difference(&found, &expected) {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        return Err(HeaderError::Outdated { line, found, expected });
    }
    say(&format!("`{HEADER}` is up to date"));
    Ok(())
}

/// The first line (counted from 1) in which two texts differ, and what it is in each. How lines end does not
/// count, because a checkout may change it.
fn first_difference<'a>(found: &'a str, expected: &'a str) -> Option<(usize, &'a str, &'a str)> {
    const END: &str = "(the end of the file)";
    let (mut found, mut expected) = (found.lines(), expected.lines());
    (1..).find_map(|number| match (found.next(), expected.next()) {
        (None, None) => Some(None),
        (a, b) if a == b => None,
        (a, b) => Some(Some((number, a.unwrap_or(END), b.unwrap_or(END)))),
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_c_writes_them() {
        let header = "// See [`Plugin::open`], [`STATUS_OK`], [`ArrowArray`] and [`compatible`].\n\
                      #define ForetellSTATUS_OK 0\n#define ForetellSTATUS_OK_TOO 1\ntypedef ForetellPlugin;\nForetellA a;";
        let expected = "// See `ForetellPlugin.open`, `FORETELL_STATUS_OK`, `ArrowArray` and `compatible`.\n\
                        #define FORETELL_STATUS_OK 0\n#define FORETELL_STATUS_OK_TOO 1\ntypedef ForetellPlugin;\n\
                        ForetellA a;";
        assert_eq!(screaming_constants(&plain_links(header)), expected);
    }

    #[test]
    fn the_first_difference_is_found() {
        let end = "(the end of the file)";
        let cases = [
            ("", "", None),
            ("a\nb\n", "a\nb\n", None),
            ("a\r\nb\r\n", "a\nb\n", None),
            ("a\nb\n", "a\nc\nd\n", Some((2, "b", "c"))),
            ("a\n", "a\nb\n", Some((2, end, "b"))),
            ("a\nb\n", "a\n", Some((2, "b", end))),
        ];
        for (found, expected, difference) in cases {
            assert_eq!(first_difference(found, expected), difference, "{found:?} against {expected:?}");
        }
    }
}
