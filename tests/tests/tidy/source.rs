//! Rust source taken apart into code, comments and the text of string literals, so that a rule about one does not
//! find the others.
//!
//! This is a lexer for what the rules need and no more: it knows where comments and literals begin and end.

/// What a byte of a source file is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything else.
    Code,
    /// Line and block comments, documentation included.
    Comment,
    /// What stands between the quotes of a string or character literal.
    Text,
}

/// The part of each byte of `source`.
pub(crate) fn parts(source: &str) -> Vec<Part> {
    let bytes = source.as_bytes();
    let mut parts = vec![Part::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let (part, content, next) = token(source, at);
        if let Some(part) = part {
            parts[content.0..content.1].fill(part);
        }
        at = next;
    }
    parts
}

/// The source with everything but `kept` replaced by spaces, so that lines and columns stay where they are.
/// `parts` are those of the source.
pub(crate) fn only(source: &str, parts: &[Part], kept: &[Part]) -> String {
    let keep = |(at, char): (usize, char)| if char == '\n' || kept.contains(&parts[at]) { char } else { ' ' };
    source.char_indices().map(keep).collect()
}

/// What begins at `at`: its part if it is a comment or a literal, where its content begins and ends, and where to
/// go on.
fn token(source: &str, at: usize) -> (Option<Part>, (usize, usize), usize) {
    let rest = &source[at..];
    let word_before = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        let end = at + rest.find('\n').unwrap_or(rest.len());
        return (Some(Part::Comment), (at, end), end);
    }
    if rest.starts_with("/*") {
        let end = at + block_comment_length(rest);
        return (Some(Part::Comment), (at, end), end);
    }
    if let Some(hashes) = raw_string_hashes(rest).filter(|_| !word_before) {
        let start = at + rest.find('"').map_or(0, |quote| quote + 1);
        let close = format!("\"{}", "#".repeat(hashes));
        let end = source[start..].find(&close).map_or(source.len(), |length| start + length);
        return (Some(Part::Text), (start, end), (end + close.len()).min(source.len()));
    }
    if rest.starts_with('"') || (rest.starts_with('\'') && is_char_literal(rest)) {
        let start = at + 1;
        let end = start + literal_length(&source[start..], rest.as_bytes()[0]);
        return (Some(Part::Text), (start, end), (end + 1).min(source.len()));
    }
    let next = at + rest.chars().next().map_or(1, char::len_utf8);
    (None, (at, next), next)
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The number of `#` with which a raw string begins here, if one does.
fn raw_string_hashes(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// `'a'` and `'\n'` are literals, `'a` alone is a lifetime.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

/// The length of a literal's content up to its closing quote.
fn literal_length(content: &str, quote: u8) -> usize {
    let bytes = content.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

#[test]
fn source_is_taken_apart() {
    // The source, and for each byte: `.` code, `c` comment, `t` text.
    let cases = [
        ("a // b\nc", "..cccc.."),
        ("a /* /* b */ \" */ c", "..ccccccccccccccc.."),
        ("/* open", "ccccccc"),
        (r#"f("a // b", x)"#, "...tttttt....."),
        (r#""a\"b" c"#, ".tttt..."),
        (r##"r#"a"b"# c"##, "...ttt...."),
        (r#"br"\" c"#, "...t..."),
        (r#"r#type "a""#, "........t."),
        (r#"var"a""#, "....t."),
        ("'a' 'b: &'c str", ".t............."),
        (r"'\'' '\\' x", ".tt...tt..."),
        ("'\"' x // \"", ".t....cccc"),
        ("\"ä\" // ü", ".tt..ccccc"),
        ("\"open", ".tttt"),
    ];
    for (source, expected) in cases {
        let letter = |part: &Part| match part {
            Part::Code => '.',
            Part::Comment => 'c',
            Part::Text => 't',
        };
        let found: String = parts(source).iter().map(letter).collect();
        assert_eq!(found, expected, "{source}");
    }
    let source = "a /* b\n c */ \"d\"";
    assert_eq!(only(source, &parts(source), &[Part::Comment]), "  /* b\n c */    ");
}
