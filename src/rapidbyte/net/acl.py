"""Which hosts a connector may reach: rules of a manifest, narrowed by those of a pipeline.

A pattern is a host name or address, `*.suffix` for all names below a suffix but not the suffix itself, or `*`. Names
compare without regard to case. The path of a Unix socket, which begins with `/`, is allowed by itself or by `*`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from rapidbyte.errors import ConfigError, ErrorInfo

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HostRules:
    """Layers of patterns; a host must match a pattern of each, so that a further layer can only narrow."""

    layers: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, patterns: tuple[str, ...]) -> Self:
        """Make rules of one layer; no patterns allow nothing. Raises ConfigError that names all bad patterns."""
        problems = [f"{pattern!r}: {why}" for pattern in patterns if (why := explain_bad_pattern(pattern)) is not None]
        if problems:
            raise ConfigError(
                f"allowed_hosts has patterns that cannot be used: {'; '.join(problems)}.",
                ErrorInfo("bad_host_pattern"),
            )
        return cls((tuple(_normal(pattern) for pattern in patterns),))

    def narrowed(self, other: HostRules) -> HostRules:
        """Return rules that allow what both allow."""
        return HostRules(self.layers + other.layers)

    def allows(self, host: str) -> bool:
        """Whether a connection to `host`, as the connector names it, is allowed."""
        name = _normal(host)
        return bool(name) and all(any(_matches(pattern, name) for pattern in layer) for layer in self.layers)


def explain_bad_pattern(pattern: str) -> str | None:
    """Say why `pattern` cannot be used and what to write, or None when it is good."""
    if pattern == "*" or (pattern.startswith("/") and len(pattern) > 1):
        return None
    name = pattern.removeprefix("*.")
    if not pattern.strip():
        return "it is empty"
    if "*" in name:
        return "a star stands alone or in front, as in *.example.com"
    if "/" in pattern:
        return "write the host only, without a scheme or a path"
    if name is pattern and _address(pattern) is not None:
        return None
    if ":" in name:
        return "write the host only, without a port"
    if len(name) > 253 or _NAME.fullmatch(name.removesuffix(".")) is None:
        return "it is not a host name"
    return None


def _matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return not name.startswith("/") and name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return name == pattern


def _normal(host: str) -> str:
    if host.startswith("/"):
        return host
    address = _address(host)
    return host.lower().removesuffix(".") if address is None else str(address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]") if host.startswith("[") else host)
    except ValueError:
        return None
