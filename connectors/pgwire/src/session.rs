//! A session of a connector: its configuration, its connection over the host's sockets, and a tidy end.

use std::io::Write;

use serde::Deserialize;

use crate::cancel::{BackendKey, cancel_message};
use crate::connection::Connection;
use crate::error::Result;
use crate::startup::Login;
use crate::tls::{self, Encryption, TlsConfig};

/// The part of a connector's configuration that both directions share. A host that begins with `/` is the directory
/// of a Unix socket.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub host: String,
    #[serde(default = "default_port")]
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    #[serde(default = "default_schema")]
    pub schema: String,
    #[serde(flatten)]
    pub tls: TlsConfig,
}

fn default_port() -> u16 {
    5432
}

fn default_schema() -> String {
    "public".to_owned()
}

/// A logged-in connection and what it takes to make another.
#[derive(Debug)]
pub struct Session {
    pub config: Config,
    pub connection: Connection<sdk::Socket>,
    encryption: Encryption,
}

impl Session {
    /// Connect and log in. Errors name the host and the user, never the password.
    pub fn open(config: Config) -> sdk::Result<Session> {
        Session::log_in(config, false)
    }

    /// Open another session like this one.
    pub fn open_another(&self) -> sdk::Result<Session> {
        Session::log_in(self.config.clone(), false)
    }

    /// Open another session beside this one, for replication.
    pub fn open_replication(&self) -> sdk::Result<Session> {
        Session::log_in(self.config.clone(), true)
    }

    fn log_in(config: Config, is_replication: bool) -> sdk::Result<Session> {
        let login = Login {
            user: config.user.clone(),
            password: config.password.clone(),
            database: config.database.clone(),
            is_replication,
        };
        let named = |error: sdk::Error| {
            error.detail("host", &config.host).detail("user", &config.user).detail("database", &config.database)
        };
        let (connection, encryption) =
            tls::connect(&config, |socket| Ok(Connection::start(socket, &login)?)).map_err(named)?;
        Ok(Session { config, connection, encryption })
    }

    /// What the other side is, for people.
    pub fn server(&self) -> sdk::Server {
        sdk::Server { server: format!("PostgreSQL {}", self.connection.server_version()) }
    }

    /// End the session; a server in the middle of something is asked to stop it.
    pub fn close(&mut self) -> Result<()> {
        match (self.connection.is_idle(), self.connection.key()) {
            (true, _) => self.connection.terminate(),
            (false, Some(key)) => self.cancel(key),
            (false, None) => Ok(()),
        }
    }

    fn cancel(&self, key: BackendKey) -> Result<()> {
        let mut socket = tls::open(&self.config, self.encryption).map_err(std::io::Error::other)?;
        Ok(socket.write_all(&cancel_message(key))?)
    }
}

impl Config {
    /// Whether the server is reached by a Unix socket.
    pub(crate) fn is_local(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Connect, and say nothing yet.
    pub(crate) fn socket(&self, timeout_ms: i32) -> sdk::Result<sdk::Socket> {
        if self.is_local() {
            let path = format!("{}/.s.PGSQL.{}", self.host.trim_end_matches('/'), self.port);
            return sdk::Socket::connect(&path, 0, timeout_ms);
        }
        sdk::Socket::connect(&self.host, self.port, timeout_ms)
    }
}
