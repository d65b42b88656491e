"""Finding a connector's module: by its short name among those that come with rapidbyte, or by the path of a file."""

from __future__ import annotations

import difflib
import importlib.resources
from importlib.resources.abc import Traversable
from pathlib import Path

from rapidbyte.errors import ConnectorNotFoundError
from rapidbyte.model import Kind

_PREFIXES = {Kind.SOURCE: "source_", Kind.DESTINATION: "dest_", Kind.TRANSFORM: "transform_"}
_SUFFIX = ".wasm"


def read_connector(use: str, kind: Kind) -> bytes:
    """Return the module that `use` names for a role. Raises ConnectorNotFoundError, which lists the known ones."""
    if use.endswith(_SUFFIX) or "/" in use:
        return _read_file(Path(use))
    resource = _bundled().joinpath(f"{_PREFIXES[kind]}{use}{_SUFFIX}")
    try:
        return resource.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConnectorNotFoundError(_unknown(use, kind)) from error


def known_connectors(kind: Kind) -> tuple[str, ...]:
    """Return the short names that come with this installation, sorted."""
    prefix = _PREFIXES[kind]
    folder = _bundled()
    names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
    return tuple(
        sorted(
            name.removeprefix(prefix).removesuffix(_SUFFIX)
            for name in names
            if name.startswith(prefix) and name.endswith(_SUFFIX)
        )
    )


def _bundled() -> Traversable:
    return importlib.resources.files("rapidbyte").joinpath("connectors")


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConnectorNotFoundError(
            f"The connector file {path} cannot be read: {error.strerror}. Check the path after use:."
        ) from error


def _unknown(use: str, kind: Kind) -> str:
    known = known_connectors(kind)
    if not known:
        return (
            f"There is no {kind.value} connector {use!r}: this installation has none built in. Install rapidbyte from "
            "its wheel, or give the path of a .wasm file."
        )
    near = difflib.get_close_matches(use, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return (
        f"There is no {kind.value} connector {use!r}.{hint} Known are: {', '.join(known)}; or give the path of a .wasm "
        "file."
    )
