"""The tables of docs/PIPELINE.md, made from the models.

Each stands between a comment that names a section's class and another. After a change of a key, write them anew with
`PYTHONPATH=src:tests python tests/unit/docs/pipeline_reference.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rapidbyte.config import document_schema

DOCUMENT = "docs/PIPELINE.md"
_TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADER = "\n| Key | Values | Default | |\n|---|---|---|---|\n"
_SIZE = "a size"


def with_tables(text: str) -> str:
    """Return the text of the document with every table as the models have it."""
    schema = document_schema({})
    sections = {"Document": schema, **schema["$defs"]}
    return _TABLE.sub(lambda found: found[1] + _table(sections[found[2]], sections) + found[3], text)


def sections_of(text: str) -> set[str]:
    """Return the sections whose keys the document lists."""
    return {found[2] for found in _TABLE.finditer(text)}


def _table(section: dict[str, Any], sections: dict[str, Any]) -> str:
    required = section.get("required", ())
    rows = [
        f"| `{key}` | {_values(part, sections)} | {_default(part, key in required)} | {part['description']} |\n"
        for key, part in section["properties"].items()
        if section is sections["Connector"] or key not in sections["Connector"]["properties"]
    ]
    return _HEADER + "".join(rows) + "\n"


def _values(part: dict[str, Any], sections: dict[str, Any]) -> str:
    choices = [text for choice in part.get("anyOf", [part]) if (text := _value(choice, sections))]
    return " or ".join(dict.fromkeys(choices))


def _value(choice: dict[str, Any], sections: dict[str, Any]) -> str:
    if "$ref" in choice:
        name = choice["$ref"].rsplit("/", 1)[1]
        return (
            ""
            if name == "Reference"
            else "a section"
            if "properties" in sections[name]
            else _values(sections[name], sections)
        )
    if "const" in choice:
        return f"`{json.dumps(choice['const'])}`" if choice["const"] == "1.0" else f"`{choice['const']}`"
    if "enum" in choice:
        return ", ".join(f"`{word}`" for word in choice["enum"])
    match choice.get("type"):
        case "null":
            return ""
        case "string":
            return _SIZE if choice.get("pattern", "").startswith("^") else "text"
        case "array":
            items = _values(choice["items"], sections)
            return "a list of sections" if items == "a section" else "a list of names"
        case "boolean":
            return "`true`, `false`"
        case "object":
            return "a mapping"
        case kind:
            return _number(choice, "a whole number" if kind == "integer" else "a number")


def _number(choice: dict[str, Any], noun: str) -> str:
    if set(choice) == {"type", "minimum"}:
        return _SIZE if choice["minimum"] in (0, 1) else noun
    if "exclusiveMinimum" in choice:
        return f"{noun} over {choice['exclusiveMinimum']}"
    return f"{noun} from {choice['minimum']:g}" if "minimum" in choice else noun


def _default(part: dict[str, Any], is_required: bool) -> str:
    if is_required:
        return "required"
    default = part.get("default")
    if default in (None, []):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int) and default and default % 2**20 == 0:
        return f"`{default // 2**20}mb`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


if __name__ == "__main__":
    path = Path(__file__).resolve().parents[3] / DOCUMENT
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
