"""Which server the tests get."""

from __future__ import annotations

import gc
from pathlib import Path

import psycopg
import pytest

from harness.errors import ProviderError
from harness.providers import CONTAINER_VARIABLE, DSN_VARIABLE, MAJOR_VARIABLE, external_address, provide_server
from harness.shared_server import LINGER_VARIABLE, lease_folder
from rapidbyte.embedded import ServerAddress, WheelMissingError


def test_named_external_server_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DSN_VARIABLE, "postgresql://me:p%40ss@db.example:6543/stage")
    provided = provide_server()
    assert provided.address == ServerAddress("db.example", 6543, "me", "p@ss", "stage")
    assert provided.keep() == "It is yours to stop."


def test_wanted_major_version_is_the_one_that_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(MAJOR_VARIABLE, "9")
    with pytest.raises(WheelMissingError, match="No wheel with Postgres 9"):
        provide_server()


@pytest.mark.parametrize("major", [16, 17, 18])
def test_each_major_version_of_a_wheel_is_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, major: int) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(LINGER_VARIABLE, "0")
    monkeypatch.setenv(MAJOR_VARIABLE, str(major))
    provided = provide_server()
    try:
        with psycopg.connect(provided.address.dsn()) as session:
            assert session.info.server_version // 10000 == major
    finally:
        provided.close()


def test_major_version_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAJOR_VARIABLE, "17beta")
    with pytest.raises(ProviderError, match="RAPIDBYTE_TEST_POSTGRES is '17beta', and must be a major version"):
        provide_server()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the client of Docker leaves its socket open
def test_container_without_an_engine_of_docker_is_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setenv(CONTAINER_VARIABLE, "postgres:18")
    with pytest.raises(
        ProviderError, match=r"container of postgres:18 .* no Docker engine answers.* Start one, or set"
    ):
        provide_server()
    gc.collect()


def test_two_choices_of_a_server_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTAINER_VARIABLE, "postgres:18")
    monkeypatch.setenv(DSN_VARIABLE, "host=db.example")
    with pytest.raises(ProviderError, match="RAPIDBYTE_TEST_DSN and RAPIDBYTE_TEST_CONTAINER each choose a server"):
        provide_server()


def test_connection_string_without_a_port_means_the_usual_one() -> None:
    assert external_address("host=db.example user=me dbname=stage") == ServerAddress(
        "db.example", 5432, "me", "", "stage"
    )


def test_dsn_of_an_address_is_read_back_equal() -> None:
    address = ServerAddress("127.0.0.1", 5433, "me@here", "s/l:a?s#h", "data base")
    assert external_address(address.dsn()) == address


def test_password_is_not_in_the_printed_address() -> None:
    assert "geheim" not in repr(ServerAddress("127.0.0.1", 5432, "me", "geheim", "d"))


def test_lease_folder_is_for_this_user_alone_and_one_for_each_kind_of_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    folder = lease_folder(18)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert lease_folder(18) == folder
    assert len({folder, lease_folder(17), lease_folder(18, {"fsync": "on"})}) == 3


def test_lease_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        lease_folder()
