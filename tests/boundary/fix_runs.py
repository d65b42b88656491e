"""Whole runs of scripted guests: a document that uses them, and a call that proves that nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import rapidbyte
from boundary.relay_guests import destination_guest, moved, source_guest, whole_stream
from rapidbyte.model import RunStatus, StateSpec
from rapidbyte.state import open_state

ENDLESS = "(loop $for_ever (br $for_ever))"
GOOD_SOURCE = source_guest(whole_stream(2, 3), moved(5))
GOOD_DESTINATION = destination_guest({"stream": 0, "rows": 5, "bytes": 40}, moved(5))

Run = Callable[..., rapidbyte.RunReport]
MakeDocument = Callable[..., Mapping[str, object]]


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeDocument:
    """Write guests to files and return a pipeline document that uses them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def make(
        source: bytes,
        destination: bytes,
        *,
        transforms: Sequence[bytes] = (),
        on_data_error: str = "fail",
        sync_mode: str = "full_refresh",
        **resources: object,
    ) -> Mapping[str, object]:
        between = {f"transform{place}": wasm for place, wasm in enumerate(transforms)}
        for name, wasm in {"source": source, **between, "destination": destination}.items():
            (tmp_path / f"{name}.wasm").write_bytes(wasm)
        return {
            "version": "1.0",
            "pipeline": "scripted",
            "source": {
                "use": str(tmp_path / "source.wasm"),
                "config": {},
                "limits": {"timeout_seconds": 5},
                "streams": [{"name": "t", "sync_mode": sync_mode}],
            },
            "transforms": [
                {"use": str(tmp_path / f"{name}.wasm"), "config": {}, "limits": {"timeout_seconds": 5}}
                for name in between
            ],
            "destination": {
                "use": str(tmp_path / "destination.wasm"),
                "config": {},
                "limits": {"timeout_seconds": 5},
                "write_mode": "append",
                "on_data_error": on_data_error,
            },
            "resources": resources,
        }

    return make


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def run(document: MakeDocument, state_path: Path) -> Run:
    """Run guests; no thread may be left when it returns or raises."""

    def run(
        source: bytes,
        destination: bytes,
        *,
        transforms: Sequence[bytes] = (),
        on_data_error: str = "fail",
        **options: object,
    ) -> rapidbyte.RunReport:
        before = set(threading.enumerate())
        values = document(source, destination, transforms=transforms, on_data_error=on_data_error)
        try:
            return rapidbyte.run_pipeline(values, state_path=state_path, **options)  # type: ignore[arg-type]  # options of every type
        finally:
            assert set(threading.enumerate()) <= before

    return run


def recorded(state_path: Path) -> tuple[RunStatus, str | None]:
    """Return how the one run in a state file ended, and the code of its error."""
    with open_state(StateSpec(connection=str(state_path))) as state:
        (record,) = state.runs.runs()
        return record.status, record.error_code
