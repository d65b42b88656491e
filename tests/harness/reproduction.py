"""The line that runs one test again, as a developer types it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

from harness import profiles

_NIGHTLY = "PANTS_CONFIG_FILES=pants.nightly.toml"
# What pytest's -k takes for one word, which it looks for within the name of a test.
_WORD = re.compile(r"[\w:+.\[\]/\\-]+")
_OPERATORS = {"and", "or", "not"}


def reproduction(path: str, name: str, chosen: tuple[str, ...], environment: Mapping[str, str] = os.environ) -> str:
    """Return the call of Pants that runs the test `name` of the file `path`, with what `chosen` variables choose now.

    A variable that holds a connection string is named, and its value, which has a password, is not.
    """
    settings = [f"{variable}={_shown(environment[variable])}" for variable in chosen if environment.get(variable)]
    if environment.get(profiles.VARIABLE) == profiles.NIGHTLY:
        settings.append(_NIGHTLY)
    return " ".join([*settings, f"./pants test {shlex.quote(path)} -- -k {shlex.quote(_expression(name))}"])


def _expression(name: str) -> str:
    """Write a test's name as an expression of -k: whole where it can be, else by the words of its parameters."""
    if _WORD.fullmatch(name):
        return name
    function, _, parameters = name.partition("[")
    words = [word for word in _WORD.findall(parameters.removesuffix("]")) if word not in _OPERATORS]
    return " and ".join([function, *words])


def _shown(value: str) -> str:
    return "…" if "://" in value or "=" in value else shlex.quote(value)
