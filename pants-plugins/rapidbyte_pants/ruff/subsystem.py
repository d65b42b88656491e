"""The options of ruff, and the files it works on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import ConsoleScript, PythonSourceField
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import PexRequest
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.core.util_rules.config_files import ConfigFilesRequest
from pants.engine.target import FieldSet
from pants.option.option_types import SkipOption, StrOption
from pants.option.subsystem import Subsystem


@dataclass(frozen=True)
class RuffFieldSet(FieldSet):
    required_fields = (PythonSourceField,)

    source: PythonSourceField


class Ruff(Subsystem):
    options_scope = "ruff"
    name = "Ruff"
    help = "The linter and formatter of Python code."

    install_from_resolve = StrOption(default="tools", help="The resolve that ruff is installed from.")
    skip = SkipOption("fix", "fmt", "lint")

    def pex_request(self, python_setup: PythonSetup) -> PexRequest:
        """Ask for ruff, with all of its resolve."""
        return PexRequest(
            output_filename="ruff.pex",
            internal_only=True,
            requirements=PexRequirements(from_superset=Resolve(self.install_from_resolve, use_entire_lockfile=True)),
            interpreter_constraints=InterpreterConstraints(python_setup.interpreter_constraints),
            main=ConsoleScript("ruff"),
        )

    def config_request(self, folders: Iterable[str]) -> ConfigFilesRequest:
        """Ask for the configuration that ruff itself would look for around these folders."""
        return ConfigFilesRequest(
            discovery=True,
            check_existence=[os.path.join(folder, "ruff.toml") for folder in ("", *folders)],
            check_content={"pyproject.toml": b"[tool.ruff"},
        )
