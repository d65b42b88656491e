"""Tests which results are shared: all but those of a test that is pointed at an outside service."""

from __future__ import annotations

import pytest
from pants.backend.python.goals.pytest_runner import PytestPluginSetup
from pants.backend.python.target_types import PythonTestTarget
from pants.core.util_rules import system_binaries
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.outside_services import rules
from rapidbyte_pants.outside_services.rules import MarkedTest


@pytest.fixture
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[*rules.rules(), *system_binaries.rules(), QueryRule(PytestPluginSetup, [MarkedTest])],
        target_types=[PythonTestTarget],
    )
    runner.write_files(
        {
            "BUILD": "python_test(name='uses', source='test_a.py', extra_env_vars=['DSN', 'OTHER=1'])\n"
            "python_test(name='ignores', source='test_a.py', extra_env_vars=['OTHER'])\n",
            "test_a.py": "",
        }
    )
    return runner


def _setup(runner: RuleRunner, name: str, **env: str) -> PytestPluginSetup:
    runner.set_options(["--outside-services-variables=['DSN']"], env=env, env_inherit={"PATH"})
    return runner.request(PytestPluginSetup, [MarkedTest(runner.get_target(Address("", target_name=name)))])


def test_service_that_is_set_gives_every_session_a_mark_of_its_own(runner: RuleRunner) -> None:
    marks = {_setup(runner, "uses", DSN="postgresql://somewhere").digest.fingerprint for _ in range(3)}
    assert len(marks) == 3
    assert EMPTY_DIGEST.fingerprint not in marks


@pytest.mark.parametrize(("name", "dsn"), [("uses", None), ("uses", ""), ("ignores", "postgresql://somewhere")])
def test_results_of_all_other_tests_are_shared(runner: RuleRunner, name: str, dsn: str | None) -> None:
    assert _setup(runner, name, **({} if dsn is None else {"DSN": dsn})).digest == EMPTY_DIGEST
