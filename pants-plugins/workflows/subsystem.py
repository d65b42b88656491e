"""The options of the linters of workflows."""

from __future__ import annotations

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import ConsoleScript
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import PexRequest
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.option.option_types import SkipOption, StrOption
from pants.option.subsystem import Subsystem


class Workflows(Subsystem):
    options_scope = "workflow-linters"
    name = "Linters of workflows"
    help = "The linters of GitHub Actions workflows: check-jsonschema for their form, zizmor for what is unsafe."

    install_from_resolve = StrOption(default="tools", help="The resolve that both linters are installed from.")
    skip = SkipOption("lint")

    def pex_request(self, script: str, python_setup: PythonSetup) -> PexRequest:
        """Ask for one of the two, with all of its resolve."""
        return PexRequest(
            output_filename=f"{script}.pex",
            internal_only=True,
            requirements=PexRequirements(from_superset=Resolve(self.install_from_resolve, use_entire_lockfile=True)),
            interpreter_constraints=InterpreterConstraints(python_setup.interpreter_constraints),
            main=ConsoleScript(script),
        )
