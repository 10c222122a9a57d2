//! The language of conditions: what may stand in one, and how it is written for SQLite.

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectNamePart, UnaryOperator, Value,
};

use super::condition::{CONDITION_DEPTH_MAX, ConditionError, quoted};

/// A function that conditions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionFunction {
    /// Its name in SQLite.
    pub name: &'static str,
    /// The fewest arguments that it takes.
    pub arguments_min: usize,
    /// The most arguments that it takes.
    pub arguments_max: usize,
    /// If set, every argument but the one in this place, from 0, must be a text in quotes. So what the function does
    /// with it is bounded by the length of the condition.
    pub texts_except: Option<usize>,
    /// It reads times, so that a text can ask it for the present or for the time zone of the machine.
    time: bool,
}

impl ConditionFunction {
    /// A function of values.
    const fn of_values(name: &'static str, arguments_min: usize, arguments_max: usize) -> Self {
        Self { name, arguments_min, arguments_max, texts_except: None, time: false }
    }

    /// A function of a value and texts.
    const fn of_texts(name: &'static str, arguments_min: usize, arguments_max: usize) -> Self {
        Self { texts_except: Some(0), ..Self::of_values(name, arguments_min, arguments_max) }
    }

    /// A function of a time and modifiers.
    const fn of_time(name: &'static str) -> Self {
        Self { time: true, ..Self::of_texts(name, 1, ARGUMENTS_MAX) }
    }

    /// What it takes, for an error.
    fn expected(&self) -> String {
        let count = match (self.arguments_min, self.arguments_max) {
            (least, ARGUMENTS_MAX) => format!("{least} or more arguments"),
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        match self.texts_except {
            None => count,
            Some(0) => format!("{count}, all but the first of which are texts in quotes"),
            Some(_) => format!("{count}, all but the second of which are texts in quotes"),
        }
    }
}

/// Arguments of the functions that take any number of them.
const ARGUMENTS_MAX: usize = 64;

/// The functions that conditions have: those of SQLite that look at nothing but their arguments, answer the same every
/// time, and never make a text longer.
pub const FUNCTIONS: &[ConditionFunction] = &[
    ConditionFunction::of_values("abs", 1, 1),
    ConditionFunction::of_values("coalesce", 2, ARGUMENTS_MAX),
    ConditionFunction::of_time("date"),
    ConditionFunction::of_time("datetime"),
    ConditionFunction::of_values("ifnull", 2, 2),
    ConditionFunction::of_values("iif", 3, 3),
    ConditionFunction::of_texts("instr", 2, 2),
    ConditionFunction::of_texts("json_extract", 2, 2),
    ConditionFunction::of_time("julianday"),
    ConditionFunction::of_values("length", 1, 1),
    ConditionFunction::of_values("lower", 1, 1),
    ConditionFunction::of_texts("ltrim", 1, 2),
    ConditionFunction::of_values("max", 2, ARGUMENTS_MAX),
    ConditionFunction::of_values("min", 2, ARGUMENTS_MAX),
    ConditionFunction::of_values("nullif", 2, 2),
    ConditionFunction::of_values("round", 1, 2),
    ConditionFunction::of_texts("rtrim", 1, 2),
    ConditionFunction { arguments_min: 2, texts_except: Some(1), ..ConditionFunction::of_time("strftime") },
    ConditionFunction::of_values("substr", 2, 3),
    ConditionFunction::of_time("time"),
    ConditionFunction::of_texts("trim", 1, 2),
    ConditionFunction::of_values("typeof", 1, 1),
    ConditionFunction::of_time("unixepoch"),
    ConditionFunction::of_values("upper", 1, 1),
];

/// Texts with which the functions of time ask for the present (`now`, and the others where no time is given) or for the
/// time zone of the machine.
const MOMENTS: &[&str] = &["now", "subsec", "subsecond", "localtime", "utc"];

/// Types to which a value can be cast.
const TYPES: &[&str] = &["INTEGER", "INT", "BIGINT", "REAL", "NUMERIC", "TEXT"];

/// Writes an expression for SQLite, if all of it may stand in a condition.
///
/// Parentheses stay where the user has set them and no others come in, so that precedence is SQLite's.
pub(super) struct Writer<'v> {
    view: &'v str,
    columns: &'v [String],
    sql: String,
    /// Expressions around the one at hand.
    depth: usize,
    /// Functions of time around the one at hand.
    times: usize,
}

