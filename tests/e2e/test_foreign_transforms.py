"""Sources and transforms that are not ours, among connectors that are: what they pass on is not trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from boundary.relay_guests import GIVE, TAKE, frame, identity_guest, moved, relabelled, source_guest, transform_guest
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from rapidbyte.errors import RapidbyteError

_WAIT = "(drop (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1)))"  # until the run is over
_PIPELINE = "fixtures/pipelines/behind_validate.yaml"
_BEHIND_FOREIGN_SOURCE = "fixtures/pipelines/foreign_source.yaml"


@pytest.fixture(autouse=True)
def people(seeded: Seed) -> None:
    """Seven rows, which come in one batch."""
    seeded("fixtures/sql/people.sql")


def test_one_that_gives_frames_on_as_they_come_changes_nothing(
    ask: Ask, run_pipeline: RunPipeline, schemas: SchemaPair, tmp_path: Path
) -> None:
    _write(tmp_path, identity_guest(3, 7, streams=[_people(schemas)]))
    (stream,) = run_pipeline(_PIPELINE, TRANSFORM=str(tmp_path / "foreign.wasm")).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_filtered) == (7, 7, 0)
    assert ask("SELECT * FROM {d}.people ORDER BY id, email") == ask("SELECT * FROM {s}.people ORDER BY id, email")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        pytest.param([TAKE, frame("schema")], "arrow", id="a schema that is none"),
        pytest.param([TAKE, GIVE, TAKE, frame("batch", 1)], "arrow", id="a batch that is none"),
        pytest.param(
            [TAKE, GIVE, TAKE, relabelled(frame("batch", 3, bytes=1, filtered=4))],
            "row_count",
            id="a batch of more rows than it says",
        ),
        pytest.param(
            [TAKE, relabelled(frame("schema")), TAKE, relabelled(frame("batch", 7, bytes=1)), frame("schema")],
            "refused",
            id="a second schema",
        ),
    ],
)
def test_what_is_no_arrow_is_refused_and_nothing_is_written(
    ask: Ask,
    run_pipeline: RunPipeline,
    schemas: SchemaPair,
    tmp_path: Path,
    steps: Sequence[str | Mapping[str, object]],
    code: str,
) -> None:
    prepared = {"ok": {"streams": [_people(schemas)]}}
    _write(tmp_path, transform_guest(steps, moved(7), prepared=prepared, before_answer=_WAIT))
    with pytest.raises(RapidbyteError) as caught:
        run_pipeline(_PIPELINE, TRANSFORM=str(tmp_path / "foreign.wasm"))
    assert caught.value.code == code
    details = dict(caught.value.info.details)
    assert details["connector"] == "transform test (transforms[1])"
    assert details.get("refused_by") == (None if code == "refused" else "destination postgres")
    assert ask("SELECT to_regclass('{d}.people')") == [(None,)]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([frame("schema")], "arrow", id="a schema that is none"),
        pytest.param([frame("batch", 1)], "refused", id="a batch before its schema"),
    ],
)
def test_source_whose_frames_are_no_arrow_is_named(
    ask: Ask,
    run_pipeline: RunPipeline,
    schemas: SchemaPair,
    tmp_path: Path,
    frames: Sequence[Mapping[str, object]],
    code: str,
) -> None:
    prepared = {"ok": {"streams": [_people(schemas)]}}
    _write(tmp_path, source_guest(frames, moved(0), prepared=prepared, before_answer=_WAIT))
    with pytest.raises(RapidbyteError) as caught:
        run_pipeline(_BEHIND_FOREIGN_SOURCE, SOURCE=str(tmp_path / "foreign.wasm"))
    details = dict(caught.value.info.details)
    assert (caught.value.code, details["connector"]) == (code, "source test")
    assert details.get("refused_by") == (None if code == "refused" else "transform validate")
    assert ask("SELECT to_regclass('{d}.people')") == [(None,)]


def _people(schemas: SchemaPair) -> Mapping[str, object]:
    """Return the stream as it comes."""
    types = {"id": "integer", "email": "text", "age": "integer", "balance": "numeric(10,2)", "joined": "date"}
    columns = [{"name": name, "type": type_name, "nullable": True} for name, type_name in types.items()]
    return {"name": f"{schemas.source}.people", "columns": columns, "primary_key": []}


def _write(folder: Path, wasm: bytes) -> None:
    (folder / "foreign.wasm").write_bytes(wasm)
