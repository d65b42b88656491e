"""Refreshes the hash-pinned locks of this folder from their inputs: `python3 3rdparty/python/lock.py`.

Each `<name>.in` gives `<name>.lock`, for every platform at once and without any download address, so that a lock works
behind any index. A lock's first line holds the digest of the input it was made from: a test compares the two.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Lock:
    """One input and the oldest Python that its lock has to serve."""

    name: str
    python: str

    @property
    def source(self) -> str:
        """The file a person edits."""
        return f"{self.name}.in"

    @property
    def target(self) -> str:
        """The file this module writes."""
        return f"{self.name}.lock"


LOCKS = (
    Lock("dist", "3.9"),
    Lock("main", "3.11"),
    Lock("pants", "3.7"),
    Lock("plugins", "3.9"),
    Lock("tools", "3.11"),
    Lock("uv", "3.8"),
)


def header(lock: Lock, folder: Path) -> str:
    """The first line of a lock that is up to date with its input in `folder`."""
    content = (folder / lock.source).read_bytes()
    # Where the lines of the input end is the checkout's affair.
    digest = hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
    return f"# Locked from {lock.source} {digest}: refresh with `python3 3rdparty/python/lock.py`.\n"


def is_stale(lock: Lock, folder: Path) -> bool:
    """Tell whether the input has changed since its lock was written."""
    target = folder / lock.target
    return not target.exists() or not target.read_text(encoding="utf-8").startswith(header(lock, folder))


def _uv() -> Path:
    """Install the locked uv in a private environment, once per version of its lock, and give its path."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((FOLDER / "uv.lock").read_bytes()).hexdigest()[:12]
    home = cache / "rapidbyte" / f"uv-{digest}"
    program = home / "bin" / "uv"
    if not program.exists():
        venv.create(home, with_pip=True, clear=True)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(FOLDER / "uv.lock")]
        subprocess.run([str(home / "bin" / "python"), *install], check=True)
    return program


def _compile(uv: Path, lock: Lock, *, upgrade: bool) -> None:
    target = FOLDER / lock.target
    options = ["--universal", "--generate-hashes", "--no-header", "--quiet", "--python-version", lock.python]
    if upgrade:
        options.append("--upgrade")
    command = [str(uv), "pip", "compile", *options, lock.source, "--output-file", lock.target]
    subprocess.run(command, cwd=FOLDER, check=True)
    target.write_text(header(lock, FOLDER) + target.read_text(encoding="utf-8"), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Rewrite the locks; with `--upgrade`, take the newest versions that the inputs allow."""
    if arguments not in ([], ["--upgrade"]):
        print("Usage: python3 3rdparty/python/lock.py [--upgrade]", file=sys.stderr)
        return 2
    uv = _uv()
    for lock in LOCKS:
        print(f"Locking {lock.source}")
        try:
            _compile(uv, lock, upgrade=bool(arguments))
        except subprocess.CalledProcessError as error:
            print(f"{lock.source} could not be locked: see uv's message above.", file=sys.stderr)
            return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
