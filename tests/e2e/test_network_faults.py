"""Networks that fail: what passes is mended by another attempt, what lasts is a typed error, and no row is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.proxy import Effect, Fault, FaultyProxy
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import NetworkError
from rapidbyte.model import RunReport

_MODES = "fixtures/pipelines/modes.yaml"
_IMPATIENT = "fixtures/pipelines/impatient.yaml"
_COPY_BEGINS = b"G\x00\x00\x00\x0d\x01\x00\x03\x00\x01\x00\x01\x00\x01"  # CopyInResponse for three binary columns
_IN_THE_ROWS = 50_000  # of about 100 kB that the source answers with
_ENDS = (Effect.CUT, Effect.RESET, Effect.HALF_CLOSED)
_CODES = {Effect.CUT: "connection_closed", Effect.RESET: "connection_reset", Effect.HALF_CLOSED: "connection_closed"}

Run = Callable[..., RunReport]


@pytest.fixture
def proxy(server: ServerAddress) -> Iterator[FaultyProxy]:
    """A proxy before the shared server, which must listen on TCP."""
    with FaultyProxy(server.host, server.port) as proxy:
        yield proxy


@pytest.fixture
def first(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """A table of 3000 rows, and where it goes."""
    seeded("fixtures/sql/two_tables.sql")
    return TableName(schemas.source, "first"), TableName(schemas.destination, "first")


@pytest.fixture
def run(run_pipeline: RunPipeline, server: ServerAddress, proxy: FaultyProxy) -> Run:
    """Run with one side behind the proxy."""

    def run(template: str, side: str, **variables: str) -> RunReport:
        near, far = ("127.0.0.1", str(proxy.port)), (server.host, str(server.port))
        source, destination = (near, far) if side == "source" else (far, near)
        return run_pipeline(
            template,
            STREAM="first",
            PGHOST=source[0],
            PGPORT=source[1],
            SOURCE_HOST=source[0],
            SOURCE_PORT=source[1],
            DESTINATION_HOST=destination[0],
            DESTINATION_PORT=destination[1],
            **variables,
        )

    return run


def _fault(side: str, effect: Effect, *, is_lasting: bool = False) -> Fault:
    if side == "source":
        return Fault(effect, after_bytes=_IN_THE_ROWS, is_lasting=is_lasting)
    return Fault(effect, answer=_COPY_BEGINS, is_lasting=is_lasting)


def _told(error: NetworkError) -> tuple[str, str, bool]:
    return dict(error.info.details)["connector"], error.code, error.retryable


@pytest.mark.parametrize("effect", _ENDS, ids=lambda effect: effect.value)
@pytest.mark.parametrize("side", ["source", "destination"])
def test_connection_that_breaks_once_is_followed_by_another(
    session: psycopg.Connection,
    first: tuple[TableName, TableName],
    proxy: FaultyProxy,
    run: Run,
    side: str,
    effect: Effect,
) -> None:
    proxy.order(_fault(side, effect))
    report = run(_MODES, side, WRITE_MODE="append")
    assert proxy.struck == 1
    assert [(stream.rows_read, stream.rows_written, stream.attempts) for stream in report.streams] == [(3000, 3000, 2)]
    assert_same_table(session, *first)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_rows_that_were_durable_before_the_break_are_not_read_again(
    session: psycopg.Connection, first: tuple[TableName, TableName], proxy: FaultyProxy, run: Run, side: str
) -> None:
    chosen = {"SYNC_MODE": "incremental", "CURSOR": "at", "BATCH_BYTES": "64kb", "CHECKPOINT_ROWS": "700"}
    proxy.order(_fault(side, Effect.CUT))
    report = run(_MODES, side, WRITE_MODE="append", **chosen)
    assert (proxy.struck, report.rows_written, report.streams[0].attempts) == (1, 3000, 2)
    assert_same_table(session, *first)


@pytest.mark.parametrize("effect", _ENDS, ids=lambda effect: effect.value)
@pytest.mark.parametrize("side", ["source", "destination"])
def test_break_that_lasts_is_an_error_after_the_last_attempt_and_the_next_run_mends_it(
    session: psycopg.Connection,
    first: tuple[TableName, TableName],
    proxy: FaultyProxy,
    run: Run,
    side: str,
    effect: Effect,
) -> None:
    proxy.order(_fault(side, effect, is_lasting=True))
    with pytest.raises(NetworkError) as caught:
        run(_MODES, side, WRITE_MODE="append", MAX_RETRIES="1")
    assert (_told(caught.value), proxy.struck) == ((f"{side} postgres", _CODES[effect], True), 2)
    proxy.mend()
    assert run(_MODES, side, WRITE_MODE="append").rows_written == 3000
    assert_same_table(session, *first)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_server_that_hangs_up_on_everybody_is_an_error_that_names_it(
    ask: Ask, first: tuple[TableName, TableName], proxy: FaultyProxy, run: Run, side: str
) -> None:
    proxy.order(Fault(Effect.RESET, is_lasting=True))
    with pytest.raises(NetworkError) as caught:
        run(_MODES, side, MAX_RETRIES="0")
    assert _told(caught.value) == (f"{side} postgres", "connection_reset", True)
    assert ask("SELECT to_regclass(%s)", f'"{first[1].schema}"."{first[1].name}"') == [(None,)]


@pytest.mark.parametrize("side", ["source", "destination"])
def test_server_that_falls_silent_is_given_up_after_the_time_limit(
    session: psycopg.Connection, first: tuple[TableName, TableName], proxy: FaultyProxy, run: Run, side: str
) -> None:
    proxy.order(_fault(side, Effect.STALLED))
    with pytest.raises(NetworkError, match=f"{side} postgres made no progress for 2 s") as caught:
        run(_IMPATIENT, side)
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)
    assert run(_IMPATIENT, side).rows_written == 3000
    assert_same_table(session, *first)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_slow_network_only_takes_longer(
    session: psycopg.Connection, first: tuple[TableName, TableName], proxy: FaultyProxy, run: Run, side: str
) -> None:
    proxy.slow_down(piece_bytes=1000, pause_s=0.002)
    (stream,) = run(_MODES, side, MAX_RETRIES="0").streams
    assert (stream.rows_written, stream.attempts) == (3000, 1)
    assert_same_table(session, *first)
