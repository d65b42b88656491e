//! What a query may be: one SELECT from the stream's table, that gives at most one row for each that it reads.

use datafusion_sql::sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    WildcardAdditionalOptions, With,
};
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use sdk::Result;

use crate::dialect::DIALECT;
use crate::expression;
use crate::failure::{NEEDS_ALL_ROWS, not_supported, refused};
use crate::table::TableName;

/// The table of the first releases, whatever the stream was called.
const LEGACY_TABLE: &str = "input";
/// Deeper queries are refused, so that no walk through one runs out of stack.
const MAX_DEPTH: usize = 64;

/// Parse a query and refuse what no transform can do; `table` is the one that it may read.
pub(crate) fn parse(query: &str, table: &TableName) -> Result<Statement> {
    let parser = Parser::new(&DIALECT).with_recursion_limit(MAX_DEPTH).try_with_sql(query);
    let statements = parser.and_then(|mut parser| parser.parse_statements()).map_err(|error| {
        let reason = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => format!("it is nested more than {MAX_DEPTH} levels deep"),
        };
        refused("sql_syntax", format!("The query cannot be parsed: {reason}."))
    })?;
    let Ok([statement]) = <[Statement; 1]>::try_from(statements) else {
        return Err(refused("sql_statements", "The query must be one statement, a SELECT."));
    };
    let Statement::Query(query) = &statement else {
        return Err(refused(
            "sql_statements",
            "The query must be a SELECT: a transform reads rows and writes nothing.",
        ));
    };
    expression::check_depth(query)?;
    expression::check(query)?;
    check_query(query, table, &[])?;
    Ok(statement)
}

/// Go through a query and those within it; `known` are the names that WITH gave.
fn check_query(query: &Query, table: &TableName, known: &[String]) -> Result<()> {
    let absent = [
        ("ORDER BY", query.order_by.is_some()),
        ("LIMIT or OFFSET", query.limit_clause.is_some()),
        ("FETCH", query.fetch.is_some()),
    ];
    none_of(&absent, NEEDS_ALL_ROWS)?;
    let strange = !query.locks.is_empty()
        || query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty();
    none_of(&[("FOR, SETTINGS, FORMAT or |>", strange)], "Leave it out.")?;
    let mut known = known.to_vec();
    if let Some(With { recursive, cte_tables, .. }) = &query.with {
        none_of(&[("WITH RECURSIVE", *recursive)], NEEDS_ALL_ROWS)?;
        for Cte { alias, query, .. } in cte_tables {
            check_query(query, table, &known)?;
            known.push(normal(&alias.name));
        }
    }
    match query.body.as_ref() {
        SetExpr::Select(select) => check_select(select, table, &known),
        SetExpr::Query(query) => check_query(query, table, &known),
        SetExpr::SetOperation { op, .. } => {
            Err(not_supported(&op.to_string(), "It would read the stream more than once: use one SELECT."))
        }
        other => Err(not_supported(&format!("`{other}`"), "Write one SELECT.")),
    }
}

fn check_select(select: &Select, table: &TableName, known: &[String]) -> Result<()> {
    let is_grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(by, with) if by.is_empty() && with.is_empty());
    let absent = [
        ("DISTINCT", !matches!(select.distinct, None | Some(Distinct::All))),
        ("GROUP BY", is_grouped),
        ("HAVING", select.having.is_some()),
        ("QUALIFY", select.qualify.is_some()),
        ("WINDOW", !select.named_window.is_empty()),
        ("CONNECT BY", !select.connect_by.is_empty()),
        ("TOP", select.top.is_some()),
        ("SORT BY", !select.sort_by.is_empty() || !select.cluster_by.is_empty() || !select.distribute_by.is_empty()),
    ];
    none_of(&absent, NEEDS_ALL_ROWS)?;
    let strange = [
        ("INTO", select.into.is_some()),
        ("LATERAL VIEW", !select.lateral_views.is_empty()),
        ("PREWHERE", select.prewhere.is_some()),
        ("EXCLUDE", select.exclude.is_some()),
        ("SELECT AS STRUCT or AS VALUE", select.value_table_mode.is_some()),
    ];
    none_of(&strange, "Leave it out.")?;
    check_from(select, table, known)?;
    if select.projection.is_empty() {
        return Err(refused("sql_columns", "The query selects no column."));
    }
    select.projection.iter().zip(1..).try_for_each(|(item, place)| check_item(item, place))?;
    let names: Vec<String> = select.projection.iter().filter_map(name_of).collect();
    match names.iter().enumerate().find(|(place, name)| names.iter().take(*place).any(|other| other == *name)) {
        None => Ok(()),
        Some((_, name)) => {
            Err(refused("sql_columns", format!("The query gives two columns the name {name}: rename one with AS.")))
        }
    }
}

fn check_from(select: &Select, table: &TableName, known: &[String]) -> Result<()> {
    let [from] = select.from.as_slice() else {
        return Err(refused("sql_tables", format!("The query must read one table: write FROM {}.", table.written())));
    };
    none_of(&[("JOIN", !from.joins.is_empty())], "It reads one stream: join in a view at the source.")?;
    match &from.relation {
        TableFactor::Table {
            name,
            alias: _,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
            check_table(name, table, known)
        }
        TableFactor::Derived { lateral: false, subquery, alias: _, sample: None } => {
            check_query(subquery, table, known)
        }
        other => Err(not_supported(&format!("`FROM {other}`"), &format!("Write FROM {}.", table.written()))),
    }
}

fn check_table(name: &ObjectName, table: &TableName, known: &[String]) -> Result<()> {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(normal).collect();
    if matches!(parts.as_slice(), [one] if known.contains(one)) || table.is_named(&parts) {
        return Ok(());
    }
    let written = table.written();
    let message = if matches!(parts.as_slice(), [one] if one == LEGACY_TABLE) {
        format!("The query reads table input. The table is named after the stream: write FROM {written}.")
    } else {
        format!(
            "The query reads table {name}, and this stream is {written}: write FROM {written}. \
             Streams that need queries of their own go into pipelines of their own."
        )
    };
    Err(refused("sql_unknown_table", message))
}

/// Every column of the result has a name that the query gives it.
fn check_item(item: &SelectItem, place: usize) -> Result<()> {
    match item {
        SelectItem::UnnamedExpr(expression) if is_column(expression) => Ok(()),
        SelectItem::UnnamedExpr(expression) => {
            let message = format!("Column {place} of the query has no name: write `{expression} AS name`.");
            Err(refused("sql_columns", message))
        }
        SelectItem::ExprWithAlias { .. } => Ok(()),
        SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => check_wildcard(options),
    }
}

/// The name of a column of the result, where the query alone tells it.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) | SelectItem::ExprWithAlias { alias: name, .. } => {
            Some(normal(name))
        }
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(normal),
        _ => None,
    }
}

fn check_wildcard(options: &WildcardAdditionalOptions) -> Result<()> {
    let strange = options.opt_ilike.is_some() || options.opt_exclude.is_some() || options.opt_rename.is_some();
    none_of(&[("ILIKE, EXCLUDE or RENAME after *", strange)], "Use * EXCEPT (…) or * REPLACE (…).")
}

fn is_column(expression: &Expr) -> bool {
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => is_column(inner),
        _ => false,
    }
}

/// A name as Postgres reads it: in lower case, unless it is quoted.
pub(crate) fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn none_of(constructs: &[(&str, bool)], remedy: &str) -> Result<()> {
    match constructs.iter().find(|(_, is_there)| *is_there) {
        None => Ok(()),
        Some((name, _)) => Err(not_supported(name, remedy)),
    }
}
