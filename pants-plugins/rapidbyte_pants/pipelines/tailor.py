"""Proposes targets for pipeline documents that have none, for the goal `tailor`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.tailor import AllOwnedSources, PutativeTarget, PutativeTargets, PutativeTargetsRequest
from pants.engine.fs import DigestContents, PathGlobs
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.source.filespec import FilespecMatcher
from pants.util.dirutil import group_by_dir
from pants.util.logging import LogLevel

from rapidbyte_pants.pipelines.subsystem import PipelinesSubsystem
from rapidbyte_pants.pipelines.target_types import PipelinesTarget
from rapidbyte_pants.pipelines.uses import is_pipeline


@dataclass(frozen=True)
class PutativePipelineTargetsRequest(PutativeTargetsRequest):
    pass


@rule(desc="Find pipeline documents without a target", level=LogLevel.DEBUG)
async def find_pipelines_without_target(
    request: PutativePipelineTargetsRequest, owned: AllOwnedSources, pipelines: PipelinesSubsystem
) -> PutativeTargets:
    documents = await Get(DigestContents, PathGlobs, request.path_globs("*.yaml"))
    unowned = {file.path: file.content for file in documents if file.path not in owned}
    wanted = FilespecMatcher(pipelines.tailor_globs, ()).matches(sorted(unowned)) if pipelines.tailor_globs else []
    folders = group_by_dir(path for path in wanted if is_pipeline(unowned[path]))
    return PutativeTargets(
        PutativeTarget.for_target_type(PipelinesTarget, path=folder, name=None, triggering_sources=sorted(names))
        for folder, names in sorted(folders.items())
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(PutativeTargetsRequest, PutativePipelineTargetsRequest))
