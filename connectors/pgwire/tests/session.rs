//! A recorded session, replayed with the server's bytes one at a time and in one piece.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use pgwire::copy_in::CopyIn;
use pgwire::copy_out::CopyOut;
use pgwire::{Connection, Error, Login, Stream};

const EXCHANGE: &str = include_str!("exchanges/session.txt");

/// Plays the server's part: answers when exactly the recorded bytes were sent.
struct Recording {
    turns: VecDeque<(Vec<u8>, Vec<u8>)>,
    sent: Vec<u8>,
    pending: VecDeque<u8>,
    step: usize,
}

impl Recording {
    fn new(step: usize) -> Recording {
        let mut turns: VecDeque<(Vec<u8>, Vec<u8>)> = VecDeque::new();
        for line in EXCHANGE.lines().filter(|line| !line.starts_with('#')) {
            let bytes = line.get(2..).map(unhex).unwrap_or_default();
            match (line.starts_with('>'), turns.back_mut()) {
                (false, Some((_, answer))) => answer.extend(bytes),
                _ => turns.push_back((bytes, Vec::new())),
            }
        }
        Recording { turns, sent: Vec::new(), pending: VecDeque::new(), step }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("?"), 16).ok())
        .collect()
}

impl Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (count, turn) = (bytes.len().min(self.step), self.turns.front());
        let (expected, _) = turn.ok_or_else(|| io::Error::other("nothing more was recorded"))?;
        self.sent.extend(&bytes[..count]);
        assert_eq!(self.sent, expected[..self.sent.len()], "what is sent differs from the recording");
        if self.sent.len() == expected.len() {
            self.sent.clear();
            self.pending.extend(self.turns.pop_front().map(|(_, answer)| answer).unwrap_or_default());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Recording {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = into.len().min(self.step).min(self.pending.len());
        for (place, byte) in into.iter_mut().zip(self.pending.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }
}

impl Stream for Recording {
    fn is_readable(&self, _timeout_ms: i32) -> io::Result<bool> {
        Ok(!self.pending.is_empty())
    }
}

fn replay(step: usize) -> pgwire::Result<()> {
    let login = Login {
        user: "rec".into(),
        password: Some("secret".into()),
        database: "postgres".into(),
        is_replication: false,
    };
    let mut connection = Connection::start(Recording::new(step), &login)?;
    assert!(connection.server_version().starts_with("18"), "{}", connection.server_version());
    assert!(connection.is_idle());

    let rows = connection.query("SELECT $1, NULL::text", &["é"])?;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].text(0)?, rows[0].optional(1)), ("é", None));

    connection.begin_copy_in("COPY public.t FROM STDIN (FORMAT binary)")?;
    let mut copy = CopyIn::new(0);
    copy.tuples().extend(b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab");
    copy.tuples().extend(b"\0\x02\0\0\0\x04\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(connection.finish_copy_in(copy.finished())?, 2);

    let sql = "COPY (SELECT id, name FROM public.t ORDER BY id DESC) TO STDOUT (FORMAT binary)";
    let mut copy = CopyOut::new(connection.begin_copy_out(sql)?);
    let mut tuples = Vec::new();
    while let Some(message) = connection.next_copy_data()? {
        assert!(!connection.is_idle());
        if let Some(mut fields) = copy.tuple(connection.body(message))? {
            tuples.push((fields.next_field()?.map(<[u8]>::to_vec), fields.next_field()?.map(<[u8]>::to_vec)));
            fields.finish()?;
        }
    }
    assert!(copy.is_complete());
    assert_eq!(tuples, [(Some(vec![0, 0, 0, 7]), Some(b"ab".to_vec())), (Some(vec![255; 4]), None)]);

    match connection.execute("SELECT 1 FROM public.nope") {
        Err(Error::Server(error)) => assert_eq!(error.sqlstate, "42P01"),
        other => panic!("a missing table gave {other:?}"),
    }
    assert!(connection.is_idle(), "an error leaves the session usable");

    connection.begin_copy_in("COPY public.t FROM STDIN (FORMAT binary)")?;
    connection.fail_copy_in("no more")?;
    assert!(connection.is_idle());
    connection.terminate()
}

#[test]
fn a_session_is_the_same_however_its_bytes_arrive() {
    for step in [1, 2, 7, usize::MAX] {
        if let Err(error) = replay(step) {
            panic!("in steps of {step}: {error:?}");
        }
    }
}

#[test]
fn a_connection_that_closes_early_is_an_error_at_every_byte() {
    let login = Login {
        user: "rec".into(),
        password: Some("secret".into()),
        database: "postgres".into(),
        is_replication: false,
    };
    let answers: usize = Recording::new(1).turns.iter().take(3).map(|(_, answer)| answer.len()).sum();
    for kept in 0..answers {
        let mut recording = Recording::new(usize::MAX);
        let mut left = kept;
        for (_, answer) in recording.turns.iter_mut() {
            answer.truncate(left);
            left -= answer.len();
        }
        let lost = Connection::start(recording, &login).err();
        assert!(lost.as_ref().is_some_and(Error::is_connection_lost), "after {kept} bytes: {lost:?}");
    }
}
