"""Where the state file is when a pipeline does not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def default_path(env: Mapping[str, str]) -> Path:
    """Return `$XDG_STATE_HOME/rapidbyte/state.db`, or the same below `~/.local/state`.

    Raises RuntimeError when neither the environment nor the user database knows a home.
    """
    base = env.get("XDG_STATE_HOME", "")
    # The XDG specification says to ignore relative paths.
    root = Path(base) if base.startswith("/") else Path(env.get("HOME") or Path.home()) / ".local" / "state"
    return root / "rapidbyte" / "state.db"
