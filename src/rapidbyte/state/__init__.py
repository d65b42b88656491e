"""The history of runs, kept in a SQLite file of the user."""

from rapidbyte.state.location import default_path
from rapidbyte.state.record import RunRecord
from rapidbyte.state.store import RunStore

__all__ = ["RunRecord", "RunStore", "default_path"]
