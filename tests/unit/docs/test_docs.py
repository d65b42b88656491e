"""What the documents name is there: files, commands, exit codes; and the README's example is a pipeline."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rapidbyte.cli.arguments import COMMAND_NAMES
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.config import load_text

GUIDES = ("README.md", "docs/CACHE.md", "docs/TESTING.md")
DOCUMENTS = (*GUIDES, "docs/ABI.md", "docs/ARCHITECTURE.md")
PACKAGE = "src/rapidbyte"  # whose files docs/ARCHITECTURE.md names without it
GOALS = ("affected", "check", "fmt", "lint", "package", "run", "tailor", "test")
EXAMPLE_ENV = {"SOURCE_PASSWORD": "a", "WAREHOUSE_PASSWORD": "b"}
# Where this lies in the checkout, and in a sandbox that has the sources of //:named_in_docs.
ROOT = Path(__file__).resolve().parents[3]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#]+)\)")
_ELSEWHERE = ("./", "dist/")  # commands, and what they write
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks_of(document: str, language: str) -> list[str]:
    return [body for name, body in _BLOCK.findall(text_of(document)) if name == language]


def inline_of(document: str) -> list[str]:
    found: list[str] = _INLINE.findall(_BLOCK.sub("", text_of(document)))
    return found


def commands_of(document: str, program: str) -> list[list[str]]:
    """Return the arguments of every call of `program`, in blocks and in sentences."""
    lines = [line for block in blocks_of(document, "sh") for line in block.splitlines()] + inline_of(document)
    calls = [line.partition("#")[0].split() for line in lines]
    return [call[1:] for call in calls if len(call) > 1 and call[0] == program]


def paths_of(document: str) -> list[str]:
    """Return the paths that a document names: its links, its inline code with a slash, its map of the repository."""
    linked = [str(Path(document).parent / target) for target in _LINK.findall(text_of(document)) if "://" not in target]
    inline = [
        code
        for code in inline_of(document)
        if "/" in code and _PATH.fullmatch(code) and not code.startswith(_ELSEWHERE)
    ]
    mapped = [
        name.rstrip(",")
        for block in blocks_of(document, "")
        for line in block.splitlines()
        for name in line.partition("  ")[0].split()
    ]
    return linked + inline + (mapped if document == "README.md" else [])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_paths_exist(document: str) -> None:
    named = paths_of(document)
    assert named
    missing = [path for path in named if not (ROOT / path).exists() and not (ROOT / PACKAGE / path).exists()]
    assert missing == [], "not there, or not among the sources of //:named_in_docs"


@pytest.mark.parametrize("document", GUIDES)
def test_commands_of_pants_have_a_goal_and_targets_that_exist(document: str) -> None:
    aliases = tomllib.loads(text_of("pants.toml"))["cli"]["alias"]
    calls = commands_of(document, "./pants")
    assert calls
    for call in calls:
        goal, *rest = [word for word in call if not word.startswith("-") or word == "--"]
        assert goal in (*GOALS, *aliases), call
        targets = rest[: rest.index("--")] if "--" in rest else rest
        for target in targets:
            folder, _, name = target.removesuffix("::").partition(":")
            assert (ROOT / folder).exists(), target
            assert not name or f'name="{name}"' in text_of(f"{folder}/BUILD"), target


def test_commands_of_rapidbyte_exist() -> None:
    named = {call[0] for document in GUIDES for call in commands_of(document, "rapidbyte")}
    assert named == {"--help", "cdc", "check", "demo", "discover", "dlq", "run", "runs", "schema", "state"}
    assert named - {"--help"} <= set(COMMAND_NAMES)


def test_exit_codes_are_those_of_the_command_line() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", text_of("README.md"), re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(",")}
    sighup = 129
    assert documented == {*ExitCode, sighup}


def test_example_is_a_pipeline() -> None:
    (example,) = blocks_of("README.md", "yaml")
    pipeline = load_text(example, "orders.yaml", EXAMPLE_ENV)
    assert [stream.name for stream in pipeline.streams] == ["customers", "sales.orders"]
    assert pipeline.destination.config["port"] == 5432
