"""Lets go of the plugin of hypothesis where no test uses it: at the end of each run it would load all of hypothesis."""

from __future__ import annotations

import sys

import pytest

_PLUGIN = "hypothesispytest"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Unregister the plugin where nothing that was collected has imported hypothesis: it has nothing to tell then."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and plugins.has_plugin(_PLUGIN):
        plugins.unregister(name=_PLUGIN)
