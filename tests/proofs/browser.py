"""A headless Chromium that a test opens a page in, over the DevTools protocol on a pair of pipes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MISSING = (
    "No Chromium is on the PATH, so no page can be looked at. Install one, on Debian with: apt-get install chromium"
)
_FLAGS = (
    "--headless",
    "--no-sandbox",  # it is refused to root, and the page is our own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
    "about:blank",
)
_READ_FD, _WRITE_FD = 3, 4  # where Chromium looks for the pipes
_KEYS = {"Enter": "\r"}


class Tab:
    """One tab. Each call blocks until Chromium has answered; `requested` and `complaints` are what the page caused."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._session: str | None = None
        self._count = 0
        self.requested: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(self, page: Path, *, is_dark: bool = False) -> None:
        """Load a file, and return when it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        self.value("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def value(self, script: str) -> Any:
        """Return what an expression is in the page, once its promise is kept."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            for kind in ("keyDown", "keyUp"):
                text = {"text": _KEYS[key]} if kind == "keyDown" and key in _KEYS else {}
                code = {"Tab": 9, "Enter": 13}.get(key, 0)
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._hear(answer)

    def close(self) -> None:
        """Let go of the pipes, at which Chromium ends."""
        self._commands.close()
        self._answers.close()

    def _receive(self) -> dict[str, Any]:
        parts = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium ended"
            parts += byte
        message: dict[str, Any] = json.loads(parts)
        return message

    def _hear(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requested.append(parameters["request"]["url"])
        elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(parameters))


@contextmanager
def tab() -> Iterator[Tab]:
    """Start a Chromium with nothing of anybody's in it, and end it after the block."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    assert program is not None, _MISSING
    commands_out, commands_in = _pipe()
    answers_out, answers_in = _pipe()

    def place_pipes() -> None:
        os.dup2(commands_out, _READ_FD)
        os.dup2(answers_in, _WRITE_FD)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, f"--user-data-dir={profile}", *_FLAGS],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(_READ_FD, _WRITE_FD),
            preexec_fn=place_pipes,
        )
        os.close(commands_out)
        os.close(answers_in)
        opened = Tab(commands_in, answers_out)
        try:
            yield opened
        finally:
            opened.close()
            process.terminate()
            process.wait()


def _pipe() -> tuple[int, int]:
    """Make a pipe whose numbers are out of the way of those that Chromium looks at."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
