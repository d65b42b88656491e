"""The state that a command is about: the user's own, the one that is named, or that of a pipeline document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rapidbyte.cli.arguments import Options
from rapidbyte.config import load
from rapidbyte.model import StateBackend, StateSpec
from rapidbyte.state import State, open_state, state_file

_URIS = ("postgres://", "postgresql://")


@contextmanager
def existing_state(options: Options) -> Iterator[tuple[State | None, str]]:
    """Open the state and give it with the name of its place; a file that is not there is not made, but None.

    Raises StateError, and the errors of a document that is named.
    """
    spec = _spec_of(options)
    if spec.backend is StateBackend.SQLITE and not state_file(spec).exists():
        yield None, str(state_file(spec))
    else:
        with open_state(spec) as state:
            yield state, state.place


def _spec_of(options: Options) -> StateSpec:
    if options.file is not None:
        return load(options.file).state
    backend = StateBackend.POSTGRES if (options.state or "").startswith(_URIS) else StateBackend.SQLITE
    return StateSpec(backend, options.state)
