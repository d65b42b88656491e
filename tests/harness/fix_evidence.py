"""What the report of a failed test carries: its pipelines and their runs, the server's log, and how to run it again."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

import rapidbyte
from harness.evidence import Evidence, Section
from harness.names import SchemaPair
from harness.providers import VARIABLES, ProvidedServer
from harness.reproduction import reproduction
from harness.server_log import log_of_test, nonce_of

_EVIDENCE = pytest.StashKey[Evidence]()
_STARTED = pytest.StashKey[float]()


@pytest.fixture(autouse=True)
def evidence(request: pytest.FixtureRequest) -> Iterator[Evidence]:
    """What this test does through the public calls and the command line."""
    made = request.node.stash[_EVIDENCE] = Evidence()
    with made.watching(rapidbyte):
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the evidence to the report of what failed, where the terminal and the JUnit report both show it."""
    report = yield
    if call.when == "setup":
        item.stash[_STARTED] = call.start
    if report.failed and isinstance(item, pytest.Function):
        for title, text in _sections(item):
            _add(report, title, text)
    return report


def _sections(item: pytest.Function) -> Iterator[Section]:
    if _EVIDENCE in item.stash:
        yield from item.stash[_EVIDENCE].sections()
    if isinstance(server := item.funcargs.get("provided_server"), ProvidedServer):
        yield "the server's log", _log(item, server)
    path, _, _ = item.nodeid.partition("::")
    yield "run it again", reproduction(path, item.name, VARIABLES)


def _log(item: pytest.Function, server: ProvidedServer) -> str:
    if server.log is None:
        return "It is not ours to read: look where that server keeps it."
    schemas = item.funcargs.get("schemas")
    nonce = nonce_of(schemas.source) if isinstance(schemas, SchemaPair) else None
    return log_of_test(server.log(), nonce, item.stash[_STARTED]) or "It has nothing of this test."


def _add(report: pytest.TestReport, title: str, text: str) -> None:
    add_section = getattr(report.longrepr, "addsection", None)  # not for what is plain text already
    if add_section is not None:
        add_section(title, text)
    else:
        report.sections.append((title, text))
