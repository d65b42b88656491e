"""A scratch copy of the checkout, in which Pants is run and files are edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What Pants and Pex set for their own children would steer the Pants of the copy.
_FOREIGN = ("PANTS", "_PANTS", "PEX", "PYTHON")
_VERDICT = re.compile(
    r"^[✓✕] (?P<target>\S+) (?P<outcome>succeeded|failed)\b[^(]*(?P<source>\((memoized|cached \w+)\))?\.?$", re.MULTILINE
)
_TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call of Pants printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def ran(self) -> frozenset[str]:
        """The tests that were run, rather than answered from a cache."""
        return self._tests(lambda source: source is None)

    @property
    def answered(self) -> frozenset[str]:
        """The tests whose results came from a cache on this machine or elsewhere."""
        return self._tests(lambda source: source is not None)

    @property
    def answered_remotely(self) -> frozenset[str]:
        """The tests whose results came from the remote cache."""
        return self._tests(lambda source: source == "(cached remotely)")

    def _tests(self, is_wanted: object) -> frozenset[str]:
        assert callable(is_wanted)
        found = _VERDICT.finditer(self.stderr)
        return frozenset(match["target"].partition(":")[0] for match in found if is_wanted(match["source"]))


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

    def git(self, *arguments: str) -> str:
        """Run git and give what it printed."""
        identity = ("-c", "user.name=proof", "-c", "user.email=proof@localhost")
        ended = self.run("git", *identity, *arguments)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def affected_tests(self) -> frozenset[str]:
        """The test files that Pants itself says what differs from `main` can affect."""
        listed = self.pants(
            "--changed-since=main", "--changed-dependents=transitive", "list", "--filter-target-type=" + _TEST_TYPES
        )
        assert listed.code == 0, listed.stderr
        return frozenset(line.partition(":")[0] for line in listed.stdout.splitlines())

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Within the block, have `new` in the place of the first `old`, which must be there; "" stands for the end."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert old in before, f"{path} has no {old!r}"
        file.write_text(before.replace(old, new, 1) if old else before + new, encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")


_TEST_TYPES = "python_test,plugin_test,rust_crate,wasm_connector"


def make_checkout(folder: Path, env: Mapping[str, str] | None = None) -> Checkout:
    """Copy what git knows of the checkout around the current folder, and commit it as `main`. `env` is added."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    for name in filter(None, names.decode().split("\0")):
        if os.path.lexists(name):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target, follow_symlinks=False)
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    checkout = Checkout(folder, {**own, **(env or {})})
    checkout.git("init", "--quiet", "--initial-branch=main")
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message=as it is")
    return checkout
