//! The functions that a query may call: those that give what Postgres' functions of the same names give.
//!
//! tests/e2e/test_transform_sql_agrees.py compares each of them with the server.

use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_expr::ScalarUDF;
use datafusion_functions::{core, datetime, encoding, math, regex, string, unicode};

type Make = fn() -> Arc<ScalarUDF>;

const FUNCTIONS: [(&str, Make); 58] = [
    ("abs", math::abs),
    ("ascii", string::ascii),
    ("btrim", string::btrim),
    ("ceil", math::ceil),
    ("ceiling", math::ceil),
    ("char_length", unicode::character_length),
    ("character_length", unicode::character_length),
    ("chr", string::chr),
    ("coalesce", core::coalesce),
    ("concat", string::concat),
    ("concat_ws", string::concat_ws),
    ("current_date", datetime::current_date),
    ("current_timestamp", now),
    ("date_part", datetime::date_part),
    ("date_trunc", datetime::date_trunc),
    ("degrees", math::degrees),
    ("encode", encoding::encode),
    ("exp", math::exp),
    ("floor", math::floor),
    ("gcd", math::gcd),
    ("greatest", core::greatest),
    ("initcap", unicode::initcap),
    ("lcm", math::lcm),
    ("least", core::least),
    ("left", unicode::left),
    ("length", unicode::character_length),
    ("ln", math::ln),
    ("log10", math::log10),
    ("lower", string::lower),
    ("lpad", unicode::lpad),
    ("ltrim", string::ltrim),
    ("make_date", datetime::make_date),
    ("now", now),
    ("nullif", core::nullif),
    ("octet_length", string::octet_length),
    ("pi", math::pi),
    ("position", unicode::strpos),
    ("pow", math::power),
    ("power", math::power),
    ("radians", math::radians),
    ("regexp_like", regex::regexp_like),
    ("regexp_replace", regex::regexp_replace),
    ("repeat", string::repeat),
    ("replace", string::replace),
    ("reverse", unicode::reverse),
    ("right", unicode::right),
    ("round", math::round),
    ("rpad", unicode::rpad),
    ("rtrim", string::rtrim),
    ("split_part", string::split_part),
    ("sqrt", math::sqrt),
    ("starts_with", string::starts_with),
    ("strpos", unicode::strpos),
    ("substr", unicode::substr),
    ("substring", unicode::substr),
    ("translate", unicode::translate),
    ("trim", string::btrim),
    ("upper", string::upper),
];

/// Find a function by the name that a query calls it by, in lower case.
pub(crate) fn find(name: &str) -> Option<Arc<ScalarUDF>> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// The names of all functions.
pub(crate) fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name).collect()
}

fn now() -> Arc<ScalarUDF> {
    datetime::now(&ConfigOptions::default())
}
