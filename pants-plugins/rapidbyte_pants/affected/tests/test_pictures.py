"""Tests the pictures: where things are placed, that they are well-formed, and that a hostile name stays a name."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from rapidbyte_pants.affected.html import render_html
from rapidbyte_pants.affected.layout import Kind, Node, place
from rapidbyte_pants.affected.model import Change, Reach, Report, Status
from rapidbyte_pants.affected.svg import render_svg
from rapidbyte_pants.affected.tests.samples import DOC, LIB, SETTINGS, report

_SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "src/</script><img src=x onerror=alert(1)>&amp;\"'\x00\x1b\u2028\ud800]]>.py"
SHOWN = "src/</script><img src=x onerror=alert(1)>&amp;\"'\\x00\\x1b\\u2028\\ud800]]>.py"

DRAWN = """\
<text class="heading" x="0.0" y="66">Changed files</text>
<text class="heading" x="107.8" y="66">Targets that depend on them</text>
<text class="heading" x="215.6" y="66">Scenarios</text>
<path class="edge" id="e1" d="M63.8 103.0C85.8 103.0 85.8 103.0 107.8 103.0H107.8"></path>
<path class="edge" id="e2" d="M171.6 103.0C193.6 103.0 193.6 103.0 215.6 103.0H215.6"></path>
"""


def hostile() -> Report:
    return report(Reach(Change(HOSTILE, Status.ADDED), ("src/lib.py",), ("tests/test_other.py",), f"of {HOSTILE}"))


def test_places() -> None:
    lib = "src/lib.py (modified)"
    other, app = "tests/test_other.py", "tests/test_app.py"
    assert place(report(LIB, DOC, SETTINGS)).nodes == (
        Node(0, Kind.CHANGE, "src/lib.py", lib, 0, 0.0, None, None),
        Node(1, Kind.TARGET, "src/app.py", "src/app.py", 1, 0.0, 0, None),
        Node(2, Kind.SCENARIO, app, app, 2, 0.0, 1, None),
        Node(3, Kind.CHANGE, "settings.toml", "settings.toml (modified)", 0, 1.0, None, None),
        Node(4, Kind.SCENARIO, other, other, 2, 1.0, 3, "every test reads it."),
        Node(5, Kind.CHANGE, "docs/a.md", "docs/a.md (added)", 0, 2.0, None, None),
    )


def test_node_stands_amid_its_children_and_no_two_share_a_place() -> None:
    picture = place(report(SETTINGS))
    assert [(node.column, node.row) for node in picture.nodes] == [(0, 0.5), (1, 0.0), (1, 1.0)]
    assert (picture.columns, picture.rows) == (2, 2)


def test_svg_is_drawn_to_the_letter() -> None:
    drawn = render_svg(report(LIB))
    assert DRAWN in drawn
    assert (
        '<g class="node scenario" id="n2"><title>scenario: tests/test_app.py</title>'
        '<rect x="215.6" y="84.0" width="100.3" height="38" rx="7"/>'
        '<text class="name" x="225.6" y="100.0">test_app.py</text>'
        '<text class="folder" x="225.6" y="114.0">tests</text></g>'
    ) in drawn


def test_reach_beyond_dependencies_is_dashed_and_says_why() -> None:
    svg = ElementTree.fromstring(render_svg(report(SETTINGS)))
    edges = svg.findall(f"{_SVG}path")
    assert [(edge.get("class"), edge.findtext(f"{_SVG}title")) for edge in edges] == [
        ("edge beyond", "every test reads it."),
        ("edge beyond", "every test reads it."),
    ]


@pytest.mark.parametrize("reported", [report(), report(DOC), report(LIB, SETTINGS), hostile()])
def test_svg_is_well_formed_and_names_every_node_whole(reported: Report) -> None:
    svg = ElementTree.fromstring(render_svg(reported))
    titles = [group.findtext(f"{_SVG}title") for group in svg.findall(f"{_SVG}g")]
    expected = [f"{node.kind.value}: {node.full}".replace(HOSTILE, SHOWN) for node in place(reported).nodes]
    assert titles == expected


class _Page(HTMLParser):
    """What a browser makes of a page: its elements, and the content of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts[-1] += data


def test_page_embeds_its_data_and_a_hostile_name_ends_nothing() -> None:
    page = _Page(render_html(hostile()))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    nodes = json.loads(page.scripts[0])["nodes"]
    assert [(node["number"], node["kind"], node["name"], node["parent"]) for node in nodes] == [
        (0, "change", SHOWN, None),
        (1, "target", "src/lib.py", 0),
        (2, "target", "src/app.py", 1),
        (3, "scenario", "tests/test_app.py", 2),
        (4, "scenario", "tests/test_other.py", 0),
    ]
    assert nodes[4]["reason"] == f"of {SHOWN}"


def test_page_loads_nothing() -> None:
    page = render_html(report(LIB, SETTINGS, DOC))
    addresses = set(re.findall(r"\b\w+://[^\s\"'<]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a format, which nobody fetches"
    attributes = {name for name, _ in _Page(page).attributes}
    assert not attributes & {"src", "href", "srcset", "action"}


def test_page_lists_scenarios_and_what_has_no_effect() -> None:
    page = render_html(report(LIB, DOC))
    cause = "because of src/lib.py (modified)"
    assert (
        f'<li><button value="2" aria-pressed="false" title="{cause}">'
        f"<b>test_app.py</b><small>tests</small><small>{cause}</small></button></li>"
    ) in page
    assert "<p>docs/a.md (added): no target owns it</p>" in page
