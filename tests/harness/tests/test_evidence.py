"""What a failed test tells: the pipelines it ran, what came of them, the server's log, and the line that repeats it."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.evidence import CALLS, Evidence
from harness.providers import MAJOR_VARIABLE
from harness.python_path import PYTHON_PATH
from harness.reproduction import reproduction
from harness.server_log import log_of_test, nonce_of
from harness.shared_server import LINGER_VARIABLE
from rapidbyte.errors import ErrorInfo, SchemaError
from rapidbyte.model import RunReport, RunStatus, StreamReport

_PLUGINS = ("fix_evidence", "fix_server", "fix_schemas", "fix_tables", "fix_pipelines")
_SUITE = """
import pytest

def test_that_passes(schemas):
    pass

@pytest.mark.parametrize("mode", ["append and replace", "append"])
def test_that_fails(ask, run_pipeline, variables, mode):
    with pytest.raises(Exception, match="oracle"):
        run_pipeline("template.yaml")
    with pytest.raises(Exception, match="division by zero"):
        ask("SELECT '{s}', 1 / 0".replace("'{s}'", "(SELECT count(*) FROM pg_class WHERE relname = '{s}'::text)"))
    ask("SELECT {s}.missing()")
"""
_TEMPLATE = """\
version: "1.0"
pipeline: broken
source:
  use: oracle
  config: {host: "${PGHOST}", password: "${PGPASSWORD}", schema: "${SOURCE_SCHEMA}"}
  streams: [{name: users, sync_mode: full_refresh}]
destination:
  use: postgres
  config: {host: "${PGHOST}"}
  write_mode: append
"""
_LOG = """\
2026-01-02 03:04:04.999 UTC [7] ERROR:  before the test
2026-01-02 03:04:05.100 UTC [8] ERROR:  relation "t" does not exist at character 15
2026-01-02 03:04:05.100 UTC [8] STATEMENT:  SELECT *
\tFROM "src_mine_00000001000a"."t"
2026-01-02 03:04:05.200 UTC [9] ERROR:  canceling statement due to user request
2026-01-02 03:04:05.200 UTC [9] STATEMENT:  COPY "src_other_000000020001"."t" TO STDOUT
2026-01-02 03:04:05.300 UTC [1] LOG:  server process (PID 8) was terminated by signal 9: Killed
2026-01-02 03:04:06.100 UTC [8] FATAL:  terminating connection due to administrator command
"""
_SINCE_S = 1767323045.5  # 03:04:05.5 UTC of that day: the log's seconds are compared


def _package(**calls: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: calls.get(name, lambda *_, **__: None) for name in CALLS})


def _text(evidence: Evidence) -> str:
    return "\n".join(f"== {title}\n{text}" for title, text in evidence.sections())


def test_log_of_a_test_is_what_its_sessions_and_the_server_say_from_its_start_on() -> None:
    nonce = nonce_of("src_mine_00000001000a")
    assert log_of_test(_LOG, nonce, _SINCE_S).splitlines() == [
        line for line in _LOG.splitlines() if "before" not in line and "[9]" not in line
    ]


def test_test_without_schemas_is_told_what_names_no_test() -> None:
    assert nonce_of("public") is None
    assert log_of_test(_LOG, None, _SINCE_S).splitlines() == [line for line in _LOG.splitlines() if "[1]" in line]


@pytest.mark.parametrize(
    ("name", "environment", "line"),
    [
        ("test_a", {}, "./pants test tests/e2e/test_x.py -- -k test_a"),
        ("test_a[lz4-3]", {}, "./pants test tests/e2e/test_x.py -- -k 'test_a[lz4-3]'"),
        ("test_a[no, and no]", {}, "./pants test tests/e2e/test_x.py -- -k 'test_a and no and no'"),
        (
            "test_a",
            {"RAPIDBYTE_TEST_POSTGRES": "17", "RAPIDBYTE_TEST_DSN": "", "RAPIDBYTE_TEST_PROFILE": "nightly"},
            "RAPIDBYTE_TEST_POSTGRES=17 PANTS_CONFIG_FILES=pants.nightly.toml "
            "./pants test tests/e2e/test_x.py -- -k test_a",
        ),
        (
            "test_a",
            {"RAPIDBYTE_TEST_DSN": "postgresql://me:secret@db/x"},
            "RAPIDBYTE_TEST_DSN=… ./pants test tests/e2e/test_x.py -- -k test_a",
        ),
    ],
)
def test_line_that_repeats_a_test_is_a_call_of_pants(name: str, environment: dict[str, str], line: str) -> None:
    chosen = ("RAPIDBYTE_TEST_DSN", "RAPIDBYTE_TEST_POSTGRES")
    assert reproduction("tests/e2e/test_x.py", name, chosen, environment) == line


def test_calls_are_told_in_order_with_their_documents_and_outcomes_and_no_secret() -> None:
    report = RunReport("r1", "p", RunStatus.COMPLETED, 1.25, (StreamReport("users", 3, 2, 99, 1, 1.0, 2, 1),))

    def fail(*_: object, **__: object) -> None:
        raise SchemaError("no table gEheim", ErrorInfo("odd"))

    package = _package(run_pipeline=lambda *_, **__: report, check_pipeline=fail)
    originals = dict(vars(package))
    evidence = Evidence()
    with evidence.watching(package):
        package.run_pipeline({"pipeline": "p", "config": {"password": "gEheim", "path": Path("/x")}})
        with pytest.raises(SchemaError):
            package.check_pipeline("missing.yaml", env={"PGPASSWORD": "gEheim"})
    assert vars(package) == originals
    assert _text(evidence).splitlines() == [
        "== 1. run_pipeline",
        "pipeline: p",
        "config:",
        "  password: ***",
        "  path: /x",
        "",
        "completed in 1.25 s (run r1)",
        "  users: read 3, written 2, rejected 1, attempts 2, batches 1",
        "== 2. check_pipeline",
        "missing.yaml: [Errno 2] No such file or directory: 'missing.yaml'",
        "",
        "error: no table ***",
        "(SchemaError, code odd)",
    ]


def test_failed_test_carries_all_of_it_in_the_terminal_and_in_the_junit_report(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(LINGER_VARIABLE, "0")
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    monkeypatch.delenv(MAJOR_VARIABLE, raising=False)
    pytester.makepyfile(test_suite=_SUITE)
    pytester.makefile(".yaml", template=_TEMPLATE)
    options = [word for plugin in _PLUGINS for word in ("-p", f"harness.{plugin}")]
    result = pytester.runpytest_subprocess(*options, "--junit-xml=junit.xml")
    result.assert_outcomes(passed=1, failed=2)
    printed = str(result.stdout)
    failures = [each.text or "" for each in ElementTree.parse(pytester.path / "junit.xml").iter("failure")]
    for told in (printed, *failures):
        assert 'password: "***"' in told
        assert "  use: oracle\n" in told
        assert "(ConnectorNotFoundError, code connector_not_found)" in told
        assert "ERROR:  function src_that_fails" in told
        assert "STATEMENT:  SELECT " in told
    assert len(failures) == 2
    lines = [line for line in printed.splitlines() if line.startswith("./pants test test_suite.py -- ")]
    chosen = [shlex.split(line)[5] for line in lines]
    assert chosen == ["test_that_fails and append and replace", "test_that_fails[append]"]
    for expression, name in zip(chosen, ("append and replace", "append"), strict=True):
        collected = pytester.runpytest_subprocess("-k", expression, "--collect-only", "-q")
        assert [line for line in collected.outlines if "::" in line] == [f"test_suite.py::test_that_fails[{name}]"]
