"""A small report, as the tests of its renderings share it."""

from __future__ import annotations

from rapidbyte_pants.affected.chains import explain
from rapidbyte_pants.affected.model import Change, Reach, Report, Scenario, Since, Status

SINCE = Since("main", "0123456789abcdef0123456789abcdef01234567")
LIB = Reach(Change("src/lib.py", Status.MODIFIED), ("src/lib.py",))
DOC = Reach(Change("docs/a.md", Status.ADDED), ())
SETTINGS = Reach(
    Change("settings.toml", Status.MODIFIED), (), ("tests/test_app.py", "tests/test_other.py"), "every test reads it."
)
DEPENDENTS = {"src/lib.py": ["src/app.py", "src"], "src/app.py": ["tests/test_app.py"], "src": []}
SCENARIOS = tuple(
    Scenario(f"tests/{name}.py", f"tests/{name}.py", "python_test") for name in ("test_other", "test_app")
)


def report(*reaches: Reach, is_asked: bool = False) -> Report:
    return Report(SINCE, reaches, explain(reaches, DEPENDENTS, SCENARIOS), SCENARIOS, is_asked)
