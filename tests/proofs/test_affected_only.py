"""An edit reruns what depends on it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from proofs.scratch import Checkout

_SINCE = ("--changed-since=main", "--changed-dependents=transitive")
_CRATES = ("dest_postgres", "pgwire", "sdk", "source_postgres", "transform_validate")
_POSTGRES_CRATES = ("dest_postgres", "pgwire", "source_postgres")
_WITH_CONNECTORS = ("tests/e2e/*", "tests/boundary/*", "examples/*")
_WITHOUT_CONNECTORS = ("tests/e2e/test_embedded_postgres.py", "tests/boundary/test_run_endings.py")


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
    Edit(
        "one e2e file",
        "tests/e2e/test_types.py",
        "",
        "\n# edited\n",
        ("tests/e2e/test_types.py", "tests/unit/coverage/test_coverage.py"),
    ),
    Edit(
        "a pipeline",
        "fixtures/pipelines/projection.yaml",
        "",
        "\n# edited\n",
        ("tests/e2e/test_full_refresh.py", "tests/e2e/test_schema.py"),
    ),
    Edit("a seed", "fixtures/sql/user_types.sql", "", "\n-- edited\n", ("tests/e2e/test_types.py",)),
    Edit(
        "an engine module",
        "src/rapidbyte/engine/stage.py",
        "",
        "\n# edited\n",
        (
            "tests/e2e/*",
            "tests/boundary/*",
            "tests/unit/engine/*",
            "tests/unit/cli/*",
            "tests/harness/*",
            "tests/*",
            "examples/*",
        ),
        ("tests/unit/config/*", "tests/unit/frames/*", "tests/unit/net/*", "tests/unit/state/*", "tests/unit/wasm/*"),
    ),
    # A comment can hold a test, so the crate's own tests are compiled again, and one test reads the code itself. The
    # module is the same.
    Edit(
        "a comment in Rust",
        "connectors/dest_postgres/src/target.rs",
        "use pgwire",
        "// edited: one line more\nuse pgwire",
        ("connectors/dest_postgres", "tests/unit/engine/test_points.py"),
    ),
    Edit(
        "dest_postgres",
        "connectors/dest_postgres/manifest.json",
        '"description": "',
        '"description": "Edited. ',
        ("connectors/dest_postgres", *_WITH_CONNECTORS),
        _WITHOUT_CONNECTORS,
    ),
    Edit(
        "source_postgres",
        "connectors/source_postgres/manifest.json",
        '"description": "',
        '"description": "Edited. ',
        ("connectors/source_postgres", *_WITH_CONNECTORS),
        _WITHOUT_CONNECTORS,
    ),
    Edit(
        "pgwire",
        "connectors/pgwire/src/connection.rs",
        "out of turn",
        "out of its turn",
        ("connectors/pgwire", "connectors/dest_postgres", "connectors/source_postgres", *_WITH_CONNECTORS),
        ("connectors/sdk", *_WITHOUT_CONNECTORS),
    ),
    Edit(
        "the SDK",
        "connectors/sdk/src/export.rs",
        "The connector is not open.",
        "The connector is not open yet.",
        ("connectors/*", *_WITH_CONNECTORS),
        (*_WITHOUT_CONNECTORS, "tests/unit/*"),
    ),
    Edit("a comment in Cargo.lock", "connectors/Cargo.lock", "", "\n# edited\n", ()),
    # The environments that are installed from these are the same.
    Edit("a comment in the lock of the code", "3rdparty/python/main.lock", "", "# edited\n", ("3rdparty/*",)),
    Edit("a comment in the lock of the plugins", "3rdparty/python/plugins.lock", "", "# edited\n", ("3rdparty/*",)),
    Edit("the lock of the linters", "3rdparty/python/tools.lock", "", "# edited\n", ("3rdparty/*",)),
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


def _is_by_crates(ran: frozenset[str], names: tuple[str, ...]) -> bool:
    """Tell whether just these crates ran, and beside them only what loads connectors."""
    crates = {f"connectors/{name}" for name in names}
    return crates <= ran and all(any(fnmatch(test, pattern) for pattern in _WITH_CONNECTORS) for test in ran - crates)


def test_another_version_of_a_crate_reruns_what_is_compiled_from_it(passed_checkout: Checkout) -> None:
    lock = passed_checkout.folder / "connectors/Cargo.lock"
    before = lock.read_text(encoding="utf-8")
    manifest = str(lock.with_name("Cargo.toml"))
    # No connector has it but for the client of Postgres.
    older = passed_checkout.run("cargo", "update", "--manifest-path", manifest, "unicode-bidi", "--precise", "0.3.17")
    assert older.code == 0, older.text
    try:
        outcome = passed_checkout.pants("test", "::")
    finally:
        lock.write_text(before, encoding="utf-8")
    assert outcome.code == 0, outcome.text
    assert _is_by_crates(outcome.ran, _POSTGRES_CRATES), sorted(outcome.ran)


def test_another_version_in_a_python_lock_reruns_what_runs_on_it(passed_checkout: Checkout) -> None:
    lock = passed_checkout.folder / "3rdparty/python/plugins.lock"
    before = lock.read_text(encoding="utf-8")
    try:
        with passed_checkout.edited("3rdparty/python/plugins.in", ",<7.1", ",<7.0.1"):
            locked = passed_checkout.run("python3", "3rdparty/python/lock.py")
            assert locked.code == 0, locked.text
            outcome = passed_checkout.pants("test", "::")
    finally:
        lock.write_text(before, encoding="utf-8")
    assert outcome.code == 0, outcome.text
    assert {test.partition("/")[0] for test in outcome.ran} == {"3rdparty", "pants-plugins"}


def test_another_toolchain_compiles_anew_what_it_compiles(passed_checkout: Checkout, tmp_path: Path) -> None:
    sysroot = passed_checkout.run("rustc", "--print", "sysroot")
    assert sysroot.code == 0, sysroot.text
    programs = Path(sysroot.stdout.strip(), "bin")
    # It is the same compiler, and says that it is another.
    (tmp_path / "rustc").write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" --print sysroot "*) echo {tmp_path} ;; *" -vV "*) {programs}/rustc -vV; echo other: 1 ;; '
        f'*) exec {programs}/rustc "$@" ;; esac\n'
    )
    for name in ("cargo", "rustdoc"):
        (tmp_path / name).symlink_to(programs / name)
    (tmp_path / "rustc").chmod(0o755)
    (tmp_path / "lib").symlink_to(programs.parent / "lib")
    # The rule that compiles one connector compiles all: what needs DataFusion, which takes ten minutes, proves no more.
    slow = passed_checkout.pants("dependents", "--transitive", "--closed", "connectors/transform_sql")
    assert slow.code == 0, slow.text
    others = ("::", *(f"-{address}" for address in slow.stdout.split()))
    outcome = passed_checkout.pants("test", *others, PANTS_RUST_SEARCH_PATH=f"['{tmp_path}']")
    assert outcome.code == 0, outcome.text
    assert _is_by_crates(outcome.ran, _CRATES), sorted(outcome.ran)
