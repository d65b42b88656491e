"""docs/PIPELINE.md lists every key of a document, with the values, the default and the words of the models."""

from __future__ import annotations

from pathlib import Path

from rapidbyte.config.document import Section
from unit.docs.pipeline_reference import DOCUMENT, sections_of, with_tables

_TEXT = (Path(__file__).resolve().parents[3] / DOCUMENT).read_text(encoding="utf-8")


def test_tables_are_those_of_the_models() -> None:
    assert with_tables(_TEXT) == _TEXT, "write them anew with tests/unit/docs/pipeline_reference.py"


def test_every_section_has_a_table() -> None:
    waiting, names = Section.__subclasses__(), set()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        names.add(model.__name__)
    assert sections_of(_TEXT) == names
