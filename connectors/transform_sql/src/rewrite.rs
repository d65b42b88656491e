//! Makes of a planned expression one that means in Arrow what was meant in Postgres, or refuses it.
//!
//! It works before the planner adds casts of its own, so that it sees what the query says.

use std::sync::Arc;

use arrow_schema::{DataType, IntervalUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{Between, InList, Like, ScalarFunction};
use datafusion_expr::{BinaryExpr, Case, Cast, Expr, ExprSchemable, Operator, ScalarUDF};
use datafusion_functions::string;

use crate::cast;
use crate::failure::{carried, refused};
use crate::form::{self, Form};
use crate::literal;
use crate::own_function::Own;
use crate::sql_type::{PLANNED_UUID, TIMESTAMP, UUID, timestamptz};
use crate::truncate::Part;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What may stand beside what in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Unknown,
    Boolean,
    Number,
    Text,
    Bytes,
    Uuid,
    Moment,
    Time,
    Interval,
    Other,
}

/// Rewrites the expressions over one schema; `now_micros` is the time that a run has for now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewriter<'a> {
    pub(crate) schema: &'a DFSchema,
    pub(crate) now_micros: i64,
}

impl Rewriter<'_> {
    pub(crate) fn rewrite(&self, expression: Expr) -> Result<Expr> {
        match expression {
            Expr::Alias(alias) => self.rewrite(*alias.expr),
            Expr::Column(column) => self.column(column),
            Expr::Literal(literal, metadata) => Ok(Expr::Literal(as_postgres_reads(literal), metadata)),
            Expr::IsNull(inner) if matches!(*inner, Expr::Column(_)) => Ok(Expr::IsNull(inner)),
            Expr::IsNotNull(inner) if matches!(*inner, Expr::Column(_)) => Ok(Expr::IsNotNull(inner)),
            Expr::Cast(cast) => self.cast(cast),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            Expr::Like(like) => self.like(like),
            Expr::Negative(inner) => self.negative(*inner),
            Expr::Case(case) => self.case(case),
            Expr::ScalarFunction(call) => self.call(call),
            other => other.map_children(|child| self.rewrite(child).map(Transformed::yes)).map(|done| done.data),
        }
    }

    fn type_of(&self, expression: &Expr) -> Result<DataType> {
        expression.get_type(self.schema)
    }

    fn family(&self, expression: &Expr) -> Result<Family> {
        Ok(match self.type_of(expression)? {
            DataType::Null => Family::Unknown,
            DataType::Boolean => Family::Boolean,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
            DataType::Binary => Family::Bytes,
            DataType::FixedSizeBinary(16) => Family::Uuid,
            DataType::Date32 | DataType::Timestamp(..) => Family::Moment,
            DataType::Time64(_) => Family::Time,
            DataType::Interval(_) => Family::Interval,
            other if other.is_numeric() => Family::Number,
            _ => Family::Other,
        })
    }

    /// A column that is computed with.
    fn column(&self, column: Column) -> Result<Expr> {
        let field = form::field(self.schema, &column)?;
        match form::of(field) {
            (Form::Plain, _) => Ok(Expr::Column(column)),
            (Form::Padded, _) => Ok(string::rtrim().call(vec![Expr::Column(column)])),
            (Form::Uuid | Form::Text, type_name) => Err(form::not_computable(&column, type_name)),
        }
    }

    /// A value that is compared or chosen, but not computed with: a uuid may stand there.
    fn operand(&self, expression: Expr) -> Result<Expr> {
        match expression {
            Expr::Column(column) if form::of(form::field(self.schema, &column)?).0 == Form::Uuid => {
                Ok(Expr::Column(column))
            }
            other => self.rewrite(other),
        }
    }

    fn cast(&self, cast: Cast) -> Result<Expr> {
        let to = if cast.data_type == PLANNED_UUID { UUID } else { cast.data_type };
        if let Expr::Column(column) = cast.expr.as_ref() {
            let field = form::field(self.schema, column)?;
            match form::of(field) {
                (Form::Text, type_name) => {
                    let is_number = type_name == "numeric" || type_name.starts_with("numeric(");
                    let is_exact =
                        matches!(to, DataType::Utf8) || (is_number && matches!(to, DataType::Decimal128(..)));
                    if !is_exact {
                        return Err(form::not_computable(column, type_name));
                    }
                    return cast::asked(*cast.expr, &DataType::Utf8, &to);
                }
                (Form::Uuid, _) => return cast::asked(*cast.expr, &UUID, &to),
                (Form::Plain | Form::Padded, _) => {}
            }
        }
        if let Some(text) = literal::text(&cast.expr) {
            return literal::typed(text, &to);
        }
        let value = self.rewrite(*cast.expr)?;
        let from = self.type_of(&value)?;
        cast::asked(value, &from, &to)
    }

    fn binary(&self, BinaryExpr { left, op, right }: BinaryExpr) -> Result<Expr> {
        let (left, right) = match op {
            Operator::And | Operator::Or => (self.rewrite(*left)?, self.rewrite(*right)?),
            _ if op.is_numerical_operators() => self.arithmetic(*left, op, *right)?,
            _ if is_comparison(op) => self.alike(self.operand(*left)?, self.operand(*right)?)?,
            _ => self.texts(*left, &op.to_string(), *right)?,
        };
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
    }

    fn arithmetic(&self, left: Expr, op: Operator, right: Expr) -> Result<(Expr, Expr)> {
        let (left, right) = (self.rewrite(left)?, self.rewrite(right)?);
        let is_timestamp = |of: &Expr| {
            Ok::<_, datafusion_common::DataFusionError>(matches!(self.type_of(of)?, DataType::Timestamp(..)))
        };
        let fits = match (self.family(&left)?, self.family(&right)?) {
            (Family::Number | Family::Unknown, Family::Number | Family::Unknown) => true,
            (Family::Moment, Family::Interval) => {
                is_timestamp(&left)? && matches!(op, Operator::Plus | Operator::Minus)
            }
            (Family::Interval, Family::Moment) => is_timestamp(&right)? && op == Operator::Plus,
            _ => false,
        };
        if fits {
            return Ok((left, right));
        }
        let (a, b) = (self.type_of(&left)?, self.type_of(&right)?);
        let hint = if matches!(a, DataType::Date32) || matches!(b, DataType::Date32) {
            " To a date, cast to timestamp, an interval can be added."
        } else if matches!((&a, &b), (DataType::Timestamp(..), DataType::Timestamp(..))) {
            " Seconds between two times are EXTRACT(epoch FROM a) - EXTRACT(epoch FROM b)."
        } else {
            ""
        };
        Err(self.no_operator(&a, &op.to_string(), &b, hint))
    }

    fn texts(&self, left: Expr, op: &str, right: Expr) -> Result<(Expr, Expr)> {
        let (left, right) = (self.rewrite(left)?, self.rewrite(right)?);
        let is_text = |of: &Expr| {
            Ok::<_, datafusion_common::DataFusionError>(matches!(self.family(of)?, Family::Text | Family::Unknown))
        };
        if is_text(&left)? && is_text(&right)? {
            return Ok((left, right));
        }
        Err(self.no_operator(&self.type_of(&left)?, op, &self.type_of(&right)?, " Cast what is no text to text."))
    }

    /// Two operands that are compared: of one kind, or one a text in quotes that stands for a value of the other's type.
    fn alike(&self, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        let (left, right) = (self.like_the_other(left, &right)?, right);
        let (right, left) = (self.like_the_other(right, &left)?, left);
        match (self.family(&left)?, self.family(&right)?) {
            (Family::Other, _) | (_, Family::Other) => {}
            (Family::Unknown, _) | (_, Family::Unknown) => return Ok((left, right)),
            (Family::Moment, Family::Moment) => return self.same_moments(left, right),
            (Family::Number, Family::Number) => return self.same_numbers(left, right),
            (a, b) if a == b => return Ok((left, right)),
            _ => {}
        }
        Err(self.no_operator(
            &self.type_of(&left)?,
            "compared with",
            &self.type_of(&right)?,
            " Cast one to the other's type.",
        ))
    }

    /// A date beside a time is its midnight, and a time without zone is one of UTC.
    fn same_moments(&self, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        let (a, b) = (self.type_of(&left)?, self.type_of(&right)?);
        if a == b {
            return Ok((left, right));
        }
        let has_zone = |of: &DataType| matches!(of, DataType::Timestamp(_, Some(_)));
        let common = if has_zone(&a) || has_zone(&b) { timestamptz() } else { TIMESTAMP };
        let cast =
            |value: Expr, from: &DataType| if *from == common { Ok(value) } else { cast::asked(value, from, &common) };
        Ok((cast(left, &a)?, cast(right, &b)?))
    }

    /// A numeric beside a float is a float.
    fn same_numbers(&self, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        let (a, b) = (self.type_of(&left)?, self.type_of(&right)?);
        let is_decimal = |of: &DataType| matches!(of, DataType::Decimal128(..));
        Ok(if a.is_floating() && is_decimal(&b) {
            (left, cast::asked(right, &b, &DataType::Float64)?)
        } else if is_decimal(&a) && b.is_floating() {
            (cast::asked(left, &a, &DataType::Float64)?, right)
        } else {
            (left, right)
        })
    }

    fn like_the_other(&self, one: Expr, other: &Expr) -> Result<Expr> {
        match literal::text(&one) {
            Some(text) if !matches!(self.family(other)?, Family::Text | Family::Unknown) => {
                literal::typed(text, &self.type_of(other)?)
            }
            _ => Ok(one),
        }
    }

    fn between(&self, Between { expr, negated, low, high }: Between) -> Result<Expr> {
        let value = self.operand(*expr)?;
        let (value, low) = self.alike(value, self.operand(*low)?)?;
        let (value, high) = self.alike(value, self.operand(*high)?)?;
        Ok(Expr::Between(Between::new(Box::new(value), negated, Box::new(low), Box::new(high))))
    }

    fn in_list(&self, InList { expr, list, negated }: InList) -> Result<Expr> {
        let value = self.operand(*expr)?;
        let list: Vec<Expr> = list
            .into_iter()
            .map(|member| self.alike(value.clone(), self.operand(member)?).map(|(_, member)| member))
            .collect::<Result<_>>()?;
        Ok(Expr::InList(InList::new(Box::new(value), list, negated)))
    }

    fn like(&self, Like { negated, expr, pattern, escape_char, case_insensitive }: Like) -> Result<Expr> {
        let (value, pattern) = self.texts(*expr, "LIKE", *pattern)?;
        Ok(Expr::Like(Like::new(negated, Box::new(value), Box::new(pattern), escape_char, case_insensitive)))
    }

    /// Of integers, the negation is a difference, which fails where it does not fit.
    fn negative(&self, inner: Expr) -> Result<Expr> {
        let inner = self.rewrite(inner)?;
        let data_type = self.type_of(&inner)?;
        if !data_type.is_integer() {
            return Ok(Expr::Negative(Box::new(inner)));
        }
        let zero = Expr::Literal(ScalarValue::new_zero(&data_type)?, None);
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(zero), Operator::Minus, Box::new(inner))))
    }

    fn case(&self, case: Case) -> Result<Expr> {
        let base = case.expr.map(|base| self.operand(*base)).transpose()?;
        let mut branches = Vec::new();
        for (when, then) in case.when_then_expr {
            let when = match &base {
                None => self.rewrite(*when)?,
                Some(base) => self.alike(base.clone(), self.operand(*when)?)?.1,
            };
            branches.push((Box::new(when), Box::new(self.operand(*then)?)));
        }
        let otherwise = case.else_expr.map(|other| self.operand(*other)).transpose()?;
        self.require_one_family(branches.iter().map(|(_, then)| then.as_ref()).chain(&otherwise), "CASE")?;
        Ok(Expr::Case(Case::new(base.map(Box::new), branches, otherwise.map(Box::new))))
    }

    fn call(&self, call: ScalarFunction) -> Result<Expr> {
        let name = call.name().to_owned();
        let chooses = matches!(name.as_str(), "coalesce" | "nullif" | "greatest" | "least");
        let rewrite = |argument| if chooses { self.operand(argument) } else { self.rewrite(argument) };
        let arguments: Vec<Expr> = call.args.into_iter().map(rewrite).collect::<Result<_>>()?;
        if chooses {
            self.require_one_family(arguments.iter(), &name)?;
        }
        match (name.as_str(), arguments.as_slice()) {
            ("now", []) => {
                let zone = Some(Arc::from("UTC"));
                return Ok(Expr::Literal(ScalarValue::TimestampMicrosecond(Some(self.now_micros), zone), None));
            }
            ("current_date", []) => {
                let today = i32::try_from(self.now_micros.div_euclid(MICROS_PER_DAY)).ok();
                return Ok(Expr::Literal(ScalarValue::Date32(today), None));
            }
            ("date_trunc", [part, time]) => return self.truncation(part, time.clone()),
            ("ceil" | "floor", [value]) => {
                if let DataType::Decimal128(precision, scale) = self.type_of(value)? {
                    return whole(call.func, value.clone(), precision, scale);
                }
            }
            ("round", [value]) if self.type_of(value)?.is_floating() => return Ok(Own::RoundEven.of(value.clone())),
            ("round", [value, _]) if self.type_of(value)?.is_floating() => {
                let message = "The query rounds a double precision to digits: cast it to numeric(p, s) instead.";
                return Err(carried(refused("sql_type", message)));
            }
            _ => {}
        }
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(call.func, arguments)))
    }

    fn truncation(&self, part: &Expr, time: Expr) -> Result<Expr> {
        let time = match self.type_of(&time)? {
            DataType::Date32 => cast::asked(time, &DataType::Date32, &timestamptz())?,
            DataType::Timestamp(..) => time,
            other => return Err(self.no_operator(&DataType::Utf8, "date_trunc", &other, " Cast it to timestamp.")),
        };
        let part = literal::text(part).and_then(Part::named).ok_or_else(|| {
            let message = "The query truncates a time to no part that is known: it can be millisecond, second, minute, \
                 hour, day, week, month, quarter or year.";
            carried(refused("sql_type", message))
        })?;
        Ok(Own::Truncate(part).of(time))
    }

    /// Values of which one is chosen must be of one kind, or the planner would make texts of them.
    fn require_one_family<'e>(&self, choices: impl Iterator<Item = &'e Expr>, what: &str) -> Result<()> {
        let mut known: Option<(Family, DataType)> = None;
        for choice in choices {
            let (family, data_type) = (self.family(choice)?, self.type_of(choice)?);
            match &known {
                _ if family == Family::Unknown => {}
                None => known = Some((family, data_type)),
                Some((other, _)) if *other == family => {}
                Some((_, other)) => {
                    let (other, this) = (cast::name(other), cast::name(&data_type));
                    let message = format!("The query has {other} beside {this} in {what}: cast one of them.");
                    return Err(carried(refused("sql_type", message)));
                }
            }
        }
        Ok(())
    }

    fn no_operator(
        &self,
        left: &DataType,
        op: &str,
        right: &DataType,
        hint: &str,
    ) -> datafusion_common::DataFusionError {
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let name = |of: &DataType| if *of == interval { "interval".to_owned() } else { cast::name(of) };
        let message = format!("A transform cannot do: {} {op} {}.{hint}", name(left), name(right));
        carried(refused("sql_type", message))
    }
}

/// A numeric rounded up or down to one without a fraction, which may have a digit more before the point.
fn whole(function: Arc<ScalarUDF>, value: Expr, precision: u8, scale: i8) -> Result<Expr> {
    let from = DataType::Decimal128(precision, scale);
    let wide = DataType::Decimal128(38, scale);
    let digits = precision.saturating_sub(scale.unsigned_abs()).saturating_add(1).min(38);
    let rounded = Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![cast::asked(value, &from, &wide)?]));
    cast::asked(rounded, &wide, &DataType::Decimal128(digits, 0))
}

/// A number without a fraction is an integer where it fits one.
fn as_postgres_reads(literal: ScalarValue) -> ScalarValue {
    match literal {
        ScalarValue::Int64(Some(number)) => {
            i32::try_from(number).map_or(literal, |number| ScalarValue::Int32(Some(number)))
        }
        other => other,
    }
}

pub(crate) fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}
