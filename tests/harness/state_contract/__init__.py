"""What every backend of the state must do; the tests of each backend inherit it and give a `spec`."""

from __future__ import annotations

from harness.state_contract.dead_letters import DeadLettersContract
from harness.state_contract.kept_values import KeptValuesContract
from harness.state_contract.replays import ReplaysContract
from harness.state_contract.runs import RunsContract


class StateContract(RunsContract, DeadLettersContract, ReplaysContract, KeptValuesContract):
    """All tests; a fixture `spec` names a state that does not exist yet."""