type Written = Result<(), ConditionError>;

impl<'v> Writer<'v> {
    pub(super) fn new(view: &'v str, columns: &'v [String]) -> Self {
        Self { view, columns, sql: String::new(), depth: 0, times: 0 }
    }

    pub(super) fn write(mut self, expression: &Expr) -> Result<String, ConditionError> {
        self.expression(expression)?;
        Ok(self.sql)
    }

    /// Adds a word. Blanks between words keep `- -1` from becoming a comment.
    fn word(&mut self, word: &str) {
        if !self.sql.is_empty() {
            self.sql.push(' ');
        }
        self.sql.push_str(word);
    }

    fn expression(&mut self, expression: &Expr) -> Written {
        if self.depth == CONDITION_DEPTH_MAX {
            return Err(ConditionError::TooDeep);
        }
        self.depth += 1;
        match expression {
            Expr::Identifier(name) => self.column(name)?,
            Expr::CompoundIdentifier(names) => self.qualified(names)?,
            Expr::Value(value) => self.value(&value.value)?,
            Expr::Nested(inner) => self.parenthesised([&**inner])?,
            Expr::UnaryOp { op, expr } => {
                self.word(unary(*op)?);
                self.expression(expr)?;
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right)?,
            Expr::IsNull(inner) => self.is(inner, "IS NULL")?,
            Expr::IsNotNull(inner) => self.is(inner, "IS NOT NULL")?,
            Expr::IsTrue(inner) => self.is(inner, "IS TRUE")?,
            Expr::IsNotTrue(inner) => self.is(inner, "IS NOT TRUE")?,
            Expr::IsFalse(inner) => self.is(inner, "IS FALSE")?,
            Expr::IsNotFalse(inner) => self.is(inner, "IS NOT FALSE")?,
            Expr::IsDistinctFrom(left, right) => {
                self.is(left, "IS DISTINCT FROM")?;
                self.expression(right)?;
            }
            Expr::IsNotDistinctFrom(left, right) => {
                self.is(left, "IS NOT DISTINCT FROM")?;
                self.expression(right)?;
            }
            Expr::Between { expr, negated, low, high } => {
                self.is(expr, if *negated { "NOT BETWEEN" } else { "BETWEEN" })?;
                self.expression(low)?;
                self.word("AND");
                self.expression(high)?;
            }
            Expr::InList { expr, list, negated } => {
                self.is(expr, if *negated { "NOT IN" } else { "IN" })?;
                self.parenthesised(list)?;
            }
            Expr::Like { .. } => self.like(expression)?,
            Expr::Case { .. } => self.case(expression)?,
            Expr::Cast { .. } => self.cast(expression)?,
            Expr::Function(function) => self.function(function)?,
            Expr::Substring { .. } | Expr::Trim { .. } => self.special_function(expression)?,
            other => return Err(ConditionError::NotAllowed { what: what(other).to_owned() }),
        }
        self.depth -= 1;
        Ok(())
    }

    fn column(&mut self, name: &Ident) -> Written {
        let found = self.columns.iter().find(|column| column.eq_ignore_ascii_case(&name.value));
        let column = found.ok_or_else(|| ConditionError::UnknownColumn {
            name: name.value.clone(),
            columns: self.columns.to_vec(),
        })?;
        self.word(&format!("readable.{}", quoted(column)));
        Ok(())
    }

