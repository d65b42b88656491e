"""The targets of plugin tests."""

from __future__ import annotations

from pants.backend.python.target_types import (
    InterpreterConstraintsField,
    PythonDependenciesField,
    PythonResolveField,
    PythonSourceField,
)
from pants.engine.target import COMMON_TARGET_FIELDS, MultipleSourcesField, Target, TargetFilesGenerator
from pants.util.strutil import help_text


class PluginTestSourceField(PythonSourceField):
    """A file of tests: of a class of its own, so that the Python backend does not run it on the code's pytest."""


class PluginTestTarget(Target):
    alias = "plugin_test"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        PythonDependenciesField,
        PythonResolveField,
        InterpreterConstraintsField,
        PluginTestSourceField,
    )
    help = help_text(
        """
        A file with tests of a Pants plugin. They run on Pants' own Python, with the pytest that Pants' test support
        needs: the one of the target's `resolve`.
        """
    )


class PluginTestsSourcesField(MultipleSourcesField):
    default = ("test_*.py",)
    expected_file_extensions = (".py",)
    help = "The files, each of which becomes a `plugin_test`."


class PluginTestsTarget(TargetFilesGenerator):
    alias = "plugin_tests"
    core_fields = (*COMMON_TARGET_FIELDS, PluginTestsSourcesField)
    generated_target_cls = PluginTestTarget
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = (PythonDependenciesField, PythonResolveField, InterpreterConstraintsField)
    help = "Generates a `plugin_test` for each file of tests in the folder."
