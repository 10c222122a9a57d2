//! `docs/plugins.md`: its commands are run one after the other, its files are written where they say, its settings are read.
//!
//! A block with a language is one of these; what follows a line `<!-- file: PATH -->` is that file. What is only shown is `text`.

use std::fs;

use foretell_runtime::manifest::Manifest;
use foretell_tests::{Workshop, build_directory};

use crate::{repository, shell, text};

const BOOK: &str = "docs/plugins.md";

/// A block between fences.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    /// Where it belongs, if it is a file.
    file: Option<String>,
    content: String,
    /// Where it begins in the book.
    line: usize,
}

fn blocks(book: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut file, mut is_open) = (None, false);
    for (place, line) in book.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                let language = language.to_owned();
                blocks.push(Block { language, file: file.take(), content: String::new(), line: place + 1 });
            }
            None if is_open => {
                let block = blocks.last_mut().expect("an open block");
                block.content.push_str(line);
                block.content.push('\n');
            }
            None => {
                let named = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
                file = named.map(str::to_owned).or(file.filter(|_| line.is_empty()));
            }
        }
    }
    assert!(!is_open, "the last block is not closed");
    blocks
}

#[test]
fn everything_in_the_book_works() {
    let workshop = Workshop::default();
    let plugins = build_directory().join("plugins");
    assert!(
        plugins.join("standard-tabular").is_dir(),
        "the standard plugins are not there; run `cargo xtask test`, or `cargo xtask assemble` first"
    );
    let blocks = blocks(&text(BOOK));
    for block in &blocks {
        let place = format!("{BOOK}:{}", block.line);
        if let Some(file) = &block.file {
            let path = workshop.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &block.content).unwrap();
        }
        match block.language.as_str() {
            "sh" => {
                shell(&workshop, &format!("PLUGINS='{}'\n: {place}\n{}", plugins.display(), block.content));
            }
            "toml" => {
                block.content.parse::<toml::Table>().unwrap_or_else(|error| panic!("{place}: {error}"));
                if block.content.contains("[plugin]") {
                    let manifest = Manifest::parse(&block.content, place.as_ref());
                    manifest.unwrap_or_else(|error| panic!("{error}"));
                }
            }
            // Compiled by the commands that follow.
            "rust" | "c" | "csv" => assert!(block.file.is_some(), "{place}: say which file it is"),
            "text" => (),
            other => panic!("{place}: nothing is known of `{other}`"),
        }
    }
    let commands = blocks.iter().filter(|block| block.language == "sh").count();
    assert!(commands >= 10, "{commands} blocks of commands");
}

/// Keys that the book explains are those that the engines read, and the other way round.
#[test]
fn the_book_names_every_setting_of_the_standard_engines() {
    let book = text(BOOK);
    for source in
        ["tabular/src/lib.rs", "tabular/src/column.rs", "classifier/src/lib.rs", "answer/src/lib.rs"]
    {
        let source = text(&format!("plugins/standard/{source}"));
        let body =
            source.split_once("struct Settings {").and_then(|(_, rest)| rest.split_once("\n}")).unwrap().0;
        let mut renamed = None;
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(attribute) = line.strip_prefix("#[serde(") {
                renamed = attribute
                    .split_once("rename = \"")
                    .map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
                continue;
            }
            let field = line.trim_start_matches("pub(crate) ").split(':').next().unwrap().to_owned();
            let key = renamed.take().unwrap_or(field);
            let words =
                [format!("\n{key} = "), format!("config.{key}]"), format!("`{key}`"), format!("`{key} = ")];
            assert!(words.iter().any(|word| book.contains(word)), "{BOOK} does not name the setting `{key}`");
        }
    }
}

/// The words of the last chapter's table are those that somebody is told.
#[test]
fn what_the_book_explains_is_what_is_told() {
    let book = text(BOOK);
    let table = book
        .rsplit_once("\n| what is told | why, and what to do |\n|---|---|\n")
        .expect("the table of troubles")
        .1;
    let mut sources = String::new();
    let mut waiting =
        ["core/runtime/src", "core/jobs/src", "plugins/sdk/src", "plugins/standard"].map(repository).to_vec();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            // A text that goes on in the next line is one text.
            let lines = fs::read_to_string(&path).unwrap();
            sources.extend(lines.lines().flat_map(|line| [line.trim().trim_end_matches('\\'), ""]));
        }
    }
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    let told: Vec<_> = rows.map(|row| row.split(" | ").next().unwrap().trim_start_matches("| ")).collect();
    assert!(told.len() >= 10, "{told:?}");
    for words in told.iter().flat_map(|words| words.split("...")) {
        let words = words.trim().trim_matches('`').trim();
        assert!(words.len() < 4 || sources.contains(words), "nobody is told: {words}");
    }
}

#[test]
fn blocks_are_found() {
    let book = "a\n<!-- file: b/c -->\n```rust\nd\n```\n<!-- file: e -->\nf\n```sh\n```\n<!-- file: g -->\n\n```toml\nh\n\n```\n";
    let block = |language: &str, file: Option<&str>, content: &str, line| Block {
        language: language.to_owned(),
        file: file.map(str::to_owned),
        content: content.to_owned(),
        line,
    };
    let expected = [
        block("rust", Some("b/c"), "d\n", 3),
        block("sh", None, "", 8),
        block("toml", Some("g"), "h\n\n", 12),
    ];
    assert_eq!(blocks(book), expected);
}
