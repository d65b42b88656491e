"""Tests what the linters of the build report."""

from __future__ import annotations

from typing import Any

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as python_inference
from pants.backend.python.target_types import PythonSourcesGeneratorTarget, PythonSourceTarget
from pants.core.goals import tailor
from pants.core.goals.lint import LintResult
from pants.core.target_types import FilesGeneratorTarget, FileTarget
from pants.core.target_types import rules as core_rules
from pants.core.util_rules.partitions import Partitions
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.hygiene import register
from rapidbyte_pants.hygiene.unowned_files import UnownedFilesRequest
from rapidbyte_pants.hygiene.unused_fixtures import UnusedFixturesRequest
from rapidbyte_pants.hygiene.written_dependencies import WrittenDependenciesFieldSet, WrittenDependenciesRequest

_FILES = {
    "src/app/BUILD": "python_sources(overrides={'main.py': {'dependencies': ['./views.py', './model.py', ':text']}})\n"
    "files(name='text', sources=['*.txt'])",
    "src/app/main.py": "from app import views\n",
    "src/app/views.py": "",
    "src/app/model.py": "",
    "src/app/a.txt": "",
    "src/app/new.csv": "",
    "src/app/notes.md": "",
    "fixtures/BUILD": "files(sources=['*.sql'])",
    "fixtures/used.sql": "",
    "fixtures/dead.sql": "",
    "user/BUILD": "python_sources(dependencies=['fixtures/used.sql'])",
    "user/user.py": "",
}


@pytest.fixture
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *core_rules(),
            *tailor.rules(),
            *target_types_rules.rules(),
            *python_inference.rules(),
            *register.rules(),
            QueryRule(Partitions, [UnownedFilesRequest.PartitionRequest]),
            QueryRule(Partitions, [UnusedFixturesRequest.PartitionRequest]),
            QueryRule(LintResult, [UnownedFilesRequest.Batch]),
            QueryRule(LintResult, [UnusedFixturesRequest.Batch]),
            QueryRule(LintResult, [WrittenDependenciesRequest.Batch]),
        ],
        target_types=[FilesGeneratorTarget, FileTarget, PythonSourcesGeneratorTarget, PythonSourceTarget],
    )
    runner.write_files(_FILES)
    _set_options(runner)
    return runner


def _set_options(runner: RuleRunner, *options: str) -> None:
    runner.set_options(
        [
            "--source-root-patterns=['src', 'user']",
            "--python-infer-use-rust-parser",
            "--unowned-files-globs=['src/**', 'fixtures/**']",
            "--unused-fixtures-globs=['fixtures/**']",
            *options,
        ],
        env_inherit={"PATH", "PYENV_ROOT", "HOME"},
    )


def _lint_files(runner: RuleRunner, request: Any) -> tuple[int, list[str]]:
    partitions = runner.request(Partitions, [request.PartitionRequest(tuple(_FILES))])
    if not partitions:
        return 0, []
    (partition,) = partitions
    result = runner.request(LintResult, [request.Batch(request.tool_name, partition.elements, partition.metadata)])
    return result.exit_code, result.stdout.splitlines()[:-1]


def _lint_written(runner: RuleRunner, *addresses: Address) -> list[str]:
    field_sets = tuple(WrittenDependenciesFieldSet.create(runner.get_target(address)) for address in addresses)
    batch: Any = WrittenDependenciesRequest.Batch("written-dependencies", field_sets, None)
    result = runner.request(LintResult, [batch])
    lines = result.stdout.splitlines()[:-1]
    assert result.exit_code == (1 if lines else 0)
    return lines


def test_file_that_no_target_owns_is_reported(runner: RuleRunner) -> None:
    assert _lint_files(runner, UnownedFilesRequest) == (1, ["src/app/new.csv: no target owns it."])


def test_fixture_on_which_only_its_generator_depends_is_reported(runner: RuleRunner) -> None:
    assert _lint_files(runner, UnusedFixturesRequest) == (1, ["fixtures/dead.sql: nothing depends on it."])


def test_fixtures_are_used_by_what_depends_on_all_of_them(runner: RuleRunner) -> None:
    runner.write_files({"user/BUILD": "python_sources(dependencies=['fixtures'])"})
    assert _lint_files(runner, UnusedFixturesRequest) == (0, [])


@pytest.mark.parametrize(
    "options",
    [
        ("--unowned-files-ignore=['src/**']", "--unused-fixtures-ignore=['fixtures/dead.sql']"),
        ("--unowned-files-skip", "--unused-fixtures-skip"),
        ("--unowned-files-globs=[]", "--unused-fixtures-globs=[]"),
    ],
)
def test_files_can_be_left_out(runner: RuleRunner, options: tuple[str, ...]) -> None:
    _set_options(runner, *options)
    assert _lint_files(runner, UnownedFilesRequest) == (0, [])
    assert _lint_files(runner, UnusedFixturesRequest) == (0, [])


def test_dependency_that_is_inferred_is_reported(runner: RuleRunner) -> None:
    assert _lint_written(runner, Address("src/app", relative_file_path="main.py")) == [
        "src/app:app: `./views.py` is inferred, and need not be written."
    ]


def test_dependency_that_some_files_need_is_left_alone(runner: RuleRunner) -> None:
    runner.write_files({"src/app/BUILD": "python_sources(dependencies=['./views.py'])"})
    assert _lint_written(runner, Address("src/app", relative_file_path="main.py")) == []


@pytest.mark.parametrize(
    ("by_default", "lines"),
    [(True, []), (False, ["src/app:app: `src/app/views.py:views` is inferred, and need not be written."])],
)
def test_dependency_by_default_is_left_alone(runner: RuleRunner, by_default: bool, lines: list[str]) -> None:
    entry = "dependencies=['src/app/views.py:views']"
    runner.write_files(
        {
            "src/BUILD": f"__defaults__({{python_sources: dict({entry})}})" if by_default else "",
            "src/app/BUILD": f"python_sources(sources=['main.py'], {'' if by_default else entry})\n"
            "python_sources(name='views', sources=['views.py'], dependencies=[])",
        }
    )
    assert _lint_written(runner, Address("src/app", relative_file_path="main.py")) == lines


def test_dependency_that_settles_which_of_two_is_meant_is_left_alone(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/app/BUILD": "python_sources(sources=['main.py'], dependencies=['src/app/views.py:one'])\n"
            "python_sources(name='one', sources=['views.py'])\npython_sources(name='two', sources=['views.py'])"
        }
    )
    assert _lint_written(runner, Address("src/app", relative_file_path="main.py")) == []


def test_address_that_leads_nowhere_is_reported_and_stops_no_other_linter(runner: RuleRunner) -> None:
    runner.write_files({"user/BUILD": "python_sources(dependencies=['fixtures:no', 'src/gone', '!src/app:text'])"})
    assert _lint_written(runner, Address("user", relative_file_path="user.py")) == [
        "user:user: there is no target `fixtures:no`.",
        "user:user: there is no target `src/gone`.",
    ]
    assert _lint_files(runner, UnusedFixturesRequest) == (0, [])
