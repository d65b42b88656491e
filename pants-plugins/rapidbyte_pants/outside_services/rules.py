"""Gives a test that uses an outside service an input that nobody else has, so that no cache ever answers for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.backend.python.goals.pytest_runner import PytestPluginSetup, PytestPluginSetupRequest
from pants.core.goals.test import TestExtraEnvVarsField
from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.process import Process, ProcessCacheScope, ProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from rapidbyte_pants.outside_services.subsystem import OutsideServices

_MARK = "outside_service_session"
_WRITE_MARK = f"od -An -N16 -tx1 /dev/urandom > {_MARK}"


@dataclass(frozen=True)
class SessionMark:
    """A file that no other session has."""

    setup: PytestPluginSetup


@dataclass(frozen=True)
class MarkedTest(PytestPluginSetupRequest):
    """Every test may pass a variable on; the rule looks which are set."""

    @classmethod
    def is_applicable(cls, target: Target) -> bool:
        return target.has_field(TestExtraEnvVarsField)


@rule
async def make_session_mark(bash: BashBinary) -> SessionMark:
    result = await Get(
        ProcessResult,
        Process(
            [bash.path, "-c", _WRITE_MARK],
            env={"PATH": "/usr/bin:/bin"},
            output_files=(_MARK,),
            description="Mark the session, whose tests use an outside service",
            level=LogLevel.DEBUG,
            cache_scope=ProcessCacheScope.PER_SESSION,
        ),
    )
    return SessionMark(PytestPluginSetup(result.output_digest))


@rule
async def mark_test(request: MarkedTest, services: OutsideServices) -> PytestPluginSetup:
    passed = {entry.partition("=")[0] for entry in request.target[TestExtraEnvVarsField].value or ()}
    named = sorted(passed & set(services.variables))
    if not named:
        return PytestPluginSetup()
    environment = await Get(EnvironmentVars, EnvironmentVarsRequest(named))
    if not any(environment.values()):
        return PytestPluginSetup()
    mark = await Get(SessionMark)
    return mark.setup


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(PytestPluginSetupRequest, MarkedTest))
