"""Finds the scenarios that the user asks about."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from rapidbyte_pants.affected.errors import UnknownScenarioError
from rapidbyte_pants.affected.model import Scenario


def select(asked: Sequence[str], scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """Give the scenarios of these test files and addresses, or say which of them are none."""
    known = tuple(scenarios)
    names = {name for each in known for name in (each.file, each.address)}
    wanted = [name[2:] if name.startswith("./") else name for name in asked]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UnknownScenarioError("\n".join(_unknown(name, names) for name in unknown))
    return tuple(each for each in known if each.file in wanted or each.address in wanted)


def _unknown(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}?" if near else "`./pants list ::` shows the targets there are."
    return f"--affected-why={name}: no scenario has this test file or address. {meant}"
