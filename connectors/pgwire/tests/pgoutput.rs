//! Recorded messages of the output plugin: read whole, and refused at every cut.

use pgwire::Lsn;
use pgwire::pgoutput::{Datum, Message, Old, Tuple};

const RECORDING: &str = include_str!("exchanges/pgoutput.txt");

const T: u32 = 0x419f;
const F: u32 = 0x41a7;

fn recorded() -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("?"), 16).unwrap_or_default();
    let lines = RECORDING.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

fn row<'a>(values: &[Option<&'a str>]) -> Tuple<'a> {
    let datum = |value: &Option<&'a str>| value.map_or(Datum::Null, |text| Datum::Text(text.as_bytes()));
    Tuple { values: values.iter().map(datum).collect() }
}

#[test]
fn every_recorded_message_is_read() -> pgwire::Result<()> {
    let recorded = recorded();
    let mut messages = recorded.iter().map(|bytes| Message::read(bytes)).collect::<pgwire::Result<Vec<_>>>()?;
    let relations: Vec<_> = messages.extract_if(.., |message| matches!(message, Message::Relation(_))).collect();
    let mut unchanged = row(&[Some("1"), Some("z"), Some("sad"), None]);
    unchanged.values[3] = Datum::Unchanged;
    let key = |id| Old::Key(row(&[Some(id), None, None, None]));
    let one = || row(&[Some("1"), Some("one")]);
    let expected = [
        Message::Begin { commit: Lsn(0x1C2_CAA8), committed_at: 0x3_040F_9772_45DE, transaction: 934 },
        Message::Aside,
        Message::Insert { relation: T, new: row(&[Some("2"), None, Some("ok"), Some("y")]) },
        Message::Insert { relation: F, new: one() },
        Message::Commit { end: Lsn(0x1C2_CAD8) },
        Message::Update { relation: T, old: None, new: unchanged },
        Message::Update { relation: T, old: Some(key("2")), new: row(&[Some("3"), None, Some("ok"), Some("y")]) },
        Message::Delete { relation: T, old: key("3") },
        Message::Update { relation: F, old: Some(Old::Whole(one())), new: row(&[Some("1"), None]) },
        Message::Delete { relation: F, old: Old::Whole(row(&[Some("1"), None])) },
        Message::Truncate { relations: vec![T, F] },
    ];
    assert_eq!(messages, expected);

    let described: Vec<_> = relations
        .iter()
        .filter_map(|message| if let Message::Relation(relation) = message { Some(relation) } else { None })
        .map(|relation| {
            let columns = relation.columns.iter().map(|column| (column.name.as_str(), column.type_oid, column.is_key));
            (relation.id, relation.schema.as_str(), relation.name.as_str(), columns.collect::<Vec<_>>())
        })
        .collect();
    let of_t = vec![("id", 23, true), ("name", 25, false), ("m", 0x419a, false), ("big", 25, false)];
    let of_f = vec![("a", 23, true), ("b", 25, true)];
    assert_eq!(described, [(T, "public", "t", of_t), (F, "public", "f", of_f)]);
    Ok(())
}

#[test]
fn every_cut_of_a_message_is_refused_and_so_is_a_byte_too_many() {
    for message in recorded() {
        let is_aside = matches!(Message::read(&message), Ok(Message::Aside));
        for length in 0..message.len() {
            let is_refused = Message::read(&message[..length]).is_err();
            assert!(is_refused || is_aside && length > 0, "cut at {length}: {message:x?}");
        }
        let longer = [message, vec![0]].concat();
        assert!(Message::read(&longer).is_err() || is_aside, "{longer:x?}");
    }
}

#[test]
fn origins_are_passed_over_and_unknown_messages_are_not() {
    assert_eq!(Message::read(b"O\0\0\0\0\0\0\0\x01o\0").ok(), Some(Message::Aside));
    for unknown in [&b""[..], b"S\0\0\0\x01\x01", b"x"] {
        assert!(Message::read(unknown).is_err(), "{unknown:x?}");
    }
}

#[test]
fn kinds_counts_and_names_that_cannot_be_are_refused() {
    let insert = |rest: &[u8]| [b"I\0\0\0\x01", rest].concat();
    for (rest, is_right) in [
        (&b"N\0\x01n"[..], true),
        (b"K\0\x01n", false),
        (b"N\xff\xff", false),
        (b"N\0\x01x", false),
        (b"N\0\x01t\xff\xff\xff\xff", false),
    ] {
        assert_eq!(Message::read(&insert(rest)).is_ok(), is_right, "{rest:x?}");
    }
    assert!(Message::read(b"D\0\0\0\x01N\0\0").is_err());
    assert!(Message::read(b"R\0\0\0\x01\xff\0t\0d\0\0").is_err());
}
