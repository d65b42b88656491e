"""Suites to write pages of, and workunits as Pants tells them."""

from __future__ import annotations

from typing import Any

from rapidbyte_pants.test_page.collector import Contents
from rapidbyte_pants.test_page.model import Case, Origin, Outcome, Suite

DIFFERENCE = """\
    def test_rows():
>       assert not difference
E       AssertionError: rows differ; - missing, + surplus:
E         - id='1', name='Alice'
E         + id='1', name='Eve'

tests/e2e/test_rows.py:7: AssertionError
------------------------------- the server's log -------------------------------
ERROR:  none"""

PASSED = Suite(
    "tests/unit/test_a.py:tests",
    (
        Case("test_one", "test_one", Outcome.PASSED, 0.25),
        Case("test_two[x]", "test_two", Outcome.PASSED, 0.5),
        Case("test_two[y]", "test_two", Outcome.SKIPPED, 0.0, "not here"),
    ),
    Origin.LOCAL_CACHE,
    1.5,
)
FAILED = Suite(
    "tests/e2e/test_rows.py",
    (Case("test_rows", "test_rows", Outcome.FAILED, 61.0, DIFFERENCE),),
    Origin.RAN,
    62.0,
)


def many(count: int) -> tuple[Suite, ...]:
    """Return suites of a hundred tests each."""
    cases = tuple(Case(f"test_{n % 9}[{n}]", f"test_{n % 9}", Outcome.PASSED, n / 1000) for n in range(100))
    return tuple(Suite(f"tests/unit/test_{n:03}.py", cases, Origin.RAN, 1.0) for n in range(count // 100))


def result_workunit(
    span: str, address: str, report: bytes | None, level: str = "INFO", said: bytes = b""
) -> dict[str, Any]:
    """Return what Pants tells when a test target is done; `report` and `said` stand in the place of digests."""
    artifacts = {"stdout": said, "stderr": b""}
    if report is not None:
        artifacts["xml_results"] = report
    return {
        "name": "run_python_tests",
        "span_id": span,
        "level": level,
        "metadata": {"addresses": [address]},
        "artifacts": artifacts,
    }


def process_workunit(parent: str, source: str, elapsed_ms: int) -> dict[str, Any]:
    """Return what Pants tells of a process."""
    return {
        "name": "process",
        "span_id": f"{parent}-process-{source}",
        "parent_ids": [parent],
        "metadata": {"source": source, "total_elapsed_ms": str(elapsed_ms)},
    }


CONTENTS = Contents(snapshot=lambda report: [report], file=lambda digest: digest)
