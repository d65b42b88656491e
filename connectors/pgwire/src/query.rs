//! The extended query protocol, with parameters and results as text: the questions asked of the catalogs.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::DataRowBody;
use postgres_protocol::message::frontend;

use crate::error::{Error, Result};

/// One row of text values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    values: Vec<Option<String>>,
}

impl Row {
    pub(crate) fn read(body: &DataRowBody) -> Result<Row> {
        let mut values = Vec::new();
        let mut ranges = body.ranges();
        while let Some(range) = ranges.next()? {
            values.push(range.map(|range| String::from_utf8_lossy(&body.buffer()[range]).into_owned()));
        }
        Ok(Row { values })
    }

    /// The value of a column that may be NULL.
    pub fn optional(&self, column: usize) -> Option<&str> {
        self.values.get(column).and_then(Option::as_deref)
    }

    /// The value of a column that is never NULL.
    pub fn text(&self, column: usize) -> Result<&str> {
        self.optional(column).ok_or_else(|| Error::Protocol(format!("column {column} of a catalog query is NULL")))
    }

    /// A value that parses, such as a number.
    pub fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        let text = self.text(column)?;
        text.parse().map_err(|_| Error::Protocol(format!("column {column} of a catalog query is `{text}`")))
    }

    /// A boolean column.
    pub fn is_true(&self, column: usize) -> bool {
        self.optional(column) == Some("t")
    }
}

/// Parse, bind, execute and sync, in one message to send.
pub(crate) fn query_message(sql: &str, parameters: &[&str]) -> Result<BytesMut> {
    let mut message = BytesMut::new();
    frontend::parse("", sql, std::iter::empty(), &mut message)?;
    let bound = frontend::bind(
        "",
        "",
        std::iter::empty(),
        parameters,
        |parameter, bytes| {
            bytes.extend_from_slice(parameter.as_bytes());
            Ok(IsNull::No)
        },
        std::iter::empty(),
        &mut message,
    );
    match bound {
        Ok(()) => {}
        Err(frontend::BindError::Serialization(error)) => return Err(Error::Io(error)),
        Err(frontend::BindError::Conversion(error)) => return Err(Error::Protocol(error.to_string())),
    }
    frontend::execute("", 0, &mut message)?;
    frontend::sync(&mut message);
    Ok(message)
}
