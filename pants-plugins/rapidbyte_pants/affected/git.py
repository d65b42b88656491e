"""Asks Git what changed since a revision: on this branch, in the working tree, and what is not tracked.

These are the files that Pants' `--changed-since` counts, from the commit that HEAD and the revision have in common.
They are read NUL-separated, so that names with spaces, quotes or line ends stay whole, and a rename is both of its
files: one that is gone still leads to what depended on it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from rapidbyte_pants.affected.errors import GitError
from rapidbyte_pants.affected.model import Change, Since, Status

_STATUSES = {"A": Status.ADDED, "D": Status.DELETED}
_DIFF = ("diff", "--name-status", "--no-renames", "--no-ext-diff", "--relative", "-z")


@dataclass(frozen=True)
class Git:
    """The repository that the folder lies in, as a worktree or a subfolder of one."""

    binary: str
    folder: str

    def since(self, revision: str) -> Since:
        """Find the base of a revision, or say how to get what is missing."""
        found = self._run(("rev-parse", "--git-dir"))
        if found.returncode != 0:
            said = _text(found.stderr).strip()
            raise GitError(f"Git finds no repository at {self.folder}: {said}. Run this in a clone that is yours.")
        if self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None:
            raise GitError("This repository has no commit yet, so nothing can be compared with it: commit first.")
        named = not revision.startswith("-") and self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if not named:
            raise GitError(self._unknown(revision))
        base = self._ask("merge-base", revision, "HEAD")
        if base is None:
            raise GitError(self._unrelated(revision))
        return Since(revision, base.strip())

    def changes(self, since: Since) -> tuple[Change, ...]:
        """Compare the base with the working tree as it is, what is not committed included."""
        found = {**self._diff(since.base, "HEAD"), **self._uncommitted(since.base)}
        untracked = self._tell("ls-files", "--others", "--exclude-standard", "-z")
        found.update((path, Status.UNTRACKED) for path in _split(untracked))
        return tuple(Change(path, found[path]) for path in sorted(found))

    def content(self, since: Since, path: str) -> str:
        """Give a file as it was at the base; nothing if it was not there."""
        return self._ask("show", f"{since.base}:./{path}") or ""

    def _uncommitted(self, base: str) -> dict[str, Status]:
        """Give what the working tree adds, with the status since the base of what the branch changed too."""
        against_base = self._diff(base)
        return {path: against_base.get(path, status) for path, status in self._diff("HEAD").items()}

    def _diff(self, *commits: str) -> dict[str, Status]:
        fields = _split(self._tell(*_DIFF, *commits, "--", "."))
        return {path: _STATUSES.get(letter, Status.MODIFIED) for letter, path in zip(fields[::2], fields[1::2])}

    def _unknown(self, revision: str) -> str:
        named = f"Git knows no commit `{revision}`"
        if self._is_shallow():
            return f"{named}, and this clone is shallow: run `git fetch --unshallow origin`, then --since=origin/main."
        return f"{named}: run `git fetch origin`, or give --since a branch, a tag or a commit of `git log --all`."

    def _unrelated(self, revision: str) -> str:
        named = f"`{revision}` and HEAD have no commit in common"
        if self._is_shallow():
            return f"{named} in this shallow clone: run `git fetch --unshallow origin`, or `git fetch --deepen=100`."
        return f"{named}: give --since a revision that this branch began at."

    def _is_shallow(self) -> bool:
        return (self._ask("rev-parse", "--is-shallow-repository") or "").strip() == "true"

    def _tell(self, *arguments: str) -> str:
        done = self._run(arguments)
        if done.returncode != 0:
            said = _text(done.stderr).strip()
            raise GitError(f"`git {' '.join(arguments)}` failed: {said}. Run it yourself to see why.")
        return _text(done.stdout)

    def _ask(self, *arguments: str) -> str | None:
        done = self._run(arguments)
        return _text(done.stdout) if done.returncode == 0 else None

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
        command = (self.binary, "-C", self.folder, *arguments)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _split(output: str) -> list[str]:
    return output.split("\0")[:-1]


def _text(output: bytes) -> str:
    """Decode what Git says. A name that is not UTF-8 is shown escaped: no target can own its file."""
    return output.decode("utf-8", "backslashreplace")
