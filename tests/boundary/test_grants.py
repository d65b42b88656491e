"""The environment and the disk as guests see them: what manifest and pipeline both allow, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from boundary.wat_guests import Host, build
from rapidbyte.errors import ConfigError
from rapidbyte.wasm import Call, Grants, Instance

_BAD_DESCRIPTOR, _NO_ENTRY, _NOT_PERMITTED, _READ_ONLY, _NOT_CAPABLE = 8, 44, 63, 69, 76
_OPEN = """(call $path_open (i32.const 3) (i32.const 1)
    (i32.add (local.get $pointer) (i32.const 10)) (i32.sub (local.get $length) (i32.const 12))
    (i32.const {flags}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 16))"""
_TEXT = '(data (i32.const 512) "{\\"ok\\":\\"")'
_COUNT = """
    (drop (call $environ_sizes_get (i32.const 0) (i32.const 8)))
    (call $reply (i64.load32_u (i32.const 0)))"""
_VARIABLE = """
    (drop (call $environ_sizes_get (i32.const 0) (i32.const 8)))
    (drop (call $environ_get (i32.const 0) (i32.const 519)))
    (i32.store16 (i32.add (i32.const 518) (i32.load (i32.const 8))) (i32.const 0x7d22))
    (call $result (i32.const 512) (i32.add (i32.const 8) (i32.load (i32.const 8))))"""
_READ = f"""
    (drop {_OPEN.format(flags=0, rights=2)})
    (i32.store (i32.const 0) (i32.const 519))
    (i32.store (i32.const 4) (i32.const 64))
    (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store16 (i32.add (i32.const 519) (i32.load (i32.const 8))) (i32.const 0x7d22))
    (call $result (i32.const 512) (i32.add (i32.const 9) (i32.load (i32.const 8))))"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a file, a way to what lies beside it, and a directory within it."""
    folder = tmp_path / "given"
    (folder / "inner").mkdir(parents=True)
    (folder / "note").write_text("hello", encoding="ascii")
    (folder / "inner" / "deep").write_text("below", encoding="ascii")
    (tmp_path / "secret").write_text("secret", encoding="ascii")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "climb").symlink_to("../secret")
    (folder / "within").symlink_to("inner/deep")
    return folder


def _guest(host: Host, grants: Grants) -> Instance:
    bodies = {
        "rb_check": f"(call $reply (i64.extend_i32_s {_OPEN.format(flags=0, rights=2)}))",
        "rb_spec": f"(call $reply (i64.extend_i32_s {_OPEN.format(flags=1, rights=64)}))",
        "rb_discover": _READ,
        "rb_prepare": _COUNT,
        "rb_run": _VARIABLE,
        "rb_finish": _VARIABLE,
    }
    return host.start(build(bodies, fields=_TEXT), grants=grants)


def test_a_variable_is_seen_where_it_is_granted_and_set(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANTED", "value")
    monkeypatch.setenv("SECRET", "hidden")
    monkeypatch.delenv("ABSENT", raising=False)
    with _guest(host, Grants(variables=("GRANTED", "ABSENT"))) as guest:
        assert guest.call(Call.PREPARE, {}) == 1
        assert guest.call(Call.FINISH, {}) == "GRANTED=value"


def test_nothing_is_seen_of_environment_and_disk_without_grants(host: Host) -> None:
    with _guest(host, Grants()) as guest:
        assert guest.call(Call.PREPARE, {}) == 0
        for path in ("/etc/passwd", "etc/passwd", "."):
            assert guest.call(Call.CHECK, {"path": path}) == _BAD_DESCRIPTOR


def test_files_of_a_granted_directory_are_read(host: Host, folder: Path) -> None:
    with _guest(host, Grants(directories=(str(folder),))) as guest:
        for path, content in (
            ("note", "hello"),
            ("inner/deep", "below"),
            ("within", "below"),
            ("inner/../note", "hello"),
        ):
            assert guest.call(Call.DISCOVER, {"path": path}) == content


@pytest.mark.parametrize(
    "path", ["../secret", "inner/../../secret", "link", "climb", "/etc/passwd", "../../../../etc/passwd", ".."]
)
def test_no_path_leads_out_of_a_granted_directory(host: Host, folder: Path, path: str) -> None:
    with _guest(host, Grants(directories=(str(folder),))) as guest:
        assert guest.call(Call.CHECK, {"path": path}) in (_NOT_PERMITTED, _NOT_CAPABLE)


@pytest.mark.parametrize("path", ["note", "new", "inner/new"])
def test_nothing_is_written(host: Host, folder: Path, path: str) -> None:
    with _guest(host, Grants(directories=(str(folder),))) as guest:
        assert guest.call(Call.SPEC, {"path": path}) in (_NOT_PERMITTED, _READ_ONLY, _NOT_CAPABLE)
    assert sorted(entry.name for entry in folder.iterdir()) == ["climb", "inner", "link", "note", "within"]
    assert (folder / "note").read_text(encoding="ascii") == "hello"


@pytest.mark.parametrize(
    ("asked", "left", "granted"),
    [
        (("A", "B"), None, ("A", "B")),
        (("A", "B"), ("B", "C"), ("B",)),
        (("A", "B"), (), ()),
        ((), ("A",), ()),
    ],
)
def test_variables_only_ever_narrow(
    asked: tuple[str, ...], left: tuple[str, ...] | None, granted: tuple[str, ...]
) -> None:
    assert Grants(variables=asked).narrowed(left, None).variables == granted


def test_directories_only_ever_narrow(folder: Path) -> None:
    outer, given, inner, other = (str(folder / part) for part in ("..", "", "inner", "../givenness"))
    away = folder / "away"
    away.symlink_to(folder.parent)
    for asked, left, granted in (
        ((given,), None, (given,)),
        ((given,), (), ()),
        ((), (given,), ()),
        ((given,), (inner,), (inner,)),
        ((inner,), (given,), (inner,)),
        ((given,), (outer,), (given,)),
        ((given,), (other,), ()),
        ((given,), (f"{inner}/../..",), (given,)),
        ((given,), (str(away),), (given,)),
        ((inner,), (str(away), inner), (inner,)),
    ):
        assert Grants(directories=asked).narrowed(None, left).directories == granted, (asked, left)


def test_a_directory_that_is_not_there_is_named(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent cannot be opened for a connector") as caught:
        _guest(host, Grants(directories=(str(tmp_path / "absent"),)))
    assert caught.value.code == "bad_directory"


def test_a_variable_that_is_no_text_is_named_and_not_shown(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANTED", os.fsdecode(b"hidden\xff"))
    with pytest.raises(ConfigError, match="GRANTED has bytes that are not UTF-8") as caught:
        _guest(host, Grants(variables=("GRANTED",)))
    assert "hidden" not in caught.value.message
