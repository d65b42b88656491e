//! What a server sends, changed at random: every reader answers with a value or an error, and none panics.

mod mutation;

use fallible_iterator::FallibleIterator;
use mutation::{cases, mutated};
use pgwire::authentication::Authentication;
use pgwire::copy_out::CopyOut;
use pgwire::pgoutput::Message;
use pgwire::replication::FromServer;
use pgwire::{Incoming, Login, numeric};
use postgres_protocol::message::backend;
use proptest::prelude::*;

const MESSAGES: &[&[u8]] = &[
    b"R\0\0\0\x08\0\0\0\0",
    b"R\0\0\0\x08\0\0\0\x03",
    b"R\0\0\0\x0c\0\0\0\x05\x92\xf6\xf9\xa0",
    b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
    b"R\0\0\0\x40\0\0\0\x0br=abcdefghijklmnopqrstuvwx,s=QSXCR+Q6sek8bf92,i=4096........",
    b"R\0\0\0\x16\0\0\0\x0cv=AAAAAAAAAAAA",
    b"S\0\0\0\x16server_version\x0018\0\0",
    b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x02",
    b"E\0\0\0\x1dSERROR\0C42P01\0Mno such\0\0\0\0",
    b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
    b"D\0\0\0\x0f\0\x02\0\0\0\x01a\xff\xff\xff\xff",
    b"t\0\0\0\x0a\0\x01\0\0\0\x17",
    b"G\0\0\0\x09\x01\0\x01\0\x01",
    b"H\0\0\0\x09\x01\0\x01\0\x01",
    b"d\0\0\0\x07abc",
    b"C\0\0\0\x0dSELECT 1\0",
    b"A\0\0\0\x0c\0\0\0\x01a\0b\0",
    b"Z\0\0\0\x05I",
];
const COPY: &[&[u8]] = &[
    b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x01\x07\xff\xff\xff\xff",
    b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03abc\0\x02\0\0\0\0\0\0\0\x02ab",
    b"\0\x02\0\0\0\x01\x07\xff\xff\xff\xff",
    b"\xff\xff",
];
/// Numbers with the scale of a column that they lie in, and what they are there.
const NUMERICS: [(&[u8], u32, i128); 5] = [
    (b"\0\x02\0\0\0\0\0\x04\x04\xd2\x16\x2e", 4, 12_345_678),
    (b"\0\x01\xff\xff\x40\0\0\x04\x27\x0f", 4, -9_999),
    (b"\0\0\0\0\xc0\0\0\0", 0, numeric::NAN),
    (b"\0\x05\0\x04\0\0\0\0\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f", 4, (10i128.pow(20) - 1) * 10_000),
    (
        b"\0\x0a\0\x09\0\0\0\0\0\x63\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f",
        0,
        10i128.pow(38) - 1,
    ),
];
const CHANGES: &[&[u8]] = &[
    b"B\0\0\0\0\x01\xaf\x5e\xb0\0\x03\x04\x0f\x99\x15\x1e\xdf\0\0\x02\xee",
    b"C\0\0\0\0\0\x01\xaf\x5e\xb0\0\0\0\0\x01\xaf\x5e\xe0\0\x03\x04\x0f\x99\x15\x1e\xdf",
    b"R\0\0\x40\x01public\0t\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0name\0\0\0\0\x19\xff\xff\xff\xff",
    b"I\0\0\x40\x01N\0\x03t\0\0\0\x011nu",
    b"U\0\0\x40\x01O\0\x02t\0\0\0\x011t\0\0\0\x01aN\0\x02t\0\0\0\x011u",
    b"U\0\0\x40\x01K\0\x02t\0\0\0\x011nN\0\x02t\0\0\0\x012t\0\0\0\x01a",
    b"D\0\0\x40\x01K\0\x02t\0\0\0\x011n",
    b"T\0\0\0\x02\x01\0\0\x40\x01\0\0\x40\x02",
    b"Y\0\0\x40\x05public\0mood\0",
    b"O\0\0\0\0\x01\xaf\x5e\xb0elsewhere\0",
];
const REPLICATION: &[&[u8]] = &[
    b"k\0\0\0\0\x01\xaf\x5e\x40\0\x03\x04\x0f\x99\x12\xfb\x4c\0",
    b"w\0\0\0\0\x01\xaf\x5e\xb0\0\0\0\0\x01\xaf\x5e\xb0\0\x03\x04\x0f\x99\x15\x1e\xdfY\0\0\x40\x05public\0mood\0",
];