    fn qualified(&mut self, names: &[Ident]) -> Written {
        match names {
            [view, column] if view.value.eq_ignore_ascii_case(self.view) => self.column(column),
            _ => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                Err(ConditionError::UnknownColumn { name: names.join("."), columns: self.columns.to_vec() })
            }
        }
    }

    fn value(&mut self, value: &Value) -> Written {
        match value {
            Value::Number(digits, false) => self.number(digits)?,
            Value::SingleQuotedString(text) => self.text(text)?,
            Value::Boolean(true) => self.word("TRUE"),
            Value::Boolean(false) => self.word("FALSE"),
            Value::Null => self.word("NULL"),
            Value::Placeholder(_) => return Err(not_allowed("parameters")),
            _ => {
                return Err(not_allowed(
                    "literals besides numbers, texts in single quotes, TRUE, FALSE and NULL",
                ));
            }
        }
        Ok(())
    }

    fn number(&mut self, digits: &str) -> Written {
        let known = |byte: u8| byte.is_ascii_digit() || b".eE+-_".contains(&byte);
        if !digits.bytes().all(known) {
            return Err(not_allowed("numbers that are not decimal"));
        }
        self.word(digits);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Written {
        if text.contains('\0') {
            return Err(not_allowed("characters of value 0"));
        }
        if self.times > 0 && MOMENTS.iter().any(|moment| text.trim().eq_ignore_ascii_case(moment)) {
            return Err(not_allowed(
                "present and no time zone of this machine: a selection means the same records tomorrow",
            ));
        }
        self.word(&format!("'{}'", text.replace('\'', "''")));
        Ok(())
    }

    fn binary(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Written {
        let symbol = binary(operator)?;
        let fits = match operator {
            BinaryOperator::Glob => is_text(right),
            BinaryOperator::Arrow | BinaryOperator::LongArrow => is_text(right) || is_number(right),
            _ => true,
        };
        if !fits {
            return Err(takes(symbol, "a text in quotes on its right"));
        }
        self.is(left, symbol)?;
        self.expression(right)
    }

    /// An expression, and what follows it.
    fn is(&mut self, expression: &Expr, what: &str) -> Written {
        self.expression(expression)?;
        self.word(what);
        Ok(())
    }

    fn parenthesised<'e>(&mut self, list: impl IntoIterator<Item = &'e Expr>) -> Written {
        self.word("(");
        for (place, expression) in list.into_iter().enumerate() {
            if place > 0 {
                self.word(",");
            }
            self.expression(expression)?;
        }
        self.word(")");
        Ok(())
    }

    fn like(&mut self, like: &Expr) -> Written {
        let Expr::Like { negated, any: false, expr, pattern, escape_char } = like else {
            return Err(not_allowed("LIKE ANY"));
        };
        if !is_text(pattern) {
            return Err(takes("LIKE", "a text in quotes on its right"));
        }
        self.is(expr, if *negated { "NOT LIKE" } else { "LIKE" })?;
        self.expression(pattern)?;
        if let Some(escape) = escape_char {
            let one = |text: &str| text.chars().count() == 1;
            if !text_of(escape).is_some_and(one) {
                return Err(takes("ESCAPE", "one character in quotes"));
            }
            self.word("ESCAPE");
            self.expression(escape)?;
        }
        Ok(())
    }

    fn case(&mut self, case: &Expr) -> Written {
        let Expr::Case { operand, conditions, else_result, .. } = case else {
            return Err(not_allowed(what(case)));
        };
        self.word("CASE");
        if let Some(operand) = operand {
            self.expression(operand)?;
        }
        for branch in conditions {
            self.word("WHEN");
            self.is(&branch.condition, "THEN")?;
            self.expression(&branch.result)?;
        }
        if let Some(result) = else_result {
            self.word("ELSE");
            self.expression(result)?;
        }
        self.word("END");
        Ok(())
    }

    fn cast(&mut self, cast: &Expr) -> Written {
        let Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } = cast else {
            return Err(not_allowed("casts besides CAST (value AS type)"));
        };
        let kind = data_type.to_string().to_ascii_uppercase();
        if !TYPES.contains(&kind.as_str()) {
            return Err(takes("CAST", format!("one of the types {}", TYPES.join(", "))));
        }
        self.word("CAST (");
        self.is(expr, "AS")?;
        self.word(&kind);
        self.word(")");
        Ok(())
    }

    fn function(&mut self, function: &Function) -> Written {
        let name = function.name.to_string();
        let [ObjectNamePart::Identifier(_)] = function.name.0.as_slice() else {
            return Err(ConditionError::UnknownFunction { name });
        };
        let known = known(&name)?;
        match function {
            Function {
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args:
                    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }),
                filter: None,
                null_treatment: None,
                over: None,
                within_group,
                ..
            } if clauses.is_empty() && within_group.is_empty() => {
                let arguments = args.iter().map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Ok(argument),
                    _ => Err(takes(known.name, known.expected())),
                });
                self.call(known, &arguments.collect::<Result<Vec<_>, _>>()?)
            }
            Function { args: FunctionArguments::None, .. } => Err(takes(known.name, known.expected())),
            _ => Err(not_allowed("aggregates, windows and clauses within a call")),
        }
    }

    /// Functions that the parser has forms of its own for.
    fn special_function(&mut self, expression: &Expr) -> Written {
        match expression {
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let arguments = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let arguments: Vec<&Expr> =
                    arguments.into_iter().flatten().map(|argument| &**argument).collect();
                self.call(known("substr")?, &arguments)
            }
            Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters } => {
                let mut arguments = vec![&**expr];
                arguments.extend(trim_characters.iter().flatten());
                self.call(known("trim")?, &arguments)
            }
            other => Err(not_allowed(what(other))),
        }
    }

    fn call(&mut self, function: &ConditionFunction, arguments: &[&Expr]) -> Written {
        let enough = (function.arguments_min..=function.arguments_max).contains(&arguments.len());
        let fits = |(place, argument): (usize, &&Expr)| {
            function.texts_except.is_none_or(|except| place == except) || is_text(argument)
        };
        if !enough || !arguments.iter().enumerate().all(fits) {
            return Err(takes(function.name, function.expected()));
        }
        self.times += usize::from(function.time);
        self.word(function.name);
        self.parenthesised(arguments.iter().copied())?;
        self.times -= usize::from(function.time);
        Ok(())
    }
}

