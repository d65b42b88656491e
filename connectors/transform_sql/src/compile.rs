//! From a planned expression to one that runs: rewritten, with the planner's casts, simplified, and failing on overflow.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DFSchemaRef, DataFusionError, Result};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{BinaryExpr, Case, Expr, ExprSchemable, Operator};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::expressions::BinaryExpr as PhysicalBinary;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};

use crate::cast;
use crate::own_function::Own;
use crate::rewrite::{Rewriter, is_comparison};
use crate::special::Guard;

/// An expression over the columns of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) expression: Arc<dyn PhysicalExpr>,
    pub(crate) data_type: DataType,
    pub(crate) guard: Guard,
}

pub(crate) fn compile(expression: Expr, schema: &DFSchemaRef, now_micros: i64) -> Result<Compiled> {
    let rewritten = Rewriter { schema, now_micros }.rewrite(expression)?;
    let simplifier = ExprSimplifier::new(SimplifyContext::default().with_schema(schema.clone()));
    let coerced = simplifier.coerce(rewritten, schema)?;
    cast::check_added(&coerced, schema)?;
    let plain = coerced.transform_up(without_mark)?.data;
    check_constants(&plain)?;
    let simplified = simplifier.simplify(plain)?;
    let keyed = simplified.transform_up(|node| compare_floats_by_key(node, schema))?.data;
    let mut guard = Guard::default();
    guard.watch(&keyed, schema)?;
    let data_type = keyed.get_type(schema)?;
    Ok(Compiled { expression: physical(&keyed, schema)?, data_type, guard })
}

/// Take the mark off a cast that the query asks for, once it has served.
fn without_mark(node: Expr) -> Result<Transformed<Expr>> {
    match node {
        Expr::ScalarFunction(mut call) if Own::called(&call.func) == Some(Own::Asked) => {
            Ok(call.args.pop().map_or_else(|| Transformed::no(Expr::ScalarFunction(call)), Transformed::yes))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Evaluate what has no columns, for the simplifier would let it overflow.
fn check_constants(expression: &Expr) -> Result<()> {
    expression.apply(|node| {
        if node.any_column_refs() || node.is_volatile() {
            return Ok(TreeNodeRecursion::Continue);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
        match physical(node, &DFSchema::empty())?.evaluate(&row) {
            // A function that only the simplifier knows how to call.
            Ok(_) | Err(DataFusionError::Internal(_)) => Ok(TreeNodeRecursion::Jump),
            Err(error) => Err(error),
        }
    })?;
    Ok(())
}

/// Arrow tells -0 from 0 and one NaN from another; Postgres does not.
fn compare_floats_by_key(node: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let key = |value: Box<Expr>| -> Result<Box<Expr>> {
        Ok(if value.get_type(schema)?.is_floating() { Box::new(Own::FloatKey.of(*value)) } else { value })
    };
    Ok(match node {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(key(left)?, op, key(right)?)))
        }
        Expr::InList(mut list) => {
            list.expr = key(list.expr)?;
            Transformed::yes(Expr::InList(list))
        }
        Expr::Between(mut between) => {
            (between.expr, between.low, between.high) = (key(between.expr)?, key(between.low)?, key(between.high)?);
            Transformed::yes(Expr::Between(between))
        }
        Expr::Case(Case { expr: Some(base), when_then_expr, else_expr }) => {
            let branches = when_then_expr.into_iter().map(|(when, then)| Ok((key(when)?, then)));
            Transformed::yes(Expr::Case(Case::new(Some(key(base)?), branches.collect::<Result<_>>()?, else_expr)))
        }
        other => Transformed::no(other),
    })
}

fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    let expression = create_physical_expr(expression, schema, &ExecutionProps::new())?;
    let failing = expression.transform_up(|node| {
        let Some(binary) = node.as_any().downcast_ref::<PhysicalBinary>() else {
            return Ok(Transformed::no(node));
        };
        if !matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply) {
            return Ok(Transformed::no(node));
        }
        let failing = PhysicalBinary::new(binary.left().clone(), *binary.op(), binary.right().clone());
        Ok(Transformed::yes(Arc::new(failing.with_fail_on_overflow(true)) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(failing.data)
}
