"""Tests that the results of `cargo test` are counted as they are."""

from __future__ import annotations

from xml.etree import ElementTree

from rapidbyte_pants.rust.junit import CrateTest, Outcome, junit_report, parse_cargo_test

OUTPUT = """
running 4 tests
test frame::seals ... ok
test frame::refuses - should panic ... ok
test says test x ... ok
test wire::slow ... ignored, needs a server
test wire::breaks ... FAILED
test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
"""


def test_result_lines_are_read_and_summaries_passed_over() -> None:
    assert parse_cargo_test(OUTPUT) == (
        CrateTest("frame::seals", Outcome.PASSED),
        CrateTest("frame::refuses", Outcome.PASSED),
        CrateTest("says test x", Outcome.PASSED),
        CrateTest("wire::slow", Outcome.SKIPPED),
        CrateTest("wire::breaks", Outcome.FAILED),
    )


def test_report_counts_by_outcome() -> None:
    suite = ElementTree.fromstring(junit_report("connectors/sdk", parse_cargo_test(OUTPUT), did_run=True))
    expected = {"name": "connectors/sdk", "tests": "5", "failures": "1", "errors": "0", "skipped": "1"}
    assert suite.attrib == expected
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["wire::breaks"]


def test_crate_that_does_not_compile_is_one_error() -> None:
    suite = ElementTree.fromstring(junit_report("connectors/sdk", (), did_run=False))
    assert (suite.get("tests"), suite.get("errors"), len(suite)) == ("1", "1", 1)
