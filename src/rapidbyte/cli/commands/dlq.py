"""`rapidbyte dlq list | show | delete | replay`: the rows that could not be moved, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from rapidbyte.cli.arguments import Options
from rapidbyte.cli.commands import replay
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.cli.stored import existing_state
from rapidbyte.errors import ConfigError, ErrorInfo
from rapidbyte.state import Selection, State, StoredLetter

_SHOWN_CHARS = 60


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Do what was asked with the dead-letter queue. Raises StateError, ConfigError, and what a replay does."""
    if options.action == "replay":
        return replay.execute(options, output, signals)
    with existing_state(options) as (state, place):
        if options.action == "list":
            _list(options, output, state, place)
        elif options.action == "show":
            _show(options, output, state, place)
        else:
            _delete(options, output, state)
    return ExitCode.OK


def _list(options: Options, output: Output, state: State | None, place: str) -> None:
    wanted = _selection(options, is_waiting=None if options.includes_replayed else True)
    letters = iter(()) if state is None else _each(state, wanted, options.limit)
    total = 0 if state is None else state.dead_letters.count(wanted)
    if output.is_json:
        output.document({"total": total, "rows": [letter_document(letter) for letter in letters]})
    elif total:
        output.result(letters_text(letters))
        if total > options.limit:
            output.say(f"{counted(options.limit)} of {counted(total)} rows are shown; --limit shows more.")
    else:
        output.say(f"No rejected rows are kept in {place}.")


def _each(state: State, wanted: Selection, limit: int) -> Iterator[StoredLetter]:
    """Yield the first letters, one by one, since their rows may be large."""
    after = 0
    while limit and (found := state.dead_letters.list(wanted, 1, after)):
        yield found[0]
        after, limit = found[0].letter_id, limit - 1


def _show(options: Options, output: Output, state: State | None, place: str) -> None:
    (letter_id,) = options.letter_ids
    letter = None if state is None else state.dead_letters.get(letter_id)
    if letter is None:
        raise ConfigError(
            f"There is no rejected row {letter_id} in {place}. `rapidbyte dlq list` lists those there are.",
            ErrorInfo("dlq_not_found"),
        )
    if output.is_json:
        output.document(letter_document(letter))
    else:
        output.result(letter_text(letter))


def _delete(options: Options, output: Output, state: State | None) -> None:
    wanted = _selection(options, is_waiting=None)
    if (wanted == Selection()) is (not options.letter_ids):
        raise ConfigError(
            "Say which rows to delete: either their ids, or --pipeline, --stream and --run.",
            ErrorInfo("dlq_selection"),
        )
    deleted = 0
    if state is not None:
        letters = state.dead_letters
        deleted = letters.delete(options.letter_ids) if options.letter_ids else letters.delete_all(wanted)
    if output.is_json:
        output.document({"deleted": deleted})
    else:
        output.result(f"Deleted: {counted(deleted)} {'row' if deleted == 1 else 'rows'}.")


def letters_text(letters: Iterable[StoredLetter]) -> str:
    """Return letters for a person, a line each."""
    rows = []
    for stored in letters:
        letter = stored.letter
        reason = letter.reasons[0] if letter.reasons else ""
        rows.append(
            (
                str(stored.letter_id),
                f"{stored.recorded_at:%Y-%m-%d %H:%M:%S}",
                letter.pipeline,
                letter.stream,
                letter.rejected_at.value,
                letter.code,
                _shortened(reason.partition("\n")[0]),
            )
        )
    return aligned(("id", "rejected (UTC)", "pipeline", "stream", "at", "code", "reason"), rows, right=("id",))


def letter_text(stored: StoredLetter) -> str:
    """Return one letter for a person, with every reason and value."""
    letter = stored.letter
    replayed = "waits" if stored.replayed_at is None else f"replayed {stored.replayed_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"row {stored.letter_id} of {letter.stream}, pipeline {letter.pipeline}, {replayed}",
        f"rejected by the {letter.rejected_at.value} on {stored.recorded_at:%Y-%m-%d %H:%M:%S} UTC in run "
        f"{letter.run_id}: {letter.category.value}, {letter.code}",
        *(f"  {reason}" for reason in letter.reasons),
    ]
    if letter.unreadable:
        lines.append(f"not here as it was: {', '.join(letter.unreadable)}")
    if letter.uncommitted is not None:
        lines.append("its run has not come to the commit that leaves it out; the next run reads the row again")
    lines.append(json.dumps(dict(letter.row), ensure_ascii=False, indent=2))
    if letter.raw is not None:
        lines.append(f"as the source printed it: {letter.raw}")
    return "\n".join(lines)


def letter_document(stored: StoredLetter) -> dict[str, object]:
    """Return one letter for a machine."""
    letter = stored.letter
    return {
        "id": stored.letter_id,
        "pipeline": letter.pipeline,
        "stream": letter.stream,
        "run_id": letter.run_id,
        "rejected_at": letter.rejected_at.value,
        "category": letter.category.value,
        "code": letter.code,
        "reasons": list(letter.reasons),
        "row": dict(letter.row),
        "raw": letter.raw,
        "unreadable": list(letter.unreadable),
        "is_committed": letter.uncommitted is None,
        "recorded_at": stored.recorded_at.isoformat(),
        "replayed_at": None if stored.replayed_at is None else stored.replayed_at.isoformat(),
    }


def _selection(options: Options, *, is_waiting: bool | None) -> Selection:
    return Selection(options.pipeline, options.stream, options.run_id, is_waiting)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
