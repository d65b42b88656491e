"""From a document to a Pipeline: every key that this version runs, its default, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapidbyte.config import load, load_text
from rapidbyte.errors import ConfigError
from rapidbyte.model import (
    Compression,
    ConnectorSpec,
    Limits,
    Permissions,
    Pipeline,
    Resources,
    StateBackend,
    StateSpec,
    StreamSpec,
    SyncMode,
    WriteMode,
)
from unit.config.documents import MINIMAL, minimal

FULL = """\
version: "1.0"
pipeline: nightly
source:
  use: ./mine.wasm
  config: &server
    host: ${DB_HOST}
    port: ${DB_PORT:-5432}
    password: "${DB_PASSWORD}"
    since: 2024-01-31
    code: 0123
    answer: no
  permissions:
    network: {allowed_hosts: ["*.example.com"]}
    env: {allowed_vars: []}
    fs: {}
  limits: {max_memory: 128mb, timeout_seconds: 1.5}
  streams:
    - {name: sales.orders, sync_mode: full_refresh, columns: [id, total]}
    - {name: users, sync_mode: full_refresh, write_mode: append}
transforms: []
destination:
  use: postgres
  config: {<<: *server, host: elsewhere}
  write_mode: append
  on_data_error: fail
  schema_evolution: {new_column: add, removed_column: ignore, type_change: fail, nullability_change: allow}
state: {backend: postgres, connection: "postgresql://db/state", max_dead_letters: 500}
resources:
  parallelism: 3
  max_memory: 1GB
  max_batch_bytes: 1048576
  max_inflight_batches: 4
  checkpoint_interval_bytes: 64MB
  checkpoint_interval_rows: 0
  checkpoint_interval_seconds: 0
  max_retries: 3
  compression: zstd
  autotune: {enabled: true}
"""


def test_minimal_document_gets_every_default() -> None:
    connector = ConnectorSpec("postgres", {"host": "localhost"}, Permissions(), Limits())
    expected = Pipeline(
        name="nightly",
        source=connector,
        destination=connector,
        streams=(StreamSpec("users", SyncMode.FULL_REFRESH, WriteMode.APPEND),),
        resources=Resources(),
        state=StateSpec(),
    )
    assert load_text(MINIMAL, "p.yaml", {}) == expected
    assert load(minimal()) == expected


def test_full_document_is_read_to_the_last_key() -> None:
    server = {"port": 5432, "password": "12#:34", "since": "2024-01-31", "code": "0123", "answer": "no"}
    assert load_text(FULL, "p.yaml", {"DB_HOST": "db.example.com", "DB_PASSWORD": "12#:34"}) == Pipeline(
        name="nightly",
        source=ConnectorSpec(
            use="./mine.wasm",
            config={"host": "db.example.com", **server},
            permissions=Permissions(allowed_hosts=("*.example.com",), allowed_vars=(), allowed_preopens=None),
            limits=Limits(max_memory_bytes=134_217_728, timeout_s=1.5),
        ),
        destination=ConnectorSpec("postgres", {"host": "elsewhere", **server}),
        streams=(
            StreamSpec("sales.orders", SyncMode.FULL_REFRESH, WriteMode.APPEND, ("id", "total")),
            StreamSpec("users", SyncMode.FULL_REFRESH, WriteMode.APPEND),
        ),
        resources=Resources(3, 1_073_741_824, 1_048_576, 4, Compression.ZSTD),
        state=StateSpec(StateBackend.POSTGRES, "postgresql://db/state", 500),
    )


@pytest.mark.parametrize("text", ["auto", "~", ""])
def test_parallelism_is_left_to_the_engine(text: str) -> None:
    pipeline = load_text(f"{MINIMAL}resources:\n  parallelism: {text}\n", "p.yaml", {})
    assert pipeline.resources == Resources(parallelism=None)


def test_empty_sections_count_as_absent() -> None:
    empty = MINIMAL + "  permissions:\n  limits:\n    max_memory:\nstate:\nresources:\ntransforms:\n"
    assert load_text(empty, "p.yaml", {}) == load_text(MINIMAL, "p.yaml", {})


def test_python_values_are_not_substituted() -> None:
    pipeline = load(minimal(source__config={"password": "${NOT_A_VARIABLE}"}))
    assert pipeline.source.config == {"password": "${NOT_A_VARIABLE}"}


def test_paths_among_python_values_become_text() -> None:
    pipeline = load(minimal(source__use=Path("/connectors/mine.wasm"), source__config={"roots": (Path("/a"), 1.5)}))
    assert (pipeline.source.use, pipeline.source.config) == ("/connectors/mine.wasm", {"roots": ["/a", 1.5]})


def test_file_is_read_with_the_given_environment(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text(MINIMAL.replace("nightly", "${NAME}-ünïcode"), encoding="utf-8")
    assert load(path, {"NAME": "daily"}).name == "daily-ünïcode"
    assert load(str(path), {"NAME": "hourly"}).name == "hourly-ünïcode"


def test_unreadable_files_are_typed_errors(tmp_path: Path) -> None:
    absent, binary, large = tmp_path / "absent.yaml", tmp_path / "binary.yaml", tmp_path / "large.yaml"
    binary.write_bytes(b"a: \xff")
    large.write_bytes(b"#" * (1024 * 1024 + 1))
    expected = {
        absent: ("pipeline_not_found", f"There is no pipeline file {absent}. Check the path."),
        tmp_path: ("pipeline_not_a_file", f"{tmp_path} is a directory. Name the pipeline file in it."),
        binary: ("pipeline_not_text", f"{binary} is not UTF-8 text (byte 3). Save it as UTF-8."),
        large: ("pipeline_too_large", f"{large} is larger than 1 MiB. Is it a pipeline document?"),
    }
    for path, wanted in expected.items():
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        assert (caught.value.code, caught.value.message) == wanted
