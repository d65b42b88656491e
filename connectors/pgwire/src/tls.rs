//! Whether a connection is under TLS, by libpq's `sslmode`, and how that is settled with the server. The host does TLS.
//!
//! Source: the PostgreSQL documentation, "SSL Support" of libpq and "SSL Session Encryption" of the protocol.

use std::io::{Read, Write};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use sdk::{Category, Socket, TlsRequest, Verify};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::session::Config;

const TIMEOUT_MS: i32 = 15_000;
/// The server's pg_hba.conf has no entry for such a connection; another kind may have one.
const NO_ENTRY: &str = "28000";

/// What a connection has to be; the names are libpq's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The part of a connector's configuration that is about TLS.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TlsConfig {
    #[serde(default)]
    pub sslmode: SslMode,
    pub sslrootcert: Option<String>,
    pub sslcert: Option<String>,
    pub sslkey: Option<String>,
}

/// One way to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    IfOffered,
    Always,
}

impl SslMode {
    /// The first way, and the one to try when the server wants the other.
    fn ways(self) -> (Encryption, Option<Encryption>) {
        match self {
            SslMode::Disable => (Encryption::None, None),
            SslMode::Allow => (Encryption::None, Some(Encryption::Always)),
            SslMode::Prefer => (Encryption::IfOffered, Some(Encryption::None)),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Encryption::Always, None),
        }
    }
}

impl TlsConfig {
    fn verify(&self) -> Verify {
        match self.sslmode {
            SslMode::VerifyFull => Verify::Full,
            SslMode::VerifyCa => Verify::Ca,
            // As libpq does, which calls it backward compatible.
            SslMode::Require if self.sslrootcert.is_some() => Verify::Ca,
            _ => Verify::None,
        }
    }
}

/// Connect and log in by `log_in`, in the one way or the other; which one it was.
pub(crate) fn connect<T>(config: &Config, log_in: impl Fn(Socket) -> sdk::Result<T>) -> sdk::Result<(T, Encryption)> {
    // libpq ignores sslmode on Unix sockets.
    let (first, second) = if config.is_local() { (Encryption::None, None) } else { config.tls.sslmode.ways() };
    let attempt = |way| Ok((open(config, way).and_then(&log_in)?, way));
    match (attempt(first), second) {
        (Err(error), Some(second)) if is_about_encryption(&error) => attempt(second),
        (result, _) => result,
    }
}

/// Connect in one way, up to where the login begins.
pub(crate) fn open(config: &Config, way: Encryption) -> sdk::Result<Socket> {
    let mut socket = config.socket(TIMEOUT_MS)?;
    if way == Encryption::None {
        return Ok(socket);
    }
    if is_offered(&mut socket)? {
        let tls = &config.tls;
        let request = TlsRequest {
            server_name: &config.host,
            verify: tls.verify(),
            roots: tls.sslrootcert.as_deref(),
            certificate: tls.sslcert.as_deref(),
            key: tls.sslkey.as_deref(),
        };
        socket.start_tls(&request, TIMEOUT_MS)?;
    } else if way == Encryption::Always {
        return Err(sdk::Error::new(
            Category::Config,
            "tls_not_offered",
            format!("The server at {} does not offer TLS, which sslmode demands.", config.host),
        ));
    }
    Ok(socket)
}

/// Ask whether the server does TLS. Exactly its one byte is read: what follows it belongs to the handshake, or was put
/// there by somebody else and must not be taken for the server's.
fn is_offered(stream: &mut (impl Read + Write)) -> Result<bool> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    match answer {
        [b'S'] => Ok(true),
        [b'N'] => Ok(false),
        [other] => Err(Error::Protocol(format!("the answer to a request for TLS is {other:#x}"))),
    }
}

fn is_about_encryption(error: &sdk::Error) -> bool {
    error.code == NO_ENTRY || error.code == "tls_failed"
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};

    use sdk::Verify;
    use serde::Deserialize;
    use serde::de::value::{self, StrDeserializer};

    use super::{Encryption, SslMode, TlsConfig, is_about_encryption, is_offered};

    struct Server {
        answer: &'static [u8],
        asked: Vec<u8>,
    }

    impl Read for Server {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.answer.read(into)
        }
    }

    impl Write for Server {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ask(answer: &'static [u8]) -> (Option<bool>, Vec<u8>, usize) {
        let mut server = Server { answer, asked: Vec::new() };
        let offered = is_offered(&mut server).ok();
        (offered, server.asked, server.answer.len())
    }

    #[test]
    fn the_request_is_the_protocols_and_one_byte_of_answer_is_read() {
        let request = vec![0, 0, 0, 8, 4, 210, 22, 47];
        assert_eq!(ask(b"S\x16\x03"), (Some(true), request.clone(), 2));
        assert_eq!(ask(b"Nrest"), (Some(false), request.clone(), 4));
        assert_eq!(ask(b"E..."), (None, request.clone(), 3));
        assert_eq!(ask(b""), (None, request, 0));
    }

    #[test]
    fn each_mode_connects_and_verifies_as_in_libpq() {
        let modes = [
            ("disable", (Encryption::None, None), Verify::None, Verify::None),
            ("allow", (Encryption::None, Some(Encryption::Always)), Verify::None, Verify::None),
            ("prefer", (Encryption::IfOffered, Some(Encryption::None)), Verify::None, Verify::None),
            ("require", (Encryption::Always, None), Verify::None, Verify::Ca),
            ("verify-ca", (Encryption::Always, None), Verify::Ca, Verify::Ca),
            ("verify-full", (Encryption::Always, None), Verify::Full, Verify::Full),
        ];
        for (name, ways, bare, with_roots) in modes {
            let mode = SslMode::deserialize(StrDeserializer::<value::Error>::new(name)).ok();
            assert_eq!(mode.map(SslMode::ways), Some(ways), "{name}");
            let tls = |roots: Option<&str>| TlsConfig {
                sslmode: mode.unwrap_or_default(),
                sslrootcert: roots.map(str::to_owned),
                ..TlsConfig::default()
            };
            assert_eq!((tls(None).verify(), tls(Some("ca.pem")).verify()), (bare, with_roots), "{name}");
        }
        assert_eq!(TlsConfig::default().sslmode, SslMode::Prefer);
    }

    #[test]
    fn another_way_is_tried_only_where_encryption_is_the_reason() {
        let error = |code| sdk::Error::new(sdk::Category::Auth, code, "no");
        assert!(is_about_encryption(&error("28000")) && is_about_encryption(&error("tls_failed")));
        for code in ["28P01", "tls_untrusted", "tls_files", "connection_refused", "tls_not_offered"] {
            assert!(!is_about_encryption(&error(code)), "{code}");
        }
    }
}
