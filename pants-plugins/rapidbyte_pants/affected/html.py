"""Writes a report as one HTML page: the picture, a list of the scenarios, and a search. It loads nothing.

What is not known to be harmless enters the page as escaped text, or as JSON in which no `<` can end the script.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rapidbyte_pants.affected.layout import Kind, Node, Picture, place
from rapidbyte_pants.affected.model import Report
from rapidbyte_pants.affected.names import markup, printable, split_name
from rapidbyte_pants.affected.svg import draw, stylesheet
from rapidbyte_pants.affected.text import beyond_line, idle_sentence, summary

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header>
<h1>What the change affects</h1>
<p>{title}</p>
<input id="search" type="search" placeholder="Search files and targets" aria-label="Search files and targets">
</header>
<main>
<nav aria-label="Scenarios">
{beyond}
<h2>Scenarios</h2>
<ul>
{scenarios}
</ul>
{idle}
</nav>
<figure>
{picture}</figure>
</main>
<section id="why" aria-live="polite"></section>
<script type="application/json" id="data">{data}</script>
<script>
{script}
</script>
</body>
</html>
"""


def render_html(report: Report) -> str:
    picture = place(report)
    return _PAGE.format(
        title=markup(summary(report)),
        style=stylesheet("page.css"),
        beyond="\n".join(_beyond(report)),
        scenarios="\n".join(_scenarios(picture)),
        idle="\n".join(_idle(report)),
        picture=draw(report, picture),
        data=_embedded({"nodes": [_data(node, report) for node in picture.nodes]}),
        script=stylesheet("page.js"),
    )


def _embedded(data: Any) -> str:
    """Write JSON that is safe within a script: what HTML looks at is escaped, and all that is not ASCII."""
    text = json.dumps(data, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _beyond(report: Report) -> Iterator[str]:
    for reach in report.reaches:
        if reach.reason is not None:
            yield f'<p class="beyond">{markup(beyond_line(report, reach))}</p>'


def _scenarios(picture: Picture) -> Iterator[str]:
    scenarios = [node for node in picture.nodes if node.kind is Kind.SCENARIO]
    for node in sorted(scenarios, key=lambda node: node.name):
        cause = markup(f"because of {_root(picture, node).full}")
        folder, base = map(markup, split_name(node.name))
        yield (
            f'<li><button value="{node.number}" aria-pressed="false" title="{cause}">'
            f"<b>{base}</b><small>{folder}</small><small>{cause}</small></button></li>"
        )


def _idle(report: Report) -> Iterator[str]:
    if report.idle:
        yield "<h2>No effect on these scenarios</h2>"
    for reach in report.idle:
        yield f"<p>{markup(idle_sentence(reach))}</p>"


def _root(picture: Picture, node: Node) -> Node:
    while node.parent is not None:
        node = picture.nodes[node.parent]
    return node


def _data(node: Node, report: Report) -> dict[str, Any]:
    also = [each.also for each in report.explained if node.kind is Kind.SCENARIO and each.scenario.address == node.name]
    return {
        "number": node.number,
        "kind": node.kind.value,
        "name": printable(node.name),
        "full": printable(node.full),
        "parent": node.parent,
        "reason": None if node.reason is None else printable(node.reason),
        "also": [printable(path) for paths in also for path in paths],
    }
