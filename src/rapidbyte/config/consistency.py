"""Rules that join several values of a document. They look at the raw tree, so that they speak beside other problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rapidbyte.config.document import ResourcesSection
from rapidbyte.config.permission_rules import permission_findings
from rapidbyte.config.sizes import parse_size
from rapidbyte.config.stream_rules import stream_findings
from rapidbyte.config.tree import Path, Tree
from rapidbyte.model import REPLAY_SUFFIX, StateBackend

_URIS = ("postgres://", "postgresql://")


def report_contradictions(tree: Tree, bad: set[Path]) -> set[Path]:
    """Add a problem for values that are right alone and wrong together; return their paths.

    The paths in `bad` are wrong already.
    """
    findings = [*_name_findings(tree), *stream_findings(tree), *permission_findings(tree), *_state_findings(tree)]
    if not any(path[:1] == ("resources",) for path in bad):
        findings += [*_memory_findings(tree), *_tuning_findings(tree)]
    for path, message in findings:
        tree.report(path, message)
    return {path for path, _ in findings}


def _name_findings(tree: Tree) -> Iterator[tuple[Path, str]]:
    name = _get(tree.root, "pipeline")
    if isinstance(name, str) and name.endswith(REPLAY_SUFFIX):
        yield ("pipeline",), f"must not end with{REPLAY_SUFFIX}, which is for the receipts of `rapidbyte dlq replay`"


def _state_findings(tree: Tree) -> Iterator[tuple[Path, str]]:
    backend, connection = (_get(tree.root, "state", key) for key in ("backend", "connection"))
    path = ("state", "connection")
    if backend == StateBackend.POSTGRES.value and connection is None:
        yield (
            path,
            "is required where state.backend is postgres; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        )
    if backend in (None, StateBackend.SQLITE.value) and isinstance(connection, str) and connection.startswith(_URIS):
        yield path, "is the address of a Postgres, but state.backend is sqlite; set backend: postgres"


def _memory_findings(tree: Tree) -> Iterator[tuple[Path, str]]:
    fields = ResourcesSection.model_fields
    batch, memory = (
        _size(_get(tree.root, "resources", key), fields[key].default) for key in ("max_batch_bytes", "max_memory")
    )
    if batch > memory:
        yield (
            ("resources", "max_batch_bytes"),
            f"{batch} bytes are more than max_memory, {memory} bytes; lower it or raise max_memory",
        )


def _tuning_findings(tree: Tree) -> Iterator[tuple[Path, str]]:
    lanes, pinned = (_get(tree.root, "resources", *keys) for keys in (("parallelism",), ("autotune", "parallelism")))
    if pinned is not None and lanes not in (None, "auto", pinned):
        path = ("resources", "autotune", "parallelism")
        yield path, f"pins {pinned}, and resources.parallelism is {lanes}; keep one of them"


def _size(value: Any, default: int) -> int:
    if isinstance(value, str):
        return parse_size(value)
    return default if value is None else int(value)


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
