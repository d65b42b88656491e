"""Tests which chain explains a scenario."""

from __future__ import annotations

from rapidbyte_pants.affected.chains import explain
from rapidbyte_pants.affected.model import Change, Explained, Reach, Scenario, Status

TEST = Scenario("t.py", "t.py", "python_test")


def reach(path: str, *owners: str, beyond: tuple[str, ...] = (), reason: str | None = None) -> Reach:
    return Reach(Change(path, Status.MODIFIED), owners or (path,), beyond, reason)


def only(*reaches: Reach, **dependents: list[str]) -> Explained:
    named = {f"{name}.py": found for name, found in dependents.items()}
    (explained,) = explain(reaches, named, [TEST])
    return explained


def test_shortest_chain_wins_over_the_change_that_sorts_first() -> None:
    explained = only(reach("a.py"), reach("z.py"), a=["b.py"], b=["t.py"], z=["t.py"])
    assert (explained.change.path, explained.chain, explained.also) == ("z.py", ("z.py", "t.py"), ("a.py",))


def test_equally_short_chains_are_told_apart_by_name_whatever_the_order() -> None:
    one = only(reach("a.py"), reach("b.py"), a=["d.py", "c.py"], b=["t.py"], c=["t.py"], d=["t.py"])
    assert (one.change.path, one.chain) == ("b.py", ("b.py", "t.py"))
    forth = only(reach("a.py"), reach("b.py"), a=["d.py", "c.py"], b=["c.py"], c=["t.py"], d=["t.py"])
    back = only(reach("b.py"), reach("a.py"), b=["c.py"], d=["t.py"], c=["t.py"], a=["c.py", "d.py"])
    assert forth == back
    assert forth.chain == ("a.py", "c.py", "t.py")


def test_cycle_ends() -> None:
    assert only(reach("a.py"), a=["b.py"], b=["a.py", "t.py"]).chain == ("a.py", "b.py", "t.py")


def test_changed_test_is_its_own_chain() -> None:
    explained = only(reach("t.py"))
    assert (explained.chain, explained.links, explained.also) == (("t.py",), (), ())


def test_links_keep_a_target_that_has_another_name_than_the_file() -> None:
    (explained,) = explain([reach("a.rs", "crates/a")], {"crates/a": ["t.py"]}, [TEST])
    assert explained.links == ("crates/a", "t.py")


def test_dependencies_go_before_a_shorter_reach_beyond_them() -> None:
    settings = reach("s.toml", "s", beyond=("t.py",), reason="read by all.")
    explained = only(settings, reach("a.py"), a=["b.py"], b=["t.py"])
    assert (explained.change.path, explained.reason, explained.also) == ("a.py", None, ("s.toml",))


def test_reach_beyond_goes_on_along_dependencies() -> None:
    explained = only(reach("s.toml", "s", beyond=("a.py",), reason="read by a."), a=["t.py"])
    assert (explained.chain, explained.reason) == (("a.py", "t.py"), "read by a.")


def test_what_no_change_leads_to_is_left_out() -> None:
    assert explain([reach("a.py")], {"b.py": ["t.py"]}, [TEST]) == ()


def test_scenarios_are_in_the_order_of_their_files() -> None:
    scenarios = [Scenario(file, address, "python_test") for file, address in (("b", "b"), ("a", "a:2"), ("a", "a:1"))]
    explained = explain([reach("x", "b", "a:2", "a:1")], {}, scenarios)
    assert [each.scenario.address for each in explained] == ["a:1", "a:2", "b"]
