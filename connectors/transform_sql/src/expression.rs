//! Which expressions a query may have: those that mean here what they mean in Postgres. Everything else is refused.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CastKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query,
    UnaryOperator, Value, ValueWithSpan, visit_expressions,
};
use sdk::Result;

use crate::failure::{NEEDS_ALL_ROWS, not_supported, refused};
use crate::function;
use crate::statement::normal;

/// The longest chain of operators, such as `a OR b OR c`: what walks through it takes a step of the stack for each.
const MAX_CHAIN: usize = 128;
const AGGREGATES: [&str; 21] = [
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "stddev",
    "string_agg",
    "sum",
    "variance",
    "percentile_cont",
];
const WINDOW_FUNCTIONS: [&str; 10] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
];
/// What EXTRACT gives as Postgres does. Of seconds it would drop the fraction, and it counts the days of ISO from 0.
const PARTS: [&str; 11] =
    ["year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "isoyear", "epoch"];

/// Refuse chains of operators before anything recurses into them.
pub(crate) fn check_depth(query: &Query) -> Result<()> {
    walk(query, |expression| {
        let mut chain = 0;
        let mut next = expression;
        while let Expr::BinaryOp { left, .. } = next {
            (chain, next) = (chain + 1, left);
        }
        if chain <= MAX_CHAIN {
            return Ok(());
        }
        let message = format!("The query has {chain} operators in a chain, and may have {MAX_CHAIN}: use IN (…).");
        Err(refused("sql_not_supported", message))
    })
}

/// Refuse what is not known to mean what it means in Postgres.
pub(crate) fn check(query: &Query) -> Result<()> {
    walk(query, check_expression)
}

fn walk(query: &Query, check: impl Fn(&Expr) -> Result<()>) -> Result<()> {
    let outcome = visit_expressions(query, |expression| match check(expression) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    });
    match outcome {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

fn check_expression(expression: &Expr) -> Result<()> {
    match expression {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Nested(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::Between { .. }
        | Expr::Like { any: false, escape_char: None, .. }
        | Expr::ILike { any: false, escape_char: None, .. }
        | Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, array: false, format: None, .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::TypedString(_)
        | Expr::Case { .. }
        | Expr::Interval(_) => Ok(()),
        Expr::Value(literal) => check_literal(&literal.value, expression),
        Expr::BinaryOp { op, .. } => check_operator(op),
        Expr::UnaryOp { op: UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not, .. } => Ok(()),
        Expr::Extract { field, .. } => check_part(&part(field)),
        Expr::Function(function) => check_function(function),
        Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) | Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            Err(not_supported(
                "a query within an expression",
                "It sees one row at a time: join in a view at the source.",
            ))
        }
        Expr::AtTimeZone { .. } => Err(not_supported(
            "AT TIME ZONE",
            "Times are in UTC here: convert them at the source or in the destination.",
        )),
        other => Err(not_supported(&format!("`{other}`"), "See docs/PIPELINE.md for what it can have.")),
    }
}

fn check_literal(literal: &Value, expression: &Expr) -> Result<()> {
    match literal {
        Value::Number(..)
        | Value::SingleQuotedString(_)
        | Value::EscapedStringLiteral(_)
        | Value::DollarQuotedString(_)
        | Value::Boolean(_)
        | Value::Null => Ok(()),
        Value::Placeholder(_) => {
            Err(not_supported(&format!("the parameter {expression}"), "Write the value, or take it from ${NAME}."))
        }
        _ => Err(not_supported(&format!("the literal {expression}"), "Write a number or a text in single quotes.")),
    }
}

fn check_operator(operator: &BinaryOperator) -> Result<()> {
    use BinaryOperator as Op;
    match operator {
        Op::Plus
        | Op::Minus
        | Op::Multiply
        | Op::Divide
        | Op::Modulo
        | Op::StringConcat
        | Op::Gt
        | Op::Lt
        | Op::GtEq
        | Op::LtEq
        | Op::Eq
        | Op::NotEq
        | Op::And
        | Op::Or
        | Op::PGRegexMatch
        | Op::PGRegexIMatch
        | Op::PGRegexNotMatch
        | Op::PGRegexNotIMatch => Ok(()),
        other => Err(not_supported(&format!("the operator {other}"), "See docs/PIPELINE.md for those it can have.")),
    }
}

fn part(field: &DateTimeField) -> String {
    field.to_string().trim_matches('\'').to_lowercase()
}

fn check_part(part: &str) -> Result<()> {
    if PARTS.contains(&part) {
        return Ok(());
    }
    Err(not_supported(&format!("EXTRACT of {part}"), &format!("It can be one of {}.", PARTS.join(", "))))
}

fn check_function(function: &Function) -> Result<()> {
    let name = match function.name.0.as_slice() {
        [part] => part.as_ident().map(normal),
        _ => None,
    };
    let name = name.unwrap_or_else(|| function.name.to_string());
    if function.over.is_some() || WINDOW_FUNCTIONS.contains(&name.as_str()) {
        return Err(not_supported(&format!("the window function {name}"), NEEDS_ALL_ROWS));
    }
    if AGGREGATES.contains(&name.as_str()) || function.filter.is_some() || !function.within_group.is_empty() {
        return Err(not_supported(&format!("the aggregate {name}"), NEEDS_ALL_ROWS));
    }
    if function::find(&name).is_none() {
        let known = function::names().join(", ");
        return Err(refused("sql_unknown_function", format!("A transform has no function {name}. It has: {known}.")));
    }
    let arguments = plain_arguments(function).ok_or_else(|| {
        not_supported(&format!("`{function}`"), "Write the arguments of a function one after the other, without names.")
    })?;
    match (name.as_str(), arguments.first()) {
        ("date_part", Some(Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(part), .. }))) => {
            check_part(&part.to_lowercase())
        }
        ("date_part", _) => Err(not_supported("date_part of a part that is not a text", "Write date_part('year', …).")),
        _ => Ok(()),
    }
}

/// The arguments of a call that has nothing but arguments.
fn plain_arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return matches!(function.args, FunctionArguments::None).then(Vec::new);
    };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() || function.null_treatment.is_some() {
        return None;
    }
    let plain = |argument| match argument {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expression)) => Some(expression),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}
