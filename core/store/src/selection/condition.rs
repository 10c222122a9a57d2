//! Conditions: an SQL expression of a user, parsed, bounded and written anew.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::deadline::SQLITE_INTERRUPT;
use super::dialect::Conditions;
use super::expression::{FUNCTIONS, Writer};
use super::{SELECT_SECONDS_MAX, Selection, SelectionErrorKind};
use crate::fault::{ReadContext, ReadError};

/// Bytes of a condition.
pub const CONDITION_BYTES_MAX: usize = 4 << 10;

/// Operators and functions of a condition that may stand within each other. `a OR b OR c` counts as two, since it is
/// `(a OR b) OR c`.
pub const CONDITION_DEPTH_MAX: usize = 200;

/// Parentheses, calls and prefixes that may stand within each other. The parser calls itself for each.
const NESTING_MAX: usize = 32;

/// The stack of the parser, which needs up to 100 KiB for each of [`NESTING_MAX`] in a debug build: more than threads of
/// the runtime have.
const PARSER_STACK_BYTES: usize = 16 << 20;

/// The view of a domain that has none of its own.
const GENERAL_VIEW: &str = "readable_record";

/// The result codes of SQLite for an expression that fails on a record: an error in general, and a text that is too
/// long.
const SQLITE_FAILED: [&str; 2] = ["1", "18"];

/// Why a condition was refused or failed.
///
/// Texts in single quotes are left out of messages, since they may say who somebody is. A name that is not known is
/// repeated as it was typed, so these messages are for the screen of who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// It has too many bytes.
    #[error("it has {bytes} bytes, and {CONDITION_BYTES_MAX} are allowed")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// Too much stands within each other.
    #[error(
        "too much stands within each other: allowed are {NESTING_MAX} parentheses and functions, and {CONDITION_DEPTH_MAX} operators"
    )]
    TooDeep,
    /// It is not one expression of SQL.
    #[error("line {line}, column {column}: expected {expected}")]
    Syntax {
        /// Where, from 1.
        line: u64,
        /// Where in the line, from 1.
        column: u64,
        /// What should stand there.
        expected: String,
    },
    /// The view has no such column.
    #[error("there is no column `{name}`: expected one of {}", columns.join(", "))]
    UnknownColumn {
        /// The name as it was written.
        name: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// It calls a function that conditions do not have.
    #[error(
        "there is no function `{name}` in conditions: expected one of {}",
        FUNCTIONS.iter().map(|function| function.name).collect::<Vec<_>>().join(", ")
    )]
    UnknownFunction {
        /// The name as it was written.
        name: String,
    },
    /// Something is called with what it does not take.
    #[error("`{name}` takes {expected}")]
    Arguments {
        /// The function or the operator.
        name: String,
        /// What it takes.
        expected: String,
    },
    /// It uses a part of SQL that conditions do not have.
    #[error("conditions have no {what}")]
    NotAllowed {
        /// What it is.
        what: String,
    },
    /// SQLite refused it, or it failed on a record.
    #[error("SQLite says: {reason}")]
    Failed {
        /// What SQLite says.
        reason: String,
    },
    /// It took too long.
    #[error("looking for records took more than {SELECT_SECONDS_MAX} seconds and was stopped")]
    Slow,
}

impl ConditionError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong { .. } | Self::TooDeep => {
                Some("write `column IN (a, b, c)` for `column = a OR column = b OR column = c`")
            }
            Self::Syntax { .. } => Some(
                "write one expression, as it would follow WHERE in SQLite, such as: score > 0.5 AND run_id = 3",
            ),
            Self::UnknownColumn { .. } => {
                Some("a text stands in single quotes; double quotes are for the names of columns")
            }
            Self::Arguments { .. } => Some(
                "patterns, JSON paths and modifiers of a time stand in single quotes; a condition looks at one record, so there are no aggregates",
            ),
            Self::Failed { .. } => Some(
                "check the kinds of the values: a JSON path needs JSON, for example, which `payload` holds",
            ),
            Self::Slow => Some("select fewer records by time, key or source, or write a simpler condition"),
            Self::UnknownFunction { .. } | Self::NotAllowed { .. } => None,
        }
    }
}

/// A condition that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The view that it is about, as an identifier of SQL.
    view: String,
    /// The expression, with its columns as those of `readable`.
    expression: String,
}

