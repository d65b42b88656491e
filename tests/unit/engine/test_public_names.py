"""The public interface: every listed name is there, and the engine is loaded only by those who use it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rapidbyte


@pytest.mark.parametrize("name", rapidbyte.__all__)
def test_a_public_name_can_be_used(name: str) -> None:
    assert getattr(rapidbyte, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rapidbyte.nothing


def test_importing_the_package_does_not_load_the_engine() -> None:
    code = "import sys, rapidbyte; print(sorted({'wasmtime', 'pydantic', 'yaml'} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert answer.stdout == "[]\n"
