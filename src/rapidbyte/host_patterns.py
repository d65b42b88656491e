"""Patterns of hosts: how they are written, and what is wrong with one that cannot be used.

A pattern is a host name or address, `*.suffix` for all names below a suffix but not the suffix itself, or `*`. The path
of a Unix socket, which begins with `/`, stands for itself.
"""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)


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
    if name is pattern and address_of(pattern) is not None:
        return None
    if ":" in name:
        return "write the host only, without a port"
    if len(name) > 253 or _NAME.fullmatch(name.removesuffix(".")) is None:
        return "it is not a host name"
    return None


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that `host` is, with or without brackets, or None for a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]") if host.startswith("[") else host)
    except ValueError:
        return None
