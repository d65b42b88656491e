"""A scratch repository of Git, as the tests need it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Scratch:
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Scratch:
        folder.mkdir(exist_ok=True)
        scratch = cls(folder)
        scratch.git("init", "--quiet")
        scratch.git("symbolic-ref", "HEAD", "refs/heads/main")
        return scratch

    def git(self, *arguments: str) -> str:
        command = ("git", *_IDENTITY, *arguments)
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True).stdout.decode().strip()

    def put(self, path: str, content: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a")
        return self.git("rev-parse", "HEAD")
