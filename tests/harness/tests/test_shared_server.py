"""One server for many processes: shared while they live, gone when they have gone, replaced when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from harness.tests.processes import Worker, workers
from harness.waiting import PATIENCE_S, wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def _schemas(worker: Worker) -> set[str]:
    with psycopg.connect(worker.dsn) as session:
        return {name for (name,) in session.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'src%'")}


def _wait_until_gone(directory: Path) -> None:
    wait_until(lambda: not directory.exists(), f"{directory} to be removed")


def test_eight_processes_at_once_share_one_server_and_have_unique_schemas(folder: Path) -> None:
    with workers(folder, 8) as eight:
        assert len({worker.directory for worker in eight}) == 1
        names = {worker.schema for worker in eight}
        assert len(names) == 8
        assert _schemas(eight[0]) == names


def test_server_stays_while_anybody_is_left_and_goes_with_the_last(folder: Path) -> None:
    with workers(folder, 2, linger_s=0.2) as (first, second):
        first.leave()
        assert _schemas(second) == {second.schema}
        second.leave()
        _wait_until_gone(second.directory)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(second.dsn)


def test_server_that_lingers_is_there_for_who_comes_after_the_last(folder: Path) -> None:
    with workers(folder, 1, linger_s=PATIENCE_S) as (first,):
        first.leave()
        try:
            for _ in range(2):
                with workers(folder, 1) as (later,):
                    assert (later.directory, later.orphans) == (first.directory, ())
                    later.leave()
        finally:
            os.kill(first.guard_pid, signal.SIGTERM)
        _wait_until_gone(first.directory)


def test_killed_process_leaves_the_server_to_the_others_and_its_schema_to_the_next(folder: Path) -> None:
    with workers(folder, 2) as (victim, survivor):
        victim.kill()
        with workers(folder, 1) as (next_one,):
            assert next_one.directory == survivor.directory
            assert next_one.orphans == (victim.schema,)
            assert _schemas(survivor) == {survivor.schema, next_one.schema}


def test_killed_starter_does_not_take_the_server_along(folder: Path) -> None:
    with workers(folder, 1) as (starter,), workers(folder, 1) as (joiner,):
        starter.kill()
        assert _schemas(joiner) == {starter.schema, joiner.schema}
        joiner.leave()
        _wait_until_gone(joiner.directory)


def test_all_processes_killed_at_once_leave_no_server(folder: Path) -> None:
    with workers(folder, 3) as three:
        for worker in three:
            worker.process.send_signal(signal.SIGKILL)
        _wait_until_gone(three[0].directory)
    with workers(folder, 1) as (next_one,):
        assert next_one.directory != three[0].directory
        assert next_one.orphans == ()


def test_killed_postmaster_is_replaced_by_the_next_process(folder: Path) -> None:
    with workers(folder, 1) as (first,):
        os.kill(first.postmaster_pid(), signal.SIGKILL)
        with workers(folder, 1) as (next_one,):
            assert next_one.directory != first.directory
            assert _schemas(next_one) == {next_one.schema}
            _wait_until_gone(first.directory)


def test_killed_guard_and_users_leave_a_directory_that_the_next_process_removes(folder: Path) -> None:
    with workers(folder, 1) as (first,):
        os.kill(first.guard_pid, signal.SIGKILL)
        first.kill()
        # Without its guard the server ends by itself, which frees its port.
        wait_until(lambda: not _is_listening(first.dsn), "the server to end after its guard")
        assert first.directory.exists()
        with workers(folder, 1) as (next_one,):
            assert next_one.directory != first.directory
            assert not first.directory.exists()


def _is_listening(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True
