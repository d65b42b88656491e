//! What can go wrong with a server, and how a connector reports it.

use std::io;

use sdk::Category;

use crate::server_error::ServerError;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub enum Error {
    /// The server refused.
    Server(ServerError),
    /// The connection broke, or the host stopped it.
    Io(io::Error),
    /// The server sent what the protocol does not allow here.
    Protocol(String),
    /// The server asks for an authentication that cannot be given.
    Authentication(String),
    /// The server asks for more hashing than a login is worth.
    ScramIterations(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Error::Protocol(error.to_string()),
            _ => Error::Io(error),
        }
    }
}

impl Error {
    /// Whether the connection can no longer be used, so that nothing is known of what it was doing.
    pub fn is_connection_lost(&self) -> bool {
        !matches!(self, Error::Server(_))
    }
}

impl From<Error> for sdk::Error {
    fn from(error: Error) -> sdk::Error {
        match error {
            Error::Server(error) => of_server(&error),
            Error::Io(error) => of_io(error),
            Error::Protocol(what) => {
                sdk::Error::new(Category::Internal, "protocol", format!("Not the Postgres protocol: {what}."))
            }
            Error::Authentication(what) => sdk::Error::new(Category::Auth, "authentication_method", what),
            Error::ScramIterations(what) => sdk::Error::new(Category::Auth, "scram_iterations", what),
        }
    }
}

fn of_io(error: io::Error) -> sdk::Error {
    match error.downcast::<sdk::Error>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            sdk::Error::new(Category::TransientNetwork, "connection_closed", "The server closed the connection.")
                .retryable()
        }
        Err(error) => sdk::Error::new(Category::TransientNetwork, "connection_lost", error.to_string()).retryable(),
    }
}

fn of_server(error: &ServerError) -> sdk::Error {
    let category = category_of(&error.sqlstate);
    let reported = sdk::Error::new(category, &error.sqlstate, error.to_string());
    if category == Category::TransientDb { reported.retryable() } else { reported }
}

/// Sort an SQLSTATE by what a user can do about it. Source: the PostgreSQL documentation, appendix "Error Codes".
fn category_of(sqlstate: &str) -> Category {
    match sqlstate {
        "28000" | "28P01" => Category::Auth,
        "42501" => Category::Permission,
        "3D000" => Category::Config,
        "25006" => Category::Permission,
        // 57014 is a timeout of the server's own; when the host cancels, it says so itself.
        "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" => Category::TransientDb,
        _ => match sqlstate.get(..2) {
            Some("08" | "40" | "53" | "58") => Category::TransientDb,
            // 54: a row that is too large, and the like. P0: a function or trigger of the server raised it.
            Some("22" | "23" | "54" | "P0") => Category::Data,
            // 55: a materialized view without data, and the like.
            Some("42" | "3F" | "2B" | "44" | "0A" | "55") => Category::Schema,
            _ => Category::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use sdk::Category;

    use super::{Error, ServerError, category_of};

    #[test]
    fn an_sqlstate_tells_what_a_user_can_do() {
        let cases = [
            ("28P01", Category::Auth),
            ("42501", Category::Permission),
            ("3D000", Category::Config),
            ("42P01", Category::Schema),
            ("55000", Category::Schema),
            ("55P03", Category::TransientDb),
            ("22003", Category::Data),
            ("23505", Category::Data),
            ("54000", Category::Data),
            ("P0001", Category::Data),
            ("40P01", Category::TransientDb),
            ("53300", Category::TransientDb),
            ("57P01", Category::TransientDb),
            ("57014", Category::TransientDb),
            ("XX000", Category::Internal),
            ("", Category::Internal),
        ];
        for (sqlstate, category) in cases {
            assert_eq!(category_of(sqlstate), category, "{sqlstate}");
        }
    }

    #[test]
    fn a_hosts_error_keeps_its_category_through_io() {
        let original = sdk::Error::new(Category::Cancelled, "cancelled", "Stop.");
        let error = sdk::Error::from(Error::from(std::io::Error::other(original.clone())));
        assert_eq!(error, original);
    }

    #[test]
    fn detail_and_hint_reach_the_user() {
        let server = ServerError {
            sqlstate: "42P01".into(),
            message: "No table.".into(),
            hint: Some("Look.".into()),
            ..Default::default()
        };
        let error = sdk::Error::from(Error::Server(server));
        assert_eq!((error.code.as_str(), error.message.as_str()), ("42P01", "No table.\nHint: Look."));
    }
}
