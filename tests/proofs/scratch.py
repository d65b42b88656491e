"""A scratch copy of the checkout, in which Pants is run and files are edited."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What the Pants that runs the proofs set for its children would steer the Pants of the copy.
_FOREIGN = ("PANTS_", "_PANTS", "PEX", "PYTHON")
_VERDICT = re.compile(r"^[✓✕] (?P<target>\S+) \w+ .*?(?P<source>\((?:memoized|cached \w+)\))?\.$", re.MULTILINE)
_TIMEOUT_S = 2400


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All of it, for the message of an assertion."""
        return f"exit {self.code}\n{self.stdout}\n{self.stderr}"

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The tests that have a result, wherever it came from."""
        return tuple(test for test, _ in self._verdicts())

    @property
    def ran(self) -> frozenset[str]:
        """The tests that were run, rather than answered from a cache."""
        return frozenset(test for test, source in self._verdicts() if source is None)

    @property
    def answered_remotely(self) -> frozenset[str]:
        """The tests whose results came from the remote cache."""
        return frozenset(test for test, source in self._verdicts() if source == "(cached remotely)")

    def _verdicts(self) -> Iterator[tuple[str, str | None]]:
        for match in _VERDICT.finditer(self.stderr):
            yield match["target"].partition(":")[0], match["source"]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy under `folder`, with the environment that its Pants gets."""

    folder: Path
    env: Mapping[str, str]

    def pants(self, *arguments: str, **env: str) -> Outcome:
        """Run Pants to its end."""
        return self.run("./pants", "--no-dynamic-ui", "--no-colors", *arguments, **env)

    def run(self, *command: str, **env: str) -> Outcome:
        """Run a command in the copy to its end."""
        ended = subprocess.run(
            command, cwd=self.folder, env={**self.env, **env}, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    def git(self, *arguments: str) -> None:
        """Run git."""
        ended = self.run("git", "-c", "user.name=proof", "-c", "user.email=proof@localhost", *arguments)
        assert ended.code == 0, ended.text

    def edit(self, path: str, old: str, new: str) -> str:
        """Put `new` in the place of the first `old`, which must be there; "" is the end. Return the text of before."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert old in before, f"{path} has no {old!r}"
        file.write_text(before.replace(old, new, 1) if old else before + new, encoding="utf-8")
        return before

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Have an edit within the block."""
        before = self.edit(path, old, new)
        try:
            yield
        finally:
            (self.folder / path).write_text(before, encoding="utf-8")

    def close(self) -> None:
        """End the daemon of the copy, which would outlive it for hours."""
        for file in (self.folder / ".pids").glob("*/pantsd/pid"):
            os.kill(int(file.read_text(encoding="ascii")), signal.SIGTERM)


def installation(checkout: Checkout) -> Path:
    """Find where the launcher of a copy, which was run before, has installed its Pants."""
    cache = checkout.env.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return max(Path(cache, "rapidbyte").glob("pants-*/"), key=lambda folder: folder.stat().st_mtime)


@contextmanager
def copied_checkout(folder: Path, **env: str) -> Iterator[Checkout]:
    """Copy what git knows of the checkout around the current folder, and commit it as `main`. `env` is added."""
    known = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(known, capture_output=True, check=True, text=True).stdout.split("\0"):
        if name and os.path.lexists(name):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target, follow_symlinks=False)
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    checkout = Checkout(folder, {**own, **env})
    checkout.git("init", "--quiet", "--initial-branch=main")
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message=as it is")
    try:
        yield checkout
    finally:
        checkout.close()
