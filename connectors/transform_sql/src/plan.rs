//! From a statement to a program: the planner's tree of filters and projections as steps, and what leaves them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_physical_expr::expressions::Column;
use datafusion_sql::sqlparser::ast::Statement;

use crate::cast;
use crate::catalog;
use crate::compile::{Compiled, compile};
use crate::failure::{NEEDS_ALL_ROWS, carried, not_supported, of_planning, refused};
use crate::form::TYPE_KEY;
use crate::program::{Program, Step};
use crate::special::Guard;
use crate::sql_type::of_result;

/// A column between two steps, and the column of the table that it is, where it is one unchanged.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) field: FieldRef,
    pub(crate) origin: Option<usize>,
}

/// Plan a statement over a table of this schema.
pub(crate) fn program(statement: &Statement, schema: &SchemaRef, now_micros: i64) -> Result<Program, sdk::Error> {
    let mut planner = Planner { table: schema, now_micros, steps: Vec::new() };
    let planned = catalog::plan(statement.clone(), schema).and_then(|plan| planner.walk(&plan));
    let slots = planned.map_err(|error| of_planning(&error))?;
    Ok(Program::new(planner.steps, schema, slots))
}

struct Planner<'a> {
    table: &'a SchemaRef,
    now_micros: i64,
    steps: Vec<Step>,
}

impl Planner<'_> {
    /// Append the steps of a plan; its columns.
    fn walk(&mut self, plan: &LogicalPlan) -> Result<Vec<Slot>> {
        match plan {
            LogicalPlan::TableScan(scan) if scan.projection.is_none() && scan.filters.is_empty() => {
                let fields = self.table.fields().iter().enumerate();
                Ok(fields.map(|(place, field)| Slot { field: field.clone(), origin: Some(place) }).collect())
            }
            LogicalPlan::SubqueryAlias(alias) => self.walk(&alias.input),
            LogicalPlan::Filter(filter) => {
                let slots = self.walk(&filter.input)?;
                let schema = typed(filter.input.schema(), &slots)?;
                let Compiled { expression, guard, .. } = compile(filter.predicate.clone(), &schema, self.now_micros)?;
                self.steps.push(Step::Filter { predicate: expression, guard });
                Ok(slots)
            }
            LogicalPlan::Projection(projection) => {
                let slots = self.walk(&projection.input)?;
                let schema = typed(projection.input.schema(), &slots)?;
                self.project(&projection.expr, projection.schema.as_ref(), &slots, &schema)
            }
            other => Err(carried(not_supported(&format!("`{}`", other.display()), NEEDS_ALL_ROWS))),
        }
    }

    fn project(
        &mut self,
        expressions: &[Expr],
        names: &DFSchema,
        slots: &[Slot],
        schema: &DFSchemaRef,
    ) -> Result<Vec<Slot>> {
        let mut leaving = Vec::new();
        let mut columns = Vec::new();
        let mut all = Guard::default();
        for (expression, name) in expressions.iter().zip(names.fields().iter().map(|field| field.name())) {
            if let Expr::Column(column) = without_names(expression) {
                let place = schema.index_of_column(column)?;
                let slot = &slots[place];
                columns.push(Arc::new(Column::new(slot.field.name(), place)) as _);
                let field = Arc::new(slot.field.as_ref().clone().with_name(name));
                leaving.push(Slot { field, origin: slot.origin });
                continue;
            }
            let Compiled { expression, data_type, guard } = compile(expression.clone(), schema, self.now_micros)?;
            let (data_type, type_name) = of_result(&data_type).ok_or_else(|| {
                let message = format!("Column {name} of the query is of type {}: cast it.", cast::name(&data_type));
                carried(refused("sql_type", message))
            })?;
            let metadata = HashMap::from([(TYPE_KEY.to_owned(), type_name)]);
            let field = Arc::new(Field::new(name, data_type, true).with_metadata(metadata));
            leaving.push(Slot { field, origin: None });
            columns.push(expression);
            all.join(guard);
        }
        let schema = Arc::new(Schema::new(leaving.iter().map(|slot| slot.field.clone()).collect::<Vec<_>>()));
        self.steps.push(Step::Project { columns, guard: all, schema });
        Ok(leaving)
    }
}

fn without_names(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => without_names(&alias.expr),
        other => other,
    }
}

/// The columns by the names of the plan, and with the types that the steps give them.
fn typed(names: &DFSchema, slots: &[Slot]) -> Result<DFSchemaRef> {
    let columns = names.iter().zip(slots).map(|((qualifier, field), slot)| {
        (qualifier.cloned(), Arc::new(slot.field.as_ref().clone().with_name(field.name())))
    });
    Ok(Arc::new(DFSchema::new_with_metadata(columns.collect(), HashMap::new())?))
}