impl Condition {
    /// Checks the condition of a selection, if it has one, against the view of its domain.
    pub(super) async fn of(
        connection: &mut SqliteConnection,
        selection: &Selection,
    ) -> Result<Option<Self>, SelectionErrorKind> {
        let Some(text) = &selection.condition else { return Ok(None) };
        let what = || format!("the view of domain `{}`", selection.domain);
        let view: Option<String> = sqlx::query_scalar("SELECT name FROM readable_view WHERE domain = ?")
            .bind(&selection.domain)
            .fetch_optional(&mut *connection)
            .await
            .while_reading(what)?;
        let view = view.unwrap_or_else(|| GENERAL_VIEW.to_owned());
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(&view)
            .fetch_all(&mut *connection)
            .await
            .while_reading(what)?;
        if !columns.iter().any(|column| column == "record_id") {
            return Err(SelectionErrorKind::View { name: view });
        }
        let expression = parse_apart(text, &view, &columns)?;
        let condition = Self { view: quoted(&view), expression };
        // SQLite has the last word, before any record is read.
        let probe = format!("EXPLAIN SELECT {}", condition.is_met_by("0"));
        sqlx::query(AssertSqlSafe(probe))
            .fetch_optional(connection)
            .await
            .map_err(|error| failure(error, selection))?;
        Ok(Some(condition))
    }

    /// True for a record, given by its id, that meets the condition, else null.
    ///
    /// A view may join tables that no column in the expression comes from. Where duplicates do not count, SQLite leaves
    /// such a table out, which halves what a record costs; hence DISTINCT, and not EXISTS, for which SQLite does not.
    pub(super) fn is_met_by(&self, id: &str) -> String {
        let Self { view, expression } = self;
        format!(
            "(SELECT DISTINCT TRUE FROM {view} AS readable WHERE readable.record_id = {id} AND ({expression}))"
        )
    }
}

/// What an error of a statement with a condition says about the condition.
pub(super) fn failure(error: sqlx::Error, selection: &Selection) -> SelectionErrorKind {
    let answer = error.as_database_error();
    match answer.and_then(|answer| Some((answer.code()?, answer))) {
        Some((code, _)) if code == SQLITE_INTERRUPT => ConditionError::Slow.into(),
        Some((code, answer)) if SQLITE_FAILED.contains(&&*code) => {
            ConditionError::Failed { reason: answer.message().to_owned() }.into()
        }
        _ => ReadError::new(selection.what(), error).into(),
    }
}

/// The expression, written anew, by a thread with a stack that is large enough.
fn parse_apart(text: &str, view: &str, columns: &[String]) -> Result<String, SelectionErrorKind> {
    let parsed = std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(PARSER_STACK_BYTES)
            .spawn_scoped(scope, || parse(text, view, columns))?;
        // A panic of the parser is one more way to say that it does not understand.
        Ok(parser.join().unwrap_or_else(|_| Err(syntax(Location::new(1, 1), "an expression"))))
    });
    let parsed = parsed.map_err(sqlx::Error::Io).while_reading(|| "the condition".to_owned())?;
    Ok(parsed?)
}

fn parse(text: &str, view: &str, columns: &[String]) -> Result<String, ConditionError> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(ConditionError::TooLong { bytes: text.len() });
    }
    let tokens = Tokenizer::new(&Conditions, text).tokenize_with_location().map_err(|error| {
        syntax(error.location, "the end of a text in quotes, a name in quotes or a comment")
    })?;
    let mut parser =
        Parser::new(&Conditions).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| refusal(error, text))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(syntax(rest.span.start, "the end"));
    }
    Writer::new(view, columns).write(&expression)
}

fn syntax(Location { line, column }: Location, expected: impl Into<String>) -> ConditionError {
    ConditionError::Syntax { line, column, expected: expected.into() }
}

/// The parser answers with a text: `Expected: an expression, found: x at Line: 1, Column: 5`, without the place if that
/// is the end. What was found is left out, as it may be a text in quotes.
fn refusal(error: ParserError, condition: &str) -> ConditionError {
    let answer = match error {
        ParserError::RecursionLimitExceeded => return ConditionError::TooDeep,
        ParserError::ParserError(answer) | ParserError::TokenizerError(answer) => answer,
    };
    let expected = answer
        .strip_prefix("Expected: ")
        .and_then(|answer| answer.split_once(", found: "))
        .map_or("an expression", |(expected, _)| expected);
    let location = || {
        let (_, place) = answer.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        Some(Location { line: line.parse().ok()?, column: column.parse().ok()? })
    };
    syntax(location().unwrap_or_else(|| end(condition)), expected)
}

/// The place behind the last character.
fn end(text: &str) -> Location {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Location::new(1 + text.matches('\n').count() as u64, 1 + last.chars().count() as u64)
}

/// A name as an identifier of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
