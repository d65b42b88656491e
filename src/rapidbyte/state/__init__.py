"""The state of pipelines: the history of runs, rejected rows, and what connectors keep, in SQLite or Postgres."""

from rapidbyte.model import StateScope
from rapidbyte.state.connector_state import ConnectorState, KeptValue, StateKey
from rapidbyte.state.dead_letter import DeadLetter, LastCommit, RejectedAt, Selection, StoredLetter, Uncommitted
from rapidbyte.state.dead_letters import DlqStore
from rapidbyte.state.location import default_path
from rapidbyte.state.opened import State, open_state, state_file
from rapidbyte.state.record import RunRecord
from rapidbyte.state.replays import ReplayStore
from rapidbyte.state.runs import RunStore

__all__ = [
    "ConnectorState",
    "DeadLetter",
    "DlqStore",
    "KeptValue",
    "LastCommit",
    "RejectedAt",
    "ReplayStore",
    "RunRecord",
    "RunStore",
    "Selection",
    "State",
    "StateKey",
    "StateScope",
    "StoredLetter",
    "Uncommitted",
    "default_path",
    "open_state",
    "state_file",
]
