//! The Postgres client of the connectors.
//!
//! The protocol is functions over bytes, one file per operation, that never wait: [`Incoming`] cuts messages out of
//! what was read, [`copy_out`] and [`copy_in`] know the binary COPY format, [`replication`] and [`pgoutput`] the changes of
//! tables, [`authentication`] answers challenges.
//! [`Connection`] alone reads and writes a stream, and [`Session`] makes one over the host's sockets.

pub mod authentication;
mod cancel;
mod connection;
pub mod copy_in;
pub mod copy_out;
pub mod datetime;
mod error;
mod identity;
mod incoming;
pub mod insert;
mod lsn;
pub mod numeric;
pub mod oid;
pub mod pgoutput;
mod query;
mod quote;
pub mod replication;
mod server_error;
mod session;
mod startup;
mod tls;

pub use connection::{Connection, Stream};
pub use error::{Error, Result};
pub use identity::IDENTITY;
pub use incoming::{Incoming, Message};
pub use lsn::Lsn;
pub use query::Row;
pub use quote::{MOST_NAME_BYTES, identifier, literal, qualified};
pub use server_error::ServerError;
pub use session::{Config, Session};
pub use startup::Login;
pub use tls::{SslMode, TlsConfig};
