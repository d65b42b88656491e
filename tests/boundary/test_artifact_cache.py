"""The cache of compiled connectors: what is loaded from it, what never is, and how processes share it."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from boundary.wat_guests import build
from rapidbyte.errors import ConnectorInvalidError
from rapidbyte.wasm import ArtifactCache
from rapidbyte.wasm.runtime import RUNTIME_LOCK, new_engine

_WASM = build()


def _code(directory: Path) -> Path:
    (path,) = directory.glob("*.cwasm")
    return path


def _loads(cache: ArtifactCache, wasm: bytes = _WASM) -> bool:
    artifact = cache.get(wasm)
    with RUNTIME_LOCK:
        engine = new_engine()
        artifact.load(engine).close()
        engine.close()
    return isinstance(artifact.code, Path)


def test_a_module_is_compiled_once(tmp_path: Path) -> None:
    directory = tmp_path / "aot"
    assert _loads(ArtifactCache(directory))
    written = _code(directory).stat().st_ino
    assert _loads(ArtifactCache(directory))
    assert _code(directory).stat().st_ino == written


def test_a_compilation_is_announced_and_a_hit_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        ArtifactCache(tmp_path, lambda manifest: told.append(f"{manifest.kind.value} {manifest.name}")).get(_WASM)
    assert told == ["source test"]


def test_another_module_is_another_file(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    assert cache.get(_WASM).code != cache.get(build({"rb_check": "(unreachable)"})).code


def test_code_that_was_tampered_with_is_replaced_not_loaded(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    cache.get(_WASM)
    good = _code(tmp_path).read_bytes()
    _code(tmp_path).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert _loads(cache)
    assert _code(tmp_path).read_bytes() == good


def test_a_file_is_read_once_in_a_process_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ArtifactCache(tmp_path)
    cache.get(_WASM)
    code = _code(tmp_path)
    os.utime(code, (time.time() - 60, time.time() - 60))  # however soon after it is made it changes below
    good, open_file = code.read_bytes(), os.open
    opened: list[Any] = []

    def opening(path: Any, *arguments: Any, **keywords: Any) -> int:
        opened.append(path)
        return open_file(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr("os.open", opening)
        for _ in range(3):
            assert _loads(cache)
        assert opened.count(code) == 1
    code.write_bytes(bytes(len(good)))
    assert _loads(cache)
    assert code.read_bytes() == good


@pytest.mark.parametrize("suffix", [".cwasm", ".sha256"])
def test_a_missing_or_cut_file_is_made_again(tmp_path: Path, suffix: str) -> None:
    cache = ArtifactCache(tmp_path)
    cache.get(_WASM)
    _code(tmp_path).with_suffix(suffix).write_bytes(b"")
    assert _loads(cache)
    _code(tmp_path).with_suffix(suffix).unlink()
    assert _loads(cache)
    assert _code(tmp_path).stat().st_size > 0


def test_a_link_to_somebody_elses_file_is_not_followed(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path / "aot")
    cache.get(_WASM)
    code = _code(tmp_path / "aot")
    elsewhere = tmp_path / "elsewhere"
    code.rename(elsewhere)
    code.symlink_to(elsewhere)
    assert _loads(cache)
    assert not code.is_symlink()


def test_the_directory_is_made_private(tmp_path: Path) -> None:
    directory = tmp_path / "aot"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    ArtifactCache(directory).get(_WASM)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_used_costs_time_not_the_run(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert not _loads(ArtifactCache(blocked / "aot"))


def _give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Have what is there seem to be somebody else's, as root alone could have it be; return its number."""
    given = path.lstat().st_ino

    def seen(look: Callable[..., os.stat_result], *arguments: Any, **options: Any) -> os.stat_result:
        status = look(*arguments, **options)
        fields = list(status)
        fields[stat.ST_UID] += status.st_ino == given
        return os.stat_result(fields, {name: getattr(status, name) for name in dir(status) if name.startswith("st_")})

    for name in ("stat", "fstat"):  # which is what `pathlib` looks with, too
        monkeypatch.setattr(os, name, partial(seen, getattr(os, name)))
    return given


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "aot"
    directory.mkdir()
    _give_away(directory, monkeypatch)
    assert not _loads(ArtifactCache(directory))
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("suffix", [".cwasm", ".sha256"])
def test_a_file_of_somebody_else_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    cache = ArtifactCache(tmp_path / "aot")
    cache.get(_WASM)
    file = _code(tmp_path / "aot").with_suffix(suffix)
    given = _give_away(file, monkeypatch)
    assert _loads(cache)
    assert file.stat().st_ino != given


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_made_again(tmp_path: Path, mode: int) -> None:
    cache = ArtifactCache(tmp_path / "aot")
    cache.get(_WASM)
    _code(tmp_path / "aot").chmod(mode)
    assert _loads(cache)
    assert _code(tmp_path / "aot").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("mode", "is_kept"), [(0o755, True), (0o775, False), (0o757, False), (0o1777, True)])
def test_a_directory_that_others_can_replace_is_not_used(tmp_path: Path, mode: int, is_kept: bool) -> None:
    home = tmp_path / "home"
    (home / "cache").mkdir(parents=True, mode=0o700)
    home.chmod(mode)
    assert _loads(ArtifactCache(home / "cache" / "aot")) == is_kept


def test_a_link_on_the_way_is_followed_to_where_it_leads(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (tmp_path / "cache").symlink_to(shared)
    assert not _loads(ArtifactCache(tmp_path / "cache" / "aot"))


def test_folders_that_are_made_on_the_way_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert _loads(ArtifactCache(tmp_path / "a" / "b" / "aot"))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2


def test_another_runtime_or_processor_has_code_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ArtifactCache(tmp_path / "aot")
    found = {cache.get(_WASM).code}
    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "version", lambda _: "1.2.3")
        found.add(cache.get(_WASM).code)
    processor = tmp_path / "cpuinfo"
    processor.write_text("flags : one two\n", encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr("rapidbyte.wasm.artifact._CPU_FILE", processor)
        found.add(cache.get(_WASM).code)
    assert len(found) == 3
    assert cache.get(_WASM).code in found


def test_a_module_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    broken = bytearray(_WASM)
    broken[8:8] = b"\x0a\x02\x01\x00"  # a code section before all others
    with pytest.raises(ConnectorInvalidError, match="cannot be compiled"):
        ArtifactCache(tmp_path).get(bytes(broken))


def test_what_no_run_has_used_for_a_month_is_removed_and_what_was_used_stays(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    modules = [build({"rb_check": f"(call $reply (i64.const {number}))"}) for number in range(3)]
    old, used = (cache.get(module).code for module in modules[:2])
    assert isinstance(old, Path)
    assert isinstance(used, Path)
    for code in (old, used):
        os.utime(code, (0, 0))
    cache.get(modules[1])
    cache.get(modules[2])
    assert [path.exists() for path in (old, old.with_suffix(".sha256"), old.with_suffix(".lock"))] == [False] * 3
    assert used.exists()


def test_processes_that_start_together_share_one_result(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        assert pool.starmap(_loads, [(ArtifactCache(tmp_path), _WASM)] * 4) == [True] * 4
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".cwasm", ".lock", ".sha256"]
