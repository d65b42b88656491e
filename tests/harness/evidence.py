"""What a test did, collected for the case that it fails: the pipelines it ran, and what came of each.

Texts that are shown have no secret in them: passwords are taken out by their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import rapidbyte
from rapidbyte.cli.failure import failure_text
from rapidbyte.config.substitution import Expanded, expand
from rapidbyte.errors import RapidbyteError
from rapidbyte.model import RunReport

# The public calls that take a pipeline.
CALLS = ("check_pipeline", "discover", "preview_pipeline", "run_pipeline")
_HIDDEN = "***"
_SECRET_NAME = re.compile(r"password|dsn", re.IGNORECASE)

Section = tuple[str, str]


@dataclass(slots=True)
class Call:
    """One call or command: what was asked, with the document; and what came of it, once it has ended."""

    title: str
    document: str
    outcome: Callable[[], str]


@dataclass(slots=True)
class Evidence:
    """The calls of one test in their order, and the values that must not be shown."""

    calls: list[Call] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def sections(self) -> Iterator[Section]:
        """Tell each call: its document, and its outcome."""
        for number, call in enumerate(self.calls, start=1):
            yield f"{number}. {call.title}", self._shown(f"{call.document.rstrip()}\n\n{call.outcome().rstrip()}")

    @contextmanager
    def watching(self, module: Any) -> Iterator[None]:
        """See every public call of `module`, which is the package, until the end of the block."""
        originals = {name: getattr(module, name) for name in CALLS}
        for name, original in originals.items():
            setattr(module, name, self._watched(name, original))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(module, name, original)

    def document(self, pipeline: object, env: Mapping[str, str] | None) -> str:
        """Return the text of a document as it was run, and remember the secrets in it."""
        self.secrets |= {value for name, value in (env or {}).items() if value and _SECRET_NAME.search(name)}
        if isinstance(pipeline, (str, Path)):
            return _filled(Path(pipeline), env or {})
        if isinstance(pipeline, Mapping):
            self.secrets |= set(_passwords(pipeline))
            return str(yaml.safe_dump(_plain(pipeline), sort_keys=False, allow_unicode=True))
        return repr(pipeline)

    def _watched(self, name: str, original: Callable[..., object]) -> Callable[..., object]:
        def call(pipeline: object, *arguments: Any, **options: Any) -> object:
            outcome: list[str] = ["it had not ended"]
            heard: list[str] = []
            self.calls.append(
                Call(name, self.document(pipeline, options.get("env")), lambda: "\n".join([*heard, *outcome]))
            )
            if name == "run_pipeline":
                options["on_event"] = _listening(options.get("on_event"), heard)
            try:
                result = original(pipeline, *arguments, **options)
            except BaseException as error:
                outcome[:] = [_told(error)]
                raise
            outcome[:] = [_described(result)]
            return result

        return call

    def _shown(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


def _listening(on_event: Callable[[Any], None] | None, heard: list[str]) -> Callable[[Any], None]:
    def listen(event: Any) -> None:
        if isinstance(event, rapidbyte.LogLine):
            heard.append(f"{event.connector}: {event.level.name.lower()}: {event.message}")
        if on_event is not None:
            on_event(event)

    return listen


def _filled(path: Path, env: Mapping[str, str]) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return f"{path}: {error}"
    expanded = expand(text, env)
    return f"# {path}\n{expanded.text if isinstance(expanded, Expanded) else text}"


def _passwords(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if isinstance(value, str) and value and _SECRET_NAME.search(str(name)):
                yield value
            yield from _passwords(value)


def _plain(node: object) -> object:
    """Turn what YAML's safe writer does not know into what it does."""
    if isinstance(node, Mapping):
        return {str(name): _plain(value) for name, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(each) for each in node]
    return node if node is None or isinstance(node, (bool, int, float, str)) else str(node)


def _described(result: object) -> str:
    if not isinstance(result, RunReport):
        return repr(result)
    streams = [
        f"  {stream.name}: read {stream.rows_read}, written {stream.rows_written}, rejected {stream.rows_rejected}, "
        f"attempts {stream.attempts}, batches {stream.batches}"
        for stream in result.streams
    ]
    return "\n".join([f"{result.status.value} in {result.duration_s:.2f} s (run {result.run_id})", *streams])


def _told(error: BaseException) -> str:
    if isinstance(error, RapidbyteError):
        return f"{failure_text(error)}\n({type(error).__name__}, code {error.code})"
    return f"{type(error).__name__}: {error}"
