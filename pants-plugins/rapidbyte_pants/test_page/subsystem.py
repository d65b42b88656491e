"""The options of the page of tests."""

from __future__ import annotations

from pathlib import Path

from pants.core.util_rules.distdir import DistDir
from pants.option.option_types import BoolOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import help_text


class TestPage(Subsystem):
    options_scope = "test-page"
    help = help_text(
        """
        One HTML page of the tests of a run, which the goal `test` writes at its end: every test by its result, the
        failures in full, durations, and what ran as opposed to what came from a cache. It loads nothing.
        """
    )

    # Keeps pytest from taking it for a class of tests.
    __test__ = False

    enabled = BoolOption(default=True, help="Write the page.")
    output_file = StrOption(
        default=str(Path("{distdir}", "test", "report.html")),
        help="Where to write the page. `{distdir}` stands for the value of the global option `pants_distdir`.",
    )

    def path(self, distdir: DistDir) -> Path:
        return Path(self.output_file.format(distdir=distdir.relpath))