fn login() -> Login {
    Login { user: "u".into(), password: Some("p".into()), database: "d".into(), is_replication: false }
}

/// Look at all that a message holds, as the connection does.
fn exhaust(message: &backend::Message) -> Option<()> {
    match message {
        backend::Message::RowDescription(body) => body.fields().count().ok().map(drop),
        backend::Message::DataRow(body) => body.ranges().count().ok().map(drop),
        backend::Message::ParameterDescription(body) => body.parameters().count().ok().map(drop),
        backend::Message::ErrorResponse(body) => body.fields().count().ok().map(drop),
        backend::Message::CopyOutResponse(body) => body.column_formats().count().ok().map(drop),
        backend::Message::CommandComplete(body) => body.tag().ok().map(drop),
        backend::Message::ParameterStatus(body) => body.value().ok().map(drop),
        _ => Some(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn messages_are_cut_and_parsed_or_refused(stream in proptest::collection::vec(mutated(MESSAGES), 1..6)) {
        let bytes = stream.concat();
        let mut incoming = Incoming::new(bytes.len());
        incoming.room()[..bytes.len()].copy_from_slice(&bytes);
        incoming.filled(bytes.len());
        let (login, mut consumed) = (login(), 0);
        let mut authentication = Authentication::new(&login, Vec::new());
        while let Ok(Some(message)) = incoming.next_message() {
            consumed += 5 + incoming.body(message).len();
            if let Ok(parsed) = incoming.parse(message) {
                let _ = exhaust(&parsed);
                let _ = authentication.answer(&parsed);
            }
        }
        prop_assert!(consumed <= bytes.len());
    }

    #[test]
    fn tuples_of_a_copy_are_read_or_refused(bodies in proptest::collection::vec(mutated(COPY), 1..4)) {
        let mut copy = CopyOut::new(2);
        for body in &bodies {
            if let Ok(Some(mut fields)) = copy.tuple(body) {
                let whole = fields.remaining();
                let taken: usize = (0..2).map_while(|_| fields.next_field().ok()).map(|field| 4 + field.map_or(0, <[u8]>::len)).sum();
                prop_assert_eq!(taken + fields.remaining(), whole);
            }
        }
    }

    #[test]
    fn numbers_are_read_or_refused(bytes in mutated(&NUMERICS.map(|(bytes, ..)| bytes)), scale in 0u32..=38) {
        if let Ok(value) = numeric::decode(&bytes, scale) {
            prop_assert!(value == numeric::NAN || value.unsigned_abs() < i128::MAX as u128);
        }
    }

    #[test]
    fn changes_are_read_or_refused(bytes in mutated(CHANGES)) {
        let _ = Message::read(&bytes);
    }

    #[test]
    fn replication_messages_are_read_or_refused(bytes in mutated(REPLICATION)) {
        if let Ok(FromServer::Data { payload }) = FromServer::read(&bytes) {
            let _ = Message::read(payload);
        }
    }
}

#[test]
fn the_samples_are_right() {
    for sample in MESSAGES {
        let mut incoming = Incoming::new(sample.len());
        incoming.room()[..sample.len()].copy_from_slice(sample);
        incoming.filled(sample.len());
        assert!(matches!(incoming.next_message(), Ok(Some(message)) if incoming.parse(message).is_ok()), "{sample:x?}");
        assert!(matches!(incoming.next_message(), Ok(None)), "{sample:x?}");
    }
    for (sample, scale, value) in NUMERICS {
        assert!(matches!(numeric::decode(sample, scale), Ok(found) if found == value), "{sample:x?}");
    }
    for sample in CHANGES {
        assert!(Message::read(sample).is_ok(), "{sample:x?}");
    }
    for sample in REPLICATION {
        assert!(FromServer::read(sample).is_ok(), "{sample:x?}");
    }
}
