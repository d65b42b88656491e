"""From a pipeline document to a Pipeline, or to all of its problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from rapidbyte.config.availability import report_unavailable
from rapidbyte.config.build import build
from rapidbyte.config.consistency import report_contradictions
from rapidbyte.config.document import Document
from rapidbyte.config.problems import report
from rapidbyte.config.reader import read_tree
from rapidbyte.config.substitution import Expanded, expand
from rapidbyte.config.tree import Path as TreePath
from rapidbyte.config.tree import Tree
from rapidbyte.config.values import tree_of
from rapidbyte.errors import ConfigError, DocumentError, ErrorInfo, Problem
from rapidbyte.model import Pipeline

MAX_DOCUMENT_BYTES = 1024 * 1024


def load(source: Path | str | Mapping[str, object], env: Mapping[str, str] | None = None) -> Pipeline:
    """Read the document at a path, or take one given as Python values, and check it.

    `${NAME}` is replaced from `env`, by default the environment of the process; Python values are taken as they are.
    Raises DocumentError with every problem of the document, or ConfigError when the file cannot be read.
    """
    if isinstance(source, Mapping):
        return _checked(tree_of(source), "pipeline")
    path = Path(source)
    return load_text(read_text(path), str(path), env)


def load_text(text: str, name: str, env: Mapping[str, str] | None = None) -> Pipeline:
    """Check the document `text`; `name` stands in messages where a file's would."""
    expanded = expand(text, os.environ if env is None else env)
    if not isinstance(expanded, Expanded):
        raise DocumentError(name, tuple(Problem("", bad.message, bad.line) for bad in expanded))
    return _checked(read_tree(expanded), name)


def _checked(tree: Tree, name: str) -> Pipeline:
    document: Document | None = None
    if tree.root is not None or not tree.problems:
        bad: set[TreePath] = set()
        try:
            document = Document.model_validate(tree.root)
        except ValidationError as error:
            bad = report(error, tree)
        bad |= report_contradictions(tree, bad)
        report_unavailable(tree, bad)
    if document is None or tree.problems:
        raise DocumentError(name, tuple(sorted(tree.problems, key=lambda problem: problem.line or 0)))
    return build(document)


def read_text(path: Path) -> str:
    """Return the text of a document. Raises ConfigError with a code and the remedy when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError as error:
        raise _unreadable("pipeline_not_found", f"There is no pipeline file {path}. Check the path.") from error
    except IsADirectoryError as error:
        raise _unreadable("pipeline_not_a_file", f"{path} is a directory. Name the pipeline file in it.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable("pipeline_unreadable", f"The pipeline file {path} cannot be read: {reason}.") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _unreadable("pipeline_too_large", f"{path} is larger than 1 MiB. Is it a pipeline document?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(
            "pipeline_not_text", f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from None


def _unreadable(code: str, message: str) -> ConfigError:
    return ConfigError(message, ErrorInfo(code))
