//! Authentication: an answer to each challenge of the server. Trust, clear text, md5, SCRAM-SHA-256 and -PLUS.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::{backend, frontend};

use crate::error::{Error, Result};
use crate::startup::Login;

/// How often a server may have us hash the password: it says how often, and a hostile one would keep us busy for hours.
/// That is what `postgres-protocol` does at most, and 24 times what Postgres asks for by itself.
const MAX_SCRAM_ITERATIONS: u32 = 100_000;

/// The state of one authentication.
pub struct Authentication<'a> {
    login: &'a Login,
    binding: Vec<u8>,
    scram: Option<ScramSha256>,
    is_scram_verified: bool,
}

/// What a message asks of us.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Wait for the next message.
    Wait,
    /// The server let us in.
    Done,
}

impl<'a> Authentication<'a> {
    /// `binding` is the channel's `tls-server-end-point`, empty where it has none.
    pub fn new(login: &'a Login, binding: Vec<u8>) -> Authentication<'a> {
        Authentication { login, binding, scram: None, is_scram_verified: false }
    }

    /// Take one authentication message.
    pub fn answer(&mut self, message: &backend::Message) -> Result<Step> {
        match message {
            backend::Message::AuthenticationOk if self.scram.is_some() && !self.is_scram_verified => {
                Err(refused("The server skipped the end of SCRAM; it may not be the server it claims to be."))
            }
            backend::Message::AuthenticationOk => Ok(Step::Done),
            backend::Message::AuthenticationCleartextPassword => {
                let password = self.password()?;
                send(|message| frontend::password_message(password, message))
            }
            backend::Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(self.login.user.as_bytes(), self.password()?, body.salt());
                send(|message| frontend::password_message(hash.as_bytes(), message))
            }
            backend::Message::AuthenticationSasl(body) => self.begin_scram(body),
            backend::Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram.as_mut().ok_or_else(out_of_turn)?;
                require_few_iterations(body.data(), self.login)?;
                scram.update(body.data())?;
                let answer = scram.message();
                send(|message| frontend::sasl_response(answer, message))
            }
            backend::Message::AuthenticationSaslFinal(body) => {
                let scram = self.scram.as_mut().ok_or_else(out_of_turn)?;
                scram
                    .finish(body.data())
                    .map_err(|_| refused("The server could not prove that it knows the password."))?;
                self.is_scram_verified = true;
                Ok(Step::Wait)
            }
            _ => Err(refused(
                "The server asks for an authentication method that is not supported; use scram-sha-256, md5, password or trust in pg_hba.conf.",
            )),
        }
    }

    fn begin_scram(&mut self, body: &backend::AuthenticationSaslBody) -> Result<Step> {
        let offered: Vec<String> = body.mechanisms().map(|mechanism| Ok(mechanism.to_owned())).collect()?;
        let is_offered = |wanted: &str| offered.iter().any(|mechanism| mechanism == wanted);
        let (mechanism, binding) = match (self.binding.is_empty(), is_offered(SCRAM_SHA_256_PLUS)) {
            (false, true) => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(self.binding.clone())),
            // Said so that a server which does offer it can tell that somebody in between took it away.
            (false, false) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            (true, _) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        };
        if !is_offered(mechanism) {
            return Err(refused("The server offers no SCRAM-SHA-256."));
        }
        let scram = self.scram.insert(ScramSha256::new(password_of(self.login)?, binding));
        let first = scram.message();
        send(|message| frontend::sasl_initial_response(mechanism, first, message))
    }

    fn password(&self) -> Result<&'a [u8]> {
        password_of(self.login)
    }
}

fn password_of(login: &Login) -> Result<&[u8]> {
    let password = login.password.as_deref();
    let missing = || {
        refused(&format!(
            "The server asks for the password of \"{}\", and none is configured; set `password`.",
            login.user
        ))
    };
    password.map(str::as_bytes).ok_or_else(missing)
}

/// Refuse a server's first message of SCRAM, such as `r=...,s=...,i=4096`, that asks for too much work.
fn require_few_iterations(message: &[u8], login: &Login) -> Result<()> {
    let text = std::str::from_utf8(message).unwrap_or_default();
    let Some(wanted) = text.split(',').find_map(|attribute| attribute.strip_prefix("i=")) else {
        return Ok(()); // is refused as what it is
    };
    let is_number = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || wanted.parse::<u32>().is_ok_and(|wanted| wanted <= MAX_SCRAM_ITERATIONS) {
        return Ok(());
    }
    Err(Error::ScramIterations(format!(
        "The server asks for {wanted} iterations of SCRAM-SHA-256, and at most {MAX_SCRAM_ITERATIONS} are done, so that no \
         server can keep a connector busy. If it is the right server, lower scram_iterations there and set the password \
         of \"{}\" again.",
        login.user
    )))
}

