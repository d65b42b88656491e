"""Which server the tests get."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers import DSN_VARIABLE, MAJOR_VARIABLE, external_address, provide_server
from harness.shared_server import lease_folder
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
