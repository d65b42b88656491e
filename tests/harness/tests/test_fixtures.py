"""The fixtures as a test file sees them: schemas go with their test, unless they are to be kept."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psycopg
import pytest

from harness.providers import DSN_VARIABLE
from harness.python_path import PYTHON_PATH
from harness.shared_server import LINGER_VARIABLE
from harness.tests.processes import workers
from harness.waiting import wait_until

_SUITE = """
    def test_that_passes(owner_session, schemas):
        owner_session.execute(f"CREATE TABLE {schemas.source}.t (); CREATE SCHEMA {schemas.destination}")

    def test_that_fails(owner_session, schemas):
        owner_session.execute(f"CREATE TABLE {schemas.source}.t (); CREATE SCHEMA {schemas.destination}")
        raise RuntimeError("on purpose")
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lease folder for the inner test process alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(LINGER_VARIABLE, "0")
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    return tmp_path


def _run_suite(pytester: pytest.Pytester, *options: str) -> str:
    pytester.makepyfile(_SUITE)
    result = pytester.runpytest_subprocess("-p", "harness.fix_server", "-p", "harness.fix_schemas", *options)
    result.assert_outcomes(passed=1, failed=1)
    return str(result.stdout)


def _lease_folder(cache: Path) -> Path:
    (folder,) = (cache / "rapidbyte").iterdir()
    return folder


def _test_schemas(dsn: str) -> list[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%that%' ORDER BY 1"
    with psycopg.connect(dsn) as session:
        return [name for (name,) in session.execute(query)]


def test_passing_and_failing_tests_drop_their_schemas(pytester: pytest.Pytester, cache: Path) -> None:
    pytester.makepyfile("def test_first(owner_session): pass")
    pytester.runpytest_subprocess("-p", "harness.fix_server").assert_outcomes(passed=1)
    with workers(_lease_folder(cache), 1) as (observer,):
        _run_suite(pytester)
        assert _test_schemas(observer.dsn) == []


def test_external_server_is_used_alike_and_no_other_is_started(
    pytester: pytest.Pytester, cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workers(tmp_path_factory.mktemp("external"), 1) as (external,):
        monkeypatch.setenv(DSN_VARIABLE, external.dsn)
        _run_suite(pytester)
        assert _test_schemas(external.dsn) == []
    assert not (cache / "rapidbyte").exists()


def test_kept_schemas_outlive_the_run_and_later_runs(pytester: pytest.Pytester, cache: Path) -> None:
    output = _run_suite(pytester, "--keep-schemas")
    found = re.search(r"Schemas are kept on (\S+)\. Stop it with: kill (\d+)", output)
    assert found is not None
    dsn, guard_pid = found[1], int(found[2])
    try:
        kept = _test_schemas(dsn)
        assert [re.sub(r"_[0-9a-f]{12}$", "", name) for name in kept] == [
            "dst_that_fails",
            "dst_that_passes",
            "src_that_fails",
            "src_that_passes",
        ]
        with workers(_lease_folder(cache), 1) as (later,):
            assert (later.dsn, later.orphans) == (dsn, ())
            assert _test_schemas(dsn) == kept
    finally:
        os.kill(guard_pid, signal.SIGTERM)
    wait_until(lambda: not later.directory.exists(), "the kept server to stop when told")
