"""What a guest sees of the environment and of the disk: what its manifest asks for, narrowed by the pipeline.

Nothing that was not named is there. Directories are open for reading alone, and no path leads out of one: neither `..`
nor a symbolic link does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wasmtime import WasiConfig, WasmtimeError

from rapidbyte.errors import ConfigError, ErrorInfo


@dataclass(frozen=True, slots=True)
class Grants:
    """Names of variables, and absolute paths of directories."""

    variables: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()

    def narrowed(self, variables: tuple[str, ...] | None, directories: tuple[str, ...] | None) -> Grants:
        """Return what both allow; None leaves a part as it is. Of two directories the one within the other is meant.

        Directories are compared where they really are, so that a symbolic link does not widen anything.
        """
        return Grants(
            self.variables if variables is None else tuple(name for name in variables if name in self.variables),
            self.directories if directories is None else tuple(_common(self.directories, directories)),
        )

    def wasi(self, environment: Mapping[str, str]) -> WasiConfig:
        """Return the view of a guest that is started now. Raises ConfigError for what cannot be granted."""
        config = WasiConfig()
        config.env = [(name, _text(name, environment[name])) for name in self.variables if name in environment]
        for directory in self.directories:
            real = os.path.realpath(directory)
            try:
                if not Path(real).is_dir():
                    raise WasmtimeError("it is no directory")
                config.preopen_dir(real, directory, fs_mutable=False)
            except (OSError, WasmtimeError) as error:
                raise ConfigError(
                    f"The directory {directory} cannot be opened for a connector: {error}. Make it readable, or name "
                    "another in permissions.fs.allowed_preopens; [] allows none.",
                    ErrorInfo("bad_directory"),
                ) from error
        return config


NO_GRANTS = Grants()


def _common(some: tuple[str, ...], others: tuple[str, ...]) -> dict[str, None]:
    found: dict[str, None] = {}
    for other in others:
        for one in some:
            if _is_within(other, one):
                found[other] = None
            elif _is_within(one, other):
                found[one] = None
    return found


def _is_within(inner: str, outer: str) -> bool:
    return Path(os.path.realpath(inner)).is_relative_to(os.path.realpath(outer))


def _text(name: str, value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"The variable {name} has bytes that are not UTF-8, so no connector can read it. Set it to text, or take "
            "it out of permissions.env.allowed_vars.",
            ErrorInfo("bad_variable"),
        ) from error
    return value
