"""Tests the goal on a scratch repository, and that it agrees with Pants' own `--changed-since`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.test import TestFieldSet
from pants.core.target_types import FilesGeneratorTarget, FileTarget
from pants.engine.rules import QueryRule
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    MultipleSourcesField,
    OverridesField,
    SingleSourceField,
    Target,
    TargetFilesGenerator,
)
from pants.engine.unions import UnionRule
from pants.testutil.rule_runner import GoalRuleResult, RuleRunner
from pants.vcs import changed, git
from pants.vcs.changed import ChangedAddresses, ChangedOptions, ChangedRequest, DependentsOption
from pants.vcs.git import GitWorktreeRequest, MaybeGitWorktree

from rapidbyte_pants.affected import register
from rapidbyte_pants.affected.goal import Affected
from rapidbyte_pants.affected.tests.scratch import Scratch


class CheckSourceField(SingleSourceField):
    """The file of a check: the kind of test that these tests have."""


class SkipField(BoolField):
    alias = "skip"
    default = False


class CheckTarget(Target):
    alias = "check"
    core_fields = (*COMMON_TARGET_FIELDS, CheckSourceField, Dependencies, SkipField)


class ChecksSourcesField(MultipleSourcesField):
    default = ("test_*",)


class ChecksTarget(TargetFilesGenerator):
    alias = "checks"
    core_fields = (*COMMON_TARGET_FIELDS, ChecksSourcesField, OverridesField)
    generated_target_cls = CheckTarget
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = (Dependencies, SkipField)


@dataclass(frozen=True)
class CheckFieldSet(TestFieldSet):
    required_fields = (CheckSourceField,)

    source: CheckSourceField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return bool(tgt[SkipField].value)


CHECKS = """
checks(overrides={
    'test_app': {'dependencies': ['src/app.txt']},
    'test_lib': {'dependencies': ['src/lib.txt'], 'tags': ['slow']},
    'test_docs': {'dependencies': ['docs']},
    'test_both': {'dependencies': ['src', './test_skipped']},
    'test_skipped': {'skip': True, 'dependencies': ['src/lib.txt']},
})
"""
FILES = {
    "pants.toml": "",
    "src/BUILD": "files(sources=['*.txt'], overrides={'app.txt': {'dependencies': ['./lib.txt']}})",
    "src/app.txt": "app",
    "src/lib.txt": "lib",
    "src/lone.txt": "lone",
    "docs/BUILD": "files(sources=['*.md'])",
    "docs/a.md": "a" * 99,
    "docs/b.md": "b" * 99,
    "tests/BUILD": CHECKS,
    **{f"tests/test_{name}": name for name in ("app", "lib", "docs", "both", "skipped")},
}


@pytest.fixture(scope="module")
def engine() -> RuleRunner:
    """Pants in a scratch repository, for all tests: making it takes longer than what they do with it."""
    made = RuleRunner(
        rules=[
            *register.rules(),
            *changed.rules(),
            *git.rules(),
            UnionRule(TestFieldSet, CheckFieldSet),
            QueryRule(ChangedAddresses, [ChangedRequest]),
            QueryRule(MaybeGitWorktree, [GitWorktreeRequest]),
        ],
        target_types=[CheckTarget, ChecksTarget, FileTarget, FilesGeneratorTarget],
    )
    scratch = Scratch.make(Path(made.build_root))
    scratch.put(".git/info/exclude", f"{Path(made.pants_workdir).name}\n")
    made.write_files(FILES)
    scratch.commit()
    scratch.git("tag", "start")
    return made


@pytest.fixture
def runner(engine: RuleRunner) -> RuleRunner:
    """The same for one test: on a branch, and as it was made, whatever another test has left there."""
    folder = Path(engine.build_root)
    scratch = Scratch(folder)
    left = _paths(folder)
    scratch.git("checkout", "--quiet", "--force", "-B", "topic", "start")
    scratch.git("clean", "--quiet", "--force", "-d")
    scratch.git("branch", "--quiet", "--force", "main", "start")
    engine.scheduler.invalidate_files(left | _paths(folder))
    return engine


def _paths(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return {"", *(str(path) for path in found if path.parts[0] not in (".git", ".pants.d"))}


def run(runner: RuleRunner, *arguments: str, since: str = "main", global_args: tuple[str, ...] = ()) -> GoalRuleResult:
    return runner.run_goal_rule(
        Affected, global_args=global_args, args=[f"--since={since}", *arguments], env_inherit={"PATH"}
    )


def document(runner: RuleRunner, *arguments: str, global_args: tuple[str, ...] = ()) -> dict[str, Any]:
    result = run(runner, "--format=json", *arguments, global_args=global_args)
    assert result.exit_code == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def chains(runner: RuleRunner, *arguments: str, global_args: tuple[str, ...] = ()) -> dict[str, list[str]]:
    scenarios = document(runner, *arguments, global_args=global_args)["scenarios"]
    return {each["file"]: [target["change"], *target["chain"]] for each in scenarios for target in each["targets"]}


def changed_since(runner: RuleRunner) -> set[str]:
    """Ask Pants what `--changed-since=main --changed-dependents=transitive` selects."""
    runner.set_options([], env_inherit={"PATH"})
    found = runner.request(MaybeGitWorktree, [GitWorktreeRequest(subdir=Path(runner.build_root))])
    assert found.git_worktree is not None
    options = ChangedOptions("main", None, DependentsOption.TRANSITIVE)
    request = ChangedRequest(tuple(options.changed_files(found.git_worktree)), DependentsOption.TRANSITIVE)
    return {address.spec for address in runner.request(ChangedAddresses, [request])}


ALL = {f"tests/test_{name}" for name in ("app", "both", "docs", "lib")}


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("src/lib.txt", "x", {"tests/test_app", "tests/test_both", "tests/test_lib"}),
        ("src/app.txt", "x", {"tests/test_app", "tests/test_both"}),
        ("src/lone.txt", "x", {"tests/test_both"}),
        ("docs/a.md", "x", {"tests/test_docs"}),
        ("docs/a.md", None, {"tests/test_docs"}),
        ("docs/new.md", "x", {"tests/test_docs"}),
        ("tests/test_lib", "x", {"tests/test_lib"}),
        ("tests/test_skipped", "x", {"tests/test_both"}),
        ("tests/BUILD", f"# why\n{CHECKS}", ALL),
        ("src/BUILD", f"# why\n{FILES['src/BUILD']}", ALL - {"tests/test_docs"}),
        ("nobody", "x", set()),
        ("pants.toml", "# why", set()),
    ],
    ids=lambda value: "rewritten" if "\n" in str(value) else None,
)
def test_affected_are_the_tests_of_changed_since(
    runner: RuleRunner, path: str, content: str | None, expected: set[str]
) -> None:
    if content is None:
        (Path(runner.build_root) / path).unlink()
    else:
        runner.write_files({path: content})
    assert set(chains(runner)) == expected
    assert changed_since(runner) & ALL == expected
    Scratch(Path(runner.build_root)).commit()
    assert set(chains(runner)) == expected
    assert changed_since(runner) & ALL == expected


def test_chain_leads_over_every_target_from_the_file_to_the_test(runner: RuleRunner) -> None:
    runner.write_files({"src/lib.txt": "x", "docs/a.md": "x"})
    assert chains(runner) == {
        "tests/test_app": ["src/lib.txt", "src/lib.txt", "src/app.txt", "tests/test_app"],
        "tests/test_both": ["src/lib.txt", "src/lib.txt", "src:src", "tests/test_both"],
        "tests/test_docs": ["docs/a.md", "docs/a.md", "docs:docs", "tests/test_docs"],
        "tests/test_lib": ["src/lib.txt", "src/lib.txt", "tests/test_lib"],
    }


def test_renamed_file_leads_to_what_its_old_name_led_to(runner: RuleRunner) -> None:
    Scratch(Path(runner.build_root)).git("mv", "docs/a.md", "other.md")
    assert chains(runner) == {"tests/test_docs": ["docs/a.md", "docs:docs", "tests/test_docs"]}


def test_file_that_enters_every_process_affects_everything_with_the_reason(runner: RuleRunner) -> None:
    runner.write_files({"pants.toml": "# why", "docs/a.md": "x"})
    result = run(runner, '--everywhere={"pants.toml": "every process runs with its settings."}')
    assert result.stdout.splitlines()[2] == (
        "pants.toml (modified) affects everything: every process runs with its settings."
    )
    assert "tests/test_lib\n  pants.toml (modified)\n  └┄ tests/test_lib\n" in result.stdout
    assert "  docs/a.md (modified)\n  └─ docs:docs\n     └─ tests/test_docs\n  also from pants.toml\n" in result.stdout


def test_file_that_enters_some_types_of_target_affects_what_depends_on_them(runner: RuleRunner) -> None:
    runner.write_files({"pants.toml": "# why", "docs/BUILD": "file(name='a', source='a.md')"})
    runner.write_files({"tests/BUILD": "check(name='a', source='test_app', dependencies=['docs:a'])"})
    Scratch(Path(runner.build_root)).git("branch", "--force", "main", Scratch(Path(runner.build_root)).commit())
    runner.write_files({"pants.toml": "# more"})
    option = '--everywhere={"*.toml": {"reason": "it is read.", "targets": ["file"]}}'
    assert chains(runner, option) == {"tests/test_app": ["pants.toml", "docs:a", "tests:a"]}


def test_defaults_of_a_build_file_reach_the_targets_below_its_folder(runner: RuleRunner) -> None:
    runner.write_files({"tests/sub/BUILD": "checks()", "tests/sub/test_sub": ""})
    Scratch(Path(runner.build_root)).git("branch", "--force", "main", Scratch(Path(runner.build_root)).commit())
    runner.write_files({"tests/BUILD": f"__defaults__(all={{'tags': ['a']}})\n{CHECKS}"})
    found = document(runner)
    reasons = {each["file"]: each["targets"][0]["beyond_dependencies"] for each in found["scenarios"]}
    reason = "tests/BUILD changes the defaults of the targets below its folder."
    assert reasons == {**dict.fromkeys(ALL), "tests/sub/test_sub": reason}


def test_why_and_targets_and_tags_narrow_the_scenarios(runner: RuleRunner) -> None:
    runner.write_files({"src/lib.txt": "x"})
    assert set(chains(runner, "--why=tests/test_app")) == {"tests/test_app"}
    assert set(chains(runner, "tests/test_app", "tests/test_docs")) == {"tests/test_app"}
    assert set(chains(runner, global_args=("--tag=slow",))) == {"tests/test_lib"}
    assert document(runner, "--why=tests/test_docs")["unaffected"] == ["tests/test_docs"]


def test_no_change_is_said_and_is_no_error(runner: RuleRunner) -> None:
    result = run(runner)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Nothing has changed since main (")


@pytest.mark.parametrize(
    ("arguments", "since", "message"),
    [
        ([], "absent", "Git knows no commit `absent`: run `git fetch origin`"),
        (["--why=tests/test_ap"], "main", "--affected-why=tests/test_ap: no scenario has this test file or address."),
        (["--everywhere={'a': 5}"], "main", "[affected.everywhere] a: give the reason"),
    ],
)
def test_what_cannot_be_answered_is_an_error(
    runner: RuleRunner, arguments: list[str], since: str, message: str
) -> None:
    result = run(runner, *arguments, since=since)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(message)


@pytest.mark.parametrize(("kind", "start"), [("svg", "<svg "), ("html", "<!DOCTYPE html>")])
def test_picture_is_written_to_a_file(runner: RuleRunner, tmp_path: Path, kind: str, start: str) -> None:
    runner.write_files({"src/lib.txt": "x"})
    picture = tmp_path / f"a.{kind}"
    result = run(runner, f"--format={kind}", f"--output-file={picture}")
    assert (result.exit_code, result.stdout) == (0, "")
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith(start)
    assert "scenario: tests/test_lib" in drawn
