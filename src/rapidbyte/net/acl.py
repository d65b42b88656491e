"""Which hosts a connector may reach: rules of a manifest, narrowed by those of a pipeline.

Patterns are written as `host_patterns` says. Names compare without regard to case. The path of a Unix socket, which
begins with `/`, is allowed by itself or by `*`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from rapidbyte.errors import ConfigError, ErrorInfo
from rapidbyte.host_patterns import address_of, explain_bad_pattern


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


def _matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return not name.startswith("/") and name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return name == pattern


def _normal(host: str) -> str:
    if host.startswith("/"):
        return host
    address = address_of(host)
    return host.lower().removesuffix(".") if address is None else str(address)
