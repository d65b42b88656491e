"""The files that enter processes without being a dependency of any target, as the options name them.

Pants selects by dependencies, so it misses these: its own settings, or the pytest that every test runs on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rapidbyte_pants.affected.errors import OptionsError

_KEYS = {"reason", "targets"}


@dataclass(frozen=True)
class Everywhere:
    """Files that reach every scenario; or, where `kinds` are given, the targets of these types."""

    glob: str
    reason: str
    kinds: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        return _pattern(self.glob).fullmatch(path) is not None


def parse_everywhere(option: Mapping[str, Any], known_kinds: Collection[str]) -> tuple[Everywhere, ...]:
    """Read the option, and name all that is wrong with it together."""
    problems: list[str] = []
    parsed = [_parse(glob, value, problems) for glob, value in sorted(option.items())]
    for each in parsed:
        unknown = [kind for kind in each.kinds if kind not in known_kinds]
        problems.extend(f"[affected.everywhere] {each.glob}: there is no target type `{kind}`." for kind in unknown)
    if problems:
        raise OptionsError("\n".join(problems))
    return tuple(parsed)


def _parse(glob: str, value: Any, problems: list[str]) -> Everywhere:
    table = {"reason": value} if isinstance(value, str) else value
    where = f"[affected.everywhere] {glob}"
    if not isinstance(table, Mapping) or set(table) - _KEYS:
        problems.append(f"{where}: give the reason, or a table of `reason` and `targets`.")
        return Everywhere(glob, "")
    reason, kinds = table.get("reason"), table.get("targets", [])
    if not isinstance(reason, str) or not reason.strip():
        problems.append(f"{where}: say in `reason` how the file enters a test.")
    if not isinstance(kinds, (list, tuple)) or not all(isinstance(kind, str) for kind in kinds):
        problems.append(f'{where}: `targets` is a list of target types, such as ["python_test"].')
        kinds = []
    return Everywhere(glob, str(reason).strip(), tuple(kinds))


def _pattern(glob: str) -> re.Pattern[str]:
    """Translate a glob as Pants reads it: `**` crosses folders, `*` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts), re.DOTALL)
