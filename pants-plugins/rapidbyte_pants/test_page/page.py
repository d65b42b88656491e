"""Writes the page of the tests of a run: a picture of all tests, the failures in full, the slowest. It loads nothing.

Names and messages enter the page as escaped text, and nothing else of the tests does.
"""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from rapidbyte_pants.affected.names import markup, split_name
from rapidbyte_pants.test_page.model import Case, Origin, Outcome, Suite

_SLOWEST = 10

# The number of a test in the page, by its target's address and its place there.
Numbers = dict[tuple[str, int], int]
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{summary}</title>
<style>
{style}
</style>
</head>
<body class="{verdict}">
<header>
<h1>Tests</h1>
<p id="summary">{summary}</p>
<input id="search" type="search" placeholder="Search tests and files" aria-label="Search tests and files">
<label><input id="bad" type="checkbox"> only what failed</label>
<label><input id="ran" type="checkbox"> only what ran</label>
</header>
<main>
<p class="legend" aria-hidden="true">{legend}</p>
{failures}
{groups}
{slowest}
</main>
<footer id="about" aria-live="polite">Arrow keys go from test to test, Enter to its failure.</footer>
<script>
{script}
</script>
</body>
</html>
"""


def render_page(suites: tuple[Suite, ...]) -> str:
    """Write the page of suites, which are in the order of their addresses."""
    places = [(suite.address, place) for suite in suites for place in range(len(suite.cases))]
    numbers = {place: number for number, place in enumerate(places)}
    return _PAGE.format(
        summary=summary(suites),
        verdict="bad" if any(suite.bad for suite in suites) else "good",
        style=_part("page.css"),
        legend=" ".join(f'<i class="{outcome.value}"></i> {outcome.value}' for outcome in Outcome)
        + ' <i class="passed kept"></i> passed, from a cache',
        failures="\n".join(_failures(suites, numbers)),
        groups="\n".join(_groups(suites, numbers)),
        slowest="\n".join(_slowest(suites)),
        script=_part("page.js"),
    )


def summary(suites: tuple[Suite, ...]) -> str:
    """Tell the run in a sentence."""
    outcomes = Counter(case.outcome for _, case in _cases(suites))
    origins = Counter(suite.origin for suite in suites)
    counted = ", ".join(f"{outcomes[each]:,} {_WORDS[each]}" for each in Outcome if outcomes[each])
    sources = ", ".join(f"{origins[each]:,} {each.value}" for each in Origin if origins[each])
    spent = sum(suite.duration_s for suite in suites if suite.origin is Origin.RAN)
    tests = _plural(sum(outcomes.values()), "test")
    return (
        f"{tests} of {_plural(len(suites), 'target')}: {counted or 'none'}. Targets: {sources}; {_time(spent)} of work."
    )


_WORDS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.ERROR: "broke outside of the test",
    Outcome.SKIPPED: "skipped",
}


def _cases(suites: tuple[Suite, ...]) -> Iterator[tuple[Suite, Case]]:
    return ((suite, case) for suite in suites for case in suite.cases)


def _failures(suites: tuple[Suite, ...], numbers: Numbers) -> Iterator[str]:
    if not any(suite.bad for suite in suites):
        yield '<p class="verdict">Nothing failed.</p>'
        return
    yield '<section aria-label="Failures"><h2>Failures</h2>'
    for suite in suites:
        for place, case in enumerate(suite.cases):
            if not case.outcome.is_bad:
                continue
            yield (
                f'<details class="failure" id="f{numbers[suite.address, place]}" open>'
                f"<summary><b>{markup(case.name)}</b> <small>{markup(suite.address)}, {_time(case.duration_s)}</small>"
                f'</summary><pre tabindex="0">{_message(case.message)}</pre></details>'
            )
    yield "</section>"


def _message(message: str) -> str:
    return "\n".join(_line(line.expandtabs()) for line in message.splitlines())


def _line(line: str) -> str:
    """Mark what a reader looks for: titles, the error itself, and the rows of a difference."""
    text = markup(line)
    said = line[1:].strip() if line.startswith("E ") else ""
    if line.startswith("---"):
        return f"<b>{text}</b>"
    if said.startswith(("- ", "+ ")):
        return f"<{'del' if said[0] == '-' else 'ins'}>{text}</{'del' if said[0] == '-' else 'ins'}>"
    return f"<em>{text}</em>" if said else text


def _groups(suites: tuple[Suite, ...], numbers: Numbers) -> Iterator[str]:
    longest_s = max((suite.duration_s for suite in suites), default=0.0) or 1.0
    for name, members in groupby(sorted(suites, key=lambda suite: suite.group), key=lambda suite: suite.group):
        group = tuple(members)
        yield f'<section class="group"><h2>{markup(name)}</h2><p>{summary(group)}</p>'
        for suite in group:
            yield _row(suite, numbers, suite.duration_s / longest_s)
        yield "</section>"


def _row(suite: Suite, numbers: Numbers, share: float) -> str:
    folder, base = map(markup, split_name(suite.address))
    cells = "".join(
        _cell(case, numbers[suite.address, place], is_first=before is None or before.function != case.function)
        for place, (before, case) in enumerate(zip((None, *suite.cases), suite.cases))
    )
    origin = "ran" if suite.origin is Origin.RAN else "kept"
    return (
        f'<div class="suite {origin}{" bad" if suite.bad else ""}" data-name="{markup(suite.address)}">'
        f'<h3 title="{markup(suite.address)}"><b>{base}</b> <small>{folder}</small></h3>'
        f'<ol role="group" aria-label="{markup(suite.address)}">{cells}</ol>'
        f'<p class="time"><span class="bar" style="width:{share * 100:.1f}%"></span>{_time(suite.duration_s)}, '
        f"{suite.origin.value}</p></div>"
    )


def _cell(case: Case, number: int, *, is_first: bool) -> str:
    first = " first" if is_first else ""
    title = markup(f"{case.name}: {case.outcome.value}, {_time(case.duration_s)}")
    return f'<li class="{case.outcome.value}{first}" id="t{number}" title="{title}"></li>'


def _slowest(suites: tuple[Suite, ...]) -> Iterator[str]:
    ranked = sorted(_cases(suites), key=lambda pair: -pair[1].duration_s)[:_SLOWEST]
    if ranked:
        yield "<section><h2>Slowest tests</h2><table><tr><th>Time</th><th>Test</th><th>Target</th></tr>"
        for suite, case in ranked:
            cells = (_time(case.duration_s), markup(case.name), markup(suite.address))
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        yield "</table></section>"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _part(name: str) -> str:
    """Read a file that lies beside the code, wherever the code was loaded from."""
    content = pkgutil.get_data(__package__, name)
    if content is None:
        raise FileNotFoundError(f"{name} is not a part of the package {__package__}: install it whole.")
    return content.decode().strip()
