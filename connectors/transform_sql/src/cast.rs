//! Casts: which a query may ask for and what they become, and which the planner may add by itself.
//!
//! Arrow's casts are not Postgres' everywhere: to an integer they cut, and floats become texts of other digits. A cast
//! that is not listed is refused.

use arrow_schema::DataType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::{Cast, Expr, ExprSchemable};

use crate::failure::{carried, refused};
use crate::own_function::Own;
use crate::sql_type::of_result;

/// Enough for any number that is an integer of Postgres, and for the carry of rounding.
const WHOLE: DataType = DataType::Decimal128(38, 0);

/// What the query's own cast of a value becomes.
pub(crate) fn asked(value: Expr, from: &DataType, to: &DataType) -> Result<Expr> {
    let plain = |value: Expr, to: &DataType| Expr::Cast(Cast::new(Box::new(Own::Asked.of(value)), to.clone()));
    if from == to || from.is_null() {
        return Ok(plain(value, to));
    }
    let cast = match (from, to) {
        (from, DataType::Utf8) if of_result(from).is_some_and(|(wire, _)| wire == *from) => Some(Own::Text.of(value)),
        (DataType::Utf8, DataType::FixedSizeBinary(_)) => Some(Own::Uuid.of(value)),
        (DataType::Utf8, DataType::Timestamp(_, None)) => Some(plain(Own::WithoutZone.of(value), to)),
        (from, to) if from.is_floating() && to.is_integer() => Some(plain(Own::RoundEven.of(value), to)),
        (DataType::Decimal128(..), to) if to.is_integer() => Some(plain(plain(value, &WHOLE), to)),
        (from, DataType::Decimal128(..)) if from.is_floating() => Some(plain(Own::Text.of(value), to)),
        (from, to) if is_same_everywhere(from, to) => Some(plain(value, to)),
        _ => None,
    };
    cast.ok_or_else(|| carried(refused("sql_type", format!("A transform cannot cast {} to {}.", name(from), name(to)))))
}

/// Casts that mean the same to Arrow and to Postgres.
fn is_same_everywhere(from: &DataType, to: &DataType) -> bool {
    let is_moment = |of: &DataType| matches!(of, DataType::Date32 | DataType::Timestamp(..));
    match (from, to) {
        (DataType::Utf8, DataType::Binary) => false,
        (DataType::Utf8, _) => true,
        (DataType::Boolean, DataType::Int32) | (DataType::Int32, DataType::Boolean) => true,
        (DataType::Timestamp(..), DataType::Time64(_)) => true,
        (from, to) if is_moment(from) && is_moment(to) => true,
        (from, to) if from.is_integer() => to.is_numeric(),
        (from, to) if from.is_floating() => to.is_floating(),
        (DataType::Decimal128(..), to) => to.is_floating() || matches!(to, DataType::Decimal128(..)),
        _ => false,
    }
}

/// Refuse what the planner casts by itself and Postgres would not, or not in this way.
pub(crate) fn check_added(expression: &Expr, schema: &DFSchema) -> Result<()> {
    expression.apply(|node| {
        let in_function = matches!(node, Expr::ScalarFunction(_));
        node.apply_children(|child| {
            if let Expr::Cast(cast) = child {
                check_one(cast, in_function, schema)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    match expression {
        Expr::Cast(cast) => check_one(cast, false, schema),
        _ => Ok(()),
    }
}

fn check_one(cast: &Cast, in_function: bool, schema: &DFSchema) -> Result<()> {
    let is_asked =
        matches!(cast.expr.as_ref(), Expr::ScalarFunction(call) if Own::called(&call.func) == Some(Own::Asked));
    let is_literal = matches!(cast.expr.as_ref(), Expr::Literal(..));
    let from = cast.expr.get_type(schema)?;
    if is_asked || is_literal || is_harmless(&from, &cast.data_type, in_function) {
        return Ok(());
    }
    let (from, to) = (name(&from), name(&cast.data_type));
    let value = cast.expr.to_string();
    let value = value.rsplit('.').next().unwrap_or(&value);
    let message = format!("The query uses {value}, which is {from}, as {to}: write a cast where one is meant.");
    Err(carried(refused("sql_type", message)))
}

fn is_harmless(from: &DataType, to: &DataType, in_function: bool) -> bool {
    let is_text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let is_bytes = |of: &DataType| matches!(of, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    let is_wire = |of: &DataType| of_result(of).is_some_and(|(wire, _)| wire == *of);
    from == to
        || from.is_null()
        || (is_text(from) && is_text(to))
        || (is_bytes(from) && is_bytes(to))
        || (from.is_integer() && to.is_numeric())
        || (from.is_floating() && to.is_floating())
        || matches!((from, to), (DataType::Decimal128(..), DataType::Decimal128(..)))
        || (matches!(from, DataType::Decimal128(..)) && to.is_floating() && !in_function)
        || (matches!(from, DataType::Date32 | DataType::Timestamp(..))
            && matches!(to, DataType::Timestamp(..))
            && is_wire(to))
}

/// A type as people call it.
pub(crate) fn name(data_type: &DataType) -> String {
    match of_result(data_type) {
        Some((wire, name)) if wire == *data_type => name,
        _ => data_type.to_string(),
    }
}
