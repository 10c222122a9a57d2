//! SQLite's SQL for the parser, where what the parser has does not do.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// How tightly `->` and `->>` bind: more than any calculation, which is at 40, and less than `a.b`, which is at 100. The
/// parser's own SQLite has them below all calculations, as PostgreSQL has.
const ARROW: u8 = 60;

/// The parser's SQLite, but with arrows that bind as in SQLite, and without `x NOT NULL`: the parser cannot tell it from
/// `x IS NOT NULL`, which binds differently.
#[derive(Debug)]
pub(super) struct Conditions;

impl Dialect for Conditions {
    fn dialect(&self) -> TypeId {
        TypeId::of::<SQLiteDialect>()
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        SQLiteDialect {}.is_delimited_identifier_start(character)
    }

    fn is_identifier_start(&self, character: char) -> bool {
        SQLiteDialect {}.is_identifier_start(character)
    }

    fn is_identifier_part(&self, character: char) -> bool {
        SQLiteDialect {}.is_identifier_part(character)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        SQLiteDialect {}.parse_infix(parser, left, precedence)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let is = |token: &TokenWithSpan, keyword| matches!(&token.token, Token::Word(word) if word.keyword == keyword);
        match &parser.peek_token_ref().token {
            Token::Arrow | Token::LongArrow => Some(Ok(ARROW)),
            _ if is(parser.peek_token_ref(), Keyword::NOT)
                && is(parser.peek_nth_token_ref(1), Keyword::NULL) =>
            {
                Some(Ok(self.prec_unknown()))
            }
            _ => None,
        }
    }

    fn supports_in_empty_list(&self) -> bool {
        SQLiteDialect {}.supports_in_empty_list()
    }

    fn supports_comma_separated_trim(&self) -> bool {
        SQLiteDialect {}.supports_comma_separated_trim()
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        SQLiteDialect {}.supports_numeric_literal_underscores()
    }

    fn supports_dollar_placeholder(&self) -> bool {
        SQLiteDialect {}.supports_dollar_placeholder()
    }
}
