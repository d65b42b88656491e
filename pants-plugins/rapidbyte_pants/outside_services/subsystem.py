"""The options of tests that use a service outside of the sandbox."""

from __future__ import annotations

from pants.option.option_types import StrListOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class OutsideServices(Subsystem):
    options_scope = "outside-services"
    help = "Services that tests can be pointed at, and that no cache can know the state of."

    variables = StrListOption(
        help=softwrap(
            """
            Environment variables that name a service, such as a database. A test whose `extra_env_vars` pass one that
            is set runs anew in each session, and nobody else is ever given its result: what it says of the service is
            true for that moment only.
            """
        ),
    )