fn known(name: &str) -> Result<&'static ConditionFunction, ConditionError> {
    FUNCTIONS
        .iter()
        .find(|function| function.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| ConditionError::UnknownFunction { name: name.to_owned() })
}

fn unary(operator: UnaryOperator) -> Result<&'static str, ConditionError> {
    match operator {
        UnaryOperator::Plus => Ok("+"),
        UnaryOperator::Minus => Ok("-"),
        UnaryOperator::Not => Ok("NOT"),
        UnaryOperator::BitwiseNot => Ok("~"),
        other => Err(not_allowed(format!("operator `{other}`"))),
    }
}

fn binary(operator: &BinaryOperator) -> Result<&'static str, ConditionError> {
    Ok(match operator {
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::Gt => ">",
        BinaryOperator::Lt => "<",
        BinaryOperator::GtEq => ">=",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::And => "AND",
        BinaryOperator::Or => "OR",
        BinaryOperator::BitwiseOr => "|",
        BinaryOperator::BitwiseAnd => "&",
        BinaryOperator::Glob => "GLOB",
        BinaryOperator::Arrow => "->",
        BinaryOperator::LongArrow => "->>",
        other => return Err(not_allowed(format!("operator `{other}`"))),
    })
}

fn is_text(expression: &Expr) -> bool {
    text_of(expression).is_some()
}

fn text_of(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

fn takes(name: &str, expected: impl Into<String>) -> ConditionError {
    ConditionError::Arguments { name: name.to_owned(), expected: expected.into() }
}

fn not_allowed(what: impl Into<String>) -> ConditionError {
    ConditionError::NotAllowed { what: what.into() }
}

/// What an expression is that may not stand in a condition.
fn what(expression: &Expr) -> &'static str {
    match expression {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => "subqueries",
        Expr::Collate { .. } => "COLLATE",
        Expr::Tuple(_) => "rows of values",
        Expr::TypedString(_) | Expr::Interval(_) => "literals with a type",
        Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => "patterns besides LIKE and GLOB",
        _ => "expressions of this kind",
    }
}
