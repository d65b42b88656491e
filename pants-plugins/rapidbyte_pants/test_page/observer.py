"""Watches a run of Pants, and writes the page at its end if there were tests."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pants.base.build_environment import get_buildroot
from pants.core.util_rules.distdir import DistDir
from pants.engine.internals.scheduler import Workunit
from pants.engine.rules import Rule, collect_rules, rule
from pants.engine.streaming_workunit_handler import (
    StreamingWorkunitContext,
    WorkunitsCallback,
    WorkunitsCallbackFactory,
    WorkunitsCallbackFactoryRequest,
)
from pants.engine.unions import UnionRule
from pants.util.dirutil import safe_file_dump

from rapidbyte_pants.test_page.collector import Collector, Contents
from rapidbyte_pants.test_page.page import render_page
from rapidbyte_pants.test_page.subsystem import TestPage

logger = logging.getLogger(__name__)


class TestPageRequest(WorkunitsCallbackFactoryRequest):
    """Asks for whoever watches a run."""

    __test__ = False


class TestPageWriter(WorkunitsCallback):
    """Watches one run."""

    __test__ = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._collector = Collector()

    @property
    def can_finish_async(self) -> bool:
        return False  # who waits for the run opens the page next

    def __call__(
        self,
        *,
        completed_workunits: tuple[Workunit, ...],
        finished: bool,
        context: StreamingWorkunitContext,
        **_: object,
    ) -> None:
        self._collector.add(completed_workunits)
        if not finished:
            return
        suites = self._collector.suites(_contents(context))
        if suites:
            safe_file_dump(str(Path(get_buildroot(), self._path)), render_page(suites), makedirs=True)
            logger.info(f"Wrote a page of the tests to {self._path}")


def _contents(context: StreamingWorkunitContext) -> Contents:
    return Contents(
        snapshot=lambda snapshot: [file.content for file in context.snapshots_to_file_contents([snapshot])[0]],
        file=lambda digest: context.single_file_digests_to_bytes([digest])[0],
    )


@dataclass(frozen=True)
class _Writers:
    """Makes a writer for each run."""

    path: Path

    def __call__(self) -> WorkunitsCallback:
        return TestPageWriter(self.path)


@rule
async def watch_tests(_: TestPageRequest, options: TestPage, distdir: DistDir) -> WorkunitsCallbackFactory:
    return WorkunitsCallbackFactory(_Writers(options.path(distdir)) if options.enabled else lambda: None)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WorkunitsCallbackFactoryRequest, TestPageRequest))
