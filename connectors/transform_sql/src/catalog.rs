//! What the planner may look up: one table, the functions of [`crate::function`], and the types of [`crate::sql_type`].

use std::sync::Arc;

use arrow_schema::{DataType, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference};
use datafusion_expr::logical_plan::builder::LogicalTableSource;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::Statement;

use crate::function;
use crate::sql_type::{PLANNED_UUID, QueryTypes, UUID};

/// Plan a statement that [`crate::statement`] has let pass, so that its only table is the stream.
pub(crate) fn plan(statement: Statement, schema: &SchemaRef) -> Result<LogicalPlan> {
    let catalog = Catalog {
        table: Arc::new(LogicalTableSource::new(Arc::new(as_planned(schema)))),
        options: ConfigOptions::default(),
        planners: vec![
            Arc::new(CoreFunctionPlanner::default()),
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(UnicodeFunctionPlanner),
        ],
    };
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(true)
        .with_map_string_types_to_utf8view(false);
    SqlToRel::new_with_options(&catalog, options).sql_statement_to_plan(statement)
}

fn as_planned(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        uuid if *uuid == UUID => Arc::new(field.as_ref().clone().with_data_type(PLANNED_UUID)),
        _ => field.clone(),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

struct Catalog {
    table: Arc<dyn TableSource>,
    options: ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl ContextProvider for Catalog {
    fn get_table_source(&self, _: TableReference) -> Result<Arc<dyn TableSource>> {
        Ok(self.table.clone())
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(QueryTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        function::find(name)
    }

    fn get_aggregate_meta(&self, _: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        function::names().into_iter().map(str::to_owned).collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
