"""Names of schemas: long enough to be read, short enough for Postgres, and known again."""

from __future__ import annotations

from harness.names import SchemaPair, owner_of, schema_pair


def test_names_tell_the_test_and_the_owner() -> None:
    assert schema_pair("test_append_twice[lz4]", 0x1234ABCD, 7) == SchemaPair(
        "src_append_twice_lz4_1234abcd0007", "dst_append_twice_lz4_1234abcd0007"
    )


def test_longest_names_have_63_bytes_and_keep_their_owner() -> None:
    pair = schema_pair("test_" + "long_" * 40, 0xFFFFFFFF, 0xFFFF)
    assert (len(pair.source.encode()), len(pair.destination.encode())) == (63, 63)
    assert owner_of(pair.source) == owner_of(pair.destination) == 0xFFFFFFFF


def test_letters_outside_ascii_are_left_out() -> None:
    assert schema_pair("test_größe_東京", 0, 1).source == "src_gr_e_000000000001"


def test_foreign_schemas_have_no_owner() -> None:
    assert [owner_of(name) for name in ("public", "src_mine", "src_x_1234", "dst_x_000000000001x")] == [None] * 4
