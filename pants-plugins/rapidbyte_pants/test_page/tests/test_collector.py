"""Tests what is made of the workunits and the reports of a run."""

from __future__ import annotations

from rapidbyte_pants.rust.junit import junit_report, parse_cargo_test
from rapidbyte_pants.test_page.collector import Collector
from rapidbyte_pants.test_page.junit import parse_report
from rapidbyte_pants.test_page.model import Case, Origin, Outcome, Suite
from rapidbyte_pants.test_page.tests import samples

ONE = b'<testsuites><testsuite><testcase classname="a" name="test_a[1]" time="0.5"/></testsuite></testsuites>'
CASE = Case("test_a[1]", "test_a", Outcome.PASSED, 0.5)


def suites_of(*workunits: dict[str, object]) -> tuple[Suite, ...]:
    collector = Collector()
    for workunit in workunits:
        collector.add([workunit])
    return collector.suites(samples.CONTENTS)


def test_origin_and_time_are_those_of_the_process_of_the_tests() -> None:
    found = suites_of(
        {"name": "setup", "span_id": "s", "parent_ids": ["a"]},
        samples.process_workunit("setup of b", "Ran", 99),
        samples.process_workunit("b", "HitLocally", 1250),
        samples.process_workunit("c", "HitRemotely", 30),
        samples.process_workunit("d", "Ran", 40),
        samples.result_workunit("d", "t/d.py", ONE),
        samples.result_workunit("c", "t/c.py", ONE),
        samples.result_workunit("b", "t/b.py", ONE),
        samples.result_workunit("a", "t/a.py", ONE),
    )
    assert found == (
        Suite("t/a.py", (CASE,), Origin.UNCHANGED, 0.5),
        Suite("t/b.py", (CASE,), Origin.LOCAL_CACHE, 1.25),
        Suite("t/c.py", (CASE,), Origin.REMOTE_CACHE, 0.03),
        Suite("t/d.py", (CASE,), Origin.RAN, 0.04),
    )


def test_target_that_broke_before_its_report_is_one_error_with_what_it_said() -> None:
    (suite,) = suites_of(samples.result_workunit("a", "t/a.py", None, level="ERROR", said=b"Timed out\n"))
    assert suite.cases == (
        Case("the process of the tests", "the process of the tests", Outcome.ERROR, 0.0, "Timed out"),
    )


def test_target_without_tests_is_no_failure() -> None:
    (suite,) = suites_of(samples.result_workunit("a", "t/a.py", b"<testsuites/>"))
    assert (suite.cases, suite.bad) == ((), ())


def test_report_of_pytest_is_read_with_its_failures() -> None:
    report = b"""<testsuites><testsuite name="pytest" tests="5">
      <testcase classname="a" name="test_ok" time="0.5"/>
      <testcase classname="a" name="test_bad[x]" time="1"><failure message="short">whole\ntext</failure></testcase>
      <testcase classname="a" name="test_left" time="0"><skipped message="no"/></testcase>
      <testcase classname="a" name="test_both" time="1"><failure message="f">one</failure></testcase>
      <testcase classname="a" name="test_both" time="2"><error message="e">other</error></testcase>
      <testcase classname="b" name="test_ok" time="0"><error message="set up"/></testcase>
    </testsuite></testsuites>"""
    assert parse_report(report) == (
        Case("test_ok", "test_ok", Outcome.PASSED, 0.5),
        Case("test_bad[x]", "test_bad", Outcome.FAILED, 1.0, "whole\ntext"),
        Case("test_left", "test_left", Outcome.SKIPPED, 0.0, "no"),
        Case("test_both", "test_both", Outcome.FAILED, 3.0, "one\nother"),
        Case("test_ok", "test_ok", Outcome.ERROR, 0.0, "set up"),
    )


def test_report_of_a_crate_is_read_alike() -> None:
    tests = parse_cargo_test("test codec::a ... ok\ntest codec::b ... FAILED\n")
    assert parse_report(junit_report("pgwire", tests, did_run=True)) == (
        Case("codec::a", "codec::a", Outcome.PASSED, 0.0),
        Case("codec::b", "codec::b", Outcome.FAILED, 0.0, "see the test's output"),
    )


def test_report_that_was_cut_off_is_an_error() -> None:
    (case,) = parse_report(b"<testsuites><testsu")
    assert (case.outcome, case.message[:17]) == (Outcome.ERROR, "It cannot be read")
