"""Running rapidbyte to be measured: whole processes, timed from outside, that say what they saw from inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files

from rapidbyte.cli import main as cli_main
from rapidbyte.embedded import ServerAddress
from rapidbyte.model import WriteMode

_KIB = 1024
_COMMAND = f"import sys; from {cli_main.__name__} import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: the seconds of the whole process, those of the pipeline in it, what it moved and held at most, and how."""

    process_s: float
    pipeline_s: float
    size_bytes: int
    peak_memory_bytes: int
    lanes: int


def run_measured(address: ServerAddress, mode: WriteMode = WriteMode.APPEND, parallelism: str = "auto") -> Measured:
    """Run the pipeline through the Python interface in a new process."""
    started = time.perf_counter()
    output, peak_memory_bytes = _run(["-m", "pg_to_pg.child"], address, mode, parallelism)
    process_s = time.perf_counter() - started
    result = json.loads(output)
    return Measured(process_s, result["seconds"], result["bytes"], peak_memory_bytes, result["lanes"])


def time_command(address: ServerAddress) -> float:
    """Give the seconds that `rapidbyte run` takes from its start to its end."""
    started = time.perf_counter()
    _run(["-c", _COMMAND, "run", "--quiet"], address, WriteMode.APPEND)
    return time.perf_counter() - started


def _run(arguments: list[str], address: ServerAddress, mode: WriteMode, parallelism: str = "auto") -> tuple[str, int]:
    variables = {**server_variables(address), "BENCH_WRITE_MODE": mode.value, "BENCH_PARALLELISM": parallelism}
    with as_file(files("pg_to_pg") / "pipeline.yaml") as pipeline:
        return run_python([*arguments, str(pipeline)], variables)


def run_python(arguments: list[str], variables: Mapping[str, str]) -> tuple[str, int]:
    """Run Python and give its output and its peak memory in bytes, as the kernel accounts for it."""
    with (
        tempfile.TemporaryDirectory() as state,
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**_environment(), **variables, "XDG_STATE_HOME": state},
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError("The run failed; it said why above.")
    return output, usage.ru_maxrss * (1 if sys.platform == "darwin" else _KIB)


def _environment() -> Mapping[str, str]:
    """Give this process's environment, with its imports, and with the bytecode cache that an installation has."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)}


def server_variables(address: ServerAddress) -> Mapping[str, str]:
    """Give what a pipeline of a benchmark refers to."""
    return {
        "BENCH_HOST": address.host,
        "BENCH_PORT": str(address.port),
        "BENCH_USER": address.user,
        "BENCH_PASSWORD": address.password,
        "BENCH_DATABASE": address.database,
    }
