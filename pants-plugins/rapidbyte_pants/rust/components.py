"""Finds the parts of the toolchain that check code: they may be left out of it, and only `fmt` and `lint` need them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.toolchain import RustToolchain, ToolchainError


class Component(Enum):
    """A part, by the name that rustup gives it."""

    CLIPPY = "clippy"
    RUSTFMT = "rustfmt"


# The programs of each part, the first of which tells its version; and the package of Debian that it is in.
_PROGRAMS = {Component.CLIPPY: ("clippy-driver", "cargo-clippy"), Component.RUSTFMT: ("rustfmt",)}
_DEBIAN_PACKAGES = {Component.CLIPPY: "rust-web-clippy", Component.RUSTFMT: "rustfmt-web"}

# Runs as bash -c with a folder's programs as arguments, and prints the version of the first if all are there.
_PROBE = r"""
for program in "$@"; do
  [ -x "$program" ] || exit 1
done
"$1" --version
"""


@dataclass(frozen=True)
class ComponentRequest:
    component: Component


@dataclass(frozen=True)
class FoundComponent:
    """The path of its first program, and the version that this tells: what it finds in code depends on it."""

    path: str
    version: str


def missing(component: Component, toolchain: RustToolchain) -> ToolchainError:
    """Say that the toolchain lacks a part, and what to do about it."""
    name = component.value
    return ToolchainError(
        f"{toolchain.version} at {toolchain.rustc} has no {name} beside it. Add it with `rustup component add {name}`, "
        f"or on Debian with `apt-get install {_DEBIAN_PACKAGES[component]}`; or do without it: `[{name}] skip = true`."
    )


# Only the toolchain's own folders count: a program of another version would look at code with other eyes.
@rule(level=LogLevel.DEBUG)
async def find_component(request: ComponentRequest, toolchain: RustToolchain, bash: BashBinary) -> FoundComponent:
    for folder in dict.fromkeys((os.path.dirname(toolchain.rustc), os.path.dirname(toolchain.cargo))):
        programs = [os.path.join(folder, program) for program in _PROGRAMS[request.component]]
        result = await Get(
            FallibleProcessResult,
            Process(
                [bash.path, "-c", _PROBE, "probe", *programs],
                env={"TOOLCHAIN": toolchain.identity},
                description=f"Find {request.component.value} of {toolchain.version}",
                level=LogLevel.DEBUG,
                # It looks at the machine, which is no input of it: another run has to look again.
                cache_scope=ProcessCacheScope.PER_SESSION,
            ),
        )
        if result.exit_code == 0:
            return FoundComponent(programs[0], result.stdout.decode().strip())
    raise missing(request.component, toolchain)


def rules() -> Iterable[Rule]:
    return collect_rules()
