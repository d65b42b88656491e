"""The code on the newer versions of Python that it is for: all other tests run on the one that pants.toml names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.scratch import Checkout

_VERSIONS = ("3.12", "3.13")
_MISSING = (
    "There is no CPython {0} with venv, on which the code has to work too. Install one: `pyenv install {0}` or "
    "`uv python install {0}`, with its folder on the PATH."
)


def _candidates(version: str) -> Iterator[str]:
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))


def _interpreter(version: str) -> str:
    """Find one that works: a version manager puts commands on the PATH for versions that it does not have."""
    for program in _candidates(version):
        if subprocess.run([program, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return program
    pytest.fail(_MISSING.format(version))


@pytest.fixture(scope="module", params=_VERSIONS)
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lock pins, installed for a version of Python."""
    version: str = request.param
    folder = tmp_path_factory.mktemp(f"python{version}") / "venv"
    subprocess.run([_interpreter(version), "-m", "venv", folder], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", "3rdparty/python/main.lock"], check=True)
    return folder


@pytest.mark.parametrize("level", ["unit", "property"])
def test_tests_pass(checkout: Checkout, environment: Path, level: str) -> None:
    pytest_of = (str(environment / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider")
    ended = checkout.run(*pytest_of, f"tests/{level}", PYTHONPATH="src:tests")
    assert ended.code == 0, ended.text


def test_demo_works_from_the_wheel(environment: Path, built_wheel: Path, tmp_path: Path) -> None:
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", str(built_wheel)]
    subprocess.run(pip, check=True)
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    demo = [str(environment / "bin/rapidbyte"), "demo", "--json"]
    ended = subprocess.run(demo, cwd=tmp_path, env=home, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["total"]["rows"] == 367_687
