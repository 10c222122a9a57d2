//! What must not stand in a file.

use std::{borrow::Cow, fs, path::Path};

use crate::source::{self, Part};

/// No Rust file is longer: a file that one must scroll for minutes to know is two files.
const RUST_LINES_MAX: usize = 600;

/// No file is larger: models are a few megabytes, data and libraries are not committed.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Names that say nothing of what is in a module.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"];

/// One convention about the lines of files.
pub(crate) struct Rule {
    name: &'static str,
    /// Which files it is for, by their path.
    files: fn(&str) -> bool,
    /// Which parts of Rust source it is for. Other files are looked at whole.
    parts: &'static [Part],
    forbidden: &'static [Pattern],
    /// What to do instead.
    advice: &'static str,
    /// A file and a line in it which break the rule.
    example: (&'static str, &'static str),
}

/// What is looked for in a line.
enum Pattern {
    /// These characters.
    Text(&'static str),
    /// These characters in any case.
    AnyCase(&'static str),
    /// These characters with no letter, digit or `_` beside them.
    Word(&'static str),
    /// A path that begins with these characters, so not with others in front of it.
    Path(&'static str),
}

const CODE: &[Part] = &[Part::Code];
const CODE_AND_COMMENTS: &[Part] = &[Part::Code, Part::Comment];
const CODE_AND_TEXT: &[Part] = &[Part::Code, Part::Text];
const TEXT: &[Part] = &[Part::Text];
const EVERYTHING: &[Part] = &[Part::Code, Part::Comment, Part::Text];

// Where a rule is for string literals too, `concat!` keeps its own row from breaking it.
pub(crate) const RULES: [Rule; 10] = [
    Rule {
        name: "unfinished",
        files: |path| path != "Cargo.lock",
        parts: CODE_AND_COMMENTS,
        forbidden: &[Pattern::Word("TODO"), Pattern::Word("FIXME"), Pattern::Word("XXX")],
        advice: "finish it, or open an issue and let the comment say what holds today",
        example: ("apps/a/src/main.rs", "let a = 1; // TODO: two"),
    },
    Rule {
        name: "unfinished-macro",
        files: is_rust,
        parts: CODE,
        forbidden: &[Pattern::Word("todo!"), Pattern::Word("unimplemented!"), Pattern::Word("dbg!")],
        advice: "write what belongs there",
        example: ("core/a/src/lib.rs", "fn a() { todo!() }"),
    },
    Rule {
        name: "ignored-test",
        files: is_rust,
        parts: CODE,
        forbidden: &[Pattern::Text("#[ignore")],
        advice: "make the test pass or remove it: what is not run does not hold",
        example: ("core/a/src/lib.rs", "#[ignore = \"slow\"]"),
    },
    Rule {
        name: "ignored-example",
        files: is_rust,
        parts: &[Part::Comment],
        forbidden: &[Pattern::Text("```ignore")],
        advice: "make the example compile (`no_run` if it must not run), or mark it `text` if it is no Rust",
        example: ("core/a/src/lib.rs", "/// ```ignore"),
    },
    Rule {
        name: "allowed-lint",
        files: is_rust,
        parts: CODE,
        forbidden: &[Pattern::Text("#[allow("), Pattern::Text("#![allow(")],
        advice: "use `#[expect(lint, reason = \"...\")]`, which fails when it is no longer needed",
        example: ("core/a/src/lib.rs", "#[allow(dead_code)]"),
    },
    Rule {
        name: "unsafe-code",
        files: |path| {
            is_rust(path) && !below(path, &["core/abi/", "core/runtime/", "plugins/sdk/"]) && !is_test(path)
        },
        parts: CODE,
        forbidden: &[Pattern::Word("unsafe")],
        advice: "only `core/abi`, `core/runtime` and `plugins/sdk` may: offer a safe function there",
        example: ("plugins/a/src/lib.rs", "unsafe { f() }"),
    },
    Rule {
        name: "domain-in-core",
        files: |path| is_rust(path) && below(path, &["core/"]) && path.contains("/src/"),
        parts: CODE_AND_TEXT,
        forbidden: &[
            Pattern::AnyCase("fraud"),
            Pattern::AnyCase("pneumonia"),
            Pattern::AnyCase("tumour"),
            Pattern::AnyCase("tumor"),
            Pattern::AnyCase("recommender"),
            Pattern::AnyCase("recommendation"),
            Pattern::AnyCase("vehicle"),
        ],
        advice: "core knows no domain: it belongs into the domain's plugin or app, or in a table that is read",
        example: ("core/a/src/lib.rs", "let name = \"Fraud\";"),
    },
    Rule {
        name: "sql-outside-store",
        files: |path| is_rust(path) && !below(path, &["core/store/"]) && !is_test(path),
        parts: TEXT,
        forbidden: &[
            Pattern::Text("SELECT "),
            Pattern::Text("INSERT INTO"),
            Pattern::Text("DELETE FROM"),
            Pattern::Text("CREATE TABLE"),
            Pattern::Text("PRAGMA "),
        ],
        advice: "SQL stands in `core/store` and `migrations` alone: give the store a method",
        example: ("apps/a/src/lib.rs", "query(\"SELECT 1\")"),
    },
    Rule {
        name: "path-of-one-machine",
        files: |_| true,
        parts: EVERYTHING,
        forbidden: &[Pattern::Path(concat!("/wo", "rk/")), Pattern::Path(concat!("/ro", "ot/"))],
        advice: "say `~`, or a path from the workspace's root",
        example: ("README.md", concat!("wrote `/ro", "ot/.local/a`")),
    },
    Rule {
        name: "registry-host",
        files: |path| path != "Cargo.lock",
        parts: EVERYTHING,
        forbidden: &[
            Pattern::AnyCase(concat!("pypi", ".org")),
            Pattern::AnyCase(concat!("pythonhosted", ".org")),
            Pattern::AnyCase(concat!("crates", ".io")),
            Pattern::AnyCase(concat!("static.rust-lang", ".org")),
        ],
        advice: "name the package and let cargo or pip find it: people use mirrors",
        example: ("apps/a/README.md", concat!("from https://PyPI", ".org/project")),
    },
];

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

fn below(path: &str, directories: &[&str]) -> bool {
    directories.iter().any(|directory| path.starts_with(directory))
}

/// What is wrong with the file at `path`.
pub(crate) fn check(root: &Path, path: &str) -> Vec<String> {
    let bytes = fs::read(root.join(path)).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"));
    let mut findings = about_file(path, &bytes);
    // What is not text has no lines to look at.
    if let Ok(text) = str::from_utf8(&bytes) {
        findings.extend(about_lines(path, text));
    }
    findings
}

/// The rules about a file as a whole.
fn about_file(path: &str, bytes: &[u8]) -> Vec<String> {
    let mut findings = Vec::new();
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let size = bytes.len();
        findings.push(format!(
            "{path}: large-file: {size} bytes, at most {FILE_BYTES_MAX} are allowed; keep data and libraries out"
        ));
    }
    if !is_rust(path) {
        return findings;
    }
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    if lines > RUST_LINES_MAX {
        findings.push(format!(
            "{path}:{lines}: long-file: {lines} lines, at most {RUST_LINES_MAX} are allowed; split it by concern"
        ));
    }
    let module = path.trim_end_matches(".rs").split('/').find(|part| EMPTY_NAMES.contains(part));
    if let Some(module) = module {
        findings.push(format!(
            "{path}: empty-name: a module `{module}` could hold anything; name it after what it is for"
        ));
    }
    findings
}

/// What [`RULES`] find in a text.
fn about_lines(path: &str, text: &str) -> Vec<String> {
    let parts = is_rust(path).then(|| source::parts(text));
    let rules = RULES.iter().filter(|rule| (rule.files)(path));
    let findings = rules.flat_map(|rule| {
        let looked_at = match &parts {
            Some(parts) => Cow::Owned(source::only(text, parts, rule.parts)),
            None => Cow::Borrowed(text),
        };
        rule.check(path, &looked_at)
    });
    findings.collect()
}

impl Rule {
    fn check(&self, path: &str, looked_at: &str) -> Vec<String> {
        let mut findings = Vec::new();
        for (number, line) in (1..).zip(looked_at.lines()) {
            if let Some(found) = self.forbidden.iter().find_map(|pattern| pattern.find(line)) {
                findings.push(format!("{path}:{number}: {}: `{found}`; {}", self.name, self.advice));
            }
        }
        findings
    }
}

impl Pattern {
    /// The pattern's characters, if the line has them.
    fn find(&self, line: &str) -> Option<&'static str> {
        match *self {
            Self::Text(text) => line.contains(text).then_some(text),
            Self::AnyCase(text) => line.to_lowercase().contains(text).then_some(text),
            Self::Word(word) => {
                let apart = |c: char| !c.is_alphanumeric() && c != '_';
                alone(line, word, apart, |c| apart(c) || !word.ends_with(char::is_alphanumeric))
            }
            Self::Path(path) => {
                alone(line, path, |c| !c.is_alphanumeric() && !"._-}>)".contains(c), |_| true)
            }
        }
    }
}

/// `text` if it is in `line` somewhere with nothing, or what `before` and `after` accept, beside it.
fn alone(
    line: &str,
    text: &'static str,
    before: impl Fn(char) -> bool,
    after: impl Fn(char) -> bool,
) -> Option<&'static str> {
    let stands_alone = |at: usize| {
        line[..at].chars().next_back().is_none_or(&before)
            && line[at + text.len()..].chars().next().is_none_or(&after)
    };
    line.match_indices(text).any(|(at, _)| stands_alone(at)).then_some(text)
}

#[test]
fn every_rule_finds_its_example() {
    for rule in &RULES {
        let (path, line) = rule.example;
        let findings = about_lines(path, &format!("first line\n{line}\n"));
        assert_eq!(findings.len(), 1, "{}: {line}: {findings:?}", rule.name);
        assert!(findings[0].starts_with(&format!("{path}:2: {}: `", rule.name)), "{findings:?}");
    }
}

#[test]
fn rules_leave_the_rest_alone() {
    let cases = [
        ("core/a/src/lib.rs", "let todos = \"todo!\"; // unimplemented"),
        ("core/a/src/lib.rs", "//! Any domain: fraud, vehicles. It is unsafe to say more."),
        ("core/a/src/lib.rs", "#![expect(unsafe_code, reason = \"the C interface\")]"),
        ("core/a/src/lib.rs", "/// ```no_run"),
        ("core/a/tests/a.rs", "unsafe { query(\"SELECT 1\") }"),
        ("core/store/src/lib.rs", "query(\"SELECT 1\")"),
        ("core/abi/src/lib.rs", "unsafe fn f() {}"),
        ("README.md", "the network/root/a, ${HOME}/work/b and ./work/c"),
        ("Cargo.lock", "TODO"),
    ];
    for (path, line) in cases {
        let findings = about_lines(path, line);
        assert!(findings.is_empty(), "{findings:?}");
    }
}

#[test]
fn files_have_limits_and_names() {
    let lines = |count: usize| "\n".repeat(count).into_bytes();
    let cases = [
        ("core/a/src/lib.rs", lines(RUST_LINES_MAX), None),
        ("core/a/src/lib.rs", lines(RUST_LINES_MAX + 1), Some("long-file")),
        ("README.md", lines(RUST_LINES_MAX + 1), None),
        ("core/a/src/utils.rs", lines(1), Some("empty-name")),
        ("tests/common/mod.rs", lines(1), Some("empty-name")),
        ("core/a/src/commons.rs", lines(1), None),
        ("plugins/a/model/a.onnx", vec![0; (FILE_BYTES_MAX + 1) as usize], Some("large-file")),
    ];
    for (path, bytes, expected) in cases {
        let findings = about_file(path, &bytes);
        assert_eq!(findings.len(), usize::from(expected.is_some()), "{findings:?}");
        assert!(expected.is_none_or(|name| findings[0].contains(name)), "{findings:?}");
    }
}
