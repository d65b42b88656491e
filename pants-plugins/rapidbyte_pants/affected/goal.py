"""The goal `affected`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pants.base.build_environment import get_buildroot
from pants.base.glob_match_error_behavior import GlobMatchErrorBehavior
from pants.base.specs import Specs
from pants.core.util_rules.system_binaries import MaybeGitBinary
from pants.engine.console import Console
from pants.engine.fs import PathGlobs, Paths
from pants.engine.goal import Goal
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, goal_rule
from pants.engine.target import FilteredTargets

from rapidbyte_pants.affected import inputs
from rapidbyte_pants.affected.build_files import is_build_file
from rapidbyte_pants.affected.chains import explain
from rapidbyte_pants.affected.document import render_json
from rapidbyte_pants.affected.errors import AffectedError, GitError
from rapidbyte_pants.affected.everywhere import Everywhere, parse_everywhere
from rapidbyte_pants.affected.git import Git
from rapidbyte_pants.affected.html import render_html
from rapidbyte_pants.affected.inputs import Inventory, ReachRequest
from rapidbyte_pants.affected.model import Reach, Report, Since
from rapidbyte_pants.affected.selection import select
from rapidbyte_pants.affected.subsystem import AffectedSubsystem, Format
from rapidbyte_pants.affected.svg import render_svg
from rapidbyte_pants.affected.text import render_text

_RENDERERS: dict[Format, Callable[[Report], str]] = {
    Format.TEXT: render_text,
    Format.JSON: render_json,
    Format.SVG: render_svg,
    Format.HTML: render_html,
}


class Affected(Goal):
    subsystem_cls = AffectedSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def affected(
    options: AffectedSubsystem, specs: Specs, inventory: Inventory, git_binary: MaybeGitBinary, console: Console
) -> Affected:
    try:
        everywhere = parse_everywhere(options.everywhere, inventory.kinds)
        git = _git(git_binary)
        since = git.since(options.since)
        requests = _requests(git, since, everywhere)
        asked = select(options.why, inventory.scenarios) if options.why else inventory.scenarios
    except AffectedError as error:
        console.print_stderr(str(error))
        return Affected(exit_code=1)
    await MultiGet(Get(Paths, PathGlobs, _warning(each)) for each in everywhere)
    reaches = await MultiGet(Get(Reach, ReachRequest, request) for request in requests)
    if specs:
        matched = await Get(FilteredTargets, Specs, specs)
        addresses = {target.address.spec for target in matched}
        asked = tuple(scenario for scenario in asked if scenario.address in addresses)
    report = Report(since, reaches, explain(reaches, inventory.dependents, asked), asked, bool(options.why))
    with options.output(console) as write:
        write(_RENDERERS[options.format](report))
    return Affected(exit_code=0)


def _git(found: MaybeGitBinary) -> Git:
    if found.git_binary is None:
        raise GitError("`git` is not on the PATH, so what changed is unknown: install it.")
    return Git(found.git_binary.path, get_buildroot())


def _requests(git: Git, since: Since, everywhere: Iterable[Everywhere]) -> tuple[ReachRequest, ...]:
    return tuple(
        ReachRequest(
            change,
            git.content(since, change.path) if is_build_file(change.path) else "",
            tuple(each for each in everywhere if each.matches(change.path)),
        )
        for change in git.changes(since)
    )


def _warning(each: Everywhere) -> PathGlobs:
    """Have Pants warn of a glob that matches no file: the files may have moved, and would be missed from then on."""
    return PathGlobs(
        [each.glob],
        glob_match_error_behavior=GlobMatchErrorBehavior.warn,
        description_of_origin="the option `[affected.everywhere]`",
    )


def rules() -> Iterable[Rule]:
    return (*collect_rules(), *inputs.rules())
