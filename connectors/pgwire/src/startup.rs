//! The start of a connection: who we are, and the settings every session needs.

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use crate::error::Result;

/// Who connects, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    /// The session is one for replication, in this database.
    pub is_replication: bool,
}

/// The text forms that docs/ABI.md §9 promises, and names that are always qualified and quoted only where they must
/// be, whatever is set for the user or the database. A database without an encoding sends its texts as they are, so that
/// those which are no UTF-8 can be told from the others here.
pub(crate) const SESSION_SETTINGS: &str = "\
    SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET bytea_output = 'hex'; \
    SET extra_float_digits = 3; SET lc_monetary = 'C'; SET xmloption = content; SET array_nulls = on; \
    SET quote_all_identifiers = off; SET search_path = ''; \
    SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) \
    WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

/// The first message of a connection.
pub(crate) fn startup_message(login: &Login) -> Result<BytesMut> {
    let mut message = BytesMut::new();
    let parameters = [
        ("user", login.user.as_str()),
        ("database", login.database.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", "rapidbyte"),
    ];
    let replication = login.is_replication.then_some(("replication", "database"));
    frontend::startup_message(parameters.into_iter().chain(replication), &mut message)?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::{Login, startup_message};

    fn login(user: &str, is_replication: bool) -> Login {
        Login { user: user.into(), password: None, database: "shop".into(), is_replication }
    }

    #[test]
    fn the_message_names_user_database_and_encoding() {
        let login = login("ann", false);
        let message = startup_message(&login).map(|message| message.to_vec()).unwrap_or_default();
        let text = b"\0\x03\0\0user\0ann\0database\0shop\0client_encoding\0UTF8\0application_name\0rapidbyte\0\0";
        assert_eq!(message[4..], text[..]);
    }

    #[test]
    fn a_name_with_a_nul_byte_is_refused() {
        assert!(startup_message(&login("a\0b", false)).is_err());
    }

    #[test]
    fn a_session_for_replication_says_so() {
        let message = startup_message(&login("ann", true)).map(|message| message.to_vec()).unwrap_or_default();
        assert!(message.ends_with(b"application_name\0rapidbyte\0replication\0database\0\0"));
    }
}
