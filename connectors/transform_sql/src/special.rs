//! Values that Arrow's functions would take for others: NaN of numeric, infinite and far dates and times, 24:00.
//!
//! Compared, chosen and passed on they mean what they mean in Postgres, for they lie where they order. A row that has
//! one where it is computed with is a row that cannot be computed.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::Expr;

use crate::failure::Failure;
use crate::own_function::Own;
use crate::rewrite::is_comparison;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The days that Arrow's calendar knows, a little narrowed: from -262000-01-01 to 261999-12-31.
const DAYS: std::ops::Range<i32> = -96_413_063..94_974_007;
/// 4713-01-01 BC, before which Postgres has no time.
const LEAST_TIMESTAMP: i64 = -210_866_803_200_000_000;
const NUMERIC_NAN: i128 = i128::MAX;

/// What an expression, or a step, does with the columns that may hold such values: their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    computed: BTreeSet<usize>,
    compared: BTreeSet<usize>,
}

impl Guard {
    /// Add what an expression does.
    pub(crate) fn watch(&mut self, expression: &Expr, schema: &DFSchema) -> Result<()> {
        if let Expr::Column(column) = expression {
            self.computed.insert(schema.index_of_column(column)?);
            return Ok(());
        }
        let passes = passes_values(expression);
        expression.apply_children(|child| {
            match child {
                Expr::Column(column) if passes => {
                    self.compared.insert(schema.index_of_column(column)?);
                }
                _ => self.watch(child, schema)?,
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    pub(crate) fn join(&mut self, other: Guard) {
        self.computed.extend(other.computed);
        self.compared.extend(other.compared);
    }

    /// Fail if a column holds a value that is not for what is done with it.
    pub(crate) fn check(&self, batch: &RecordBatch) -> Result<(), Failure> {
        let computed = self.computed.iter().map(|&place| (place, first_special(batch.column(place))));
        let compared = self.compared.iter().map(|&place| (place, first_wrapped(batch.column(place))));
        let mut found = computed.chain(compared).filter_map(|(place, row)| Some((place, row?)));
        let Some((place, row)) = found.next() else {
            return Ok(());
        };
        let schema = batch.schema();
        let name = schema.field(place).name();
        let value = sdk::text::of_value(batch.column(place), row).unwrap_or_default();
        Err(Failure::row(&format!("column {name} is {value}, which a transform can only pass on")))
    }
}

/// Whether an expression only compares or chooses among the columns right below it.
fn passes_values(expression: &Expr) -> bool {
    match expression {
        Expr::BinaryExpr(binary) => is_comparison(binary.op),
        Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::Between(_) | Expr::InList(_) | Expr::Case(_) | Expr::Alias(_) => {
            true
        }
        Expr::ScalarFunction(call) => {
            matches!(call.name(), "nullif" | "greatest" | "least")
                || matches!(Own::called(&call.func), Some(Own::Text | Own::Truncate(_)))
        }
        _ => false,
    }
}

/// The first time so late that it wraps around to the least values (docs/ABI.md §9).
fn first_wrapped(column: &dyn Array) -> Option<usize> {
    let DataType::Timestamp(..) = column.data_type() else {
        return None;
    };
    let values = column.as_primitive::<TimestampMicrosecondType>().values();
    (0..column.len()).find(|&row| column.is_valid(row) && values[row] < LEAST_TIMESTAMP && values[row] != i64::MIN)
}

fn first_special(column: &dyn Array) -> Option<usize> {
    let is_special: Box<dyn Fn(usize) -> bool> = match column.data_type() {
        DataType::Decimal128(..) => {
            let values = column.as_primitive::<Decimal128Type>().values();
            Box::new(|row| values[row] == NUMERIC_NAN)
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>().values();
            Box::new(|row| !DAYS.contains(&values[row]))
        }
        DataType::Timestamp(..) => {
            let values = column.as_primitive::<TimestampMicrosecondType>().values();
            let least = i64::from(DAYS.start) * MICROS_PER_DAY;
            let end = i64::from(DAYS.end) * MICROS_PER_DAY;
            Box::new(move |row| !(least..end).contains(&values[row]))
        }
        DataType::Time64(_) => {
            let values = column.as_primitive::<Time64MicrosecondType>().values();
            Box::new(|row| values[row] >= MICROS_PER_DAY)
        }
        _ => return None,
    };
    (0..column.len()).find(|&row| column.is_valid(row) && is_special(row))
}
