"""The wheel, as somebody installs it who has neither Rust nor Pants."""

from __future__ import annotations

import json
import os
import subprocess
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from rapidbyte import __version__


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, built_wheel: Path) -> Path:
    """A fresh environment with the wheel and what its demo needs."""
    home = tmp_path_factory.mktemp("home")
    venv.create(home / "venv", with_pip=True)
    pip = [str(home / "venv/bin/python"), "-m", "pip", "install", "--quiet", f"{built_wheel}[demo]"]
    subprocess.run(pip, check=True, cwd=home, env=_environment(home))
    return home


def _environment(home: Path) -> Mapping[str, str]:
    network = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or "proxy" in name
    }
    return {**network, "HOME": str(home), "PATH": "/usr/bin:/bin"}


def _rapidbyte(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(home / "venv/bin/rapidbyte"), *arguments]
    return subprocess.run(command, cwd=home, env=_environment(home), capture_output=True, text=True, timeout=300)


def test_wheel_is_for_every_platform_and_asks_only_for_what_a_run_needs(built_wheel: Path) -> None:
    assert built_wheel.name == f"rapidbyte-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(built_wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"rapidbyte-{__version__}.dist-info/METADATA").decode()
    wasm = {name for name in names if name.endswith(".wasm")}
    connectors = ("dest_postgres", "source_postgres", "transform_sql", "transform_validate")
    assert wasm == {f"rapidbyte/connectors/{connector}.wasm" for connector in connectors}
    license_text = f"rapidbyte-{__version__}.dist-info/licenses/LICENSE"
    assert {"rapidbyte/demo/demo.yaml", "rapidbyte/py.typed", license_text} <= names
    required = [
        line.split()[1].partition("<")[0].partition(">")[0]
        for line in metadata.splitlines()
        if "Requires-Dist" in line and "extra" not in line
    ]
    assert required == ["cramjam", "pydantic", "pyyaml", "rich", "wasmtime"]


def test_demo_works_from_the_wheel_alone_and_compiles_its_connectors_once(home: Path) -> None:
    first = _rapidbyte(home, "demo", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("for this machine, once ...") == 2
    second = _rapidbyte(home, "demo", "--json")
    assert second.returncode == 0, second.stderr
    assert "Compiling" not in second.stderr
    assert json.loads(second.stdout)["total"]["rows"] == 367_687


def test_run_without_a_pipeline_says_what_to_do(home: Path) -> None:
    ended = _rapidbyte(home, "run", "missing.yaml")
    assert (ended.returncode, ended.stderr) == (2, "error: There is no pipeline file missing.yaml. Check the path.\n")


def test_same_sources_give_the_same_wheel(built_wheel: Path) -> None:
    with zipfile.ZipFile(built_wheel) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