fn send(write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Result<Step> {
    let mut message = BytesMut::new();
    write(&mut message)?;
    Ok(Step::Send(message.to_vec()))
}

fn refused(what: &str) -> Error {
    Error::Authentication(what.to_owned())
}

fn out_of_turn() -> Error {
    Error::Protocol("the server sent a SASL message out of turn".to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use postgres_protocol::message::backend::Message;

    use super::{Authentication, Step};
    use crate::startup::Login;

    fn login(password: Option<&str>) -> Login {
        Login {
            user: "ann".into(),
            password: password.map(str::to_owned),
            database: "shop".into(),
            is_replication: false,
        }
    }

    fn request(body: &[u8]) -> Message {
        let mut bytes = BytesMut::from(&b"R"[..]);
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        Message::parse(&mut bytes).ok().flatten().unwrap_or(Message::NoData)
    }

    #[test]
    fn trust_needs_no_password() {
        assert_eq!(
            Authentication::new(&login(None), Vec::new()).answer(&request(&[0, 0, 0, 0])).ok(),
            Some(Step::Done)
        );
    }

    #[test]
    fn md5_hashes_password_user_and_salt() {
        let login = login(Some("secret"));
        let step = Authentication::new(&login, Vec::new()).answer(&request(&[0, 0, 0, 5, 1, 2, 3, 4])).ok();
        let Some(Step::Send(message)) = step else { panic!("no answer: {step:?}") };
        // md5(md5("secret" || "ann") || 01020304), computed with md5sum
        assert_eq!(message[5..], b"md59009ce60b9ca97f1e752376843d1309e\0"[..]);
    }

    #[test]
    fn a_missing_password_is_named_and_the_user_too() {
        let error = Authentication::new(&login(None), Vec::new()).answer(&request(&[0, 0, 0, 3])).err();
        let text = format!("{error:?}");
        assert!(text.contains("ann") && text.contains("password"), "{text}");
    }

    #[test]
    fn scram_that_ends_without_the_servers_proof_is_refused() {
        let login = login(Some("secret"));
        let mut authentication = Authentication::new(&login, Vec::new());
        assert!(matches!(authentication.answer(&request(b"\0\0\0\x0aSCRAM-SHA-256\0\0")), Ok(Step::Send(_))));
        assert!(authentication.answer(&request(&[0, 0, 0, 0])).is_err());
    }

    #[test]
    fn no_server_can_demand_endless_work() {
        let login = login(Some("secret"));
        for (wanted, is_done) in
            [("1", true), ("100000", true), ("100001", false), ("2147483647", false), ("99999999999999999999", false)]
        {
            let mut authentication = Authentication::new(&login, Vec::new());
            let step = authentication.answer(&request(b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
            let Ok(Step::Send(first)) = step else { panic!("no answer: {step:?}") };
            let first = String::from_utf8_lossy(&first).into_owned();
            let nonce = first.split_once("r=").map_or("", |(_, nonce)| nonce);
            let challenge = format!("\0\0\0\x0br={nonce}server,s=c2FsdA==,i={wanted}");
            let step = authentication.answer(&request(challenge.as_bytes()));
            let error = step.map(|step| assert!(matches!(step, Step::Send(_)))).map_err(sdk::Error::from).err();
            assert_eq!(error.as_ref().map(|error| error.code.as_str()), (!is_done).then_some("scram_iterations"));
            let text = error.map(|error| error.message).unwrap_or_default();
            assert!(is_done || (text.contains(wanted) && text.contains("\"ann\"")), "{text}");
        }
    }

    #[test]
    fn scram_is_bound_to_the_channel_where_both_sides_can() {
        let login = login(Some("secret"));
        let cases: [(&[u8], &[u8], &str, &str); 4] = [
            (b"", b"SCRAM-SHA-256\0\0", "SCRAM-SHA-256", "n,,"),
            (b"hash", b"SCRAM-SHA-256\0\0", "SCRAM-SHA-256", "y,,"),
            (b"", b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", "SCRAM-SHA-256", "n,,"),
            (b"hash", b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,"),
        ];
        for (binding, offer, mechanism, header) in cases {
            let step = Authentication::new(&login, binding.to_vec()).answer(&request(&[b"\0\0\0\x0a", offer].concat()));
            let Ok(Step::Send(message)) = step else { panic!("no answer: {step:?}") };
            let text = String::from_utf8_lossy(&message[5..]).into_owned();
            assert!(text.starts_with(&format!("{mechanism}\0")) && text.contains(header), "{text:?}");
        }
    }

    #[test]
    fn a_method_we_do_not_have_is_refused() {
        assert!(Authentication::new(&login(Some("x")), Vec::new()).answer(&request(&[0, 0, 0, 7])).is_err());
    }
}
