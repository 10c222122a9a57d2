//! A C header, as far as it can be compared: structs with their fields, names of other types, and constants.

use std::collections::BTreeMap;

/// What a header declares.
#[derive(Debug)]
pub(crate) struct Header {
    /// Structs by the words that C names them with, each with its fields in order.
    pub(crate) structs: BTreeMap<String, Vec<Field>>,
    /// Types without a body by their names, each with what stands for it: `int32_t` for `typedef int32_t Number`.
    pub(crate) aliases: BTreeMap<String, String>,
    /// `#define NAME VALUE`.
    pub(crate) constants: BTreeMap<String, String>,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// All of its words, with one space between them.
    pub(crate) declaration: String,
}

impl Header {
    /// Reads a header of ours; what it includes is not read.
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code).trim());
        let lines: Vec<_> = lines.collect();
        let defined = lines.iter().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
        let constants = defined.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();

        let code: String =
            lines.iter().filter(|line| !line.starts_with('#')).flat_map(|line| [*line, " "]).collect();
        // Without the bodies of structs, `typedef struct A A` is left of one that has a body, and says nothing of it.
        let mut aliases = BTreeMap::new();
        for declaration in split(&without_bodies(&code)) {
            let Some(declaration) = declaration.strip_prefix("typedef ") else { continue };
            let name = match declaration.split_once("(*") {
                Some((_, rest)) => rest.split(')').next().unwrap_or(rest),
                None => declaration.rsplit(' ').next().unwrap_or(declaration),
            };
            aliases.insert(name.to_owned(), declaration.to_owned());
        }
        let mut structs = BTreeMap::new();
        let mut rest = code.as_str();
        // Bodies of structs are the only braces; they have none inside.
        while let Some((before, (body, after))) =
            rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            let (alias, after) = after.split_once(';').expect("a declaration ends");
            let head: Vec<_> = before.rsplit(';').next().unwrap_or(before).split_whitespace().collect();
            // `typedef struct A { ... } A;`, `typedef struct { ... } A;` or `struct A { ... };`
            let name = match alias.trim() {
                "" => head.join(" "),
                alias => alias.to_owned(),
            };
            structs.insert(name, split(body).map(|declaration| field(&declaration)).collect());
            rest = after;
        }
        Self { structs, aliases, constants }
    }
}

/// The code with nothing between its braces, which are not nested.
fn without_bodies(code: &str) -> String {
    let pieces = code.split('{').enumerate();
    pieces
        .map(
            |(place, piece)| {
                if place == 0 { piece } else { piece.split_once('}').map_or("", |(_, after)| after) }
            },
        )
        .collect()
}

/// Declarations of a body.
fn split(body: &str) -> impl Iterator<Item = String> {
    let words =
        body.split(';').map(|declaration| declaration.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|declaration| !declaration.is_empty())
}

fn field(declaration: &str) -> Field {
    let name = match declaration.split_once("(*") {
        // A pointer to a function: `Status (*name)(arguments)`.
        Some((_, rest)) => rest.split(')').next().unwrap_or(rest),
        None => declaration
            .split('[')
            .next()
            .unwrap_or(declaration)
            .rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .next()
            .unwrap_or(declaration),
    };
    Field { name: name.to_owned(), declaration: declaration.to_owned() }
}

#[test]
fn headers_are_understood() {
    let header = Header::read(
        "#define A 1\n#define B \"b/1\"\n#ifndef C\nstruct One {\n  const char *a; // int z;\n  struct One **b;\n};\n\
         typedef struct { int x[A]; } Two;\ntypedef int Number;\ntypedef struct Five *(*Four)(void);\n// { not code\ntypedef struct Three {\n  Number (*call)(int,\n  int);\n} Three;\n",
    );
    let names: Vec<_> = header
        .structs
        .iter()
        .map(|(name, fields)| {
            format!("{name}: {}", fields.iter().map(|field| &*field.name).collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(names, ["Three: call", "Two: x", "struct One: a b"]);
    assert_eq!(header.structs["Three"][0].declaration, "Number (*call)(int, int)");
    let aliases: Vec<_> = header.aliases.iter().map(|(name, alias)| format!("{name}: {alias}")).collect();
    assert_eq!(
        aliases,
        [
            "Four: struct Five *(*Four)(void)",
            "Number: int Number",
            "Three: struct Three Three",
            "Two: struct Two"
        ]
    );
    assert_eq!(header.constants["B"], "\"b/1\"");
    assert_eq!(header.constants.len(), 2);
}
