"""The options of the backend of pipeline documents."""

from __future__ import annotations

from pants.option.option_types import StrListOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class PipelinesSubsystem(Subsystem):
    options_scope = "pipeline-documents"
    name = "Pipeline documents"
    help = "The YAML documents that say what to move with which connectors."

    tailor_globs = StrListOption(
        default=["**/pipelines/*.yaml"],
        help=softwrap(
            """
            The documents for which `tailor` proposes a `pipelines` target, as globs relative to the build root. Of what
            they match, a file that has no `source` and `destination` is passed over. With an empty list, `tailor`
            proposes none.
            """
        ),
    )
