"""The README of the plugins, followed to the letter: a repository that has its files, the wheel, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.scratch import Checkout, installation

_README = Path("pants-plugins/README.md")
_BLOCK = re.compile(r"((?:^(?!```)[^\n]+\n)+)\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+)`")
_GUIDE = "A guest, from the first file to the first test"
_COMMAND = re.compile(r"(?:^|`)((?:cargo|pants) [^`\n]+)", re.MULTILINE)


def _section(title: str) -> str:
    found = re.search(rf"^## {title}$(.*?)(?=^## )", _README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def _files(section: str) -> dict[str, str]:
    """Give each block with its file, which is the first that the paragraph above it names."""
    blocks = [(before, text) for before, language, text in _BLOCK.findall(section) if language != "sh"]
    return {_FILE.findall(before)[0]: text for before, text in blocks}


@pytest.fixture(scope="module")
def repository(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    built = checkout.pants("package", "pants-plugins:wheel")
    assert built.code == 0, built.text
    installing = _section("Installing")
    ((_, _, settings),) = (block for block in _BLOCK.findall(installing) if block[1] == "toml")
    (find_links,) = re.findall(r"`(find_links = .+?)`", installing)
    assert "file:///path/to/folder" in find_links
    repos = "[python-repos]\n" + find_links.replace("/path/to/folder", str(checkout.folder / "dist"))
    folder = tmp_path_factory.mktemp("theirs")
    files = {
        "pants.toml": f"{settings}\n{repos}\n",
        **_files(_section(_GUIDE)),
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    theirs = Checkout(folder, checkout.env)
    yield theirs
    theirs.close()


def test_every_command_of_the_guide_works(checkout: Checkout, repository: Checkout) -> None:
    installed = installation(checkout)
    tested: set[str] = set()
    start = f'. {installed}/environment; exec {installed}/venv/bin/pants "$@"'
    for command in _COMMAND.findall(_section(_GUIDE)):
        program, *arguments = command.split()
        ended = repository.run(*(("bash", "-c", start) if program == "pants" else ()), program, *arguments)
        assert ended.code == 0, f"{command}: {ended.text}"
        if "test" in arguments:
            tested.update(ended.verdicts)
    assert {"guests/sum", "src/app/test_host.py"} <= tested
    assert (repository.folder / "dist/guests.sum/sum.wasm").read_bytes().startswith(b"\0asm")
