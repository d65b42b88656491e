"""What the connectors of a run keep in the state: their own values, those of streams, and those of the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime

from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import StateScope, StreamSpec
from rapidbyte.state import ConnectorState, StateKey
from rapidbyte.wasm import StateName, StatePort


class Keeping:
    """The values of one pipeline. Safe for threads."""

    def __init__(self, pipeline: str, streams: tuple[StreamSpec, ...], values: ConnectorState) -> None:
        self._pipeline = pipeline
        self._streams = streams
        self._values = values

    def port_of(self, connector: str) -> StatePort:
        """Return what the connector of this name may read and write. Each use of it raises StateError."""
        values = self._values

        def put(name: StateName, value: bytes) -> None:
            values.put(self._key(connector, name), value, datetime.now(UTC))

        def swap(name: StateName, expected: bytes | None, value: bytes | None) -> bool:
            return values.compare_and_swap(self._key(connector, name), expected, value, datetime.now(UTC))

        return StatePort(lambda name: values.get(self._key(connector, name)), put, swap)

    def _key(self, connector: str, name: StateName) -> StateKey:
        return StateKey(self._pipeline, name.scope, self._owner(connector, name), name.name)

    def _owner(self, connector: str, name: StateName) -> str:
        if name.stream is not None:
            if name.stream >= len(self._streams):
                raise InternalError(f"There is no stream {name.stream}.", ErrorInfo("invalid_argument"))
            return self._streams[name.stream].name
        return connector if name.scope is StateScope.CONNECTOR else ""
