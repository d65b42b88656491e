"""The options of the goal `affected`."""

from __future__ import annotations

from enum import Enum

from pants.engine.goal import GoalSubsystem, Outputting
from pants.option.option_types import DictOption, EnumOption, StrListOption, StrOption
from pants.util.strutil import help_text


class Format(Enum):
    TEXT = "text"
    JSON = "json"
    SVG = "svg"
    HTML = "html"


class AffectedSubsystem(Outputting, GoalSubsystem):
    name = "affected"
    help = help_text(
        """
        Explain which scenarios a change affects, and why: for each test file, the chain that leads from a changed file
        to it.

        A scenario is whatever the goal `test` would run: a file of tests, or a crate. What is committed on this branch,
        what is not, and what is not tracked counts as changed, as it does for `--changed-since`. Target arguments,
        `--tag` and `--filter` narrow the scenarios.
        """
    )

    since = StrOption(
        default="HEAD",
        help="Compare with this branch, tag or commit, from where the present branch began.",
    )
    format = EnumOption(
        default=Format.TEXT,
        help="Text, JSON, or a picture: SVG, or one HTML page that needs no network.",
    )
    why = StrListOption(
        help="Explain only these scenarios, each given by its test file or its address.",
    )
    everywhere = DictOption[object](
        help=help_text(
            """
            Files that enter processes without being a dependency of a target, as a map of globs to reasons. They affect
            every scenario; a table of `reason` and `targets` limits that to some types of test targets.
            """
        ),
        advanced=True,
    )
