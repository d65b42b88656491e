//! A session of a connector: its configuration, its connection over the host's sockets, and a tidy end.

use std::io::Write;

use serde::Deserialize;

use crate::cancel::{BackendKey, cancel_message};
use crate::connection::Connection;
use crate::error::Result;
use crate::startup::Login;

const CONNECT_TIMEOUT_MS: i32 = 15_000;

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
}

impl Session {
    /// Connect and log in. Errors name the host and the user, never the password.
    pub fn open(config: Config) -> sdk::Result<Session> {
        let login =
            Login { user: config.user.clone(), password: config.password.clone(), database: config.database.clone() };
        let named = |error: sdk::Error| {
            error.detail("host", &config.host).detail("user", &config.user).detail("database", &config.database)
        };
        let connection = connect(&config).and_then(|socket| Ok(Connection::start(socket, &login)?)).map_err(named)?;
        Ok(Session { config, connection })
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
        let mut socket = connect(&self.config).map_err(std::io::Error::other)?;
        Ok(socket.write_all(&cancel_message(key))?)
    }
}

fn connect(config: &Config) -> sdk::Result<sdk::Socket> {
    if config.host.starts_with('/') {
        let path = format!("{}/.s.PGSQL.{}", config.host.trim_end_matches('/'), config.port);
        return sdk::Socket::connect(&path, 0, CONNECT_TIMEOUT_MS);
    }
    sdk::Socket::connect(&config.host, config.port, CONNECT_TIMEOUT_MS)
}
