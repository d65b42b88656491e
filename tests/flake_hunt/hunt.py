"""A hunt: the rounds one after the other, each told as it ends, and what they found."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from flake_hunt.ground import made_ground
from flake_hunt.leaks import Field
from flake_hunt.outcome import Round, summary
from flake_hunt.processes import end, processes_of
from flake_hunt.rounds import Runner
from harness.providers import provide_server

# Where this lies in the checkout, and in the sandbox that Pants runs it in.
_ROOT = Path(__file__).resolve().parents[2]
_SUITES = ("tests/boundary", "tests/e2e")
_REPORTS = Path("dist/flake_hunt")
_SETTINGS = Path("pyproject.toml")


def hunt(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, telling each as it ends, and then all of them. Return 0 if nothing failed or stayed behind."""
    options = _options(arguments)
    files = _files_of(options.suites)
    rounds: list[Round] = []
    reports = (_REPORTS / f"seed-{options.seed}").resolve()
    shutil.rmtree(reports, ignore_errors=True)  # of an earlier hunt
    with made_ground() as ground:
        os.environ.update(ground.environment())
        tempfile.tempdir = None  # what was found out before the folder was there
        runner = Runner(_ROOT, _SETTINGS.resolve(), reports, ground, options.processes)
        server = provide_server()
        try:
            with psycopg.connect(server.address.dsn(), autocommit=True) as session:
                field = Field(_ROOT, ground, session, processes_of(ground.folder), options.patience)
                for number in range(1, options.rounds + 1):
                    rounds.append(_round(field, runner, files, number, options.seed + number - 1))
                    print("\n".join(rounds[-1].lines(options.rounds)), flush=True)
        except KeyboardInterrupt:
            print("stopped in the middle of a round, which does not count", flush=True)
        finally:
            server.close()
    print("\n".join(summary(rounds, reports)), flush=True)
    return 0 if len(rounds) == options.rounds and not any(each.failed or each.left for each in rounds) else 1


def _round(field: Field, runner: Runner, files: Sequence[str], number: int, seed: int) -> Round:
    began = time.monotonic()
    earlier = field.traces()
    outcomes = runner.run(files, seed, f"round-{number}")
    duration_s = time.monotonic() - began
    left = field.left_since(earlier)
    for process in field.strangers():
        end(process)
    return Round(number, seed, outcomes, tuple(sorted(left)), duration_s)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Hunt for tests that fail sometimes, and for what they leave.")
    parser.add_argument("suites", nargs="*", default=_SUITES, help="folders and files of tests")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--processes", type=int, default=4, help="how many files run at once")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds in which servers may stop after a round")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; each further one has the next")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def _files_of(suites: Sequence[str]) -> tuple[str, ...]:
    """Return the files of tests, by their paths below the root where they lie there."""
    found = []
    for suite in suites:
        path = _ROOT / suite
        files = sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise SystemExit(f"There are no tests at {path}. Name a file of tests, or the folder of some.")
        found += [str(file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file) for file in files]
    return tuple(found)
