"""`rapidbyte state list | show | reset`: what connectors keep from one run to the next."""

from __future__ import annotations

import base64

from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.cli.stored import existing_state
from rapidbyte.state import KeptValue


def execute(options: Options, output: Output, _: Signals) -> ExitCode:
    """Do what was asked with the values that connectors keep. Raises StateError."""
    with existing_state(options) as (state, place):
        if options.action == "reset":
            assert options.pipeline is not None
            forgotten = 0 if state is None else state.connectors.reset(options.pipeline, options.stream)
            _tell_forgotten(output, forgotten)
            return ExitCode.OK
        kept = () if state is None else state.connectors.list(options.pipeline)
    if output.is_json:
        output.document({"values": [value_document(value) for value in kept]})
    elif not kept:
        output.say(f"No connector keeps anything in {place}.")
    elif options.action == "list":
        output.result(names_text(kept))
    else:
        output.result("\n".join(f"{_named(value)}: {_shown(value.value)}" for value in kept))
    return ExitCode.OK


def names_text(kept: tuple[KeptValue, ...]) -> str:
    """Return the names of values for a person, a line each."""
    rows = [
        (
            value.key.pipeline,
            value.key.scope.value,
            value.key.owner or "-",
            value.key.name,
            counted(len(value.value)),
            f"{value.updated_at:%Y-%m-%d %H:%M:%S}",
        )
        for value in kept
    ]
    return aligned(("pipeline", "scope", "of", "name", "bytes", "written (UTC)"), rows, right=("bytes",))


def value_document(value: KeptValue) -> dict[str, object]:
    """Return a value for a machine; `base64` stands in the place of `value` where it is not text."""
    text = _text_of(value.value)
    content = {"base64": base64.b64encode(value.value).decode()} if text is None else {"value": text}
    return {
        "pipeline": value.key.pipeline,
        "scope": value.key.scope.value,
        "owner": value.key.owner,
        "name": value.key.name,
        "updated_at": value.updated_at.isoformat(),
        **content,
    }


def _tell_forgotten(output: Output, forgotten: int) -> None:
    if output.is_json:
        output.document({"forgotten": forgotten})
    else:
        output.result(f"Forgotten: {counted(forgotten)} {'value' if forgotten == 1 else 'values'}.")


def _named(value: KeptValue) -> str:
    owner = f" {value.key.owner}" if value.key.owner else ""
    return f"{value.key.scope.value}{owner}, {value.key.name}"


def _shown(content: bytes) -> str:
    text = _text_of(content)
    return f"base64 {base64.b64encode(content).decode()}" if text is None else text


def _text_of(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
