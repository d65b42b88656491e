"""The wheel of the Pants backends, which Pants builds for this test: `./pants package pants-plugins:wheel`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

import pytest

WHEEL = Path("rapidbyte_pants-0.1.0-py3-none-any.whl")
METADATA = "rapidbyte_pants-0.1.0.dist-info"
BACKENDS = ("affected", "hygiene", "outside_services", "pipelines", "ruff", "rust", "snapshots", "test_page")


@pytest.fixture
def wheel() -> Iterator[ZipFile]:
    if not WHEEL.exists():
        pytest.fail("The wheel is not here: run this test by `./pants test tests/packaging`, which builds it.")
    with ZipFile(WHEEL) as wheel:
        yield wheel


@pytest.fixture
def metadata(wheel: ZipFile) -> Message:
    return BytesParser().parsebytes(wheel.read(f"{METADATA}/METADATA"))


def test_it_holds_the_product_backends_and_nothing_else(wheel: ZipFile) -> None:
    folders = {str(Path(name).parent) for name in wheel.namelist()}
    expected = {"rapidbyte_pants", *(f"rapidbyte_pants/{backend}" for backend in BACKENDS)}
    assert {folder for folder in folders if not folder.startswith(METADATA)} == expected


def test_it_brings_its_license(wheel: ZipFile, metadata: Message) -> None:
    assert metadata.get_all("License-File") == ["LICENSE"]
    text = wheel.read(f"{METADATA}/licenses/LICENSE").decode()
    assert "Apache License\n                           Version 2.0, January 2004" in text


def test_its_readme_tells_of_each_backend(metadata: Message) -> None:
    rows = re.findall(r"^\| `rapidbyte_pants\.(\w+)` \|", str(metadata.get_payload()), re.MULTILINE)
    assert sorted(rows) == list(BACKENDS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_can_be_registered(wheel: ZipFile, backend: str) -> None:
    names = set(wheel.namelist())
    assert {f"rapidbyte_pants/{backend}/__init__.py", f"rapidbyte_pants/{backend}/register.py"} <= names


def test_it_asks_for_what_pants_has_already(metadata: Message) -> None:
    assert metadata.get_all("Requires-Dist") == ["pyyaml<7,>=6.0", "toml==0.10.2"]
    assert metadata["Requires-Python"] == "==3.9.*"


def test_it_says_what_it_is(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("rapidbyte-pants", "0.1.0")
    assert metadata["License-Expression"] == "Apache-2.0"
    assert str(metadata.get_payload()).startswith("# rapidbyte-pants")
