"""Tests the JSON document: its schema is a promise."""

from __future__ import annotations

import json

from rapidbyte_pants.affected.document import render_json
from rapidbyte_pants.affected.tests.samples import DOC, LIB, SETTINGS, SINCE, report


def test_document() -> None:
    assert json.loads(render_json(report(DOC, SETTINGS, LIB))) == {
        "version": 1,
        "since": {"revision": "main", "base": SINCE.base},
        "scenarios": [
            {
                "file": "tests/test_app.py",
                "targets": [
                    {
                        "address": "tests/test_app.py",
                        "type": "python_test",
                        "change": "src/lib.py",
                        "chain": ["src/lib.py", "src/app.py", "tests/test_app.py"],
                        "beyond_dependencies": None,
                        "also_from": ["settings.toml"],
                    }
                ],
            },
            {
                "file": "tests/test_other.py",
                "targets": [
                    {
                        "address": "tests/test_other.py",
                        "type": "python_test",
                        "change": "settings.toml",
                        "chain": ["tests/test_other.py"],
                        "beyond_dependencies": "every test reads it.",
                        "also_from": [],
                    }
                ],
            },
        ],
        "changes": [
            {"path": "docs/a.md", "status": "added", "owners": [], "reaches_beyond": [], "reason": None},
            {
                "path": "settings.toml",
                "status": "modified",
                "owners": [],
                "reaches_beyond": ["tests/test_app.py", "tests/test_other.py"],
                "reason": "every test reads it.",
            },
            {
                "path": "src/lib.py",
                "status": "modified",
                "owners": ["src/lib.py"],
                "reaches_beyond": [],
                "reason": None,
            },
        ],
        "unaffected": [],
    }


def test_document_without_changes_has_the_same_keys() -> None:
    assert json.loads(render_json(report())) == {
        "version": 1,
        "since": {"revision": "main", "base": SINCE.base},
        "scenarios": [],
        "changes": [],
        "unaffected": ["tests/test_other.py", "tests/test_app.py"],
    }
