"""An edit reruns what depends on it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from proofs.scratch import Checkout

_SINCE = ("--changed-since=main", "--changed-dependents=transitive")
_CRATES = ("dest_postgres", "pgwire", "sdk", "source_postgres")
_WITH_CONNECTORS = ("tests/e2e/*", "tests/boundary/test_handshake.py")


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file, as `Checkout.edited` makes it, and the patterns of the tests that it reruns."""

    name: str
    path: str
    old: str
    new: str
    reruns: tuple[str, ...]
    spares: tuple[str, ...] = ()


EDITS = (
    Edit("one test", "tests/unit/config/test_load.py", "", "\n# edited\n", ("tests/unit/config/test_load.py",)),
    Edit("one e2e file", "tests/e2e/test_types.py", "", "\n# edited\n", ("tests/e2e/test_types.py",)),
    Edit("a pipeline", "fixtures/pipelines/projection.yaml", "", "\n# edited\n", ("tests/e2e/test_full_refresh.py",)),
    Edit("a seed", "fixtures/sql/hard_values.sql", "", "\n-- edited\n", ("tests/e2e/test_types.py",)),
    Edit(
        "an engine module",
        "src/rapidbyte/engine/stage.py",
        "",
        "\n# edited\n",
        ("tests/e2e/*", "tests/boundary/*", "tests/unit/engine/*", "tests/unit/cli/*", "tests/harness/*", "tests/*"),
        ("tests/unit/config/*", "tests/unit/frames/*", "tests/unit/net/*", "tests/unit/state/*", "tests/unit/wasm/*"),
    ),
    # A comment can hold a test, so the crate's own tests are compiled again. The module is the same.
    Edit(
        "a comment in Rust",
        "connectors/dest_postgres/src/target.rs",
        "use pgwire",
        "// edited: one line more\nuse pgwire",
        ("connectors/dest_postgres",),
    ),
    Edit(
        "dest_postgres",
        "connectors/dest_postgres/manifest.json",
        '"description": "',
        '"description": "Edited. ',
        ("connectors/dest_postgres", *_WITH_CONNECTORS),
        ("tests/e2e/test_embedded_postgres.py",),
    ),
    Edit(
        "source_postgres",
        "connectors/source_postgres/manifest.json",
        '"description": "',
        '"description": "Edited. ',
        ("connectors/source_postgres", *_WITH_CONNECTORS),
        ("tests/e2e/test_embedded_postgres.py",),
    ),
    Edit(
        "pgwire",
        "connectors/pgwire/src/connection.rs",
        "out of turn",
        "out of its turn",
        ("connectors/pgwire", "connectors/dest_postgres", "connectors/source_postgres", *_WITH_CONNECTORS),
        ("connectors/sdk", "tests/e2e/test_embedded_postgres.py"),
    ),
    Edit(
        "the SDK",
        "connectors/sdk/src/export.rs",
        "The connector is not open.",
        "The connector is not open yet.",
        ("connectors/*", *_WITH_CONNECTORS),
        ("tests/e2e/test_embedded_postgres.py", "tests/unit/*"),
    ),
    Edit("a comment in Cargo.lock", "connectors/Cargo.lock", "", "\n# edited\n", ()),
    Edit(
        "the lock of the plugins", "3rdparty/python/plugins.lock", "", "# edited\n", ("3rdparty/*", "pants-plugins/*")
    ),
    Edit("the lock of the linters", "3rdparty/python/tools.lock", "", "# edited\n", ("3rdparty/*",)),
    Edit(
        "the lock of the code",
        "3rdparty/python/main.lock",
        "",
        "# edited\n",
        ("3rdparty/*", "tests/unit/*", "tests/property/*", "tests/boundary/*", "tests/e2e/*", "tests/*"),
        ("connectors/*", "pants-plugins/*"),
    ),
)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name.replace(" ", "_"))
def test_edit_reruns_what_depends_on_it_and_nothing_else(passed_checkout: Checkout, edit: Edit) -> None:
    with passed_checkout.edited(edit.path, edit.old, edit.new):
        since_main = passed_checkout.pants(*_SINCE, "test")
        everything = passed_checkout.pants("test", "::")
    assert since_main.code == 0, since_main.text
    assert everything.code == 0, everything.text
    # What git says has changed is enough: the whole has nothing left to run.
    assert everything.ran == frozenset()
    assert sorted(_unexpected(since_main.ran, edit)) == []
    assert [pattern for pattern in edit.reruns if not any(fnmatch(test, pattern) for test in since_main.ran)] == []
    print(f"{edit.name}: {', '.join(sorted(since_main.ran)) or 'nothing'}")


def _unexpected(ran: frozenset[str], edit: Edit) -> Iterator[str]:
    for test in ran:
        is_spared = any(fnmatch(test, pattern) for pattern in edit.spares)
        if is_spared or not any(fnmatch(test, pattern) for pattern in edit.reruns):
            yield test


def test_another_version_of_a_crate_reruns_what_is_compiled_from_it(passed_checkout: Checkout) -> None:
    lock = passed_checkout.folder / "connectors/Cargo.lock"
    before = lock.read_text(encoding="utf-8")
    manifest = str(lock.with_name("Cargo.toml"))
    older = passed_checkout.run("cargo", "update", "--manifest-path", manifest, "itoa", "--precise", "1.0.17")
    assert older.code == 0, older.text
    try:
        outcome = passed_checkout.pants("test", "::")
    finally:
        lock.write_text(before, encoding="utf-8")
    assert outcome.code == 0, outcome.text
    assert [test for test in outcome.ran if test.startswith(("tests/unit", "tests/property", "pants-plugins"))] == []
    assert {f"connectors/{crate}" for crate in _CRATES} <= outcome.ran
    print(f"another version of a crate: {', '.join(sorted(outcome.ran))}")


def test_another_toolchain_compiles_anew_and_reruns_only_the_crates(passed_checkout: Checkout, tmp_path: Path) -> None:
    version = passed_checkout.run("rustc", "-vV")
    sysroot = passed_checkout.run("rustc", "--print", "sysroot")
    assert (version.code, sysroot.code) == (0, 0)
    programs = Path(sysroot.stdout.strip(), "bin")
    # It compiles the same code, and says that it is another.
    (tmp_path / "rustc").write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" --print sysroot "*) echo {tmp_path} ;; *" -vV "*) {programs}/rustc -vV; echo other: 1 ;; '
        f'*) exec {programs}/rustc "$@" ;; esac\n'
    )
    for name in ("cargo", "rustdoc"):
        (tmp_path / name).symlink_to(programs / name)
    (tmp_path / "rustc").chmod(0o755)
    (tmp_path / "lib").symlink_to(programs.parent / "lib")
    outcome = passed_checkout.pants("test", "::", PANTS_RUST_SEARCH_PATH=f"['{tmp_path}']")
    assert outcome.code == 0, outcome.text
    assert outcome.ran == {f"connectors/{crate}" for crate in _CRATES}
