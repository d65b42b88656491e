"""Writes a report as JSON, by the schema that docs/TESTING.md gives.

`version` grows when a key changes its meaning or goes away. Keys may be added without it.
"""

from __future__ import annotations

import json
from typing import Any

from rapidbyte_pants.affected.model import Explained, Reach, Report

VERSION = 1


def render_json(report: Report) -> str:
    document = {
        "version": VERSION,
        "since": {"revision": report.since.revision, "base": report.since.base},
        "scenarios": [{"file": file, "targets": [_target(each) for each in group]} for file, group in report.by_file],
        "changes": [_change(reach) for reach in report.reaches],
        "unaffected": [scenario.address for scenario in report.unaffected],
    }
    return json.dumps(document, indent=2) + "\n"


def _target(each: Explained) -> dict[str, Any]:
    return {
        "address": each.scenario.address,
        "type": each.scenario.kind,
        "change": each.change.path,
        "chain": list(each.chain),
        "beyond_dependencies": each.reason,
        "also_from": list(each.also),
    }


def _change(reach: Reach) -> dict[str, Any]:
    return {
        "path": reach.change.path,
        "status": reach.change.status.value,
        "owners": list(reach.owners),
        "reaches_beyond": list(reach.beyond),
        "reason": reach.reason,
    }
