"""Cuts a Cargo.lock to what some crates reach, so that a change elsewhere in the workspace does not rebuild them.

The result has every version that these crates are compiled from, and may have more: a package is listed with what any
crate's features add to it, and Cargo drops what no feature of these asks for. So builds do not say `--locked`, which
would want the lock to be exact; the process that fetches the crates says it, of the whole lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import toml

from rapidbyte_pants.rust.manifest import ManifestError

_Package = dict[str, Any]


def cut_lock(path: str, content: str, members: Collection[str]) -> str:
    """Keep the packages that these members of the workspace reach. Raises ManifestError."""
    document = toml.loads(content)
    packages: list[_Package] = document.get("package", [])
    roots = [package for package in packages if package["name"] in members and "source" not in package]
    missing = sorted(set(members) - {package["name"] for package in roots})
    if missing:
        raise ManifestError(f"{path} does not know {', '.join(missing)}. Run `cargo update --workspace` beside it.")
    kept = _reached(roots, packages)
    count = Counter(package["name"] for package in kept)
    document["package"] = [
        _with_short_names(package, count) for package in sorted(kept, key=lambda p: (p["name"], p["version"]))
    ]
    return toml.dumps(document)


def _reached(roots: list[_Package], packages: list[_Package]) -> list[_Package]:
    by_name: dict[str, list[_Package]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    kept: list[_Package] = []
    todo = list(roots)
    while todo:
        package = todo.pop()
        if package not in kept:
            kept.append(package)
            todo.extend(_resolve(dependency, by_name) for dependency in package.get("dependencies", ()))
    return kept


def _resolve(dependency: str, by_name: dict[str, list[_Package]]) -> _Package:
    """Find what a dependency's text means: a name, followed by the version and source where the name is not enough."""
    name, *details = dependency.split(" ")
    return next(package for package in by_name[name] if not details or package["version"] == details[0])


def _with_short_names(package: _Package, count: Counter[str]) -> _Package:
    """Drop the version from dependencies whose name has become enough, as Cargo writes them."""
    if "dependencies" not in package:
        return package
    names = [
        dependency.split(" ")[0] if count[dependency.split(" ")[0]] == 1 else dependency
        for dependency in package["dependencies"]
    ]
    return {**package, "dependencies": names}
