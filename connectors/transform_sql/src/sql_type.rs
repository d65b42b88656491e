//! Types by their three names: as a query writes them, as the source prints them, and in Arrow (docs/ABI.md §9).

use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::planner::TypePlanner;
use datafusion_sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

use crate::failure::{carried, refused};

pub(crate) const UUID: DataType = DataType::FixedSizeBinary(16);
/// What a uuid is to the planner, which would not compare bytes of a fixed number with a text.
pub(crate) const PLANNED_UUID: DataType = DataType::LargeBinary;
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
pub(crate) const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);
const MAX_PRECISION: u8 = 38;

pub(crate) fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Reads the types of CAST and of literals.
#[derive(Debug)]
pub(crate) struct QueryTypes;

impl TypePlanner for QueryTypes {
    fn plan_type(&self, sql_type: &SqlType) -> Result<Option<DataType>> {
        of_query(sql_type).map(Some).ok_or_else(|| {
            let hint = match sql_type {
                SqlType::Numeric(_) | SqlType::Decimal(_) | SqlType::Dec(_) => {
                    "write numeric(p, s), with at most 38 digits"
                }
                SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::Char(_) | SqlType::Character(_) => {
                    "write text, and left(…, n) to cut it"
                }
                _ => {
                    "it can be boolean, smallint, integer, bigint, real, double precision, numeric(p, s), text, bytea, \
                     uuid, date, time, timestamp or timestamptz"
                }
            };
            carried(refused("sql_unknown_type", format!("A transform cannot make a value of type {sql_type}: {hint}.")))
        })
    }
}

fn of_query(sql_type: &SqlType) -> Option<DataType> {
    let has_zone = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
    Some(match sql_type {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::SmallInt(None) | SqlType::Int2(None) => DataType::Int16,
        SqlType::Int(None) | SqlType::Integer(None) | SqlType::Int4(None) => DataType::Int32,
        SqlType::BigInt(None) | SqlType::Int8(None) => DataType::Int64,
        SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::Float(ExactNumberInfo::None)
        | SqlType::Double(ExactNumberInfo::None)
        | SqlType::DoublePrecision
        | SqlType::Float8 => DataType::Float64,
        SqlType::Numeric(info) | SqlType::Decimal(info) | SqlType::Dec(info) => match *info {
            ExactNumberInfo::None => return None,
            ExactNumberInfo::Precision(precision) => decimal(i64::try_from(precision).ok()?, 0)?,
            ExactNumberInfo::PrecisionAndScale(precision, scale) => decimal(i64::try_from(precision).ok()?, scale)?,
        },
        SqlType::Text | SqlType::Varchar(None) | SqlType::CharacterVarying(None) => DataType::Utf8,
        SqlType::Bytea => DataType::Binary,
        SqlType::Uuid => PLANNED_UUID,
        SqlType::Date => DataType::Date32,
        SqlType::Time(None, zone) if !has_zone(zone) => TIME,
        SqlType::Timestamp(None, zone) if has_zone(zone) => timestamptz(),
        SqlType::Timestamp(None, _) => TIMESTAMP,
        SqlType::Interval { fields: None, precision: None } => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    })
}

fn decimal(precision: i64, scale: i64) -> Option<DataType> {
    let precision = u8::try_from(precision).ok().filter(|digits| (1..=MAX_PRECISION).contains(digits))?;
    let scale = i8::try_from(scale).ok().filter(|digits| (0..=precision as i8).contains(digits))?;
    Some(DataType::Decimal128(precision, scale))
}

/// The Arrow type of a column by the source's name of its type, and whether that is the type's text form.
pub(crate) fn of_source(name: &str) -> (DataType, bool) {
    let plain = match name {
        "boolean" => DataType::Boolean,
        "smallint" => DataType::Int16,
        "integer" => DataType::Int32,
        "bigint" => DataType::Int64,
        "real" => DataType::Float32,
        "double precision" => DataType::Float64,
        "text" | "character varying" | "character" | "bpchar" | "json" | "jsonb" => DataType::Utf8,
        "bytea" => DataType::Binary,
        "uuid" => UUID,
        "date" => DataType::Date32,
        _ => match name.split_once(['(', ' ']).map(|(first, _)| first) {
            Some("character") => DataType::Utf8,
            Some("time") if name.ends_with("without time zone") => TIME,
            Some("timestamp") if name.ends_with("without time zone") => TIMESTAMP,
            Some("timestamp") => timestamptz(),
            Some("numeric") => return of_numeric(name).map_or((DataType::Utf8, true), |numeric| (numeric, false)),
            _ => return (DataType::Utf8, true),
        },
    };
    // An array is printed as its element with brackets behind it, and only its text form travels.
    if name.ends_with("[]") { (DataType::Utf8, true) } else { (plain, false) }
}

fn of_numeric(name: &str) -> Option<DataType> {
    let (precision, scale) = name.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
    decimal(precision.parse().ok()?, scale.parse().ok()?)
}

/// What a computed column becomes: an Arrow type of the wire, and its name in Postgres; none for what has neither.
pub(crate) fn of_result(data_type: &DataType) -> Option<(DataType, String)> {
    let plain = |data_type: DataType, name: &str| Some((data_type, name.to_owned()));
    match data_type {
        DataType::Boolean => plain(DataType::Boolean, "boolean"),
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => plain(DataType::Int16, "smallint"),
        DataType::UInt16 | DataType::Int32 => plain(DataType::Int32, "integer"),
        DataType::UInt32 | DataType::Int64 => plain(DataType::Int64, "bigint"),
        DataType::UInt64 => plain(DataType::Decimal128(20, 0), "numeric(20,0)"),
        DataType::Float32 => plain(DataType::Float32, "real"),
        DataType::Float64 => plain(DataType::Float64, "double precision"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let wire = decimal(i64::from(*precision), i64::from(*scale))?;
            Some((wire, format!("numeric({precision},{scale})")))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => plain(DataType::Utf8, "text"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => plain(DataType::Binary, "bytea"),
        DataType::FixedSizeBinary(16) => plain(UUID, "uuid"),
        DataType::Date32 => plain(DataType::Date32, "date"),
        DataType::Time64(_) | DataType::Time32(_) => plain(TIME, "time without time zone"),
        DataType::Timestamp(_, None) => plain(TIMESTAMP, "timestamp without time zone"),
        DataType::Timestamp(_, Some(_)) => plain(timestamptz(), "timestamp with time zone"),
        _ => None,
    }
}
